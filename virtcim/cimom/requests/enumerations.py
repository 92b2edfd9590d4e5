"""Operations on enumerations that are opened, pulled and closed (DSP0200 1.4, section 5.4.2.24)."""

from __future__ import annotations

from typing import ClassVar

from virtcim.cimom.requests.associations import NO_FILTER, AssociationFilter
from virtcim.cimom.requests.projections import ALL, Projection
from virtcim.cimom.requests.request import Request
from virtcim.immutable import immutable
from virtcim.providers.interface import InstancePath

__all__ = [
    "CloseEnumeration",
    "OpenAssociatorInstancePaths",
    "OpenAssociatorInstances",
    "OpenEnumerateInstancePaths",
    "OpenEnumerateInstances",
    "OpenQueryInstances",
    "OpenReferenceInstancePaths",
    "OpenReferenceInstances",
    "Opening",
    "PullInstancePaths",
    "PullInstances",
    "PullInstancesWithPath",
]


@immutable
class Opening:
    """How an enumeration is opened (DSP0200 1.4, section 5.4.2.24.2).

    Attributes:
        language, query: the filter; both or neither.
        timeout: OperationTimeout in seconds; None for the server's.
        continue_on_error: whether the client wants to know what cannot be shown, and to go on after it.
        max_objects: objects in the answer to the opening.
    """

    language: str | None = None
    query: str | None = None
    timeout: int | None = None
    continue_on_error: bool = False
    max_objects: int = 0


@immutable(kw_only=True)
class OpenEnumerateInstances(Request):
    """OpenEnumerateInstances (5.4.2.24.3); `deep` as of `EnumerateInstances`."""

    operation: ClassVar[str] = "OpenEnumerateInstances"
    class_name: str
    deep: bool = True
    projection: Projection = ALL
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenEnumerateInstancePaths(Request):
    """OpenEnumerateInstancePaths (5.4.2.24.4)."""

    operation: ClassVar[str] = "OpenEnumerateInstancePaths"
    class_name: str
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenAssociatorInstances(Request):
    """OpenAssociatorInstances (5.4.2.24.7)."""

    operation: ClassVar[str] = "OpenAssociatorInstances"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    projection: Projection = ALL
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenAssociatorInstancePaths(Request):
    """OpenAssociatorInstancePaths (5.4.2.24.8)."""

    operation: ClassVar[str] = "OpenAssociatorInstancePaths"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenReferenceInstances(Request):
    """OpenReferenceInstances (5.4.2.24.5)."""

    operation: ClassVar[str] = "OpenReferenceInstances"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    projection: Projection = ALL
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenReferenceInstancePaths(Request):
    """OpenReferenceInstancePaths (5.4.2.24.6)."""

    operation: ClassVar[str] = "OpenReferenceInstancePaths"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenQueryInstances(Request):
    """OpenQueryInstances (5.4.2.24.9); the query is that of `opening`.

    Attributes:
        with_result_class: whether the class of the results is wanted (ReturnQueryResultClass).
    """

    operation: ClassVar[str] = "OpenQueryInstances"
    with_result_class: bool = False
    opening: Opening = Opening()


@immutable(kw_only=True)
class PullInstancesWithPath(Request):
    """PullInstancesWithPath (5.4.2.24.10).

    Attributes:
        context: of the enumeration.
        max_objects: objects in the answer.
    """

    operation: ClassVar[str] = "PullInstancesWithPath"
    context: str
    max_objects: int


@immutable(kw_only=True)
class PullInstancePaths(Request):
    """PullInstancePaths (5.4.2.24.11); attributes as of `PullInstancesWithPath`."""

    operation: ClassVar[str] = "PullInstancePaths"
    context: str
    max_objects: int


@immutable(kw_only=True)
class PullInstances(Request):
    """PullInstances (5.4.2.24.12); attributes as of `PullInstancesWithPath`."""

    operation: ClassVar[str] = "PullInstances"
    context: str
    max_objects: int


@immutable(kw_only=True)
class CloseEnumeration(Request):
    """CloseEnumeration (5.4.2.24.13)."""

    operation: ClassVar[str] = "CloseEnumeration"
    quick: ClassVar[bool] = True
    context: str

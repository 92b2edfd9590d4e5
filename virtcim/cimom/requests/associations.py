"""Operations over associations: of an instance, and of a class (DSP0200 1.4, sections 5.3.2.14 to 5.3.2.17)."""

from __future__ import annotations

from typing import ClassVar

from virtcim.cimom.requests.projections import ALL, ClassProjection, Projection
from virtcim.cimom.requests.request import Request
from virtcim.immutable import immutable
from virtcim.providers.interface import InstancePath

__all__ = [
    "NO_FILTER",
    "AssociationFilter",
    "AssociatorClassPaths",
    "AssociatorClasses",
    "AssociatorNames",
    "Associators",
    "ReferenceClassPaths",
    "ReferenceClasses",
    "ReferenceNames",
    "References",
]


@immutable
class AssociationFilter:
    """The filters of an association operation; None or "" where the client gave none.

    Attributes:
        association_class: AssocClass of Associators, ResultClass of References.
        result_class: ResultClass of Associators.
        role, result_role: names of the reference properties.
        creation_classes: only associations of these creation classes, for a client that asks for them one by one;
            None for all.
    """

    association_class: str | None = None
    result_class: str | None = None
    role: str | None = None
    result_role: str | None = None
    creation_classes: frozenset[str] | None = None


NO_FILTER = AssociationFilter()


@immutable(kw_only=True)
class Associators(Request):
    """Associators of an instance (5.3.2.14)."""

    operation: ClassVar[str] = "Associators"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    projection: Projection = ALL


@immutable(kw_only=True)
class AssociatorNames(Request):
    """AssociatorNames of an instance (5.3.2.15)."""

    operation: ClassVar[str] = "AssociatorNames"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER


@immutable(kw_only=True)
class References(Request):
    """References of an instance (5.3.2.16)."""

    operation: ClassVar[str] = "References"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    projection: Projection = ALL


@immutable(kw_only=True)
class ReferenceNames(Request):
    """ReferenceNames of an instance (5.3.2.17)."""

    operation: ClassVar[str] = "ReferenceNames"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER


@immutable(kw_only=True)
class AssociatorClasses(Request):
    """Associators of a class (5.3.2.14): what the schema itself allows."""

    operation: ClassVar[str] = "Associators"
    class_name: str
    filter: AssociationFilter = NO_FILTER
    projection: ClassProjection = ClassProjection(local_only=False)


@immutable(kw_only=True)
class AssociatorClassPaths(Request):
    """AssociatorNames of a class (5.3.2.15)."""

    operation: ClassVar[str] = "AssociatorNames"
    class_name: str
    filter: AssociationFilter = NO_FILTER


@immutable(kw_only=True)
class ReferenceClasses(Request):
    """References of a class (5.3.2.16)."""

    operation: ClassVar[str] = "References"
    class_name: str
    filter: AssociationFilter = NO_FILTER
    projection: ClassProjection = ClassProjection(local_only=False)


@immutable(kw_only=True)
class ReferenceClassPaths(Request):
    """ReferenceNames of a class (5.3.2.17)."""

    operation: ClassVar[str] = "ReferenceNames"
    class_name: str
    filter: AssociationFilter = NO_FILTER

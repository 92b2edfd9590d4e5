"""What the bridge asks of the server that it runs in; `cimom` offers it, `virtcim` hands it over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from virtcim.frontends.cmpi.codec import Request, Value, WireInstance, WirePath
from virtcim.providers.interface import (
    Association,
    EmbeddedInstance,
    Instance,
    InstancePath,
    InstanceProvider,
    RequestContext,
)
from virtcim.registration.schema import ClassLike

__all__ = [
    "AssociationFilters",
    "IndicationSource",
    "Model",
    "NamespaceLike",
]


class NamespaceLike(Protocol):
    """A namespace, and who serves what in it.  Class names in any case."""

    @property
    def name(self) -> str: ...
    @property
    def associations(self) -> tuple[Association, ...]: ...
    @property
    def served(self) -> Callable[[str], tuple[str, ...]]:
        """The creation classes among a class and its descendants."""

    def provider(self, class_name: str) -> InstanceProvider | None:
        """The provider of a creation class."""

    def home(self, class_name: str) -> str:
        """The namespace where the instances of a class live."""


@dataclass(frozen=True, slots=True)
class AssociationFilters:
    """The filters of an association operation; None or "" where the client gave none.

    `association_class` is AssocClass of Associators and ResultClass of References.
    """

    association_class: str | None = None
    result_class: str | None = None
    role: str | None = None
    result_role: str | None = None


class Model(Protocol):
    """Classes, namespaces and the rules that the bridge shares with the embedded server."""

    def admission(self, request: Request) -> AbstractContextManager[object]:
        """What stands around the work for a request: it refuses what the principal may not do (CIMError
        ACCESS_DENIED) and writes down changes, as the embedded server does for its own requests."""

    def namespace(self, name: str) -> NamespaceLike:
        """The namespace with this name.  Raises CIMError INVALID_NAMESPACE."""

    def declaration(self, class_name: str) -> ClassLike | None:
        """The class with this name, in any case."""

    def is_a(self, class_name: str, ancestor: str) -> bool:
        """Whether a class is another or a descendant of it; false when either is unknown."""

    def path(self, path: WirePath) -> InstancePath:
        """The path of an instance with typed keys.  Raises CIMError INVALID_PARAMETER."""

    def instance(self, instance: WireInstance) -> EmbeddedInstance:
        """An instance of a request with typed properties.  Raises CIMError INVALID_PARAMETER."""

    def method_parameters(self, class_name: str, method: str, given: Iterable[tuple[str, Value]]) -> Mapping[str, Any]:
        """The input parameters of a method, typed.  Raises CIMError INVALID_PARAMETER."""

    def links(
        self,
        associations: Iterable[Association],
        source: Instance,
        filters: AssociationFilters,
        context: RequestContext,
    ) -> Iterator[tuple[Instance, Instance]]:
        """The associations of an instance that pass the filters, each with the instance at its other end.

        Raises:
            CIMError: INVALID_PARAMETER for the class of a filter that does not exist.
        """

    def select(self, query: str, language: str, context: RequestContext) -> Iterable[Instance]:
        """The instances that a query selects in the namespace of the context.

        Raises:
            CIMError: QUERY_LANGUAGE_NOT_SUPPORTED, INVALID_QUERY, INVALID_CLASS.
        """


class IndicationSource(Protocol):
    """Where indications come from."""

    def listen(self, deliver: Callable[[str, EmbeddedInstance], None]) -> Callable[[], None]:
        """Call `deliver` with the namespace and each indication from now on, from any thread.

        Returns:
            the function that ends it.
        """

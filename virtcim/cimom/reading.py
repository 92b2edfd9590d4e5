"""What the reading operations have in common: which instances a request is about.

Beside the provider interface there is one rule: a broken provider takes nothing from what the others have.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from virtcim.cimom.associations import Filters, links
from virtcim.cimom.intrinsics import Call, invalid_parameter
from virtcim.frontends.cimxml.encode import TableOptions
from virtcim.providers.interface import CIMError, Instance, InstancePath, InstanceProvider, Status
from virtcim.schema.classes import ClassDeclaration, ClassStore, PropertyDeclaration

__all__ = ["Reader"]

log = logging.getLogger(__name__)


class Reader:
    """Finds instances.

    Parameters:
        classes: the class store.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._classes = classes

    def declaration(self, name: str) -> ClassDeclaration:
        """The class with this name.  Raises CIMError INVALID_CLASS."""
        declaration = self._classes.get(name)
        if declaration is None:
            raise CIMError(Status.INVALID_CLASS, f"Class {name} does not exist")
        return declaration

    def target(self, call: Call, path: InstancePath) -> tuple[InstanceProvider, ClassDeclaration]:
        """The provider of an instance that a client names.  Raises CIMError INVALID_CLASS or NOT_FOUND."""
        declaration = self.declaration(path.class_name)
        provider = call.namespace.provider(declaration.name)
        if provider is None:
            raise CIMError(Status.NOT_FOUND, f"No instance of {declaration.name} exists in {call.namespace.name}")
        return provider, declaration

    def instance(self, call: Call, path: InstancePath) -> Instance:
        """The instance that a client names.  Raises CIMError as its provider does."""
        provider, declaration = self.target(call, path)
        return provider.get_instance(declaration.name, path.keys, call.context)

    def options(self, call: Call, class_name: str, limit: str | None = None) -> TableOptions:
        """The options for one creation class, those that change nothing left out, so that tables are shared."""
        wanted: frozenset[str] | None = call["propertylist"]
        own = self._classes[class_name].properties
        if wanted is not None:
            wanted = None if wanted >= own.keys() else wanted.intersection(own)
        if limit is not None and len(self._classes[limit].properties) == len(own):
            limit = None
        plain = call.quirks.plain_arrays and _embedded_arrays(own)
        return TableOptions(limit, wanted, call["includeclassorigin"], plain)

    def everything(
        self, call: Call, class_name: str, failed: Callable[[CIMError], Any] | None = None
    ) -> Iterator[tuple[str, list[Instance]]]:
        """The creation classes among a class and its descendants, each with its instances.

        A class whose provider fails is left out when others were asked for as well.

        Parameters:
            failed: is told the error of a class that is left out.
        """
        served = call.namespace.served(self.declaration(class_name).name)
        for each in served:
            provider = call.namespace.provider(each)
            assert provider is not None
            try:
                # A provider may be a generator: it is run to its end here, so that its errors are caught here.
                instances = list(provider.instances(each, call.context))
            except Exception as exc:
                if len(served) == 1:
                    raise
                log.exception("The instances of %s are left out", each)
                if failed is not None:
                    failed(exc if isinstance(exc, CIMError) else CIMError(Status.FAILED, f"{each}: {exc}"))
                continue
            yield each, instances

    def associator_filters(self, call: Call) -> Filters:
        """The filters of the operations that follow associations."""
        return Filters(
            self._filter_class("AssocClass", call["assocclass"]),
            self._filter_class("ResultClass", call["resultclass"]),
            call["role"],
            call["resultrole"],
        )

    def reference_filters(self, call: Call) -> Filters:
        """The filters of the operations that find associations: there, ResultClass is the class of the association."""
        return Filters(association=self._filter_class("ResultClass", call["resultclass"]), role=call["role"])

    def _filter_class(self, parameter: str, class_name: str | None) -> frozenset[str] | None:
        if not class_name:
            return None
        if class_name not in self._classes:
            raise invalid_parameter(f"{parameter} {class_name} does not exist")
        return self._classes.concrete(class_name)

    def associated(self, call: Call, path: InstancePath) -> Iterator[Instance]:
        """The instances at the other end of the associations of an instance, each once."""
        filters = self.associator_filters(call)
        seen = set()
        for _, other in self._links(call, path, filters):
            key = (other.class_name, other.identity)
            if key not in seen:
                seen.add(key)
                if self._is_declared(other):
                    yield other

    def referring(self, call: Call, path: InstancePath) -> Iterator[Instance]:
        """The associations of an instance, each once."""
        filters = self.reference_filters(call)
        seen = set()
        for link, _ in self._links(call, path, filters):
            key = (link.class_name, link.identity)
            if key not in seen:
                seen.add(key)
                if self._is_declared(link):
                    yield link

    def _links(self, call: Call, path: InstancePath, filters: Filters) -> Iterator[tuple[Instance, Instance]]:
        """The associations of an instance, each with its other end, as far as who asks may read where that lives."""
        for link, other in links(call.namespace.associations, self.instance(call, path), filters, call.context):
            home = call.namespace.home(other.class_name)
            if home == call.namespace.name or call.may_read(home):
                yield link, other

    def _is_declared(self, instance: Instance) -> bool:
        if instance.class_name in self._classes:
            return True
        log.error("Class %s is not declared; an instance is left out", instance.class_name)
        return False


def _embedded_arrays(properties: Mapping[str, PropertyDeclaration]) -> bool:
    return any(each.is_array and each.embedded_object for each in properties.values())

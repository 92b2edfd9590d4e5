"""The bridge into other CIM servers, put together: `cmpi` with what it shares with `cimom`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cimom.associations import Filters, links
from cimom.cimxml.decode import RawInstance, RawKey, RawPath, RawProperty
from cimom.cimxml.typed import TypedReader
from cimom.classes import ClassDeclaration, ClassStore
from cimom.namespaces import Namespace, Namespaces
from cmpi.codec import Value, WireInstance, WirePath
from cmpi.daemon import CmpiDaemon
from cmpi.dispatch import Dispatcher
from cmpi.model import AssociationFilters, IndicationSource, Query
from cmpi.settings import CmpiSettings
from providers.interface import (
    Association,
    CIMError,
    EmbeddedInstance,
    Instance,
    InstancePath,
    RequestContext,
    Status,
)
from virtcim import __version__

__all__ = ["BridgeModel", "make_daemon"]


class BridgeModel:
    """What the bridge asks of the embedded server (`cmpi.model.Model`).

    Parameters:
        namespaces: of the embedded server.
        classes: the class store.
    """

    query: Query | None = None

    def __init__(self, namespaces: Namespaces, classes: ClassStore) -> None:
        self._namespaces = namespaces
        self._classes = classes
        self._typed = TypedReader(classes)

    def namespace(self, name: str) -> Namespace:
        return self._namespaces[name]

    def declaration(self, class_name: str) -> ClassDeclaration | None:
        return self._classes.get(class_name)

    def is_a(self, class_name: str, ancestor: str) -> bool:
        return self._classes.is_a(class_name, ancestor)

    def path(self, path: WirePath) -> InstancePath:
        return self._typed.path(_raw_path(path))

    def instance(self, instance: WireInstance) -> EmbeddedInstance:
        return self._typed.instance(_raw_instance(instance))

    def method_parameters(
        self, class_name: str, method: str, given: Iterable[tuple[str, Value]]
    ) -> Mapping[str, Any]:
        declared = self._classes[class_name].methods[method.lower()]
        return self._typed.method_parameters(declared, tuple((name, _raw(value)) for name, value in given))

    def links(
        self,
        associations: Iterable[Association],
        source: Instance,
        filters: AssociationFilters,
        context: RequestContext,
    ) -> Iterator[tuple[Instance, Instance]]:
        return links(
            associations,
            source,
            Filters(
                self._filter_class("AssocClass", filters.association_class),
                self._filter_class("ResultClass", filters.result_class),
                filters.role.lower() if filters.role else None,
                filters.result_role.lower() if filters.result_role else None,
            ),
            context,
        )

    def _filter_class(self, parameter: str, class_name: str | None) -> frozenset[str] | None:
        if not class_name:
            return None
        if class_name not in self._classes:
            raise CIMError(Status.INVALID_PARAMETER, f"{parameter} {class_name} does not exist")
        return self._classes.concrete(class_name)


def _raw(value: Value) -> Any:
    """A typed value as the untyped one that CIM-XML would have brought, so that both are read by the same rules."""
    if isinstance(value.value, list):
        return [None if each is None else _raw_scalar(value.type, each) for each in value.value]
    return None if value.value is None else _raw_scalar(value.type, value.value)


def _raw_scalar(cim_type: str, value: Any) -> Any:
    if cim_type == "char16":
        return chr(value)
    if isinstance(value, WirePath):
        return _raw_path(value)
    if isinstance(value, WireInstance):
        return _raw_instance(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return value if isinstance(value, str) else repr(value)


def _raw_instance(instance: WireInstance) -> RawInstance:
    # CIM servers hand over every property of the class, NULL where the client gave none.
    return RawInstance(
        instance.class_name, tuple(RawProperty(name, _raw(value)) for name, value in instance.properties)
    )


def _raw_path(path: WirePath) -> RawPath:
    keys = tuple((name, _raw_key(value)) for name, value in path.keys)
    return RawPath(path.class_name, keys, path.namespace)


def _raw_key(value: Value) -> RawKey | RawPath:
    if isinstance(value.value, WirePath):
        return _raw_path(value.value)
    if isinstance(value.value, bool):
        return RawKey("TRUE" if value.value else "FALSE", "boolean", "")
    if isinstance(value.value, str):
        return RawKey(value.value, "string", "")
    return RawKey(repr(value.value), "numeric", "")


def make_daemon(
    namespaces: Namespaces,
    classes: ClassStore,
    provider_of: Callable[[str], str],
    settings: CmpiSettings,
    indications: IndicationSource | None = None,
) -> CmpiDaemon:
    """The daemon's side of the bridge, not started yet.

    Parameters:
        namespaces: of the embedded server.
        provider_of: the name under which a class's provider is registered (`registration.table.provider_of`).
        indications: where indications come from, or None.
    """
    dispatcher = Dispatcher(BridgeModel(namespaces, classes), provider_of, indications is not None)
    return CmpiDaemon(dispatcher, settings, __version__, indications)

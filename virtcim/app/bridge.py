"""The bridge into other CIM servers, put together: `cmpi` with what it shares with `cimom`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from virtcim import __version__
from virtcim.cimom.access import Access, Role, RoleSettings
from virtcim.cimom.associations import Filters, links
from virtcim.cimom.audit import Change
from virtcim.cimom.namespaces import Namespace, Namespaces
from virtcim.cimom.operations import require_arguments
from virtcim.cimom.principals import Mechanism, Principal, system_groups
from virtcim.cimom.query import parse_select
from virtcim.frontends.cimxml.audited import audited_parameters, audited_target
from virtcim.frontends.cimxml.decode import RawInstance, RawKey, RawNamedInstance, RawPath, RawProperty, RawRequest
from virtcim.frontends.cimxml.typed import TypedReader
from virtcim.frontends.cmpi.codec import Operation, Request, Value, WireInstance, WirePath
from virtcim.frontends.cmpi.daemon import CmpiDaemon
from virtcim.frontends.cmpi.dispatch import Dispatcher
from virtcim.frontends.cmpi.model import AssociationFilters, IndicationSource
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.providers.interface import (
    Association,
    CIMError,
    EmbeddedInstance,
    Instance,
    InstancePath,
    RequestContext,
    Status,
)
from virtcim.schema.classes import ClassDeclaration, ClassStore

__all__ = ["BridgeModel", "make_daemon"]

ORIGIN = "cmpi"
"""Where a request comes from, in the audit log: only the CIM server knows where its client is."""


class BridgeModel:
    """What the bridge asks of the embedded server (`frontends.cmpi.model.Model`).

    Parameters:
        namespaces: of the embedded server.
        classes: the class store.
        access: who may do what; without it, by the roles that `RoleSettings` begins with.
    """

    def __init__(self, namespaces: Namespaces, classes: ClassStore, access: Access | None = None) -> None:
        self._namespaces = namespaces
        self._classes = classes
        self._typed = TypedReader(classes)
        self._raw = _RawForm(classes)
        self._access = access or Access(RoleSettings(), {}, classes.ancestors)

    def admission(self, request: Request) -> AbstractContextManager[object]:
        return _Admission(self._access, self._raw, request)

    def namespace(self, name: str) -> Namespace:
        return self._namespaces[name]

    def declaration(self, class_name: str) -> ClassDeclaration | None:
        return self._classes.get(class_name)

    def is_a(self, class_name: str, ancestor: str) -> bool:
        return self._classes.is_a(class_name, ancestor)

    def path(self, path: WirePath) -> InstancePath:
        return self._typed.path(_raw_path(path))

    def instance(self, instance: WireInstance) -> EmbeddedInstance:
        typed = self._typed.instance_to_change(self._raw.instance(instance))
        for name in typed.properties:
            if name.lower() not in self._classes[typed.class_name].properties:
                raise CIMError(Status.INVALID_PARAMETER, f"{typed.class_name} has no property {name}")
        return typed

    def method_parameters(self, class_name: str, method: str, given: Iterable[tuple[str, Value]]) -> Mapping[str, Any]:
        declared = self._classes[class_name].methods[method.lower()]
        raw = tuple((name, self._raw.value(value)) for name, value in given)
        arguments = self._typed.method_parameters(declared, raw)
        require_arguments(declared, arguments)
        return arguments

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

    def select(self, query: str, language: str, context: RequestContext) -> Iterator[Instance]:
        parsed = parse_select(language, query)
        selects = parsed.compile(self._classes)
        place = self._namespaces[context.namespace]
        for class_name in place.served(parsed.from_class):
            provider = place.provider(class_name)
            assert provider is not None
            for instance in provider.instances(class_name, context):
                if selects(class_name, instance.properties()):
                    yield instance

    def _filter_class(self, parameter: str, class_name: str | None) -> frozenset[str] | None:
        if not class_name:
            return None
        if class_name not in self._classes:
            raise CIMError(Status.INVALID_PARAMETER, f"{parameter} {class_name} does not exist")
        return self._classes.concrete(class_name)


_INTRINSIC = {
    Operation.ENUMERATE_NAMES: "EnumerateInstanceNames",
    Operation.ENUMERATE: "EnumerateInstances",
    Operation.GET: "GetInstance",
    Operation.CREATE: "CreateInstance",
    Operation.MODIFY: "ModifyInstance",
    Operation.DELETE: "DeleteInstance",
    Operation.QUERY: "ExecQuery",
    Operation.ASSOCIATORS: "Associators",
    Operation.ASSOCIATOR_NAMES: "AssociatorNames",
    Operation.REFERENCES: "References",
    Operation.REFERENCE_NAMES: "ReferenceNames",
    # Whoever may read a class may be told of its changes.
    Operation.AUTHORIZE: "EnumerateInstances",
}


class _Admission:
    """Stands around the work for a request: roles before it, and for a change the audit line after it."""

    def __init__(self, access: Access, raw: _RawForm, request: Request) -> None:
        self._access = access
        self._principal = Principal(request.principal, Mechanism.CMPI, system_groups(request.principal))
        self._extrinsic = request.operation is Operation.INVOKE
        self._name = request.arguments[0] if self._extrinsic else _INTRINSIC[request.operation]
        self._namespace = request.arguments[0] if request.path is None else request.path.namespace or ""
        class_names = [] if request.path is None else [request.path.class_name]
        self._needed = access.needed(self._name, self._extrinsic, class_names)
        self._change: Change | None = None
        if self._needed > Role.READ and request.path is not None:
            raw_request = _cim_request(raw, request, self._name, request.path)
            self._change = Change(self._principal, ORIGIN, self._namespace, self._name)
            self._change.applied_to = audited_target(raw_request)
            self._change.parameters = audited_parameters(raw_request)

    def __enter__(self) -> None:
        try:
            self._access.require(self._principal, self._namespace, self._needed, self._name)
        except CIMError as error:
            if self._change is not None:
                self._change.__exit__(type(error), error, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._change is not None:
            self._change.__exit__(kind, error, trace)


def _cim_request(raw: _RawForm, request: Request, name: str, path: WirePath) -> RawRequest:
    """The request in the form of CIM-XML, which the audit log's parameters are made from."""
    parameters: list[tuple[str, Any]] = []
    if request.operation is Operation.INVOKE:
        parameters = [(parameter, raw.value(value)) for parameter, value in request.arguments[1]]
    elif request.operation is Operation.DELETE:
        parameters = [("InstanceName", _raw_path(path))]
    elif request.operation is Operation.CREATE:
        parameters = [("NewInstance", raw.instance(request.arguments[0], with_nulls=False))]
    else:
        parameters = [("ModifiedInstance", RawNamedInstance(_raw_path(path), raw.instance(request.arguments[0])))]
    extrinsic = request.operation is Operation.INVOKE
    return RawRequest(
        "", "1.0", name, extrinsic, path.namespace or "", _raw_path(path) if extrinsic else None, tuple(parameters)
    )


class _RawForm:
    """The typed values of a request as the untyped ones that CIM-XML would have brought, so that both are read by the
    same rules.

    Parameters:
        classes: the class store.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._classes = classes

    def value(self, value: Value) -> Any:
        """A value of a parameter or property."""
        if isinstance(value.value, list):
            return [None if each is None else self._scalar(value.type, each) for each in value.value]
        return None if value.value is None else self._scalar(value.type, value.value)

    def _scalar(self, cim_type: str, value: Any) -> Any:
        if cim_type == "char16":
            return chr(value)
        if isinstance(value, WirePath):
            return _raw_path(value)
        if isinstance(value, WireInstance):
            return self.instance(value, with_nulls=False)
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        return value if isinstance(value, str) else repr(value)

    def instance(self, instance: WireInstance, *, with_nulls: bool = True) -> RawInstance:
        """An instance, without what the client did not give as far as that can be told.

        CIM servers hand over all properties of the class, NULL where the client gave none; OpenPegasus puts in the
        defaults of the class (VirtualQuantityUnits "count"), which so are the same as nothing.

        Parameters:
            with_nulls: keep what is NULL.
        """
        declaration = self._classes.get(instance.class_name)
        properties = []
        for name, value in instance.properties:
            declared = declaration.properties.get(name.lower()) if declaration is not None else None
            given = tuple(value.value) if isinstance(value.value, list) else value.value
            if given is None:
                if not with_nulls:
                    continue
            elif declared is not None and given == declared.default:
                continue
            properties.append(RawProperty(name, self.value(value)))
        return RawInstance(instance.class_name, tuple(properties))


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
    access: Access | None = None,
) -> CmpiDaemon:
    """The daemon's side of the bridge, not started yet.

    Parameters:
        namespaces: of the embedded server.
        provider_of: the name under which a class's provider is registered (`registration.table.provider_of`).
        indications: where indications come from, or None.
        access: who may do what, as the embedded server has it.
    """
    dispatcher = Dispatcher(BridgeModel(namespaces, classes, access), provider_of, indications is not None)
    return CmpiDaemon(dispatcher, settings, __version__, indications)

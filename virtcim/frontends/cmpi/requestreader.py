"""From a request of the library to a request of the core.

What a CIM server hands over is not always what its client sent.  This is where it is put right:

* A CIM server asks for one class at a time, and merges the answers: a creation class stands for itself alone, and
  associations are those of the provider that is asked.
* It hands over every property of the class, NULL where the client gave none; OpenPegasus puts in the defaults of the
  class (VirtualQuantityUnits "count").  Both count as not given.
* OpenPegasus names the keys of a class, with NULL for values, where a method is invoked on the class.
* SFCB shows all properties of what a query selects, unless it is told that queries are not supported: then it
  enumerates, selects and projects by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from virtcim.cimom.namespaces import Namespace, Namespaces
from virtcim.cimom.principals import Mechanism, Principal, system_groups
from virtcim.cimom.query import parse_select
from virtcim.cimom.requests import (
    ALL,
    AssociationFilter,
    AssociatorNames,
    Associators,
    Attempt,
    Caller,
    CreateInstance,
    DeleteInstance,
    EnumerateInstanceNames,
    EnumerateInstances,
    ExecQuery,
    GetInstance,
    InvokeMethod,
    ModifyInstance,
    Projection,
    ReferenceNames,
    References,
    Request,
)
from virtcim.frontends.cmpi.codec import Operation, Value, WireInstance, WirePath
from virtcim.frontends.cmpi.codec import Request as WireRequest
from virtcim.frontends.reading.audited import audited_parameters, audited_target
from virtcim.frontends.reading.raw import RawInstance, RawKey, RawNamedInstance, RawPath, RawProperty, RawRequest
from virtcim.frontends.reading.typed import TypedReader
from virtcim.providers.interface import CIMError, InstancePath, Status
from virtcim.schema.classes import ClassDeclaration, ClassStore

__all__ = ["RequestReader", "caller_of"]

ORIGIN = "cmpi"
"""Where a request comes from, in the audit log: only the CIM server knows where its client is."""

DEFAULT_LANGUAGE = "WQL"

_OPERATIONS: dict[Operation, type[Request]] = {
    Operation.ENUMERATE_NAMES: EnumerateInstanceNames,
    Operation.ENUMERATE: EnumerateInstances,
    Operation.GET: GetInstance,
    Operation.CREATE: CreateInstance,
    Operation.MODIFY: ModifyInstance,
    Operation.DELETE: DeleteInstance,
    Operation.QUERY: ExecQuery,
    Operation.ASSOCIATORS: Associators,
    Operation.ASSOCIATOR_NAMES: AssociatorNames,
    Operation.REFERENCES: References,
    Operation.REFERENCE_NAMES: ReferenceNames,
    Operation.INVOKE: InvokeMethod,
}


def caller_of(wire: WireRequest, request_id: str, listener: str = "") -> Caller:
    """Who asks: the user whom the CIM server authenticated.

    Parameters:
        wire: the request.
        request_id: its number.
        listener: path of the socket.
    """
    principal = Principal(wire.principal, Mechanism.CMPI, system_groups(wire.principal))
    return Caller(principal, ORIGIN, request_id, listener)


class RequestReader:
    """Reads requests.

    Parameters:
        classes: the class store.
        namespaces: which provider serves which class where.
        provider_of: the name under which a class's provider is registered in CIM servers.
    """

    def __init__(self, classes: ClassStore, namespaces: Namespaces, provider_of: Callable[[str], str]) -> None:
        self._classes = classes
        self._namespaces = namespaces
        self._provider_of = provider_of
        self._typed = TypedReader(classes)
        self._raw = _RawForm(classes)
        self._readers: dict[Operation, Callable[[WireRequest, WirePath, Caller], Request]] = {
            Operation.ENUMERATE_NAMES: self._enumerate_names,
            Operation.ENUMERATE: self._enumerate,
            Operation.GET: self._get,
            Operation.CREATE: self._create,
            Operation.MODIFY: self._modify,
            Operation.DELETE: self._delete,
            Operation.QUERY: self._query,
            Operation.ASSOCIATORS: self._associators,
            Operation.ASSOCIATOR_NAMES: self._associator_names,
            Operation.REFERENCES: self._references,
            Operation.REFERENCE_NAMES: self._reference_names,
            Operation.INVOKE: self._invoke,
        }

    def attempt(self, wire: WireRequest, caller: Caller) -> Attempt:
        """What is known of a request without reading its values."""
        extrinsic = wire.operation is Operation.INVOKE
        name = wire.arguments[0] if extrinsic else _OPERATIONS[wire.operation].operation
        namespace = wire.path.namespace or "" if wire.path is not None else ""
        if wire.path is None or not _OPERATIONS[wire.operation].changes:
            return Attempt(name, extrinsic, namespace, caller)
        raw = partial(_cim_request, self._raw, wire, name, wire.path)
        return Attempt(
            name,
            extrinsic,
            namespace,
            caller,
            (wire.path.class_name,),
            lambda: audited_target(raw()),
            lambda: audited_parameters(raw()),
        )

    def read(self, wire: WireRequest, caller: Caller) -> Request:
        """The request.

        Raises:
            CIMError: INVALID_PARAMETER, INVALID_CLASS for values that do not fit; NOT_SUPPORTED for a query that the
                CIM server has to carry out by itself.
        """
        if wire.path is None:
            raise CIMError(Status.INVALID_PARAMETER, f"{wire.operation.name}: no object; expected its path")
        return self._readers[wire.operation](wire, wire.path, caller)

    def _namespace(self, path: WirePath) -> Namespace:
        return self._namespaces[path.namespace or ""]

    def _class(self, name: str) -> ClassDeclaration:
        declaration = self._classes.get(name)
        if declaration is None:
            raise CIMError(Status.INVALID_CLASS, f"Class {name} does not exist")
        return declaration

    def _path(self, path: WirePath) -> InstancePath:
        return self._typed.path(_raw_path(path))

    def _creation_classes(self, wire: WireRequest, path: WirePath) -> frozenset[str]:
        """The creation classes that an enumeration covers.

        A CIM server asks once for each class that is registered, so a creation class stands for itself alone; a
        class above stands for what the provider that is asked serves below it.
        """
        name, namespace = self._class(path.class_name).name, self._namespace(path)
        if namespace.provider(name) is not None:
            return frozenset({name})
        return frozenset(each for each in namespace.served(name) if self._provider_of(each) == wire.provider)

    def _shown_class(self, path: WirePath) -> str:
        """The class that an enumeration is of, or one above it where the namespace does not have it.

        What is registered may be of a platform that this host does not have, or not yet: a CIM server asks for its
        classes when it is asked for one above them, and an error would take the place of all their instances.
        """
        name, shown = self._class(path.class_name).name, self._namespace(path).shown
        while not shown.has(name) and (above := self._classes[name].superclass) is not None:
            name = above
        return name

    def _enumerate_names(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        return EnumerateInstanceNames(
            namespace=path.namespace or "",
            caller=caller,
            class_name=self._shown_class(path),
            creation_classes=self._creation_classes(wire, path),
        )

    def _enumerate(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        return EnumerateInstances(
            namespace=path.namespace or "",
            caller=caller,
            class_name=self._shown_class(path),
            creation_classes=self._creation_classes(wire, path),
            projection=_projection(wire.arguments[0]),
        )

    def _get(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        return GetInstance(
            namespace=path.namespace or "",
            caller=caller,
            path=self._path(path),
            projection=_projection(wire.arguments[0]),
        )

    def _create(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        instance = self._typed.instance_to_change(self._raw.instance(wire.arguments[0], with_nulls=False))
        return CreateInstance(namespace=path.namespace or "", caller=caller, instance=instance)

    def _modify(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        """ModifyInstance.  What is NULL is meant where the property list names it, and only there."""
        instance, names = wire.arguments
        raw = self._raw.instance(instance, with_nulls=names is not None)
        return ModifyInstance(
            namespace=path.namespace or "",
            caller=caller,
            path=self._path(path),
            instance=self._typed.instance_to_change(raw),
            properties=_lowered(names),
        )

    def _delete(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        return DeleteInstance(namespace=path.namespace or "", caller=caller, path=self._path(path))

    def _query(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        """A query for all properties, on a class that stands for itself alone.

        For other classes SFCB would ask once for each registered class below, and get everything each time.
        """
        text, language = wire.arguments
        language = language or DEFAULT_LANGUAGE
        name = self._class(path.class_name).name
        if self._namespace(path).served(name) != (name,):
            raise CIMError(Status.NOT_SUPPORTED, f"Queries on {name} are carried out class by class")
        query = parse_select(language, text)
        if query.projection(self._classes, self._class(query.from_class).name) is not None:
            raise CIMError(Status.NOT_SUPPORTED, "Queries for single properties are left to the CIM server")
        return ExecQuery(
            namespace=path.namespace or "",
            caller=caller,
            language=language,
            query=text,
            creation_classes=frozenset({name}),
        )

    def _filter(
        self,
        wire: WireRequest,
        path: WirePath,
        association_class: str | None,
        result_class: str | None,
        role: str | None,
        result_role: str | None,
    ) -> AssociationFilter:
        """The filters of an association operation, on the associations of the provider that is asked."""
        own = frozenset(
            class_name
            for association in self._namespace(path).associations
            for class_name in association.class_names
            if self._provider_of(class_name) == wire.provider
        )
        return AssociationFilter(association_class, result_class, role, result_role, own)

    def _associators(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        return Associators(
            namespace=path.namespace or "",
            caller=caller,
            path=self._path(path),
            filter=self._filter(wire, path, *wire.arguments[:4]),
            projection=_projection(wire.arguments[4]),
        )

    def _associator_names(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        return AssociatorNames(
            namespace=path.namespace or "",
            caller=caller,
            path=self._path(path),
            filter=self._filter(wire, path, *wire.arguments),
        )

    def _references(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        """References; its ResultClass is the class of the association."""
        result_class, role, names = wire.arguments
        return References(
            namespace=path.namespace or "",
            caller=caller,
            path=self._path(path),
            filter=self._filter(wire, path, result_class, None, role, None),
            projection=_projection(names),
        )

    def _reference_names(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        result_class, role = wire.arguments
        return ReferenceNames(
            namespace=path.namespace or "",
            caller=caller,
            path=self._path(path),
            filter=self._filter(wire, path, result_class, None, role, None),
        )

    def _invoke(self, wire: WireRequest, path: WirePath, caller: Caller) -> Request:
        """A method.  What the class store does not know of it is left for the core to refuse."""
        name, given = wire.arguments
        declaration = self._classes.get(path.class_name)
        method = declaration.methods.get(name.lower()) if declaration else None
        on_class = method is None or all(key.value is None for _, key in path.keys)
        arguments = {}
        if method is not None:
            raw = tuple((parameter, self._raw.value(value)) for parameter, value in given)
            arguments = dict(self._typed.method_parameters(method, raw))
        return InvokeMethod(
            namespace=path.namespace or "",
            caller=caller,
            target=path.class_name if on_class else self._path(path),
            method=name,
            arguments=arguments,
        )


def _lowered(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(name.lower() for name in names)


def _projection(names: Iterable[str] | None) -> Projection:
    return ALL if names is None else Projection(_lowered(names))


def _cim_request(raw: _RawForm, wire: WireRequest, name: str, path: WirePath) -> RawRequest:
    """The request in the form of CIM-XML, from which the audit log's parameters are made before types are known."""
    parameters: list[tuple[str, Any]] = []
    if wire.operation is Operation.INVOKE:
        parameters = [(parameter, raw.value(value)) for parameter, value in wire.arguments[1]]
    elif wire.operation is Operation.DELETE:
        parameters = [("InstanceName", _raw_path(path))]
    elif wire.operation is Operation.CREATE:
        parameters = [("NewInstance", raw.instance(wire.arguments[0], with_nulls=False))]
    else:
        parameters = [("ModifiedInstance", RawNamedInstance(_raw_path(path), raw.instance(wire.arguments[0])))]
    extrinsic = wire.operation is Operation.INVOKE
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
    """A path as CIM-XML would have brought it; a key that is NULL is none."""
    keys = tuple((name, _raw_key(value)) for name, value in path.keys if value.value is not None)
    return RawPath(path.class_name, keys, path.namespace)


def _raw_key(value: Value) -> RawKey | RawPath:
    if isinstance(value.value, WirePath):
        return _raw_path(value.value)
    if isinstance(value.value, bool):
        return RawKey("TRUE" if value.value else "FALSE", "boolean", "")
    if isinstance(value.value, str):
        return RawKey(value.value, "string", "")
    return RawKey(repr(value.value), "numeric", "")

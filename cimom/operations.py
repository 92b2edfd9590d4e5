"""The operations (DSP0200 1.4, sections 5.3 and 5.4): from a decoded request to the answer.

Each intrinsic operation is one method of `Operations`, named as the standard names it, in lower case with
underscores.  `_INTRINSICS` lists them with their parameters; a new operation needs its line there and its method.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cimom.associations import AssociationProvider, ClassLevel, Filters, links
from cimom.cimxml.decode import RawClassName, RawInstance, RawNamedInstance, RawPath, Request
from cimom.cimxml.encode import ClassOptions, TableOptions, qualifier_declaration
from cimom.cimxml.typed import TypedReader
from cimom.cimxml.values import attribute, reader, writer
from cimom.classes import ClassDeclaration, ClassStore, PropertyDeclaration
from cimom.namespaces import Namespace, Namespaces
from cimom.settings import ServerSettings
from providers.interface import Catalog, CIMError, Instance, InstancePath, InstanceProvider, RequestContext, Status

__all__ = ["INTRINSIC_OPERATIONS", "NO_QUIRKS", "SFCC", "WBEMCLI", "Answer", "Operations", "Quirks"]

log = logging.getLogger(__name__)

XML_START = '<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer, in pieces.  `status` is the CIM status code, 0 for success."""

    pieces: list[bytes]
    status: int = 0


@dataclass(frozen=True, slots=True)
class Quirks:
    """What a client cannot read.

    Attributes:
        needs_return_value: send an empty IRETURNVALUE where an operation has no result.  sfcc ends its process
            without it; others must not get it.
        plain_arrays: leave out EmbeddedObject on arrays, which wbemcli takes for an error.
        no_reference_arrays: leave out output parameters that are arrays of references, for which wbemcli would show
            not even the return value.
    """

    needs_return_value: bool = False
    plain_arrays: bool = False
    no_reference_arrays: bool = False


NO_QUIRKS = Quirks()
SFCC = Quirks(needs_return_value=True)
WBEMCLI = Quirks(plain_arrays=True, no_reference_arrays=True)


@dataclass(frozen=True, slots=True)
class _Call:
    """What an operation gets: where, for whom, and its parameters by lower-case name, defaults filled in."""

    namespace: Namespace
    context: RequestContext
    parameters: Mapping[str, Any]
    quirks: Quirks

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, text)


def _class_name(raw: Any, _typed: TypedReader) -> str:
    if not isinstance(raw, RawClassName):
        raise ValueError("a class name")
    return raw.name


def _instance_name(raw: Any, typed: TypedReader) -> InstancePath:
    if not isinstance(raw, RawPath) or raw.keys is None:
        raise ValueError("an instance name")
    return typed.path(raw)


def _object_name(raw: Any, typed: TypedReader) -> str | InstancePath:
    if isinstance(raw, RawClassName):
        return raw.name
    if isinstance(raw, RawPath):
        return raw.class_name if raw.keys is None else typed.path(raw)
    raise ValueError("an instance or class name")


def _boolean(raw: Any, _typed: TypedReader) -> bool:
    lowered = raw.strip().lower() if isinstance(raw, str) else ""
    if lowered not in {"true", "false"}:
        raise ValueError("a boolean")
    return bool(lowered == "true")


def _string(raw: Any, _typed: TypedReader) -> str:
    if not isinstance(raw, str):
        raise ValueError("a string")
    return raw


def _role(raw: Any, typed: TypedReader) -> str | None:
    return _string(raw, typed).strip().lower() or None


def _property_list(raw: Any, _typed: TypedReader) -> frozenset[str]:
    names = [raw] if isinstance(raw, str) else raw
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("an array of property names")
    return frozenset(name.strip().lower() for name in names)


def _new_instance(raw: Any, _typed: TypedReader) -> RawInstance:
    if not isinstance(raw, RawInstance):
        raise ValueError("an instance")
    return raw


def _modified_instance(raw: Any, _typed: TypedReader) -> RawNamedInstance:
    if not isinstance(raw, RawNamedInstance):
        raise ValueError("a named instance")
    return raw


def _any(raw: Any, _typed: TypedReader) -> Any:
    return raw


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter of an intrinsic operation: how it is read, and the value that stands for NULL."""

    name: str
    read: Callable[[Any, TypedReader], Any]
    default: Any = None
    required: bool = False


_CLASS = _Parameter("ClassName", _class_name, required=True)
_ANY_CLASS = _Parameter("ClassName", _class_name)
_INSTANCE = _Parameter("InstanceName", _instance_name, required=True)
_OBJECT = _Parameter("ObjectName", _object_name, required=True)
_ORIGIN = _Parameter("IncludeClassOrigin", _boolean, False)
_LIST = _Parameter("PropertyList", _property_list)
_NO_QUALIFIERS = _Parameter("IncludeQualifiers", _boolean, False)
_QUALIFIERS = _Parameter("IncludeQualifiers", _boolean, True)
_LOCAL = _Parameter("LocalOnly", _boolean, True)
_SHALLOW = _Parameter("DeepInheritance", _boolean, False)
_FILTERS = (
    _Parameter("AssocClass", _class_name),
    _Parameter("ResultClass", _class_name),
    _Parameter("Role", _role),
    _Parameter("ResultRole", _role),
)
_PROPERTY = _Parameter("PropertyName", _string, required=True)


@dataclass(frozen=True, slots=True)
class _Intrinsic:
    """An intrinsic operation: the method that carries it out, its parameters, whether it has no return value, and
    whether it is quick enough to be carried out between two other requests."""

    name: str
    method: str
    parameters: Mapping[str, _Parameter]
    void: bool = False
    quick: bool = False


def _intrinsic(name: str, method: str, *parameters: _Parameter, void: bool = False, quick: bool = False) -> _Intrinsic:
    return _Intrinsic(name, method, {each.name.lower(): each for each in parameters}, void, quick)


_INTRINSICS = {
    each.name.lower(): each
    for each in (
        _intrinsic("GetInstance", "get_instance", _INSTANCE, _LOCAL, _NO_QUALIFIERS, _ORIGIN, _LIST, quick=True),
        _intrinsic(
            "EnumerateInstances",
            "enumerate_instances",
            _CLASS,
            _LOCAL,
            _Parameter("DeepInheritance", _boolean, True),
            _NO_QUALIFIERS,
            _ORIGIN,
            _LIST,
        ),
        _intrinsic("EnumerateInstanceNames", "enumerate_instance_names", _CLASS),
        _intrinsic("Associators", "associators", _OBJECT, *_FILTERS, _NO_QUALIFIERS, _ORIGIN, _LIST),
        _intrinsic("AssociatorNames", "associator_names", _OBJECT, *_FILTERS),
        _intrinsic("References", "references", _OBJECT, *_FILTERS[1:3], _NO_QUALIFIERS, _ORIGIN, _LIST),
        _intrinsic("ReferenceNames", "reference_names", _OBJECT, *_FILTERS[1:3]),
        _intrinsic("GetClass", "get_class", _CLASS, _LOCAL, _QUALIFIERS, _ORIGIN, _LIST, quick=True),
        _intrinsic("EnumerateClasses", "enumerate_classes", _ANY_CLASS, _SHALLOW, _LOCAL, _QUALIFIERS, _ORIGIN),
        _intrinsic("EnumerateClassNames", "enumerate_class_names", _ANY_CLASS, _SHALLOW, quick=True),
        _intrinsic("GetProperty", "get_property", _INSTANCE, _PROPERTY, quick=True),
        _intrinsic("SetProperty", "set_property", _INSTANCE, _PROPERTY, _Parameter("NewValue", _any), void=True),
        _intrinsic("CreateInstance", "create_instance", _Parameter("NewInstance", _new_instance, required=True)),
        _intrinsic(
            "ModifyInstance",
            "modify_instance",
            _Parameter("ModifiedInstance", _modified_instance, required=True),
            _NO_QUALIFIERS,
            _LIST,
            void=True,
        ),
        _intrinsic("DeleteInstance", "delete_instance", _INSTANCE, void=True),
        _intrinsic("EnumerateQualifiers", "enumerate_qualifiers"),
        _intrinsic("GetQualifier", "get_qualifier", _Parameter("QualifierName", _string, required=True), quick=True),
    )
}

INTRINSIC_OPERATIONS = frozenset(operation.name for operation in _INTRINSICS.values())
"""The intrinsic operations that are implemented, by the names of DSP0200."""


class Operations:
    """Carries out operations.  Safe to use from several threads at once.

    Parameters:
        catalog: which provider serves which class where.
        classes: the class store.
        settings: host name and limits.
    """

    def __init__(self, catalog: Catalog, classes: ClassStore, settings: ServerSettings) -> None:
        self.namespaces = Namespaces(catalog, classes, settings)
        self._classes = classes
        self._class_level = ClassLevel(classes)
        self._typed = TypedReader(classes)
        self._numbers = itertools.count(1)

    def is_quick(self, request: Request) -> bool:
        """Whether `execute` answers from memory and at once, so that it needs no worker thread."""
        operation = _INTRINSICS.get(request.operation.lower())
        if request.extrinsic:
            return False
        if operation is None:
            return True
        if operation.method != "get_instance":
            return operation.quick
        for _, value in request.parameters:
            if isinstance(value, RawPath):
                declaration = self._classes.get(value.class_name)
                return declaration is None or not declaration.is_association
        return True

    def is_change(self, request: Request) -> bool:
        """Whether it may wait for the hypervisor: a method, or a change of an instance."""
        operation = _INTRINSICS.get(request.operation.lower())
        return request.extrinsic or (
            operation is not None and (operation.void or operation.method == "create_instance")
        )

    def execute(self, request: Request, principal: str = "", quirks: Quirks = NO_QUIRKS) -> Answer:
        """Carry out one operation; errors become ERROR elements.

        Parameters:
            principal: the authenticated user.
            quirks: what the client cannot read.
        """
        tag = "METHODRESPONSE" if request.extrinsic else "IMETHODRESPONSE"
        start = (
            f'{XML_START}<MESSAGE ID="{attribute(request.message_id)}" PROTOCOLVERSION="1.0"><SIMPLERSP>'
            f'<{tag} NAME="{attribute(request.operation)}">'
        )
        end = f"</{tag}></SIMPLERSP></MESSAGE></CIM>"
        status = 0
        try:
            pieces = list(self._result(request, principal, quirks))
        except CIMError as exc:
            status = int(exc.status)
            pieces = [_error(exc).encode()]
        except Exception as exc:
            log.exception("%s failed", request.operation)
            status = int(Status.FAILED)
            text = f"{request.operation} failed: {type(exc).__name__}: {exc}"
            pieces = [_error(CIMError(Status.FAILED, text)).encode()]
        return Answer([start.encode(), *pieces, end.encode()], status)

    def _result(self, request: Request, principal: str, quirks: Quirks) -> Iterable[bytes]:
        namespace = self.namespaces[request.namespace]
        context = RequestContext(namespace.name, principal, str(next(self._numbers)))
        if request.extrinsic:
            return self._invoke(request, namespace, context, quirks)
        operation = _INTRINSICS.get(request.operation.lower())
        if operation is None:
            raise CIMError(Status.NOT_SUPPORTED, f"Operation {request.operation} is not supported")
        call = _Call(namespace, context, self._parameters(operation, request), quirks)
        result: Iterable[bytes] = getattr(self, operation.method)(call)
        if operation.void:
            return [b"<IRETURNVALUE></IRETURNVALUE>"] if quirks.needs_return_value else []
        return itertools.chain((b"<IRETURNVALUE>",), result, (b"</IRETURNVALUE>",))

    def _parameters(self, operation: _Intrinsic, request: Request) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, raw in request.parameters:
            key = name.lower()
            declared = operation.parameters.get(key)
            if declared is None:
                raise _invalid(f"{operation.name} has no parameter {name}")
            if key in values:
                raise _invalid(f"Parameter {declared.name} is given twice")
            try:
                values[key] = declared.default if raw is None else declared.read(raw, self._typed)
            except ValueError as exc:
                raise _invalid(f"Parameter {declared.name} needs {exc}") from None
        for key, declared in operation.parameters.items():
            if declared.required and values.get(key) is None:
                raise _invalid(f"{operation.name} needs the parameter {declared.name}")
            values.setdefault(key, declared.default)
        return values

    def _class(self, name: str) -> ClassDeclaration:
        declaration = self._classes.get(name)
        if declaration is None:
            raise CIMError(Status.INVALID_CLASS, f"Class {name} does not exist")
        return declaration

    def _target(self, call: _Call, path: InstancePath) -> tuple[InstanceProvider, ClassDeclaration]:
        """The provider of an instance that a client names."""
        declaration = self._class(path.class_name)
        provider = call.namespace.provider(declaration.name)
        if provider is None:
            raise CIMError(Status.NOT_FOUND, f"No instance of {declaration.name} exists in {call.namespace.name}")
        return provider, declaration

    def _instance(self, call: _Call, path: InstancePath) -> Instance:
        provider, declaration = self._target(call, path)
        return provider.get_instance(declaration.name, path.keys, call.context)

    def _options(self, call: _Call, class_name: str, limit: str | None = None) -> TableOptions:
        """The options for one creation class, those that change nothing left out, so that tables are shared."""
        wanted: frozenset[str] | None = call["propertylist"]
        own = self._classes[class_name].properties
        if wanted is not None:
            wanted = None if wanted >= own.keys() else wanted.intersection(own)
        if limit is not None and len(self._classes[limit].properties) == len(own):
            limit = None
        plain = call.quirks.plain_arrays and _embedded_arrays(own)
        return TableOptions(limit, wanted, call["includeclassorigin"], plain)

    # Instances

    def get_instance(self, call: _Call) -> Iterable[bytes]:
        """GetInstance (5.3.2.2)."""
        instance = self._instance(call, call["instancename"])
        options = self._options(call, instance.class_name)
        return [call.namespace.body_of(instance, call.namespace.encoder.table(instance.class_name, options))]

    def _everything(self, call: _Call) -> Iterator[tuple[str, Iterable[Instance]]]:
        """The creation classes among a class and its descendants, each with its instances.

        A class whose provider fails is left out when others were asked for as well.
        """
        served = call.namespace.served(self._class(call["classname"]).name)
        for class_name in served:
            provider = call.namespace.provider(class_name)
            assert provider is not None
            try:
                # A provider may be a generator: it is run to its end here, so that its errors are caught here.
                instances = list(provider.instances(class_name, call.context))
            except Exception:
                if len(served) == 1:
                    raise
                log.exception("The instances of %s are left out", class_name)
                continue
            yield class_name, instances

    def enumerate_instances(self, call: _Call) -> Iterator[bytes]:
        """EnumerateInstances (5.3.2.3).  LocalOnly and IncludeQualifiers have no effect, as the standard advises."""
        limit = None if call["deepinheritance"] else self._class(call["classname"]).name
        for class_name, instances in self._everything(call):
            table = call.namespace.encoder.table(class_name, self._options(call, class_name, limit))
            for name, body in self._complete(call.namespace, class_name, instances, table):
                yield b"<VALUE.NAMEDINSTANCE>"
                yield name
                yield body
                yield b"</VALUE.NAMEDINSTANCE>"

    def enumerate_instance_names(self, call: _Call) -> Iterator[bytes]:
        """EnumerateInstanceNames (5.3.2.4)."""
        for class_name, instances in self._everything(call):
            for name, _ in self._complete(call.namespace, class_name, instances, None):
                yield name

    @staticmethod
    def _complete(
        namespace: Namespace, class_name: str, instances: Iterable[Instance], table: Any
    ) -> Iterator[tuple[bytes, bytes]]:
        if not isinstance(namespace.provider(class_name), AssociationProvider):
            yield from namespace.complete(class_name, instances, table)
            return
        for instance in instances:
            encoded = namespace.encoded(instance, table)
            if encoded is not None:
                yield encoded

    def create_instance(self, call: _Call) -> Iterable[bytes]:
        """CreateInstance (5.3.2.6)."""
        raw: RawInstance = call["newinstance"]
        declaration = self._class(raw.class_name)
        provider = call.namespace.provider(declaration.name)
        if provider is None:
            raise CIMError(Status.NOT_SUPPORTED, f"Instances of {declaration.name} cannot be created")
        properties = self._typed.instance(raw, unknown=Status.INVALID_PARAMETER).properties
        path = provider.create_instance(declaration.name, properties, call.context)
        return [call.namespace.encoder.instance_name(path.class_name, path.keys).encode()]

    def modify_instance(self, call: _Call) -> Iterable[bytes]:
        """ModifyInstance (5.3.2.8): only the properties that the request holds change, restricted by PropertyList.

        A property that PropertyList names and the instance does not hold is set to the default of the class.
        """
        named: RawNamedInstance = call["modifiedinstance"]
        path = self._typed.path(named.path)
        provider, declaration = self._target(call, path)
        if named.instance.class_name.lower() != declaration.name.lower():
            raise _invalid("The class of the instance is not that of its name")
        given = self._typed.instance(named.instance, unknown=Status.NO_SUCH_PROPERTY).properties
        properties = {name: value for name, value in given.items() if name not in declaration.keys}
        wanted: frozenset[str] | None = call["propertylist"]
        if wanted is not None:
            for key in wanted:
                declared = declaration.properties.get(key)
                if declared is None:
                    raise CIMError(Status.NO_SUCH_PROPERTY, f"{declaration.name} has no property {key}")
                if not declared.is_key:
                    properties.setdefault(declared.name, _default(declared))
            properties = {name: value for name, value in properties.items() if name.lower() in wanted}
        provider.modify_instance(declaration.name, path.keys, properties, call.context)
        return []

    def delete_instance(self, call: _Call) -> Iterable[bytes]:
        """DeleteInstance (5.3.2.5)."""
        path: InstancePath = call["instancename"]
        provider, declaration = self._target(call, path)
        provider.delete_instance(declaration.name, path.keys, call.context)
        return []

    def get_property(self, call: _Call) -> Iterable[bytes]:
        """GetProperty (5.3.2.18, deprecated)."""
        instance = self._instance(call, call["instancename"])
        declared = self._classes[instance.class_name].properties.get(call["propertyname"].lower())
        if declared is None:
            raise CIMError(Status.NO_SUCH_PROPERTY, f"{instance.class_name} has no property {call['propertyname']}")
        value = instance.properties().get(declared.name)
        return [call.namespace.encoder.property_value(declared, value).encode()]

    def set_property(self, call: _Call) -> Iterable[bytes]:
        """SetProperty (5.3.2.19, deprecated): ModifyInstance of one property."""
        path: InstancePath = call["instancename"]
        provider, declaration = self._target(call, path)
        declared = declaration.properties.get(call["propertyname"].lower())
        if declared is None:
            raise CIMError(Status.NO_SUCH_PROPERTY, f"{declaration.name} has no property {call['propertyname']}")
        try:
            value = self._typed.value(call["newvalue"], declared)
        except CIMError as exc:
            raise CIMError(Status.TYPE_MISMATCH, exc.description) from None
        provider.modify_instance(declaration.name, path.keys, {declared.name: value}, call.context)
        return []

    # Associations

    def _filters(self, call: _Call, association: str | None, result: str | None, result_role: str | None) -> Filters:
        return Filters(
            self._filter_class("AssocClass", association),
            self._filter_class("ResultClass", result),
            call["role"],
            result_role,
        )

    def _filter_class(self, parameter: str, class_name: str | None) -> frozenset[str] | None:
        if not class_name:
            return None
        if class_name not in self._classes:
            raise _invalid(f"{parameter} {class_name} does not exist")
        return self._classes.concrete(class_name)

    def _associator_filters(self, call: _Call) -> Filters:
        return self._filters(call, call["assocclass"], call["resultclass"], call["resultrole"])

    def _reference_filters(self, call: _Call) -> Filters:
        """ResultClass of References is the class of the association."""
        filters = self._filters(call, None, call["resultclass"], None)
        return Filters(association=filters.result, role=filters.role)

    def _associated(self, call: _Call, path: InstancePath) -> Iterator[Instance]:
        filters = self._associator_filters(call)
        source = self._instance(call, path)
        seen = set()
        for _, other in links(call.namespace.associations, source, filters, call.context):
            key = (other.class_name, other.identity)
            if key not in seen:
                seen.add(key)
                yield other

    def _referring(self, call: _Call, path: InstancePath) -> Iterator[Instance]:
        filters = self._reference_filters(call)
        source = self._instance(call, path)
        seen = set()
        for link, _ in links(call.namespace.associations, source, filters, call.context):
            key = (link.class_name, link.identity)
            if key not in seen:
                seen.add(key)
                yield link

    def _objects_with_path(self, call: _Call, instances: Iterable[Instance]) -> Iterator[bytes]:
        for instance in instances:
            if instance.class_name not in self._classes:
                log.error("Class %s is not declared; an instance is left out", instance.class_name)
                continue
            place = call.namespace.at_home(instance.class_name)
            table = place.encoder.table(instance.class_name, self._options(call, instance.class_name))
            encoded = place.encoded(instance, table)
            if encoded is not None:
                yield b"<VALUE.OBJECTWITHPATH>"
                yield place.path_start("INSTANCEPATH")
                yield encoded[0]
                yield b"</INSTANCEPATH>"
                yield encoded[1]
                yield b"</VALUE.OBJECTWITHPATH>"

    @staticmethod
    def _object_paths(call: _Call, instances: Iterable[Instance]) -> Iterator[bytes]:
        for instance in instances:
            place = call.namespace.at_home(instance.class_name)
            encoded = place.encoded(instance, None)
            if encoded is not None:
                yield b"<OBJECTPATH>"
                yield place.path_start("INSTANCEPATH")
                yield encoded[0]
                yield b"</INSTANCEPATH></OBJECTPATH>"

    def associators(self, call: _Call) -> Iterable[bytes]:
        """Associators (5.3.2.14)."""
        source = call["objectname"]
        if isinstance(source, str):
            return self._classes_with_path(call, self._associated_classes(call, source))
        return self._objects_with_path(call, self._associated(call, source))

    def associator_names(self, call: _Call) -> Iterable[bytes]:
        """AssociatorNames (5.3.2.15)."""
        source = call["objectname"]
        if isinstance(source, str):
            return self._class_paths(call, self._associated_classes(call, source))
        return self._object_paths(call, self._associated(call, source))

    def references(self, call: _Call) -> Iterable[bytes]:
        """References (5.3.2.16)."""
        source = call["objectname"]
        if isinstance(source, str):
            return self._classes_with_path(call, self._referring_classes(call, source))
        return self._objects_with_path(call, self._referring(call, source))

    def reference_names(self, call: _Call) -> Iterable[bytes]:
        """ReferenceNames (5.3.2.17)."""
        source = call["objectname"]
        if isinstance(source, str):
            return self._class_paths(call, self._referring_classes(call, source))
        return self._object_paths(call, self._referring(call, source))

    def _associated_classes(self, call: _Call, class_name: str) -> list[str]:
        name = self._class(class_name).name
        return list(dict.fromkeys(far for _, far in self._class_level.links(name, self._associator_filters(call))))

    def _referring_classes(self, call: _Call, class_name: str) -> list[str]:
        name = self._class(class_name).name
        return list(dict.fromkeys(near for near, _ in self._class_level.links(name, self._reference_filters(call))))

    def _classes_with_path(self, call: _Call, class_names: Iterable[str]) -> Iterator[bytes]:
        options = ClassOptions(
            False, call["includequalifiers"], call["includeclassorigin"], call["propertylist"], call.quirks.plain_arrays
        )
        start, encoder = call.namespace.path_start("CLASSPATH"), call.namespace.encoder
        for name in class_names:
            yield b"<VALUE.OBJECTWITHPATH>" + start + _class_name_element(name) + b"</CLASSPATH>"
            yield encoder.class_element(name, options).encode()
            yield b"</VALUE.OBJECTWITHPATH>"

    @staticmethod
    def _class_paths(call: _Call, class_names: Iterable[str]) -> Iterator[bytes]:
        start = call.namespace.path_start("CLASSPATH")
        for name in class_names:
            yield b"<OBJECTPATH>" + start + _class_name_element(name) + b"</CLASSPATH></OBJECTPATH>"

    # Classes and qualifiers

    def get_class(self, call: _Call) -> Iterable[bytes]:
        """GetClass (5.3.2.1)."""
        options = ClassOptions(
            call["localonly"],
            call["includequalifiers"],
            call["includeclassorigin"],
            call["propertylist"],
            call.quirks.plain_arrays,
        )
        return [call.namespace.encoder.class_element(self._class(call["classname"]).name, options).encode()]

    def _subclasses(self, call: _Call) -> list[str]:
        name = call["classname"]
        return self._classes.subclasses(self._class(name).name if name else None, call["deepinheritance"])

    def enumerate_classes(self, call: _Call) -> Iterator[bytes]:
        """EnumerateClasses (5.3.2.10)."""
        options = ClassOptions(
            call["localonly"],
            call["includequalifiers"],
            call["includeclassorigin"],
            plain_arrays=call.quirks.plain_arrays,
        )
        for name in self._subclasses(call):
            yield call.namespace.encoder.class_element(name, options).encode()

    def enumerate_class_names(self, call: _Call) -> Iterator[bytes]:
        """EnumerateClassNames (5.3.2.11)."""
        return map(_class_name_element, self._subclasses(call))

    def enumerate_qualifiers(self, _call: _Call) -> Iterator[bytes]:
        """EnumerateQualifiers (5.3.2.22)."""
        return (qualifier_declaration(each).encode() for each in self._classes.qualifier_declarations.values())

    def get_qualifier(self, call: _Call) -> Iterable[bytes]:
        """GetQualifier (5.3.2.20)."""
        declared = self._classes.qualifier_declarations.get(call["qualifiername"].lower())
        if declared is None:
            raise CIMError(Status.NOT_FOUND, f"Qualifier {call['qualifiername']} does not exist")
        return [qualifier_declaration(declared).encode()]

    # Methods

    def _invoke(
        self, request: Request, namespace: Namespace, context: RequestContext, quirks: Quirks
    ) -> Iterable[bytes]:
        """An extrinsic method (5.4).

        Scripts invoke methods of services on the class, as libvirt-cim let them, static or not: the provider decides
        whether it needs to know the instance.
        """
        target = request.target
        assert target is not None
        declaration = self._classes.get(target.class_name)
        if declaration is None:
            raise CIMError(Status.NOT_FOUND, f"Class {target.class_name} does not exist")
        method = declaration.methods.get(request.operation.lower())
        if method is None:
            raise CIMError(Status.METHOD_NOT_FOUND, f"{declaration.name} has no method {request.operation}")
        keys = None if target.keys is None else self._typed.path(target).keys
        provider = namespace.provider(declaration.name)
        if provider is None:
            if keys is None:
                raise CIMError(Status.METHOD_NOT_AVAILABLE, f"{declaration.name}.{method.name} is not available")
            raise CIMError(Status.NOT_FOUND, f"No instance of {declaration.name} exists in {namespace.name}")
        parameters = self._typed.method_parameters(method, request.parameters)
        result = provider.invoke_method(declaration.name, keys, method.name, parameters, context)
        pieces = []
        if result.return_value is not None:
            value = writer(method.return_type)(result.return_value)
            pieces.append(f'<RETURNVALUE PARAMTYPE="{method.return_type}"><VALUE>{value}</VALUE></RETURNVALUE>')
        for name, value in result.out.items():
            declared = method.parameters.get(name.lower())
            if declared is None:
                log.error("%s.%s gives back an unknown parameter %s", declaration.name, method.name, name)
                continue
            if value is None or (quirks.no_reference_arrays and declared.is_array and declared.type == "reference"):
                continue
            try:
                pieces.append(namespace.encoder.parameter(declared, value))
            except (ValueError, TypeError, KeyError) as exc:
                log.error("Output parameter %s of %s.%s: %s", name, declaration.name, method.name, exc)
        return [piece.encode() for piece in pieces]


def _default(declared: PropertyDeclaration) -> Any:
    """The default of a property as a Python value; the class store has datetimes as strings."""
    if declared.type != "datetime" or declared.default is None:
        return declared.default
    read = reader("datetime")
    return [read(each) for each in declared.default] if declared.is_array else read(declared.default)


def _embedded_arrays(properties: Mapping[str, PropertyDeclaration]) -> bool:
    return any(each.is_array and each.embedded_object for each in properties.values())


def _class_name_element(name: str) -> bytes:
    return f'<CLASSNAME NAME="{attribute(name)}"></CLASSNAME>'.encode()


def _error(error: CIMError) -> str:
    description = f' DESCRIPTION="{attribute(error.description)}"' if error.description else ""
    return f'<ERROR CODE="{int(error.status)}"{description}></ERROR>'

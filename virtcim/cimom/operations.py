"""The operations (DSP0200 1.4, sections 5.3 and 5.4): from a decoded request to the answer.

Each intrinsic operation is one method of `Operations`, named as the standard names it, in lower case with
underscores.  `cimom.intrinsics` lists them with their parameters.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from virtcim.cimom import audit
from virtcim.cimom.access import Access, Role, RoleSettings
from virtcim.cimom.associations import AssociationProvider, ClassLevel
from virtcim.cimom.intrinsics import (
    INTRINSIC_OPERATIONS,
    INTRINSICS,
    NO_QUIRKS,
    SFCC,
    WBEMCLI,
    Call,
    Intrinsic,
    Quirks,
    Shape,
    invalid_parameter,
)
from virtcim.cimom.namespaces import Namespace, Namespaces
from virtcim.cimom.principals import NOBODY, Principal
from virtcim.cimom.pulloperations import PullOperations
from virtcim.cimom.query.paths import same_path
from virtcim.cimom.reading import Reader
from virtcim.cimom.requestid import request_id
from virtcim.cimom.selection import Selector
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cimxml.audited import audited_parameters, audited_target
from virtcim.frontends.cimxml.decode import RawInstance, RawNamedInstance, RawPath, Request
from virtcim.frontends.cimxml.encode import Body, ClassOptions, qualifier_declaration
from virtcim.frontends.cimxml.errors import ErrorWriter
from virtcim.frontends.cimxml.typed import TypedReader
from virtcim.frontends.cimxml.values import attribute, writer
from virtcim.providers.interface import Catalog, CIMError, Instance, InstancePath, RequestContext, Status
from virtcim.schema.classes import ClassStore, PropertyDeclaration
from virtcim.schema.values import reader

__all__ = ["INTRINSIC_OPERATIONS", "NO_QUIRKS", "SFCC", "WBEMCLI", "Answer", "Operations", "Quirks"]

log = logging.getLogger(__name__)

XML_START = '<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer, in pieces.

    Attributes:
        status: the CIM status code, 0 for success.
        seconds: that the operation took, without the time that it waited for a thread.
    """

    pieces: list[bytes]
    status: int = 0
    seconds: float = 0.0


class Operations:
    """Carries out operations.  Safe to use from several threads at once.

    Parameters:
        catalog: which provider serves which class where.
        classes: the class store.
        settings: host name and limits.
        access: decides who may do what; without it, by the roles that `RoleSettings` begins with.
    """

    def __init__(
        self, catalog: Catalog, classes: ClassStore, settings: ServerSettings, access: Access | None = None
    ) -> None:
        self._access = access or Access(RoleSettings(), {}, classes.ancestors)
        self.namespaces = Namespaces(catalog, classes, settings)
        self._classes = classes
        self._class_level = ClassLevel(classes)
        self._typed = TypedReader(classes)
        self._reader = Reader(classes)
        self._selector = Selector(classes, self._reader)
        self._errors = ErrorWriter(classes)
        pulls = PullOperations(classes, settings, self._reader, self._selector)
        self.enumerations = pulls.enumerations
        self._methods: dict[str, Callable[[Call], Iterable[bytes]]] = {
            each.method: getattr(pulls if hasattr(pulls, each.method) else self, each.method)
            for each in INTRINSICS.values()
        }

    def is_quick(self, request: Request) -> bool:
        """Whether `execute` answers from memory and at once, so that it needs no worker thread."""
        operation = INTRINSICS.get(request.operation.lower())
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
        operation = INTRINSICS.get(request.operation.lower())
        return request.extrinsic or (operation is not None and operation.change)

    def execute(
        self, request: Request, principal: Principal = NOBODY, quirks: Quirks = NO_QUIRKS, origin: str = ""
    ) -> Answer:
        """Carry out one operation; errors become ERROR elements, and what changes something an audit line.

        Parameters:
            principal: the authenticated user.
            quirks: what the client cannot read.
            origin: where the client is, for the audit log.
        """
        tag = "METHODRESPONSE" if request.extrinsic else "IMETHODRESPONSE"
        start = (
            f'{XML_START}<MESSAGE ID="{attribute(request.message_id)}" PROTOCOLVERSION="1.0"><SIMPLERSP>'
            f'<{tag} NAME="{attribute(request.operation)}">'
        )
        end = f"</{tag}></SIMPLERSP></MESSAGE></CIM>"
        status, started = 0, time.monotonic()
        try:
            needed = self._access.needed(request.operation, request.extrinsic, _applied_to(request))
            change = _change(request, principal, origin) if needed > Role.READ else None
            with change or nullcontext():
                self._access.require(principal, request.namespace, needed, request.operation)
                pieces = list(self._result(request, principal, quirks, change))
        except CIMError as exc:
            status = int(exc.status)
            pieces = [self._errors.element(exc, not quirks.no_error_instances)]
        except Exception as exc:
            log.exception("%s failed", request.operation)
            status = int(Status.FAILED)
            text = f"{request.operation} failed: {type(exc).__name__}: {exc}"
            pieces = [self._errors.element(CIMError(Status.FAILED, text), not quirks.no_error_instances)]
        return Answer([start.encode(), *pieces, end.encode()], status, time.monotonic() - started)

    def _may_read(self, principal: Principal, namespace: str) -> bool:
        return self._access.role(principal, namespace) >= Role.READ

    def _result(
        self, request: Request, principal: Principal, quirks: Quirks, change: audit.Change | None
    ) -> Iterable[bytes]:
        namespace = self.namespaces[request.namespace]
        context = RequestContext(namespace.name, principal.name, request_id.get())
        if request.extrinsic:
            return self._invoke(request, namespace, context, quirks, change)
        operation = INTRINSICS.get(request.operation.lower())
        if operation is None:
            raise CIMError(Status.NOT_SUPPORTED, f"Operation {request.operation} is not supported")
        may_read = partial(self._may_read, principal)
        call = Call(namespace, context, self._parameters(operation, request), quirks, may_read)
        result = self._methods[operation.method](call)
        if operation.shape is Shape.WHOLE:
            return result
        if operation.shape is Shape.VOID:
            return [b"<IRETURNVALUE></IRETURNVALUE>"] if quirks.needs_return_value else []
        return itertools.chain((b"<IRETURNVALUE>",), result, (b"</IRETURNVALUE>",))

    def _parameters(self, operation: Intrinsic, request: Request) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, raw in request.parameters:
            key = name.lower()
            declared = operation.parameters.get(key)
            if declared is None:
                raise invalid_parameter(f"{operation.name} has no parameter {name}")
            if key in values:
                raise invalid_parameter(f"Parameter {declared.name} is given twice")
            try:
                values[key] = declared.default if raw is None else declared.read(raw, self._typed)
            except ValueError as exc:
                raise invalid_parameter(f"Parameter {declared.name} needs {exc}") from None
        for key, declared in operation.parameters.items():
            if declared.required and values.get(key) is None:
                raise invalid_parameter(f"{operation.name} needs the parameter {declared.name}")
            values.setdefault(key, declared.default)
        return values

    # Instances

    def get_instance(self, call: Call) -> Iterable[bytes]:
        """GetInstance (5.3.2.2)."""
        instance = self._reader.instance(call, call["instancename"])
        options = self._reader.options(call, instance.class_name)
        return call.namespace.body_of(instance, call.namespace.encoder.table(instance.class_name, options))

    def enumerate_instances(self, call: Call) -> Iterator[bytes]:
        """EnumerateInstances (5.3.2.3).  LocalOnly and IncludeQualifiers have no effect, as the standard advises."""
        limit = None if call["deepinheritance"] else self._reader.declaration(call["classname"]).name
        for class_name, instances in self._reader.everything(call, call["classname"]):
            table = call.namespace.encoder.table(class_name, self._reader.options(call, class_name, limit))
            for name, body in self._complete(call.namespace, class_name, instances, table):
                yield b"<VALUE.NAMEDINSTANCE>"
                yield name
                yield body[0]
                yield body[1]
                yield b"</VALUE.NAMEDINSTANCE>"

    def enumerate_instance_names(self, call: Call) -> Iterator[bytes]:
        """EnumerateInstanceNames (5.3.2.4)."""
        for class_name, instances in self._reader.everything(call, call["classname"]):
            for name, _ in self._complete(call.namespace, class_name, instances, None):
                yield name

    @staticmethod
    def _complete(
        namespace: Namespace, class_name: str, instances: Iterable[Instance], table: Any
    ) -> Iterator[tuple[bytes, Body]]:
        if not isinstance(namespace.provider(class_name), AssociationProvider):
            yield from namespace.complete(class_name, instances, table)
            return
        for instance in instances:
            encoded = namespace.encoded(instance, table)
            if encoded is not None:
                yield encoded

    def create_instance(self, call: Call) -> Iterable[bytes]:
        """CreateInstance (5.3.2.6): properties that the request does not hold have the defaults of the class."""
        raw: RawInstance = call["newinstance"]
        declaration = self._reader.declaration(raw.class_name)
        provider = call.namespace.provider(declaration.name)
        if provider is None:
            raise CIMError(Status.NOT_SUPPORTED, f"Instances of {declaration.name} cannot be created")
        given = self._typed.instance(raw, unknown=Status.INVALID_PARAMETER).properties
        defaults = {each.name: _default(each) for each in declaration.properties.values() if each.default is not None}
        properties = {**defaults, **given}
        path = provider.create_instance(declaration.name, properties, call.context)
        return [call.namespace.encoder.instance_name(path.class_name, path.keys).encode()]

    def modify_instance(self, call: Call) -> Iterable[bytes]:
        """ModifyInstance (5.3.2.8): only the properties that the request holds change, restricted by PropertyList.

        A property that PropertyList names and the instance does not hold is set to the default of the class.  Keys
        may be given, as they are.
        """
        named: RawNamedInstance = call["modifiedinstance"]
        path = self._typed.path(named.path)
        provider, declaration = self._reader.target(call, path)
        if named.instance.class_name.lower() != declaration.name.lower():
            raise invalid_parameter("The class of the instance is not that of its name")
        given = self._typed.instance(named.instance, unknown=Status.NO_SUCH_PROPERTY).properties
        for name in declaration.keys:
            if given.get(name) is not None and not _same_key(given[name], path.keys.get(name)):
                raise invalid_parameter(f"{name} is a key of {declaration.name}: it cannot be changed")
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

    def delete_instance(self, call: Call) -> Iterable[bytes]:
        """DeleteInstance (5.3.2.5)."""
        path: InstancePath = call["instancename"]
        provider, declaration = self._reader.target(call, path)
        provider.delete_instance(declaration.name, path.keys, call.context)
        return []

    def get_property(self, call: Call) -> Iterable[bytes]:
        """GetProperty (5.3.2.18, deprecated)."""
        instance = self._reader.instance(call, call["instancename"])
        declared = self._classes[instance.class_name].properties.get(call["propertyname"].lower())
        if declared is None:
            raise CIMError(Status.NO_SUCH_PROPERTY, f"{instance.class_name} has no property {call['propertyname']}")
        value = instance.properties().get(declared.name)
        return [call.namespace.encoder.property_value(declared, value).encode()]

    def set_property(self, call: Call) -> Iterable[bytes]:
        """SetProperty (5.3.2.19, deprecated): ModifyInstance of one property."""
        path: InstancePath = call["instancename"]
        provider, declaration = self._reader.target(call, path)
        declared = declaration.properties.get(call["propertyname"].lower())
        if declared is None:
            raise CIMError(Status.NO_SUCH_PROPERTY, f"{declaration.name} has no property {call['propertyname']}")
        if declared.is_key:
            raise invalid_parameter(f"{declared.name} is a key of {declaration.name}: it cannot be changed")
        try:
            value = self._typed.value(call["newvalue"], declared)
        except CIMError as exc:
            raise CIMError(Status.TYPE_MISMATCH, exc.description) from None
        provider.modify_instance(declaration.name, path.keys, {declared.name: value}, call.context)
        return []

    def exec_query(self, call: Call) -> Iterator[bytes]:
        """ExecQuery (5.3.2.13, deprecated)."""
        selection = self._selector.select(call, call["querylanguage"], call["query"])
        for instance in selection.instances:
            if isinstance(instance, CIMError):
                continue
            place = call.namespace.at_home(instance.class_name)
            options = self._reader.options(selection.call, instance.class_name)
            try:
                if selection.selects is not None and not selection.selects(instance):
                    continue
                body = place.body_of(instance, place.encoder.table(instance.class_name, options))
            except Exception:
                log.exception("A %s is left out: %r", instance.class_name, instance.identity)
                continue
            yield b"<VALUE.OBJECT>"
            yield from body
            yield b"</VALUE.OBJECT>"

    # Associations

    def _objects_with_path(self, call: Call, instances: Iterable[Instance]) -> Iterator[bytes]:
        for instance in instances:
            place = call.namespace.at_home(instance.class_name)
            table = place.encoder.table(instance.class_name, self._reader.options(call, instance.class_name))
            encoded = place.encoded(instance, table)
            if encoded is not None:
                yield b"<VALUE.OBJECTWITHPATH>"
                yield place.path_start("INSTANCEPATH")
                yield encoded[0]
                yield b"</INSTANCEPATH>"
                yield from encoded[1]
                yield b"</VALUE.OBJECTWITHPATH>"

    @staticmethod
    def _object_paths(call: Call, instances: Iterable[Instance]) -> Iterator[bytes]:
        for instance in instances:
            place = call.namespace.at_home(instance.class_name)
            encoded = place.encoded(instance, None)
            if encoded is not None:
                yield b"<OBJECTPATH>"
                yield place.path_start("INSTANCEPATH")
                yield encoded[0]
                yield b"</INSTANCEPATH></OBJECTPATH>"

    def associators(self, call: Call) -> Iterable[bytes]:
        """Associators (5.3.2.14)."""
        source = call["objectname"]
        if isinstance(source, str):
            return self._classes_with_path(call, self._associated_classes(call, source))
        return self._objects_with_path(call, self._reader.associated(call, source))

    def associator_names(self, call: Call) -> Iterable[bytes]:
        """AssociatorNames (5.3.2.15)."""
        source = call["objectname"]
        if isinstance(source, str):
            return self._class_paths(call, self._associated_classes(call, source))
        return self._object_paths(call, self._reader.associated(call, source))

    def references(self, call: Call) -> Iterable[bytes]:
        """References (5.3.2.16)."""
        source = call["objectname"]
        if isinstance(source, str):
            return self._classes_with_path(call, self._referring_classes(call, source))
        return self._objects_with_path(call, self._reader.referring(call, source))

    def reference_names(self, call: Call) -> Iterable[bytes]:
        """ReferenceNames (5.3.2.17)."""
        source = call["objectname"]
        if isinstance(source, str):
            return self._class_paths(call, self._referring_classes(call, source))
        return self._object_paths(call, self._reader.referring(call, source))

    def _associated_classes(self, call: Call, class_name: str) -> list[str]:
        name = self._reader.declaration(class_name).name
        return list(
            dict.fromkeys(far for _, far in self._class_level.links(name, self._reader.associator_filters(call)))
        )

    def _referring_classes(self, call: Call, class_name: str) -> list[str]:
        name = self._reader.declaration(class_name).name
        return list(
            dict.fromkeys(near for near, _ in self._class_level.links(name, self._reader.reference_filters(call)))
        )

    def _classes_with_path(self, call: Call, class_names: Iterable[str]) -> Iterator[bytes]:
        options = ClassOptions(
            False, call["includequalifiers"], call["includeclassorigin"], call["propertylist"], call.quirks.plain_arrays
        )
        start, encoder = call.namespace.path_start("CLASSPATH"), call.namespace.encoder
        for name in class_names:
            yield b"<VALUE.OBJECTWITHPATH>" + start + _class_name_element(name) + b"</CLASSPATH>"
            yield encoder.class_element(name, options).encode()
            yield b"</VALUE.OBJECTWITHPATH>"

    @staticmethod
    def _class_paths(call: Call, class_names: Iterable[str]) -> Iterator[bytes]:
        start = call.namespace.path_start("CLASSPATH")
        for name in class_names:
            yield b"<OBJECTPATH>" + start + _class_name_element(name) + b"</CLASSPATH></OBJECTPATH>"

    # Classes and qualifiers

    def get_class(self, call: Call) -> Iterable[bytes]:
        """GetClass (5.3.2.1), which alone says NOT_FOUND of a class that does not exist."""
        declaration = self._classes.get(call["classname"])
        if declaration is None:
            raise CIMError(Status.NOT_FOUND, f"Class {call['classname']} does not exist")
        options = ClassOptions(
            call["localonly"],
            call["includequalifiers"],
            call["includeclassorigin"],
            call["propertylist"],
            call.quirks.plain_arrays,
        )
        return [call.namespace.encoder.class_element(declaration.name, options).encode()]

    def _subclasses(self, call: Call) -> list[str]:
        name = call["classname"]
        return self._classes.subclasses(self._reader.declaration(name).name if name else None, call["deepinheritance"])

    def enumerate_classes(self, call: Call) -> Iterator[bytes]:
        """EnumerateClasses (5.3.2.10)."""
        options = ClassOptions(
            call["localonly"],
            call["includequalifiers"],
            call["includeclassorigin"],
            plain_arrays=call.quirks.plain_arrays,
        )
        for name in self._subclasses(call):
            yield call.namespace.encoder.class_element(name, options).encode()

    def enumerate_class_names(self, call: Call) -> Iterator[bytes]:
        """EnumerateClassNames (5.3.2.11)."""
        return map(_class_name_element, self._subclasses(call))

    def enumerate_qualifiers(self, _call: Call) -> Iterator[bytes]:
        """EnumerateQualifiers (5.3.2.22)."""
        return (qualifier_declaration(each).encode() for each in self._classes.qualifier_declarations.values())

    def get_qualifier(self, call: Call) -> Iterable[bytes]:
        """GetQualifier (5.3.2.20)."""
        declared = self._classes.qualifier_declarations.get(call["qualifiername"].lower())
        if declared is None:
            raise CIMError(Status.NOT_FOUND, f"Qualifier {call['qualifiername']} does not exist")
        return [qualifier_declaration(declared).encode()]

    # Methods

    def _invoke(
        self,
        request: Request,
        namespace: Namespace,
        context: RequestContext,
        quirks: Quirks,
        change: audit.Change | None,
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
        if change is not None:
            change.return_value = result.return_value
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


def _change(request: Request, principal: Principal, origin: str) -> audit.Change:
    return audit.Change(
        principal, origin, request.namespace, request.operation, audited_target(request), audited_parameters(request)
    )


def _applied_to(request: Request) -> Iterator[str]:
    """The classes of all that a request names: the role that it needs is the highest that one of them needs."""
    if request.target is not None:
        yield request.target.class_name
    elif not request.extrinsic:
        for _, value in request.parameters:
            if isinstance(value, RawNamedInstance):
                yield value.path.class_name
            elif isinstance(value, RawPath | RawInstance):
                yield value.class_name


def _same_key(given: Any, key: Any) -> bool:
    """Whether a key in an instance is that of its path; a reference may have its namespace in one of them only."""
    if isinstance(given, InstancePath) and isinstance(key, InstancePath):
        return same_path(given, key)
    return bool(given == key)


def _default(declared: PropertyDeclaration) -> Any:
    """The default of a property as a Python value; the class store has datetimes as strings."""
    if declared.type != "datetime" or declared.default is None:
        return declared.default
    read = reader("datetime")
    return [read(each) for each in declared.default] if declared.is_array else read(declared.default)


def _class_name_element(name: str) -> bytes:
    return f'<CLASSNAME NAME="{attribute(name)}"></CLASSNAME>'.encode()

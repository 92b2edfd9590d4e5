"""The intrinsic operations (DSP0200 1.4, section 5.3): their names, their parameters, and how these are read.

A new operation needs its line in `INTRINSICS`, and its method in one of the classes that carry operations out.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from virtcim.cimom.namespaces import Namespace
from virtcim.frontends.cimxml.decode import RawClassName, RawInstance, RawNamedInstance, RawPath
from virtcim.frontends.cimxml.typed import TypedReader
from virtcim.providers.interface import CIMError, InstancePath, RequestContext, Status
from virtcim.schema.values import reader

__all__ = [
    "INTRINSICS",
    "INTRINSIC_OPERATIONS",
    "NO_QUIRKS",
    "SFCC",
    "WBEMCLI",
    "Call",
    "Intrinsic",
    "Parameter",
    "Quirks",
    "Shape",
    "invalid_parameter",
]


@dataclass(frozen=True, slots=True)
class Quirks:
    """What a client cannot read.

    Attributes:
        needs_return_value: send an empty IRETURNVALUE where an operation has no result.  sfcc ends its process
            without it; others must not get it.
        plain_arrays: leave out EmbeddedObject on arrays, which wbemcli takes for an error.
        no_reference_arrays: leave out output parameters that are arrays of references, for which wbemcli would show
            not even the return value.
        no_error_instances: leave out the CIM_Error in ERROR, which ends sfcc's process and which wbemcli cannot parse.
    """

    needs_return_value: bool = False
    plain_arrays: bool = False
    no_reference_arrays: bool = False
    no_error_instances: bool = False


NO_QUIRKS = Quirks()
SFCC = Quirks(needs_return_value=True, no_error_instances=True)
WBEMCLI = Quirks(plain_arrays=True, no_reference_arrays=True, no_error_instances=True)


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation gets: where, for whom, and its parameters by lower-case name, defaults filled in.

    `may_read` tells whether who asks may read another namespace, to which an association leads.
    """

    namespace: Namespace
    context: RequestContext
    parameters: Mapping[str, Any]
    quirks: Quirks
    may_read: Callable[[str], bool]

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]


def invalid_parameter(text: str) -> CIMError:
    """The error for a parameter that cannot be taken."""
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


def _uint32(raw: Any, _typed: TypedReader) -> int:
    if not isinstance(raw, str):
        raise ValueError("an integer")
    try:
        return int(reader("uint32")(raw))
    except ValueError:
        raise ValueError("a uint32") from None


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
class Parameter:
    """A parameter of an intrinsic operation: how it is read, and the value that stands for NULL."""

    name: str
    read: Callable[[Any, TypedReader], Any]
    default: Any = None
    required: bool = False


_CLASS = Parameter("ClassName", _class_name, required=True)
_ANY_CLASS = Parameter("ClassName", _class_name)
_INSTANCE = Parameter("InstanceName", _instance_name, required=True)
_OBJECT = Parameter("ObjectName", _object_name, required=True)
_ORIGIN = Parameter("IncludeClassOrigin", _boolean, False)
_LIST = Parameter("PropertyList", _property_list)
_NO_QUALIFIERS = Parameter("IncludeQualifiers", _boolean, False)
_QUALIFIERS = Parameter("IncludeQualifiers", _boolean, True)
_LOCAL = Parameter("LocalOnly", _boolean, True)
_DEEP = Parameter("DeepInheritance", _boolean, True)
_SHALLOW = Parameter("DeepInheritance", _boolean, False)
_FILTERS = (
    Parameter("AssocClass", _class_name),
    Parameter("ResultClass", _class_name),
    Parameter("Role", _role),
    Parameter("ResultRole", _role),
)
_PROPERTY = Parameter("PropertyName", _string, required=True)
_OPENING = (
    Parameter("FilterQueryLanguage", _string),
    Parameter("FilterQuery", _string),
    Parameter("OperationTimeout", _uint32),
    Parameter("ContinueOnError", _boolean, False),
    Parameter("MaxObjectCount", _uint32, 0),
)
_CONTEXT = Parameter("EnumerationContext", _string, required=True)
_PULLING = (_CONTEXT, Parameter("MaxObjectCount", _uint32, required=True))
_SOURCE = Parameter("InstanceName", _instance_name, required=True)


class Shape(enum.Enum):
    """What an operation answers.

    VALUE is an IRETURNVALUE, whose content the method gives; VOID is nothing; WHOLE is an IRETURNVALUE with output
    parameters after it, all of which the method gives.
    """

    VALUE = enum.auto()
    VOID = enum.auto()
    WHOLE = enum.auto()


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """An intrinsic operation.

    Attributes:
        name: in the standard.
        method: the method that carries it out.
        parameters: by lower-case name.
        shape: of the answer.
        quick: whether it is quick enough to be carried out between two other requests.
        change: whether it changes an instance.
    """

    name: str
    method: str
    parameters: Mapping[str, Parameter]
    shape: Shape = Shape.VALUE
    quick: bool = False
    change: bool = False


def _intrinsic(
    name: str,
    method: str,
    *parameters: Parameter,
    shape: Shape = Shape.VALUE,
    quick: bool = False,
    change: bool = False,
) -> Intrinsic:
    return Intrinsic(name, method, {each.name.lower(): each for each in parameters}, shape, quick, change)


def _changing(name: str, method: str, *parameters: Parameter) -> Intrinsic:
    return _intrinsic(name, method, *parameters, shape=Shape.VOID, change=True)


def _opening(name: str, method: str, *parameters: Parameter) -> Intrinsic:
    return _intrinsic(name, method, *parameters, *_OPENING, shape=Shape.WHOLE)


INTRINSICS = {
    each.name.lower(): each
    for each in (
        _intrinsic("GetInstance", "get_instance", _INSTANCE, _LOCAL, _NO_QUALIFIERS, _ORIGIN, _LIST, quick=True),
        _intrinsic(
            "EnumerateInstances",
            "enumerate_instances",
            _CLASS,
            _LOCAL,
            _DEEP,
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
        _changing("SetProperty", "set_property", _INSTANCE, _PROPERTY, Parameter("NewValue", _any)),
        _intrinsic(
            "CreateInstance", "create_instance", Parameter("NewInstance", _new_instance, required=True), change=True
        ),
        _changing(
            "ModifyInstance",
            "modify_instance",
            Parameter("ModifiedInstance", _modified_instance, required=True),
            _NO_QUALIFIERS,
            _LIST,
        ),
        _changing("DeleteInstance", "delete_instance", _INSTANCE),
        _intrinsic("EnumerateQualifiers", "enumerate_qualifiers"),
        _intrinsic("GetQualifier", "get_qualifier", Parameter("QualifierName", _string, required=True), quick=True),
        _opening("OpenEnumerateInstances", "open_enumerate_instances", _CLASS, _DEEP, _ORIGIN, _LIST),
        _opening("OpenEnumerateInstancePaths", "open_enumerate_instance_paths", _CLASS),
        _opening("OpenAssociatorInstances", "open_associator_instances", _SOURCE, *_FILTERS, _ORIGIN, _LIST),
        _opening("OpenAssociatorInstancePaths", "open_associator_instance_paths", _SOURCE, *_FILTERS),
        _opening("OpenReferenceInstances", "open_reference_instances", _SOURCE, *_FILTERS[1:3], _ORIGIN, _LIST),
        _opening("OpenReferenceInstancePaths", "open_reference_instance_paths", _SOURCE, *_FILTERS[1:3]),
        _opening("OpenQueryInstances", "open_query_instances", Parameter("ReturnQueryResultClass", _boolean, False)),
        _intrinsic("PullInstancesWithPath", "pull_instances_with_path", *_PULLING, shape=Shape.WHOLE),
        _intrinsic("PullInstancePaths", "pull_instance_paths", *_PULLING, shape=Shape.WHOLE),
        _intrinsic("PullInstances", "pull_instances", *_PULLING, shape=Shape.WHOLE),
        _intrinsic("CloseEnumeration", "close_enumeration", _CONTEXT, shape=Shape.VOID, quick=True),
        _intrinsic(
            "ExecQuery",
            "exec_query",
            Parameter("QueryLanguage", _string, required=True),
            Parameter("Query", _string, required=True),
        ),
    )
}

INTRINSIC_OPERATIONS = frozenset(operation.name for operation in INTRINSICS.values())
"""The intrinsic operations that are implemented, by the names of DSP0200."""

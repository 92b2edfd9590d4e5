"""The intrinsic operations as CIM-XML has them (DSP0200 1.4, section 5.3): their parameters, and how these are read.

A new operation needs its line in `INTRINSICS`, beside its class in `cimom.requests`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from virtcim.cimom import requests
from virtcim.cimom.requests import AssociationFilter, ClassProjection, Opening, Projection, Request
from virtcim.frontends.reading.raw import RawClassName, RawInstance, RawNamedInstance, RawPath
from virtcim.frontends.reading.typed import TypedReader
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Status
from virtcim.schema.values import reader

__all__ = ["INTRINSICS", "Intrinsic", "Parameter", "Values"]

Values: TypeAlias = Mapping[str, Any]
"""The parameters of a request by lower-case name, defaults filled in."""


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


def _property_list(raw: Any, _typed: TypedReader) -> frozenset[str]:
    names = [raw] if isinstance(raw, str) else raw
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("an array of property names")
    return frozenset(name.strip().lower() for name in names)


def _new_instance(raw: Any, typed: TypedReader) -> EmbeddedInstance:
    if not isinstance(raw, RawInstance):
        raise ValueError("an instance")
    return typed.instance_to_change(raw)


def _modified_instance(raw: Any, typed: TypedReader) -> tuple[InstancePath, EmbeddedInstance]:
    if not isinstance(raw, RawNamedInstance):
        raise ValueError("a named instance")
    return typed.path(raw.path), typed.instance_to_change(raw.instance)


def _any(raw: Any, _typed: TypedReader) -> Any:
    return raw


@immutable
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
_RESULT_CLASS = Parameter("ResultClass", _class_name)
_ROLE = Parameter("Role", _string)
_FILTERS = (Parameter("AssocClass", _class_name), _RESULT_CLASS, _ROLE, Parameter("ResultRole", _string))
_REFERENCE_FILTERS = (_RESULT_CLASS, _ROLE)
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


def _projection(values: Values) -> Projection:
    """LocalOnly and IncludeQualifiers have no effect on instances, as the standard advises."""
    return Projection(values["propertylist"], None, values["includeclassorigin"])


def _class_projection(values: Values) -> ClassProjection:
    return ClassProjection(
        values.get("localonly", False),
        values["includequalifiers"],
        values["includeclassorigin"],
        values.get("propertylist"),
    )


def _associator_filter(values: Values) -> AssociationFilter:
    return AssociationFilter(values["assocclass"], values["resultclass"], values["role"], values["resultrole"])


def _reference_filter(values: Values) -> AssociationFilter:
    """ResultClass of References is the class of the association."""
    return AssociationFilter(values["resultclass"], role=values["role"])


def _opening(values: Values) -> Opening:
    return Opening(
        values["filterquerylanguage"],
        values["filterquery"],
        values["operationtimeout"],
        values["continueonerror"],
        values["maxobjectcount"],
    )


Fields: TypeAlias = dict[str, Any]
"""Those of a request, beside its namespace and its caller."""


@immutable
class Intrinsic:
    """An intrinsic operation.

    Attributes:
        name: in the standard.
        request: its request; of the operations that take instances and classes, that for instances.
        parameters: by lower-case name.
        fields: gives the fields of the request from the parameters.
        of_class: the request, and its fields, where the object is a class.
    """

    name: str
    request: type[Request]
    parameters: Mapping[str, Parameter]
    fields: Callable[[Values], Fields]
    of_class: tuple[type[Request], Callable[[Values], Fields]] | None = None

    def make(self, values: Values, **common: Any) -> Request:
        """Make the request.

        Parameters:
            values: the parameters.
            common: the fields that all requests have.
        """
        if self.of_class is not None and isinstance(values["objectname"], str):
            request, fields = self.of_class
            return request(**common, **fields(values))
        return self.request(**common, **self.fields(values))


def _intrinsic(
    request: type[Request],
    fields: Callable[[Values], Fields],
    *parameters: Parameter,
    of_class: tuple[type[Request], Callable[[Values], Fields]] | None = None,
) -> Intrinsic:
    return Intrinsic(request.operation, request, {each.name.lower(): each for each in parameters}, fields, of_class)


def _set_property(values: Values) -> Fields:
    return {
        "path": values["instancename"],
        "property_name": values["propertyname"],
        "value": values["newvalue"],
    }


def _pull(values: Values) -> Fields:
    return {"context": values["enumerationcontext"], "max_objects": values["maxobjectcount"]}


INTRINSICS = {
    each.name.lower(): each
    for each in (
        _intrinsic(
            requests.GetInstance,
            lambda values: {"path": values["instancename"], "projection": _projection(values)},
            _INSTANCE,
            _LOCAL,
            _NO_QUALIFIERS,
            _ORIGIN,
            _LIST,
        ),
        _intrinsic(
            requests.EnumerateInstances,
            lambda values: {
                "class_name": values["classname"],
                "deep": values["deepinheritance"],
                "projection": _projection(values),
            },
            _CLASS,
            _LOCAL,
            _DEEP,
            _NO_QUALIFIERS,
            _ORIGIN,
            _LIST,
        ),
        _intrinsic(requests.EnumerateInstanceNames, lambda values: {"class_name": values["classname"]}, _CLASS),
        _intrinsic(
            requests.Associators,
            lambda values: {
                "path": values["objectname"],
                "filter": _associator_filter(values),
                "projection": _projection(values),
            },
            _OBJECT,
            *_FILTERS,
            _NO_QUALIFIERS,
            _ORIGIN,
            _LIST,
            of_class=(
                requests.AssociatorClasses,
                lambda values: {
                    "class_name": values["objectname"],
                    "filter": _associator_filter(values),
                    "projection": _class_projection(values),
                },
            ),
        ),
        _intrinsic(
            requests.AssociatorNames,
            lambda values: {"path": values["objectname"], "filter": _associator_filter(values)},
            _OBJECT,
            *_FILTERS,
            of_class=(
                requests.AssociatorClassPaths,
                lambda values: {"class_name": values["objectname"], "filter": _associator_filter(values)},
            ),
        ),
        _intrinsic(
            requests.References,
            lambda values: {
                "path": values["objectname"],
                "filter": _reference_filter(values),
                "projection": _projection(values),
            },
            _OBJECT,
            *_REFERENCE_FILTERS,
            _NO_QUALIFIERS,
            _ORIGIN,
            _LIST,
            of_class=(
                requests.ReferenceClasses,
                lambda values: {
                    "class_name": values["objectname"],
                    "filter": _reference_filter(values),
                    "projection": _class_projection(values),
                },
            ),
        ),
        _intrinsic(
            requests.ReferenceNames,
            lambda values: {"path": values["objectname"], "filter": _reference_filter(values)},
            _OBJECT,
            *_REFERENCE_FILTERS,
            of_class=(
                requests.ReferenceClassPaths,
                lambda values: {"class_name": values["objectname"], "filter": _reference_filter(values)},
            ),
        ),
        _intrinsic(
            requests.GetClass,
            lambda values: {"class_name": values["classname"], "projection": _class_projection(values)},
            _CLASS,
            _LOCAL,
            _QUALIFIERS,
            _ORIGIN,
            _LIST,
        ),
        _intrinsic(
            requests.EnumerateClasses,
            lambda values: {
                "class_name": values["classname"],
                "deep": values["deepinheritance"],
                "projection": _class_projection(values),
            },
            _ANY_CLASS,
            _SHALLOW,
            _LOCAL,
            _QUALIFIERS,
            _ORIGIN,
        ),
        _intrinsic(
            requests.EnumerateClassNames,
            lambda values: {"class_name": values["classname"], "deep": values["deepinheritance"]},
            _ANY_CLASS,
            _SHALLOW,
        ),
        _intrinsic(
            requests.GetProperty,
            lambda values: {"path": values["instancename"], "property_name": values["propertyname"]},
            _INSTANCE,
            _PROPERTY,
        ),
        _intrinsic(requests.SetProperty, _set_property, _INSTANCE, _PROPERTY, Parameter("NewValue", _any)),
        _intrinsic(
            requests.CreateInstance,
            lambda values: {"instance": values["newinstance"]},
            Parameter("NewInstance", _new_instance, required=True),
        ),
        _intrinsic(
            requests.ModifyInstance,
            lambda values: {
                "path": values["modifiedinstance"][0],
                "instance": values["modifiedinstance"][1],
                "properties": values["propertylist"],
            },
            Parameter("ModifiedInstance", _modified_instance, required=True),
            _NO_QUALIFIERS,
            _LIST,
        ),
        _intrinsic(requests.DeleteInstance, lambda values: {"path": values["instancename"]}, _INSTANCE),
        _intrinsic(requests.EnumerateQualifiers, lambda _values: {}),
        _intrinsic(
            requests.GetQualifier,
            lambda values: {"qualifier_name": values["qualifiername"]},
            Parameter("QualifierName", _string, required=True),
        ),
        _intrinsic(
            requests.OpenEnumerateInstances,
            lambda values: {
                "class_name": values["classname"],
                "deep": values["deepinheritance"],
                "projection": _projection(values),
                "opening": _opening(values),
            },
            _CLASS,
            _DEEP,
            _ORIGIN,
            _LIST,
            *_OPENING,
        ),
        _intrinsic(
            requests.OpenEnumerateInstancePaths,
            lambda values: {"class_name": values["classname"], "opening": _opening(values)},
            _CLASS,
            *_OPENING,
        ),
        _intrinsic(
            requests.OpenAssociatorInstances,
            lambda values: {
                "path": values["instancename"],
                "filter": _associator_filter(values),
                "projection": _projection(values),
                "opening": _opening(values),
            },
            _SOURCE,
            *_FILTERS,
            _ORIGIN,
            _LIST,
            *_OPENING,
        ),
        _intrinsic(
            requests.OpenAssociatorInstancePaths,
            lambda values: {
                "path": values["instancename"],
                "filter": _associator_filter(values),
                "opening": _opening(values),
            },
            _SOURCE,
            *_FILTERS,
            *_OPENING,
        ),
        _intrinsic(
            requests.OpenReferenceInstances,
            lambda values: {
                "path": values["instancename"],
                "filter": _reference_filter(values),
                "projection": _projection(values),
                "opening": _opening(values),
            },
            _SOURCE,
            *_REFERENCE_FILTERS,
            _ORIGIN,
            _LIST,
            *_OPENING,
        ),
        _intrinsic(
            requests.OpenReferenceInstancePaths,
            lambda values: {
                "path": values["instancename"],
                "filter": _reference_filter(values),
                "opening": _opening(values),
            },
            _SOURCE,
            *_REFERENCE_FILTERS,
            *_OPENING,
        ),
        _intrinsic(
            requests.OpenQueryInstances,
            lambda values: {"with_result_class": values["returnqueryresultclass"], "opening": _opening(values)},
            Parameter("ReturnQueryResultClass", _boolean, False),
            *_OPENING,
        ),
        _intrinsic(requests.PullInstancesWithPath, _pull, *_PULLING),
        _intrinsic(requests.PullInstancePaths, _pull, *_PULLING),
        _intrinsic(requests.PullInstances, _pull, *_PULLING),
        _intrinsic(requests.CloseEnumeration, lambda values: {"context": values["enumerationcontext"]}, _CONTEXT),
        _intrinsic(
            requests.ExecQuery,
            lambda values: {"language": values["querylanguage"], "query": values["query"]},
            Parameter("QueryLanguage", _string, required=True),
            Parameter("Query", _string, required=True),
        ),
    )
}


def read_values(operation: Intrinsic, parameters: tuple[tuple[str, Any], ...], typed: TypedReader) -> dict[str, Any]:
    """Read the parameters of an intrinsic operation.

    Raises:
        CIMError: INVALID_PARAMETER for one that is unknown, given twice, of the wrong kind, or required and missing.
    """
    values: dict[str, Any] = {}
    for name, raw in parameters:
        key = name.lower()
        declared = operation.parameters.get(key)
        if declared is None:
            raise _invalid(f"{operation.name} has no parameter {name}")
        if key in values:
            raise _invalid(f"Parameter {declared.name} is given twice")
        try:
            values[key] = declared.default if raw is None else declared.read(raw, typed)
        except ValueError as exc:
            raise _invalid(f"Parameter {declared.name} needs {exc}") from None
    for key, declared in operation.parameters.items():
        if declared.required and values.get(key) is None:
            raise _invalid(f"{operation.name} needs the parameter {declared.name}")
        values.setdefault(key, declared.default)
    return values


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, text)

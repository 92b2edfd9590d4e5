"""From the untyped values of a request to Python values, by the class declarations (DSP0200 1.4, section 5.3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from virtcim.cimom.tolerance import declared_below, is_left_out, refuse_unknown_properties
from virtcim.frontends.reading.elements import decode_instance
from virtcim.frontends.reading.raw import MAX_NESTING, RawClassName, RawInstance, RawKey, RawPath
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Status
from virtcim.schema.classes import ClassDeclaration, ClassStore, MethodDeclaration
from virtcim.schema.paths import parse_path
from virtcim.schema.values import NUMERIC_TYPES, reader

__all__ = ["TypedReader"]

log = logging.getLogger(__name__)

UNPARSABLE = "Unable to parse embedded object"


class _ValueType(Protocol):
    """What property and parameter declarations have in common."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def is_array(self) -> bool: ...
    @property
    def embedded_object(self) -> str | None: ...
    @property
    def embedded_class(self) -> str | None: ...


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, text)


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."


class TypedReader:
    """Gives the values of a request their types.

    Parameters:
        classes: the class store.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._classes = classes

    def path(self, raw: RawPath) -> InstancePath:
        """An instance path; names spelt as the class store has them, key values by the key's declared type.

        A key value that does not fit the declared type stays a string: the provider says what is wrong with it.  A
        reference among the keys may be written as text.

        Raises:
            CIMError: INVALID_PARAMETER for a class path, a key that is given twice, or an unnamed key that could be
                several.
        """
        if raw.keys is None:
            raise _invalid(f"{raw.class_name} is a class; an instance is needed")
        declaration = self._classes.get(raw.class_name)
        keys: dict[str, Any] = {}
        for name, value in raw.keys:
            spelt, cim_type = self._key(declaration, name)
            if spelt in keys:
                raise _invalid(f"Key {spelt} is given twice")
            if cim_type == "reference" and isinstance(value, RawKey):
                value = _path_in_text(value.text, spelt)  # each level doubles the escapes: it cannot go deep
            keys[spelt] = self.path(value) if isinstance(value, RawPath) else _key_value(value, cim_type)
        return InstancePath(declaration.name if declaration else raw.class_name, keys, raw.namespace)

    def _key(self, declaration: ClassDeclaration | None, name: str | None) -> tuple[str, str]:
        if name is None:
            if declaration is None or len(declaration.keys) != 1:
                raise _invalid("A key without a name needs a class with one key")
            name = declaration.keys[0]
        found = declaration.properties.get(name.lower()) if declaration else None
        return (found.name, found.type) if found and found.is_key else (name, "")

    def value(self, raw: Any, declared: _ValueType, depth: int = 0) -> Any:
        """The Python value of `raw` for a property or parameter.

        Raises:
            CIMError: INVALID_PARAMETER when it does not fit the declared type.
        """
        if raw is None:
            return None
        if declared.is_array:
            if not isinstance(raw, list):
                raise _invalid(f"{declared.name} is an array")
            return [None if each is None else self._scalar(each, declared, depth) for each in raw]
        if isinstance(raw, list):
            raise _invalid(f"{declared.name} is not an array")
        return self._scalar(raw, declared, depth)

    def _scalar(self, raw: Any, declared: _ValueType, depth: int) -> Any:
        if declared.type == "reference":
            if isinstance(raw, str):
                raw = _path_in_text(raw, declared.name)
            if not isinstance(raw, RawPath):
                raise _invalid(f"{declared.name} is a reference")
            return self.path(raw)
        if declared.embedded_object and isinstance(raw, (str, RawInstance)):
            return self._embedded(raw, declared, depth)
        if not isinstance(raw, str):
            raise _invalid(f"{declared.name} is of type {declared.type}")
        if declared.type == "datetime" and raw.strip() == "NULL":
            return None  # as SFCC sends it
        try:
            return reader(declared.type)(raw)
        except ValueError as exc:
            raise _invalid(f"{declared.name}: '{_shortened(raw)}' {exc}") from None

    def _embedded(self, raw: str | RawInstance, declared: _ValueType, depth: int) -> EmbeddedInstance | None:
        if depth >= MAX_NESTING:
            raise _invalid(f"{declared.name}: embedded instances are nested too deep")
        if isinstance(raw, RawInstance):
            instance = self.instance(raw, depth + 1)
        elif not raw.strip():
            return None
        elif raw.lstrip().startswith("<"):
            instance = self.instance(_parsed(declared.name, decode_instance, raw.strip()), depth + 1)
        else:
            # Here, since hardly a client sends MOF, and the library of its grammar is large.
            from virtcim.frontends.reading.mofvalue import parse_mof_instance

            instance = self.instance(_parsed(declared.name, parse_mof_instance, raw), depth + 1)
        wanted = declared.embedded_class
        if wanted and wanted in self._classes and not self._classes.is_a(instance.class_name, wanted):
            if is_left_out(instance.class_name, wanted, self._classes.is_a):
                return None
            raise _invalid(f"{declared.name}: {instance.class_name} is not a {wanted}")
        return instance

    def instance(self, raw: RawInstance, depth: int = 0) -> EmbeddedInstance:
        """An embedded instance in a request, with typed properties; names spelt as the class store has them.

        What a subclass has is taken as if the class had it: the provider knows what is meant.  Other properties that
        the class does not have, and that clients of libvirt-cim are known to send, are left out (`cimom.tolerance`).

        Parameters:
            depth: instances around this one.

        Raises:
            CIMError: INVALID_PARAMETER for an unknown class, another property that it does not have, or a value of the
                wrong type.
        """
        declaration = self._classes.get(raw.class_name)
        if declaration is None:
            raise _invalid(f"Class {raw.class_name} is not known")
        properties, unknown = self._properties(raw, declaration, depth)
        for name, value in [*unknown.items()]:
            below = declared_below(self._classes, declaration, name)
            if below is not None:
                del unknown[name]
                properties[below.name] = self.value(value, below, depth)
        refuse_unknown_properties(declaration, unknown, self._classes.is_a)
        return EmbeddedInstance(declaration.name, properties)

    def instance_to_change(self, raw: RawInstance) -> EmbeddedInstance:
        """The instance of CreateInstance or ModifyInstance.

        A property that the class does not have stays, as it was sent, for the core to refuse.

        Raises:
            CIMError: INVALID_CLASS for an unknown class; INVALID_PARAMETER for a value of the wrong type.
        """
        declaration = self._classes.get(raw.class_name)
        if declaration is None:
            raise CIMError(Status.INVALID_CLASS, f"Class {raw.class_name} does not exist")
        properties, unknown = self._properties(raw, declaration, 0)
        return EmbeddedInstance(declaration.name, {**properties, **unknown})

    def _properties(
        self, raw: RawInstance, declaration: ClassDeclaration, depth: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The properties that a class has, typed, and the others, as they were sent."""
        properties: dict[str, Any] = {}
        unknown: dict[str, Any] = {}
        for each in raw.properties:
            declared = declaration.properties.get(each.name.lower())
            if declared is None:
                unknown[each.name] = each.value
                continue
            value = self.value(each.value, declared, depth)
            if declared.name in properties and properties[declared.name] != value:
                raise _invalid(f"{declaration.name}.{declared.name} is given twice, with different values")
            properties[declared.name] = value
        return properties, unknown

    def method_parameters(self, method: MethodDeclaration, raw: tuple[tuple[str, Any], ...]) -> Mapping[str, Any]:
        """The input parameters of an extrinsic method, NULL ones left out.

        Raises:
            CIMError: INVALID_PARAMETER for a parameter that is unknown, given twice or of the wrong type.
        """
        parameters: dict[str, Any] = {}
        seen: set[str] = set()
        for name, value in raw:
            declared = method.parameters.get(name.lower())
            if declared is None:
                raise _invalid(f"Method {method.name} has no parameter {name}")
            if declared.name in seen:
                raise _invalid(f"Parameter {declared.name} is given twice")
            seen.add(declared.name)
            if not declared.is_in:
                continue
            if declared.type == "reference" and isinstance(value, str) and not value.strip():
                continue  # what clients of libvirt-cim send where they have no reference
            typed = self.value(_reference_form(value), declared)
            if typed is not None:
                parameters[declared.name] = typed
        return parameters


def _parsed(name: str, parse: Callable[[str], RawInstance], text: str) -> RawInstance:
    """Read an embedded instance.

    Parameters:
        name: of the property or parameter that holds it, for the log.

    Raises:
        CIMError: FAILED, with the text that clients of libvirt-cim know.
    """
    try:
        return parse(text)
    except ValueError as exc:
        log.info("%s: %s", name, exc)
        raise CIMError(Status.FAILED, UNPARSABLE) from None


def _path_in_text(text: str, name: str) -> RawPath:
    """Read a reference that is written as text: a WBEM URI, or an object path as libvirt-cim's clients write it.

    Parameters:
        text: in a form of `schema.paths.parse_path`.
        name: of the property or parameter that holds it.

    Raises:
        CIMError: INVALID_PARAMETER for anything else.
    """
    try:
        found = parse_path(text)
    except ValueError as error:
        raise _invalid(f"{name} is a reference: '{_shortened(text)}' {error}") from None
    keys = tuple((key or None, _raw_key(value)) for key, value in found.keys.items())
    return RawPath(found.class_name, keys, found.namespace)


def _raw_key(value: bool | int | float | str) -> RawKey:
    """A key that was written as text, as CIM-XML has it."""
    if isinstance(value, str):
        return RawKey(value, "string", "")
    return RawKey(str(value), "boolean" if isinstance(value, bool) else "numeric", "")


def _reference_form(raw: Any) -> Any:
    """CLASSNAME stands for a class path where a parameter is a reference."""
    return RawPath(raw.name, None) if isinstance(raw, RawClassName) else raw


def _key_value(raw: RawKey, cim_type: str) -> Any:
    """A key by the type of the class, else by TYPE, else by VALUETYPE."""
    for each in (cim_type, raw.cim_type):
        if each and each != "reference":
            if each in NUMERIC_TYPES and raw.value_type == "string" and not raw.cim_type:
                return raw.text
            try:
                return reader(each)(raw.text)
            except (ValueError, KeyError):
                return raw.text
    if raw.value_type in {"numeric", "boolean"}:
        for each in ("boolean",) if raw.value_type == "boolean" else ("sint64", "uint64", "real64"):
            try:
                return reader(each)(raw.text)
            except ValueError:
                continue
    return raw.text

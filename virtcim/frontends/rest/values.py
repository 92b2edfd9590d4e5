"""Values as JSON, and JSON as the untyped values that all front ends read by the classes (`frontends.reading.typed`).

=================== ====================================================================
CIM                 JSON
=================== ====================================================================
boolean             true, false
integers            a number; text where it is beyond 2^53, which JavaScript cannot count
reals               a number
string, char16      text
datetime            text, as CIM has it: `20261127120000.000000+060`
reference           `{"path": WBEM URI, "href": where it is found}`; one of the two is enough
embedded instance   `{"class": ..., "properties": {...}}`; read is also MOF, as text
NULL                null
=================== ====================================================================
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from virtcim.frontends.reading.raw import MAX_NESTING, RawInstance, RawPath, RawProperty
from virtcim.frontends.rest.targets import Targets, href
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Status
from virtcim.schema.classes import ClassDeclaration, ClassStore
from virtcim.schema.paths import format_path
from virtcim.schema.values import INTEGER_RANGES, REAL_TYPES, format_datetime

__all__ = [
    "Declared",
    "RawValues",
    "Unreadable",
    "dumped",
    "dumped_in_parts",
    "parse_json",
    "shown",
    "shown_properties",
]

log = logging.getLogger(__name__)

MAX_DEPTH = 64
"""Arrays and objects in one another: an embedded instance takes three."""

EXACT = 2**53
"""Up to this, numbers of JavaScript count every integer."""


class Declared(Protocol):
    """What property and parameter declarations have in common."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def is_array(self) -> bool: ...
    @property
    def embedded_object(self) -> str | None: ...


def dumped(value: Any) -> bytes:
    """Write JSON, with nothing in it that is not needed."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def dumped_in_parts(value: Mapping[str, Any], depth: int) -> Iterator[bytes]:
    """Write a large object of JSON as `dumped` does, but part by part: in one go nobody else would run meanwhile, as it
    is C that holds the interpreter's lock.

    Parameters:
        value: the object.
        depth: levels of objects in it whose members are parts of their own.
    """
    yield b"{"
    for number, (name, each) in enumerate(value.items()):
        yield (b"," if number else b"") + dumped(name) + b":"
        if depth and isinstance(each, dict):
            yield from dumped_in_parts(each, depth - 1)
        else:
            yield dumped(each)
    yield b"}"


def shown(value: Any, namespace: str) -> Any:
    """Turn a value into what JSON has for it.

    Parameters:
        value: as providers have it.
        namespace: of paths that do not name theirs.

    Raises:
        ValueError, TypeError: it is none of CIM.
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -EXACT <= value <= EXACT else str(value)
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value}: JSON has no such number; expected a finite one")
            return value
        case list() | tuple():
            return [shown(each, namespace) for each in value]
        case datetime() | timedelta():
            return format_datetime(value)
        case InstancePath():
            return {"path": format_path(value, namespace), "href": href(value, namespace)}
        case EmbeddedInstance():
            return {"class": value.class_name, "properties": _embedded(value, namespace)}
    raise TypeError(f"{type(value).__name__} is not a type of CIM; expected one that a property can have")


def _embedded(instance: EmbeddedInstance, namespace: str) -> dict[str, Any]:
    return {name: shown(value, namespace) for name, value in instance.properties.items() if value is not None}


def shown_properties(
    properties: Mapping[str, Any], declaration: ClassDeclaration, wanted: frozenset[str] | None, namespace: str
) -> dict[str, Any]:
    """Turn the properties of an instance into an object of JSON, NULL ones left out.

    A value that is none of its type is logged, and left out as well.

    Parameters:
        properties: of the instance.
        declaration: of its class; what it does not declare is left out.
        wanted: lower-case names; None for all.
        namespace: where the instance lives.
    """
    found = {}
    for name, value in properties.items():
        lowered = name.lower()
        if value is None or lowered not in declaration.properties or (wanted is not None and lowered not in wanted):
            continue
        try:
            found[name] = shown(value, namespace)
        except (ValueError, TypeError) as exc:
            log.error("%s.%s: %s", declaration.name, name, exc)
    return found


class Unreadable(ValueError):
    """A body that is no JSON as it is taken here; the text says why."""


def parse_json(body: bytes, max_elements: int) -> Any:
    """Read JSON (RFC 8259), without what it has no agreed meaning for: names given twice, NaN, lone surrogates.

    Parameters:
        body: the text, UTF-8.
        max_elements: values that are read.

    Raises:
        Unreadable: it is none.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > max_elements:
        raise Unreadable(f"The body has too many values; expected {max_elements} at most")
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
        )
        _check_depth(value)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except UnicodeError:
        raise Unreadable("The body is not UTF-8") from None
    except RecursionError:
        raise Unreadable("The body is nested too deep") from None
    except ValueError as exc:
        raise Unreadable(f"The body is no JSON: {exc}") from None


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = [each for each in level if isinstance(each, dict | list)]
        if not inner:
            return
        level = [each for one in inner for each in (one.values() if isinstance(one, dict) else one)]
    raise ValueError(f"it is nested too deep; expected {MAX_DEPTH} levels at most")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice[:60]!r} is given twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text}: JSON has no such number; expected a finite one")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:60]} is too large")
    return value


def _integer(text: str) -> int:
    if len(text) > 128:
        raise ValueError(f"{text[:60]}... is too large")
    return int(text)


class RawValues:
    """Turns JSON into untyped values.

    Parameters:
        classes: the class store.
        targets: reads paths.
    """

    def __init__(self, classes: ClassStore, targets: Targets) -> None:
        self._classes = classes
        self._targets = targets

    def value(self, given: Any, declared: Declared | None = None, depth: int = 0) -> Any:
        """Turn the value of a property or parameter into what it would be in a message without types.

        Parameters:
            given: of JSON.
            declared: what takes it; None where nobody knows: then any value does.
            depth: instances around it.

        Raises:
            CIMError: INVALID_PARAMETER for a value that is of another kind.
        """
        if isinstance(given, list):
            return [None if each is None else self._scalar(each, declared, depth) for each in given]
        return None if given is None else self._scalar(given, declared, depth)

    def loose(self, name: str, given: Any) -> RawProperty:
        """Turn a named value into an untyped one, whatever it is, as the audit log takes it."""
        return RawProperty(name, self._loose(given))

    def _loose(self, given: Any) -> Any:
        match given:
            case list():
                return [self._loose(each) for each in given]
            case {"class": str(name), "properties": dict(properties)}:
                return RawInstance(name, tuple(self.loose(*each) for each in properties.items()))
        try:
            return self.value(given)
        except CIMError:
            return dumped(given).decode()

    def _scalar(self, given: Any, declared: Declared | None, depth: int) -> Any:
        if declared is not None and not _fits(given, declared):
            raise _invalid(f"{declared.name}: {dumped(given)[:60].decode(errors='replace')}: {_expected(declared)}")
        match given:
            case bool():
                return "TRUE" if given else "FALSE"
            case int() | float():
                return repr(given)
            case str():
                return self._reference(given) if declared is not None and declared.type == "reference" else given
            case {"class": str()}:
                return self.instance(given, depth + 1)
            case {"href": str(text)} | {"path": str(text)}:
                return self._reference(text)
        if declared is None:
            return dumped(given).decode()
        raise _invalid(f"{declared.name}: {_expected(declared)}")

    def _reference(self, text: str) -> RawPath:
        try:
            return self._targets.reference(text)
        except ValueError as exc:
            raise _invalid(f"'{text[:60]}' {exc}") from None

    def instance(self, given: Any, depth: int = 0) -> RawInstance:
        """Turn an object of JSON into an instance.

        Parameters:
            given: `{"class": ..., "properties": {...}}`; further members are passed over.
            depth: instances around it.

        Raises:
            CIMError: INVALID_PARAMETER for anything else.
        """
        if depth > MAX_NESTING:
            raise _invalid("Instances are nested too deep")
        if not isinstance(given, dict) or not isinstance(given.get("class"), str):
            raise _invalid('an instance is expected: {"class": NAME, "properties": {NAME: VALUE}}')
        properties = given.get("properties", {})
        if not isinstance(properties, dict):
            raise _invalid("properties: an object is expected")
        declaration = self._classes.get(given["class"])
        known = declaration.properties if declaration is not None else {}
        return RawInstance(
            given["class"],
            tuple(
                RawProperty(name, self.value(value, known.get(name.lower()), depth))
                for name, value in properties.items()
            ),
        )


def _fits(given: Any, declared: Declared) -> bool:
    """Whether a scalar of JSON can be one of a type; whether it is in its range is told later."""
    if declared.type == "boolean":
        return isinstance(given, bool)
    if declared.type in INTEGER_RANGES:
        return isinstance(given, int | str) and not isinstance(given, bool)
    if declared.type in REAL_TYPES:
        return isinstance(given, int | float | str) and not isinstance(given, bool)
    if declared.type == "reference":
        return isinstance(given, str) or (isinstance(given, dict) and bool({"href", "path"} & given.keys()))
    if declared.embedded_object:
        return isinstance(given, str) or (isinstance(given, dict) and "class" in given)
    return isinstance(given, str)


def _expected(declared: Declared) -> str:
    if declared.type == "reference":
        return 'expected a reference: {"path": PATH} or {"href": URL}'
    if declared.embedded_object:
        return 'expected an instance: {"class": NAME, "properties": {...}}'
    if declared.type in INTEGER_RANGES:
        return f"expected {declared.type}, a whole number"
    return f"expected {declared.type}"


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, text)

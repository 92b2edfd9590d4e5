"""Whether a value is one that its property can have (DSP0004 2.8, sections 5.2 and 5.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.walk.wire import PropertyDeclaration, PropertyValue

__all__ = ["Fault", "value_faults"]

_DATETIME = re.compile(r"\d{14}\.[\d*]{6}[+-]\d{3}|\d{8}\d{6}\.[\d*]{6}:000")
_INTEGER = re.compile(r"-?\d+")
_INTEGER_TYPE = re.compile(r"(u|s)int(8|16|32|64)")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value."""

    what: str
    detail: str


def value_faults(declared: PropertyDeclaration, value: PropertyValue, keys_needed: bool) -> Iterator[Fault]:
    """What is wrong with the value of a property.

    Parameters:
        keys_needed: whether keys must have values, as they must not in an embedded instance.
    """
    if value.name != declared.name:
        yield Fault("property spelt otherwise than in its class", declared.name)
    if value.type != declared.type or value.is_array != declared.is_array:
        yield Fault("value of another type", f"{value.type} for {declared.type}")
        return
    if value.value is None:
        if declared.is_key and keys_needed:
            yield Fault("key without a value", "NULL")
        return
    items = value.value if value.is_array else [value.value]
    if declared.name == "OperationalStatus" and not items:
        yield Fault("empty OperationalStatus", "[]")
    for item in items:
        if item is not None:
            yield from _item_faults(declared, item)


def _item_faults(declared: PropertyDeclaration, item: object) -> Iterator[Fault]:
    if declared.type == "reference":
        return
    text = str(item)
    if not is_of_type(declared.type, text):
        yield Fault("value of another type", f"{text!r} is no {declared.type}")
        return
    if declared.value_map is not None and not _is_mapped(declared.value_map, text):
        yield Fault("value that the value map does not have", text)
    if declared.max_length is not None and not declared.is_key and len(text) > declared.max_length:
        yield Fault("text longer than MaxLen", f"{len(text)} > {declared.max_length}")
    if _INTEGER.fullmatch(text) and declared.type != "string":
        number = int(text)
        if declared.maximum is not None and number > declared.maximum:
            yield Fault("number beyond MaxValue", f"{number} > {declared.maximum}")
        if declared.minimum is not None and number < declared.minimum:
            yield Fault("number below MinValue", f"{number} < {declared.minimum}")


def is_of_type(cim_type: str, text: str) -> bool:
    """Whether a text is the value of a type."""
    if cim_type == "boolean":
        return text.upper() in ("TRUE", "FALSE")
    if cim_type == "datetime":
        return _DATETIME.fullmatch(text) is not None
    integer = _INTEGER_TYPE.fullmatch(cim_type)
    if integer is not None:
        bits = int(integer[2])
        low, high = (0, 2**bits - 1) if integer[1] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return _INTEGER.fullmatch(text) is not None and low <= int(text) <= high
    if cim_type in ("real32", "real64"):
        try:
            float(text)
        except ValueError:
            return False
    return True


def _is_mapped(value_map: tuple[str, ...], text: str) -> bool:
    """Whether a value map has a value; `..` in it is everything that no other entry has."""
    if text in value_map or ".." in value_map:
        return True
    return _INTEGER.fullmatch(text) is not None and any(_is_within(entry, int(text)) for entry in value_map)


def _is_within(entry: str, number: int) -> bool:
    low, dots, high = entry.partition("..")
    return bool(dots) and (not low or int(low) <= number) and (not high or number <= int(high))

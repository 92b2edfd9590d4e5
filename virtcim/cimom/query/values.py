"""Values compared, with NULL as unknown (DSP0202 1.0, comparisons; DSP0212 1.0).

A comparison gives True, False or None: it is unknown when a side is NULL, or when the two cannot be compared.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from virtcim.immutable import immutable
from virtcim.providers.interface import EmbeddedInstance, InstancePath
from virtcim.schema.classes import PropertyDeclaration
from virtcim.schema.paths import parse_path, same_path
from virtcim.schema.values import NUMERIC_TYPES, parse_datetime

__all__ = ["Comparator", "Kind", "Text", "comparator", "kind_of", "literal_kind", "read_text", "same_array"]

Comparator: TypeAlias = Callable[[object, object], bool | None]
"""Compares two values neither of which is NULL."""


class Kind(enum.Enum):
    """What can be compared with what.  `ANY` is known only when the value is there."""

    BOOLEAN = "boolean"
    NUMBER = "number"
    STRING = "string"
    DATETIME = "datetime"
    REFERENCE = "reference"
    INSTANCE = "instance"
    NULL = "NULL"
    ANY = "any"


ORDERED_KINDS = frozenset({Kind.NUMBER, Kind.STRING, Kind.DATETIME, Kind.ANY})

_TYPES: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    (bool, Kind.BOOLEAN),
    ((int, float), Kind.NUMBER),
    (str, Kind.STRING),
    ((datetime, timedelta), Kind.DATETIME),
    (InstancePath, Kind.REFERENCE),
    (EmbeddedInstance, Kind.INSTANCE),
)


def kind_of(declaration: PropertyDeclaration) -> Kind:
    """The kind of a property's values, of its elements when it is an array."""
    if declaration.embedded_object:
        return Kind.INSTANCE
    if declaration.type in NUMERIC_TYPES:
        return Kind.NUMBER
    return {"boolean": Kind.BOOLEAN, "datetime": Kind.DATETIME, "reference": Kind.REFERENCE}.get(
        declaration.type, Kind.STRING
    )


def literal_kind(value: object) -> Kind:
    """The kind of one value."""
    return next((kind for types, kind in _TYPES if isinstance(value, types)), Kind.NULL)


@immutable
class Text:
    """A string literal that is compared with something of unknown kind: the text in all its readings."""

    text: str
    moment: datetime | timedelta | None
    path: InstancePath | None

    @classmethod
    def of(cls, text: str) -> Text:
        moment, path = None, None
        with suppress(ValueError):
            moment = parse_datetime(text)
        with suppress(ValueError):
            path = parse_path(text)
        return cls(text, moment, path)

    def beside(self, other: object) -> datetime | timedelta | InstancePath | str | None:
        """The reading to compare with `other`."""
        if isinstance(other, (datetime, timedelta)):
            return self.moment
        return self.path if isinstance(other, InstancePath) else self.text


def read_text(text: str, kind: Kind) -> datetime | timedelta | InstancePath:
    """A string literal as a value of another kind.  Raises ValueError when it is none."""
    if kind is Kind.DATETIME:
        return parse_datetime(text)
    if kind is Kind.REFERENCE:
        return parse_path(text)
    raise ValueError(f"is not of type {kind.value}")


def _ordering(compare: Callable[[Any, Any], bool]) -> Comparator:
    """An interval and a point in time have no order, nor has a value that is not of its declared type."""

    def ordered(left: object, right: object) -> bool | None:
        try:
            return compare(left, right)
        except TypeError:
            return None

    return ordered


def _negated(compare: Comparator) -> Comparator:
    def negated(left: object, right: object) -> bool | None:
        result = compare(left, right)
        return None if result is None else not result

    return negated


def _same_instance(left: object, right: object) -> bool | None:
    if not isinstance(left, EmbeddedInstance) or not isinstance(right, EmbeddedInstance):
        return None
    if left.class_name.lower() != right.class_name.lower():
        return False
    ours, theirs = (
        {name.lower(): value for name, value in each.properties.items() if value is not None} for each in (left, right)
    )
    return ours.keys() == theirs.keys() and all(_same_value(value, theirs[name]) for name, value in ours.items())


def _same_value(left: object, right: object) -> bool:
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return same_array(left, right, _same_any, ordered=True)
    return _same_any(left, right) is True


def _same_reference(left: object, right: object) -> bool | None:
    if not isinstance(left, InstancePath) or not isinstance(right, InstancePath):
        return None
    return same_path(left, right)


def _alike(left: object, right: object) -> tuple[object, object, Kind] | None:
    """Two values of unknown kind, if they are of one kind."""
    if isinstance(right, Text):
        right = right.beside(left)
    if isinstance(left, Text):
        left = left.beside(right)
    kind = literal_kind(left)
    return (left, right, kind) if kind is literal_kind(right) and kind is not Kind.NULL else None


def _same_any(left: object, right: object) -> bool | None:
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return same_array(left, right, _same_any, ordered=True)
    alike = _alike(left, right)
    if alike is None:
        return None
    left, right, kind = alike
    return comparator("=", kind)(left, right)


def _ordering_any(symbol: str) -> Comparator:
    def ordered(left: object, right: object) -> bool | None:
        alike = _alike(left, right)
        if alike is None or alike[2] not in ORDERED_KINDS:
            return None
        left, right, kind = alike
        return comparator(symbol, kind)(left, right)

    return ordered


_ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def comparator(symbol: str, kind: Kind) -> Comparator:
    """The comparison `symbol` of two values of one kind.

    Raises:
        ValueError: when the kind has no order.
    """
    if symbol in _ORDERINGS:
        if kind not in ORDERED_KINDS:
            raise ValueError(f"has no order: {symbol}")
        return _ordering_any(symbol) if kind is Kind.ANY else _ordering(_ORDERINGS[symbol])
    if kind in _EQUALITIES:
        return _EQUALITIES[kind] if symbol == "=" else _negated(_EQUALITIES[kind])
    return operator.eq if symbol == "=" else operator.ne


_EQUALITIES: dict[Kind, Comparator] = {
    Kind.ANY: _same_any,
    Kind.INSTANCE: _same_instance,
    Kind.REFERENCE: _same_reference,
}


def same_array(left: Sequence[object], right: Sequence[object], same: Comparator, ordered: bool) -> bool:
    """Whether two arrays hold the same: in the same order, or each as often as the other (a Bag, DSP0004 2.8,
    section 5.6.3.3).  Elements that are NULL are equal to each other."""

    def equal(one: object, other: object) -> bool:
        return one is other if one is None or other is None else same(one, other) is True

    if len(left) != len(right):
        return False
    if ordered:
        return all(map(equal, left, right))
    waiting = list(right)
    for one in left:
        for position, other in enumerate(waiting):
            if equal(one, other):
                del waiting[position]
                break
        else:
            return False
    return True

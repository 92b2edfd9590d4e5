"""Conditions in three-valued logic (DSP0202 1.0): each a function that gives True, False or None for unknown."""

from __future__ import annotations

from collections.abc import Sequence

from virtcim.cimom.query.operands import Evaluate, Operand
from virtcim.cimom.query.values import Comparator, same_array
from virtcim.providers.interface import Properties

__all__ = ["array_comparison", "conjunction", "disjunction", "negation", "quantified", "scalar_comparison"]


def conjunction(parts: Sequence[Evaluate]) -> Evaluate:
    """True where all are."""

    def evaluate(name: str, properties: Properties) -> bool | None:
        result: bool | None = True
        for part in parts:
            value = part(name, properties)
            if value is False:
                return False
            if value is None:
                result = None
        return result

    return evaluate


def disjunction(parts: Sequence[Evaluate]) -> Evaluate:
    """True where one is."""

    def evaluate(name: str, properties: Properties) -> bool | None:
        result: bool | None = False
        for part in parts:
            value = part(name, properties)
            if value is True:
                return True
            if value is None:
                result = None
        return result

    return evaluate


def negation(part: Evaluate) -> Evaluate:
    """True where another is false."""

    def evaluate(name: str, properties: Properties) -> bool | None:
        value = part(name, properties)
        return None if value is None else not value

    return evaluate


def scalar_comparison(left: Operand, right: Operand, compare: Comparator) -> Evaluate:
    """Compare one value with one."""
    read, other = left.evaluate, right.evaluate
    if right.constant is not None:
        constant = other("", {})

        def with_constant(name: str, properties: Properties) -> bool | None:
            value = read(name, properties)
            return None if value is None else compare(value, constant)

        return with_constant

    def evaluate(name: str, properties: Properties) -> bool | None:
        value = read(name, properties)
        if value is None:
            return None
        against = other(name, properties)
        return None if against is None else compare(value, against)

    return evaluate


def quantified(quantifier: str, elements: Evaluate, other: Evaluate, compare: Comparator) -> Evaluate:
    """ANY: true as soon as an element is.  EVERY: false as soon as one is.  No element: false and true."""
    decisive = quantifier == "ANY"

    def evaluate(name: str, properties: Properties) -> bool | None:
        values, against = elements(name, properties), other(name, properties)
        if not isinstance(values, (list, tuple)) or against is None:
            return None
        result: bool | None = not decisive
        for value in values:
            one = None if value is None else compare(value, against)
            if one is decisive:
                return decisive
            if one is None:
                result = None
        return result

    return evaluate


def array_comparison(left: Evaluate, right: Evaluate, same: Comparator, ordered: bool, wanted: bool) -> Evaluate:
    """Compare two arrays as wholes."""

    def evaluate(name: str, properties: Properties) -> bool | None:
        ours, theirs = left(name, properties), right(name, properties)
        if not isinstance(ours, (list, tuple)) or not isinstance(theirs, (list, tuple)):
            return None
        return same_array(ours, theirs, same, ordered) is wanted

    return evaluate

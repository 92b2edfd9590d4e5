"""Calls of functions, arithmetic and joined strings."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from virtcim.cimom.query.errors import invalid_query, unsupported_feature
from virtcim.cimom.query.functions import FUNCTIONS, REFUSED_FUNCTIONS, class_name
from virtcim.cimom.query.operands import Operand
from virtcim.cimom.query.values import Kind
from virtcim.providers.interface import EmbeddedInstance, InstancePath, Properties

__all__ = ["arithmetic", "call_function", "concatenation"]

_CALCULABLE = (int, float, datetime, timedelta)


def _divide(left: Any, right: Any) -> Any:
    """Integers divide to an integer, the rest dropped."""
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
}


def call_function(name: str, arguments: list[Operand]) -> Operand:
    """Call a function of `FUNCTIONS`.

    Raises:
        CIMError: INVALID_QUERY, QUERY_FEATURE_NOT_SUPPORTED.
    """
    if name in REFUSED_FUNCTIONS:
        raise unsupported_feature(f"Function {name}")
    if name == "classname":
        return _class_name_call(arguments)
    function = FUNCTIONS.get(name)
    if function is None:
        raise invalid_query(f"There is no function {name}")
    if len(arguments) != len(function.arguments):
        raise invalid_query(f"{name} takes {len(function.arguments)} arguments, not {len(arguments)}")
    for argument, kind in zip(arguments, function.arguments, strict=True):
        if argument.kind not in {kind, Kind.ANY, Kind.NULL} or argument.is_array:
            raise invalid_query(f"{name} takes a {kind.value}, {argument.text} is none")
    call, reads = function.call, [each.evaluate for each in arguments]

    def evaluate(name: str, properties: Properties) -> object:
        values = [read(name, properties) for read in reads]
        if None in values:
            return None
        try:
            return call(*values)
        except (ValueError, OverflowError, TypeError, AttributeError):
            return None

    if function.pure and all(each.constant is not None for each in arguments):
        value = evaluate("", {})
        if value is None and all(each.kind is not Kind.NULL for each in arguments):
            raise invalid_query(f"{name}({', '.join(each.text for each in arguments)}) has no value")
        return Operand(name, function.value, lambda name, properties: value)
    return Operand(name, function.value, evaluate)


def _class_name_call(arguments: list[Operand]) -> Operand:
    if not arguments:
        return Operand("ClassName", Kind.STRING, lambda name, properties: name)
    argument, *others = arguments
    if others or argument.kind not in {Kind.INSTANCE, Kind.REFERENCE, Kind.ANY} or argument.is_array:
        raise invalid_query("ClassName takes an instance or a reference")
    read = argument.evaluate

    def evaluate(name: str, properties: Properties) -> object:
        value = read(name, properties)
        return class_name(value) if isinstance(value, (InstancePath, EmbeddedInstance)) else None

    return Operand("ClassName", Kind.STRING, evaluate)


def arithmetic(first: Operand, rest: list[tuple[str, Operand]]) -> Operand:
    """Calculate from left to right.

    Raises:
        CIMError: INVALID_QUERY.
    """
    kind = first.kind
    for sign, operand in rest:
        for each in (first, operand):
            if each.kind not in {Kind.NUMBER, Kind.DATETIME, Kind.ANY} or each.is_array:
                raise invalid_query(f"{each.text} is nothing to calculate with")
        if kind is not operand.kind and Kind.ANY not in {kind, operand.kind} and sign in "+-":
            raise invalid_query(f"{operand.text} cannot be added to a {kind.value}, or taken from it")
        kind = Kind.ANY if Kind.ANY in {kind, operand.kind} else kind if kind is Kind.DATETIME else operand.kind
    read = first.evaluate
    following = [(_OPERATIONS[sign], operand.evaluate) for sign, operand in rest]

    def evaluate(name: str, properties: Properties) -> object:
        value = read(name, properties)
        for operation, other in following:
            operand = other(name, properties)
            if not isinstance(value, _CALCULABLE) or not isinstance(operand, _CALCULABLE):
                return None
            try:
                value = operation(value, operand)
            except (TypeError, ValueError, ArithmeticError):
                return None
        return value

    return Operand("the result", kind, evaluate)


def concatenation(parts: list[Operand]) -> Operand:
    """Join strings.

    Raises:
        CIMError: INVALID_QUERY.
    """
    for part in parts:
        if part.kind not in {Kind.STRING, Kind.ANY} or part.is_array:
            raise invalid_query(f"{part.text} is not a string: || joins strings")
    reads = [part.evaluate for part in parts]

    def evaluate(name: str, properties: Properties) -> object:
        values = [read(name, properties) for read in reads]
        texts = [value for value in values if isinstance(value, str)]
        return "".join(texts) if len(texts) == len(values) else None

    return Operand("the string", Kind.STRING, evaluate)

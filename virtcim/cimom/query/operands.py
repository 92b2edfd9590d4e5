"""Operands: compiled expressions, with what is known of them before there is an instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from virtcim.cimom.query.errors import invalid_query
from virtcim.cimom.query.expressions import ALL, Constant, Scalar, Step
from virtcim.cimom.query.values import Kind, kind_of, literal_kind
from virtcim.immutable import immutable
from virtcim.providers.interface import Properties
from virtcim.schema.classes import PropertyDeclaration

__all__ = ["Evaluate", "Operand", "constant_operand", "declared_operand", "indexed", "symbol_operand"]

Evaluate: TypeAlias = Callable[[str, Properties], object]
"""From the class and the properties of an instance to a value; None is NULL, and of a condition unknown."""


@immutable
class Operand:
    """A compiled expression: its value and what is known of it.

    `is_array` is None when that is unknown.  `each` is true for `Property[*]`: compared with one value, it is
    compared element by element.  `constant` is the literal it was.
    """

    text: str
    kind: Kind
    evaluate: Evaluate
    is_array: bool | None = False
    each: bool = False
    ordered: bool = False
    declaration: PropertyDeclaration | None = None
    constant: Constant | None = None


def constant_operand(value: Scalar | tuple[Scalar, ...]) -> Operand:
    """Make an operand of a literal."""
    if isinstance(value, tuple):
        kinds = {literal_kind(each) for each in value} - {Kind.NULL}
        if len(kinds) > 1:
            raise invalid_query("The values of an array have to be of one type")
        kind = kinds.pop() if kinds else Kind.NULL
        return Operand("the array", kind, lambda name, properties: value, is_array=True, constant=Constant(value))
    return Operand(repr(value), literal_kind(value), lambda name, properties: value, constant=Constant(value))


def symbol_operand(declaration: PropertyDeclaration, text: str) -> Operand:
    """A value of a property by its name in the Values qualifier (DSP0004 2.8, sections 5.6.3.54 and 5.6.3.55)."""
    qualifiers = declaration.qualifiers
    values, value_map = (qualifiers[name].value if name in qualifiers else None for name in ("values", "valuemap"))
    names = [str(each).lower() for each in values or ()]
    if text.lower() not in names:
        raise invalid_query(f"{declaration.name} has no value {text!r}")
    position = names.index(text.lower())
    if value_map is None:
        return constant_operand(position)
    mapped: str = value_map[position] if position < len(value_map) else ".."
    if kind_of(declaration) is not Kind.NUMBER:
        return constant_operand(mapped)
    try:
        return constant_operand(int(mapped))
    except ValueError:
        raise invalid_query(f"{declaration.name}: {text!r} stands for more than one value") from None


def declared_operand(text: str, declaration: PropertyDeclaration | None, evaluate: Evaluate) -> Operand:
    """Make an operand of a property; without a declaration, only the instance tells its type."""
    if declaration is None:
        return Operand(text, Kind.ANY, evaluate, is_array=None)
    array_type = declaration.qualifiers.get("arraytype")
    return Operand(
        text,
        kind_of(declaration),
        evaluate,
        is_array=declaration.is_array,
        ordered=array_type is not None and str(array_type.value).lower() != "bag",
        declaration=declaration,
    )


def indexed(operand: Operand, step: Step) -> Operand:
    """The operand with the index of the step applied."""
    index = step.index
    if index is None:
        return operand
    if operand.is_array is False:
        raise invalid_query(f"{operand.text}: {step.name} is not an array")
    if index == ALL:
        return replace(operand, is_array=True, each=True)
    read = operand.evaluate

    def element(name: str, properties: Properties) -> object:
        values = read(name, properties)
        return values[index] if isinstance(values, (list, tuple)) and index < len(values) else None

    return replace(operand, evaluate=element, is_array=False)

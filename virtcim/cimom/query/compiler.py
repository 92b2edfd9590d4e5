"""From an expression to a function over property values.

Everything that can be wrong with a query is found here, once: names, types, literals, patterns.  What is left to do
for an instance is a chain of closures `(class_name, properties) -> value`, in which None is NULL for values and
unknown for conditions (three-valued logic, DSP0202 1.0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from virtcim.cimom.query.calculations import arithmetic, call_function, concatenation
from virtcim.cimom.query.conditions import (
    array_comparison,
    conjunction,
    disjunction,
    negation,
    quantified,
    scalar_comparison,
)
from virtcim.cimom.query.errors import invalid_query
from virtcim.cimom.query.expressions import (
    Arithmetic,
    Call,
    Chain,
    Comparison,
    Concatenation,
    Conjunction,
    Constant,
    Disjunction,
    Expression,
    Is,
    IsA,
    Like,
    Negation,
    Symbol,
)
from virtcim.cimom.query.functions import FUNCTIONS
from virtcim.cimom.query.languages import Language
from virtcim.cimom.query.like import dsp1001_matcher, wql_matcher
from virtcim.cimom.query.operands import Evaluate, Operand, constant_operand, symbol_operand
from virtcim.cimom.query.paths import Paths
from virtcim.cimom.query.values import Kind, Text, comparator, read_text
from virtcim.providers.interface import EmbeddedInstance, InstancePath

__all__ = ["Compiler"]

_MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Compiler:
    """Compiles the expressions of one query.

    Parameters:
        paths: looks up the paths of the query.
        language: decides what LIKE means, and whether literals are converted as WMI does.
    """

    def __init__(self, paths: Paths, language: Language) -> None:
        self._paths = paths
        self._wql = language is Language.WQL
        self._like_matcher = wql_matcher if self._wql else dsp1001_matcher

    def condition(self, expression: Expression) -> Evaluate:
        """The condition as a function that gives True, False or None.

        Raises:
            CIMError: INVALID_QUERY, QUERY_FEATURE_NOT_SUPPORTED.
        """
        match expression:
            case Conjunction(parts):
                return conjunction([self.condition(each) for each in parts])
            case Disjunction(parts):
                return disjunction([self.condition(each) for each in parts])
            case Negation(operand):
                return negation(self.condition(operand))
            case Comparison():
                return self._comparison(expression)
            case Like(operand, pattern, quantifier):
                return self._like(self._operand(operand), pattern, quantifier)
            case IsA(operand, name, quantifier):
                return self._isa(self._operand(operand), name, quantifier)
            case Is(operand, value):
                return self._is(self._operand(operand), value)
            case _:
                return self._truth(self._operand(expression))

    def _operand(self, expression: Expression) -> Operand:
        match expression:
            case Chain():
                return self._paths.operand(expression)
            case Constant(value):
                return constant_operand(value)
            case Symbol(Chain() as chain, text):
                declaration = self._paths.named_by_class(chain) or self._paths.operand(chain).declaration
                if declaration is None:
                    raise invalid_query(f"The type of {chain}, which {text!r} is a value of, is not known")
                return symbol_operand(declaration, text)
            case Symbol(_, text):
                raise invalid_query(f"Nothing tells which property #{text!r} is a value of")
            case Call(function, arguments):
                return call_function(function, [self._operand(each) for each in arguments])
            case Arithmetic(first, rest):
                return arithmetic(self._operand(first), [(sign, self._operand(each)) for sign, each in rest])
            case Concatenation(parts):
                return concatenation([self._operand(each) for each in parts])
            case _:
                return Operand("the condition", Kind.BOOLEAN, self.condition(expression))

    def _comparison(self, node: Comparison) -> Evaluate:
        left, right = self._sides(node.left, node.right)
        symbol = node.operator
        if any(each.kind is Kind.NULL and not each.is_array for each in (left, right)):
            return self._null_comparison(symbol, left, right, node.quantifier)
        if left.is_array is False and right.is_array and (right.each or node.quantifier):
            left, right, symbol = right, left, _MIRRORED[symbol]
        left, right, kind = self._unified(left, right)
        try:
            compare = comparator(symbol, kind)
        except ValueError as error:
            raise invalid_query(f"{left.text} {error}") from error
        if node.quantifier is not None or (left.each and not right.is_array):
            self._check_quantified(left, right)
            return quantified(node.quantifier or "ANY", left.evaluate, right.evaluate, compare)
        if left.is_array and right.is_array:
            if symbol not in {"=", "<>"}:
                raise invalid_query(f"Arrays have no order: {left.text} {symbol} {right.text}")
            same = comparator("=", kind)
            ordered = left.ordered or right.ordered
            return array_comparison(left.evaluate, right.evaluate, same, ordered, symbol == "=")
        for one, other in ((left, right), (right, left)):
            if one.is_array and other.is_array is False:
                raise invalid_query(f"{one.text} is an array: use ANY, EVERY or an index")
        return scalar_comparison(left, right, compare)

    def _sides(self, left: Expression, right: Expression) -> tuple[Operand, Operand]:
        """Both sides; a bare symbol is looked up in the property at the other side."""
        match left, right:
            case Symbol(None, text), _:
                other = self._operand(right)
                return self._beside(text, other), other
            case _, Symbol(None, text):
                other = self._operand(left)
                return other, self._beside(text, other)
        return self._operand(left), self._operand(right)

    def _beside(self, symbol: str, other: Operand) -> Operand:
        if other.declaration is None:
            raise invalid_query(f"Nothing tells which property #{symbol!r} is a value of")
        return symbol_operand(other.declaration, symbol)

    def _null_comparison(self, symbol: str, left: Operand, right: Operand, quantifier: str | None) -> Evaluate:
        """`= NULL` is how FQL asks for NULL, and what many write for IS NULL."""
        if symbol not in {"=", "<>"} or quantifier is not None:
            raise invalid_query("NULL has no order, and is not looked for in arrays")
        tested = left if right.kind is Kind.NULL else right
        is_null = self._is(tested, None)
        return is_null if symbol == "=" else negation(is_null)

    def _unified(self, left: Operand, right: Operand) -> tuple[Operand, Operand, Kind]:
        """Both sides as one kind: a literal is read as what it is compared with."""
        left, right = self._read_as(left, right.kind), self._read_as(right, left.kind)
        kinds = {left.kind, right.kind} - {Kind.NULL}
        if Kind.ANY in kinds:
            return left, right, Kind.ANY
        if len(kinds) > 1:
            raise invalid_query(f"{left.text} is of type {left.kind.value}, {right.text} of type {right.kind.value}")
        return left, right, kinds.pop() if kinds else Kind.ANY

    def _read_as(self, literal: Operand, kind: Kind) -> Operand:
        if literal.constant is None or literal.kind in {kind, Kind.NULL} or kind is Kind.NULL:
            return literal
        value = literal.constant.value
        try:
            if isinstance(value, tuple):
                read: object = tuple(None if each is None else self._read(each, kind) for each in value)
            else:
                read = self._read(value, kind)
        except ValueError as error:
            raise invalid_query(f"{literal.text} {error}") from error
        return replace(literal, kind=kind, evaluate=lambda name, properties: read)

    def _read(self, value: object, kind: Kind) -> object:
        if kind is Kind.ANY:
            return Text.of(value) if isinstance(value, str) else value
        if self._wql and kind is Kind.BOOLEAN and value in (0, 1):
            return bool(value)
        if self._wql and kind is Kind.NUMBER and isinstance(value, str):
            return FUNCTIONS["stringtonumeric"].call(value)
        if isinstance(value, str):
            return read_text(value, kind)
        raise ValueError(f"is not of type {kind.value}")

    def _check_quantified(self, left: Operand, right: Operand) -> None:
        if left.is_array is False:
            raise invalid_query(f"{left.text} is not an array")
        if right.is_array:
            raise invalid_query(f"Elements of {left.text} cannot be compared with an array, {right.text}")

    def _elements(self, operand: Operand, quantifier: str | None, test: Callable[[object], bool | None]) -> Evaluate:
        """The test on the operand, or on its elements."""
        if quantifier is None and not operand.each:
            if operand.is_array:
                raise invalid_query(f"{operand.text} is an array: use ANY, EVERY or an index")
            read = operand.evaluate
            return lambda name, properties: None if (value := read(name, properties)) is None else test(value)
        if operand.is_array is False:
            raise invalid_query(f"{operand.text} is not an array")
        return quantified(
            quantifier or "ANY", operand.evaluate, lambda name, properties: True, lambda value, _: test(value)
        )

    def _like(self, operand: Operand, pattern: str, quantifier: str | None) -> Evaluate:
        if operand.kind not in {Kind.STRING, Kind.ANY}:
            raise invalid_query(f"{operand.text} is of type {operand.kind.value}: LIKE needs a string")
        try:
            matches = self._like_matcher(pattern)
        except ValueError as error:
            raise invalid_query(f"Pattern {pattern[:80]!r}: {error}") from error
        return self._elements(operand, quantifier, lambda value: matches(value) if isinstance(value, str) else None)

    def _isa(self, operand: Operand, name: str, quantifier: str | None) -> Evaluate:
        if operand.kind not in {Kind.INSTANCE, Kind.REFERENCE, Kind.ANY}:
            raise invalid_query(f"{operand.text} is of type {operand.kind.value}: ISA needs an instance")
        classes = self._paths.concrete(name)

        def is_a(value: object) -> bool | None:
            return value.class_name in classes if isinstance(value, (InstancePath, EmbeddedInstance)) else None

        return self._elements(operand, quantifier, is_a)

    def _is(self, operand: Operand, value: bool | None) -> Evaluate:
        read = operand.evaluate
        if value is not None and (operand.kind not in {Kind.BOOLEAN, Kind.ANY} or operand.is_array):
            raise invalid_query(f"{operand.text} is not a boolean")
        return lambda name, properties: read(name, properties) is value

    def _truth(self, operand: Operand) -> Evaluate:
        if operand.kind is Kind.NULL or operand.is_array:
            raise invalid_query(f"{operand.text} is not a condition")
        if operand.kind not in {Kind.BOOLEAN, Kind.ANY}:
            raise invalid_query(f"{operand.text} is of type {operand.kind.value}, not a condition")
        read = operand.evaluate
        return lambda name, properties: value if isinstance(value := read(name, properties), bool) else None

"""From an expression to a function over property values.

Everything that can be wrong with a query is found here, once: names, types, literals, patterns.  What is left to do
for an instance is a chain of closures `(class_name, properties) -> value`, in which None is NULL for values and
unknown for conditions (three-valued logic, DSP0202 1.0).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from virtcim.cimom.query.errors import invalid_query, unsupported_feature
from virtcim.cimom.query.expressions import (
    ALL,
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
    Scalar,
    Step,
    Symbol,
)
from virtcim.cimom.query.functions import FUNCTIONS, REFUSED_FUNCTIONS, class_name
from virtcim.cimom.query.languages import Language
from virtcim.cimom.query.like import dsp1001_matcher, wql_matcher
from virtcim.cimom.query.values import (
    Comparator,
    Kind,
    Text,
    comparator,
    kind_of,
    literal_kind,
    read_text,
    same_array,
)
from virtcim.immutable import immutable
from virtcim.providers.interface import EmbeddedInstance, InstancePath, Properties
from virtcim.schema.classes import ClassDeclaration, ClassStore, PropertyDeclaration

__all__ = ["Compiler", "Evaluate", "Properties"]

Evaluate: TypeAlias = Callable[[str, Properties], object]

_MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@immutable
class _Operand:
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


class Compiler:
    """Compiles the expressions of one query.

    Parameters:
        store: where classes and properties are looked up.
        class_name: the class whose instances are looked at, and its subclasses; None when they are of any class.
        names: lower-case names that stand for the instance: the class and its alias.
        language: decides what LIKE means, and whether literals are converted as WMI does.
        subclass_properties: whether a property may be one that only subclasses have.
        embedded: the classes that embedded instances of any class can be of, where that is known.
    """

    def __init__(
        self,
        store: ClassStore,
        class_name: str | None,
        names: frozenset[str],
        language: Language,
        subclass_properties: bool,
        embedded: frozenset[str] = frozenset(),
    ) -> None:
        self.store = store
        self.class_name = class_name
        self.names = names
        self.wql = language is Language.WQL
        self.like_matcher = wql_matcher if self.wql else dsp1001_matcher
        self.subclass_properties = subclass_properties
        self.embedded = embedded

    def condition(self, expression: Expression) -> Evaluate:
        """The condition as a function that gives True, False or None.

        Raises:
            CIMError: INVALID_QUERY, QUERY_FEATURE_NOT_SUPPORTED.
        """
        match expression:
            case Conjunction(parts):
                return _conjunction([self.condition(each) for each in parts])
            case Disjunction(parts):
                return _disjunction([self.condition(each) for each in parts])
            case Negation(operand):
                return _negation(self.condition(operand))
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

    def _operand(self, expression: Expression) -> _Operand:
        match expression:
            case Chain():
                return self._chain(expression)
            case Constant(value):
                return _constant(value)
            case Symbol(Chain() as chain, text):
                declaration = self._named_by_class(chain) or self._chain(chain).declaration
                if declaration is None:
                    raise invalid_query(f"The type of {chain}, which {text!r} is a value of, is not known")
                return _symbol(declaration, text)
            case Symbol(_, text):
                raise invalid_query(f"Nothing tells which property #{text!r} is a value of")
            case Call(function, arguments):
                return self._call(function, [self._operand(each) for each in arguments])
            case Arithmetic(first, rest):
                return self._arithmetic(self._operand(first), [(sign, self._operand(each)) for sign, each in rest])
            case Concatenation(parts):
                return self._concatenation([self._operand(each) for each in parts])
            case _:
                return _Operand("the condition", Kind.BOOLEAN, self.condition(expression))

    def _chain(self, chain: Chain) -> _Operand:
        if chain.star:
            raise invalid_query(f"{chain} is not a value")
        first, *rest = chain.below(self.names).steps or (None,)
        if first is None or (self.wql and first.name.lower() == "__this" and not rest):
            return _Operand(str(chain) or "the instance", Kind.INSTANCE, EmbeddedInstance)
        if self.wql and first.name.lower() == "__class" and not rest:
            return _Operand(str(chain), Kind.STRING, lambda name, properties: name)
        operand = self._own(first, str(chain))
        for step in rest:
            operand = self._member(operand, step)
        return operand

    def _named_by_class(self, chain: Chain) -> PropertyDeclaration | None:
        """The property that stands in front of a symbol, by the name of its class: `Class.Property#'Value'`
        (DSP0202 1.0, symbolic constants); None where the path begins otherwise."""
        match chain.steps:
            case (Step(owner, None, None), Step(name, None, None)) if owner.lower() not in self.names:
                pass
            case (Step(name, str() as owner, None),):
                pass
            case _:
                return None
        return self._declared(owner, name) if owner in self.store else None

    def check_selected(self, chain: Chain) -> None:
        """Look up the names of a path in a SELECT list.

        Raises:
            CIMError: INVALID_QUERY; QUERY_FEATURE_NOT_SUPPORTED for elements of arrays.
        """
        if any(step.index not in {None, ALL} for step in chain.steps):
            raise unsupported_feature(f"{chain} in a SELECT list")
        self._chain(replace(chain, star=False))

    def _own(self, step: Step, text: str) -> _Operand:
        """A property of the instance."""
        classes = None
        if step.scope is None:
            declaration = self._declared(self.class_name, step.name)
        else:
            scope = self._class(step.scope)
            if self.class_name is not None and not (
                self.store.is_a(scope.name, self.class_name) or self.store.is_a(self.class_name, scope.name)
            ):
                raise invalid_query(f"{self.class_name} is not of class {scope.name}")
            declaration = self._declared(scope.name, step.name)
            classes = self.store.concrete(scope.name)
        evaluate: Evaluate
        if declaration is None:
            evaluate = self._finder(step.name)
        else:
            key = declaration.name
            if classes is None:

                def evaluate(name: str, properties: Properties) -> object:
                    return properties.get(key)
            else:

                def evaluate(name: str, properties: Properties) -> object:
                    return properties.get(key) if name in classes else None

        return _indexed(_declared_operand(text, declaration, evaluate), step)

    def _member(self, owner: _Operand, step: Step) -> _Operand:
        """A property of an embedded instance."""
        if owner.kind not in {Kind.INSTANCE, Kind.ANY} or (owner.is_array and not owner.each):
            raise invalid_query(f"{owner.text}: {step.name} is asked of something that is not an embedded instance")
        classes = None
        inside = owner.declaration.embedded_class if owner.declaration else None
        if step.scope is not None:
            inside = self._class(step.scope).name
            classes = self.store.concrete(inside)
        is_known = inside and inside in self.store
        declaration = self._declared(inside, step.name) if is_known else self._common(step.name)
        find = self._finder(step.name) if declaration is None else None
        key = step.name if declaration is None else declaration.name

        def member(value: object) -> object:
            if not isinstance(value, EmbeddedInstance) or (classes is not None and value.class_name not in classes):
                return None
            return value.properties.get(key) if find is None else find(value.class_name, value.properties)

        read = owner.evaluate
        if not owner.each:
            single = _declared_operand(owner.text, declaration, lambda name, properties: member(read(name, properties)))
            return _indexed(single, step)

        one = _indexed(
            _declared_operand(owner.text, declaration, lambda name, properties: member(properties["value"])), step
        )

        def members(name: str, properties: Properties) -> object:
            values = read(name, properties)
            if not isinstance(values, (list, tuple)):
                return None
            found = [one.evaluate(name, {"value": value}) for value in values]
            return [each for part in found if isinstance(part, (list, tuple)) for each in part] if one.each else found

        if one.is_array and not one.each:
            raise invalid_query(f"{owner.text}: an array in an array needs an index")
        return replace(one, evaluate=members, is_array=True, each=True)

    def _class(self, name: str) -> ClassDeclaration:
        declaration = self.store.get(name)
        if declaration is None:
            raise invalid_query(f"Class {name} does not exist")
        return declaration

    def _declared(self, owner: str | None, name: str) -> PropertyDeclaration | None:
        """The declaration of a property; None when only the instance will tell its type."""
        if owner is None:
            return None
        declaration = self._class(owner).properties.get(name.lower())
        if declaration is not None:
            return declaration
        if self.subclass_properties and any(
            name.lower() in self.store[each].properties for each in self.store.subclasses(owner, deep=True)
        ):
            return None
        raise invalid_query(f"Class {owner} has no property {name}")

    def _common(self, name: str) -> PropertyDeclaration | None:
        """The declaration of a property that all embedded instances have from one class; None for any other."""
        classes = (self.store[each].properties for each in self.embedded)
        found = [properties[name.lower()] for properties in classes if name.lower() in properties]
        origins = {(each.class_origin, each.type, each.is_array) for each in found}
        return self._declared(found[0].class_origin, name) if len(origins) == 1 else None

    def _finder(self, name: str) -> Evaluate:
        """Reads a property whose class, and so its spelling, only the instance tells."""
        key, store, spellings = name.lower(), self.store, dict[str, str]()

        def find(class_name: str, properties: Properties) -> object:
            spelling = spellings.get(class_name)
            if spelling is None:
                declaration = store.get(class_name)
                if declaration is None:
                    return next((value for each, value in properties.items() if each.lower() == key), None)
                own = declaration.properties.get(key)
                spelling = spellings[class_name] = name if own is None else own.name
            return properties.get(spelling)

        return find

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
            return _quantified(node.quantifier or "ANY", left.evaluate, right.evaluate, compare)
        if left.is_array and right.is_array:
            if symbol not in {"=", "<>"}:
                raise invalid_query(f"Arrays have no order: {left.text} {symbol} {right.text}")
            same = comparator("=", kind)
            ordered = left.ordered or right.ordered
            return _array_comparison(left.evaluate, right.evaluate, same, ordered, symbol == "=")
        for one, other in ((left, right), (right, left)):
            if one.is_array and other.is_array is False:
                raise invalid_query(f"{one.text} is an array: use ANY, EVERY or an index")
        return _scalar_comparison(left, right, compare)

    def _sides(self, left: Expression, right: Expression) -> tuple[_Operand, _Operand]:
        """Both sides; a bare symbol is looked up in the property at the other side."""
        match left, right:
            case Symbol(None, text), _:
                other = self._operand(right)
                return self._beside(text, other), other
            case _, Symbol(None, text):
                other = self._operand(left)
                return other, self._beside(text, other)
        return self._operand(left), self._operand(right)

    def _beside(self, symbol: str, other: _Operand) -> _Operand:
        if other.declaration is None:
            raise invalid_query(f"Nothing tells which property #{symbol!r} is a value of")
        return _symbol(other.declaration, symbol)

    def _null_comparison(self, symbol: str, left: _Operand, right: _Operand, quantifier: str | None) -> Evaluate:
        """`= NULL` is how FQL asks for NULL, and what many write for IS NULL."""
        if symbol not in {"=", "<>"} or quantifier is not None:
            raise invalid_query("NULL has no order, and is not looked for in arrays")
        tested = left if right.kind is Kind.NULL else right
        is_null = self._is(tested, None)
        return is_null if symbol == "=" else _negation(is_null)

    def _unified(self, left: _Operand, right: _Operand) -> tuple[_Operand, _Operand, Kind]:
        """Both sides as one kind: a literal is read as what it is compared with."""
        left, right = self._read_as(left, right.kind), self._read_as(right, left.kind)
        kinds = {left.kind, right.kind} - {Kind.NULL}
        if Kind.ANY in kinds:
            return left, right, Kind.ANY
        if len(kinds) > 1:
            raise invalid_query(f"{left.text} is of type {left.kind.value}, {right.text} of type {right.kind.value}")
        return left, right, kinds.pop() if kinds else Kind.ANY

    def _read_as(self, literal: _Operand, kind: Kind) -> _Operand:
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
        if self.wql and kind is Kind.BOOLEAN and value in (0, 1):
            return bool(value)
        if self.wql and kind is Kind.NUMBER and isinstance(value, str):
            return FUNCTIONS["stringtonumeric"].call(value)
        if isinstance(value, str):
            return read_text(value, kind)
        raise ValueError(f"is not of type {kind.value}")

    def _check_quantified(self, left: _Operand, right: _Operand) -> None:
        if left.is_array is False:
            raise invalid_query(f"{left.text} is not an array")
        if right.is_array:
            raise invalid_query(f"Elements of {left.text} cannot be compared with an array, {right.text}")

    def _elements(self, operand: _Operand, quantifier: str | None, test: Callable[[object], bool | None]) -> Evaluate:
        """The test on the operand, or on its elements."""
        if quantifier is None and not operand.each:
            if operand.is_array:
                raise invalid_query(f"{operand.text} is an array: use ANY, EVERY or an index")
            read = operand.evaluate
            return lambda name, properties: None if (value := read(name, properties)) is None else test(value)
        if operand.is_array is False:
            raise invalid_query(f"{operand.text} is not an array")
        return _quantified(
            quantifier or "ANY", operand.evaluate, lambda name, properties: True, lambda value, _: test(value)
        )

    def _like(self, operand: _Operand, pattern: str, quantifier: str | None) -> Evaluate:
        if operand.kind not in {Kind.STRING, Kind.ANY}:
            raise invalid_query(f"{operand.text} is of type {operand.kind.value}: LIKE needs a string")
        try:
            matches = self.like_matcher(pattern)
        except ValueError as error:
            raise invalid_query(f"Pattern {pattern[:80]!r}: {error}") from error
        return self._elements(operand, quantifier, lambda value: matches(value) if isinstance(value, str) else None)

    def _isa(self, operand: _Operand, name: str, quantifier: str | None) -> Evaluate:
        if operand.kind not in {Kind.INSTANCE, Kind.REFERENCE, Kind.ANY}:
            raise invalid_query(f"{operand.text} is of type {operand.kind.value}: ISA needs an instance")
        classes = self.store.concrete(self._class(name).name)

        def is_a(value: object) -> bool | None:
            return value.class_name in classes if isinstance(value, (InstancePath, EmbeddedInstance)) else None

        return self._elements(operand, quantifier, is_a)

    def _is(self, operand: _Operand, value: bool | None) -> Evaluate:
        read = operand.evaluate
        if value is not None and (operand.kind not in {Kind.BOOLEAN, Kind.ANY} or operand.is_array):
            raise invalid_query(f"{operand.text} is not a boolean")
        return lambda name, properties: read(name, properties) is value

    def _truth(self, operand: _Operand) -> Evaluate:
        if operand.kind is Kind.NULL or operand.is_array:
            raise invalid_query(f"{operand.text} is not a condition")
        if operand.kind not in {Kind.BOOLEAN, Kind.ANY}:
            raise invalid_query(f"{operand.text} is of type {operand.kind.value}, not a condition")
        read = operand.evaluate
        return lambda name, properties: value if isinstance(value := read(name, properties), bool) else None

    def _call(self, name: str, arguments: list[_Operand]) -> _Operand:
        if name in REFUSED_FUNCTIONS:
            raise unsupported_feature(f"Function {name}")
        if name == "classname":
            return self._class_name_call(arguments)
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
            return _Operand(name, function.value, lambda name, properties: value)
        return _Operand(name, function.value, evaluate)

    def _class_name_call(self, arguments: list[_Operand]) -> _Operand:
        if not arguments:
            return _Operand("ClassName", Kind.STRING, lambda name, properties: name)
        argument, *others = arguments
        if others or argument.kind not in {Kind.INSTANCE, Kind.REFERENCE, Kind.ANY} or argument.is_array:
            raise invalid_query("ClassName takes an instance or a reference")
        read = argument.evaluate

        def evaluate(name: str, properties: Properties) -> object:
            value = read(name, properties)
            return class_name(value) if isinstance(value, (InstancePath, EmbeddedInstance)) else None

        return _Operand("ClassName", Kind.STRING, evaluate)

    def _arithmetic(self, first: _Operand, rest: list[tuple[str, _Operand]]) -> _Operand:
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

        return _Operand("the result", kind, evaluate)

    def _concatenation(self, parts: list[_Operand]) -> _Operand:
        for part in parts:
            if part.kind not in {Kind.STRING, Kind.ANY} or part.is_array:
                raise invalid_query(f"{part.text} is not a string: || joins strings")
        reads = [part.evaluate for part in parts]

        def evaluate(name: str, properties: Properties) -> object:
            values = [read(name, properties) for read in reads]
            texts = [value for value in values if isinstance(value, str)]
            return "".join(texts) if len(texts) == len(values) else None

        return _Operand("the string", Kind.STRING, evaluate)


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


def _constant(value: Scalar | tuple[Scalar, ...]) -> _Operand:
    if isinstance(value, tuple):
        kinds = {literal_kind(each) for each in value} - {Kind.NULL}
        if len(kinds) > 1:
            raise invalid_query("The values of an array have to be of one type")
        kind = kinds.pop() if kinds else Kind.NULL
        return _Operand("the array", kind, lambda name, properties: value, is_array=True, constant=Constant(value))
    return _Operand(repr(value), literal_kind(value), lambda name, properties: value, constant=Constant(value))


def _symbol(declaration: PropertyDeclaration, text: str) -> _Operand:
    """A value of a property by its name in the Values qualifier (DSP0004 2.8, sections 5.6.3.54 and 5.6.3.55)."""
    qualifiers = declaration.qualifiers
    values, value_map = (qualifiers[name].value if name in qualifiers else None for name in ("values", "valuemap"))
    names = [str(each).lower() for each in values or ()]
    if text.lower() not in names:
        raise invalid_query(f"{declaration.name} has no value {text!r}")
    position = names.index(text.lower())
    if value_map is None:
        return _constant(position)
    mapped: str = value_map[position] if position < len(value_map) else ".."
    if kind_of(declaration) is not Kind.NUMBER:
        return _constant(mapped)
    try:
        return _constant(int(mapped))
    except ValueError:
        raise invalid_query(f"{declaration.name}: {text!r} stands for more than one value") from None


def _declared_operand(text: str, declaration: PropertyDeclaration | None, evaluate: Evaluate) -> _Operand:
    if declaration is None:
        return _Operand(text, Kind.ANY, evaluate, is_array=None)
    array_type = declaration.qualifiers.get("arraytype")
    return _Operand(
        text,
        kind_of(declaration),
        evaluate,
        is_array=declaration.is_array,
        ordered=array_type is not None and str(array_type.value).lower() != "bag",
        declaration=declaration,
    )


def _indexed(operand: _Operand, step: Step) -> _Operand:
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


def _conjunction(parts: Sequence[Evaluate]) -> Evaluate:
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


def _disjunction(parts: Sequence[Evaluate]) -> Evaluate:
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


def _negation(part: Evaluate) -> Evaluate:
    def evaluate(name: str, properties: Properties) -> bool | None:
        value = part(name, properties)
        return None if value is None else not value

    return evaluate


def _scalar_comparison(left: _Operand, right: _Operand, compare: Comparator) -> Evaluate:
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


def _quantified(quantifier: str, elements: Evaluate, other: Evaluate, compare: Comparator) -> Evaluate:
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


def _array_comparison(left: Evaluate, right: Evaluate, same: Comparator, ordered: bool, wanted: bool) -> Evaluate:
    def evaluate(name: str, properties: Properties) -> bool | None:
        ours, theirs = left(name, properties), right(name, properties)
        if not isinstance(ours, (list, tuple)) or not isinstance(theirs, (list, tuple)):
            return None
        return same_array(ours, theirs, same, ordered) is wanted

    return evaluate

"""What a query says, as plain values: the tree that the parser builds and the compiler reads.

Names are kept as the client spelt them.  `and`, `or`, `+`, `*` and `||` hold all their operands side by side, so
that only parentheses make the tree deep.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from virtcim.immutable import immutable

__all__ = [
    "ALL",
    "Arithmetic",
    "Call",
    "Chain",
    "Comparison",
    "Concatenation",
    "Conjunction",
    "Constant",
    "Disjunction",
    "Expression",
    "Is",
    "IsA",
    "Like",
    "Negation",
    "Scalar",
    "Step",
    "Symbol",
    "chains",
]

Scalar: TypeAlias = bool | int | float | str | None

ALL: Final = -1
"""The index of `[*]`."""


@immutable
class Step:
    """One name of a chain: `Scope::Name[index]`.  `index` is None without brackets, `ALL` for `[*]` and `[]`."""

    name: str
    scope: str | None = None
    index: int | None = None

    def __str__(self) -> str:
        scope = "" if self.scope is None else f"{self.scope}::"
        index = "" if self.index is None else f"[{'*' if self.index == ALL else self.index}]"
        return f"{scope}{self.name}{index}"


@immutable
class Chain:
    """A path to a property: `Class.Property`, `SourceInstance.Class::Property[*]`.

    `star` is true for `Class.*`.  No step at all stands for the instance itself.
    """

    steps: tuple[Step, ...]
    star: bool = False

    def __str__(self) -> str:
        return ".".join([*map(str, self.steps), *(["*"] if self.star else [])])

    def below(self, names: frozenset[str]) -> Chain:
        """The path without the name of the class or its alias in front; `names` are in lower case."""
        first = self.steps[0]
        if first.scope is None and first.index is None and first.name.lower() in names:
            return Chain(self.steps[1:], self.star)
        return self


@immutable
class Constant:
    """A literal; a tuple for an array."""

    value: Scalar | tuple[Scalar, ...]

    def __str__(self) -> str:
        return repr(self.value)


@immutable
class Symbol:
    """A symbolic constant, `Class.EnabledState#'Enabled'` (DSP0202 1.0, Values and ValueMap).

    `chain` is None where the other side of the comparison names the property.
    """

    chain: Chain | None
    text: str


@immutable
class Call:
    """A function call; the name in lower case."""

    function: str
    arguments: tuple[Expression, ...]


@immutable
class Arithmetic:
    """`first` and then, from left to right, the operators `+ - * /` with their operands."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]


@immutable
class Concatenation:
    """Strings joined by `||`."""

    parts: tuple[Expression, ...]


@immutable
class Comparison:
    """`operator` is one of `= <> < <= > >=`; `quantifier` is "ANY", "EVERY" or None."""

    operator: str
    left: Expression
    right: Expression
    quantifier: str | None = None


@immutable
class Like:
    """Match against a pattern, which is in the dialect of the query's language."""

    operand: Expression
    pattern: str
    quantifier: str | None = None


@immutable
class Is:
    """`IS NULL`, `IS TRUE`, `IS FALSE`: never unknown."""

    operand: Expression
    value: bool | None


@immutable
class IsA:
    """Whether an instance or reference is of a class or one of its subclasses."""

    operand: Expression
    class_name: str
    quantifier: str | None = None


@immutable
class Negation:
    """NOT."""

    operand: Expression


@immutable
class Conjunction:
    """AND."""

    parts: tuple[Expression, ...]


@immutable
class Disjunction:
    """OR."""

    parts: tuple[Expression, ...]


Expression: TypeAlias = (
    Chain
    | Constant
    | Symbol
    | Call
    | Arithmetic
    | Concatenation
    | Comparison
    | Like
    | Is
    | IsA
    | Negation
    | Conjunction
    | Disjunction
)


def chains(expression: Expression) -> Iterator[Chain]:
    """The paths whose values the expression reads."""
    waiting = [expression]
    while waiting:
        match waiting.pop():
            case Chain() as chain:
                yield chain
            case Call(_, arguments):
                waiting.extend(arguments)
            case Arithmetic(first, rest):
                waiting.append(first)
                waiting.extend(operand for _, operand in rest)
            case Comparison(_, left, right):
                waiting.extend((left, right))
            case Like(operand) | Is(operand) | IsA(operand) | Negation(operand):
                waiting.append(operand)
            case Concatenation(parts) | Conjunction(parts) | Disjunction(parts):
                waiting.extend(parts)
            case Constant() | Symbol():
                pass

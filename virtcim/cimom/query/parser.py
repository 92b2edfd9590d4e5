"""Text to queries, with the grammars beside this module (`select.lark`, `fql.lark`, `literals.lark`).

The parser is LALR(1): its time grows with the length of the text, and it does not recurse.  `MAX_NESTING` keeps
everything that walks the tree afterwards within the stack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from threading import Lock
from typing import Any, NoReturn, TypeAlias

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

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
from virtcim.cimom.query.languages import Language
from virtcim.cimom.query.queries import AssociationQuery, Filter, Query
from virtcim.schema.paths import parse_path

__all__ = ["parse"]

MAX_LENGTH = 16 * 1024
"""Characters of a query.  The longest that management software is known to send have 2000."""

MAX_NESTING = 32
"""Parentheses in parentheses."""

MAX_PATTERNS = 32
"""Patterns of LIKE: each looks at every character of a text that others may have made long, for each indication."""

MAX_NUMBER_LENGTH = 64
"""Characters of a number: uint64 needs 64 binary digits and a letter at most."""

MAX_INDEX = 2**31 - 1

Clause: TypeAlias = tuple[str, str | None]
"""A clause of an association query: its name in lower case, and its value."""


def parse(language: Language, text: str) -> Query | Filter | AssociationQuery:
    """Parse a query.

    Raises:
        CIMError: INVALID_QUERY with the position and what is expected there; QUERY_FEATURE_NOT_SUPPORTED.
    """
    if len(text) > MAX_LENGTH:
        raise invalid_query(f"The query has {len(text)} characters; no more than {MAX_LENGTH} are read")
    grammar, start = _GRAMMARS[language]
    try:
        parsed: Any = _parser(grammar).parse(text, start=start)
    except UnexpectedInput as error:
        raise invalid_query(_describe(error, text)) from None
    if language is Language.FQL:
        return Filter(language, text, parsed)
    result: Query | AssociationQuery = parsed(language, text)
    return result


_GRAMMARS = {
    Language.CQL: ("select.lark", "cql"),
    Language.WQL: ("select.lark", "wql"),
    Language.FQL: ("fql.lark", "start"),
}


_LOADING = Lock()
"""Held while a grammar is loaded: one that is loaded already is waited for, and not loaded a second time."""


def _parser(grammar: str) -> Lark:
    with _LOADING:
        return _loaded(grammar)


@cache
def _loaded(grammar: str) -> Lark:
    return Lark.open(
        grammar,
        rel_to=__file__,
        parser="lalr",
        start=[start for name, start in _GRAMMARS.values() if name == grammar],
        transformer=_Builder(),
        postlex=_Limits(),
        maybe_placeholders=True,
    )


class _Limits:
    """Watches the tokens on their way from the lexer to the parser."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = patterns = 0
        for token in stream:
            if token.type == "LPAR":
                depth += 1
                if depth > MAX_NESTING:
                    position = (token.start_pos or 0) + 1
                    raise invalid_query(f"More than {MAX_NESTING} parentheses in parentheses, at position {position}")
            elif token.type == "RPAR":
                depth -= 1
            elif token.type == "_LIKE":
                patterns += 1
                if patterns > MAX_PATTERNS:
                    position = (token.start_pos or 0) + 1
                    raise invalid_query(f"More than {MAX_PATTERNS} patterns of LIKE, at position {position}")
            yield token


_EXPECTED = {
    "NAME": "a name",
    "STRING": "a string",
    "INTEGER": "a number",
    "HEXADECIMAL": "a number",
    "BINARY": "a number",
    "REAL": "a number",
    "SIGN": "+ or -",
    "FACTOR": "* or /",
    "EQUALITY": "= or <>",
    "ORDERING": "< or >",
    "OBJECT": "{path}",
    "$END": "the end",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "LBRACE": "{",
    "RBRACE": "}",
    "COMMA": ",",
    "DOT": ".",
    "STAR": "*",
    "HASH": "#",
    "EQUAL": "=",
}

_KEYWORD = re.compile(r"_?[A-Z]+\Z")


def _describe(error: UnexpectedInput, text: str) -> str:
    if isinstance(error, UnexpectedToken):
        position = len(text) if error.token.type == "$END" else error.token.start_pos or 0
        expected = error.accepts or error.expected
    else:
        position = error.pos_in_stream or 0
        expected = error.allowed or set() if isinstance(error, UnexpectedCharacters) else set()
    found = f"{text[position : position + 16]!r}" if position < len(text) else "the end"
    known = (name for name in expected if name in _EXPECTED or _KEYWORD.match(name))
    names = sorted({_EXPECTED.get(name) or name.lstrip("_") for name in known})
    return f"Syntax error at position {position + 1}: found {found}, expected {', '.join(names)}"


def _refuse(feature: str) -> Callable[..., NoReturn]:
    def refuse(self: _Builder, *children: object) -> NoReturn:
        raise unsupported_feature(feature)

    return refuse


_OPERATORS = {"!=": "<>"}

_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4,6})|([btnfr\\'\"]))")


def _unquoted(token: str) -> str:
    """The string in a literal (DSP0202 1.0, `literal-string`).

    `\\u` takes as many of the next four to six hexadecimal digits as there are.  A backslash before a character that
    has no escape stands for itself, so that `'\\.'` reaches LIKE as it is.
    """

    def unescaped(match: re.Match[str]) -> str:
        digits, letter = match.groups()
        if letter is not None:
            return _ESCAPES[letter]
        code = int(digits, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise invalid_query(f"{match[0]} is not a character")
        return chr(code)

    return _ESCAPE.sub(unescaped, token[1:-1])


def _quantifier(token: Token | None) -> str | None:
    return None if token is None else token.upper()


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Turns each rule, when the parser is through with it, into a value of `expressions`."""

    def string(self, token: Token) -> Constant:
        return Constant(_unquoted(token))

    def number(self, *tokens: Token | None) -> Constant:
        sign, token = tokens[-2] if len(tokens) > 1 else None, tokens[-1]
        assert token is not None
        if len(token) > MAX_NUMBER_LENGTH + 1:
            raise invalid_query(f"{token[:MAX_NUMBER_LENGTH]}... has too many digits")
        value: int | float
        if token.type == "REAL":
            value = float(token)
            if math.isinf(value):
                raise invalid_query(f"{token} is too large")
        elif token.type == "BINARY":
            value = int(token[:-1], 2)
        else:
            value = int(token, 16 if token.type == "HEXADECIMAL" else 10)
        return Constant(-value if sign == "-" else value)

    def boolean(self, token: Token) -> Constant:
        return Constant(token.type == "TRUE")

    def null(self, token: Token) -> Constant:
        return Constant(None)

    def array(self, *elements: Constant | None) -> Constant:
        values: list[Scalar] = []
        for element in elements:
            if element is not None:
                assert not isinstance(element.value, tuple)
                values.append(element.value)
        return Constant(tuple(values))

    def index(self, *tokens: Token) -> int:
        if len(tokens) > 1:
            raise unsupported_feature("More than one index in brackets")
        number = int(tokens[0]) if len(tokens[0]) < MAX_NUMBER_LENGTH else MAX_INDEX
        return min(number, MAX_INDEX)

    def all_elements(self) -> int:
        return ALL

    def step(self, *children: Token | int | None) -> Step:
        *scope, name, index = children
        assert index is None or isinstance(index, int)
        return Step(str(name), str(scope[0]) if scope and scope[0] is not None else None, index)

    def chain(self, *children: Step | bool | None) -> Chain:
        steps = tuple(each for each in children if isinstance(each, Step))
        return Chain(steps, star=children[-1] is True)

    def chain_star(self) -> bool:
        return True

    def symbol(self, chain: Chain | None, token: Token) -> Symbol:
        return Symbol(chain, _unquoted(token))

    def call(self, name: Token, *arguments: Expression | None) -> Call:
        return Call(name.lower(), tuple(each for each in arguments if each is not None))

    def all(self) -> None:
        return None

    def concatenation(self, *parts: Expression) -> Concatenation:
        return Concatenation(parts)

    def product(self, first: Expression, *rest: Any) -> Arithmetic:
        return Arithmetic(first, tuple((str(sign), part) for sign, part in zip(rest[::2], rest[1::2], strict=True)))

    arithmetic = product

    def comparison(self, quantifier: Token | None, left: Expression, symbol: Token, right: Expression) -> Comparison:
        return Comparison(_OPERATORS.get(symbol, str(symbol)), left, right, _quantifier(quantifier))

    def like(
        self, quantifier: Token | None, operand: Expression, negated: Token | None, pattern: Expression
    ) -> Expression:
        if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
            raise unsupported_feature("LIKE with a pattern that is not a string")
        like = Like(operand, pattern.value, _quantifier(quantifier))
        return like if negated is None else Negation(like)

    def is_value(self, operand: Expression, negated: Token | None, value: Constant) -> Expression:
        assert value.value is None or isinstance(value.value, bool)
        test = Is(operand, value.value)
        return test if negated is None else Negation(test)

    def isa(self, quantifier: Token | None, operand: Expression, name: Token | Constant) -> IsA:
        class_name = str(name.value if isinstance(name, Constant) else name)
        return IsA(operand, class_name, _quantifier(quantifier))

    def negation(self, token: Token, operand: Expression) -> Expression:
        return operand.operand if isinstance(operand, Negation) else Negation(operand)

    def conjunction(self, *parts: Expression) -> Conjunction:
        return Conjunction(parts)

    def disjunction(self, *parts: Expression) -> Disjunction:
        return Disjunction(parts)

    def entry(self, value: Expression) -> Chain:
        if not isinstance(value, Chain):
            raise unsupported_feature("Anything but properties in a SELECT list")
        return value

    def source(self, name: Token, alias: Token | None) -> tuple[str, str | None]:
        return str(name), None if alias is None else str(alias)

    def select(self, *children: Any) -> Callable[[Language, str], Query]:
        *entries, source, where = children
        select = None if entries == [None] else tuple(entries)
        class_name, alias = source
        return lambda language, text: Query(language, text, class_name, alias, select, where)

    renamed_entry = _refuse("AS in a SELECT list")
    first = _refuse("FIRST")
    distinct = _refuse("DISTINCT")
    join = _refuse("More than one class in FROM")
    subquery = _refuse("A query in FROM")
    satisfies = _refuse("SATISFIES")
    order_by = _refuse("ORDER BY")
    within = _refuse("WITHIN")
    group = _refuse("GROUP")
    range = _refuse("A range of indices")

    def clause(self, name: Token, value: Token | None) -> tuple[str, str | None]:
        if value is None:
            return name.lower(), None
        return name.lower(), _unquoted(value) if value.type == "STRING" else str(value)

    def associators(self, path: Token, *clauses: Clause | None) -> Callable[[Language, str], AssociationQuery]:
        return _association(path, clauses, references=False)

    def references(self, path: Token, *clauses: Clause | None) -> Callable[[Language, str], AssociationQuery]:
        return _association(path, clauses, references=True)


_CLAUSES = {"assocclass": "assoc_class", "resultclass": "result_class", "role": "role", "resultrole": "result_role"}
_REFERENCE_CLAUSES = {"resultclass", "role"}
_REFUSED_CLAUSES = {"classdefsonly", "schemaonly", "requiredqualifier", "requiredassocqualifier"}


def _association(
    token: Token, clauses: tuple[Clause | None, ...], references: bool
) -> Callable[[Language, str], AssociationQuery]:
    try:
        path = parse_path(token[1:-1])
    except ValueError as error:
        raise invalid_query(f"{token[:80]} {error}") from None
    given: dict[str, str | None] = {}
    for clause in clauses:
        if clause is None:
            continue
        name, value = clause
        if name in _REFUSED_CLAUSES:
            raise unsupported_feature(f"{name} in an association query")
        known = name in (_REFERENCE_CLAUSES if references else _CLAUSES)
        key = "keys_only" if name == "keysonly" else _CLAUSES[name] if known else None
        if key is None or key in given or (value is None) is not (key == "keys_only"):
            raise invalid_query(f"{name} is unknown here, given twice, or has a value too few or too many")
        given[key] = value
    return lambda language, text: AssociationQuery(
        text,
        references,
        path,
        assoc_class=given.get("assoc_class"),
        result_class=given.get("result_class"),
        role=given.get("role"),
        result_role=given.get("result_role"),
        keys_only="keys_only" in given,
    )

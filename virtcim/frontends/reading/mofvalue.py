"""Embedded instances written as MOF: `instance of CIM_X { Name = "x"; };` (DSP0004 2.8, Annex A).

Some clients, those that grew up with WMI, send settings in this form.  It is read with the grammar beside this module
(`mofvalue.lark`) and without the class: what type a value has to be is told later, as for CIM-XML, by the same reader.
The parser is LALR(1): the time it takes grows with the length of the text and no faster, and it does not recurse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken

from virtcim.frontends.reading.raw import RawInstance, RawProperty

__all__ = ["MAX_LENGTH", "parse_mof_instance"]

MAX_LENGTH = 256 * 1024
"""Characters of MOF text; the settings of a guest have some hundred."""

MAX_NUMBER_LENGTH = 128
"""Characters of a number: uint64 has 64 binary digits at most."""


def parse_mof_instance(text: str) -> RawInstance:
    """Read one instance in MOF.

    Properties that are NULL are left out.  Numbers come out as decimal ones, or as they are written where they have a
    fraction; booleans as TRUE and FALSE; strings and characters as what they stand for.

    Raises:
        ValueError: when `text` is not one instance; the text says where, and quotes nothing.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"MOF has {len(text)} characters; expected at most {MAX_LENGTH}")
    try:
        instance: RawInstance = _parser().parse(text)  # type: ignore[assignment]  # the transformer's
    except _Refused as fault:
        position, expected = fault.position, fault.expected
    except UnexpectedToken as error:
        position = len(text) if error.token.type == "$END" else error.token.start_pos or 0
        expected = _describe(error.accepts or error.expected)
    except UnexpectedInput as error:
        position = error.pos_in_stream or 0
        expected = "an end of the comment" if text.startswith("/*", position) else "MOF"
    else:
        return instance
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    raise ValueError(f"MOF, line {line}, column {column}: expected {expected}")


@cache
def _parser() -> Lark:
    return Lark.open("mofvalue.lark", rel_to=__file__, parser="lalr", start="instance", transformer=_Builder())


_EXPECTED = {
    "NAME": "a name",
    "_INSTANCE": "'instance'",
    "_OF": "'of'",
    "$END": "the end, after one instance",
    "EQUAL": "=",
    "COMMA": ",",
    "COLON": ":",
    "SEMICOLON": ";",
    "LBRACE": "{",
    "RBRACE": "}",
    "LSQB": "[",
    "RSQB": "]",
    "LPAR": "(",
    "RPAR": ")",
}


def _describe(terminals: set[str]) -> str:
    return " or ".join(sorted({_EXPECTED.get(each, "a value") for each in terminals}))


class _Refused(Exception):
    """A token that fits the grammar and stands for nothing."""

    def __init__(self, token: Token, expected: str) -> None:
        super().__init__(expected)
        self.position = token.start_pos or 0
        self.expected = expected


_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{1,4})|(.))")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def _unquoted(token: Token) -> str:
    """The text that a string or character stands for."""

    def character(match: re.Match[str]) -> str:
        digits, letter = match.groups()
        found = _ESCAPES.get(letter) if digits is None else chr(int(digits, 16))
        if found is None or "\ud800" <= found <= "\udfff":
            raise _Refused(token, "an escape sequence of MOF in a string")
        return found

    return _ESCAPE.sub(character, token[1:-1]) if "\\" in token else token[1:-1]


def _joined(tokens: list[Token]) -> str:
    return "".join(map(_unquoted, tokens)) if len(tokens) > 1 else _unquoted(tokens[0])


def _number(read: Callable[[str], int | str]) -> Callable[[list[Token]], str]:
    def number(tokens: list[Token]) -> str:
        (token,) = tokens
        if len(token) > MAX_NUMBER_LENGTH:
            raise _Refused(token, f"a number of at most {MAX_NUMBER_LENGTH} characters")
        return str(read(token))

    return number


_READERS: dict[str, Callable[[list[Token]], str | None]] = {
    "STRING": _joined,
    "CHARACTER": _joined,
    "DECIMAL": _number(str),
    "REAL": _number(str),
    "HEXADECIMAL": _number(lambda text: int(text, 16)),
    "OCTAL": _number(lambda text: int(text, 8)),
    "BINARY": _number(lambda text: int(text[:-1], 2)),
    "TRUE": lambda _: "TRUE",
    "FALSE": lambda _: "FALSE",
    "NULL": lambda _: None,
}
"""Read a value, by the terminal that it begins with."""


class _Builder(Transformer[Token, RawInstance]):
    """Turns each rule, when the parser is through with it, into what it stands for."""

    def instance(self, parts: list[Token | RawProperty]) -> RawInstance:
        name = next(each for each in parts if isinstance(each, Token))
        properties = (each for each in parts if isinstance(each, RawProperty) and each.value is not None)
        return RawInstance(str(name), tuple(properties))

    def property(self, parts: list[Any]) -> RawProperty:
        name, value = parts[-2:]
        return RawProperty(str(name), value)

    def array(self, values: list[str | None]) -> list[str | None]:
        return values

    def value(self, tokens: list[Token]) -> str | None:
        return _READERS[tokens[0].type](tokens)

    def qualifier(self, _parts: list[Any]) -> None:
        return None

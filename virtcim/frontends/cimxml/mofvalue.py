"""Embedded instances written as MOF: `instance of CIM_X { Name = "x"; };` (DSP0004 2.8, Annex A).

Some clients, those that grew up with WMI, send settings in this form.  It is read without the class: what type a
value has to be is told later, as for CIM-XML, by the same reader.  The time it takes grows with the length of the
text and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from virtcim.frontends.cimxml.decode import RawInstance, RawProperty

__all__ = ["MAX_LENGTH", "parse_mof_instance"]

MAX_LENGTH = 256 * 1024
"""Characters of MOF text; the settings of a guest have some hundred."""

MAX_NUMBER_LENGTH = 128
"""Characters of a number: uint64 has 64 binary digits at most."""

# Whatever follows a repetition cannot match what is repeated: there is nothing to try again.
_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\r\n\f\v\ufeff]+)
    | "(?P<string>[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*)"
    | '(?P<character>\\[xX][0-9a-fA-F]{1,4}|\\.|[^'\\\r\n])'
    | (?P<hexadecimal>[+-]?0[xX][0-9a-fA-F]++)(?!\w)
    | (?P<binary>[+-]?[01]++[bB])(?!\w)
    | (?P<real>[+-]?[0-9]*+\.[0-9]++(?:[eE][+-]?[0-9]++)?)(?!\w)
    | (?P<octal>[+-]?0[0-7]++)(?!\w)
    | (?P<decimal>[+-]?(?:0|[1-9][0-9]*+))(?!\w)
    | (?P<word>[^\W\d]\w*+)
    | (?P<mark>[{}=;,()\[\]:])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{1,4})|(.))")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_BASES = {"hexadecimal": 16, "octal": 8}


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse_mof_instance(text: str) -> RawInstance:
    """Read one instance in MOF.

    Properties that are NULL are left out.  Numbers come out as decimal ones, or as they are written where they have a
    fraction; booleans as TRUE and FALSE; strings and characters as what they stand for.

    Raises:
        ValueError: when `text` is not one instance; the text says where, and quotes nothing.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"MOF has {len(text)} characters; expected at most {MAX_LENGTH}")
    return _Reader(text).instance()


class _Reader:
    """Reads tokens, one ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = next(self._tokens)

    def instance(self) -> RawInstance:
        """The instance that the whole text is."""
        self._qualifiers()
        self._word("instance")
        self._word("of")
        class_name = self._take("word", "a class").text
        properties: list[RawProperty] = []
        self._mark("{")
        while not self._is_mark("}"):
            self._qualifiers()
            name = self._take("word", "a property or }").text
            self._mark("=")
            value = self._array() if self._is_mark("{") else self._scalar()
            self._mark(";")
            if value is not None:
                properties.append(RawProperty(name, value))
        self._mark("}")
        self._mark(";")
        if self._next.kind != "end":
            raise self._error("the end, after one instance")
        return RawInstance(class_name, tuple(properties))

    def _qualifiers(self) -> None:
        """Pass over qualifiers, which mean nothing here."""
        if self._is_mark("["):
            while not self._is_mark("]"):
                self._advance("]")
            self._advance("]")

    def _array(self) -> list[str | None]:
        self._mark("{")
        values: list[str | None] = []
        while not self._is_mark("}"):
            if values:
                self._mark(",")
            values.append(self._scalar())
        self._mark("}")
        return values

    def _scalar(self) -> str | None:
        token = self._advance("a value")
        match token.kind:
            case "string":
                parts = [self._unescaped(token)]
                while self._next.kind == "string":
                    parts.append(self._unescaped(self._advance("a string")))
                return "".join(parts)
            case "character":
                return self._unescaped(token)
            case "word" if token.text.lower() in {"true", "false"}:
                return token.text.upper()
            case "word" if token.text.lower() == "null":
                return None
            case "hexadecimal" | "octal" | "binary" | "decimal" | "real":
                return self._number(token)
        raise self._error("a value", token)

    def _number(self, token: _Token) -> str:
        if len(token.text) > MAX_NUMBER_LENGTH:
            raise self._error(f"a number of at most {MAX_NUMBER_LENGTH} characters", token)
        if token.kind == "binary":
            return str(int(token.text[:-1], 2))
        return str(int(token.text, _BASES[token.kind])) if token.kind in _BASES else token.text

    def _unescaped(self, token: _Token) -> str:
        def character(match: re.Match[str]) -> str:
            digits, letter = match.groups()
            found = _ESCAPES.get(letter) if digits is None else chr(int(digits, 16))
            if found is None or "\ud800" <= found <= "\udfff":
                raise self._error("an escape sequence of MOF in a string", token)
            return found

        return _ESCAPE.sub(character, token.text) if "\\" in token.text else token.text

    def _word(self, word: str) -> None:
        if self._next.kind != "word" or self._next.text.lower() != word:
            raise self._error(f"'{word}'")
        self._advance(word)

    def _is_mark(self, mark: str) -> bool:
        return self._next.kind == "mark" and self._next.text == mark

    def _mark(self, mark: str) -> None:
        if not self._is_mark(mark):
            raise self._error(mark)
        self._advance(mark)

    def _take(self, kind: str, expected: str) -> _Token:
        if self._next.kind != kind:
            raise self._error(expected)
        return self._advance(expected)

    def _advance(self, expected: str) -> _Token:
        token = self._next
        if token.kind == "end":
            raise self._error(expected)
        self._next = next(self._tokens)
        return token

    def _error(self, expected: str, token: _Token | None = None) -> ValueError:
        return _error(self._text, (token or self._next).position, expected)


def _tokens(text: str) -> Iterator[_Token]:
    """The tokens of a text, without blanks and comments; the last one is of the kind `end`."""
    position = 0
    while position < len(text):
        if text.startswith("//", position):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif text.startswith("/*", position):
            end = text.find("*/", position + 2)
            if end < 0:
                raise _error(text, position, "an end of the comment")
            position = end + 2
        else:
            match = _TOKEN.match(text, position)
            if match is None:
                raise _error(text, position, "MOF")
            kind = match.lastgroup or ""
            if kind != "blank":
                yield _Token(kind, match[kind], position)
            position = match.end()
    yield _Token("end", "", position)


def _error(text: str, position: int, expected: str) -> ValueError:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return ValueError(f"MOF, line {line}, column {column}: expected {expected}")

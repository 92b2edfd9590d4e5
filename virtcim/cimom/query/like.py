"""The patterns of LIKE, matched in time that grows no faster than pattern times text.

Two dialects:

WQL
    `%` any characters, `_` one character, `[a-f]` and `[^a-f]` one of a set.
CQL and FQL
    the regular expressions of DSP1001 1.1, Annex B, which hold the basic LIKE of DSP0202 1.0, Annex C: `.` one
    character, `*` `+` `?` `{n,m}` repetition, `( )` group, `|` choice, `[abc]` one of a set, `[abc]^` none of a set,
    `^` `$` the ends, backslash before a character that is to stand for itself.  Read beyond the standard: `a-z`
    in a set is a range, and `[^abc]` means the same as `[abc]^`.

In both the whole string has to match.

A DSP1001 pattern becomes a nondeterministic automaton of bounded size, and that is turned into a deterministic
one as far as the texts make it necessary: there is nothing to backtrack.  WQL patterns have no nested repetition:
they become a regular expression in which each piece between two `%` is found once and not looked for again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from virtcim.immutable import immutable

__all__ = ["Matcher", "dsp1001_matcher", "wql_matcher"]

Matcher: TypeAlias = Callable[[str], bool]

MAX_STATES = 256
"""States of one automaton; a longer pattern, or one that repeats longer groups, is refused."""

MAX_ITEMS = 4 * MAX_STATES
"""Items that states are made of, each counted as often as it is repeated: an empty group makes none."""

MAX_PATTERN_LENGTH = 1024
"""Characters."""

MAX_GROUPS = 16
"""Groups in groups."""

MAX_TRANSITIONS = 4096
"""Transitions kept of the deterministic automaton; they start anew beyond."""

_WQL_PIECE = re.compile(r"%+|_|\[\^?\]?[^\]]*\]|.", re.DOTALL)


def wql_matcher(pattern: str) -> Matcher:
    """The matcher of a WQL pattern.

    Raises:
        ValueError: for a pattern that is too long.
    """
    _check_length(pattern)
    pieces: list[str] = [""]
    for piece in _WQL_PIECE.findall(pattern):
        if piece[0] == "%":
            pieces.append("")
        elif piece == "_":
            pieces[-1] += "."
        elif len(piece) > 2 and piece not in {"[]", "[^]"}:
            pieces[-1] += _wql_set(piece[1:-1])
        else:
            pieces[-1] += re.escape(piece)
    first, *rest = pieces
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    last = f".*{rest[-1]}" if rest else ""
    matches = re.compile(f"{first}{middle}{last}", re.DOTALL).fullmatch
    return lambda text: matches(text) is not None


def _check_length(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise ValueError(f"the pattern has more than {MAX_PATTERN_LENGTH} characters")


def _wql_set(body: str) -> str:
    negated, members = body.startswith("^"), body.removeprefix("^")
    ranges = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in _ranges(list(members)))
    return f"[{'^' if negated else ''}{ranges}]"


def _ranges(members: list[str]) -> list[tuple[str, str]]:
    """The members of a set as ranges; what would run backwards is no range but three characters."""
    ranges = []
    position = 0
    while position < len(members):
        low = members[position]
        if position + 2 < len(members) and members[position + 1] == "-" and low <= members[position + 2]:
            ranges.append((low, members[position + 2]))
            position += 3
        else:
            ranges.append((low, low))
            position += 1
    return ranges


@immutable
class _Set:
    """One character: of the ranges, or of none of them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def __contains__(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) is not self.negated


@immutable
class _Start:
    """`^`."""


@immutable
class _End:
    """`$`."""


@immutable
class _Repeat:
    item: _Item
    low: int
    high: int | None


@immutable
class _Sequence:
    items: tuple[_Item, ...]


@immutable
class _Choice:
    items: tuple[_Item, ...]


_Item: TypeAlias = _Set | _Start | _End | _Repeat | _Sequence | _Choice

_ANY = _Set((), negated=True)
_MULTIPLIERS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_COUNT = re.compile(r"\{([0-9]{1,4})(,([0-9]{1,4})?)?\}")


class _Pattern:
    """Reads a DSP1001 pattern.  Raises ValueError with what is wrong with it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0

    def parse(self) -> _Item:
        item = self._choice()
        if self.position < len(self.text):
            raise ValueError(f"unbalanced ) at {self.position + 1}")
        return item

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _take(self) -> str:
        character = self._peek()
        self.position += 1
        return character

    def _choice(self) -> _Item:
        items = [self._sequence()]
        while self._peek() == "|":
            self.position += 1
            items.append(self._sequence())
        return items[0] if len(items) == 1 else _Choice(tuple(items))

    def _sequence(self) -> _Item:
        items: list[_Item] = []
        while self._peek() not in {"", "|", ")"}:
            items.append(self._multiplied(self._single()))
        return _Sequence(tuple(items))

    def _single(self) -> _Item:
        if self._multiplier() is not None:
            raise ValueError(f"nothing to repeat at {self.position}")
        character = self._take()
        if character == "(":
            return self._group()
        if character == "[":
            return self._set()
        if character == "\\":
            if not self._peek():
                raise ValueError("nothing after the last \\")
            character = self._take()
            return _Set(((character, character),))
        special: dict[str, _Item] = {".": _ANY, "^": _Start(), "$": _End()}
        return special.get(character) or _Set(((character, character),))

    def _group(self) -> _Item:
        self.depth += 1
        if self.depth > MAX_GROUPS:
            raise ValueError(f"more than {MAX_GROUPS} groups in groups")
        item = self._choice()
        if self._take() != ")":
            raise ValueError("( without )")
        self.depth -= 1
        return item

    def _set(self) -> _Item:
        members: list[str] = []
        negated = self._peek() == "^"
        self.position += negated
        while (character := self._take()) != "]":
            if not character:
                raise ValueError("[ without ]")
            members.append(self._take() if character == "\\" else character)
        if self._peek() == "^":
            self.position += 1
            negated = True
        if not members:
            raise ValueError("an empty set")
        return _Set(tuple(_ranges(members)), negated)

    def _multiplied(self, item: _Item) -> _Item:
        bounds = self._multiplier()
        if bounds is None:
            return item
        low, high = bounds
        if isinstance(item, (_Start, _End)) or self._multiplier() is not None:
            raise ValueError(f"nothing to repeat at {self.position}")
        if high is not None and high < low:
            raise ValueError(f"a repetition that runs backwards at {self.position}")
        return _Repeat(item, low, high)

    def _multiplier(self) -> tuple[int, int | None] | None:
        if simple := _MULTIPLIERS.get(self._peek()):
            self.position += 1
            return simple
        if count := _COUNT.match(self.text, self.position):
            self.position = count.end()
            low, comma, high = count.groups()
            return int(low), int(high) if high else None if comma else int(low)
        return None


class _Automaton:
    """A nondeterministic automaton: what each state reads, and the states that follow it.

    `tests[n]` is the set of characters that leads from state n to `targets[n]`; None marks a state that is left
    without reading anything, to any of `free[n]`.
    """

    def __init__(self, item: _Item) -> None:
        self.tests: list[_Set | _Start | _End | None] = []
        self.targets: list[list[int]] = []
        self.built = 0
        self.final = self._state(None)
        self.start = self._build(item, self.final)

    def _state(self, test: _Set | _Start | _End | None, *targets: int) -> int:
        if len(self.tests) >= MAX_STATES:
            raise ValueError("the pattern is too long, or repeats too much")
        self.tests.append(test)
        self.targets.append(list(targets))
        return len(self.tests) - 1

    def _build(self, item: _Item, following: int) -> int:
        """Add the states of `item` in front of the state `following`, and give the first of them."""
        self.built += 1
        if self.built > MAX_ITEMS:
            raise ValueError("the pattern repeats too much")
        match item:
            case _Sequence(items):
                for each in reversed(items):
                    following = self._build(each, following)
                return following
            case _Choice(items):
                return self._state(None, *[self._build(each, following) for each in items])
            case _Repeat(repeated, low, high):
                if high is None:
                    loop = self._state(None, following)
                    self.targets[loop].append(self._build(repeated, loop))
                    following = loop
                else:
                    end = following
                    for _ in range(high - low):
                        following = self._state(None, self._build(repeated, following), end)
                for _ in range(low):
                    following = self._build(repeated, following)
                return following
            case _:
                return self._state(item, following)

    def closure(self, states: set[int], at_start: bool, at_end: bool) -> frozenset[int]:
        """The states that are reached from these without reading anything."""
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in reached:
                continue
            reached.add(state)
            test = self.tests[state]
            if test is None or (at_start and isinstance(test, _Start)) or (at_end and isinstance(test, _End)):
                waiting.extend(self.targets[state])
        return frozenset(reached)

    def after(self, states: frozenset[int], character: str) -> frozenset[int]:
        """The states after reading one character."""
        reached: set[int] = set()
        for state in states:
            test = self.tests[state]
            if isinstance(test, _Set) and character in test:
                reached.update(self.targets[state])
        return self.closure(reached, at_start=False, at_end=False)


def dsp1001_matcher(pattern: str) -> Matcher:
    """The matcher of a DSP1001 pattern.

    Raises:
        ValueError: for a faulty pattern, and for one that needs too large an automaton.
    """
    _check_length(pattern)
    automaton = _Automaton(_Pattern(pattern).parse())
    first = automaton.closure({automaton.start}, at_start=True, at_end=False)
    transitions: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(text: str) -> bool:
        states = first
        for character in text:
            key = (states, character)
            following = transitions.get(key)
            if following is None:
                if len(transitions) >= MAX_TRANSITIONS:
                    transitions.clear()
                following = transitions[key] = automaton.after(states, character)
            if not following:
                return False
            states = following
        return automaton.final in automaton.closure(set(states), at_start=not text, at_end=True)

    return matches

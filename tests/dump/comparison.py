"""In which facts two dumps differ."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Difference", "differences", "report"]

_KEYS = re.compile(r'"(?:[^"\\]|\\.)*"')
"""The values of keys: what tells one instance of a class from another."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that two dumps do not have alike.

    Attributes:
        what: `lost`, `new` or `changed`.
        subject: what the fact is about.
        before, after: what the dumps say of it, None where they say nothing.
    """

    what: str
    subject: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> str:
        """What is different, whichever instance it is of."""
        return f"{self.what}: {_KEYS.sub('*', self.subject)}"


def differences(before: Iterable[str], after: Iterable[str]) -> Iterator[Difference]:
    """Compare the lines of two dumps; lines that both have, as often, are no difference."""
    first, second = _by_subject(before), _by_subject(after)
    for subject in sorted(first.keys() | second.keys()):
        old, new = _unlike(first.get(subject, []), second.get(subject, []))
        for text, other in zip(old, new, strict=False):
            yield Difference("changed", subject, text, other)
        for text in old[len(new) :]:
            yield Difference("lost", subject, text, None)
        for text in new[len(old) :]:
            yield Difference("new", subject, None, text)


def report(found: Iterable[Difference], examples: int = 3) -> str:
    """The differences of one kind together, with their number and some examples of each."""
    kinds: dict[str, list[Difference]] = defaultdict(list)
    for each in found:
        kinds[each.kind].append(each)
    lines = []
    for kind, alike in kinds.items():
        lines.append(f"{kind} ({len(alike)})")
        for each in alike[:examples]:
            lines.append(f"    {each.subject}")
            lines += [f"        - {each.before}"] if each.before else []
            lines += [f"        + {each.after}"] if each.after else []
    return "\n".join(lines)


def _by_subject(lines: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        subject, _, text = line.rstrip("\n").partition("\t")
        found[subject].append(text)
    return found


def _unlike(first: list[str], second: list[str]) -> tuple[list[str], list[str]]:
    """What one of two lists has and the other has not, or less often."""
    rest = list(second)
    only = []
    for text in first:
        if text in rest:
            rest.remove(text)
        else:
            only.append(text)
    return only, rest

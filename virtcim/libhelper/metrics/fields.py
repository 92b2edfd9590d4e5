"""The figures of one guest by name, in as little memory as their numbers need.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["Fields"]

_LEAST, _MOST = -1 << 63, (1 << 63) - 1
"""Numbers that fit into the eight bytes of one of an array."""

_SORTS = 1024
"""Sets of names that are kept: guests with devices alike have the same ones."""


class Fields(Mapping[str, Any]):
    """libvirt's typed parameters of a guest.

    libvirt makes a new text for each name and an object for each number, and a dictionary of them is as large as both:
    of a thousand guests several MiB.  Here guests with the same names share these, and the numbers lie in an array.
    """

    __slots__ = ("_numbers", "_others", "_places")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        numbers = {name: value for name, value in fields.items() if type(value) is int and _LEAST <= value <= _MOST}
        self._places = _places(tuple(numbers))
        self._numbers = array("q", list(numbers.values()))
        self._others = {sys.intern(name): fields[name] for name in fields.keys() - numbers.keys()}

    def __getitem__(self, name: str) -> Any:
        place = self._places.get(name)
        return self._others[name] if place is None else self._numbers[place]

    def get(self, name: str, default: Any = None) -> Any:
        """The figure of this name, or `default`: as quick for one that there is not, of which many are asked for."""
        place = self._places.get(name)
        return self._others.get(name, default) if place is None else self._numbers[place]

    def __iter__(self) -> Iterator[str]:
        yield from self._places
        yield from self._others

    def __len__(self) -> int:
        return len(self._numbers) + len(self._others)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Fields) and self._places is other._places:
            return self._numbers == other._numbers and self._others == other._others
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(dict(self))


@lru_cache(maxsize=_SORTS)
def _places(names: tuple[str, ...]) -> Mapping[str, int]:
    """The place of each name."""
    return {sys.intern(name): place for place, name in enumerate(names)}

"""What is made from an object and kept as long as the object itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

__all__ = ["Memo"]

Made = TypeVar("Made")


class Memo:
    """Keeps what was made from an object as long as the object itself."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: dict[Hashable, object] = {}

    def memo(self, key: Hashable, make: Callable[..., Made]) -> Made:
        """What `make(self)` gave when it was first asked for under `key`."""
        try:
            return cast(Made, self._made[key])
        except KeyError:
            return cast(Made, self._made.setdefault(key, make(self)))

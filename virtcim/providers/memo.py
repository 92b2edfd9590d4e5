"""What is made from an object and kept as long as the object itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

__all__ = ["Memo"]

T = TypeVar("T")


class Memo:
    """Keeps what was made from an object as long as the object itself."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[Hashable, object] = {}

    def memo(self, key: Hashable, make: Callable[..., T]) -> T:
        """What `make(self)` gave when it was first asked for under `key`."""
        try:
            return cast(T, self._values[key])
        except KeyError:
            return cast(T, self._values.setdefault(key, make(self)))

    def forget(self) -> None:
        """Let go of what was made: it refers to the object, and without this both would stay until the next full
        collection.  Who still has the object gets it made anew."""
        self._values.clear()

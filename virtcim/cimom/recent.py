"""What was made of the values that came last: what goes to many receivers is made once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Recent"]

Value = TypeVar("Value")
Result = TypeVar("Result")


class Recent(Generic[Value, Result]):
    """Makes something of values, and remembers it for those that came last, which are told apart by identity.

    Parameters:
        make: makes it; values must not change afterwards.
        size: how many are remembered.
    """

    def __init__(self, make: Callable[[Value], Result], size: int) -> None:
        self._make = make
        self._size = size
        self._made: dict[int, tuple[Value, Result]] = {}

    def __call__(self, value: Value) -> Result:
        """Give what is made of a value."""
        known = self._made.get(id(value))
        if known is not None:
            return known[1]  # the value is held, so that no other one can have its place in memory
        made = self._make(value)
        if len(self._made) >= self._size:
            self._made.clear()
        self._made[id(value)] = value, made
        return made

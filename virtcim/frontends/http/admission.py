"""What is limited, and how it is shared: nobody alone uses up what all need."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

__all__ = ["Connection", "Memory", "OverloadError", "connections_to_close"]

CLOSED_AT_ONCE = 0.05
"""The part of all connections that is closed when there are too many: looking at all of them costs a millisecond, and
so is not done for each that comes."""


SMALL = 64 * 1024
"""Bytes that are few beside every limit."""


class OverloadError(Exception):
    """There is too much at once; the client may come again."""


class Memory:
    """What the bodies of requests and answers take, all of them together.

    Parameters:
        limit: bytes.
        share: the part of it that one user, and one address, may take.
    """

    def __init__(self, limit: int, share: float) -> None:
        self._limit = limit
        self._share = share
        self._held: Counter[Hashable] = Counter()
        self.taken = 0

    @contextlib.contextmanager
    def request(self, holders: Sequence[Hashable]) -> Iterator[Callable[[int], None]]:
        """Give a request a function that takes bytes, which are given back when the block ends.

        It raises OverloadError when there is no room.  A request that is the only one of its holders gets what it
        needs, as long as that is within the limit of all or it is alone altogether.  A holder that has its share still
        gets small answers, but for the last sixteenth.

        Parameters:
            holders: whose it is, for each way to share: the user, the address.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self.taken > mine and self.taken + size > self._limit:
                raise OverloadError
            for each in holders:
                if self._held[each] > mine and self._held[each] + size > self._limit * self._share:
                    self._allow_small(size)
            mine += size
            self.taken += size
            for each in holders:
                self._held[each] += size

        try:
            yield take
        finally:
            self.taken -= mine
            for each in holders:
                self._held[each] -= mine
                if not self._held[each]:
                    del self._held[each]

    def _allow_small(self, size: int) -> None:
        if size > SMALL or self.taken + size > self._limit * 15 // 16:
            raise OverloadError


class Connection(Protocol):
    """What is asked of a connection.

    Attributes:
        is_known: whether somebody has logged in on it.
        used: when it was used last, in seconds of any clock.
        address: of the client; "" for a Unix socket.
        is_idle: whether no request is under way.
    """

    is_known: bool
    used: float

    @property
    def address(self) -> str: ...
    @property
    def is_idle(self) -> bool: ...


AnyConnection = TypeVar("AnyConnection", bound=Connection)


def connections_to_close(
    others: Iterable[AnyConnection], newcomer: AnyConnection, limit: int, share: float
) -> list[AnyConnection]:
    """Choose which connections are closed when there are more than `limit`.

    Idle ones where nobody has logged in go first, then other idle ones (a client opens a new one when it has
    something to ask), each time of the addresses with the most connections, and the longest unused first.  Where none
    is idle, an address that has more than its share gives up the one that it has used longest ago, to another address.

    Parameters:
        others: all that are open, but for the newcomer.
        newcomer: that has just been opened.
        limit: how many may be open.
        share: the part of them that one address may have when there are not enough.

    Returns:
        those to be closed, which may be the newcomer.
    """
    everybody = list(others)
    excess = len(everybody) + 1 - limit
    if excess <= 0:
        return []
    per_address = Counter(each.address for each in everybody)
    idle = [each for each in everybody if each.is_idle]
    idle.sort(key=lambda each: (each.is_known, -per_address[each.address], each.used))
    if idle:
        # More than is needed is closed of strangers only.
        strangers = sum(not each.is_known for each in idle)
        return idle[: max(excess, min(excess + int(limit * CLOSED_AT_ONCE), strangers))]
    address, most = per_address.most_common(1)[0]
    if most <= limit * share or address == newcomer.address:
        return [newcomer]
    return [min((each for each in everybody if each.address == address), key=lambda each: each.used)]

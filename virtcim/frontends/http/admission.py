"""What is limited, and how it is shared: nobody alone uses up what all need."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol, Self, TypeVar

__all__ = ["AnswerSizes", "Claim", "Connection", "Memory", "OverloadError", "connections_to_close"]

CLOSED_AT_ONCE = 0.05
"""The part of all connections that is closed when there are too many: looking at all of them costs a millisecond, and
so is not done for each that comes."""


SMALL = 64 * 1024
"""Bytes that are few beside every limit."""


class OverloadError(Exception):
    """There is too much at once; the client may come again."""


class Claim:
    """What one request takes of the memory; what it has is given back at the end of a `with` block.

    Parameters:
        memory: of all.
        holders: whose it is, for each way to share: the user, the address.

    Attributes:
        size: bytes that it has.
    """

    __slots__ = ("_memory", "holders", "size")

    def __init__(self, memory: Memory, holders: Sequence[Hashable]) -> None:
        self._memory = memory
        self.holders = holders
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.add(self, -self.size)

    def __call__(self, size: int) -> None:
        """Take bytes, or give some back where `size` is less than 0.

        What is small is taken although its holders have their share, but for the last sixteenth.

        Raises:
            OverloadError: there is no room.
        """
        if size > 0 and not self._memory.fits(self, size):
            raise OverloadError
        self._memory.add(self, size)

    async def reserve(self, size: int, patience: float) -> None:
        """Take bytes, and wait for room where there is none, in turn with all others of the holders.

        Parameters:
            patience: seconds that are waited.

        Raises:
            OverloadError: there was no room for so long.
        """
        try:
            async with asyncio.timeout(patience):
                await self._memory.wait(self, size)
        except TimeoutError:
            raise OverloadError from None


class Memory:
    """What the bodies of requests and answers take, all of them together.

    A request gets what it needs, whatever that is, where all others together, or all others of its holders, have a
    sixteenth at most: otherwise an answer that is larger than a share would never be sent.

    Parameters:
        limit: bytes.
        share: the part of it that one user, and one address, may take.
    """

    def __init__(self, limit: int, share: float) -> None:
        self._limit = limit
        self._share = share
        self._few = limit // 16
        self._held: dict[Hashable, int] = {}
        self._waiting: OrderedDict[Claim, tuple[int, asyncio.Future[None]]] = OrderedDict()
        self.taken = 0

    def request(self, holders: Sequence[Hashable]) -> Claim:
        """Give a request what it takes memory by.

        Parameters:
            holders: whose it is, for each way to share: the user, the address.
        """
        return Claim(self, holders)

    def fits(self, claim: Claim, size: int) -> bool:
        """Tell whether there is room for a claim to take so many bytes more."""
        if not self._is_in_limit(claim, size):
            return False
        if self._is_in_shares(claim, size):
            return True
        return size <= SMALL and self.taken + size <= self._limit - self._few

    def _is_in_limit(self, claim: Claim, size: int) -> bool:
        return self.taken - claim.size <= self._few or self.taken + size <= self._limit

    def _is_in_shares(self, claim: Claim, size: int) -> bool:
        few, most = self._few + claim.size, self._limit * self._share - size
        for each in claim.holders:
            held = self._held.get(each, 0)
            if held > few and held > most:
                return False
        return True

    def add(self, claim: Claim, size: int) -> None:
        """Count bytes that a claim takes, or gives back where `size` is less than 0; then who waits gets a look."""
        claim.size += size
        self.taken += size
        held = self._held
        for each in claim.holders:
            left = held.get(each, 0) + size
            if left:
                held[each] = left
            else:
                held.pop(each, None)
        if size < 0 and self._waiting:
            self._wake()

    async def wait(self, claim: Claim, size: int) -> None:
        """Take bytes as soon as there is room and it is the claim's turn."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[claim] = size, future
        self._wake()
        try:
            await future
        finally:
            if self._waiting.pop(claim, None) is not None:
                self._wake()  # those behind it may go on

    def _wake(self) -> None:
        """Give room to those who wait: to each holder in the order of its requests, and nobody overtakes who waits
        for others than itself."""
        passed: set[Hashable] = set()
        for claim, (size, future) in list(self._waiting.items()):
            if not self._is_in_limit(claim, size):
                return
            if passed.isdisjoint(claim.holders) and self._is_in_shares(claim, size):
                del self._waiting[claim]
                self.add(claim, size)
                if not future.done():
                    future.set_result(None)
            else:
                passed.update(claim.holders)


class AnswerSizes:
    """How large answers were, by what was asked for: so that there is room for a large one before it is made.

    Parameters:
        limit: of those that are remembered.
    """

    def __init__(self, limit: int = 500) -> None:
        self._limit = limit
        self._sizes: OrderedDict[Hashable, int] = OrderedDict()
        self._first: dict[Hashable, asyncio.Event] = {}

    async def expected(self, question: Hashable) -> int | None:
        """Give the bytes that an answer may have.

        Returns:
            None where nobody knows.  The caller is the one to find out then, and calls `note` or `give_up`: who asks
            the same meanwhile waits for that, and knows more.
        """
        while question not in self._sizes:
            first = self._first.get(question)
            if first is None:
                self._first[question] = asyncio.Event()
                return None
            await first.wait()
        return self._sizes[question]

    def note(self, question: Hashable, size: int) -> None:
        """Remember how large an answer is."""
        self._sizes[question] = size
        self._sizes.move_to_end(question)
        if len(self._sizes) > self._limit:
            self._sizes.popitem(last=False)
        self.give_up(question)

    def give_up(self, question: Hashable) -> None:
        """Let another one find out, where nobody has."""
        first = self._first.pop(question, None)
        if first is not None:
            first.set()


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

"""The C library's heap, as far as a server with many threads has to tell it what to do."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from virtcim.app.inthread import in_thread

__all__ = ["give_back", "give_back_regularly", "share_arenas"]

_M_ARENA_MAX = -8
"""The parameter of mallopt(3)."""
ARENAS = 1
"""Arenas of all threads together.  glibc would give each thread one of its own, up to eight for each processor, and
what is free in one is of no use to the others: 8 MiB of a server of 1,000 guests.  Python's own small objects are not
in them, and its threads take turns, so they do not wait for each other there."""

INTERVAL = 10.0
"""Seconds between two times at which free pages are given back: soon after a start, or after everything was asked for,
nobody needs them any more.  Each takes a millisecond at most where there is something to give, and some microseconds
where there is nothing."""


def share_arenas() -> None:
    """Have all threads take memory from the same arenas.  To be called before there are threads.

    Where the C library has no arenas, as musl, nothing happens.
    """
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give the free pages of the heap back to the system, as after reading much that was needed once only."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


async def give_back_regularly(interval: float = INTERVAL) -> None:
    """Give free pages back again and again, in a thread, since all who take memory meanwhile wait for the heap.

    The C library does so by itself only at the end of its heap, and something that stays lies there sooner or later.

    Parameters:
        interval: seconds between two times.
    """
    while True:
        await asyncio.sleep(interval)
        await in_thread(give_back)


@lru_cache(maxsize=2)
def _function(name: str) -> Callable[..., Any] | None:
    """A function of the C library; None where it has none of this name."""
    found: Callable[..., Any] | None = getattr(ctypes.CDLL(None), name, None)
    return found

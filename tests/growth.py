"""How the time that a parser takes grows with the length of a hostile text."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from virtcim.providers.interface import CIMError

__all__ = ["assert_linear"]

SIZE = 10_000
"""What is repeated in the short text; in the long one four times as often."""

SHORT_ENOUGH = 0.1
"""Seconds of the thread's CPU time below which nothing is to be told of growth: quadratic parsers take seconds."""

MOST = 9
"""The long text may take so many times what the short one takes: 4 is linear, 16 quadratic."""


def assert_linear(work: Callable[[Any], object], make: Callable[[int], Any], size: int = SIZE) -> None:
    """Compare what a text and one that is four times as long cost.

    Parameters:
        work: takes what `make` makes; a ValueError or CIMError of it is an answer like any other.
        make: makes an input of a size.
        size: of the shorter one.
    """
    short, long = make(size), make(4 * size)
    for _ in range(3):  # the machine may be busy, and a full collection fall into one of them
        before, after = _seconds(work, short), _seconds(work, long)
        if after <= max(SHORT_ENOUGH, MOST * before):
            return
    raise AssertionError(f"{before:.3f} s of CPU time for {size} repetitions, {after:.3f} s for four times as many")


def _seconds(work: Callable[[Any], object], given: Any) -> float:
    started = time.thread_time()
    with contextlib.suppress(ValueError, CIMError):
        work(given)
    return time.thread_time() - started

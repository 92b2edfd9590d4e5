"""The watch over the event loop, and what keeps its turns short: everybody's answer waits for it.

One interpreter lock is shared by the loop and all threads.  Whoever holds it and computes is asked for it after the
switch interval; whoever waits for the hypervisor, the disk or a client does not hold it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
import traceback
from types import FrameType

from virtcim.immutable import immutable

__all__ = ["LoopSettings", "LoopWatch", "ShortCollections", "current_frame", "freeze_loaded", "stack_of"]

_log = logging.getLogger(__name__)

INTERVAL = 0.1
"""Seconds between two signs of the loop; ten a second take a thousandth of a processor."""

REPORT_INTERVAL = 10.0
"""Seconds between two pauses that are reported: a loop that is slow all the time must not fill the log."""

STACK = 12
"""Frames of a stack that are reported, the innermost ones."""

LONG_COLLECTION = 0.004
"""Seconds of processor time of a full collection after which what it has walked is passed over from then on: some
20,000 objects, which are not many beside the million that 1,500 guests are when everything of them has been shown."""

FULL_AFTER = 1
"""Collections of what is young beyond which a full one follows.  By Python's own 10 a full one walks up to 85,000 new
objects, which take 30 to 80 ms while large answers are made; by 1 it walks 15,000 of them, in 4 to 16 ms.  As each is
walked by one full collection, all of them together take no longer."""

DAY = 86400.0
"""Seconds after which a full collection walks everything once more."""


@immutable
class LoopSettings:
    """How the event loop keeps its turn beside the threads, and who watches it.

    Attributes:
        switch_interval: seconds after which a thread that computes gives way (`sys.setswitchinterval`).  Python's own
            0.005 lets the loop wait as long for each thread that computes: beside 4 of them it was silent for 245 ms,
            with 0.001 for 79, with 0.0002 for 21.  Shorter ones cost work where many threads compute.
        watch: whether the loop is watched: a thread asks it ten times a second to answer.
        longest_pause: seconds without an answer that are reported, with what the loop was doing.
    """

    switch_interval: float = 0.0002
    watch: bool = True
    longest_pause: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.switch_interval <= 1:
            raise ValueError(f"switch_interval is {self.switch_interval}; expected more than 0 and at most 1 s")
        if self.longest_pause <= 0:
            raise ValueError(f"longest_pause is {self.longest_pause}; expected more than 0 s")


class LoopWatch:
    """Has an event loop show ten times a second that it comes round, and says when it does not.

    The loop does so by a timer of its own; a thread looks now and then whether that is overdue.

    Parameters:
        loop: to be watched; `start` and `stop` are called in its thread.
        longest_pause: seconds without a sign that are reported.

    Attributes:
        longest: seconds by which the loop was late, at the longest since the start.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, longest_pause: float) -> None:
        self._loop = loop
        self._longest_pause = longest_pause
        self._stopped = threading.Event()
        self._ident = 0
        self._due = 0.0
        self._reported = -REPORT_INTERVAL
        self.longest = 0.0

    def start(self) -> None:
        """Watch from now on."""
        self._ident = threading.get_ident()
        self._await_next()
        threading.Thread(target=self._run, name="loop-watch", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def _await_next(self) -> None:
        self._due = time.monotonic() + INTERVAL
        self._loop.call_later(INTERVAL, self._come_round)

    def _come_round(self) -> None:
        self.longest = max(self.longest, time.monotonic() - self._due)
        if not self._stopped.is_set():
            self._await_next()

    def _run(self) -> None:
        while not self._stopped.wait(self._longest_pause / 2):
            due = self._due
            if time.monotonic() - due <= self._longest_pause or not self._report():
                continue
            while self._due == due:
                if self._stopped.wait(INTERVAL):
                    return
            _log.warning("The event loop answers again after %.2f s", self._due - INTERVAL - due)

    def _report(self) -> bool:
        """Say where the loop is; whether that was done."""
        now = time.monotonic()
        if self._stopped.is_set() or now - self._reported < REPORT_INTERVAL:
            return False
        self._reported = now
        stack = stack_of(current_frame(self._ident))
        _log.warning("The event loop has not answered for %.2f s; it is at:\n%s", self._longest_pause, stack)
        return True


def current_frame(thread: int) -> FrameType | None:
    """Look where a thread is.

    No collection may begin meanwhile: Python 3.11 holds the lock of its list of threads for the look, a callback of
    the collector would let other threads run, and one that ends would wait for that lock with the interpreter's own
    in its hands (https://github.com/python/cpython/issues/106883).

    Parameters:
        thread: its identifier.

    Returns:
        its frame; None when it has ended.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames().get(thread)
    finally:
        if collects:
            gc.enable()


def freeze_loaded() -> None:
    """Have full collections pass over all objects that there are now, of which most stay: each would walk them all,
    and hold the interpreter's lock meanwhile.

    Only what is young is collected first, for the same reason; a cycle that is garbage at this moment stays.  During
    the start, in which nothing is collected, everything is young: to walk it all takes a tenth of a second, and finds
    half a MiB.
    """
    if gc.isenabled():
        gc.collect(1)
    gc.freeze()


class ShortCollections:
    """Keeps full collections short while more and more is held, as guests and their devices are that somebody looks
    at for the first time: a collection holds the interpreter's lock, and all others wait for it.

    Full collections come often, so that each has little to walk.  What has survived one that took long is kept out of
    the next ones (`gc.freeze`), so that each object is walked by one of them.  What is frozen still goes with the last
    reference to it; only a circle that becomes garbage later stays, until one collection a day walks everything.

    Attributes:
        long: seconds of processor time that are too long.
        thawed: when everything was walked last, by the monotonic clock.
    """

    def __init__(self, long: float = LONG_COLLECTION) -> None:
        self.long = long
        self.thawed = time.monotonic()
        self._began = 0.0
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Look at all collections from now on, and have full ones come often."""
        self._thresholds = gc.get_threshold()
        gc.set_threshold(*self._thresholds[:2], FULL_AFTER)
        gc.callbacks.append(self._look)

    def stop(self) -> None:
        """Leave collections alone again."""
        gc.callbacks.remove(self._look)
        gc.set_threshold(*self._thresholds)

    def _look(self, phase: str, info: dict[str, int]) -> None:
        """Take the time of a full collection, in the thread that it runs in."""
        if info["generation"] < 2:
            return
        if phase == "start":
            self._began = time.thread_time()
            if time.monotonic() - self.thawed > DAY:
                self.thawed = time.monotonic()
                gc.unfreeze()
        elif time.thread_time() - self._began > self.long:
            gc.freeze()


def stack_of(frame: FrameType | None) -> str:
    """Say where a frame is, that of a thread which may go on meanwhile: then its callers may be none any more."""
    if frame is None:
        return "(its thread has ended)"
    try:
        return "".join(traceback.format_stack(frame)[-STACK:]).rstrip()
    except AttributeError:
        return "(its thread has gone on)"

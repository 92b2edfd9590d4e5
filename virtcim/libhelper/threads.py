"""The threads that call libvirt, shared by all who call it for many hypervisors.

A call of libvirt can hang for as long as the other side does, and cannot be taken back.  So a thread that got no answer
for long is made good by another one, up to a bound, and when many threads are taken nobody gets a second one: who hangs
keeps one thread, or a few while there are plenty, and the others have the rest.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

__all__ = ["Threads"]

Result = TypeVar("Result")

_IDLE_SECONDS = 10.0
"""Seconds after which a thread without work ends."""
_LOOK = 0.1
"""The part of a budget after which it is looked again who waits for too long."""
_RELIEF = 1.0
"""Seconds without an answer, at most, after which a thread is made good: long before its owner is said to hang."""
_FEW = 4
"""Threads that an owner who hangs keeps at most, where others share them."""
_PLENTY = 4
"""While fewer than one thread in this many hangs an owner who does may keep a few, else one."""


@dataclass(slots=True, eq=False)
class _Work:
    """Something to be done for somebody."""

    owner: Hashable
    run: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)


class Threads:
    """Threads that work for several owners, begun as they are needed.

    Parameters:
        count: threads that work at a time, those aside that wait for an answer for too long.
        most: threads in all.
        crowd: busy threads from which on each owner gets one only; by default there is no such number.
    """

    def __init__(self, count: int, most: int, crowd: int | None = None) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Work] = deque()
        self._running: Counter[Hashable] = Counter()
        self._since: dict[threading.Thread, float] = {}
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._looked = -math.inf
        self._stuck = 0
        self._owners: dict[threading.Thread, Hashable] = {}
        self._hanging: Counter[Hashable] = Counter()
        self._budgets: dict[Hashable, float] = {}
        self._users = 0
        self._down: set[Hashable] = set()
        self._stopping = False
        self.resize(count, most, crowd)

    def resize(self, count: int, most: int, crowd: int | None = None) -> None:
        """Have other numbers of threads from now on; what is under way is finished."""
        with self._changed:
            self._count, self._most = count, max(count, most)
            self._crowd = self._most if crowd is None else crowd
            self._is_shared = crowd is not None
            self._changed.notify_all()

    @property
    def users(self) -> int:
        """How many share the threads, whether they have something to do or not."""
        return self._users

    def enter(self) -> None:
        """Note that there is one more who shares the threads."""
        with self._changed:
            self._users += 1

    def leave(self, owner: Hashable = None) -> None:
        """Note that one of those who share the threads is gone.

        Parameters:
            owner: what it does was done for.
        """
        with self._changed:
            self._users -= 1
            self._budgets.pop(owner, None)
            self._down.discard(owner)

    @property
    def down(self) -> int:
        """For how many owners it was noted last that they are down."""
        return len(self._down)

    def note_down(self, owner: Hashable) -> None:
        """Note that nothing can be done for an owner: the other side is not there."""
        with self._changed:
            self._down.add(owner)

    def note_up(self, owner: Hashable) -> None:
        """Note that the other side of an owner is there."""
        with self._changed:
            self._down.discard(owner)

    @property
    def is_contended(self) -> bool:
        """Whether somebody waits for a thread."""
        return bool(self._waiting)

    def submit(self, owner: Hashable, run: Callable[[], Result]) -> Future[Result]:
        """Have something done when it is its owner's turn.

        Returns:
            the future of its result; cancelled when the threads have ended.
        """
        work = _Work(owner, run)
        with self._changed:
            if self._stopping:
                work.future.cancel()
                return work.future
            self._waiting.append(work)
            self._help()
        return work.future

    def renew(self) -> None:
        """Note that the calling thread, one of these, has had its answer and goes on to the next thing."""
        self._since[threading.current_thread()] = time.monotonic()

    def relieve(self, budget: float, owner: Hashable = None) -> None:
        """Put fresh threads in the place of those that wait for an answer, and look who hangs.

        Parameters:
            budget: seconds without an answer after which an owner hangs.
            owner: whose budget that is, from now on; it counts for all who never said theirs.
        """
        now = time.monotonic()
        relief = min(budget, _RELIEF)
        self._budgets[owner] = budget
        if now - self._looked < relief * _LOOK:
            return
        with self._changed:
            self._looked = now
            waiting = [(self._owners[thread], now - since) for thread, since in self._since.items()]
            self._stuck = sum(seconds > relief for _, seconds in waiting)
            self._hanging = Counter(each for each, seconds in waiting if seconds > self._budgets.get(each, budget))
            self._help()

    def hangs(self, owner: Hashable) -> bool:
        """Tell whether an owner keeps as many threads without an answer as it may: until one has an answer it gets no
        other one."""
        if not self._is_shared or owner not in self._hanging:
            return False
        return self._hanging[owner] >= (_FEW if self._hanging.total() * _PLENTY < self._most else 1)

    def stop(self, timeout: float = 0.0) -> None:
        """Begin nothing that is submitted from now on, and end the threads once all is done.

        Parameters:
            timeout: seconds to wait for their end; those that get no answer are left behind, they are daemons.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._threads, timeout)

    def _help(self) -> None:
        """Wake or begin a thread; with the lock."""
        if self._idle:
            self._changed.notify()
        elif self._waiting and len(self._threads) < self._target():
            thread = threading.Thread(target=self._run, name="libvirt-call", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _target(self) -> int:
        return min(self._count + self._stuck, self._most)

    def _run(self) -> None:
        thread = threading.current_thread()
        while (work := self._take(thread)) is not None:
            if work.future.set_running_or_notify_cancel():
                try:
                    work.future.set_result(work.run())
                except BaseException as error:
                    work.future.set_exception(error)
            with self._changed:
                del self._since[thread], self._owners[thread]
                # It answers, however late.
                self._hanging.pop(work.owner, None)
                self._running[work.owner] -= 1
                if not self._running[work.owner]:
                    del self._running[work.owner]
                self._stuck = min(self._stuck, len(self._since))

    def _take(self, thread: threading.Thread) -> _Work | None:
        """Wait for something to do; None when the thread is one too many."""
        with self._changed:
            until = time.monotonic() + _IDLE_SECONDS
            while len(self._threads) <= self._target():
                work = self._next()
                if work is not None:
                    self._running[work.owner] += 1
                    self._since[thread] = time.monotonic()
                    self._owners[thread] = work.owner
                    if self._waiting:
                        self._help()
                    return work
                left = until - time.monotonic()
                if left <= 0 or self._stopping:
                    break
                self._idle += 1
                self._changed.wait(left)
                self._idle -= 1
            self._threads.discard(thread)
            self._changed.notify_all()
            return None

    def _next(self) -> _Work | None:
        """Take what has waited longest of those that may go on; with the lock."""
        crowded = len(self._since) >= self._crowd
        for place, work in enumerate(self._waiting):
            if self.hangs(work.owner):
                continue
            if not crowded or not self._running[work.owner]:
                del self._waiting[place]
                return work
        return None

"""Worker threads for what must not hold up the event loop.

`concurrent.futures` would wait at the end of the process for a thread that hangs in a call to the hypervisor; these
threads are daemons, so that the server ends when it is told to.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import traceback
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

from virtcim.immutable import immutable
from virtcim.starter import start_elsewhere

__all__ = ["PoolFullError", "WorkerPool"]

Result = TypeVar("Result")

_NOTHING = nullcontext()


class PoolFullError(Exception):
    """Too much waits for a thread, and most of it is the holder's."""


@immutable
class _Task:
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    work: Callable[[], Any]
    holder: Hashable


class WorkerPool:
    """A bounded number of daemon threads, started as they are needed.

    Holders take turns: each has a queue of its own, and the last free thread is not for one that has all the others.
    Where too much waits, a newcomer takes the place of what came last of the holder that has most.

    Parameters:
        size: threads at most.
        name: for the names of the threads.
        max_waiting: what may be under way or waiting; None for no bound.
        around: entered for the length of each work.
    """

    def __init__(
        self,
        size: int,
        name: str,
        max_waiting: int | None = None,
        around: AbstractContextManager[None, None] = _NOTHING,
    ) -> None:
        self._around = around
        self._size = size
        self._name = name
        self._max_waiting = max_waiting
        self._lock = threading.Condition(threading.Lock())
        self._queues: OrderedDict[Hashable, deque[_Task]] = OrderedDict()
        self._present: Counter[Hashable] = Counter()
        self._running: Counter[Hashable] = Counter()
        self._threads = 0
        self._idle = 0
        self._closed = False
        self._unattended: set[asyncio.Future[Any]] = set()

    def __len__(self) -> int:
        """Count what is under way or waits."""
        return self._present.total()

    async def run(self, work: Callable[[], Result], holder: Hashable = None) -> Result:
        """Call `work` in a worker thread, with the caller's context variables, and give back its result.

        When the caller is cancelled, work that has begun goes on to its end; work that still waits is left out.

        Parameters:
            work: to be called.
            holder: for whom; None for the server itself, which has no share.

        Raises:
            PoolFullError: there is no room.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        task = _Task(loop, future, partial(contextvars.copy_context().run, work), holder)
        with self._lock:
            self._make_room(holder)
            self._present[holder] += 1
            self._queues.setdefault(holder, deque()).append(task)
            if self._idle:
                self._idle -= 1
                self._lock.notify()
            elif self._threads < self._size:
                self._threads += 1
                name = f"{self._name}-{self._threads}"
                start_elsewhere(threading.Thread(target=self._work, name=name, daemon=True))
        try:
            return await future
        finally:
            del future, task, work  # an error knows this frame: it would hold itself, and all that the work held

    def call(self, work: Callable[[], object]) -> None:
        """Call `work` in a worker thread, for nobody: what it gives or raises is passed over.

        Called in the thread of an event loop.
        """
        running = asyncio.ensure_future(self.run(work))
        self._unattended.add(running)
        running.add_done_callback(self._unattended.discard)

    def _make_room(self, holder: Hashable) -> None:
        """Turn away what came last of the holder that has most waiting; that may be the newcomer."""
        if self._max_waiting is None or self._present.total() < self._max_waiting:
            return
        most = max(self._queues, key=lambda each: len(self._queues[each]), default=None)
        if most is None or self._present[most] <= self._present[holder] + 1:
            raise PoolFullError
        queue = self._queues[most]
        last = queue.pop()
        if not queue:
            del self._queues[most]
        _take_one(self._present, most)
        _settle(last, None, PoolFullError())

    def _next(self) -> _Task | None:
        """Take the next task, of the holder whose turn it is; None when there is none that may run."""
        for holder, queue in self._queues.items():
            others = self._size - 1
            if holder is not None and others and self._running[holder] >= others:
                continue
            task = queue.popleft()
            if queue:
                self._queues.move_to_end(holder)
            else:
                del self._queues[holder]
            self._running[holder] += 1
            return task
        return None

    def _work(self) -> None:
        while True:
            with self._lock:
                while (task := self._next()) is None:
                    if self._closed:
                        return
                    self._idle += 1
                    self._lock.wait()  # who wakes it counts it as idle no longer
            with self._around:
                self._carry_out(task)
            with self._lock:
                _take_one(self._running, task.holder)
                _take_one(self._present, task.holder)
            del task

    @staticmethod
    def _carry_out(task: _Task) -> None:
        if task.future.cancelled():
            return
        try:
            result = task.work()
        except BaseException as exc:
            _settle(task, None, _without_locals(exc))
        else:
            _settle(task, result, None)
        finally:
            del task  # an error knows this frame, too

    def close(self) -> None:
        """Let the threads end when they have done what there is to do."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()


def _take_one(counter: Counter[Hashable], holder: Hashable) -> None:
    counter[holder] -= 1
    if not counter[holder]:
        del counter[holder]


def _without_locals(error: BaseException) -> BaseException:
    """Free what the functions held that an error came through, here, in the thread of their work.

    An error and its functions hold each other, as soon as one of these has a name for it.  A collection finds them some
    time, in any thread, and several at once: with the trees of large requests that were refused, it held the
    interpreter's lock for half a second.
    """
    seen = set()
    each: BaseException | None = error
    while each is not None and each not in seen:
        seen.add(each)
        traceback.clear_frames(each.__traceback__)
        each = each.__context__
    return error


def _settle(task: _Task, result: Any, error: BaseException | None) -> None:
    """Give the caller its result, in the thread of its loop."""

    def settle() -> None:
        if task.future.cancelled():
            return
        if error is not None:
            task.future.set_exception(error)
        else:
            task.future.set_result(result)

    try:
        task.loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop is closed: nobody waits

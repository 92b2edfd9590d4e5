"""Worker threads for what must not hold up the event loop.

`concurrent.futures` would wait at the end of the process for a thread that hangs in a call to the hypervisor; these
threads are daemons, so that the server ends when it is told to.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

__all__ = ["WorkerPool"]

Result = TypeVar("Result")

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class WorkerPool:
    """A bounded number of daemon threads, started as they are needed.

    Parameters:
        size: threads at most.
        name: for the names of the threads.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = 0
        self._free = 0
        self._lock = threading.Lock()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Call `work` in a worker thread, with the caller's context variables, and give back its result.

        When the caller is cancelled, work that has begun goes on to its end; work that still waits is left out.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        with self._lock:
            if self._free > 0:
                self._free -= 1
            elif self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._jobs.put((loop, future, partial(contextvars.copy_context().run, work)))
        return await future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._carry_out(*job)
            del job
            with self._lock:
                if self._jobs.empty():
                    self._free += 1

    @staticmethod
    def _carry_out(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], work: Callable[[], Any]) -> None:
        if future.cancelled():
            return
        result, error = None, None
        try:
            result = work()
        except BaseException as exc:
            error = exc

        def settle() -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:
            return  # the loop is closed: nobody waits

    def close(self) -> None:
        """Let the threads end when they have done what they are at."""
        for _ in range(self._size):
            self._jobs.put(None)

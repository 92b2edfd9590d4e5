"""Fetching from libvirt by a few threads at a time, each with its own connection, and the queue that they work on.

The queue is keyed: an object waits in it once, however many events name it, and is never fetched by two threads at a
time.  So whatever is fetched last was also read last, and no older answer can ever be put over a newer one.

A reader is a turn of one of the threads: it takes from the queue what there is, and gives the thread back.  So a
hypervisor of which nothing is to be read has no thread.

Layer rule: imports libvirt, precedence, connections, errors, events, keeper and threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import libvirt

from virtcim.libhelper.connections import Connections, is_alive
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.events import Event
from virtcim.libhelper.keeper import call_later
from virtcim.libhelper.threads import Threads
from virtcim.precedence import Precedence, answers

__all__ = ["Key", "Readers", "Task"]

_log = logging.getLogger(__name__)

_MAX_READERS = 16
"""Readers at most, those that are stuck included: each costs the daemon a connection."""

_UNOPENED = 2
"""Budgets after which a connection that does not open is taken for one that never will."""

_LOOK_AGAIN = 0.01
"""Seconds after which it is looked again whether what can wait may be fetched, where answers are computed."""

_TURN = 0.2
"""Seconds after which a reader lets others have its thread who wait for one."""

Key = tuple[str, str]
"""The name of a kind, and an object's key there."""

Result = TypeVar("Result")


@dataclass(slots=True)
class Task:
    """Why an object is to be fetched.

    Attributes:
        events: those that named it, oldest first.
        only_events: whether nobody else asked.
        waiters: who waits for the fetch.
    """

    events: list[Event] = field(default_factory=list)
    only_events: bool = True
    waiters: list[threading.Event] = field(default_factory=list)

    def wake(self) -> None:
        """Tell those who wait that the fetch is over."""
        for waiter in self.waiters:
            waiter.set()


@dataclass(slots=True, eq=False)
class _Work:
    """One thing for a reader to do."""

    what: str
    run: Callable[[libvirt.virConnect], Any]
    future: Future[Any] = field(default_factory=Future)
    key: Key | None = None
    task: Task = field(default_factory=Task)
    generation: int = 0
    result: Any = None
    attempts: int = 0
    since: float = 0.0
    opening: bool = False
    reported: bool = False
    later: bool = False


class Readers:
    """The readers and their queue.

    Parameters:
        connections: where a reader takes its connection from.
        count: readers that are not stuck.
        budget: seconds after which a call counts as stuck.
        fetch: fetches one object on the connection it is given; its libvirt errors are handled here.
        broken: told in words when a reader cannot get a connection any more.
        threads: where they have their turns; threads of their own unless given.
        first: what is computed for which somebody waits: what can wait gives way to it.

    Attributes:
        budget: as given; it may change.
    """

    def __init__(
        self,
        connections: Connections,
        count: int,
        budget: float,
        fetch: Callable[[libvirt.virConnect, Key, Task, int], None],
        broken: Callable[[str], None],
        threads: Threads | None = None,
        first: Precedence = answers,
    ) -> None:
        self._first = first
        self._connections = connections
        self._count = count
        self.budget = budget
        self._fetch = fetch
        self._broken = broken
        self._condition = threading.Condition()
        # Taking the first key out of a dictionary goes past all those that were taken out before.
        self._dirty: OrderedDict[Key, Task] = OrderedDict()
        self._later: OrderedDict[Key, Task] = OrderedDict()
        self._delayed: dict[Key, None] = {}
        self._claimed: set[Key] = set()
        self._jobs: deque[_Work] = deque()
        self._running: dict[threading.Thread, _Work] = {}
        self._threads = threads or Threads(count, _MAX_READERS)
        self._turns = 0
        self._coming = 0
        self._idle: list[libvirt.virConnect] = []
        self._said: dict[str, str] = {}
        self._open = False
        self._stopping = False
        self._puts_off = False
        self._looks_again = False
        self.generation = 0

    def resume(self) -> None:
        """The hypervisor answers: work."""
        with self._condition:
            self._open = True
            self._call_reader()

    def pause(self) -> None:
        """The connection is lost: forget the queue; what is being fetched belongs to a generation that is over."""
        with self._condition:
            self._open = False
            self._end_generation()

    def stop(self, timeout: float) -> None:
        """End all readers, for which it waits so many seconds; those that are stuck in libvirt are left behind."""
        self.end()
        with self._condition:
            self._condition.wait_for(lambda: not self._turns, timeout)

    def end(self) -> None:
        """End all readers; returns at once."""
        with self._condition:
            self._stopping = True
            self._open = False
            self._end_generation()

    def mark(self, key: Key, event: Event | None = None, waiter: threading.Event | None = None) -> None:
        """Have the object fetched, from now on; an object that is marked already is fetched once."""
        with self._condition:
            if not self._open:
                if waiter is not None:
                    waiter.set()
                return
            task = self._dirty.setdefault(key, Task())
            if event is not None:
                task.events.append(event)
            else:
                task.only_events = False
            if waiter is not None:
                task.waiters.append(waiter)
            if key not in self._claimed:
                self._call_reader()

    def join(self, key: Key, waiter: threading.Event) -> bool:
        """Have a waiter told of the end of a fetch that is due or under way; whether there is one."""
        with self._condition:
            running = (work.task for work in self._running.values() if work.key == key)
            task = self._dirty.get(key) or next(running, None)
            if task is not None:
                task.waiters.append(waiter)
            return task is not None

    def mark_later(self, keys: Iterable[Key], delay: float = 0.0) -> None:
        """Have things fetched once there is nothing else to do, by one reader at a time, and now and then only while
        answers are computed: what can wait should not make clients wait, who get one turn of the interpreter for one of
        each reader.

        Parameters:
            delay: seconds after which that may begin; what is marked meanwhile, too, begins with the first.
        """
        with self._condition:
            if not self._open:
                return
            if delay:
                if not self._delayed:
                    call_later(delay, self._end_delay)
                self._delayed.update(dict.fromkeys(keys))
                return
            for key in keys:
                self._later.setdefault(key, Task(only_events=False))
            self._call_reader()

    def _end_delay(self) -> None:
        """Have that fetched later which has been delayed."""
        with self._condition:
            delayed, self._delayed = self._delayed, {}
        self.mark_later(delayed)

    def put_off(self) -> None:
        """Fetch nothing that can wait, until `catch_up`."""
        with self._condition:
            self._puts_off = True

    def catch_up(self) -> None:
        """Fetch what has been put off."""
        with self._condition:
            self._puts_off = False
            self._call_reader()

    def claim(self, keys: Iterable[Key], generation: int) -> set[Key]:
        """Keep the readers from these objects until `release`.

        Returns:
            those that nobody has now; none when the generation is over.
        """
        with self._condition:
            if generation != self.generation:
                return set()
            claimed = {key for key in keys if key not in self._claimed}
            self._claimed |= claimed
            return claimed

    def release(self, key: Key, generation: int) -> None:
        """End a claim made in `generation`: what was marked meanwhile is fetched."""
        with self._condition:
            self._release(key, generation)

    def _release(self, key: Key, generation: int) -> None:
        if generation == self.generation:
            self._claimed.discard(key)
            if key in self._dirty:
                self._call_reader()

    def submit(self, what: str, job: Callable[[libvirt.virConnect], Result]) -> Future[Result]:
        """Have a job of another sort run by a reader, before the objects that wait.

        Returns:
            the future of its result; it is cancelled when the connection is lost first.
        """
        work = _Work(what, job)
        with self._condition:
            if self._open:
                self._jobs.append(work)
                self._call_reader()
            else:
                work.future.cancel()
        return work.future

    def check_stuck(self) -> None:
        """Report each call that takes longer than the budget, once, and put a fresh reader in its place."""
        now = time.monotonic()
        with self._condition:
            current = [each for each in self._running.values() if each.generation == self.generation]
            for running in self._running.values():
                if not running.reported and now - running.since > self.budget:
                    running.reported = True
                    _log.warning("%s: no answer for %.0f s, going on with the others", running.what, self.budget)
            unopened = any(each.opening and now - each.since > _UNOPENED * self.budget for each in current)
            self._call_reader()
        self._threads.relieve(self.budget, self._connections.uri)
        if unopened:
            self._broken("no further connection is opened")
        elif self._threads.hangs(self._connections.uri):
            self._broken("it does not answer any more")

    def _end_generation(self) -> None:
        self.generation += 1
        for task in self._dirty.values():
            task.wake()
        for work in self._jobs:
            work.task.wake()
            work.future.cancel()
        self._dirty.clear()
        self._later.clear()
        self._delayed.clear()
        self._jobs.clear()
        self._claimed.clear()
        idle, self._idle = self._idle, []
        if idle:
            self._threads.submit(self._connections.uri, partial(self._close, idle))

    def _close(self, connections: Iterable[libvirt.virConnect]) -> None:
        for connection in connections:
            self._connections.release(connection)

    def _most_turns(self) -> int:
        stuck = sum(work.reported for work in self._running.values())
        return min(self._count + stuck, _MAX_READERS)

    def _call_reader(self) -> None:
        """Have another reader come when there is something to do; with the lock.

        One that comes calls the next one, where there is more to do than it can take.
        """
        if self._open and not self._coming and self._turns < self._most_turns() and self._has_work():
            self._turns += 1
            self._coming += 1
            self._threads.submit(self._connections.uri, self._run)

    def _has_work(self) -> bool:
        return bool(self._jobs) or any(key not in self._claimed for waiting in self._waiting() for key in waiting)

    def _waiting(self) -> Sequence[OrderedDict[Key, Task]]:
        """Give the queues of which something may be taken; with the lock."""
        fetches_later = any(work.later and not work.reported for work in self._running.values())
        if self._puts_off or fetches_later or not self._later:
            return [self._dirty]
        if not self._first.lets_pass:
            if not self._looks_again:
                self._looks_again = True
                call_later(_LOOK_AGAIN, self._look_again)
            return [self._dirty]
        return [self._dirty, self._later]

    def _look_again(self) -> None:
        """Fetch what can wait, where it may be fetched by now."""
        with self._condition:
            self._looks_again = False
            self._call_reader()

    def _run(self) -> None:
        """Have a turn: do what there is to do."""
        thread = threading.current_thread()
        until = time.monotonic() + _TURN
        with self._condition:
            self._coming -= 1
        while (taken := self._take(thread, until)) is not None:
            self._threads.renew()
            self._do(thread, *taken)

    def _do(self, thread: threading.Thread, work: _Work, connection: libvirt.virConnect | None) -> None:
        try:
            if connection is None:
                work.opening = True
                connection = self._connections.open()
                work.opening = False
        except LibvirtError as error:
            self._finish(thread, work, error, logging.DEBUG)
            self._broken(error.message)
            return
        try:
            work.result = work.run(connection)
        except Exception as error:
            if is_alive(connection):
                self._keep(connection, work)
                self._finish(thread, work, error)
            else:
                self._connections.release(connection)
                self._again(thread, work, error)
        else:
            self._keep(connection, work)
            self._finish(thread, work, None)

    def _keep(self, connection: libvirt.virConnect, work: _Work) -> None:
        """Keep a connection for the next work, or close it."""
        with self._condition:
            if work.generation == self.generation and self._open and len(self._idle) < self._count:
                self._idle.append(connection)
                return
        self._connections.release(connection)

    def _take(self, thread: threading.Thread, until: float) -> tuple[_Work, libvirt.virConnect | None] | None:
        """Give the next thing to do, and a connection where one is open; None at the end of the reader's turn.

        Parameters:
            until: when others who wait for a thread get this one.
        """
        with self._condition:
            work = None
            if self._open and self._turns <= self._most_turns():
                if time.monotonic() < until or not self._threads.is_contended:
                    work = self._next()
                elif self._has_work():
                    self._coming += 1
                    self._threads.submit(self._connections.uri, self._run)
                    return None
            if work is None:
                self._turns -= 1
                self._condition.notify_all()
                return None
            work.generation = self.generation
            work.since = time.monotonic()
            self._running[thread] = work
            self._call_reader()
            return work, self._idle.pop() if self._idle else None

    def _next(self) -> _Work | None:
        if self._jobs:
            return self._jobs.popleft()
        for waiting in self._waiting():
            for key in waiting:
                if key not in self._claimed:
                    self._claimed.add(key)
                    if waiting is self._later:
                        self._first.note_passed()
                    return self._fetching(key, waiting.pop(key), waiting is self._later)
        return None

    def _fetching(self, key: Key, task: Task, later: bool) -> _Work:
        generation = self.generation
        return _Work(
            f"{key[0]} {key[1]}",
            lambda connection: self._fetch(connection, key, task, generation),
            key=key,
            task=task,
            later=later,
        )

    def _finish(
        self, thread: threading.Thread, work: _Work, error: Exception | None, level: int = logging.WARNING
    ) -> None:
        with self._condition:
            del self._running[thread]
            if work.key is not None:
                self._release(work.key, work.generation)
            said = self._said.pop(work.what, None)
            if error is not None:
                self._said[work.what] = str(error)
        work.task.wake()
        if error is None:
            work.future.set_result(work.result)
            return
        work.future.set_exception(error)
        level = logging.DEBUG if said == str(error) else level
        _log.log(level, "%s: %s", work.what, error, exc_info=not isinstance(error, _LIBVIRT_ERRORS))

    def _again(self, thread: threading.Thread, work: _Work, error: Exception) -> None:
        """The reader's connection broke during the work: do it again once, on a new one."""
        with self._condition:
            if self._open and work.generation == self.generation and not work.attempts:
                del self._running[thread]
                work.attempts += 1
                self._jobs.appendleft(work)
                self._call_reader()
                return
        self._finish(thread, work, error)


_LIBVIRT_ERRORS = (libvirt.libvirtError, LibvirtError)

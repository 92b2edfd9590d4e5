"""What waits to be delivered: one queue for each destination, in order, in memory, and journalled by the store.

An indication is numbered when it enters its queue (DSP1054 1.2, reliable delivery): SequenceContext stays the same for
a destination as long as the server runs, SequenceNumber begins at 0 and grows by one.  Both stay what they are however
often it is sent, and after a restart: what is made then has another context.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush, heapreplace
from itertools import chain
from typing import NamedTuple

from virtcim.cimom.indications.journal import Body, Journal, own_properties
from virtcim.cimom.indications.records import DestinationRecord, QueuedIndication, Route
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.providers.interface import Store

__all__ = ["DestinationQueue", "Queues", "Receiver", "Waiting", "put_all"]

_log = logging.getLogger(__name__)

LAST_NUMBER = 2**63 - 1
"""The largest sint64: SequenceNumber goes on from 0 behind it."""

BEHIND = 0.5
"""Seconds without an answer after which a destination counts as one that does not come along."""

ENTRY_SIZE = 256
"""Bytes that an indication takes in each queue, beside what it says."""

RECOVERED_SIZE = 8192
"""Bytes that an indication out of the journal is taken for."""


class Waiting(NamedTuple):
    """An indication in a queue.

    Attributes:
        key: in the journal.
        route: to its receiver.
        number: its SequenceNumber.
        body: what it says to all who receive it.
        queued: when, in UTC.
        namespace: of what it is about.
    """

    key: str
    route: Route
    number: int
    body: Body
    queued: datetime
    namespace: str

    @property
    def indication(self) -> QueuedIndication:
        """What is to be sent."""
        properties = {**self.body.properties, **own_properties(self.route, self.number)}
        route = self.route
        return QueuedIndication(
            route.destination, route.subscription, self.body.class_name, properties, self.queued, self.namespace
        )


class Receiver(NamedTuple):
    """Who is told of an indication.

    Attributes:
        queue: of his destination.
        subscription: key of the one that it is sent for.
        filter_name: of the filter that has selected it; None where he is not told.
    """

    queue: DestinationQueue
    subscription: str
    filter_name: str | None


class SharedMemory:
    """The memory that several queues take together, in which what several of them have is there once.  Safe to use from
    several threads at once.

    Parameters:
        limit: bytes that it may be.

    Attributes:
        size: bytes, about.
        sources: each tells of some of the queues.
    """

    def __init__(self, limit: int) -> None:
        self.size = 0
        self.sources: list[Callable[[], Iterable[DestinationQueue]]] = []
        self._limit = limit
        self._lock = threading.Lock()

    def enter(self, body: Body, queues: int) -> None:
        """Note that an indication goes into so many queues more."""
        with self._lock:
            self.size += ENTRY_SIZE * queues + (0 if body.queues else body.size)
            body.queues += queues

    def leave(self, body: Body) -> None:
        """Note that an indication has left a queue."""
        with self._lock:
            body.queues -= 1
            self.size -= ENTRY_SIZE + (0 if body.queues else body.size)

    def bound(self) -> None:
        """Drop the oldest of the longest queue of whoever takes most, until all together take no more than they may.

        With a thousand destinations that take nothing, a change drops a thousand: none of them is looked for among all.
        """
        if self.size <= self._limit:
            return
        queues: dict[str, list[tuple[int, int, DestinationQueue]]] = defaultdict(list)
        for number, queue in enumerate(queue for source in self.sources for queue in source()):
            if len(queue):
                heappush(queues[queue.owner], (-queue.size, number, queue))
        holders = [(sum(size for size, _, _ in own), owner) for owner, own in queues.items()]
        heapify(holders)
        while self.size > self._limit and holders:
            taken, owner = holders[0]
            size, number, queue = queues[owner][0]
            if queue.drop_oldest():
                heapreplace(queues[owner], (-queue.size, number, queue))
                heapreplace(holders, (taken - size - queue.size, owner))
            else:
                heappop(queues[owner])
                if not queues[owner]:
                    heappop(holders)


class DestinationQueue:
    """What waits for one destination.  Safe to use from several threads at once.

    Parameters:
        key: of the destination.
        context: SequenceContext of what enters from now on; "" where whoever takes it numbers by himself.
        journal: where it is kept as well.
        settings: limits.
        memory: what it takes together with others.
        name: whose it is, for people.
        owner: who has to give way with it where all queues together take too much.

    Attributes:
        delivered, failures, dropped: indications that were taken, attempts that failed, indications that were given up.
        last_error: why the last attempt failed; "" when it did not.
        failing_since: since when all attempts failed, in UTC; None when the last one did not.
        size: bytes of memory, about, as if nobody else had what waits here.
    """

    def __init__(
        self,
        key: str,
        context: str,
        journal: Journal,
        settings: IndicationSettings,
        memory: SharedMemory,
        name: str,
        owner: str,
    ) -> None:
        self.key = key
        self.name = name
        self.owner = owner
        self.delivered = self.failures = self.dropped = self.size = 0
        self.last_error = ""
        self.failing_since: datetime | None = None
        self._overflowing = False
        # When it began to fill, or something was taken last, as `time.monotonic` counts.
        self._moved = 0.0
        self._context = context
        self._next = 0
        # The last route for each filter: it is the same for one indication after the other.
        self._routes: dict[str | None, Route] = {}
        self._journal = journal
        self._settings = settings
        self._memory = memory
        self._lock = threading.Lock()
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_behind(self) -> bool:
        """Whether its destination fails or hangs, so that what enters now stays for long."""
        return bool(self._waiting) and time.monotonic() - self._moved > BEHIND

    def number(self, subscription: str, filter_name: str | None) -> tuple[Route, int]:
        """Number an indication, which `enter` puts in next.

        Parameters:
            subscription: key of the one that it is sent for.
            filter_name: of the filter that has selected it; None where the receiver is not told.

        Returns:
            the route to the receiver, and the number.
        """
        with self._lock:
            number, self._next = self._next, self._next + 1 if self._next < LAST_NUMBER else 0
            route = self._routes.get(filter_name)
            if route is None or route.subscription != subscription:
                route = self._routes[filter_name] = Route(self.key, subscription, filter_name, self._context)
            return route, number

    def enter(self, waiting: Waiting) -> None:
        """Queue an indication that is in the journal, and counted in the memory that the queues take together."""
        with self._lock:
            if not self._waiting:
                self._moved = time.monotonic()
            self._waiting.append(waiting)
            self.size += waiting.body.size + ENTRY_SIZE
            limits = self._settings
            while len(self._waiting) > limits.queue_length or self.size > limits.queue_bytes:
                if not self._drop():
                    break

    def drop_oldest(self) -> bool:
        """Drop the oldest for want of room, and tell whether there was one: the newest stays."""
        with self._lock:
            return self._drop()

    def recover(self, key: str, indication: QueuedIndication) -> None:
        """Take over what an earlier run of the server had queued."""
        body = Body(indication.class_name, indication.properties, RECOVERED_SIZE)
        route = Route(indication.destination, indication.subscription, None, "")
        self._waiting.append(Waiting(key, route, 0, body, indication.queued, indication.namespace))
        self.size += RECOVERED_SIZE + ENTRY_SIZE
        self._memory.enter(body, 1)

    def first(self) -> Waiting | None:
        """The oldest; None when nothing waits."""
        try:
            return self._waiting[0]
        except IndexError:
            return None

    def done(self, waiting: Waiting) -> None:
        """Forget the oldest: it was taken."""
        self.delivered += 1
        self._moved = time.monotonic()
        self.last_error, self.failing_since = "", None
        self._remove(waiting)

    def give_up(self, waiting: Waiting) -> None:
        """Forget the oldest: it is not tried any more."""
        self.dropped += 1
        self._remove(waiting)

    def failed(self, reason: str) -> None:
        """Take down that an attempt failed."""
        self.failures += 1
        self.last_error = reason
        if self.failing_since is None:
            self.failing_since = datetime.now(UTC)

    def clear(self) -> None:
        """Forget everything: the destination is gone."""
        with self._lock:
            while self._waiting:
                self._forget(self._waiting.popleft())

    def _remove(self, waiting: Waiting) -> None:
        with self._lock:
            # It may have been dropped meanwhile.
            if self._waiting and self._waiting[0] is waiting:
                self._forget(self._waiting.popleft())

    def _forget(self, waiting: Waiting) -> None:
        self.size -= waiting.body.size + ENTRY_SIZE
        self._memory.leave(waiting.body)
        self._overflowing = self._overflowing and bool(self._waiting)
        self._journal.remove(waiting.key)

    def _drop(self) -> bool:
        """Drop the oldest of several, and tell whether that was so; with the lock."""
        if len(self._waiting) < 2:
            return False
        self._forget(self._waiting.popleft())
        self.dropped += 1
        if not self._overflowing:
            self._overflowing = True
            _log.warning("%s: the oldest are dropped: too many indications wait", self.name)
        return True


def put_all(
    journal: Journal, memory: SharedMemory, body: Body, receivers: Sequence[Receiver], namespace: str = ""
) -> None:
    """Queue an indication for all who receive it; called by one thread at a time for the same queues.

    Parameters:
        journal: of their queues.
        memory: that these take together.
        body: what it says.
        receivers: none twice.
        namespace: of what it is about.
    """
    now = datetime.now(UTC)
    # The record of those who take it at once is gone before it is written: nobody who does not may stand in it.
    prompt: list[Receiver] = []
    behind: list[Receiver] = []
    for each in receivers:
        (behind if each.queue.is_behind else prompt).append(each)
    groups = prompt, behind
    numbered = [[each.queue.number(each.subscription, each.filter_name) for each in group] for group in groups]
    keys = journal.append(body, numbered, now, namespace)
    memory.enter(body, len(receivers))
    for key, receiver, (route, number) in zip(keys, chain(*groups), chain(*numbered), strict=True):
        receiver.queue.enter(Waiting(key, route, number, body, now, namespace))
    memory.bound()


class Queues:
    """The queues of all destinations.

    Parameters:
        store: keeps what waits.
        settings: limits.
        service: Name of the indication service, for SequenceContext.
        started: tells this run of the server from all others.

    Attributes:
        memory: what they take together, and others with them.
        filled: called with a queue that something was put into; set by who delivers.
        last: identifier and time of the last indication of each subscription, by its key, since the server started.
    """

    def __init__(self, store: Store, settings: IndicationSettings, service: str, started: str) -> None:
        self._settings = settings
        self._service = service
        self._started = started
        self._store = store
        self._journal = Journal(store, "queued indication")
        self._lock = threading.Lock()
        self.memory = SharedMemory(settings.max_queued_bytes)
        self.memory.sources.append(self.all)
        self._queues: dict[str, DestinationQueue] = {}
        self.last: dict[str, tuple[str, datetime]] = {}
        self.filled: Callable[[DestinationQueue], None] = lambda queue: None

    def recover(self, destination: Callable[[str], DestinationRecord | None]) -> None:
        """Take over what an earlier run of the server had queued, as far as its destinations are still there."""
        for key, indication in self._journal.items():
            record = destination(indication.destination)
            if record is None:
                self._journal.remove(key)
            else:
                self.of(record).recover(key, indication)
        self.memory.bound()
        for queue in self.all():
            self.filled(queue)

    def put(self, body: Body, receivers: Sequence[Receiver], identifier: str) -> None:
        """Queue an indication for all who receive it, and have it delivered; called by one thread.

        Parameters:
            body: what it says.
            receivers: none twice.
            identifier: its IndicationIdentifier.
        """
        put_all(self._journal, self.memory, body, receivers)
        told = identifier, datetime.now(UTC)
        for each in receivers:
            self.last[each.subscription] = told
        # Whoever delivers does so beside this thread: with the first at once, all others would wait for it.
        for queue in {each.queue.key: each.queue for each in receivers}.values():
            self.filled(queue)

    def save(self) -> None:
        """Have what waits written at once, rather than with what else comes within some hundredths of a second."""
        self._store.flush(0)

    def of(self, destination: DestinationRecord) -> DestinationQueue:
        """The queue of a destination, made when there is none."""
        with self._lock:
            queue = self._queues.get(destination.key)
            if queue is None:
                context = f"{self._service}#{self._started}#{destination.created.isoformat()}"
                queue = self._queues[destination.key] = DestinationQueue(
                    destination.key,
                    context,
                    self._journal,
                    self._settings,
                    self.memory,
                    f"destination {destination.name}",
                    destination.owner,
                )
            return queue

    def all(self) -> list[DestinationQueue]:
        """All queues."""
        with self._lock:
            return list(self._queues.values())

    def find(self, key: str) -> DestinationQueue | None:
        """The queue of the destination with a key."""
        return self._queues.get(key)

    def remove(self, key: str) -> None:
        """Forget the queue of a destination, with what waits in it."""
        with self._lock:
            queue = self._queues.pop(key, None)
        if queue is not None:
            queue.clear()

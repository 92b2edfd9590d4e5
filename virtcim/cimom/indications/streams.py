"""Indications for clients that hold a connection open: each names filters, and takes what they select as it comes.

What was selected is kept for a while, once for all streams, so that a client whose connection breaks goes on where it
was: while it is away its filters go on selecting.  Where that was too long, it is told that something is missing.
Nothing is kept over a restart of the server.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtcim.cimom.indications.filters import CompiledFilter, FilterCompiler
from virtcim.cimom.indications.journal import Body
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.principals import Principal
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, Status

__all__ = ["ActiveStream", "Event", "EventStream", "EventStreams"]


ID_BYTES = 12
"""Random bytes of a stream's name: nobody guesses that of somebody else."""


@dataclass(slots=True, eq=False)
class Event:
    """An indication.

    Attributes:
        number: grows by one with each.
        namespace: of what it is about.
        body: of the indication.
        streams: for whom it is.
        shown: what the front end that sends it has made of it; kept, as there may be many streams.
    """

    number: int
    namespace: str
    body: Body
    streams: frozenset[EventStream]
    shown: Any = None


class EventStream:
    """One client that follows what happens.

    Parameters:
        principal: who it is.

    Attributes:
        key: by which the client finds it again.
        selection: what its filters were made of, see `EventStreams.select`.
        position: number of the last event that it was given.
        dropped: number of the last event for it that is not kept any more.
        closed: whether it gets nothing any more.
        wake: called, in any thread, when there may be something new, and waits for nothing; None while the client is
            away.
        away_since: when it went, by `time.monotonic`.
    """

    __slots__ = ("away_since", "closed", "dropped", "filters", "key", "position", "principal", "selection", "wake")

    def __init__(self, principal: Principal) -> None:
        self.key = secrets.token_hex(ID_BYTES)
        self.filters: tuple[CompiledFilter, ...] = ()
        self.selection: Hashable = None
        self.principal = principal
        self.position = self.dropped = 0
        self.closed = False
        self.wake: Callable[[], None] | None = None
        self.away_since = time.monotonic()


@immutable
class ActiveStream:
    """A filter of a stream, as the engine sees it.

    Attributes:
        recipient: the stream.
        filter: compiled.
        principal: who follows.
    """

    recipient: EventStream
    filter: CompiledFilter
    principal: Principal


class EventStreams:
    """All streams.  Safe to use from several threads at once.

    A client's connection lives in an event loop, which never waits for the lock: `attach`, `detach` and `take` do with
    what is read and assigned in one step.  Whoever holds the lock may be waiting for the interpreter, behind all others
    that compute.

    Parameters:
        compiler: checks filters.
        settings: limits.

    Attributes:
        active: the filters that select now, by the class of the indications; another mapping takes its place with each
            change.
        sources: the classes of instances whose changes are wanted by one of them.
        listeners: called after each change of filters.
    """

    def __init__(self, compiler: FilterCompiler, settings: IndicationSettings) -> None:
        self._compiler = compiler
        self._settings = settings
        self._lock = threading.RLock()
        self._streams: dict[str, EventStream] = {}
        self._kept: dict[int, Event] = {}
        self._size = 0
        self._first = 1
        self._last = 0
        self.active: Mapping[str, tuple[ActiveStream, ...]] = {}
        self.sources: frozenset[str] = frozenset()
        self.listeners: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def size(self) -> int:
        """Bytes of memory of what is kept, about."""
        return self._size

    def open(self, queries: Iterable[tuple[str, str]], namespaces: Sequence[str], principal: Principal) -> EventStream:
        """Begin a stream; the client is away until it sets `wake`.

        Parameters:
            queries, namespaces: see `select`.
            principal: who follows.

        Raises:
            CIMError: as `FilterCompiler.compile`; SERVER_LIMITS_EXCEEDED when there are too many.
        """
        stream = EventStream(principal)
        self._select(stream, queries, namespaces)
        self.sweep()
        with self._lock:
            own = [each for each in self._streams.values() if each.principal.name == principal.name]
            self._make_room(own, "max_streams_per_user", f" by {principal.called}")
            self._make_room(self._streams.values(), "max_streams", "")
            stream.position = stream.dropped = self._last
            self._streams[stream.key] = stream
            self._index()
        self._tell()
        return stream

    def check(self, queries: Iterable[tuple[str, str]], namespaces: Sequence[str]) -> None:
        """Refuse what cannot select.

        Parameters:
            queries, namespaces: see `select`.

        Raises:
            CIMError: as `FilterCompiler.compile`.
        """
        for language, text in queries:
            self._compiler.compile(language, text, namespaces)

    def _make_room(self, streams: Collection[EventStream], limit: str, whose: str) -> None:
        """Forget the stream whose client is away for longest where there are as many as may be.

        Parameters:
            streams: that count.
            limit: the setting.
            whose: streams they are, for the message.

        Raises:
            CIMError: SERVER_LIMITS_EXCEEDED where no client is away.
        """
        most: int = getattr(self._settings, limit)
        if len(streams) < most:
            return
        away = [each for each in streams if each.wake is None and each.key in self._streams]
        if not away:
            text = f"{len(streams)} streams of events are followed{whose}; expected fewer than {most}"
            raise CIMError(Status.SERVER_LIMITS_EXCEEDED, f"{text} (indications.{limit})")
        self._forget([min(away, key=lambda each: each.away_since)])

    def select(self, stream: EventStream, queries: Iterable[tuple[str, str]], namespaces: Sequence[str]) -> None:
        """Say what a stream tells of from now on; what was selected before is told nevertheless.

        Parameters:
            stream: that of the client.
            queries: language and text of select statements on indications; what one of them selects is told.
            namespaces: where the indications come from; none: every namespace.

        Raises:
            CIMError: as `FilterCompiler.compile`.
        """
        if self._select(stream, queries, namespaces):
            with self._lock:
                self._index()
            self._tell()

    def _select(self, stream: EventStream, queries: Iterable[tuple[str, str]], namespaces: Sequence[str]) -> bool:
        """Give a stream its filters, and tell whether they are others than before."""
        selection = tuple(queries), tuple(namespaces)
        if stream.selection == selection:
            return False
        stream.filters = tuple(self._compiler.compile(language, text, namespaces) for language, text in selection[0])
        stream.selection = selection
        return True

    def find(self, key: str, principal: Principal) -> EventStream | None:
        """Find the stream of a client that comes back; None where it is not known any more."""
        stream = self._streams.get(key)
        return stream if stream is not None and stream.principal == principal and not stream.closed else None

    def attach(self, stream: EventStream, position: int, wake: Callable[[], None]) -> None:
        """Take note that a client is here; in the thread of its event loop.

        Parameters:
            stream: its stream; another connection that has it loses it.
            position: number of the last event that it knows.
            wake: see `EventStream`.
        """
        before, stream.wake = stream.wake, wake
        stream.position = min(position, self._last)
        if before is not None:
            before()

    def detach(self, stream: EventStream, wake: Callable[[], None]) -> None:
        """Take note that a client has gone, unless another connection has its stream already; in the same thread."""
        if stream.wake is wake:
            stream.away_since = time.monotonic()
            stream.wake = None

    def take(self, stream: EventStream, most: int) -> tuple[list[Event], bool]:
        """Take the next events of a stream, and whether some before them are missing; in the thread of its event loop.

        Another thread may put and drop events meanwhile: it says what it drops before it does so, and what it puts
        afterwards.
        """
        found: list[Event] = []
        number = max(stream.position, self._first - 1)
        is_missing = stream.position < stream.dropped
        while number < self._last and len(found) < most:
            number += 1
            event = self._kept.get(number)
            if event is None:
                is_missing = is_missing or number <= stream.dropped
            elif stream in event.streams:
                found.append(event)
        stream.position = number
        return found, is_missing

    def stop(self, stream: EventStream) -> None:
        """End a stream at once, without waiting: nothing more is told, and `sweep` gives back what it takes."""
        stream.closed = True
        if (wake := stream.wake) is not None:
            wake()

    def close(self, stream: EventStream) -> None:
        """End a stream: whoever has it is not told anything any more."""
        with self._lock:
            self._forget([stream])
        self._tell()

    def sweep(self) -> None:
        """Forget the streams that have ended, and those whose clients stay away."""
        over = time.monotonic() - self._settings.stream_seconds
        with self._lock:
            gone = [
                each for each in self._streams.values() if each.closed or (each.wake is None and each.away_since < over)
            ]
            self._forget(gone)
        if gone:
            self._tell()

    def put(self, recipients: Iterable[EventStream], namespace: str, body: Body) -> None:
        """Tell of an indication.

        Parameters:
            recipients: for whom.
            namespace: of what it is about.
            body: of the indication.
        """
        streams = frozenset(each for each in recipients if not each.closed)
        with self._lock:
            number = self._last + 1
            self._kept[number] = Event(number, namespace, body, streams)
            self._last = number
            self._size += body.size
            while self._size > self._settings.stream_bytes and self._first < number:
                event = self._kept[self._first]
                for each in event.streams:
                    each.dropped = event.number
                self._first += 1
                del self._kept[event.number]
                self._size -= event.body.size
        for each in streams:
            if (wake := each.wake) is not None:
                wake()

    def _forget(self, streams: Iterable[EventStream]) -> None:
        for each in streams:
            self._streams.pop(each.key, None)
            self.stop(each)
        self._index()
        if not self._streams:
            self._first = self._last + 1
            self._kept.clear()
            self._size = 0

    def _index(self) -> None:
        """Make the index of what selects now."""
        by_class: dict[str, list[ActiveStream]] = {}
        sources: set[str] = set()
        for stream in self._streams.values():
            for compiled in stream.filters:
                sources |= compiled.sources
                for class_name in compiled.indications:
                    by_class.setdefault(class_name, []).append(ActiveStream(stream, compiled, stream.principal))
        self.active = {class_name: tuple(found) for class_name, found in by_class.items()}
        self.sources = frozenset(sources)

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()

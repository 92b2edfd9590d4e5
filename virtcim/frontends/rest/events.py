"""What happens, as server-sent events (HTML Living Standard, section 9.2).

Each event has an identifier; a client that sends the last one that it has, as browsers do by themselves, goes on where
it was.  Where that is not possible any more it is told so by an event `gap`, and has to read anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from virtcim.cimom.indications.streams import Event, EventStream, EventStreams
from virtcim.cimom.requests import Caller
from virtcim.frontends.http.exchange import Sender
from virtcim.frontends.rest.answers import Refusal
from virtcim.frontends.rest.targets import href
from virtcim.frontends.rest.values import dumped, shown, shown_properties
from virtcim.providers.interface import EmbeddedInstance
from virtcim.schema.classes import ClassStore
from virtcim.schema.paths import parse_path

__all__ = ["Events", "News", "Turns"]

log = logging.getLogger(__name__)

SELECTING = frozenset({"classes", "namespace", "query", "language"})
"""The parameters in the URL that select."""

CQL = "DMTF:CQL"

MOST = 100
"""Events that are sent in one piece."""

HEARTBEAT = 15.0
"""Seconds after which something is sent though nothing happens: by that a client that is gone is found out, and nobody
on the way takes the connection for idle."""

RETRY = 2000
"""Milliseconds after which a browser comes back when its connection broke."""

KINDS = {"CIM_InstCreation": "created", "CIM_InstModification": "modified", "CIM_InstDeletion": "deleted"}

MAX_CLASSES = 50

WOKEN = 2
"""Streams that are woken in one turn of the event loop, for which all others wait.  To send takes a fraction of a
millisecond, and the interpreter is given away for it each time: beside threads that compute it comes back late."""

PAUSE = 0.004
"""Seconds between two such turns.  A hundred streams with news for each of them get theirs five times a second, several
events in one piece."""


class News:
    """What somebody in an event loop waits for.

    Attributes:
        come: set in the thread of the loop.
        is_due: whether it is going to be set.
    """

    __slots__ = ("come", "is_due")

    def __init__(self) -> None:
        self.come = asyncio.Event()
        self.is_due = False


class Turns:
    """Wakes those who wait for news in an event loop, a few of them at a time.

    Without a lock, as the loop would wait for it behind threads that compute; each step is one that nobody interrupts.
    One event is news for a hundred streams: the loop is called once.

    Parameters:
        loop: of all who wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: deque[News] = deque()
        self._is_called = False

    def wake(self, news: News) -> None:
        """Have somebody woken soon; called in any thread, waits for nothing."""
        if news.is_due:
            return
        news.is_due = True
        self._due.append(news)
        self._call()

    def _call(self) -> None:
        """Call the loop, unless it is going to look anyway."""
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon_threadsafe(self._wake_some)

    def _wake_some(self) -> None:
        """Wake those whose turn it is, and look again after a pause; until there is nobody."""
        if not self._due:
            self._is_called = False
            if self._due:  # since it was looked at, by somebody who still took the loop for called
                self._call()
            return
        for _ in range(min(WOKEN, len(self._due))):
            news = self._due.popleft()
            # Before it is set: who has more from now on says so again.
            news.is_due = False
            news.come.set()
        self._loop.call_later(PAUSE, self._wake_some)


class Events:
    """Sends what happens.

    Parameters:
        streams: where it comes from.
        classes: the class store.
        turns: of all streams.
    """

    def __init__(self, streams: EventStreams, classes: ClassStore, turns: Turns) -> None:
        self._streams = streams
        self._classes = classes
        self._turns = turns

    def open(self, query: Mapping[str, str], last: str, caller: Caller) -> tuple[EventStream, int, bool]:
        """Begin a stream, or find that of a client that comes back, which may select otherwise from now on.  May take
        its time.

        Parameters:
            query: the parameters in the URL.
            last: the last identifier that the client has; "" for none.
            caller: who follows.

        Returns:
            the stream, the number of the last event that the client has, and whether some are missing.

        Raises:
            CIMError: the filter is none, or there are too many streams.
            Refusal: a parameter is none.
        """
        queries, namespaces = self._read_selection(query)
        found, number = self._find(last, caller), last.partition(".")[2]
        if found is not None:
            if query.keys() & SELECTING:
                self._streams.select(found, queries, namespaces)
            return found, int(number[:20]), False
        stream = self._streams.open(queries, namespaces, caller.principal)
        return stream, stream.position, bool(last)

    def check(self, query: Mapping[str, str]) -> None:
        """Refuse what `open` would refuse of the parameters in the URL.  May take its time.

        Raises:
            CIMError: the filter is none.
            Refusal: a parameter is none.
        """
        self._streams.check(*self._read_selection(query))

    def _read_selection(self, query: Mapping[str, str]) -> tuple[list[tuple[str, str]], list[str]]:
        """Read the queries that select, and the namespaces of which they do; none for all."""
        return self._queries(query), [query["namespace"]] if query.get("namespace") else []

    def _find(self, last: str, caller: Caller) -> EventStream | None:
        """The stream that an identifier of an event is of; None for one that is not known any more."""
        key, _, number = last.partition(".")
        return self._streams.find(key, caller.principal) if number.isascii() and number.isdigit() else None

    def end(self, last: str, caller: Caller) -> None:
        """End a stream, as its client does not come back.

        Parameters:
            last: an identifier of one of its events.
            caller: who followed.

        Raises:
            Refusal: there is no such stream.
        """
        found = self._find(last, caller)
        if found is None:
            raise Refusal(404, f"lastEventId: {last[:60]!r} is of no stream; expected that of an event")
        self._streams.close(found)

    def _queries(self, query: Mapping[str, str]) -> list[tuple[str, str]]:
        """What selects: the query that is given, else one for each class, else everything."""
        names = [name.strip() for name in query.get("classes", "").split(",") if name.strip()]
        if "query" in query:
            if names:
                raise Refusal(400, "classes, query: only one of them can be given")
            return [(query.get("language", CQL), query["query"])]
        if len(names) > MAX_CLASSES:
            raise Refusal(400, f"classes: are {len(names)}; expected {MAX_CLASSES} at most")
        return [(CQL, self._of_class(name)) for name in names] or [(CQL, "SELECT * FROM CIM_Indication")]

    def _of_class(self, name: str) -> str:
        declaration = self._classes.get(name)
        if declaration is None:
            raise Refusal(400, f"classes: {name[:60]} does not exist")
        if declaration.is_indication:
            return f"SELECT * FROM {declaration.name}"
        return f"SELECT * FROM CIM_InstIndication WHERE SourceInstance ISA {declaration.name}"

    def listed(self, alerts: Iterable[Event]) -> list[bytes]:
        """Write a list of alerts, each as the data of its event."""
        return [b'{"alerts":[', b",".join(self._shown(each)[1] for each in alerts), b"]}"]

    def stop(self, stream: EventStream) -> None:
        """Tell a client nothing any more, at once: its user has logged out."""
        self._streams.stop(stream)

    async def send(self, stream: EventStream, position: int, is_missing: bool, sender: Sender) -> None:
        """Send what happens until the client is gone, or may not know of it any more.

        Parameters:
            stream: of the client.
            position: number of the last event that it has.
            is_missing: whether it has to be told that some before that are missing.
            sender: sends.
        """
        news = News()

        def wake() -> None:
            self._turns.wake(news)

        self._streams.attach(stream, position, wake)
        try:
            begin = _written("begin", f"{stream.key}.{position}", dumped({"kind": "begin"}))
            await sender.send(f"retry: {RETRY}\n".encode() + begin)
            while not stream.closed and stream.wake is wake:
                news.come.clear()
                events, is_broken = self._streams.take(stream, MOST)
                pieces = []
                if is_missing or is_broken:
                    pieces.append(_written("gap", f"{stream.key}.{stream.position}", dumped({"kind": "gap"})))
                    is_missing = False
                for event in events:
                    if event.shown is None:
                        # A hundred of them, each made anew, would take longer than others may wait.
                        await asyncio.sleep(0)
                    kind, data = self._shown(event)
                    pieces.append(_written(kind, f"{stream.key}.{event.number}", data))
                if pieces:
                    await sender.send(b"".join(pieces))
                if len(events) == MOST:
                    wake()  # there may be more, to be sent in a turn of its own
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await news.come.wait()
                except TimeoutError:
                    await sender.send(f": {stream.position}\nid: {stream.key}.{stream.position}\n\n".encode())
        finally:
            self._streams.detach(stream, wake)

    def _shown(self, event: Event) -> tuple[str, bytes]:
        """The kind of an event, and its data; made once for all streams."""
        if event.shown is None:
            try:
                told = self._data(event)
            except Exception:
                log.exception("A %s cannot be shown", event.body.class_name)
                told = {"kind": "indication", "indication": event.body.class_name, "namespace": event.namespace}
            event.shown = told["kind"], dumped(told)
        kind, data = event.shown
        return kind, data

    def _data(self, event: Event) -> dict[str, Any]:
        properties, namespace = event.body.properties, event.namespace
        source, previous = properties.get("SourceInstance"), properties.get("PreviousInstance")
        told: dict[str, Any] = {
            "kind": self._kind(event.body.class_name),
            "indication": event.body.class_name,
            "namespace": namespace,
            "time": shown(properties.get("IndicationTime"), namespace),
        }
        if not isinstance(source, EmbeddedInstance):
            declaration = self._classes[event.body.class_name]
            return {**told, "properties": shown_properties(properties, declaration, None, namespace)}
        declaration = self._classes[source.class_name]
        told["class"] = source.class_name
        path = properties.get("SourceInstanceModelPath")
        if isinstance(path, str):
            told |= {"path": path, "href": href(parse_path(path), namespace)}
        changed = properties.get("ChangedPropertyNames")
        if isinstance(changed, list | tuple):
            told["changed"] = names = [str(name) for name in changed]
            if isinstance(previous, EmbeddedInstance):
                wanted = frozenset(name.lower() for name in names)
                told["previous"] = shown_properties(previous.properties, declaration, wanted, namespace)
        told["properties"] = shown_properties(source.properties, declaration, None, namespace)
        return told

    def _kind(self, class_name: str) -> str:
        for name, kind in KINDS.items():
            if self._classes.is_a(class_name, name):
                return kind
        return "alert" if self._classes.is_a(class_name, "CIM_AlertIndication") else "indication"


def _written(kind: str, identifier: str, data: bytes) -> bytes:
    return f"event: {kind}\nid: {identifier}\ndata: ".encode() + data + b"\n\n"

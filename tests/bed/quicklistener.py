"""A listener for indications that costs next to nothing: it keeps connections open and reads no XML."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pywbem

from tests.bed.server import Server

__all__ = ["Arrival", "QuickListener", "subscribe_all"]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MESSAGE = re.compile(rb'<MESSAGE [^>]*?ID="([^"]*)"')
_ANSWER = (
    '<?xml version="1.0" encoding="utf-8"?><CIM CIMVERSION="2.0" DTDVERSION="2.0">'
    '<MESSAGE ID="{}" PROTOCOLVERSION="1.0"><SIMPLEEXPRSP><EXPMETHODRESPONSE NAME="ExportIndication">'
    "<IRETURNVALUE/></EXPMETHODRESPONSE></SIMPLEEXPRSP></MESSAGE></CIM>"
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An indication that came.

    Attributes:
        time: when, as `time.perf_counter` counts.
        body: the message.
    """

    time: float
    body: bytes


class QuickListener:
    """Takes whatever comes, by keep-alive, in a thread for each connection.

    Parameters:
        keep: whether bodies are kept; else they are empty.
        take: called with the path of the URL and what came, in place of keeping it; never twice at a time for a path
            that has one connection.

    Attributes:
        port: where it listens, on 127.0.0.1.
        arrivals: what came, by the path of the URL, in order.
    """

    def __init__(self, keep: bool = True, take: Callable[[str, Arrival], None] | None = None) -> None:
        self.arrivals: dict[str, list[Arrival]] = defaultdict(list)
        self._keep = keep
        self._take = take
        self._came = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._connections: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def url(self, path: str) -> str:
        """A destination; each path has its own list of arrivals."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def wait(self, count: int, patience: float, paths: tuple[str, ...] = ()) -> None:
        """Wait until so many indications have come.

        Parameters:
            patience: seconds.
            paths: those that count, each for itself; none: all together.

        Raises:
            AssertionError: they have not.
        """

        def reached() -> bool:
            if paths:
                return all(len(self.arrivals[path]) >= count for path in paths)
            return sum(map(len, self.arrivals.values())) >= count

        with self._came:
            came = self._came.wait_for(reached, patience)
        assert came, (
            f"less than {count} came in {patience} s: { {path: len(each) for path, each in self.arrivals.items()} }"
        )

    def clear(self) -> None:
        """Forget what came."""
        with self._came:
            self.arrivals.clear()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting = b""
        with contextlib.suppress(OSError), connection:
            while True:
                while (end := waiting.find(b"\r\n\r\n")) < 0:
                    if not (part := connection.recv(65536)):
                        return
                    waiting += part
                head, waiting = waiting[:end], waiting[end + 4 :]
                found = _LENGTH.search(head)
                length = int(found[1]) if found else 0
                while len(waiting) < length:
                    if not (part := connection.recv(65536)):
                        return
                    waiting += part
                now = time.perf_counter()
                body, waiting = waiting[:length], waiting[length:]
                number = _MESSAGE.search(body)
                answer = _ANSWER.format(number[1].decode() if number else "").encode()
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/xml; charset=utf-8\r\nCIMExport: MethodResponse\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
                )
                path = head.split(b" ", 2)[1].decode().removeprefix("/")
                if self._take is not None:
                    self._take(path, Arrival(now, body))
                    continue
                with self._came:
                    self.arrivals[path].append(Arrival(now, body if self._keep else b""))
                    self._came.notify_all()
        self._connections.discard(connection)


def subscribe_all(server: Server, urls: Sequence[str], queries: Sequence[str]) -> None:
    """Subscribe to some queries for each of some destinations; the paths of URLs stay, as they do not with pywbem's
    own manager of subscriptions."""
    system = {"SystemCreationClassName": "CIM_ComputerSystem", "SystemName": "bed"}

    def create(class_name: str, **properties: Any) -> Any:
        return connection.CreateInstance(pywbem.CIMInstance(class_name, properties))

    def named(class_name: str, name: str, **properties: Any) -> Any:
        return create(class_name, **system, CreationClassName=class_name, Name=name, **properties)

    with server.pywbem("interop") as connection:
        filters = [
            named(
                "CIM_IndicationFilter", f"filter {number}", Query=query, QueryLanguage="DMTF:CQL",
                SourceNamespaces=["root/virt"],
            )
            for number, query in enumerate(queries)
        ]  # fmt: skip
        for url in urls:
            handler = named("CIM_ListenerDestinationCIMXML", url, Destination=url, PersistenceType=pywbem.Uint16(2))
            for each in filters:
                create("CIM_IndicationSubscription", Filter=each, Handler=handler)

"""A listener for indications, and subscriptions to a server, as pywbem has them."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import pywbem

from tests.bed.server import Server

#: Seconds within which an indication must come on a loaded machine.
PATIENCE = 60.0


class Listener:
    """A `pywbem.WBEMListener` on a free port, and what it received.

    Attributes:
        received: the indications, in the order in which they came.
    """

    def __init__(self) -> None:
        self.received: list[Any] = []
        self._came = threading.Condition()
        self._listener: Any = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Listen, on the same port as before where it did."""
        # pywbem takes no port 0; below those that the system gives to outgoing connections one is free for sure.
        for port in [self.port] if self.port else random.sample(range(20000, 32000), 100):
            self._listener = pywbem.WBEMListener("127.0.0.1", http_port=port)
            self._listener.add_callback(self._take)
            try:
                self._listener.start()
            except pywbem.ListenerPortError:
                continue
            self.port = port
            return
        raise AssertionError("no port is free")

    def stop(self) -> None:
        """Listen no more."""
        self._listener.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take(self, indication: Any, _host: str) -> None:
        with self._came:
            self.received.append(indication)
            self._came.notify_all()

    def wait(self, wanted: Callable[[Any], Any], patience: float = PATIENCE) -> Any:
        """Wait for an indication, and return the first that is `wanted`."""
        deadline = time.monotonic() + patience
        with self._came:
            while True:
                found = next((each for each in self.received if wanted(each)), None)
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                assert left > 0, (
                    f"not told within {patience} s; told: {Counter(each.classname for each in self.received)}"
                )
                self._came.wait(left)

    def wait_for(self, count: int, patience: float = PATIENCE) -> list[Any]:
        """Wait for so many indications, and return all there are."""
        deadline = time.monotonic() + patience
        with self._came:
            while len(self.received) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(self.received)} of {count} told within {patience} s"
                self._came.wait(left)
            return list(self.received)


def subscribe(
    manager: Any,
    server: Server,
    url: str,
    queries: Sequence[str],
    language: str = "DMTF:CQL",
    spaces: Sequence[str] = ("root/virt",),
) -> None:
    """Subscribe to some queries by a `pywbem.WBEMSubscriptionManager`."""
    name = manager.add_server(pywbem.WBEMServer(server.pywbem("interop")))
    destination = manager.add_destination(name, url, owned=True, destination_id="listener")
    for number, query in enumerate(queries):
        made = manager.add_filter(name, list(spaces), query, query_language=language, owned=True, filter_id=str(number))
        manager.add_subscriptions(name, made.path, destination.path, owned=True)


def new_manager() -> Any:
    """A subscription manager with a name of its own; left as a context manager, it ends its subscriptions."""
    return pywbem.WBEMSubscriptionManager(f"test-{uuid.uuid4().hex[:8]}")


@contextmanager
def subscribed(
    server: Server,
    listener: Listener,
    *queries: str,
    language: str = "DMTF:CQL",
    spaces: Sequence[str] = ("root/virt",),
) -> Iterator[None]:
    """Subscribe to some queries for as long as the block goes on."""
    with new_manager() as manager:
        subscribe(manager, server, listener.url, queries, language, spaces)
        yield

"""Libvirt's events handed on to whoever listens, and waiting for one of them.

Layer rule: imports events.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from virtcim.libhelper.events import Event

__all__ = ["EventHub", "EventWait"]

Sink = Callable[[Event], None]


class EventHub:
    """The events of one hypervisor, over all its connections.

    Attributes:
        names: the events that its driver has, as `domain/lifecycle`.
    """

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self._sinks: list[Sink] = []

    def add(self, sink: Sink) -> None:
        """Have `sink` called with every event, in libvirt's event thread; it must return at once."""
        self._sinks.append(sink)

    def remove(self, sink: Sink) -> None:
        """Undo `add`."""
        self._sinks.remove(sink)

    def tell(self, event: Event) -> None:
        """Hand an event on to all sinks."""
        for sink in tuple(self._sinks):
            sink(event)


class EventWait:
    """Waits for an event of one object that is heard from now on.

    A context manager: the event is listened for from entering to leaving the block.

    Parameters:
        hub: whose events.
        matches: tells the event.
        supported: whether the driver sends such an event at all.
    """

    def __init__(self, hub: EventHub, matches: Callable[[Event], bool], supported: bool = True) -> None:
        self._hub = hub
        self._matches = matches
        self._heard = threading.Event()
        self.supported = supported
        self.event: Event | None = None

    def __enter__(self) -> EventWait:
        self._hub.add(self._sink)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._hub.remove(self._sink)

    def wait(self, timeout: float) -> bool:
        """Block until the event has come, for at most `timeout` seconds; whether it has.

        A driver that does not send the event is not waited for: True.
        """
        return not self.supported or self._heard.wait(timeout)

    def _sink(self, event: Event) -> None:
        if self._matches(event):
            self.event = event
            self._heard.set()

"""The alerts of late, for those who come after them: they are worth a look though nobody followed when they came."""

from __future__ import annotations

import threading
from collections import deque

from virtcim.cimom.access import Access
from virtcim.cimom.indications.journal import Body
from virtcim.cimom.indications.streams import Event
from virtcim.cimom.principals import Principal

__all__ = ["RecentAlerts"]

MOST = 200
"""Alerts that are kept; nothing is kept over a restart of the server."""


class RecentAlerts:
    """Keeps the newest alerts.  Safe to use from several threads at once.

    Parameters:
        access: decides who may be told what.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._kept: deque[Event] = deque(maxlen=MOST)
        self._last = 0

    def put(self, namespace: str, body: Body) -> None:
        """Keep an alert.

        Parameters:
            namespace: of what it is about.
            body: of the indication.
        """
        with self._lock:
            self._last += 1
            self._kept.append(Event(self._last, namespace, body, frozenset()))

    def of(self, principal: Principal) -> list[Event]:
        """Give the alerts that somebody may be told of, the newest first."""
        with self._lock:
            kept = list(self._kept)
        return [each for each in reversed(kept) if self._access.may_read(principal, each.namespace)]

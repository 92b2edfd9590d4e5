"""Changes that wait to be told: those of one thing merge, and those of different things keep their order."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

__all__ = ["PendingChange", "PendingChanges"]

State = TypeVar("State")


@dataclass(slots=True)
class PendingChange(Generic[State]):
    """What one thing has become since it was told of last.

    Attributes:
        key: of the thing.
        after: what it is now; None where it is gone.
        time: of the first change that is not told yet, in UTC.
    """

    key: Hashable
    after: State
    time: datetime


class PendingChanges(Generic[State]):
    """Changes that wait, by the thing that changed.  Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._pending: dict[Hashable, PendingChange[State]] = {}
        self._stopped = False

    def put(self, key: Hashable, after: State, time: datetime) -> None:
        """Note what a thing has become."""
        with self._changed:
            known = self._pending.get(key)
            if known is None:
                self._pending[key] = PendingChange(key, after, time)
                self._changed.notify_all()
            else:
                known.after = after

    def take(self) -> PendingChange[State] | None:
        """Wait for a change, and take the oldest; None at the end."""
        with self._changed:
            while not self._pending:
                if self._stopped:
                    return None
                self._changed.wait()
            if self._stopped:
                return None
            return self._pending.pop(next(iter(self._pending)))

    def stop(self) -> None:
        """End: what waits is told no more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

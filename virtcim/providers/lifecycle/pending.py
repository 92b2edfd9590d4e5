"""Changes that wait to be told: those of one thing merge, and those of different things keep their order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
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
    """Changes that wait, by the thing that changed.  Safe to use from several threads at once.

    Attributes:
        stopped: whether the end has come.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._pending: dict[Hashable, PendingChange[State]] = {}
        self.stopped = False

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
                if self.stopped:
                    return None
                self._changed.wait()
            if self.stopped:
                return None
            return self._pending.pop(next(iter(self._pending)))

    def drop(self, concerns: Callable[[Hashable], bool]) -> None:
        """Forget the changes of some things, which are told by their keys."""
        with self._changed:
            self._pending = {key: each for key, each in self._pending.items() if not concerns(key)}

    def stop(self) -> None:
        """End: what waits is told no more."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()

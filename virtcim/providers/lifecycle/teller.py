"""The thread in which it is told what changes mean, for all sites."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from datetime import datetime

from virtcim.providers.lifecycle.pending import PendingChanges

__all__ = ["Step", "Teller"]

_log = logging.getLogger(__name__)

Step = Callable[[datetime], None]
"""What is to be done about a change, given when it happened."""


class Teller:
    """Does what is to be done about changes, one thing after the other, in a thread that begins with the first."""

    def __init__(self) -> None:
        self._pending: PendingChanges[Step] = PendingChanges()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, owner: Hashable, key: Hashable, step: Step, time: datetime) -> None:
        """Have something done about a thing; what was to be done about it and is not yet is left out.

        Parameters:
            owner: whose thing it is.
            key: of the thing, among those of its owner.
            time: of the change, in UTC.
        """
        self._pending.put((owner, key), step, time)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lifecycle", daemon=True)
                self._thread.start()

    def drop(self, owner: Hashable) -> None:
        """Leave out what is to be done for an owner, and return when nothing is being done for it."""
        self._pending.drop(lambda key: isinstance(key, tuple) and key[0] is owner)
        if self._thread is None or self._thread is threading.current_thread():
            return
        passed = threading.Event()
        self._pending.put((passed, None), lambda _time: passed.set(), datetime.min)
        while not passed.wait(0.1) and not self._pending.stopped:
            pass

    def stop(self) -> None:
        """End: what waits is done no more."""
        self._pending.stop()

    def _run(self) -> None:
        while (pending := self._pending.take()) is not None:
            try:
                pending.after(pending.time)
            except Exception:
                _log.exception("a change of %s is not told", pending.key)

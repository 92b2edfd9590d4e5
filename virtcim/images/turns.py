"""Turns: that only one at a time has to do with an image, or with what is made of it.

Layer rule: imports libhelper.work only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from virtcim.libhelper.work import Work

__all__ = ["Turns"]

_LOOK_AGAIN = 0.1


class Turns:
    """Gives turns by key; a key that nobody has or waits for leaves nothing behind."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    def __len__(self) -> int:
        """How many keys somebody has or waits for."""
        return len(self._locks)

    @contextmanager
    def take(self, key: str, work: Work) -> Iterator[None]:
        """Be the only one who has to do with something, for the length of a block.

        Parameters:
            key: of it.
            work: asked whether to stop while somebody else has to do with it.

        Raises:
            WorkCancelledError: it was asked to stop.
        """
        lock = self._count(key, 1)
        try:
            while not lock.acquire(timeout=_LOOK_AGAIN):
                with work.stoppable():
                    work.checkpoint()
            try:
                yield
            finally:
                lock.release()
        finally:
            self._count(key, -1)

    def _count(self, key: str, change: int) -> threading.Lock:
        """Count one more, or one less, who has something or waits for it."""
        with self._changing:
            lock, number = self._locks.get(key) or (threading.Lock(), 0)
            self._locks[key] = lock, number + change
            if not number + change:
                del self._locks[key]
            return lock

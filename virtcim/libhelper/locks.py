"""Locks by name, so that two changes of one thing never run at a time.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

__all__ = ["Locks"]


class _Lock:
    """A lock, and how many threads hold it or wait for it."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


class Locks:
    """Locks that exist only while somebody holds them or waits for them: of what is gone, nothing stays."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, _Lock] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Keep others from what has this name for the length of a block; waits as long as somebody else does.

        Parameters:
            name: the UUID of a domain; or a name of something else, such as that of a domain to be.
        """
        with self._guard:
            entry = self._locks.setdefault(name, _Lock())
            entry.users += 1
        try:
            with entry.lock:
                yield
        finally:
            with self._guard:
                entry.users -= 1
                if not entry.users:
                    del self._locks[name]

"""Locks by name, so that two changes of one thing never run at a time.

Layer rule: imports libvirt and errors.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import libvirt

from virtcim.libhelper.errors import LibvirtError

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
        self._claims: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Keep others from what has this name for the length of a block; waits as long as somebody else does.

        Parameters:
            name: the UUID of a domain; or a name of something else, such as that of a domain to be.

        Raises:
            LibvirtError: `is_busy` where it is claimed.
        """
        with self._guard:
            entry = self._locks.setdefault(name, _Lock())
            entry.users += 1
        try:
            with entry.lock:
                if name in self._claims:
                    raise LibvirtError(self._claims[name], libvirt.VIR_ERR_RESOURCE_BUSY)
                yield
        finally:
            with self._guard:
                entry.users -= 1
                if not entry.users:
                    del self._locks[name]

    @contextlib.contextmanager
    def claim(self, name: str, why: str) -> Iterator[None]:
        """Have others refused at once who want what has this name, for the length of a block that lasts long.

        Parameters:
            name: as `hold` has it.
            why: what they are told.

        Raises:
            LibvirtError: `is_busy` where it is claimed already.
        """
        with self.hold(name):
            self._claims[name] = why
        try:
            yield
        finally:
            del self._claims[name]

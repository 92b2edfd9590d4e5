"""What changed last, so that whoever has made something of all objects makes anew only what belongs to those.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

from collections import deque

__all__ = ["LENGTH", "Journal"]

LENGTH = 512
"""Changes that are kept: far more than come between two looks, where anybody looks at each of them; to make everything
anew costs as much as some hundred."""


class Journal:
    """The names of the objects that changed last.  It has no lock of its own."""

    __slots__ = ("_entries", "_forgotten")

    def __init__(self) -> None:
        self._entries: deque[tuple[int, str]] = deque()
        self._forgotten = 0

    def note(self, revision: int, name: str) -> None:
        """Note that an object came, changed or went.

        Parameters:
            revision: greater than that of any note before it, or the same.
            name: of the object, before or after the change: who is renamed is noted twice.
        """
        if len(self._entries) == LENGTH:
            self._forgotten, _ = self._entries.popleft()
        self._entries.append((revision, name))

    def since(self, revision: int) -> set[str] | None:
        """Give the names of what changed after a revision; None where that is too long ago."""
        if revision < self._forgotten:
            return None
        names: set[str] = set()
        for each, name in reversed(self._entries):
            if each <= revision:
                break
            names.add(name)
        return names

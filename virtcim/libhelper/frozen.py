"""The guests whose file systems may be frozen: whoever keeps that beyond the end of the process is told.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["FrozenGuests"]


class FrozenGuests:
    """The guests of a hypervisor that were frozen through it, until they are known to be thawed.

    Attributes:
        keep: called with the UUID of a guest before it is frozen (True), and when it is thawed (False): comes back when
            that is known even if the process is killed.
    """

    def __init__(self) -> None:
        self.keep: Callable[[str, bool], None] = lambda _uuid, _is_frozen: None
        self._lock = threading.Lock()
        self._turns: dict[str, int] = {}
        self._last = 0

    def begin(self, uuid: str) -> int:
        """Note that a guest may be frozen from now on.

        Returns:
            the turn: whoever froze the guest last sees to it that it is thawed.
        """
        with self._lock:
            self._last += 1
            turn = self._turns[uuid] = self._last
        self.keep(uuid, True)
        return turn

    def may_be(self, uuid: str) -> bool:
        """Whether a guest may still be frozen through this hypervisor."""
        return uuid in self._turns

    def is_current(self, uuid: str, turn: int) -> bool:
        """Whether a guest has neither been thawed nor frozen again since."""
        return self._turns.get(uuid) == turn

    def end(self, uuid: str, turn: int) -> None:
        """Note that a guest is thawed; nothing happens where it was frozen again."""
        with self._lock:
            if not self.is_current(uuid, turn):
                return
            del self._turns[uuid]
        self.keep(uuid, False)

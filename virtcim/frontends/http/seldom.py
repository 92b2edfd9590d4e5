"""What could be said all the time is said now and then."""

from __future__ import annotations

import time

__all__ = ["Seldom"]

INTERVAL = 60.0
"""Seconds between two log lines that say the same."""


class Seldom:
    """Tells whether it is time to say something again, and counts how often it could have been said."""

    def __init__(self) -> None:
        self._said = -INTERVAL
        self._count = 0

    def note(self, count: int = 1) -> int:
        """Note what could be said.

        Parameters:
            count: how many times.

        Returns:
            0 where it was said in the last `INTERVAL`; else how often it could have been said since then, and it is
            taken for said.
        """
        self._count += count
        now = time.monotonic()
        if now - self._said < INTERVAL:
            return 0
        self._said, noted, self._count = now, self._count, 0
        return noted

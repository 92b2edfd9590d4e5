"""What could be said all the time is said now and then."""

from __future__ import annotations

import time

__all__ = ["Seldom"]

INTERVAL = 60.0
"""Seconds between two log lines that say the same."""


class Seldom:
    """Tells whether it is time to say something again."""

    def __init__(self) -> None:
        self._said = -INTERVAL

    def is_due(self) -> bool:
        """Whether it was not said for `INTERVAL`; then it is taken for said."""
        now = time.monotonic()
        if now - self._said < INTERVAL:
            return False
        self._said = now
        return True

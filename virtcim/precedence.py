"""What goes first in a process whose threads share one interpreter lock: answers that somebody waits for.

Lies below everything, and imports nothing of this project.
"""

from __future__ import annotations

import threading
import time

__all__ = ["Precedence", "answers"]

_PAUSE = 0.01
"""Seconds between two pieces of what can wait while answers are computed: as each takes less than a millisecond, they
have a tenth of the processor at most, and what 1,000 guests need is done within 10 s even if answers never end."""


class Precedence:
    """Tells what can wait whether something is computed for which somebody waits; that is what is done in its block.

    What can wait is done in short pieces, and asks before each one.  So that it comes to its end some time, it may have
    one piece in each pause, whoever in the process is the first to ask.

    Parameters:
        pause: seconds.
    """

    def __init__(self, pause: float = _PAUSE) -> None:
        self._pause = pause
        self._lock = threading.Lock()
        self._computed = 0
        self._next = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._computed += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._computed -= 1

    @property
    def lets_pass(self) -> bool:
        """Whether a piece of what can wait may be done now."""
        return not self._computed or time.monotonic() >= self._next

    def note_passed(self) -> None:
        """Note that a piece of what can wait is being done."""
        self._next = time.monotonic() + self._pause


answers = Precedence()
"""Those that all front ends compute."""

"""Names of what nobody has named: moments in time."""

from __future__ import annotations

import threading
from collections.abc import Container
from datetime import UTC, datetime

__all__ = ["new_name"]

_lock = threading.Lock()
_last: tuple[str, int] = "", 0
"""The moment of the name that was given last, and its number of that moment."""


def new_name(taken: Container[str] = ()) -> str:
    """Make a name that says when it was made, in UTC, and that this process has given to nobody else.

    Parameters:
        taken: names that there are already.
    """
    global _last
    with _lock:
        moment = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
        number = _last[1] if _last[0] == moment else 0
        while True:
            number += 1
            name = moment if number == 1 else f"{moment}-{number}"
            if name not in taken:
                _last = moment, number
                return name

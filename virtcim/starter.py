"""Starts threads for those who must not wait until they run, as event loops: that takes as long as others hold the
interpreter's lock.

Lies below everything, and imports nothing of this project.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import lru_cache
from queue import SimpleQueue

__all__ = ["start_elsewhere"]

AGAIN = 1.0
"""Seconds after which a thread that could not be started is tried again."""

_log = logging.getLogger(__name__)


def start_elsewhere(thread: threading.Thread) -> None:
    """Have a thread started by the one that starts others; that one itself is waited for, once in a process."""
    _starter().put(thread)


@lru_cache(maxsize=1)
def _starter() -> SimpleQueue[threading.Thread]:
    """Start the thread that starts others; gives what takes them."""
    asked: SimpleQueue[threading.Thread] = SimpleQueue()

    def start_all() -> None:
        while True:
            thread = asked.get()
            while not _is_started(thread):
                time.sleep(AGAIN)

    threading.Thread(target=start_all, name="starter", daemon=True).start()
    return asked


def _is_started(thread: threading.Thread) -> bool:
    """Start a thread; False where the system lets this process have no more of them."""
    try:
        thread.start()
    except RuntimeError as error:
        _log.warning("Thread %s: %s; tried again in %g s", thread.name, error, AGAIN)
        return False
    return True

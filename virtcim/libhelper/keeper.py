"""One thread in which all hypervisors are kept connected: what it does never waits for libvirt.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

__all__ = ["Alarm", "call_later", "keep"]

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def keep(life: Coroutine[Any, Any, None]) -> Future[None]:
    """Have a coroutine run in the thread, beside all others.

    Returns:
        the future of its end.
    """
    return asyncio.run_coroutine_threadsafe(life, _running_loop())


def call_later(seconds: float, call: Callable[[], None]) -> None:
    """Have something called in the thread after so many seconds; it must return at once."""
    loop = _running_loop()
    loop.call_soon_threadsafe(loop.call_later, seconds, call)


def _running_loop() -> asyncio.AbstractEventLoop:
    """Give the loop; the first call begins it, for the rest of the process."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="libvirt-keeper", daemon=True).start()
        return _loop


class Alarm:
    """Wakes a coroutine of the thread.  `ring` may be called in any thread, before the coroutine runs, too."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self, *_about: object) -> None:
        """Wake who naps, or keep from napping who is about to."""
        _running_loop().call_soon_threadsafe(self._rung.set)

    async def nap(self, seconds: float) -> None:
        """Wait until it rings, but no longer than so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()

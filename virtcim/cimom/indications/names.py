"""The loop of the delivery, in which a name that is looked up for long keeps nobody from looking up another one.

asyncio's own loops have few threads for all names, and a name server that does not answer keeps each of them until the
system gives up: a handful of such names would keep all destinations waiting that have a name at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any, NamedTuple

__all__ = ["NamingLoop"]

LOOKUPS = 64
"""Names that are looked up at once, each in a thread."""

DOUBTFUL_LOOKUPS = 8
"""Names that are looked up at once beside these, of those that were not found last time, or after long only."""

SLOW = 2.0
"""Seconds after which a name that is found is doubtful all the same."""

MAX_DOUBTFUL = 4096
"""Names that are remembered as doubtful."""

Addresses = list[Any]
"""What `socket.getaddrinfo` gives, whose types are of the system."""


class _Name(NamedTuple):
    """What `socket.getaddrinfo` is asked."""

    host: bytes | str | None
    port: bytes | str | int | None
    family: int
    type: int
    proto: int
    flags: int


class NamingLoop(asyncio.SelectorEventLoop):
    """A loop with threads of its own for names."""

    def __init__(self) -> None:
        super().__init__()
        self._room = asyncio.Semaphore(LOOKUPS)
        self._doubtful_room = asyncio.Semaphore(DOUBTFUL_LOOKUPS)
        self._doubtful: set[object] = set()
        self._lookups: dict[_Name, asyncio.Task[Addresses | Exception]] = {}

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Addresses:
        """Look up a name, as `socket.getaddrinfo` does; who asks while it is looked up gets the same answer.

        A lookup goes on when nobody waits for it any more: nothing can end its thread.
        """
        wanted = _Name(host, port, family, type, proto, flags)
        lookup = self._lookups.get(wanted)
        if lookup is None:
            lookup = self._lookups[wanted] = self.create_task(self._look_up(wanted))
            lookup.add_done_callback(lambda _: self._lookups.pop(wanted))
        found = await asyncio.shield(lookup)
        if isinstance(found, Exception):
            raise found
        return found

    async def end_lookups(self) -> None:
        """Wait for no name any more; their threads end by themselves."""
        lookups = list(self._lookups.values())
        for each in lookups:
            each.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)

    async def _look_up(self, wanted: _Name) -> Addresses | Exception:
        async with self._doubtful_room if wanted.host in self._doubtful else self._room:
            began = self.time()
            found = await self._ask(wanted)
        if isinstance(found, Exception) or self.time() - began > SLOW:
            if len(self._doubtful) >= MAX_DOUBTFUL:
                self._doubtful.clear()
            self._doubtful.add(wanted.host)
        else:
            self._doubtful.discard(wanted.host)
        return found

    def _ask(self, wanted: _Name) -> asyncio.Future[Addresses | Exception]:
        """Ask the system, in a thread that keeps nothing from ending."""
        answer: asyncio.Future[Addresses | Exception] = self.create_future()

        def settle(found: Addresses | Exception) -> None:
            if not answer.done():
                answer.set_result(found)

        def ask() -> None:
            found: Addresses | Exception
            try:
                found = socket.getaddrinfo(*wanted)
            except Exception as error:
                found = error
            with contextlib.suppress(RuntimeError):  # the loop may have ended
                self.call_soon_threadsafe(settle, found)

        threading.Thread(target=ask, name="name", daemon=True).start()
        return answer

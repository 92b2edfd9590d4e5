"""Consoles of guests by WebSocket (RFC 6455): serial ones, and screens by VNC.

A browser cannot send headers of its own with a WebSocket, so that each is opened by a ticket: made for one console of
one guest, for who asks, good for one use and half a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from virtcim.cimom import audit
from virtcim.cimom.requests import Caller
from virtcim.frontends.http.exchange import Sender
from virtcim.frontends.http.workers import WorkerPool
from virtcim.frontends.rest.answers import Refusal
from virtcim.frontends.rest.sessions import Session
from virtcim.immutable import immutable

__all__ = ["KINDS", "PROTOCOL", "TICKET_SECONDS", "Console", "Consoles", "Opener"]

log = logging.getLogger(__name__)

KINDS = frozenset({"serial", "vnc"})

PROTOCOL = "binary"
"""Of WebSocket, as noVNC asks for it."""

TICKET_SECONDS = 30
"""Seconds for which a ticket is good: a page opens the console at once."""

MAX_TICKETS = 1000
MAX_TICKETS_PER_USER = 100
MAX_OPEN = 100
"""Consoles that are open; each has three threads and a connection to the hypervisor."""

MAX_OPEN_PER_USER = 50
"""Of them, so that nobody takes them all."""

THREADS = 3
"""One that reads, one that writes, and one that ends both."""


class Console(Protocol):
    """A console that is open."""

    def read(self) -> bytes | None:
        """Wait for what the guest sends; b"" at the end."""

    def write(self, data: bytes) -> None:
        """Send to the guest.  Raises when the console is gone."""

    def close(self) -> None:
        """End it; whoever waits for it goes on."""


class Opener(Protocol):
    """Opens consoles."""

    def check(self, namespace: str, name: str, kind: str) -> None:
        """Refuse what `open` would, as far as that is known without asking the hypervisor.  Raises CIMError."""

    def open(self, namespace: str, name: str, kind: str) -> Console:
        """Open a console.  May wait for the hypervisor.

        Parameters:
            namespace: where the guest is.
            name: of the guest.
            kind: of `KINDS`.

        Raises:
            CIMError: it cannot be opened.
        """


@immutable
class _Ticket:
    """What a ticket is good for, for whom, and until when."""

    target: tuple[str, str, str]
    user: tuple[str, str]
    session: Session | None
    until: float


class Consoles:
    """Opens consoles for those who have a ticket.

    Parameters:
        opener: opens them.
        clock: seconds; for tests.
    """

    def __init__(self, opener: Opener, clock: Callable[[], float] = time.monotonic) -> None:
        self._opener = opener
        self._clock = clock
        self._tickets: dict[bytes, _Ticket] = {}
        self._lock = threading.Lock()
        self._open: Counter[tuple[str, str]] = Counter()
        self._closing: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        return self._open.total()

    def issue(self, target: tuple[str, str, str], caller: Caller, session: Session | None) -> str:
        """Make a ticket.

        Parameters:
            target: namespace, guest and kind.
            caller: for whom.
            session: of the browser; None without one.

        Raises:
            Refusal: 503 while too many are asked for, by anybody or by him.
        """
        now, ticket = self._clock(), secrets.token_urlsafe(32)
        with self._lock:
            self._tickets = {key: each for key, each in self._tickets.items() if each.until > now}
            own = sum(each.user == _user(caller) for each in self._tickets.values())
            if len(self._tickets) >= MAX_TICKETS or own >= MAX_TICKETS_PER_USER:
                raise Refusal(503, "Too many consoles are asked for; try again", {"Retry-After": "1"})
            self._tickets[_digest(ticket)] = _Ticket(target, _user(caller), session, now + TICKET_SECONDS)
        return ticket

    def redeem(self, ticket: str, target: tuple[str, str, str], caller: Caller, session: Session | None) -> None:
        """Take a ticket, which is good no more then.

        Raises:
            Refusal: 403 where it is not good for this; 503 while too many consoles are open.
        """
        with self._lock:
            found = self._tickets.pop(_digest(ticket), None)
        good = found is not None and found.target == target and found.until > self._clock()
        if found is None or not good or found.user != _user(caller) or found.session is not session:
            raise Refusal(403, "The ticket is not good for this console; expected a new one, which is good once")
        self._check_room(_user(caller))

    def _check_room(self, user: tuple[str, str]) -> None:
        if len(self) >= MAX_OPEN or self._open[user] >= MAX_OPEN_PER_USER:
            raise Refusal(503, "Too many consoles are open", {"Retry-After": "10"})

    @contextlib.contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """Count a console from before it is opened until it has ended: many can be on the way at once.

        Parameters:
            caller: who opens it.

        Raises:
            Refusal: 503 while too many are open, by anybody or by him.
        """
        user = _user(caller)
        self._check_room(user)
        self._open[user] += 1
        try:
            yield
        finally:
            self._open[user] -= 1
            if not self._open[user]:
                del self._open[user]

    def check(self, target: tuple[str, str, str]) -> None:
        """Refuse a console that cannot be opened, before there is a ticket: a browser does not learn later why.

        Raises:
            CIMError: it cannot be opened.
        """
        self._opener.check(*target)

    def connect(self, target: tuple[str, str, str], caller: Caller) -> Console:
        """Open a console, and write it down.  May wait for the hypervisor; raises CIMError."""
        namespace, name, kind = target
        change = audit.Change(caller.principal, caller.origin, namespace, "OpenConsole", caller.request_id)
        change.applied_to, change.parameters = name, {"Kind": kind}
        with change:
            return self._opener.open(namespace, name, kind)

    async def bridge(self, console: Console, session: Session | None, sender: Sender) -> None:
        """Send what the guest sends to the client, and the reverse, until one of them ends, or the session does.

        Parameters:
            console: is closed at the end.
            session: of the browser.
            sender: speaks by WebSocket.
        """
        pool, over, loop = WorkerPool(THREADS, "console"), asyncio.Event(), asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(over.set)

        async def to_client() -> None:
            while data := await pool.run(console.read):
                await sender.send(data)

        async def to_guest() -> None:
            while (data := await sender.receive()) is not None:
                await pool.run(lambda data=data: console.write(data))  # type: ignore[misc]

        tasks = [asyncio.ensure_future(each) for each in (to_client(), to_guest(), over.wait())]
        try:
            with contextlib.nullcontext() if session is None else session.told(end):
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            closing = asyncio.ensure_future(pool.run(console.close))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            closing.add_done_callback(lambda _: pool.close())
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                log.info("A console has ended: %s", error)


def _user(caller: Caller) -> tuple[str, str]:
    return caller.principal.name, str(caller.principal.mechanism)


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "surrogateescape")).digest()

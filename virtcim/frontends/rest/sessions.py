"""Sessions of browsers: who has logged in is known by a cookie from then on (RFC 6265).

Kept is the hash of what is in the cookie: nobody who sees the memory or the store learns it.  What is in it is another
one with each log-in, so that nobody can hand out one beforehand.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from virtcim.cimom.principals import Mechanism, Principal
from virtcim.cimom.settings import ServerSettings
from virtcim.immutable import immutable
from virtcim.providers.interface import Table

__all__ = ["KeptSession", "Session", "Sessions", "cookie_header"]

COOKIE = "__Host-virtcim"
"""By TLS: browsers take a cookie of this name only from the host itself, for all of it, and keep it from plain HTTP."""

PLAIN_COOKIE = "virtcim"
"""By plain HTTP, on this host only."""

TOKEN_BYTES = 32

KEPT_USE = 60.0
"""Seconds by which the use of a session that is in the store may be older than its last use; a tenth of
`session_idle` where that is less.  Else each request would be written to the disk."""


@immutable
class KeptSession:
    """A session as it is kept over a start of the server, under the hash of what is in its cookie.

    Attributes:
        user: who has logged in.
        mechanism: how.
        groups: of the system, that the user was in then.
        started: seconds since 1970.
        used: likewise.
        stamp: of the passwords and accounts that it holds with (`Authenticator.stamp`).
    """

    user: str
    mechanism: Mechanism
    groups: tuple[str, ...]
    started: float
    used: float
    stamp: str


class Session:
    """Somebody who has logged in.

    Parameters:
        principal: who it is.
        started: by the clock of the sessions.

    Attributes:
        used: when something was asked last, likewise.
        kept: the `used` that is in the store.
    """

    __slots__ = ("_listeners", "_lock", "_over", "kept", "principal", "started", "used")

    def __init__(self, principal: Principal, started: float) -> None:
        self.principal = principal
        self.started = started
        self.used = started
        self.kept = started
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._over = False

    @contextlib.contextmanager
    def told(self, tell: Callable[[], None]) -> Iterator[None]:
        """Have something called when the session is over, for the length of a block; at once where it is already, as
        when somebody logs out while a console is being opened.
        """
        with self._lock:
            self._listeners.append(tell)
            over = self._over
        if over:
            tell()
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(tell)

    def end(self) -> None:
        """Tell everybody that it is over."""
        with self._lock:
            self._over = True
            listeners = tuple(self._listeners)
        for tell in listeners:
            tell()


class Sessions:
    """All open sessions.  Safe to use from several threads at once.

    Parameters:
        settings: their limits.
        clock: seconds; for tests.
        today: seconds since 1970; for tests.
    """

    def __init__(
        self,
        settings: ServerSettings,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], float] = time.time,
    ) -> None:
        self._idle = settings.session_idle
        self._lifetime = settings.session_lifetime
        self._most = settings.max_sessions
        self._clock = clock
        self._today = today
        self._table: Table[KeptSession] | None = None
        self._stamp: Callable[[], str] = str
        self._open: dict[bytes, Session] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def keep(self, table: Table[KeptSession], stamp: Callable[[], str]) -> None:
        """Go on with the sessions of earlier runs of the server, and keep those of this one.  Called before anybody
        is answered.

        Those of other passwords or accounts are over, as are those of another time: a clock that was set back would
        make them last longer.

        Parameters:
            table: where they are kept.
            stamp: gives what `Authenticator.stamp` gives.
        """
        self._table, self._stamp = table, stamp
        now, today, valid = self._clock(), self._today(), stamp()
        for name, kept in table.items():
            session = Session(
                Principal(kept.user, kept.mechanism, frozenset(kept.groups)), now - (today - kept.started)
            )
            session.used = session.kept = now - (today - kept.used)
            is_of_now = kept.stamp == valid and kept.started <= kept.used <= today
            if is_of_now and not self._is_over(session, now):
                self._open[bytes.fromhex(name)] = session
            else:
                table.remove(name)
        with self._lock:
            self._make_room(self._most)

    def open(self, principal: Principal) -> str:
        """Begin a session, and give what goes into the cookie."""
        self.sweep()
        token, now = secrets.token_urlsafe(TOKEN_BYTES), self._clock()
        key, session = _digest(token), Session(principal, now)
        with self._lock:
            over = self._make_room(self._most - 1)
            self._open[key] = session
            self._write(key, session)
        _end(over)
        return token

    def _make_room(self, most: int) -> list[Session]:
        """Give up sessions beyond a number of them; give those that are over by it."""
        over = []
        while len(self._open) > max(0, most):
            key = self._least_needed()
            over.append(self._open.pop(key))
            self._forget(key)
        return over

    def _write(self, key: bytes, session: Session) -> None:
        """Keep a session, as it is now, over the next start."""
        if self._table is None:
            return
        principal, session.kept, ago = session.principal, session.used, self._today() - self._clock()
        groups = tuple(sorted(principal.groups))
        times = session.started + ago, session.used + ago
        self._table.put(key.hex(), KeptSession(principal.name, principal.mechanism, groups, *times, self._stamp()))

    def _forget(self, key: bytes) -> None:
        if self._table is not None:
            self._table.remove(key.hex())

    def _least_needed(self) -> bytes:
        """Choose a session to be given up: of who has most of them, the one that rested longest.  Else a user could end
        those of all others by logging in again and again."""
        users = Counter(_user(each.principal) for each in self._open.values())
        ((most, _),) = users.most_common(1)
        theirs = {key: each.used for key, each in self._open.items() if _user(each.principal) == most}
        return min(theirs, key=theirs.__getitem__)

    def find(self, headers: Mapping[str, str], is_encrypted: bool) -> Session | None:
        """Find the session of a request by its cookie; None without a good one.

        By TLS only the cookie counts that is set by TLS: who is on the way could have given the browser the other one,
        with a session of his own, and see there what its user enters.
        """
        token = _cookie(headers, COOKIE if is_encrypted else PLAIN_COOKIE)
        key = _digest(token)
        session = self._open.get(key) if token else None
        if session is None:
            return None
        now = self._clock()
        if self._is_over(session, now):
            self.sweep()
            return None
        session.used = now
        if now - session.kept > min(KEPT_USE, self._idle / 10):
            with self._lock:
                if key in self._open:
                    self._write(key, session)
        return session

    def identify(self, headers: Mapping[str, str], is_encrypted: bool) -> Principal | None:
        """Tell who asks (`frontends.http.exchange.Route`)."""
        session = self.find(headers, is_encrypted)
        return session.principal if session is not None else None

    def seconds_left(self, session: Session) -> float:
        """Seconds after which a session is over, even if it is used."""
        return session.started + self._lifetime - self._clock()

    def close(self, session: Session) -> None:
        """End a session."""
        self._close(lambda each: each is session)

    def close_all(self, principal: Principal) -> int:
        """End all sessions of somebody, and tell how many there were."""
        return self._close(lambda each: _user(each.principal) == _user(principal))

    def end_all(self) -> None:
        """End all sessions: passwords or accounts have changed."""
        self._close(lambda _: True)

    def sweep(self) -> None:
        """End the sessions whose time is over."""
        now = self._clock()
        self._close(lambda each: self._is_over(each, now))

    def _is_over(self, session: Session, now: float) -> bool:
        return now - session.used > self._idle or now - session.started > self._lifetime

    def _close(self, is_meant: Callable[[Session], bool]) -> int:
        with self._lock:
            over = {key: each for key, each in self._open.items() if is_meant(each)}
            for key in over:
                del self._open[key]
                self._forget(key)
        _end(over.values())
        return len(over)


def _end(sessions: Iterable[Session]) -> None:
    for session in sessions:
        session.end()


def _user(principal: Principal) -> tuple[str, str]:
    return principal.name, str(principal.mechanism)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _cookie(headers: Mapping[str, str], name: str) -> str:
    """The value of a cookie; "" without it."""
    for part in headers.get("Cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def cookie_header(token: str, is_encrypted: bool) -> str:
    """Write the Set-Cookie header of a session.

    Parameters:
        token: what goes into the cookie; "" to have the browser forget it.
        is_encrypted: whether the connection is one of TLS.
    """
    name, secure = (COOKIE, "; Secure") if is_encrypted else (PLAIN_COOKIE, "")
    end = "" if token else "; Max-Age=0"
    return f"{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{end}"

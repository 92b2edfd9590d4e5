"""Who asks: HTTP Basic authentication (RFC 7617) against password files.

Verifying a password is slow on purpose (bcrypt takes a quarter of a second), so what was verified is remembered for a
while; failures are answered late.  Neither holds up other clients.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import secrets
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from passlib.apache import HtpasswdFile

__all__ = [
    "AuthenticationBusy",
    "Authenticator",
    "BasicAuthenticator",
    "Htpasswd",
    "NoAuthentication",
    "PasswordFile",
    "Verifier",
]

log = logging.getLogger(__name__)

MAX_REMEMBERED = 1024
"""Verified credentials kept."""

STAT_INTERVAL = 1.0
"""Seconds between two looks at whether the password file has changed."""


class AuthenticationBusy(Exception):
    """Too many passwords are being verified, or failures being delayed; the client has to come again later."""


class Authenticator(ABC):
    """Decides who a client is.

    Attributes:
        challenge: value of the WWW-Authenticate header of a refusal.
    """

    challenge: str = 'Basic realm="virtcim"'

    @abstractmethod
    async def authenticate(self, authorization: str | None) -> str | None:
        """The user that the Authorization header proves, or None.  Raises AuthenticationBusy under attack."""

    def remembered(self, authorization: str | None) -> str | None:
        """The user, when no waiting is needed to tell; else None, and `authenticate` decides."""
        return None

    async def close(self) -> None:
        """Give up what the authenticator holds."""
        return


class NoAuthentication(Authenticator):
    """Everybody may; for loopback addresses only."""

    async def authenticate(self, authorization: str | None) -> str | None:
        return ""

    def remembered(self, authorization: str | None) -> str | None:
        return ""


class Verifier(ABC):
    """Knows passwords."""

    @abstractmethod
    def verify(self, user: str, password: str) -> bool:
        """Whether it is the user's password.  May take long; called in a worker thread."""

    @abstractmethod
    def stamp(self) -> object:
        """Changes when what was verified before may no longer hold."""


class _File(Verifier):
    """A password file that is read again when it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> object:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


class PasswordFile(_File):
    """Lines of `user:password`, in clear text: for the password that the server makes itself.  Mode 0600."""

    def verify(self, user: str, password: str) -> bool:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as exc:
            log.error("Password file %s cannot be read: %s", self.path, exc)
            return False
        given = f"{user}:{password}".encode()
        found = False
        for line in lines:
            # Every line is compared, so that the time does not tell which user there is.
            found |= ":" in line and hmac.compare_digest(line.encode(), given)
        return found


class Htpasswd(_File):
    """A file of Apache's htpasswd: bcrypt, SHA-256 and SHA-512 crypt, apr1 and what else passlib knows."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._loaded: tuple[object, HtpasswdFile] | None = None

    def load(self) -> HtpasswdFile:
        """Read the file, if it changed.  Raises OSError or ValueError when it cannot be read or is none."""
        stamp = self.stamp()
        loaded = self._loaded
        if loaded is None or loaded[0] != stamp:
            loaded = self._loaded = stamp, HtpasswdFile(str(self.path))
        return loaded[1]

    def verify(self, user: str, password: str) -> bool:
        try:
            users = self.load()
            known = users.check_password(user, password)
        except (OSError, ValueError, TypeError) as exc:
            log.error("Password file %s: %s", self.path, exc)
            return False
        if known is None:
            # An unknown user takes as long as a known one.
            users.context.dummy_verify()
        return bool(known)


class BasicAuthenticator(Authenticator):
    """HTTP Basic.

    Parameters:
        verifier: knows the passwords.
        lifetime: seconds for which verified credentials are remembered.
        delay: seconds before a failure is answered.
        max_pending: failures and verifications under way; beyond it clients are turned away.
        threads: verifications at one time.
    """

    def __init__(
        self, verifier: Verifier, lifetime: float = 300.0, delay: float = 1.0, max_pending: int = 64, threads: int = 2
    ) -> None:
        self._verifier = verifier
        self._lifetime = lifetime
        self._delay = delay
        self._max_pending = max_pending
        self._pending = 0
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._secret = secrets.token_bytes(32)
        self._remembered: dict[bytes, tuple[str, float]] = {}
        self._stamp: object = verifier.stamp()
        self._stamp_checked = 0.0

    def _digest(self, authorization: str) -> bytes:
        """What credentials are remembered by: nobody who sees the memory learns the password from it."""
        return hmac.digest(self._secret, authorization.encode("utf-8", "surrogateescape"), hashlib.sha256)

    def remembered(self, authorization: str | None) -> str | None:
        if not authorization:
            return None
        now = time.monotonic()
        if now - self._stamp_checked > STAT_INTERVAL:
            self._stamp_checked = now
            stamp = self._verifier.stamp()
            if stamp != self._stamp:
                self._stamp = stamp
                self._remembered.clear()
        found = self._remembered.get(self._digest(authorization))
        return found[0] if found is not None and found[1] > now else None

    async def authenticate(self, authorization: str | None) -> str | None:
        user = self.remembered(authorization)
        if user is not None:
            return user
        credentials = _basic_credentials(authorization)
        if authorization is None or credentials is None:
            return None
        if self._pending >= self._max_pending:
            raise AuthenticationBusy
        self._pending += 1
        try:
            stamp = self._stamp
            verified = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._verifier.verify, *credentials
            )
            if not verified:
                log.warning("Authentication of %r failed", credentials[0])
                await asyncio.sleep(self._delay)
                return None
        finally:
            self._pending -= 1
        if stamp == self._stamp:
            self._remember(self._digest(authorization), credentials[0])
        return credentials[0]

    def _remember(self, digest: bytes, user: str) -> None:
        now = time.monotonic()
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered = {key: value for key, value in self._remembered.items() if value[1] > now}
        if len(self._remembered) < MAX_REMEMBERED:
            self._remembered[digest] = user, now + self._lifetime

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _basic_credentials(authorization: str | None) -> tuple[str, str] | None:
    """User and password of a Basic Authorization header; None when it is none."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (user, password) if colon and "\0" not in user + password else None

"""Who asks: HTTP Basic authentication (RFC 7617) against password files and PAM.

Verifying a password is slow on purpose (bcrypt takes a quarter of a second, PAM may ask a directory), so what was
verified is remembered for a while, and several requests with the same credentials are verified once; failures are
answered late, and the later the more of them come from one address.  None of this holds up other clients.
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
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from virtcim.cimom import audit
from virtcim.cimom.capabilities import Authentication
from virtcim.cimom.principals import NOBODY, Mechanism, Principal, system_groups
from virtcim.frontends.http.htpasswd import is_password, read_hashes
from virtcim.frontends.http.stamps import stamp_of, stamps_of
from virtcim.frontends.http.workers import WorkerPool

__all__ = [
    "AuthenticationBusy",
    "Authenticator",
    "BasicAuthenticator",
    "Htpasswd",
    "NoAuthentication",
    "NoPasswords",
    "Pam",
    "PasswordFile",
    "Verifier",
]

log = logging.getLogger(__name__)

MAX_REMEMBERED = 1024
"""Verified credentials kept."""

STAT_INTERVAL = 1.0
"""Seconds between two looks at whether the password file has changed."""

MAX_ORIGINS = 4096
"""Addresses whose failures are counted; the one that failed longest ago is forgotten first."""

FORGIVEN_AFTER = 300.0
"""Seconds after its last failure for which an address is answered later."""

LONGEST_DELAY = 4.0
"""Seconds that a refusal waits at most."""

PENDING_OF_ORIGIN = 8
"""Verifications and refusals of one address under way; beyond it this address is turned away, and no other."""


class AuthenticationBusy(Exception):
    """Too many passwords are being verified, or failures being delayed; the client has to come again later."""


class Authenticator(ABC):
    """Decides who a client is.

    Attributes:
        challenge: value of the WWW-Authenticate header of a refusal.
        mechanism: what clients are told of it; None where there is nothing that they could send.
        listeners: called in the loop when who was let in before may not be any more.
    """

    challenge: str = 'Basic realm="virtcim"'
    mechanism: Authentication | None = None

    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]] = []

    @abstractmethod
    async def authenticate(self, authorization: str | None, origin: str = "") -> Principal | None:
        """The user that the Authorization header proves, or None.

        Parameters:
            origin: the address that the request comes from.

        Raises:
            AuthenticationBusy: under attack.
        """

    def remembered(self, authorization: str | None) -> Principal | None:
        """The user, when no waiting is needed to tell; else None, and `authenticate` decides."""
        return None

    async def look(self) -> None:
        """Look whether who was let in before may be still.  Called now and then."""
        return

    def stamp(self) -> str:
        """Give what stands for the passwords and accounts as they were looked at last: who was let in under another
        stamp, be it before a start of the server, may not be let in any more."""
        return type(self).__name__

    async def close(self) -> None:
        """Give up what the authenticator holds."""
        return


class NoAuthentication(Authenticator):
    """Everybody may; for loopback addresses only."""

    mechanism = Authentication.NONE

    async def authenticate(self, authorization: str | None, origin: str = "") -> Principal | None:
        return NOBODY

    def remembered(self, authorization: str | None) -> Principal | None:
        return NOBODY


class NoPasswords(Authenticator):
    """No password is good: for client certificates and the Unix socket alone."""

    async def authenticate(self, authorization: str | None, origin: str = "") -> Principal | None:
        return None


class Verifier(ABC):
    """Knows passwords.

    Attributes:
        mechanism: what it goes by in roles and in the audit log.
    """

    mechanism: Mechanism = Mechanism.PASSWORD

    @abstractmethod
    def verify(self, user: str, password: str) -> bool:
        """Whether it is the user's password.  May take long; called in a worker thread."""

    @abstractmethod
    def stamp(self) -> object:
        """Changes when what was verified before may no longer hold."""

    def groups(self, user: str) -> frozenset[str]:
        """The groups of the system that a user is in.  May take long; called in a worker thread."""
        return frozenset()


class _File(Verifier):
    """A password file that is read again when it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> object:
        return stamp_of(self.path)


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

    mechanism = Mechanism.HTPASSWD

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._loaded: tuple[object, Mapping[bytes, bytes]] | None = None

    def load(self) -> Mapping[bytes, bytes]:
        """Read the hashes by user, if the file changed.  Raises OSError or ValueError when it cannot be read or is
        none."""
        stamp = self.stamp()
        loaded = self._loaded
        if loaded is None or loaded[0] != stamp:
            loaded = self._loaded = stamp, read_hashes(self.path)
        return loaded[1]

    def verify(self, user: str, password: str) -> bool:
        try:
            hashes = self.load()
            known = hashes.get(user.encode())
            # An unknown user takes as long as a known one, whose scheme the administrator has chosen.
            hashed = next(iter(hashes.values()), None) if known is None else known
            good = hashed is not None and is_password(password, hashed)
        except (OSError, ValueError, TypeError) as exc:
            log.error("Password file: %s", exc)
            return False
        return good and known is not None


class Pam(Verifier):
    """The users of the system, by PAM: authentication and account management, with no session.

    Parameters:
        service: the name of the file in /etc/pam.d.

    Raises:
        OSError: the PAM library is missing.
    """

    mechanism = Mechanism.PAM

    ACCOUNTS = (Path("/etc/passwd"), Path("/etc/shadow"), Path("/etc/group"))
    """A change of these ends what is remembered: a password that was changed, an account that was locked."""

    def __init__(self, service: str = "virtcim") -> None:
        import pam  # here, since it loads libpam, which other ways of authentication do not need

        self.service = service
        self._authenticator = pam.PamAuthenticator
        self._authenticator()

    def verify(self, user: str, password: str) -> bool:
        if not user or not password:
            # Not even where PAM would let somebody in without a password.
            return False
        conversation = self._authenticator()
        try:
            good = conversation.authenticate(user, password, service=self.service, resetcreds=False)
        except (ValueError, OSError) as exc:
            log.error("PAM service %s: %s", self.service, exc)
            return False
        if not good:
            log.info("PAM service %s refuses %r: %s", self.service, user, conversation.reason)
        return bool(good)

    def groups(self, user: str) -> frozenset[str]:
        return system_groups(user)

    def stamp(self) -> object:
        return stamps_of((*self.ACCOUNTS, Path("/etc/pam.d") / self.service))


class BasicAuthenticator(Authenticator):
    """HTTP Basic.

    Parameters:
        verifiers: know the passwords; asked one after the other.
        lifetime: seconds for which verified credentials are remembered.
        delay: seconds before the first failure of an address is answered; each further one waits twice as long.
        max_pending: failures and verifications under way; beyond it clients are turned away.
        threads: verifications at one time.
    """

    mechanism = Authentication.BASIC

    def __init__(
        self,
        verifiers: Verifier | Sequence[Verifier],
        lifetime: float = 300.0,
        delay: float = 1.0,
        max_pending: int = 64,
        threads: int = 2,
    ) -> None:
        super().__init__()
        self._verifiers = [verifiers] if isinstance(verifiers, Verifier) else list(verifiers)
        self._lifetime = lifetime
        self._delay = delay
        self._max_pending = max_pending
        self._under_way: dict[bytes, asyncio.Task[Principal | None]] = {}
        self._pending: dict[str, int] = {}
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._workers = WorkerPool(threads, "verify")
        self._salted = hashlib.sha256(secrets.token_bytes(64))
        self._remembered: dict[bytes, tuple[Principal, float]] = {}
        self._files = WorkerPool(1, "stamps")  # beside the passwords, which may keep their threads for seconds
        self._looking: asyncio.Task[None] | None = None
        self._stamp = self._stamps()
        self._stamp_checked = 0.0

    def _stamps(self) -> object:
        return [(str(each.mechanism), each.stamp()) for each in self._verifiers]

    def stamp(self) -> str:
        return hashlib.sha256(repr(self._stamp).encode("utf-8", "surrogateescape")).hexdigest()

    def _digest(self, authorization: str) -> bytes:
        """What credentials are remembered by: nobody who sees the memory learns the password from it."""
        salted = self._salted.copy()
        salted.update(authorization.encode("utf-8", "surrogateescape"))
        return salted.digest()

    def remembered(self, authorization: str | None) -> Principal | None:
        return None if self._is_look_due() else self._known(authorization)

    def _known(self, authorization: str | None) -> Principal | None:
        if not authorization:
            return None
        found = self._remembered.get(self._digest(authorization))
        return found[0] if found is not None and found[1] > time.monotonic() else None

    def _is_look_due(self) -> bool:
        return time.monotonic() - self._stamp_checked > STAT_INTERVAL

    async def _look(self) -> None:
        """Forget what was verified when a file has changed since."""
        began = time.monotonic()
        stamp = await self._files.run(self._stamps)
        if stamp != self._stamp:
            self._stamp = stamp
            self._remembered.clear()
            for tell in self.listeners:
                tell()
        self._stamp_checked = began

    async def look(self) -> None:
        if self._is_look_due():
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)

    async def authenticate(self, authorization: str | None, origin: str = "") -> Principal | None:
        await self.look()
        principal = self._known(authorization)
        if principal is not None:
            return principal
        credentials = _basic_credentials(authorization)
        if authorization is None or credentials is None:
            return None
        digest = self._digest(authorization)
        task = self._under_way.get(digest)
        if task is None:
            pending = self._pending.get(origin, 0)
            if len(self._under_way) >= self._max_pending or pending >= PENDING_OF_ORIGIN:
                raise AuthenticationBusy
            self._pending[origin] = pending + 1
            task = asyncio.create_task(self._verify(digest, credentials, origin))
            self._under_way[digest] = task
        # A client that hangs up does not end what others may wait for too, nor its own delay.
        return await asyncio.shield(task)

    async def _verify(self, digest: bytes, credentials: tuple[str, str], origin: str) -> Principal | None:
        try:
            stamp = self._stamp
            principal = await self._workers.run(lambda: self._ask(*credentials))
            if principal is None:
                log.warning("Authentication of %r failed", credentials[0])
                audit.record_refused_login(credentials[0], origin)
                await asyncio.sleep(self._failed(origin))
            elif stamp == self._stamp:
                self._remember(digest, principal)
            return principal
        finally:
            self._under_way.pop(digest, None)
            self._pending[origin] -= 1
            if not self._pending[origin]:
                del self._pending[origin]

    def _ask(self, user: str, password: str) -> Principal | None:
        for each in self._verifiers:
            if each.verify(user, password):
                return Principal(user, each.mechanism, each.groups(user))
        return None

    def _failed(self, origin: str) -> float:
        """Count a failure, and tell for how many seconds its answer waits."""
        now = time.monotonic()
        count, last = self._failures.pop(origin, (0, now))
        count = 1 if now - last > FORGIVEN_AFTER else count + 1
        self._failures[origin] = count, now
        if len(self._failures) > MAX_ORIGINS:
            self._failures.popitem(last=False)
        return min(self._delay * 2.0 ** min(count - 1, 16), max(LONGEST_DELAY, self._delay))

    def _remember(self, digest: bytes, principal: Principal) -> None:
        now = time.monotonic()
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered = {key: value for key, value in self._remembered.items() if value[1] > now}
        if len(self._remembered) < MAX_REMEMBERED:
            self._remembered[digest] = principal, now + self._lifetime

    async def close(self) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
        if self._looking is not None:
            self._looking.cancel()
        self._workers.close()
        self._files.close()


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

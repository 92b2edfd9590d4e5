"""Opening libvirt connections: with a time limit, with keepalive, and never shared between slow and fast callers.

In libvirt 9.0 a call waits behind another thread's slow call on the same connection, so whoever calls libvirt has a
connection of its own.  The exceptions are a test driver with a node of its own (`test:///file.xml`): there each open
makes a new node, and so everybody has to share one; and the driver of VMware's programs: there each connection knows
only what it has done itself, and finds no guest that does not run.

Layer rule: imports libvirt, errors, events and threads.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from urllib.parse import parse_qs, urlsplit

import libvirt

from virtcim.libhelper.errors import LibvirtError, silence_libvirt, translated
from virtcim.libhelper.events import ensure_event_loop
from virtcim.libhelper.threads import Threads

__all__ = [
    "Connections",
    "is_alive",
    "is_local",
    "is_single_node",
    "open_connection",
    "scheme_driver",
    "socket_path",
]

_MAX_ABANDONED_OPENS = 3
"""Opens that hang and are waited for by nobody: a stopped daemon answers nothing, not even an error."""

_AGAIN = 60.0
"""Seconds after an open that hangs in which no other one is begun, where it would take a thread from others: the probe
tells most of those that hang, but not one that hangs after its first words."""

_IN_THE_CLIENT = frozenset({"vmwareplayer", "vmwarews", "vmwarefusion"})
"""Drivers that keep the state of guests in the connection."""

_ASKED_FOR = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]
"""What can be found out when the other side asks for it: without it SASL finds no mechanism that it can use.  Whatever
else stood here it would ask for as well, and fail where libvirt's files do not have it."""

_MAX_THREADS = 16
"""Threads in all for the opens of a URI whose threads are nobody else's."""


def scheme_driver(uri: str) -> str:
    """The driver part of a URI's scheme: `qemu` of `qemu+ssh://host/system`."""
    return urlsplit(uri).scheme.partition("+")[0]


def is_local(uri: str) -> bool:
    """Whether the URI means this machine: no host, or a local transport."""
    return not urlsplit(uri).hostname


def is_single_node(uri: str) -> bool:
    """Whether all must share one connection to this URI: each further one would show something else."""
    driver = scheme_driver(uri)
    return driver in _IN_THE_CLIENT or (driver == "test" and urlsplit(uri).path != "/default")


def socket_path(uri: str) -> str | None:
    """The socket named in the URI's query, None when it names none."""
    values = parse_qs(urlsplit(uri).query).get("socket")
    return values[0] if values else None


def open_connection(
    uri: str, *, read_only: bool = False, keepalive_interval: int = 5, keepalive_count: int = 3
) -> libvirt.virConnect:
    """Open `uri`; blocks as long as libvirt does.

    Names and passwords that the other side asks for are taken from where libvirt keeps them (`auth.conf`, `authfile=`
    of the URI): there is nobody here who could be asked.

    Raises:
        LibvirtError: libvirt could not connect.
    """
    ensure_event_loop()
    with translated():
        connection = libvirt.openAuth(uri, [_ASKED_FOR, _refuse, None], libvirt.VIR_CONNECT_RO if read_only else 0)
    with contextlib.suppress(libvirt.libvirtError):
        connection.setKeepAlive(keepalive_interval, keepalive_count)
    return connection


def _refuse(_asked: object, _data: object) -> int:
    return -1


def close_connection(connection: libvirt.virConnect) -> None:
    """Close; a connection that is already broken is no error."""
    with contextlib.suppress(libvirt.libvirtError):
        connection.close()


def is_alive(connection: libvirt.virConnect) -> bool:
    """Whether a connection stands, as far as is known here; asks nobody."""
    with contextlib.suppress(libvirt.libvirtError):
        return bool(connection.isAlive() == 1)
    return False


class Connections:
    """All connections to one URI.

    Parameters:
        uri: the libvirt URI.
        read_only: whether to open read-only.
        keepalive: seconds between probes, and how many may be missed.
        open_timeout: seconds for one open.
        threads: that open; threads of its own unless given.
    """

    def __init__(
        self,
        uri: str,
        read_only: bool = False,
        keepalive: tuple[int, int] = (5, 3),
        open_timeout: float = 10.0,
        threads: Threads | None = None,
    ) -> None:
        self.uri = uri
        self.read_only = read_only
        self.single = is_single_node(uri)
        self._keepalive = keepalive
        self.open_timeout = open_timeout
        self._lock = threading.Lock()
        self._shared: libvirt.virConnect | None = None
        self._holders = 0
        self._again = _AGAIN if threads is not None else 0.0
        self._not_before = -math.inf
        self._threads = threads or Threads(1, _MAX_THREADS)
        self._abandoned: list[Future[libvirt.virConnect]] = []
        self._late: Future[libvirt.virConnect] | None = None

    def open(self) -> libvirt.virConnect:
        """A connection for the caller alone (for a single node: the one that all share); blocks as long as libvirt.

        Raises:
            LibvirtError: refused.
        """
        if not self.single:
            return self._open()
        with self._lock:
            if self._shared is None:
                self._shared = self._open()
            self._holders += 1
            return self._shared

    def begin_open(self) -> Future[libvirt.virConnect]:
        """Have a connection opened by one of the threads; whoever waits no longer calls `abandon`.

        Where all share one connection, what was begun before is gone on with.

        Raises:
            LibvirtError: earlier ones still wait, or all calls do.
        """
        late, self._late = self._late, None
        if late is not None and not (late.done() and late.exception() is not None):
            return late
        if self._threads.hangs(self.uri):
            raise LibvirtError("earlier calls still wait for an answer", libvirt.VIR_ERR_OPERATION_TIMEOUT)
        self._abandoned = [each for each in self._abandoned if not each.done()]
        waits = bool(self._abandoned) and time.monotonic() < self._not_before
        if waits or len(self._abandoned) >= _MAX_ABANDONED_OPENS:
            raise LibvirtError("earlier attempts to connect still wait", libvirt.VIR_ERR_OPERATION_TIMEOUT)
        return self._threads.submit(self.uri, self.open)

    def abandon(self, opening: Future[libvirt.virConnect], comes_back: bool = False) -> LibvirtError:
        """Wait no longer for what `begin_open` began: what comes too late is closed again.

        Parameters:
            comes_back: whether who waits will call `begin_open` again, by himself and before long.

        Returns:
            what to say of it.
        """
        if comes_back and self.single:
            # To make the node again, from the beginning, would take as long again.
            self._late = opening
        elif not opening.cancel():
            self._abandoned.append(opening)
            self._not_before = time.monotonic() + self._again
            opening.add_done_callback(self._close_late)
        return LibvirtError(f"no answer within {self.open_timeout:g} s", libvirt.VIR_ERR_OPERATION_TIMEOUT)

    def release(self, connection: libvirt.virConnect) -> None:
        """Give back what `open` gave."""
        if self.single:
            with self._lock:
                self._holders -= 1
                if self._holders:
                    return
                self._shared = None
        close_connection(connection)

    def give_up(self) -> None:
        """Close what comes too late: who would have come back does not."""
        late, self._late = self._late, None
        if late is not None:
            self.abandon(late)

    @contextlib.contextmanager
    def connection(self) -> Iterator[libvirt.virConnect]:
        """A connection for the length of a block, opened in time or not at all.

        Raises:
            LibvirtError: refused, or no answer in time.
        """
        opening = self.begin_open()
        try:
            connection = opening.result(self.open_timeout)
        except FutureTimeoutError:
            raise self.abandon(opening) from None
        except CancelledError:
            raise LibvirtError("no connection is opened any more", libvirt.VIR_ERR_NO_CONNECT) from None
        try:
            yield connection
        finally:
            self.release(connection)

    def _close_late(self, opening: Future[libvirt.virConnect]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self.release(opening.result())

    def _open(self) -> libvirt.virConnect:
        return open_connection(
            self.uri,
            read_only=self.read_only,
            keepalive_interval=self._keepalive[0],
            keepalive_count=self._keepalive[1],
        )


silence_libvirt()

"""Opening libvirt connections: with a time limit, with keepalive, and never shared between slow and fast callers.

In libvirt 9.0 a call waits behind another thread's slow call on the same connection, so whoever calls libvirt has a
connection of its own.  The exception is a test driver with a node of its own (`test:///file.xml`): there each open
makes a new node, and so everybody has to share one.

Layer rule: imports libvirt, errors, events and settings.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import libvirt

from virtcim.libhelper.errors import LibvirtError, silence_libvirt, translated
from virtcim.libhelper.events import ensure_event_loop

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


def scheme_driver(uri: str) -> str:
    """The driver part of a URI's scheme: `qemu` of `qemu+ssh://host/system`."""
    return urlsplit(uri).scheme.partition("+")[0]


def is_local(uri: str) -> bool:
    """Whether the URI means this machine: no host, or a local transport."""
    return not urlsplit(uri).hostname


def is_single_node(uri: str) -> bool:
    """Whether each open of this URI makes a node of its own, so that all must share one connection."""
    return scheme_driver(uri) == "test" and urlsplit(uri).path != "/default"


def socket_path(uri: str) -> str | None:
    """The socket named in the URI's query, None when it names none."""
    values = parse_qs(urlsplit(uri).query).get("socket")
    return values[0] if values else None


def open_connection(
    uri: str, *, read_only: bool = False, keepalive_interval: int = 5, keepalive_count: int = 3
) -> libvirt.virConnect:
    """Open `uri`; blocks as long as libvirt does.

    Raises:
        LibvirtError: libvirt could not connect.
    """
    ensure_event_loop()
    with translated():
        connection = libvirt.openReadOnly(uri) if read_only else libvirt.open(uri)
    with contextlib.suppress(libvirt.libvirtError):
        connection.setKeepAlive(keepalive_interval, keepalive_count)
    return connection


def close_connection(connection: libvirt.virConnect) -> None:
    """Close; a connection that is already broken is no error."""
    with contextlib.suppress(libvirt.libvirtError):
        connection.close()


def is_alive(connection: libvirt.virConnect) -> bool:
    """Whether a connection stands, as far as is known here; asks nobody."""
    with contextlib.suppress(libvirt.libvirtError):
        return bool(connection.isAlive() == 1)
    return False


class _PendingOpen:
    """One open that may take longer than its caller waits; what comes too late is closed again."""

    def __init__(self, opener: Callable[[], libvirt.virConnect]) -> None:
        self._opener = opener
        self._lock = threading.Lock()
        self._abandoned = False
        self._done = threading.Event()
        self._connection: libvirt.virConnect | None = None
        self._error: LibvirtError | None = None
        self.thread = threading.Thread(target=self._run, name="libvirt-open", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        connection: libvirt.virConnect | None = None
        try:
            connection = self._opener()
        except LibvirtError as error:
            self._error = error
        with self._lock:
            abandoned = self._abandoned
            if not abandoned:
                self._connection = connection
        if abandoned and connection is not None:
            close_connection(connection)
        self._done.set()

    def result(self, timeout: float) -> libvirt.virConnect:
        self._done.wait(timeout)
        with self._lock:
            if self._connection is not None:
                return self._connection
            self._abandoned = True
        if self._error is not None:
            raise self._error
        raise LibvirtError(f"no answer within {timeout:g} s", libvirt.VIR_ERR_OPERATION_TIMEOUT)


class Connections:
    """All connections to one URI.

    Parameters:
        uri: the libvirt URI.
        read_only: whether to open read-only.
        keepalive: seconds between probes, and how many may be missed.
        open_timeout: seconds for one open.
    """

    def __init__(
        self, uri: str, read_only: bool = False, keepalive: tuple[int, int] = (5, 3), open_timeout: float = 10.0
    ) -> None:
        self.uri = uri
        self.read_only = read_only
        self.single = is_single_node(uri)
        self._keepalive = keepalive
        self._open_timeout = open_timeout
        self._lock = threading.Lock()
        self._shared: libvirt.virConnect | None = None
        self._holders = 0
        self._abandoned: list[_PendingOpen] = []

    def open(self) -> libvirt.virConnect:
        """A connection for the caller alone (for a single node: the one that all share).

        Raises:
            LibvirtError: refused, or no answer in time.
        """
        if not self.single:
            return self._open()
        with self._lock:
            if self._shared is None:
                self._shared = self._open()
            self._holders += 1
            return self._shared

    def release(self, connection: libvirt.virConnect) -> None:
        """Give back what `open` gave."""
        if self.single:
            with self._lock:
                self._holders -= 1
                if self._holders:
                    return
                self._shared = None
        close_connection(connection)

    @contextlib.contextmanager
    def connection(self) -> Iterator[libvirt.virConnect]:
        """A connection for the length of a block."""
        connection = self.open()
        try:
            yield connection
        finally:
            self.release(connection)

    def _open(self) -> libvirt.virConnect:
        self._abandoned = [pending for pending in self._abandoned if pending.thread.is_alive()]
        if len(self._abandoned) >= _MAX_ABANDONED_OPENS:
            raise LibvirtError("earlier attempts to connect still wait", libvirt.VIR_ERR_OPERATION_TIMEOUT)
        pending = _PendingOpen(
            lambda: open_connection(
                self.uri,
                read_only=self.read_only,
                keepalive_interval=self._keepalive[0],
                keepalive_count=self._keepalive[1],
            )
        )
        try:
            return pending.result(self._open_timeout)
        except LibvirtError:
            self._abandoned.append(pending)
            raise


silence_libvirt()

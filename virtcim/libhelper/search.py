"""Looking for hypervisors that may not be there yet, for as long as it takes.

Layer rule: the top of libhelper, above `hypervisor`; knows nothing of CIM.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import libvirt

from virtcim.libhelper.connections import close_connection, open_connection, socket_path
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings

__all__ = ["Search"]

_log = logging.getLogger(__name__)

_PAUSE_FIRST = 0.25
_PAUSE_MOST = 4.0
"""Seconds between two attempts to open a URI, at most."""
_PAUSE_ANSWERED = 300.0
"""The same where a daemon has answered that it does not have the driver.  It will not have it before it starts again,
which shows in `_daemons`, and it writes two errors into its log for each attempt."""
_TICK = 0.25
"""Seconds between two looks at whether a daemon has started, and whether a connection stands."""

_SOCKETS = Path("/run/libvirt")
_COMMON_SOCKET = _SOCKETS / "libvirt-sock"
_PID_FILE = Path("/run/libvirtd.pid")
"""Where libvirt's daemons leave traces of their start: sockets, and the pid file where systemd keeps the sockets."""


class Search:
    """Looks for the hypervisors of some URIs, each in a thread of its own, until it has found them.

    libvirt's open has no time limit: a daemon that does not answer keeps the one thread of its URI waiting, and is
    found as soon as it answers.  One that is absent is asked for again and again.

    Parameters:
        uris: where to look.
        settings: of the hypervisors.  Where they do not ask for read-only connections, one is the second choice, where
            a connection for writing is refused.
        on_found: called with each hypervisor when it is connected for the first time, in the thread of its URI.
    """

    def __init__(
        self, uris: Iterable[str], settings: HypervisorSettings, on_found: Callable[[Hypervisor], None]
    ) -> None:
        self._settings = settings
        self._on_found = on_found
        self._answered = {uri: threading.Event() for uri in uris}
        self._hypervisors: list[Hypervisor] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._puts_off = False

    @property
    def uris(self) -> Sequence[str]:
        """Where it looks."""
        return tuple(self._answered)

    @property
    def silent(self) -> Sequence[str]:
        """The URIs whose first attempt has not ended yet, well or not."""
        return [uri for uri, answered in self._answered.items() if not answered.is_set()]

    @property
    def hypervisors(self) -> Sequence[Hypervisor]:
        """The hypervisors that were started, in the order in which they answered."""
        with self._lock:
            return tuple(self._hypervisors)

    def start(self) -> None:
        """Begin to look; returns at once."""
        for uri in self._answered:
            threading.Thread(target=self._run, args=(uri,), name="libvirt-search", daemon=True).start()

    def put_off(self) -> None:
        """Have those that are found put off what can wait, until `catch_up`."""
        with self._lock:
            self._puts_off = True

    def catch_up(self) -> None:
        """Have those that were found do what they have put off."""
        with self._lock:
            self._puts_off = False
            for hypervisor in self._hypervisors:
                hypervisor.catch_up()

    def wait(self, timeout: float) -> None:
        """Wait until every URI was found or was absent at the first attempt, but no longer than `timeout` seconds."""
        deadline = time.monotonic() + timeout
        for answered in self._answered.values():
            answered.wait(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Look no further; the hypervisors that were found go on until they are stopped."""
        with self._lock:
            self._stopping.set()

    def _run(self, uri: str) -> None:
        pause = _PAUSE_FIRST
        while not self._stopping.is_set():
            daemons = _daemons()
            try:
                read_only = _open(uri, self._settings.read_only)
            except LibvirtError as error:
                _log.debug("%s does not answer: %s", uri, error)
                self._answered[uri].set()
                started = self._wait_for_daemon(daemons, _PAUSE_ANSWERED if _is_answer(uri, error) else pause)
                pause = _PAUSE_FIRST if started else min(2 * pause, _PAUSE_MOST)
            else:
                self._take(uri, read_only)
                return

    def _wait_for_daemon(self, daemons: Mapping[Path, tuple[int, int]], seconds: float) -> bool:
        """Wait so long, or until a daemon starts or ends; whether one did."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self._stopping.wait(min(left, _TICK)):
            if _daemons() != daemons:
                return True
        return False

    def _take(self, uri: str, read_only: bool) -> None:
        """Connect to a hypervisor that has answered, and hand it on when everything of it was read."""
        with self._lock:
            if self._stopping.is_set():
                return
            hypervisor = Hypervisor(uri, replace(self._settings, read_only=read_only))
            self._hypervisors.append(hypervisor)
            if self._puts_off:
                hypervisor.put_off()
            hypervisor.start()
        while not hypervisor.wait_ready(_TICK):
            # Lost again already, or slow to be read.
            if self._stopping.wait(_TICK):
                return
        self._on_found(hypervisor)
        self._answered[uri].set()


def _open(uri: str, read_only: bool) -> bool:
    """Open a connection as a trial.

    Returns:
        whether it can be had read-only only.

    Raises:
        LibvirtError: it does not open at all.
    """
    try:
        _try(uri, read_only)
    except LibvirtError as error:
        if read_only or error.code == libvirt.VIR_ERR_NO_CONNECT:
            raise
    else:
        return read_only
    _try(uri, read_only=True)
    # A daemon that came up between the two attempts has refused nothing.
    try:
        _try(uri, read_only=False)
    except LibvirtError:
        return True
    return False


def _try(uri: str, read_only: bool) -> None:
    close_connection(open_connection(uri, read_only=read_only))


def _is_answer(uri: str, error: LibvirtError) -> bool:
    """Whether it was a daemon that said that a hypervisor is absent, and not libvirt's client that found no daemon.

    With a daemon for each driver there is another one, virtproxyd, on the common socket.  It is asked for a driver
    that has no socket, and says that there is none.
    """
    if error.code == libvirt.VIR_ERR_NO_CONNECT:
        return True
    cause = error.__cause__
    missing = isinstance(cause, libvirt.libvirtError) and cause.get_int1() == errno.ENOENT
    return missing and socket_path(uri) is None and _COMMON_SOCKET.exists()


def _daemons() -> dict[Path, tuple[int, int]]:
    """The traces of libvirt's daemons on this host, each with what differs after another start."""
    traces = {}
    try:
        sockets = [_SOCKETS / name for name in os.listdir(_SOCKETS) if name.endswith("-sock")]
    except OSError:
        sockets = []
    for path in (_PID_FILE, *sockets):
        try:
            status = path.stat()
        except OSError:
            continue
        # The time of the last change of the inode: a socket that others may open now is another chance, too.
        traces[path] = status.st_ino, status.st_ctime_ns
    return traces

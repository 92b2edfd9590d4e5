"""The socket that `libvirtcim.so` talks to: connections, who may open them, and their limits.

One thread serves one connection, since a request may wait for the hypervisor; the library keeps few connections.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from virtcim.cimom.indications.relay import Relay, RelayConnection
from virtcim.cimom.requestid import next_request_id, request_id
from virtcim.frontends.cmpi.codec import (
    FRAME_LIMIT,
    PROTOCOL_VERSION,
    Filter,
    Operation,
    ProtocolError,
    error_frame,
    greeting,
    peer_version,
    read_filters,
    read_request,
)
from virtcim.frontends.cmpi.frontend import CMPI
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.providers.interface import EmbeddedInstance, Status

__all__ = ["CmpiDaemon"]

log = logging.getLogger(__name__)

FRAME_TIMEOUT = 10.0
"""Seconds in which a frame that has begun has to arrive whole."""

STOP_TIMEOUT = 0.5
"""Seconds that requests under way get at a stop; their threads do not keep the process from ending."""


class CmpiDaemon:
    """Serves CIM servers on a Unix socket.

    Parameters:
        frontend: answers requests.
        settings: path of the socket, who may connect, limits.
        release: which release answers, for the greeting.
        relay: keeps the indications for CIM servers; None where there are no indications.
        version: of the protocol; other than the default in tests only.
    """

    def __init__(
        self,
        frontend: CMPI,
        settings: CmpiSettings,
        release: str = "",
        relay: Relay | None = None,
        version: int = PROTOCOL_VERSION,
    ) -> None:
        self._frontend = frontend
        self._settings = settings
        self._greeting = greeting(release, version)
        self._version = version
        self._relay = relay
        self._allowed = {0, os.geteuid(), *settings.users}
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._senders: dict[threading.Thread, RelayConnection] = {}

    def start(self) -> None:
        """Open the socket and serve it in the background.

        Raises:
            OSError: the socket cannot be made, or another daemon listens on it.
        """
        path = self._settings.socket
        if _answers(path):
            raise FileExistsError(f"another daemon listens on {path}")
        # Nobody can connect before mode and group are right: the socket gets its name last.
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            listener.bind(str(temporary))
            if self._settings.group >= 0:
                os.chown(temporary, -1, self._settings.group)
            temporary.chmod(0o660 if self._settings.group >= 0 else 0o600)
            listener.listen(self._settings.max_connections)
            temporary.rename(path)
        except OSError:
            listener.close()
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        self._listener = listener
        self._spawn(self._accept, "cmpi-accept", listener)
        log.info("CIM servers are served on %s", path)

    def stop(self) -> None:
        """Close the socket and all connections.  Requests under way get a moment to end."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            self._settings.socket.unlink()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self._lock:
            senders = dict(self._senders)
        for relayed in senders.values():
            relayed.finish()
        # What a CIM server is about to take should not be sent again after a restart.
        for thread in senders:
            thread.join(STOP_TIMEOUT / len(senders))
        with self._lock:
            threads = list(self._threads)
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(STOP_TIMEOUT / max(1, len(threads)))

    def _spawn(self, work: Callable[[socket.socket], None], name: str, handle: socket.socket) -> threading.Thread:
        def run() -> None:
            try:
                work(handle)
            finally:
                with self._lock:
                    self._threads.discard(thread)

        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._lock:
            self._threads.add(thread)
            thread.start()  # under the lock: whoever sees a thread may join it
        return thread

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is not None:
            try:
                connection, _ = listener.accept()
            except OSError as exc:
                if self._listener is not None:
                    log.error("A CIM server cannot be taken: %s", exc)
                    threading.Event().wait(0.1)  # out of file descriptors, as a rule
                continue
            with self._lock:
                crowded = len(self._connections) >= 2 * self._settings.max_connections
                if not crowded:
                    self._connections.add(connection)
            if self._listener is None or crowded or not self._is_allowed(connection):
                self._close(connection)
            else:
                self._spawn(self._serve, "cmpi", connection)

    def _is_allowed(self, connection: socket.socket) -> bool:
        pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid in self._allowed:
            return True
        log.warning("User %d (process %d) may not use the CMPI socket; see users in the settings of cmpi", uid, pid)
        return False

    def _close(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)
        connection.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(FRAME_TIMEOUT)
            version = peer_version(_read_frame(connection))
            connection.sendall(self._greeting)
            if version != self._version:
                log.error("A CIM server speaks version %d of the bridge protocol, not %d", version, self._version)
                return
            while True:
                connection.settimeout(None)
                body = _read_frame(connection)
                connection.settimeout(self._settings.send_timeout)
                with self._lock:
                    crowded = len(self._connections) > self._settings.max_connections
                if crowded:
                    text = "The virtcim daemon has too many connections: see max_connections in its settings of cmpi"
                    connection.sendall(error_frame(Status.FAILED, text))
                    return
                request = read_request(body)
                if request.operation is Operation.LISTEN:
                    self._listen(connection, read_filters(request))
                    return
                if request.operation is Operation.TAKEN:
                    raise ProtocolError("TAKEN without an indication")
                number = next_request_id()
                request_id.set(number)
                for frame in self._frontend.answer(request, number):
                    connection.sendall(frame)
        except ProtocolError as exc:
            log.error("A CIM server sends what is not the bridge protocol: %s", exc)
        except (OSError, EOFError) as exc:
            log.debug("A CIM server has gone: %s", exc)
        finally:
            self._close(connection)

    def _listen(self, connection: socket.socket, filters: list[Filter]) -> None:
        """Send indications until the CIM server hangs up; each further LISTEN replaces the filters.

        One is sent after the other: what the CIM server has not taken when it goes is sent again when it is back.
        """
        if self._relay is None:
            log.warning("A CIM server waits for indications, of which this server has none")
            return
        relayed = self._relay.connect()
        sender: threading.Thread | None = None
        active = [filters]
        taken: queue.SimpleQueue[bool] = queue.SimpleQueue()

        def send(connection: socket.socket) -> None:
            while (waiting := relayed.take()) is not None:
                told = waiting.indication
                try:
                    indication = EmbeddedInstance(told.class_name, told.properties)
                    frames = list(self._frontend.indication(active[0], told.namespace, indication))
                except Exception:
                    log.exception("A %s is left out", told.class_name)
                    frames = []
                try:
                    for frame in frames:
                        connection.sendall(frame)
                        if not taken.get():
                            return
                except OSError as exc:
                    log.error("A CIM server does not take its indications: %s", exc)
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
                    return
                relayed.done(waiting)

        try:
            relayed.name_filters(self._frontend.relayed(filters))
            sender = self._spawn(send, "cmpi-indications", connection)
            with self._lock:
                self._senders[sender] = relayed
            while True:
                connection.settimeout(None)
                request = read_request(_read_frame(connection))
                if request.operation is Operation.TAKEN:
                    taken.put(True)
                elif request.operation is Operation.LISTEN:
                    active[0] = read_filters(request)
                    relayed.name_filters(self._frontend.relayed(active[0]))
                else:
                    raise ProtocolError(f"{request.operation.name} on a connection for indications")
        finally:
            relayed.close()
            taken.put(False)
            if sender is not None:
                with self._lock:
                    self._senders.pop(sender, None)


def _read_frame(connection: socket.socket) -> bytes:
    """The body of the next frame; waits for its first byte as long as the socket's time-out says.

    Raises:
        EOFError: the peer hung up.
        ProtocolError: the length is none.
        TimeoutError: it does not arrive whole within `FRAME_TIMEOUT`, however many pieces of it do.
    """
    first = _read(connection, 1)
    deadline = time.monotonic() + FRAME_TIMEOUT
    length = int.from_bytes(first + _read(connection, 3, deadline), "big")
    if not 0 < length <= FRAME_LIMIT:
        raise ProtocolError(f"a frame of {length} bytes")
    return _read(connection, length, deadline)


def _read(connection: socket.socket, size: int, deadline: float | None = None) -> bytes:
    parts = []
    while size:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("a frame does not arrive whole in time")
            connection.settimeout(left)
        part = connection.recv(min(size, 65536))
        if not part:
            raise EOFError("hung up")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _answers(path: Path) -> bool:
    """Whether somebody listens on a socket."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(f"{path}: is not a socket; expected one, or no file")
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True

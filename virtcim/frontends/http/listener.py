"""Listening sockets: TCP, TLS and Unix, and what comes before a connection's first byte.

Connections are accepted here rather than by asyncio's servers, so that TLS handshakes are counted and bounded like
everything else, and a new certificate is used from the next connection on.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import stat
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from pathlib import Path

from virtcim.frontends.http.seldom import Seldom
from virtcim.immutable import immutable

__all__ = ["Endpoint", "Listener", "open_tcp", "open_unix"]

log = logging.getLogger(__name__)

HANDSHAKES_AT_ONCE = 4
"""TLS handshakes that are begun in one turn of the event loop: with a key of RSA each takes 1 to 5 ms, in which nobody
is answered, and hundreds may have come at one time."""

BACKLOG = 1024
"""Connections that may wait to be accepted."""

ACCEPT_PAUSE = 0.1
"""Seconds until the next try, when there are no descriptors left."""

TLS_BUFFER = 32 * 1024
"""Bytes that a TLS connection reads at once, two of the largest records.  asyncio makes a buffer of this size for each
connection, which it has as long as it is open; with the 256 KiB that asyncio takes by itself, as many connections as
there may be at one time would take 512 MiB for requests that are small."""


@immutable
class Endpoint:
    """A bound socket and how to speak on it.

    Attributes:
        scheme: `http`, `https` or `unix`.
        socket: bound; `Listener` lets it listen, and closes it.
        path: of a Unix socket that goes away with the server; None for one that was handed over.
        host: as the settings name it.
    """

    scheme: str
    socket: socket.socket
    path: Path | None = None
    host: str = ""

    @property
    def port(self) -> int:
        """The TCP port; 0 for a Unix socket."""
        return 0 if self.scheme == "unix" else int(self.socket.getsockname()[1])

    @property
    def bound_host(self) -> str:
        """The host as the settings name it, else the address that the socket is bound to."""
        return self.host or str(self.socket.getsockname()[0])

    @property
    def url(self) -> str:
        """How clients name it."""
        if self.scheme == "unix":
            return f"unix:{os.fsdecode(self.socket.getsockname())}"
        host = f"[{self.bound_host}]" if ":" in self.bound_host else self.bound_host
        return f"{self.scheme}://{host}:{self.port}"

    def close(self) -> None:
        """Close the socket; a Unix socket goes from the disk with it."""
        if self.socket.fileno() == -1:
            return
        self.socket.close()
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()


def open_tcp(host: str, port: int, scheme: str = "http") -> list[Endpoint]:
    """Bind every address of a host; port 0 takes a free one, the same for all.

    Raises:
        OSError: an address cannot be listened on.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    endpoints: list[Endpoint] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            bound = socket.socket(family, socket.SOCK_STREAM)
            endpoints.append(Endpoint(scheme, bound, host=host))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken = endpoints[0].port if port == 0 and len(endpoints) > 1 else port
            bound.bind((address[0], taken, *address[2:]))
            # Here rather than later: a port that somebody else listens on is refused only now.
            bound.listen(BACKLOG)
    except OSError:
        for each in endpoints:
            each.socket.close()
        raise
    return endpoints


def open_unix(path: Path, mode: int = 0o666) -> Endpoint:
    """Bind a Unix socket; one that nobody listens on any more is replaced.

    Parameters:
        mode: of the socket: who may connect.  Who connects is known by the credentials of the process.

    Raises:
        OSError: it cannot be made, something else has the name, or somebody listens on it.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "there is something else than a socket", str(path))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise OSError(errno.EADDRINUSE, "somebody listens on this socket", str(path))
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(mode)
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return Endpoint("unix", bound, path)


class Listener:
    """Accepts the connections of one endpoint.

    Parameters:
        endpoint: bound.
        factory: makes the protocol of a connection.
        context: the TLS context for the next connection; None for plain text.
        handshake_timeout: seconds that a TLS handshake may take.
        max_handshakes: handshakes at one time; beyond it the oldest, which is the one that gets nowhere, is ended.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        factory: Callable[[], asyncio.Protocol],
        context: Callable[[], ssl.SSLContext] | None,
        handshake_timeout: float,
        max_handshakes: int,
    ) -> None:
        self.endpoint = endpoint
        self._factory = factory
        self._context = context
        self._handshake_timeout = handshake_timeout
        self._max_handshakes = max_handshakes
        self._handshakes: dict[asyncio.Task[None], None] = {}
        self._accepting: asyncio.Task[None] | None = None
        self._complaint = Seldom()
        self._failure = Seldom()
        self._begun = asyncio.Semaphore(HANDSHAKES_AT_ONCE)

    def start(self) -> None:
        """Accept from now on."""
        self.endpoint.socket.setblocking(False)
        # There is no other way to tell asyncio.
        SSLProtocol.max_size = TLS_BUFFER
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self.endpoint.socket)
            except ConnectionError:
                continue
            except OSError as exc:
                self._complain(exc)
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            # `sock_accept` does not wait while somebody is waiting: the others have to get their turn.
            await asyncio.sleep(0)
            if self._context is None:
                await self._open(connection, None)
                continue
            if len(self._handshakes) >= self._max_handshakes:
                oldest = next(iter(self._handshakes))
                del self._handshakes[oldest]
                oldest.cancel()
            task = asyncio.create_task(self._open(connection, self._context()))
            self._handshakes[task] = None
            task.add_done_callback(lambda done: self._handshakes.pop(done, None))

    def _complain(self, error: OSError) -> None:
        """Say that no connection can be accepted, but not with each try."""
        if self._complaint.note():
            log.error("No connection can be accepted on %s: %s", self.endpoint.url, error)

    async def _open(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        timeout = None if context is None else self._handshake_timeout
        try:
            async with asyncio.timeout(timeout):
                if context is not None:
                    await self._take_turn(connection)
                await loop.connect_accepted_socket(
                    self._factory, connection, ssl=context, ssl_handshake_timeout=timeout, ssl_shutdown_timeout=timeout
                )
        except (OSError, EOFError) as exc:
            # An SSLError is an OSError; TimeoutError and ConnectionError are as well.
            noted = self._failure.note()
            text = "A connection to %s failed before its first request: %s; such ones since the last such line: %d"
            log.log(logging.INFO if noted else logging.DEBUG, text, self.endpoint.url, exc, noted)
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise

    async def _take_turn(self, connection: socket.socket) -> None:
        """Wait until a client has begun its handshake, and then for a turn of the event loop in which only a few are
        answered."""
        await _wait_for_bytes(connection)
        async with self._begun:
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Accept no more, and close the socket.  Connections stay."""
        tasks = list(self._handshakes)
        if self._accepting is not None:
            tasks.append(self._accepting)
            self._accepting = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.endpoint.close()


async def _wait_for_bytes(connection: socket.socket) -> None:
    """Wait until there is something to read, or the client is gone."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(connection)

"""A small HTTP/1.1 client for listeners: one connection, kept open, one request at a time, everything bounded.

Head and body of a request leave in one write: a listener whose system delays acknowledgements would otherwise cost
40 ms for each.  Redirects are answers like others: nobody else than the URL names is ever spoken to.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass

__all__ = ["Connection", "HTTPClientError", "Response"]

MAX_HEAD = 16 * 1024
"""Bytes of the head of an answer."""

NO_BODY = frozenset({204, 304})


class HTTPClientError(Exception):
    """There is no answer, or none that can be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        status: of HTTP.
        headers: names in lower case.
        body: whole.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """A connection to one server.

    Parameters:
        host, port: of the server.
        tls: for HTTPS; None for HTTP.
        timeout: seconds that the connection, and each answer, may take.
        max_body: bytes of an answer.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, timeout: float, max_body: int) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._timeout = timeout
        self._max_body = max_body
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that nobody has closed yet."""
        reader, writer = self._reader, self._writer
        return reader is not None and writer is not None and not writer.is_closing() and not reader.at_eof()

    async def post(self, target: str, headers: bytes, body: bytes) -> Response:
        """Send a request and read its answer.

        A connection that was kept open may have been closed by the server meanwhile: where it ends without a byte of
        an answer, the request is sent once more on a new one.

        Parameters:
            target: path and query of the URL.
            headers: header lines, each with its end, without Host and Content-Length.
            body: of the request.

        Raises:
            HTTPClientError: there is no answer in time, or none that can be read.
        """
        name = f"[{self._host}]" if ":" in self._host else self._host
        head = f"POST {target} HTTP/1.1\r\nHost: {name}:{self._port}\r\nContent-Length: {len(body)}\r\n".encode()
        message = b"".join((head, headers, b"\r\n", body))
        reused = self.is_open
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    return await self._exchange(message)
                except (ConnectionError, asyncio.IncompleteReadError) as error:
                    self.close()
                    if not reused or (isinstance(error, asyncio.IncompleteReadError) and error.partial):
                        raise
                    return await self._exchange(message)
        except BaseException as error:
            self.close()
            raise _explained(error, self._timeout) from error

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.transport.abort()
        self._reader = self._writer = None

    async def _exchange(self, message: bytes) -> Response:
        if not self.is_open:
            self.close()
            await self._open()
        assert self._reader is not None
        assert self._writer is not None
        self._writer.write(message)
        await self._writer.drain()
        response, stays = await self._read(self._reader)
        if not stays:
            self.close()
        return response

    async def _open(self) -> None:
        name = self._host if self._tls is not None else None
        self._reader, self._writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._tls, server_hostname=name, limit=MAX_HEAD
        )
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def _read(self, reader: asyncio.StreamReader) -> tuple[Response, bool]:
        """Read an answer, and whether the connection stays."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            version, status, headers = _parsed(head)
            if status >= 200:
                break
        stays = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        if status in NO_BODY:
            return Response(status, headers, b""), stays
        if headers.get("transfer-encoding", "").lower().endswith("chunked"):
            return Response(status, headers, await self._chunks(reader)), stays
        if "content-length" in headers:
            length = headers["content-length"]
            if not length.isdecimal() or len(length) > 18:
                raise HTTPClientError(f"Content-Length is {length[:40]!r}")
            self._check(int(length))
            return Response(status, headers, await reader.readexactly(int(length))), stays
        return Response(status, headers, await self._rest(reader)), False

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        """Read a chunked body (RFC 9112, section 7.1)."""
        parts: list[bytes] = []
        size = 0
        while True:
            line = await reader.readuntil(b"\r\n")
            try:
                length = int(line.partition(b";")[0].strip()[:16], 16)
            except ValueError:
                raise HTTPClientError(f"a chunk begins with {line[:40]!r}") from None
            if length < 0:
                raise HTTPClientError(f"a chunk begins with {line[:40]!r}")
            if not length:
                while await reader.readuntil(b"\r\n") != b"\r\n":
                    size += 2
                    self._check(size)
                return b"".join(parts)
            size += length
            self._check(size)
            parts.append(await reader.readexactly(length))
            await reader.readexactly(2)

    async def _rest(self, reader: asyncio.StreamReader) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := await reader.read(65536):
            size += len(part)
            self._check(size)
            parts.append(part)
        return b"".join(parts)

    def _check(self, size: int) -> None:
        if size > self._max_body:
            raise HTTPClientError(f"the answer has more than {self._max_body} bytes")


def _parsed(head: bytes) -> tuple[str, int, dict[str, str]]:
    """The version, status and headers of an answer."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdecimal() or len(status) != 3:
        raise HTTPClientError(f"the answer begins with {first[:40]!r}")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return version, int(status), headers


def _explained(error: BaseException, timeout: float) -> BaseException:
    """The error in our words; what is no failure of the connection stays as it is."""
    match error:
        case HTTPClientError():
            return error
        case TimeoutError():
            return HTTPClientError(f"no answer in {timeout:g} s")
        case asyncio.IncompleteReadError():
            return HTTPClientError("the connection ended before the answer did")
        case asyncio.LimitOverrunError():
            return HTTPClientError(f"the head of the answer has more than {MAX_HEAD} bytes")
        case ssl.SSLCertVerificationError():
            return HTTPClientError(f"its certificate is not taken: {error.verify_message}")
        case socket.gaierror():
            return HTTPClientError(f"its name is not known: {error.strerror}")
        case OSError():
            return HTTPClientError(error.strerror or str(error) or type(error).__name__)
    return error

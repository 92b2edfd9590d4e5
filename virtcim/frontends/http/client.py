"""A small HTTP/1.1 client for listeners: one connection, kept open, one request at a time, everything bounded.

Head and body of a request leave in one write: a listener whose system delays acknowledgements would otherwise cost
40 ms for each.  Redirects are answers like others: nobody else than the URL names is ever spoken to.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Generator
from typing import cast

from virtcim.immutable import immutable

__all__ = ["NO_STATUS", "Connection", "HTTPClientError", "Response"]

MAX_HEAD = 16 * 1024
"""Bytes of the head of an answer."""

MAX_INTERIM = 16
"""Answers with a status below 200, each of which says that another one follows."""

NO_BODY = frozenset({204, 304})


class HTTPClientError(Exception):
    """There is no answer, or none that can be read; the text says why."""


@immutable
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


class _Ended(Exception):
    """The server has closed the connection before its answer was whole."""


class _Channel(asyncio.Protocol):
    """The bytes of one connection: each answer is read as they come, without a task of its own.

    Parameters:
        loop: in which everything runs.
        max_body: bytes of an answer.

    Attributes:
        has_begun: whether anything of the answer that was asked for last has come.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, max_body: int) -> None:
        self._loop = loop
        self._max_body = max_body
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._reading: Generator[None, None, tuple[Response, bool]] | None = None
        self._answer: asyncio.Future[tuple[Response, bool]] | None = None
        self._ended = False
        self._lost: Exception | None = None
        self.has_begun = False

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent: nobody has closed it, and nothing came that nobody asked for."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and not self._ended and not self._buffer

    @property
    def is_asked(self) -> bool:
        """Whether an answer is waited for."""
        return self._answer is not None and not self._answer.done()

    def ask(self, message: bytes) -> asyncio.Future[tuple[Response, bool]]:
        """Send a request.

        Returns:
            its answer to be, and whether the connection stays.
        """
        assert self._transport is not None
        self.has_begun = False
        answer = self._answer = self._loop.create_future()
        self._reading = self._read()
        next(self._reading)
        self._transport.write(message)
        return answer

    def fail(self, error: Exception) -> None:
        """End the wait for an answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def abort(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            with contextlib.suppress(Exception):
                self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self.has_begun = True
        if self.is_asked:
            self._go_on()
        else:
            self.abort()  # it speaks without having been asked

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)

    def _end(self, error: Exception | None) -> None:
        self._ended, self._lost = True, self._lost or error
        if self.is_asked:
            self._go_on()

    def _go_on(self) -> None:
        """Read on, as far as there are bytes."""
        assert self._reading is not None
        assert self._answer is not None
        try:
            next(self._reading)
        except StopIteration as end:
            self._answer.set_result(end.value)
        except Exception as error:
            self._answer.set_exception(error)

    def _read(self) -> Generator[None, None, tuple[Response, bool]]:
        """Read an answer, and whether the connection stays; gives way whenever bytes are wanted."""
        for _ in range(1 + MAX_INTERIM):
            version, status, headers = _parsed((yield from self._until(b"\r\n\r\n")))
            if status >= 200 or status == NO_STATUS:
                break
        else:
            raise HTTPClientError(f"more than {MAX_INTERIM} answers only say that another one follows")
        stays = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        if status in NO_BODY:
            return Response(status, headers, b""), stays
        if headers.get("transfer-encoding", "").lower().endswith("chunked"):
            return Response(status, headers, (yield from self._chunks())), stays
        if "content-length" in headers:
            length = headers["content-length"]
            if not length.isdecimal() or len(length) > 18:
                raise HTTPClientError(f"Content-Length is {length[:40]!r}")
            self._check(int(length))
            return Response(status, headers, (yield from self._exactly(int(length)))), stays
        return Response(status, headers, (yield from self._rest())), False

    def _chunks(self) -> Generator[None, None, bytes]:
        """Read a chunked body (RFC 9112, section 7.1); what stands around the chunks counts as well."""
        parts: list[bytes] = []
        size = 0
        while True:
            line = yield from self._until(b"\r\n")
            try:
                length = int(line.partition(b";")[0].strip()[:16], 16)
            except ValueError:
                raise HTTPClientError(f"a chunk begins with {line[:40]!r}") from None
            if length < 0:
                raise HTTPClientError(f"a chunk begins with {line[:40]!r}")
            size += len(line) + length
            self._check(size)
            if not length:
                while (field := (yield from self._until(b"\r\n"))) != b"\r\n":
                    size += len(field)
                    self._check(size)
                return b"".join(parts)
            parts.append((yield from self._exactly(length)))
            yield from self._exactly(2)

    def _rest(self) -> Generator[None, None, bytes]:
        """Read until the server closes the connection."""
        while not self._ended:
            self._check(len(self._buffer))
            yield
        if self._lost is not None:
            raise self._lost
        self._check(len(self._buffer))
        return self._take(len(self._buffer))

    def _until(self, mark: bytes) -> Generator[None, None, bytes]:
        """Read up to a mark, and that as well."""
        start = 0
        while (place := self._buffer.find(mark, start, MAX_HEAD)) < 0:
            if len(self._buffer) >= MAX_HEAD:
                raise HTTPClientError(f"the head of the answer has more than {MAX_HEAD} bytes")
            start = max(0, len(self._buffer) - len(mark) + 1)
            yield from self._more()
        return self._take(place + len(mark))

    def _exactly(self, length: int) -> Generator[None, None, bytes]:
        while len(self._buffer) < length:
            yield from self._more()
        return self._take(length)

    def _more(self) -> Generator[None, None, None]:
        if self._ended:
            raise self._lost or _Ended
        yield

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def _check(self, size: int) -> None:
        if size > self._max_body:
            raise HTTPClientError(f"the answer has more than {self._max_body} bytes")


class Connection:
    """A connection to one server.

    Parameters:
        host, port: of the server.
        tls: for HTTPS; None for HTTP.
        timeout: seconds that a request may take, with the connection for it.
        max_body: bytes of an answer.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, timeout: float, max_body: int) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._timeout = timeout
        self._max_body = max_body
        self._channel: _Channel | None = None
        # One timer for many requests: it looks how far the deadline has moved when it is over.
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that nobody has closed yet."""
        return self._channel is not None and self._channel.is_open

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
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + self._timeout
        channel = self._channel if self.is_open else None
        try:
            try:
                return await self._exchange(loop, message)
            except (ConnectionError, _Ended):
                self.close()
                if channel is None or channel.has_begun:
                    raise
                return await self._exchange(loop, message)
        except BaseException as error:
            self.close()
            raise _explained(error, self._timeout) from error

    def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            self._channel.abort()
            self._channel = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _exchange(self, loop: asyncio.AbstractEventLoop, message: bytes) -> Response:
        if not self.is_open:
            self.close()
            async with asyncio.timeout_at(self._deadline):
                await self._open(loop)
        assert self._channel is not None
        answer = self._channel.ask(message)
        if self._timer is None:
            self._timer = loop.call_at(self._deadline, self._look, loop)
        response, stays = await answer
        if not stays:
            self.close()
        return response

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """See whether the answer that is waited for is overdue."""
        self._timer = None
        if self._channel is not None and self._channel.is_asked:
            if loop.time() < self._deadline:
                self._timer = loop.call_at(self._deadline, self._look, loop)
            else:
                self._channel.fail(TimeoutError())

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        # asyncio itself sets TCP_NODELAY.
        _, self._channel = await loop.create_connection(
            lambda: _Channel(loop, self._max_body),
            self._host,
            self._port,
            ssl=self._tls,
            server_hostname=self._host if self._tls is not None else None,
        )


NO_STATUS = 0
"""What the listener of openwsman writes in the place of 200: what it has to say stands in its body."""


def _parsed(head: bytes) -> tuple[str, int, dict[str, str]]:
    """The version, status and headers of an answer."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status, _, _ = rest.partition(" ")
    is_status = (status.isdecimal() and len(status) == 3) or status == str(NO_STATUS)
    if not version.startswith("HTTP/1.") or not is_status:
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
        case _Ended():
            return HTTPClientError("the connection ended before the answer did")
        case ssl.SSLCertVerificationError():
            return HTTPClientError(f"its certificate is not taken: {error.verify_message}")
        case socket.gaierror():
            return HTTPClientError(f"its name is not known: {error.strerror}")
        case OSError():
            return HTTPClientError(error.strerror or str(error) or type(error).__name__)
    return error

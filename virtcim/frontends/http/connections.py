"""Connections: aiohttp's protocol with error pages of its own, and the server that bounds how many there are."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from virtcim.frontends.http.admission import connections_to_close
from virtcim.frontends.http.library import (
    BadHttpMethod,
    HttpProcessingError,
    HttpVersion11,
    LineTooLong,
    StreamReader,
    UnreadableRequest,
    web,
)
from virtcim.frontends.http.peers import Client
from virtcim.frontends.http.seldom import Seldom

__all__ = ["MAX_TARGET", "SERVER", "Connection", "HTTPServer", "answer_in_1_1", "client_of"]

log = logging.getLogger(__name__)

MAX_TARGET = 8000
"""Bytes of a request target, which may hold the keys of an association, with all of both ends.  By this number a target
that is too long is told from a header."""

READ_AT_ONCE = 4 * 1024
"""Bytes that are read of a connection in one turn of the event loop: as chunks of HTTP of a byte each they take 1 ms,
until they are put together, and those 256 KiB that asyncio reads by itself take 80.  Bodies of 100 KiB, as large ones
are, cost no more by that, and those of 7 MiB 30 ms."""

SERVER = "virtcim"
"""The Server header: no versions for those who look for old ones."""


class Connection(web.RequestHandler):
    """aiohttp's protocol, with its own error pages replaced: no trace back, and 501 for an unknown method."""

    client = Client()
    is_known = False
    used = 0.0
    _arriving: StreamReader | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.client = Client.of(transport)
        # asyncio has no other way to be told.
        transport.max_size = READ_AT_ONCE  # type: ignore[attr-defined]
        self.used = time.monotonic()
        super().connection_made(transport)
        if isinstance(self._manager, HTTPServer):
            self._manager.make_room(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._messages:
            return
        message, body = self._messages[-1]
        if not isinstance(message, UnreadableRequest):
            self._arriving = body
        elif self._arriving is not None and not self._arriving.is_eof():
            # What cannot be read stands in this body, and is not the next request: whoever waits for the rest of it is
            # told, and answers.
            self._messages.pop()
            self._arriving.set_exception(web.RequestPayloadError(message.message))
            self._arriving.feed_eof()
            self.close()

    @property
    def address(self) -> str:
        """The address of the client, for the shares of connections."""
        return self.client.address

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self._current_request is None

    def retire(self) -> None:
        """Close once the request under way, if any, is answered."""
        if self._current_request is None:
            self.force_close()
        else:
            self.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, ConnectionError):
            log.info("%s is gone before the end of its answer: %s", request.remote, exc)
            raise exc
        headers = {"Server": SERVER}
        if isinstance(exc, BadHttpMethod) and _is_markup(exc):
            status = 411
        elif isinstance(exc, BadHttpMethod):
            status, headers["Allow"] = 501, self._manager.allowed if isinstance(self._manager, HTTPServer) else ""
        elif isinstance(exc, LineTooLong):
            status = 414 if exc.args[1] == MAX_TARGET else 431
        elif isinstance(exc, HttpProcessingError) and "too many headers" in exc.message.lower():
            status = 431
        if status >= 500 and not isinstance(exc, BadHttpMethod):
            log.error("Request from %s failed", request.remote, exc_info=exc)
        else:
            self._tell_bad(request.remote, exc)
        if request.writer.output_size > 0:
            raise ConnectionError("The answer has begun already")
        if isinstance(exc, HttpProcessingError):
            answer_in_1_1(request)
        response = web.Response(status=status, text=f"{status} {HTTPStatus(status).phrase}\n", headers=headers)
        response.force_close()
        return response

    def _tell_bad(self, address: str | None, error: BaseException | None) -> None:
        """Log what is wrong with a request, but not of each: whoever can connect can send any number of them."""
        noted = self._manager.bad.note() if isinstance(self._manager, HTTPServer) else 1
        level = logging.INFO if noted else logging.DEBUG
        log.log(level, "Bad request from %s: %s; bad ones since the last such line: %d", address, error, noted)


class HTTPServer(web.Server):
    """aiohttp's low-level server with the protocol of this module.

    Parameters:
        handler: takes the requests.
        allowed: value of the Allow header.
        max_connections: open connections.
        share: the part of them that one address may have when there are not enough.
        options: for the protocol.

    Attributes:
        allowed: value of the Allow header.
        bad: counts requests that cannot be read.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        allowed: str,
        max_connections: int,
        share: float,
        **options: Any,
    ) -> None:
        super().__init__(handler, handler_cancellation=True)
        self.allowed = allowed
        self._max_connections = max_connections
        self._share = share
        self._options = options
        self._crowded = Seldom()
        self.bad = Seldom()

    def make_room(self, newcomer: Connection) -> None:
        """Close connections when there is one too many: those that are needed least, else the newcomer."""
        if len(self.connections) <= self._max_connections:
            return
        others = [each for each in self.connections if isinstance(each, Connection) and each is not newcomer]
        chosen = connections_to_close(others, newcomer, self._max_connections, self._share)
        closed = self._crowded.note(len(chosen))
        if closed:
            log.warning("More than %d connections: %d are closed", self._max_connections, closed)
        for each in chosen:
            each.force_close()

    def forget_certificates(self) -> None:
        """Close the connections whose clients showed a certificate, which may not be good any more."""
        for connection in self.connections:
            if isinstance(connection, Connection) and connection.client.certificate:
                connection.retire()

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._options)


def client_of(request: web.BaseRequest) -> Client:
    """The client of a request."""
    return request.protocol.client if isinstance(request.protocol, Connection) else Client()


def _is_markup(error: BadHttpMethod) -> bool:
    """Whether what was taken for a method is the body of a request that did not tell its length."""
    return "b'<" in error.message or 'b"<' in error.message


def answer_in_1_1(request: web.BaseRequest) -> None:
    """Have a request answered in HTTP/1.1, whose own version could not be read or is not spoken.

    aiohttp answers in the version of the request, and takes 1.0 for that of one that it cannot read.
    """
    request._version = HttpVersion11
    request._cache.pop("version", None)

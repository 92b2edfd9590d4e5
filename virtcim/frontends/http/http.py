"""HTTP/1.1 on aiohttp's low-level server, for all front ends.

A request goes through here: which front end answers it, who asks, its body, worker threads for what it asks for, and
the answer, streamed in pieces as the client reads them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod

from virtcim.cimom.principals import NOBODY, Principal
from virtcim.cimom.requestid import next_request_id, request_id
from virtcim.cimom.requests import Caller
from virtcim.cimom.settings import ServerSettings
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.http.auth import AuthenticationBusy, Authenticator
from virtcim.frontends.http.exchange import FrontEnd, HTTPFault, OperationNote, Reply, Route
from virtcim.frontends.http.metrics import Metrics
from virtcim.frontends.http.peers import Client, Peers
from virtcim.frontends.http.tls import CertificateUser
from virtcim.frontends.http.workers import WorkerPool

__all__ = ["HTTPHandler", "HTTPServer"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

KNOWN_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "PATCH", "POST", "OPTIONS"})
HEALTH = "/health"
METRICS = "/metrics"

SERVER = "virtcim"
"""The Server header: no versions for those who look for old ones."""

WHOLE_LIMIT = 128 * 1024
"""Answers up to this many bytes are sent in one piece, with Content-Length; larger ones chunked."""

CHUNK = 256 * 1024
"""Bytes per chunk: large enough that their number costs nothing, small beside what a connection may buffer."""

LOGGED_NAME = 128
"""Characters of a name that a client made up, in a log line."""


class _Protocol(web.RequestHandler):
    """aiohttp's protocol, with its own error pages replaced: no trace back, and 501 for an unknown method."""

    client = Client()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.client = Client.of(transport)
        super().connection_made(transport)
        manager = self._manager
        if isinstance(manager, HTTPServer) and len(manager.connections) > manager.max_connections:
            log.warning("More than %d connections: one is closed", manager.max_connections)
            self.force_close()

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
        if isinstance(exc, BadHttpMethod):
            status, headers["Allow"] = 501, self._manager.allowed if isinstance(self._manager, HTTPServer) else ""
        elif status == 400 and message and ("too large" in message.lower() or "too long" in message.lower()):
            status = 431
        if status >= 500 and not isinstance(exc, BadHttpMethod):
            log.error("Request from %s failed", request.remote, exc_info=exc)
        else:
            log.info("Bad request from %s: %s", request.remote, exc)
        if request.writer.output_size > 0:
            raise ConnectionError("The answer has begun already")
        response = web.Response(status=status, text=f"{status} {HTTPStatus(status).phrase}\n", headers=headers)
        response.force_close()
        return response


class HTTPServer(web.Server):
    """aiohttp's low-level server with the protocol of this module.

    Parameters:
        handler: takes the requests.
        max_connections: open connections.
        options: for the protocol.
    """

    def __init__(self, handler: HTTPHandler, max_connections: int, **options: Any) -> None:
        super().__init__(handler, handler_cancellation=True)
        self.allowed = handler.allowed
        self.max_connections = max_connections
        self._options = options

    def forget_certificates(self) -> None:
        """Close the connections whose clients showed a certificate, which may not be good any more."""
        for connection in self.connections:
            if isinstance(connection, _Protocol) and connection.client.certificate:
                connection.retire()

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, **self._options)


class _Memory:
    """What the bodies of requests and answers take, all of them together.

    Parameters:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.taken = 0

    @contextlib.contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """A request's share: a function that takes bytes, which are given back when the request is done.

        It raises HTTPFault, 503, when there is no room; a single request gets what it needs when it is alone.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self.taken > mine and self.taken + size > self._limit:
                raise _busy()
            mine += size
            self.taken += size

        try:
            yield take
        finally:
            self.taken -= mine


class _Queue:
    """Worker threads of one kind, and what waits for them: who waits for the hypervisor keeps nobody from reading.

    Parameters:
        threads: their number.
        name: for the names of the threads.
        limit: operations at one time, those in threads and those that wait.
    """

    def __init__(self, threads: int, name: str, limit: int) -> None:
        self._pool = WorkerPool(threads, name)
        self._limit = limit
        self.waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do something in a thread.  Raises HTTPFault, 503, when too much waits already."""
        if self.waiting >= self._limit:
            raise _busy()
        self.waiting += 1
        try:
            return await self._pool.run(work)
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Give up the threads; what they still do is not waited for."""
        self._pool.close()


class HTTPHandler:
    """Takes HTTP requests, has front ends answer them, and sends what they answer.

    Parameters:
        frontends: in the order in which they are asked.
        settings: limits.
        authenticator: tells who asks, by the Authorization header.
        statistics: of the operations; by default nothing is gathered.
        certificate_users: which client certificate stands for which user.

    Attributes:
        allowed: value of the Allow header.
    """

    def __init__(
        self,
        frontends: Sequence[FrontEnd],
        settings: ServerSettings,
        authenticator: Authenticator,
        statistics: OperationStatistics | None = None,
        certificate_users: Sequence[CertificateUser] = (),
    ) -> None:
        self._routes = [route for each in frontends for route in each.routes]
        self.allowed = ", ".join(dict.fromkeys(route.method for route in self._routes))
        self._settings = settings
        self._authenticator = authenticator
        self._peers = Peers(certificate_users)
        self._statistics = statistics or OperationStatistics(())
        self._readers = _Queue(settings.read_threads, "read", settings.max_waiting)
        self._changers = _Queue(settings.method_threads, "method", settings.max_waiting)
        self._stopping = False
        self._in_flight = 0
        self._memory = _Memory(settings.max_in_flight)
        self.metrics = Metrics()
        self.metrics.watch("bytes_in_flight", "Memory of requests and answers", lambda: self._memory.taken)
        self.metrics.watch("requests_in_flight", "Requests being answered", lambda: self._in_flight)
        self.metrics.watch("operations_in_threads", "Operations in worker threads or waiting", lambda: self.waiting)
        for gauge in (gauge for each in frontends for gauge in each.gauges):
            self.metrics.watch(gauge.name, gauge.text, gauge.value)
        self._idle = asyncio.Event()

    def stop(self) -> None:
        """Tell those who watch that the server is about to end."""
        self._stopping = True

    def close(self) -> None:
        """Give up the worker threads; what they still do is not waited for."""
        self._readers.close()
        self._changers.close()
        self._peers.close()

    async def wait_until_idle(self, seconds: float) -> None:
        """Wait until no request is being answered, but no longer than `seconds`."""
        self._idle.clear()
        if self._in_flight:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._idle.wait()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.monotonic()
        self._in_flight += 1
        request_id.set(next_request_id())
        try:
            return await self._respond(request, started)
        except HTTPFault as fault:
            self.metrics.refused(fault.status)
            return _fault_response(fault)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _respond(self, request: web.BaseRequest, started: float) -> web.StreamResponse:
        if request.method == "GET" and request.path in {HEALTH, METRICS}:
            return await self._monitoring(request)
        routes = self._find_routes(request)
        principal = NOBODY if routes[0].public else await self._principal(request)
        route = _chosen(routes, request)
        with self._memory.share() as take:
            reply = await route.answer(_Exchange(self, request, principal, take))
            size = sum(map(len, reply.pieces))
            if reply.operation is not None:
                self._note(reply.operation, principal.name, size, time.monotonic() - started)
            take(size)
            return await self._send(request, reply, size)

    def _find_routes(self, request: web.BaseRequest) -> list[Route]:
        """The routes for a request's method and path, those that name the path before those for any.

        Raises:
            HTTPFault: 405, or 501 for an unknown method.
        """
        found = [each for each in self._routes if each.method == request.method]
        found = [each for each in found if each.path == request.path] or [each for each in found if each.path is None]
        if not found:
            status = 405 if request.method in KNOWN_METHODS else 501
            raise HTTPFault(status, f"{request.method} is not supported", {"Allow": self.allowed})
        return found

    def _note(self, operation: OperationNote, principal: str, size: int, seconds: float) -> None:
        """Count an operation, and log it when it was slow.

        Parameters:
            size: bytes of its answer.
            seconds: from the arrival of the request.
        """
        if self._statistics.gathering:
            self._statistics.record(operation.name, operation.extrinsic, seconds, operation.request_bytes, size)
        self.metrics.answered(operation.label, operation.status, seconds)
        if seconds < self._settings.slow_seconds:
            return
        log.warning(
            "%s in %s for %r took %.3f s, %.3f s of them in the operation itself; status %d",
            operation.name[:LOGGED_NAME],
            operation.namespace[:LOGGED_NAME],
            principal,
            seconds,
            operation.seconds,
            operation.status,
            extra={
                "operation": operation.name[:LOGGED_NAME],
                "namespace": operation.namespace[:LOGGED_NAME],
                "target_class": operation.class_name[:LOGGED_NAME],
                "principal": principal,
                "seconds": round(seconds, 6),
                "operation_seconds": round(operation.seconds, 6),
                "cim_status": operation.status,
            },
        )

    async def _monitoring(self, request: web.BaseRequest) -> web.StreamResponse:
        """`/health` tells everybody, in one word, whether requests are taken; `/metrics` has the figures."""
        if request.path == HEALTH:
            word, status = ("stopping", 503) if self._stopping else ("ok", 200)
            return web.json_response({"status": word}, status=status, headers={"Server": SERVER})
        if not self._settings.metrics:
            raise HTTPFault(404, "There are no metrics")
        if not self._settings.metrics_public:
            await self._principal(request)
        return web.Response(
            body=self.metrics.exposition(), headers={"Server": SERVER, "Content-Type": self.metrics.content_type}
        )

    async def _principal(self, request: web.BaseRequest) -> Principal:
        """Who asks: the user of the process behind a Unix socket, else of the Authorization header, else of the
        certificate."""
        client = _client(request)
        if client.uid is not None:
            return await self._peers.local(client.uid)
        authorization = request.headers.get("Authorization")
        principal = self._authenticator.remembered(authorization)
        if principal is None and authorization is None and client.certificate:
            principal = self._peers.by_certificate(client.certificate)
        if principal is None:
            try:
                principal = await self._authenticator.authenticate(authorization, client.address)
            except AuthenticationBusy:
                raise _busy() from None
        if principal is None:
            raise HTTPFault(401, "Authentication is needed", {"WWW-Authenticate": self._authenticator.challenge})
        return principal

    async def read_body(self, request: web.BaseRequest, take: Callable[[int], None]) -> bytes:
        """The whole body of a request."""
        limit = self._settings.max_body
        too_large = HTTPFault(413, f"A request may have {limit} bytes")
        if (request.content_length or 0) > limit:
            raise too_large
        expect = request.headers.get("Expect")
        if expect is not None:
            if expect.strip().lower() != "100-continue":
                raise HTTPFault(417, "Only 100-continue can be expected")
            if request.version >= (1, 1):  # who speaks HTTP/1.0 would take it for the answer
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0
        parts = []
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                while data := await request.content.readany():
                    size += len(data)
                    if size > limit:
                        raise too_large
                    take(len(data))
                    parts.append(data)
        except TimeoutError:
            raise HTTPFault(408, "The request took too long to arrive") from None
        except web.RequestPayloadError as exc:
            raise HTTPFault(400, f"The request did not arrive whole: {exc}") from None
        return b"".join(parts)

    async def run(self, work: Callable[[], Result], waits: bool) -> Result:
        """Do something in a worker thread: one of those that wait for the hypervisor, or of those that compute."""
        return await (self._changers if waits else self._readers).run(work)

    @property
    def waiting(self) -> int:
        """Operations in worker threads or waiting for one."""
        return self._readers.waiting + self._changers.waiting

    async def _send(self, request: web.BaseRequest, reply: Reply, size: int) -> web.StreamResponse:
        headers = {"Server": SERVER, **reply.headers}
        if size <= WHOLE_LIMIT:
            whole = web.Response(status=reply.status, body=b"".join(reply.pieces), headers=headers)
            await whole.prepare(request)
            await self._patiently(request, whole.write_eof())
            return whole
        response = web.StreamResponse(status=reply.status, headers=headers)
        if request.version >= (1, 1):
            response.enable_chunked_encoding()
        else:
            response.content_length = size
        await response.prepare(request)
        async for chunk in _chunks(reply.pieces):
            await self._patiently(request, response.write(chunk))
        await self._patiently(request, response.write_eof())
        return response

    async def _patiently(self, request: web.BaseRequest, sending: Awaitable[None]) -> None:
        """Wait for something to be sent, but not for ever: a client that does not read is cut off."""
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                await sending
        except TimeoutError:
            log.info("%s does not read its answer: it is cut off", request.remote)
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("The client does not read") from None


class _Exchange:
    """One request, as front ends see it (`frontends.http.exchange.Exchange`)."""

    __slots__ = ("_handler", "_request", "_take", "caller")

    def __init__(
        self, handler: HTTPHandler, request: web.BaseRequest, principal: Principal, take: Callable[[int], None]
    ) -> None:
        self._handler = handler
        self._request = request
        self._take = take
        self.caller = Caller(principal, _client(request).origin, request_id.get())

    @property
    def method(self) -> str:
        return self._request.method

    @property
    def path(self) -> str:
        return self._request.path

    @property
    def headers(self) -> Mapping[str, str]:
        return self._request.headers

    async def body(self) -> bytes:
        return await self._handler.read_body(self._request, self._take)

    async def run(self, work: Callable[[], Result], *, waits: bool = False) -> Result:
        return await self._handler.run(work, waits)


def _chosen(routes: Sequence[Route], request: web.BaseRequest) -> Route:
    """The route that takes the body of a request.  Raises HTTPFault when none does."""
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    for route in routes:
        if route.takes(media_type):
            return route
    known = sorted(set().union(*(route.media_types or () for route in routes)))
    raise HTTPFault(400, f"Content-Type {media_type} is none of {', '.join(known)}")


def _client(request: web.BaseRequest) -> Client:
    return request.protocol.client if isinstance(request.protocol, _Protocol) else Client()


async def _chunks(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    """The pieces put together to chunks, without ever holding all of them twice."""
    start, size = 0, 0
    for index, piece in enumerate(pieces):
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(pieces[start : index + 1])
            start, size = index + 1, 0
    if size:
        yield b"".join(pieces[start:])


def _busy() -> HTTPFault:
    return HTTPFault(503, "Too much at once; try again", {"Retry-After": "1"})


def _fault_response(fault: HTTPFault) -> web.Response:
    headers = {"Server": SERVER, **fault.headers}
    response = web.Response(status=fault.status, text=f"{fault.text}\n", headers=headers)
    if fault.status in {408, 413, 415, 417}:
        # Nobody waits for the rest of the body.
        response.force_close()
    return response

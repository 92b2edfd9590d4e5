"""CIM-XML over HTTP/1.1 (DSP0200 1.4, sections 6 and 7), on aiohttp's low-level server.

A request goes through here: authentication, headers, body, decoding, the operation (in the event loop when it is
quick, else in a worker thread), and the answer, streamed in pieces as the client reads them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod

from virtcim.cimom.operations import NO_QUIRKS, SFCC, WBEMCLI, Answer, Operations, Quirks
from virtcim.cimom.principals import Principal
from virtcim.cimom.query import Language
from virtcim.cimom.requestid import next_request_id, request_id
from virtcim.cimom.settings import ServerSettings
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.cimxml.decode import Request, RequestFault, decode_request
from virtcim.frontends.cimxml.headers import check_against_body, check_request_headers
from virtcim.frontends.http.auth import AuthenticationBusy, Authenticator
from virtcim.frontends.http.metrics import Metrics, operation_label
from virtcim.frontends.http.peers import Client, Peers
from virtcim.frontends.http.tls import CertificateUser
from virtcim.frontends.http.workers import WorkerPool

__all__ = ["CIMHandler", "HTTPServer"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

ALLOWED = "POST, OPTIONS"
HEALTH = "/health"
METRICS = "/metrics"
CONTENT_TYPE = 'application/xml; charset="utf-8"'

SERVER = "virtcim"
"""The Server header: no versions for those who look for old ones."""

WHOLE_LIMIT = 128 * 1024
"""Answers up to this many bytes are sent in one piece, with Content-Length; larger ones chunked."""

CHUNK = 256 * 1024
"""Bytes per chunk: large enough that their number costs nothing, small beside what a connection may buffer."""

LOGGED_NAME = 128
"""Characters of a name that a client made up, in a log line."""

INLINE_BODY = 64 * 1024
"""Requests up to this many bytes are decoded in the event loop (a millisecond); larger ones in a worker thread."""


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
            status, headers["Allow"] = 501, ALLOWED
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

    def __init__(self, handler: CIMHandler, max_connections: int, **options: Any) -> None:
        super().__init__(handler, handler_cancellation=True)
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

        It raises RequestFault, 503, when there is no room; a single request gets what it needs when it is alone.
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


class CIMHandler:
    """Takes HTTP requests and gives CIM answers.

    Parameters:
        operations: carries out the operations.
        settings: limits.
        authenticator: tells who asks, by the Authorization header.
        functional_groups: for OPTIONS, by the names of DSP0200.
        statistics: of the operations; by default nothing is gathered.
        certificate_users: which client certificate stands for which user.
    """

    def __init__(
        self,
        operations: Operations,
        settings: ServerSettings,
        authenticator: Authenticator,
        functional_groups: Sequence[str] = (),
        statistics: OperationStatistics | None = None,
        certificate_users: Sequence[CertificateUser] = (),
    ) -> None:
        self._operations = operations
        self._settings = settings
        self._authenticator = authenticator
        self._peers = Peers(certificate_users)
        self._statistics = statistics or OperationStatistics(())
        self._readers = WorkerPool(settings.read_threads, "read")
        self._changers = WorkerPool(settings.method_threads, "method")
        self._functional_groups = ", ".join(functional_groups)
        self._stopping = False
        self._waiting = 0
        self._in_flight = 0
        self._memory = _Memory(settings.max_in_flight)
        self.metrics = Metrics()
        self.metrics.watch("bytes_in_flight", "Memory of requests and answers", lambda: self._memory.taken)
        self.metrics.watch("requests_in_flight", "Requests being answered", lambda: self._in_flight)
        self.metrics.watch("operations_in_threads", "Operations in worker threads or waiting", lambda: self._waiting)
        self._idle = asyncio.Event()

    def stop(self) -> None:
        """Tell those who watch that the server is about to end, and open no more enumerations."""
        self._stopping = True
        self._operations.enumerations.stop()

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
        except RequestFault as fault:
            self.metrics.refused(fault.status)
            return _fault_response(fault)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _respond(self, request: web.BaseRequest, started: float) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return _options_response(self._functional_groups)
        if request.method == "GET" and request.path in {HEALTH, METRICS}:
            return await self._monitoring(request)
        if request.method != "POST":
            raise RequestFault(
                405 if request.method in {"GET", "HEAD", "PUT", "DELETE", "PATCH"} else 501,
                None,
                f"{request.method} is not supported",
                {"Allow": ALLOWED},
            )
        principal = await self._principal(request)
        check_request_headers(request.headers)
        with self._memory.share() as take:
            return await self._carry_out(request, principal, take, started)

    async def _carry_out(
        self, request: web.BaseRequest, principal: Principal, take: Callable[[int], None], started: float
    ) -> web.StreamResponse:
        body = await self._body(request, take)
        if len(body) <= INLINE_BODY:
            decoded = decode_request(body, self._settings.max_elements)
        else:
            decoded = await self._in_thread(self._readers, partial(decode_request, body, self._settings.max_elements))
        check_against_body(request.headers, decoded)
        answer = await self._answer(decoded, principal, _quirks(request, decoded), _client(request).origin)
        if self._statistics.gathering:
            seconds = time.monotonic() - started
            size = sum(map(len, answer.pieces))
            self._statistics.record(decoded.operation, decoded.extrinsic, seconds, len(body), size)
        self._note(decoded, principal.name, answer, time.monotonic() - started)
        take(sum(map(len, answer.pieces)))
        return await self._send(request, answer, started)

    def _note(self, decoded: Request, principal: str, answer: Answer, seconds: float) -> None:
        """Count an operation, and log it when it was slow."""
        operation = operation_label(decoded)
        self.metrics.answered(operation, answer.status, seconds)
        if seconds < self._settings.slow_seconds:
            return
        log.warning(
            "%s in %s for %r took %.3f s, %.3f s of them in the operation itself; status %d",
            decoded.operation[:LOGGED_NAME],
            decoded.namespace[:LOGGED_NAME],
            principal,
            seconds,
            answer.seconds,
            answer.status,
            extra={
                "operation": decoded.operation[:LOGGED_NAME],
                "namespace": decoded.namespace[:LOGGED_NAME],
                "target_class": decoded.target.class_name[:LOGGED_NAME] if decoded.target else "",
                "principal": principal,
                "seconds": round(seconds, 6),
                "operation_seconds": round(answer.seconds, 6),
                "cim_status": answer.status,
            },
        )

    async def _monitoring(self, request: web.BaseRequest) -> web.StreamResponse:
        """`/health` tells everybody, in one word, whether requests are taken; `/metrics` has the figures."""
        if request.path == HEALTH:
            word, status = ("stopping", 503) if self._stopping else ("ok", 200)
            return web.json_response({"status": word}, status=status, headers={"Server": SERVER})
        if not self._settings.metrics:
            raise RequestFault(404, None, "There are no metrics")
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
            raise RequestFault(
                401, None, "Authentication is needed", {"WWW-Authenticate": self._authenticator.challenge}
            )
        return principal

    async def _body(self, request: web.BaseRequest, take: Callable[[int], None]) -> bytes:
        limit = self._settings.max_body
        too_large = RequestFault(413, None, f"A request may have {limit} bytes")
        if (request.content_length or 0) > limit:
            raise too_large
        expect = request.headers.get("Expect")
        if expect is not None:
            if expect.strip().lower() != "100-continue":
                raise RequestFault(417, None, "Only 100-continue can be expected")
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
            raise RequestFault(408, None, "The request took too long to arrive") from None
        except web.RequestPayloadError as exc:
            raise RequestFault(400, None, f"The request did not arrive whole: {exc}") from None
        return b"".join(parts)

    async def _answer(self, decoded: Request, principal: Principal, quirks: Quirks, origin: str) -> Answer:
        operations = self._operations
        if operations.is_quick(decoded):
            return operations.execute(decoded, principal, quirks, origin)
        pool = self._changers if operations.is_change(decoded) else self._readers
        return await self._in_thread(pool, partial(operations.execute, decoded, principal, quirks, origin))

    async def _in_thread(self, pool: WorkerPool, work: Callable[[], Result]) -> Result:
        if self._waiting >= self._settings.max_waiting:
            raise _busy()
        self._waiting += 1
        try:
            return await pool.run(work)
        finally:
            self._waiting -= 1

    async def _send(self, request: web.BaseRequest, answer: Answer, started: float) -> web.StreamResponse:
        size = sum(map(len, answer.pieces))
        headers = {
            "Server": SERVER,
            "Content-Type": CONTENT_TYPE,
            "CIMOperation": "MethodResponse",
            "WBEMServerResponseTime": str(int((time.monotonic() - started) * 1_000_000)),
        }
        if size <= WHOLE_LIMIT:
            whole = web.Response(body=b"".join(answer.pieces), headers=headers)
            await whole.prepare(request)
            await self._patiently(request, whole.write_eof())
            return whole
        response = web.StreamResponse(headers=headers)
        if request.version >= (1, 1):
            response.enable_chunked_encoding()
        else:
            response.content_length = size
        await response.prepare(request)
        async for chunk in _chunks(answer.pieces):
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


def _client(request: web.BaseRequest) -> Client:
    return request.protocol.client if isinstance(request.protocol, _Protocol) else Client()


def _quirks(request: web.BaseRequest, decoded: Request) -> Quirks:
    """sfcc and wbemcli do not say who they are, but nobody else does it like they do."""
    if decoded.message_id != "4711" or "User-Agent" in request.headers:
        return NO_QUIRKS
    tokens = {token.strip().lower() for token in request.headers.get("Connection", "").split(",")}
    return WBEMCLI if "te" in tokens else SFCC


async def _chunks(pieces: list[bytes]) -> AsyncIterator[bytes]:
    """The pieces put together to chunks, without ever holding all of them twice."""
    start, size = 0, 0
    for index, piece in enumerate(pieces):
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(pieces[start : index + 1])
            start, size = index + 1, 0
    if size:
        yield b"".join(pieces[start:])


def _busy() -> RequestFault:
    return RequestFault(503, None, "Too much at once; try again", {"Retry-After": "1"})


def _fault_response(fault: RequestFault) -> web.Response:
    headers = {"Server": SERVER, **fault.headers}
    if fault.cim_error is not None:
        headers["CIMError"] = fault.cim_error
    response = web.Response(status=fault.status, text=f"{fault.text}\n", headers=headers)
    if fault.status in {408, 413, 415, 417}:
        # Nobody waits for the rest of the body.
        response.force_close()
    return response


def _options_response(functional_groups: str) -> web.Response:
    """OPTIONS (DSP0200 1.4, section 7.5): what the server can do, in headers of the standard's extension."""
    return web.Response(
        status=200,
        headers={
            "Server": SERVER,
            "Allow": ALLOWED,
            "Opt": "http://www.dmtf.org/cim/mapping/http/v1.0 ; ns=73",
            "73-CIMProtocolVersion": "1.0",
            "73-CIMSupportedFunctionalGroups": functional_groups,
            "73-CIMSupportedQueryLanguages": ", ".join(language.value for language in Language),
        },
    )

"""HTTP/1.1 on aiohttp's low-level server, for all front ends.

A request goes through here: which front end answers it, who asks, its body, worker threads for what it asks for, and
the answer, streamed in pieces as the client reads them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from multidict import MultiMapping, istr

from virtcim.cimom.principals import NOBODY, Principal
from virtcim.cimom.requestid import next_request_id, request_id
from virtcim.cimom.requests import Caller
from virtcim.cimom.settings import ServerSettings
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.http.admission import SMALL, AnswerSizes, Claim, Memory, OverloadError, connections_to_close
from virtcim.frontends.http.auth import AuthenticationBusy, Authenticator
from virtcim.frontends.http.exchange import FrontEnd, HTTPFault, OperationNote, Reply, Route, Sender, methods_beside
from virtcim.frontends.http.guard import Guard, is_browser, is_loopback
from virtcim.frontends.http.library import BadHttpMethod, HttpProcessingError, HttpVersion11, LineTooLong, web
from virtcim.frontends.http.metrics import Metrics
from virtcim.frontends.http.peers import Client, Peers
from virtcim.frontends.http.routing import Refuser, Routes
from virtcim.frontends.http.sending import Outgoing, send
from virtcim.frontends.http.streaming import open_stream
from virtcim.frontends.http.tls import CertificateUser
from virtcim.frontends.http.workers import PoolFullError, WorkerPool
from virtcim.precedence import answers

__all__ = ["MAX_TARGET", "HTTPHandler", "HTTPServer"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

KNOWN_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "PATCH", "POST", "OPTIONS"})
MAX_USERS = 100
"""Users whose last request is remembered, for `/status`."""

HEALTH = "/health"
METRICS = "/metrics"
STATUS = "/status"
MONITORED = frozenset({HEALTH, METRICS, STATUS})

MAX_TARGET = 8000
"""Bytes of a request target, which may hold the keys of an association, with all of both ends.  By this number a target
that is too long is told from a header."""

AUTHORIZATION, CONTENT_TYPE, EXPECT = istr("Authorization"), istr("Content-Type"), istr("Expect")
CONTENT_LENGTH, TRANSFER_ENCODING = istr("Content-Length"), istr("Transfer-Encoding")

SINGLE = (AUTHORIZATION, CONTENT_TYPE, istr("Host"), istr("Origin"), istr("Sec-Fetch-Site"))
"""Headers that a request has once (RFC 9110, section 5.3): of two, one would count here and the other elsewhere."""

PLAIN = "text/plain; charset=utf-8"

SERVER = "virtcim"
"""The Server header: no versions for those who look for old ones."""

GET_THREADS = 2
"""Threads for requests that concern one instance: each takes about a millisecond."""

LOGGED_NAME = 128
"""Characters of a name that a client made up, in a log line."""


class _Protocol(web.RequestHandler):
    """aiohttp's protocol, with its own error pages replaced: no trace back, and 501 for an unknown method."""

    client = Client()
    is_known = False
    used = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.client = Client.of(transport)
        self.used = time.monotonic()
        super().connection_made(transport)
        if isinstance(self._manager, HTTPServer):
            self._manager.make_room(self)

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
            log.info("Bad request from %s: %s", request.remote, exc)
        if request.writer.output_size > 0:
            raise ConnectionError("The answer has begun already")
        if isinstance(exc, HttpProcessingError):
            _answer_in_1_1(request)
        response = web.Response(status=status, text=f"{status} {HTTPStatus(status).phrase}\n", headers=headers)
        response.force_close()
        return response


class HTTPServer(web.Server):
    """aiohttp's low-level server with the protocol of this module.

    Parameters:
        handler: takes the requests.
        max_connections: open connections.
        share: the part of them that one address may have when there are not enough.
        options: for the protocol.
    """

    def __init__(self, handler: HTTPHandler, max_connections: int, share: float, **options: Any) -> None:
        super().__init__(handler, handler_cancellation=True)
        self.allowed = handler.allowed
        self._max_connections = max_connections
        self._share = share
        self._options = options

    def make_room(self, newcomer: _Protocol) -> None:
        """Close connections when there is one too many: those that are needed least, else the newcomer."""
        if len(self.connections) <= self._max_connections:
            return
        others = [each for each in self.connections if isinstance(each, _Protocol) and each is not newcomer]
        chosen = connections_to_close(others, newcomer, self._max_connections, self._share)
        log.warning("More than %d connections: %d are closed", self._max_connections, len(chosen))
        for each in chosen:
            each.force_close()

    def forget_certificates(self) -> None:
        """Close the connections whose clients showed a certificate, which may not be good any more."""
        for connection in self.connections:
            if isinstance(connection, _Protocol) and connection.client.certificate:
                connection.retire()

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, **self._options)


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
        files: a thread for what the server itself reads now and then.
        report: from who asks to what `/status` answers, in JSON; to None where that is not for them.  None for no
            such page.
        users: who has asked, with the time in seconds since 1970: the last `MAX_USERS` of them.
    """

    def __init__(
        self,
        frontends: Sequence[FrontEnd],
        settings: ServerSettings,
        authenticator: Authenticator,
        statistics: OperationStatistics | None = None,
        certificate_users: Sequence[CertificateUser] = (),
    ) -> None:
        self._routes = Routes(route for each in frontends for route in each.routes)
        self.allowed = ", ".join(self._routes.methods)
        self._settings = settings
        self._authenticator = authenticator
        self._peers = Peers(certificate_users)
        self._guard = Guard([settings.host_name, settings.host, *settings.hosts])
        self._statistics = statistics or OperationStatistics(())
        self._getters = WorkerPool(GET_THREADS, "get", settings.max_waiting)
        self._readers = WorkerPool(settings.read_threads, "read", settings.max_waiting, answers)
        self._changers = WorkerPool(settings.method_threads, "method", settings.max_waiting)
        self.files = WorkerPool(1, "files")
        self._figures = WorkerPool(1, "figures", settings.max_waiting)
        self.report: Callable[[Principal], str | None] | None = None
        self.users: dict[str, float] = {}
        self._stopping = False
        self._streams: set[asyncio.Future[None]] = set()
        self._in_flight = 0
        self._memory = Memory(settings.max_in_flight, settings.user_share)
        self._sizes = AnswerSizes()
        self.metrics = Metrics()
        self.metrics.watch("bytes_in_flight", "Memory of requests and answers", lambda: self._memory.taken)
        self.metrics.watch("requests_in_flight", "Requests being answered", lambda: self._in_flight)
        self.metrics.watch("streams", "Answers that go on", lambda: len(self._streams))
        self.metrics.watch("operations_in_threads", "Operations in worker threads or waiting", lambda: self.waiting)
        for gauge in (gauge for each in frontends for gauge in each.gauges):
            self.metrics.watch(gauge.name, gauge.text, gauge.value)
        self._idle = asyncio.Event()

    def stop(self) -> None:
        """Tell those who watch that the server is about to end."""
        self._stopping = True
        for stream in self._streams:
            stream.cancel()

    def close(self) -> None:
        """Give up the worker threads; what they still do is not waited for."""
        for pool in (self._getters, self._readers, self._changers, self.files, self._figures):
            pool.close()
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
            return _fault_response(fault, self._routes.refuser(request.path))
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _respond(self, request: web.BaseRequest, started: float) -> web.StreamResponse:
        connection = request.protocol if isinstance(request.protocol, _Protocol) else None
        if connection is not None:
            connection.used = started
        if request.version.major != 1:
            _answer_in_1_1(request)
            raise HTTPFault(505, "HTTP/1.1 is spoken here")
        headers = request.headers
        for name in SINGLE:
            if len(headers.getall(name, ())) > 1:
                raise HTTPFault(400, f"Header {name} is given more than once; expected one")
        is_encrypted = request.scheme == "https"
        self._guard.check(headers, is_encrypted)
        if request.path in MONITORED and request.method in methods_beside("GET"):
            return await self._monitoring(request)
        client = connection.client if connection is not None else Client()
        routes = self._find_routes(request, client)
        public = routes[0].public
        principal = NOBODY if public else _identified(routes, headers, is_encrypted) or await self._principal(request)
        route = _chosen(routes, headers)
        if not public:
            self._remember(principal.name)
            if connection is not None:
                connection.is_known = True
        holders = [("user", principal.name), ("address", client.address)]
        try:
            with self._memory.request([each for each in holders if each[1]]) as claim:
                exchange = _Exchange(self, request, client, principal, claim)
                try:
                    reply = await route.answer(exchange)
                    return await self._reply(request, reply, exchange, started)
                finally:
                    self._sizes.give_up(exchange.question)
        except OverloadError:
            raise _busy() from None

    def _remember(self, user: str) -> None:
        """Remember that a user has asked."""
        if user not in self.users and len(self.users) >= MAX_USERS:
            del self.users[min(self.users, key=self.users.__getitem__)]
        self.users[user] = time.time()

    async def _reply(
        self,
        request: web.BaseRequest,
        reply: Reply,
        exchange: _Exchange,
        started: float,
    ) -> web.StreamResponse:
        if reply.stream is not None:
            return await self._stream(request, reply, reply.stream)
        outgoing = reply.pieces if isinstance(reply.pieces, Outgoing) else Outgoing(reply.pieces)
        if reply.operation is not None:
            principal = exchange.caller.principal
            self._note(reply.operation, principal.name, outgoing.size, time.monotonic() - started)
        if exchange.question is not None:
            self._sizes.note(exchange.question, outgoing.size)
        headers = {"Server": SERVER, **reply.headers}
        try:
            exchange.claim(outgoing.size - exchange.reserved)
            return await send(request, outgoing, reply.status, headers, self._settings.send_timeout)
        finally:
            if outgoing:  # its client is gone
                self.files.call(outgoing.clear)

    async def _stream(
        self, request: web.BaseRequest, reply: Reply, stream: Callable[[Sender], Awaitable[None]]
    ) -> web.StreamResponse:
        """Answer as long as a front end has something to send, the client listens, and the server goes on."""
        headers = {"Server": SERVER, **reply.headers}
        sender = await open_stream(request, reply.status, headers, reply.protocols, self._settings.send_timeout)
        task = asyncio.ensure_future(stream(sender))
        self._streams.add(task)
        try:
            await task
        except ConnectionError as exc:
            log.info("%s is gone: %s", request.remote, exc)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            task.cancel()
            self._streams.discard(task)
        return await sender.end()

    def _find_routes(self, request: web.BaseRequest, client: Client) -> Sequence[Route]:
        """The routes for a request's method and path, those that name the path before those for any.

        Raises:
            HTTPFault: 405, or 501 for an unknown method.
        """
        found = self._routes.find(request.method, request.path, client.listener)
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
        if request.path == STATUS:
            return await self._status(request)
        if not self._settings.metrics:
            raise HTTPFault(404, "There are no metrics")
        if not self._settings.metrics_public:
            await self._principal(request)
        # It opens files of /proc, waits for libvirt, and with many guests it takes a while.
        accept = request.headers.get("Accept", "")
        try:
            text, media_type = await self._figures.run(lambda: self._write_figures(accept))
        except PoolFullError:
            raise _busy() from None
        return web.Response(body=text, headers={"Server": SERVER, "Content-Type": media_type})

    def _write_figures(self, accept: str) -> tuple[bytes, str]:
        # Here, since most servers have nobody who looks at them.
        from virtcim.frontends.http.exposition import write_figures

        return write_figures(self.metrics, accept)

    async def _status(self, request: web.BaseRequest) -> web.StreamResponse:
        """`/status` tells those who may read how the server is."""
        report = self.report
        if report is None:
            raise HTTPFault(404, "There is no status")
        principal = await self._principal(request)
        text = await self.files.run(lambda: report(principal))
        if text is None:
            raise HTTPFault(403, "Not for this user")
        return web.json_response(text=text, headers={"Server": SERVER})

    async def _principal(self, request: web.BaseRequest) -> Principal:
        """Who asks: the user of the process behind a Unix socket, else of the Authorization header, else of the
        certificate."""
        client = _client(request)
        if client.uid is not None:
            return await self._peers.local(client.uid)
        authorization = request.headers.get(AUTHORIZATION)
        principal = self._authenticator.remembered(authorization)
        if principal is None and authorization is None and client.certificate:
            principal = self._peers.by_certificate(client.certificate)
        if principal is None:
            try:
                principal = await self._authenticator.authenticate(authorization, client.address)
            except AuthenticationBusy:
                raise _busy() from None
        if principal is None:
            # A browser would ask for the password in a window of its own, and send it from then on with everything.
            challenge = {} if is_browser(request.headers) else {"WWW-Authenticate": self._authenticator.challenge}
            raise HTTPFault(401, "Authentication is needed", challenge)
        return principal

    async def log_in(self, user: str, password: str, address: str) -> Principal | None:
        """The user whose password it is, as `Exchange.log_in` says."""
        encoded = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogatepass")).decode()
        try:
            return await self._authenticator.authenticate(f"Basic {encoded}", address)
        except AuthenticationBusy:
            raise _busy() from None

    async def read_body(self, request: web.BaseRequest, take: Callable[[int], None]) -> bytes:
        """The whole body of a request."""
        if CONTENT_LENGTH not in request.headers and TRANSFER_ENCODING not in request.headers:
            raise HTTPFault(411, "The length of the body is not given; expected Content-Length or a chunked body")
        limit = self._settings.max_body
        if (request.content_length or 0) > limit:
            raise _too_large(limit)
        expect = request.headers.get(EXPECT)
        if expect is not None:
            if expect.strip().lower() != "100-continue":
                raise HTTPFault(417, "Only 100-continue can be expected")
            if request.version >= (1, 1):  # who speaks HTTP/1.0 would take it for the answer
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0
        if request.content.is_eof():  # as small requests are, which come with their headers
            data = request.content.read_nowait()
            if len(data) > limit:
                raise _too_large(limit)
            take(len(data))
            return data
        parts = []
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                while data := await request.content.readany():
                    size += len(data)
                    if size > limit:
                        raise _too_large(limit)
                    take(len(data))
                    parts.append(data)
        except TimeoutError:
            raise HTTPFault(408, "The request took too long to arrive") from None
        except web.RequestPayloadError as exc:
            raise HTTPFault(400, f"The request did not arrive completely: {exc}") from None
        return b"".join(parts)

    async def make_room(self, question: Hashable, claim: Claim) -> int:
        """Wait until there is room for an answer of which it is known that it is large; the bytes that are taken for
        it."""
        return await self.reserve(await self._sizes.expected(question) or 0, claim)

    async def reserve(self, size: int, claim: Claim) -> int:
        """Wait until there is room for so many bytes, where they are many; those that are taken."""
        if size <= SMALL:
            return 0
        await claim.reserve(size, self._settings.room_timeout)
        return size

    async def run(self, work: Callable[[], Result], holder: str, *, waits: bool, single: bool) -> Result:
        """Do something in a worker thread, as `Exchange.run` says, for a user or an address."""
        pool = self._changers if waits else self._getters if single else self._readers
        try:
            return await pool.run(work, holder)
        except PoolFullError:
            raise _busy() from None

    @property
    def waiting(self) -> int:
        """Operations in worker threads or waiting for one."""
        return len(self._getters) + len(self._readers) + len(self._changers)


class _Exchange:
    """One request, as front ends see it (`frontends.http.exchange.Exchange`).

    Attributes:
        claim: takes memory for it.
        question: what the answer is to, where its size is to be remembered.
        reserved: bytes that are taken for the answer already.
    """

    __slots__ = ("_client", "_handler", "_request", "caller", "claim", "question", "reserved")

    def __init__(
        self, handler: HTTPHandler, request: web.BaseRequest, client: Client, principal: Principal, claim: Claim
    ) -> None:
        self._handler = handler
        self._request = request
        self._client = client
        self.claim = claim
        self.question: Hashable = None
        self.reserved = 0
        self.caller = Caller(principal, client.origin, request_id.get(), client.listener)

    @property
    def method(self) -> str:
        return self._request.method

    @property
    def path(self) -> str:
        return self._request.path

    @property
    def target(self) -> str:
        return self._request.raw_path

    @property
    def headers(self) -> MultiMapping[str]:
        return self._request.headers

    @property
    def is_encrypted(self) -> bool:
        return self._request.scheme == "https"

    @property
    def is_local(self) -> bool:
        return self._client.uid is not None or is_loopback(self._client.address)

    async def log_in(self, user: str, password: str) -> Principal | None:
        return await self._handler.log_in(user, password, self._client.address)

    async def body(self) -> bytes:
        return await self._handler.read_body(self._request, self.claim)

    async def reserve(self, size: int) -> None:
        self.reserved = await self._handler.reserve(size, self.claim)

    async def run(
        self, work: Callable[[], Result], *, waits: bool = False, single: bool = False, question: Hashable = None
    ) -> Result:
        if question is not None:
            self.question = question
            self.reserved = await self._handler.make_room(question, self.claim)
        holder = self.caller.principal.name or self._client.address
        return await self._handler.run(work, holder, waits=waits, single=single)


def _chosen(routes: Sequence[Route], headers: MultiMapping[str]) -> Route:
    """The route that takes the body of a request.  Raises HTTPFault when none does."""
    media_type = headers.get(CONTENT_TYPE, "").partition(";")[0].strip().lower()
    for route in routes:
        if route.takes(media_type):
            return route
    known = sorted(set().union(*(route.media_types or () for route in routes)))
    raise HTTPFault(415, f"Content-Type {media_type}: is not served here; expected {', '.join(known)}")


def _identified(routes: Sequence[Route], headers: MultiMapping[str], is_encrypted: bool) -> Principal | None:
    """Who asks, by what a front end knows."""
    for route in routes:
        if route.identify is not None:
            principal = route.identify(headers, is_encrypted)
            if principal is not None:
                return principal
    return None


def _client(request: web.BaseRequest) -> Client:
    return request.protocol.client if isinstance(request.protocol, _Protocol) else Client()


def _too_large(limit: int) -> HTTPFault:
    return HTTPFault(413, f"A request may have {limit} bytes")


def _busy() -> HTTPFault:
    return HTTPFault(503, "Too much at once; try again", {"Retry-After": "1"})


def _is_markup(error: BadHttpMethod) -> bool:
    """Whether what was taken for a method is the body of a request that did not tell its length."""
    return "b'<" in error.message or 'b"<' in error.message


def _answer_in_1_1(request: web.BaseRequest) -> None:
    """Have a request answered in HTTP/1.1, whose own version could not be read or is not spoken.

    aiohttp answers in the version of the request, and takes 1.0 for that of one that it cannot read.
    """
    request._version = HttpVersion11
    request._cache.pop("version", None)


def _fault_response(fault: HTTPFault, refuse: Refuser | None) -> web.Response:
    # The text may quote bytes of a header that are no UTF-8.
    plain = f"{fault.text}\n".encode("utf-8", "backslashreplace"), {"Content-Type": PLAIN, **fault.headers}
    body, headers = plain if refuse is None else refuse(fault)
    response = web.Response(status=fault.status, body=body, headers={"Server": SERVER, **headers})
    if fault.status in {408, 411, 413, 415, 417, 505}:
        # Nobody waits for the rest of the body.
        response.force_close()
    return response

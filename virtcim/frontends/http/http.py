"""HTTP/1.1 on aiohttp's low-level server, for all front ends.

A request goes through here: which front end answers it, worker threads for what it asks for, and the answer, streamed
in pieces as the client reads them.  `callers` tells who asks, `body` reads the body, and `monitoring` has the pages
about the server itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

from multidict import MultiMapping, istr

from virtcim.cimom.principals import NOBODY, Principal
from virtcim.cimom.requestid import next_request_id, request_id
from virtcim.cimom.requests import Caller
from virtcim.cimom.settings import ServerSettings
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.http.admission import SMALL, AnswerSizes, Claim, Memory, OverloadError
from virtcim.frontends.http.auth import Authenticator
from virtcim.frontends.http.body import read_body
from virtcim.frontends.http.callers import AUTHORIZATION, Callers
from virtcim.frontends.http.connections import SERVER, Connection, answer_in_1_1, client_of
from virtcim.frontends.http.exchange import (
    FrontEnd,
    HTTPFault,
    OperationNote,
    Reply,
    Route,
    Sender,
    methods_beside,
    too_busy,
)
from virtcim.frontends.http.guard import Guard, is_loopback
from virtcim.frontends.http.library import web
from virtcim.frontends.http.metrics import Metrics
from virtcim.frontends.http.monitoring import MONITORED, Monitoring
from virtcim.frontends.http.peers import Client
from virtcim.frontends.http.routing import Refuser, Routes
from virtcim.frontends.http.sending import Outgoing, send
from virtcim.frontends.http.streaming import open_stream
from virtcim.frontends.http.tls import CertificateUser
from virtcim.frontends.http.workers import PoolFullError, WorkerPool
from virtcim.precedence import answers

__all__ = ["HTTPHandler"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

KNOWN_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "PATCH", "POST", "OPTIONS", "TRACE"})
MAX_USERS = 100
"""Users whose last request is remembered, for `/status`."""

CONTENT_TYPE = istr("Content-Type")

SINGLE = (AUTHORIZATION, CONTENT_TYPE, istr("Host"), istr("Origin"), istr("Sec-Fetch-Site"))
"""Headers that a request has once (RFC 9110, section 5.3): of two, one would count here and the other elsewhere."""

PLAIN = "text/plain; charset=utf-8"

GET_THREADS = 2
"""Threads for requests that concern one instance: each takes about a millisecond."""

LOGGED_NAME = 128
"""Characters of a name that a client made up, in a log line."""


class HTTPHandler:
    """Takes HTTP requests, has front ends answer them, and sends what they answer.

    Parameters:
        frontends: in the order in which they are asked.
        settings: limits.
        authenticator: tells who asks, by the Authorization header.
        statistics: of the operations; by default nothing is gathered.
        certificate_users: which client certificate stands for which user.

    Attributes:
        settings: limits.
        allowed: value of the Allow header where the path is not known.
        callers: tells who asks.
        files: a thread for what the server itself reads now and then.
        monitoring: answers for the pages that tell how the server is.
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
        self.allowed = ", ".join(self._routes.methods("*"))
        self.settings = settings
        self.callers = Callers(authenticator, certificate_users)
        self._guard = Guard([settings.host_name, settings.host, *settings.hosts])
        self._statistics = statistics or OperationStatistics(())
        self._getters = WorkerPool(GET_THREADS, "get", settings.max_waiting)
        self._readers = WorkerPool(settings.read_threads, "read", settings.max_waiting, answers)
        self._changers = WorkerPool(settings.method_threads, "method", settings.max_waiting)
        self.files = WorkerPool(1, "files")
        self.users: dict[str, float] = {}
        self._streams: set[asyncio.Future[None]] = set()
        self._in_flight = 0
        self._memory = Memory(settings.max_in_flight, settings.user_share)
        self._sizes = AnswerSizes()
        self.metrics = Metrics()
        self.monitoring = Monitoring(settings, self.metrics, self.callers, self.files)
        self.metrics.watch("bytes_in_flight", "Memory of requests and answers", lambda: self._memory.taken)
        self.metrics.watch("requests_in_flight", "Requests being answered", lambda: self._in_flight)
        self.metrics.watch("streams", "Answers that go on", lambda: len(self._streams))
        self.metrics.watch("operations_in_threads", "Operations in worker threads or waiting", lambda: self.waiting)
        for gauge in (gauge for each in frontends for gauge in each.gauges):
            self.metrics.watch(gauge.name, gauge.text, gauge.value)
        self._idle = asyncio.Event()

    def stop(self) -> None:
        """Tell those who watch that the server is about to end."""
        self.monitoring.stopping = True
        for stream in self._streams:
            stream.cancel()

    def close(self) -> None:
        """Give up the worker threads; what they still do is not waited for."""
        for pool in (self._getters, self._readers, self._changers, self.files):
            pool.close()
        self.monitoring.close()
        self.callers.close()

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
        connection = request.protocol if isinstance(request.protocol, Connection) else None
        if connection is not None:
            connection.used = started
        if request.version.major != 1:
            answer_in_1_1(request)
            raise HTTPFault(505, "HTTP/1.1 is spoken here")
        headers = request.headers
        for name in SINGLE:
            if len(headers.getall(name, ())) > 1:
                raise HTTPFault(400, f"Header {name} is given more than once; expected one")
        is_encrypted = request.scheme == "https"
        self._guard.check(headers, is_encrypted)
        if request.path in MONITORED and request.method in methods_beside("GET"):
            return await self.monitoring.answer(request)
        client = client_of(request)
        routes = self._find_routes(request, client)
        public = routes[0].public
        principal = NOBODY if public else _identified(routes, headers, is_encrypted)
        principal = principal or await self.callers.principal(request)
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
            raise too_busy() from None

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
            return await send(request, outgoing, reply.status, headers, self.settings.send_timeout)
        finally:
            if outgoing:  # its client is gone
                self.files.call(outgoing.clear)

    async def _stream(
        self, request: web.BaseRequest, reply: Reply, stream: Callable[[Sender], Awaitable[None]]
    ) -> web.StreamResponse:
        """Answer as long as a front end has something to send, the client listens, and the server goes on."""
        headers = {"Server": SERVER, **reply.headers}
        sender = await open_stream(request, reply.status, headers, reply.protocols, self.settings.send_timeout)
        task = asyncio.ensure_future(stream(sender))
        self._streams.add(task)
        try:
            await task
        except ConnectionError as exc:
            log.info("%s is gone: %s", request.remote, exc)
        except asyncio.CancelledError:
            if not self.monitoring.stopping:
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
            allowed = ", ".join(self._routes.methods(request.path, client.listener))
            raise HTTPFault(status, f"{request.method} is not supported", {"Allow": allowed})
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
        if seconds < self.settings.slow_seconds:
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

    async def make_room(self, question: Hashable, claim: Claim) -> int:
        """Wait until there is room for an answer of which it is known that it is large; the bytes that are taken for
        it."""
        return await self.reserve(await self._sizes.expected(question) or 0, claim)

    async def reserve(self, size: int, claim: Claim) -> int:
        """Wait until there is room for so many bytes, where they are many; those that are taken."""
        if size <= SMALL:
            return 0
        await claim.reserve(size, self.settings.room_timeout)
        return size

    async def run(self, work: Callable[[], Result], holder: str, *, waits: bool, single: bool) -> Result:
        """Do something in a worker thread, as `Exchange.run` says, for a user or an address."""
        pool = self._changers if waits else self._getters if single else self._readers
        try:
            return await pool.run(work, holder)
        except PoolFullError:
            raise too_busy() from None

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
        return await self._handler.callers.log_in(user, password, self._client.address)

    async def body(self) -> bytes:
        settings = self._handler.settings
        return await read_body(self._request, settings.max_body, settings.body_timeout, self.claim)

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


def _fault_response(fault: HTTPFault, refuse: Refuser | None) -> web.Response:
    # The text may quote bytes of a header that are no UTF-8.
    plain = f"{fault.text}\n".encode("utf-8", "backslashreplace"), {"Content-Type": PLAIN, **fault.headers}
    body, headers = plain if refuse is None else refuse(fault)
    response = web.Response(status=fault.status, body=body, headers={"Server": SERVER, **headers})
    if fault.status in {408, 411, 413, 415, 417, 505}:
        # Nobody waits for the rest of the body.
        response.force_close()
    return response

"""CIM as JSON over HTTP, near to CIM-RS (DSP0210 1.0, DSP0211 1.0); `docs/rest.md` shows all of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial, wraps
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from virtcim.cimom.capabilities import CommunicationMechanism, ServerCapabilities
from virtcim.cimom.core import Executor
from virtcim.cimom.indications.recent import RecentAlerts
from virtcim.cimom.indications.streams import EventStreams
from virtcim.cimom.requests import Caller
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.http.exchange import (
    Exchange,
    Gauge,
    HTTPFault,
    OperationNote,
    Reply,
    Route,
    Sender,
    read_soonest,
)
from virtcim.frontends.http.sending import Outgoing
from virtcim.frontends.rest.answers import (
    JSON_TYPE,
    Answer,
    Refusal,
    allow,
    compressed,
    error_answer,
    json_answer,
    refused,
    wrong_method,
)
from virtcim.frontends.rest.calls import MAX_BATCH, Call, check_names, flag
from virtcim.frontends.rest.consoles import KINDS, PROTOCOL, TICKET_SECONDS, Consoles
from virtcim.frontends.rest.events import Events, Turns
from virtcim.frontends.rest.openapi import describe
from virtcim.frontends.rest.operations import Operations
from virtcim.frontends.rest.pages import Pages
from virtcim.frontends.rest.sessions import Sessions, cookie_header
from virtcim.frontends.rest.targets import ROOT, decoded
from virtcim.frontends.rest.values import Unreadable, dumped, dumped_in_parts, parse_json
from virtcim.providers.interface import CIMError, Role

__all__ = ["REST"]

MARK = "X-Virtcim-Request"
"""The header that has to come with each change: a page from elsewhere cannot set it without being asked for leave."""

METHODS = ("GET", "PATCH", "DELETE", "POST", "PUT", "TRACE")
"""Those which some URL takes, and those of which each URL says itself that it does not."""

MAX_BATCH_BYTES = 32 << 20
"""Bytes of answers to one request after which the calls that are left are not carried out: all of them are in memory
before anybody knows how many they are."""

DESCRIBED_DEPTH = 2
"""Levels of the description that are written part by part: each path, and each schema of a class."""

MAX_QUERY_FIELDS = 50

STREAM = ("classes", "namespace", "query", "language", "lastEventId")
"""The parameters of a stream of events; `lastEventId` is the header Last-Event-ID, for pages that cannot set it."""

CONSOLE_KINDS = tuple((kind,) for kind in KINDS)

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
EVENT_STREAM = {**NO_STORE, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
"""The headers of what happens."""


def _telling_refusals(
    handle: Callable[[REST, Exchange], Awaitable[Reply]],
) -> Callable[[REST, Exchange], Awaitable[Reply]]:
    """Have a method of `REST` answer in JSON why it refuses; a decorator."""

    @wraps(handle)
    async def handle_or_tell(frontend: REST, exchange: Exchange) -> Reply:
        try:
            return await handle(frontend, exchange)
        except (Refusal, HTTPFault) as exc:
            return _reply(refused(exc.status, exc.text, exc.headers))

    return handle_or_tell


class REST:
    """The front end.  Safe to use from several threads at once.

    Parameters:
        core: carries out the requests.
        settings: limits.
        capabilities: of the server.

    Attributes:
        mechanism: what discovery shows of it.
        sessions: of browsers.
        streams: what happens; None where nobody is told of it.
        alerts: of late; likewise.
        consoles: of guests; None where there are none.
    """

    mechanism: ClassVar[CommunicationMechanism] = CommunicationMechanism(
        name="REST",
        class_name="CIM_ObjectManagerCommunicationMechanism",
        mechanism=1,
        protocol=1,
        capabilities_class="CIM_WBEMProtocolServiceCapabilities",
        version="1.0",
        properties={"OtherCommunicationMechanismDescription": "JSON over HTTP at /api/"},
        multiple_operations=True,
    )

    def __init__(
        self, core: Executor, settings: ServerSettings, capabilities: ServerCapabilities | None = None
    ) -> None:
        self._core = core
        self._max_elements = settings.max_elements
        self._operations = Operations(core, settings.pull_max_objects)
        self.sessions = Sessions(settings)
        self.streams: EventStreams | None = None
        self.alerts: RecentAlerts | None = None
        self.consoles: Consoles | None = None
        self._described: tuple[frozenset[str], list[bytes]] | None = None
        self._pages = Pages()
        self._turns: Turns | None = None
        route = partial(Route, identify=self.sessions.identify, refuse=_refusal)
        further = (
            route("GET", self.follow, f"{ROOT}/events"),
            route("DELETE", self.unfollow, f"{ROOT}/events"),
            route("GET", self.tell_alerts, f"{ROOT}/alerts"),
            route("GET", self.describe, f"{ROOT}/openapi.json"),
            route("POST", self.batch, f"{ROOT}/batch"),
            route("GET", self.session, f"{ROOT}/session"),
            Route("POST", self.log_in, f"{ROOT}/session", public=True, refuse=_refusal),
            route("DELETE", self.log_out, f"{ROOT}/session"),
        )
        self.routes = (
            Route("GET", self._pages.answer, "/*", public=True),
            *(route(method, self.answer, f"{ROOT}/*") for method in METHODS),
            *(Route("OPTIONS", self.options, path, public=True, refuse=_refusal) for path in (ROOT, f"{ROOT}/*")),
            route("GET", self.answer, ROOT),
            *further,
        )
        self._further = {
            path: tuple(method for each in further if each.path == path for method in each.methods)
            for path in (each.path for each in further)
        }
        self.gauges = (
            Gauge("consoles", "Consoles that are open", lambda: len(self.consoles) if self.consoles is not None else 0),
            Gauge("browser_sessions", "Open sessions of browsers", lambda: len(self.sessions)),
        )

    def sweep(self) -> None:
        """Drop nothing: all of it is locked."""

    def tidy(self) -> None:
        """End the sessions and streams whose time is over."""
        self.sessions.sweep()
        if self.streams is not None:
            self.streams.sweep()

    async def answer(self, exchange: Exchange) -> Reply:
        """Carry out what a URL means."""
        started = time.monotonic()
        try:
            segments = _segments(exchange.target)
            if segments[2:3] == ("consoles",):
                return await self._console(exchange, segments)
            method = "GET" if exchange.method == "HEAD" else exchange.method
            if exchange.path in self._further:
                raise wrong_method(exchange.method, self._further[exchange.path])
            operation = self._operations.find(method, segments)
            query = _query(exchange.target)
            body, size = (None, 0) if method == "GET" else await self._changed_body(exchange)
        except (Refusal, HTTPFault) as exc:
            return _reply(refused(exc.status, exc.text, exc.headers))
        call = Call(method, segments, query, body, exchange.headers.get("If-Match", "").strip(), exchange.caller)

        is_compressed = _wants_compressed(exchange)

        def work() -> tuple[Answer, Outgoing]:
            answer = self._operations.carry_out(call)
            if is_compressed:
                answer = compressed(answer)
            return answer, Outgoing(answer.pieces)

        try:
            answer, outgoing = await exchange.run(work, waits=operation.waits, single=operation.single)
        except HTTPFault as exc:
            return _reply(refused(exc.status, exc.text, exc.headers))
        note = _note(call, answer, size, time.monotonic() - started) if answer.operation else None
        if method == "GET" and _is_known(exchange.headers.get("If-None-Match", ""), answer):
            answer, outgoing = Answer(304, headers=answer.headers), Outgoing(())
        return _reply(answer, outgoing, note)

    @_telling_refusals
    async def options(self, exchange: Exchange) -> Reply:
        """Tell which methods a URL takes (RFC 9110, section 9.3.7)."""
        segments = _segments(exchange.target)
        if segments[2:3] == ("consoles",):
            methods = _console_methods(segments)
        else:
            methods = self._further.get(exchange.path) or self._operations.methods(segments)
        return Reply(headers={**NO_STORE, **allow(methods)})

    async def _console(self, exchange: Exchange, segments: tuple[str, ...]) -> Reply:
        """Give a ticket for a console (POST), or open it by one (GET)."""
        consoles, method = self.consoles, exchange.method
        try:
            methods = _console_methods(segments)
            if consoles is None:
                raise Refusal(404, "There are no consoles here")
            if method not in methods:
                raise wrong_method(method, methods)
            is_ticket = method == "POST"
            # Clients of screens add parameters of their own to the URL that a ticket has.
            query = _query(exchange.target, () if is_ticket else None)
            target = decoded(segments[1]), decoded(segments[3]), segments[4]
            caller, session = exchange.caller, self.sessions.find(exchange.headers, exchange.is_encrypted)
            if is_ticket:
                await self._changed_body(exchange)
            elif exchange.headers.get("Upgrade", "").lower() != "websocket":
                raise Refusal(426, "A console is opened by WebSocket", {"Upgrade": "websocket"})
            self._core.access.require(caller.principal, target[0], Role.OPERATE, "open consoles")
            if is_ticket:
                await exchange.run(lambda: consoles.check(target))
                ticket = consoles.issue(target, caller, session)
                place = exchange.target.partition("?")[0].removesuffix("/tickets")
                told = {"ticket": ticket, "href": f"{place}?ticket={ticket}", "seconds": TICKET_SECONDS}
                return _reply(json_answer(told, 201))
            consoles.redeem(query.get("ticket", ""), target, caller, session)
        except CIMError as exc:
            return _reply(error_answer(exc))
        except (Refusal, HTTPFault) as exc:
            return _reply(refused(exc.status, exc.text, exc.headers))

        async def stream(sender: Sender) -> None:
            try:
                with consoles.place(caller):
                    console = await exchange.run(lambda: consoles.connect(target, caller), waits=True)
                    await consoles.bridge(console, session, sender)
            except CIMError as exc:
                await sender.refuse(exc.description)
            except (Refusal, HTTPFault) as exc:
                await sender.refuse(exc.text)

        return Reply(stream=stream, protocols=(PROTOCOL,))

    async def _changed_body(self, exchange: Exchange) -> tuple[Any, int]:
        """The body of a change, and its bytes.

        Raises:
            Refusal: a browser could have been made to send it, or it is not JSON.
            HTTPFault: it does not arrive, or is too large.
        """
        if exchange.headers.get(MARK) is None:
            raise Refusal(403, f"{MARK}: this header is missing; expected with every change, with any value")
        has_body = exchange.headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in exchange.headers
        if not has_body:
            return None, 0
        media_type = exchange.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != JSON_TYPE:
            raise Refusal(415, f"Content-Type {media_type[:60]}: is not served here; expected {JSON_TYPE}")
        body = await exchange.body()
        read = partial(parse_json, body, self._max_elements)
        try:
            return await read_soonest(exchange, len(body), read), len(body)
        except Unreadable as exc:
            raise Refusal(400, str(exc)) from None

    @_telling_refusals
    async def batch(self, exchange: Exchange) -> Reply:
        """Carry out several calls, one after the other, each of them whatever came of those before it."""
        _query(exchange.target, ())
        body, _ = await self._changed_body(exchange)
        calls = [_one_of_many(each, exchange.caller) for each in _requests(body)]
        waits = any(not isinstance(each, Answer) and each.method != "GET" for _, each in calls)

        def work() -> Outgoing:
            pieces, size = [b'{"responses":['], 0
            for number, (name, each) in enumerate(calls):
                if isinstance(each, Answer):
                    answer = each
                elif size > MAX_BATCH_BYTES:
                    answer = refused(503, "The answers before this one are large; expected a request of its own for it")
                else:
                    answer = self._operations.carry_out(each)
                size += sum(map(len, answer.pieces))
                told = {"id": name, "status": answer.status, "headers": dict(answer.headers)}
                pieces += [b"," if number else b"", dumped(told)[:-1], b',"body":', *(answer.pieces or [b"null"]), b"}"]
            pieces.append(b"]}")
            return Outgoing(pieces)

        return _reply(Answer(), await exchange.run(work, waits=waits))

    def _events(self) -> Events:
        """Give what sends events, in the loop that all of them are sent in.  Raises Refusal where there are none."""
        if self.streams is None:
            raise Refusal(404, "Nobody is told of changes here")
        if self._turns is None:
            self._turns = Turns(asyncio.get_running_loop())
        return Events(self.streams, self._core.classes, self._turns)

    async def follow(self, exchange: Exchange) -> Reply:
        """Send what happens from now on, or since the client has gone."""
        # Before anything is waited for: it may be over then, and the stream would go on without it.
        session = self.sessions.find(exchange.headers, exchange.is_encrypted)
        try:
            query, events = _query(exchange.target, STREAM), self._events()
            if exchange.method == "HEAD":
                # Nobody would read the stream, and to open it may end another one that somebody comes back to.
                await exchange.run(lambda: events.check(query))
                return Reply(headers=EVENT_STREAM)
            last = exchange.headers.get("Last-Event-ID", query.get("lastEventId", "")).strip()
            stream, position, is_missing = await exchange.run(lambda: events.open(query, last, exchange.caller))
        except CIMError as exc:
            return _reply(error_answer(exc))
        except (Refusal, HTTPFault) as exc:
            return _reply(refused(exc.status, exc.text, exc.headers))

        async def send(sender: Sender) -> None:
            told = contextlib.nullcontext() if session is None else session.told(partial(events.stop, stream))
            with told:
                await events.send(stream, position, is_missing, sender)

        return Reply(headers=EVENT_STREAM, stream=send)

    @_telling_refusals
    async def unfollow(self, exchange: Exchange) -> Reply:
        """End a stream whose client does not come back: until then its filters go on selecting."""
        await self._changed_body(exchange)
        last, events = _query(exchange.target, ("lastEventId",)).get("lastEventId", ""), self._events()
        await exchange.run(lambda: events.end(last, exchange.caller))
        return _reply(Answer(204))

    @_telling_refusals
    async def tell_alerts(self, exchange: Exchange) -> Reply:
        """Tell what alerts there were of late, the newest first, also of those before anybody followed."""
        _query(exchange.target, ())
        alerts = self.alerts
        if self.streams is None or alerts is None:
            raise Refusal(404, "Nobody is told of alerts here")
        events, principal = self._events(), exchange.caller.principal
        outgoing = await exchange.run(lambda: Outgoing(events.listed(alerts.of(principal))))
        return _reply(Answer(), outgoing)

    @_telling_refusals
    async def describe(self, exchange: Exchange) -> Reply:
        """Describe everything for programs; `?classes=A,B` has only these classes in it."""
        query = _query(exchange.target, ("classes",))
        outgoing = await exchange.run(lambda: Outgoing(self._description(query.get("classes", ""))))
        return _reply(Answer(), outgoing)

    def _description(self, wanted: str) -> list[bytes]:
        """The description, made anew where other classes are served than when it was made last.

        Raises:
            Refusal: a class is wanted that is not served.
        """
        served = frozenset(name for each in self._core.namespaces for name in each.shown.served_names())
        if wanted:
            spelt = {name.lower(): name for name in served}
            names = [name.strip() for name in wanted.split(",") if name.strip()]
            for name in names:
                if name.lower() not in spelt:
                    raise Refusal(400, f"classes: {name[:60]} is not served")
            served = frozenset(spelt[name.lower()] for name in names)
        known = self._described
        if known is not None and known[0] == served:
            return known[1]
        text = list(dumped_in_parts(describe(self._core.classes, served, self._operations.all), DESCRIBED_DEPTH))
        if not wanted:
            self._described = served, text
        return text

    @_telling_refusals
    async def session(self, exchange: Exchange) -> Reply:
        """Tell who asks, what the user may do where, and for how long."""
        _query(exchange.target, ())
        principal = exchange.caller.principal
        session = self.sessions.find(exchange.headers, exchange.is_encrypted)
        roles = {each.name: self._core.access.role(principal, each.name) for each in self._core.namespaces}
        return _reply(
            json_answer(
                {
                    "user": principal.name,
                    "mechanism": str(principal.mechanism),
                    "session": session is not None,
                    "secondsLeft": None if session is None else int(self.sessions.seconds_left(session)),
                    "roles": {name: role.name.lower() for name, role in roles.items()},
                }
            )
        )

    @_telling_refusals
    async def log_in(self, exchange: Exchange) -> Reply:
        """Begin a session: `{"user": ..., "password": ...}`."""
        _query(exchange.target, ())
        body, _ = await self._changed_body(exchange)
        if not exchange.is_encrypted and not exchange.is_local:
            raise Refusal(
                403,
                "Over plain HTTP nobody logs in from another host: whoever listens would learn the password; "
                "expected HTTPS (listen_https)",
            )
        if (
            not isinstance(body, dict)
            or body.keys() != {"user", "password"}
            or not all(isinstance(each, str) for each in body.values())
        ):
            raise Refusal(400, 'The body is no log-in; expected {"user": NAME, "password": PASSWORD}')
        if ":" in body["user"]:
            raise Refusal(400, "user: a name has no colon")
        principal = await exchange.log_in(body["user"], body["password"])
        if principal is None:
            raise Refusal(401, "The name or the password is wrong")
        before = self.sessions.find(exchange.headers, exchange.is_encrypted)
        if before is not None:
            self.sessions.close(before)
        cookie = cookie_header(self.sessions.open(principal), exchange.is_encrypted)
        return _reply(json_answer({"user": principal.name}, 201, {"Set-Cookie": cookie}))

    @_telling_refusals
    async def log_out(self, exchange: Exchange) -> Reply:
        """End the session; with `?everywhere=true` all sessions of the user."""
        await self._changed_body(exchange)
        everywhere = flag(_query(exchange.target, ("everywhere",)), "everywhere")
        session = self.sessions.find(exchange.headers, exchange.is_encrypted)
        if session is not None:
            self.sessions.close(session)
        if everywhere:
            self.sessions.close_all(exchange.caller.principal)
        return _reply(Answer(204, headers={"Set-Cookie": cookie_header("", exchange.is_encrypted)}))


def _refusal(fault: HTTPFault) -> tuple[bytes, Mapping[str, str]]:
    """Write what is refused before the front end is asked."""
    answer = refused(fault.status, fault.text, fault.headers)
    return b"".join(answer.pieces), {"Content-Type": JSON_TYPE, **NO_STORE, **answer.headers}


def _wants_compressed(exchange: Exchange) -> bool:
    """Whether a client takes gzip, and is not on this host, where bytes cost less than to compress them."""
    given = (each.replace(" ", "").lower() for each in exchange.headers.get("Accept-Encoding", "").split(","))
    return not exchange.is_local and any(
        name == "gzip" and quality.rstrip("0.") != "q=" for name, _, quality in (each.partition(";") for each in given)
    )


def _is_known(tags: str, answer: Answer) -> bool:
    """Whether a client has what is answered by one of its ETags (RFC 9110, 13.1.2)."""
    own = answer.headers.get("ETag")
    known = {each.strip().removeprefix("W/") for each in tags.split(",")}
    return answer.status == 200 and own is not None and bool({own, "*"} & known)


def _segments(target: str) -> tuple[str, ...]:
    """The segments of the path behind `/api/`, as they were sent."""
    path = target.partition("?")[0]
    return tuple(each for each in path.removeprefix(ROOT).strip("/").split("/") if each)


def _console_methods(segments: tuple[str, ...]) -> tuple[str, ...]:
    """The method of HTTP that the URL of a console takes.  Raises Refusal for a URL that is none."""
    if segments[4:5] not in CONSOLE_KINDS or segments[5:] not in ((), ("tickets",)):
        raise Refusal(404, "There is no such console; expected /api/namespaces/NAMESPACE/consoles/GUEST/KIND")
    return ("POST",) if segments[5:] else ("GET",)


def _query(target: str, known: Collection[str] | None = None) -> dict[str, str]:
    """The parameters in a URL.

    Parameters:
        known: which there may be; None for those that an operation says later.

    Raises:
        Refusal: they are not UTF-8, too many, one is given twice, or is not known.
    """
    try:
        pairs = parse_qsl(
            target.partition("?")[2], keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS
        )
    except ValueError as exc:
        raise Refusal(400, f"The parameters of the URL cannot be read: {exc}") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal(400, "A parameter of the URL is given twice")
    if known is not None:
        check_names(found, known, "parameter of this URL")
    return found


def _requests(body: Any) -> list[Any]:
    requests = body.get("requests") if isinstance(body, dict) and len(body) == 1 else None
    if not isinstance(requests, list) or not 0 < len(requests) <= MAX_BATCH:
        raise Refusal(400, f'The body is no batch; expected {{"requests": [...]}} with 1 to {MAX_BATCH} of them')
    return requests


def _one_of_many(given: Any, caller: Caller) -> tuple[Any, Call | Answer]:
    """One call of a batch, with its identifier; what is wrong with it is its answer."""
    if not isinstance(given, dict):
        return None, refused(400, "A request of a batch is no object of JSON")
    name = given.get("id") if isinstance(given.get("id"), str | int) else None
    method, target = given.get("method", "GET"), given.get("path")
    try:
        check_names(given, ("id", "method", "path", "body", "ifMatch"), "member of a request of a batch")
        if not isinstance(method, str) or not isinstance(target, str) or not target.startswith(f"{ROOT}/"):
            raise Refusal(400, f'A request of a batch is {{"method": METHOD, "path": "{ROOT}/...", "body": ...}}')
        if_match = given.get("ifMatch", "")
        if not isinstance(if_match, str):
            raise Refusal(400, "ifMatch: is not a text; expected the ETag of an instance")
        return name, Call(method, _segments(target), _query(target), given.get("body"), if_match, caller)
    except Refusal as exc:
        return name, refused(exc.status, exc.text, exc.headers)


def _reply(answer: Answer, outgoing: Outgoing | None = None, note: OperationNote | None = None) -> Reply:
    pieces = Outgoing(answer.pieces) if outgoing is None else outgoing
    headers: Mapping[str, str] = {**NO_STORE, **answer.headers}
    if answer.status not in {204, 304}:
        headers = {"Content-Type": JSON_TYPE, **headers}
    return Reply(pieces, headers, answer.status, note)


def _note(call: Call, answer: Answer, size: int, seconds: float) -> OperationNote:
    try:
        namespace = call.namespace if len(call.segments) > 1 else ""
    except CIMError:
        namespace = ""
    return OperationNote(
        answer.operation,
        "InvokeMethod" if answer.extrinsic else answer.operation,
        answer.extrinsic,
        namespace,
        call.segments[3] if len(call.segments) > 3 else "",
        answer.cim_status,
        seconds,
        size,
    )

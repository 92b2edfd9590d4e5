"""CIM-XML over HTTP (DSP0200 1.4, sections 6 and 7): from the exchange to the core and back."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from multidict import MultiMapping

from virtcim.cimom.capabilities import CommunicationMechanism, ServerCapabilities
from virtcim.cimom.core import Executor
from virtcim.cimom.query import Language
from virtcim.cimom.requests import Caller
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cimxml.answer import AnswerWriter
from virtcim.frontends.cimxml.cache import InstanceCache
from virtcim.frontends.cimxml.decode import decode_request
from virtcim.frontends.cimxml.errors import ErrorWriter
from virtcim.frontends.cimxml.headers import (
    CONTENT_TYPES,
    check_against_body,
    check_charset,
    check_request_headers,
    named_operation,
)
from virtcim.frontends.cimxml.intrinsics import INTRINSICS
from virtcim.frontends.cimxml.quirks import NO_QUIRKS, Quirks, quirks_of
from virtcim.frontends.cimxml.repeats import DecodedRequests, Question, RepeatedAnswers
from virtcim.frontends.cimxml.requestreader import RequestReader, question_of
from virtcim.frontends.cimxml.values import attribute
from virtcim.frontends.cimxml.writer import Writers
from virtcim.frontends.http.exchange import Exchange, Gauge, OperationNote, Reply, Route, read_soonest
from virtcim.frontends.http.sending import Outgoing
from virtcim.frontends.reading.raw import RawRequest
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, Status

__all__ = ["CIMXML", "Answer"]

log = logging.getLogger(__name__)

XML_START = '<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'
CONTENT_TYPE = 'application/xml; charset="utf-8"'

REPEATS_SHARE = 16
"""The part of the memory for encoded instances that is for whole answers: one in so many bytes."""

REQUESTS_SHARE = 64
"""The part of it that is for decoded requests, likewise."""


@immutable
class Answer:
    """A whole answer.

    Attributes:
        pieces: of it; the second one is the identifier of the message.
        status: the CIM status code, 0 for success.
        seconds: that the operation took, without the time that it waited for a thread.
        lasting: whether it stays the same as long as the core's revision does.
    """

    pieces: Sequence[bytes]
    status: int = 0
    seconds: float = 0.0
    lasting: bool = False


class CIMXML:
    """The front end.  Safe to use from several threads at once.

    Parameters:
        core: carries out the requests.
        settings: host name and limits.
        capabilities: of the server, for what OPTIONS tells.

    Attributes:
        mechanism: what discovery shows of it.
        cache: of encoded instances.
    """

    mechanism: ClassVar[CommunicationMechanism] = CommunicationMechanism(
        name="CIM-XML",
        class_name="CIM_CIMXMLCommunicationMechanism",
        mechanism=2,
        protocol=5,
        capabilities_class="CIM_CIMXMLCapabilities",
        version="1.0",
        properties={"CIMXMLProtocolVersion": 1, "CIMValidated": False},
        capabilities={"Validated": False},
    )

    def __init__(
        self, core: Executor, settings: ServerSettings, capabilities: ServerCapabilities | None = None
    ) -> None:
        self._core = core
        self._max_elements = settings.max_elements
        groups = capabilities.functional_profiles if capabilities is not None else ()
        self._functional_groups = ", ".join(group.name.replace("_", " ").title() for group in groups)
        for_repeats = settings.cache_bytes // REPEATS_SHARE
        for_requests = settings.cache_bytes // REQUESTS_SHARE
        self.cache = InstanceCache(settings.cache_bytes - for_repeats - for_requests, settings.cache_seconds)
        self._repeats = RepeatedAnswers(for_repeats)
        self._decoded = DecodedRequests(for_requests)
        self._reader = RequestReader(core.classes)
        self._writers = Writers(core.namespaces, core.classes, settings.host_name, self.cache)
        self._writer = AnswerWriter(self._writers)
        self._errors = ErrorWriter(core.classes)
        self.routes = (
            Route("POST", self.post, media_types=CONTENT_TYPES),
            Route("OPTIONS", self.options, public=True),
        )
        self.gauges = (
            Gauge("cache_bytes", "Memory of encoded instances", self._cached_bytes),
            Gauge("cache_entries", "Encoded instances", lambda: len(self.cache)),
        )

    def _cached_bytes(self) -> int:
        return self.cache.size + self._repeats.size + self._decoded.size

    def sweep(self) -> None:
        """Drop the answers that were kept for a moment."""
        self._repeats.sweep()

    def tidy(self) -> None:
        """Drop the encoded instances that nobody asked for lately: all of them are looked at."""
        self._writers.sweep()
        self.cache.sweep()

    async def post(self, exchange: Exchange) -> Reply:
        """Carry out an operation (DSP0200 1.4, section 6.2).

        Raises:
            HTTPFault: with the status and the CIMError header that DSP0200 asks for.
        """
        started = time.monotonic()
        check_request_headers(exchange.headers)
        body = await exchange.body()
        operation = INTRINSICS.get(named_operation(exchange.headers))
        if operation is None or operation.request.changes:  # a method, for all that is known
            return await self._change(exchange, body, started)
        question = Question.of(exchange.caller, exchange.headers, body)
        if question is not None and (known := self._repeats.get(question, self._core.revision)) is not None:
            outgoing, note = known
            await exchange.reserve(outgoing.size)
            return _reply(outgoing, started, note)
        raw = self._decoded.get(question) if question is not None else None
        if raw is None:
            raw = await read_soonest(exchange, len(body), partial(self._read, exchange.headers, body))
            if question is not None and not raw.extrinsic:
                self._decoded.put(question, raw)
        quirks = quirks_of(exchange.headers, raw.message_id)
        revision = self._core.revision(raw.namespace)

        def work() -> tuple[Answer, Outgoing]:
            answer = self.answer(raw, exchange.caller, quirks)
            kept = answer.pieces if answer.lasting else ()
            return replace(answer, pieces=kept), Outgoing(answer.pieces)

        if operation.request.quick and not raw.extrinsic:
            answer, outgoing = work()
        else:
            single = operation.request.single and not raw.extrinsic
            answer, outgoing = await exchange.run(work, waits=raw.extrinsic, single=single, question=question_of(raw))
        note = _note(raw, answer, len(body))
        if answer.lasting and question is not None:
            self._repeats.put(question, revision, answer.pieces, outgoing, replace(note, seconds=0.0))
        return _reply(outgoing, started, note)

    async def _change(self, exchange: Exchange, body: bytes, started: float) -> Reply:
        """Read and carry out what may wait for the hypervisor, all of it in one worker thread: to parse XML gives the
        interpreter away, and the event loop would have to wait for it behind those who compute."""

        def work() -> tuple[Outgoing, OperationNote]:
            raw = self._read(exchange.headers, body)
            answer = self.answer(raw, exchange.caller, quirks_of(exchange.headers, raw.message_id))
            return Outgoing(answer.pieces), _note(raw, answer, len(body))

        outgoing, note = await exchange.run(work, waits=True)
        return _reply(outgoing, started, note)

    def _read(self, headers: MultiMapping[str], body: bytes) -> RawRequest:
        """Read a request whose headers have been looked at.  Raises RequestFault."""
        check_charset(headers, body)
        raw = decode_request(body, self._max_elements)
        check_against_body(headers, raw)
        return raw

    async def options(self, _exchange: Exchange) -> Reply:
        """OPTIONS (DSP0200 1.4, section 7.5): what the server can do, in headers of the standard's extension."""
        return Reply(
            headers={
                "Allow": "POST, OPTIONS",
                "Opt": "http://www.dmtf.org/cim/mapping/http/v1.0 ; ns=73",
                "73-CIMProtocolVersion": "1.0",
                "73-CIMSupportedFunctionalGroups": self._functional_groups,
                "73-CIMSupportedQueryLanguages": ", ".join(language.value for language in Language),
            }
        )

    def answer(self, raw: RawRequest, caller: Caller, quirks: Quirks = NO_QUIRKS) -> Answer:
        """Carry out an operation and write its answer; errors become ERROR elements.

        Parameters:
            raw: the message.
            caller: who asks.
            quirks: what the client cannot read.
        """
        tag = "METHODRESPONSE" if raw.extrinsic else "IMETHODRESPONSE"
        start = (
            f'{XML_START}<MESSAGE ID="',
            attribute(raw.message_id),
            f'" PROTOCOLVERSION="1.0"><SIMPLERSP><{tag} NAME="{attribute(raw.operation)}">',
        )
        end = f"</{tag}></SIMPLERSP></MESSAGE></CIM>"
        status, started, lasting = 0, time.monotonic(), False
        try:
            pieces, lasting = self._pieces(raw, caller, quirks)
        except CIMError as exc:
            status = int(exc.status)
            pieces = [self._errors.element(exc, not quirks.no_error_instances)]
        return Answer([*map(str.encode, start), *pieces, end.encode()], status, time.monotonic() - started, lasting)

    def _pieces(self, raw: RawRequest, caller: Caller, quirks: Quirks) -> tuple[list[bytes], bool]:
        """The elements of the answer, and whether it is a lasting one."""
        attempt = self._reader.attempt(raw, caller)
        result = self._core.attempt(attempt, partial(self._reader.read, raw, caller))
        try:
            operation = "" if raw.extrinsic else raw.operation.lower()
            pieces = self._writer.pieces(operation, result, quirks)
            return pieces, self._writer.is_lasting(operation, result, quirks)
        except Exception as exc:
            log.exception("%s failed", raw.operation)
            text = f"{raw.operation} failed: {type(exc).__name__}: {exc}"
            raise CIMError(Status.FAILED, text) from exc


def _reply(pieces: Sequence[bytes] | Outgoing, started: float, note: OperationNote) -> Reply:
    headers = {
        "Content-Type": CONTENT_TYPE,
        "CIMOperation": "MethodResponse",
        "WBEMServerResponseTime": str(int((time.monotonic() - started) * 1_000_000)),
    }
    return Reply(pieces, headers, operation=note)


def _note(raw: RawRequest, answer: Answer, request_bytes: int) -> OperationNote:
    """Names that clients make up share a label: there could be any number."""
    known = INTRINSICS.get(raw.operation.lower())
    label = "InvokeMethod" if raw.extrinsic else known.name if known is not None else "unknown"
    return OperationNote(
        raw.operation,
        label,
        raw.extrinsic,
        raw.namespace,
        raw.target.class_name if raw.target else "",
        answer.status,
        answer.seconds,
        request_bytes,
    )

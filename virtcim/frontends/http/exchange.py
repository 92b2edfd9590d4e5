"""What HTTP and the front ends behind it hand to each other: routes, exchanges, replies and faults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Protocol, TypeVar

from multidict import MultiMapping

from virtcim.cimom.capabilities import CommunicationMechanism, ServerCapabilities
from virtcim.cimom.core import Executor
from virtcim.cimom.principals import Principal
from virtcim.cimom.requests import Caller
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.http.sending import Outgoing
from virtcim.immutable import immutable

__all__ = [
    "Exchange",
    "FrontEnd",
    "FrontEndFactory",
    "Gauge",
    "HTTPFault",
    "OperationNote",
    "Reply",
    "Route",
    "Sender",
    "methods_beside",
    "read_soonest",
    "too_busy",
]

Value = TypeVar("Value")

INLINE_BODY = 8 * 1024
"""Bodies up to this many bytes are read in the event loop, which takes a millisecond at most, whatever stands in them;
larger ones in a worker thread."""

FEW_BYTES = 64 * 1024
"""Bytes of a body up to which a thread reads it in a few milliseconds."""


class HTTPFault(Exception):
    """A request that is refused below the CIM level.

    Parameters:
        status: the HTTP status.
        text: what is wrong, for the client's log.
        headers: of the answer.
    """

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})


def too_busy() -> HTTPFault:
    """Refuse what would be too much at once."""
    return HTTPFault(503, "Too much at once; try again", {"Retry-After": "1"})


class Exchange(Protocol):
    """One HTTP request, as a front end sees it."""

    @property
    def method(self) -> str:
        """GET, POST, ...; HEAD too, where GET is: what is replied is the same, and its body stays here."""

    @property
    def path(self) -> str:
        """The path in the URL, without a query."""

    @property
    def target(self) -> str:
        """The path and the query in the URL as they were sent, nothing of them decoded."""

    @property
    def headers(self) -> MultiMapping[str]:
        """The headers; names in any case, each with all its values."""

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is one of TLS."""

    @property
    def is_local(self) -> bool:
        """Whether the client is on this host."""

    @property
    def caller(self) -> Caller:
        """Who asks; nobody on a public route."""

    async def body(self) -> bytes:
        """The whole body.  Raises HTTPFault when it is too large, or does not arrive."""

    async def reserve(self, size: int) -> None:
        """Wait until there is room for an answer of so many bytes; where there is none for long, the answer is 503."""

    async def log_in(self, user: str, password: str) -> Principal | None:
        """The user whose password it is, else None, after as long as it takes to say so.

        Raises:
            HTTPFault: 503 while too many passwords of the client's address are being looked at.
        """

    async def run(
        self, work: Callable[[], Value], *, waits: bool = False, single: bool = False, question: Hashable = None
    ) -> Value:
        """Do something in a worker thread.

        Parameters:
            work: what is to be done.
            waits: whether it may wait for the hypervisor; else it computes.
            single: whether it concerns one instance, and so does not wait behind what concerns all.
            question: what the answer is to, where that says how large it is: where such answers were large, this one is
                made when there is room for it.  None for what is small or never the same.

        Raises:
            HTTPFault: 503 when too much waits already.
        """


async def read_soonest(exchange: Exchange, size: int, read: Callable[[], Value]) -> Value:
    """Have a body of `size` bytes read where that is done soonest.  Raises what `read` and `Exchange.run` raise."""
    if size <= INLINE_BODY:
        return read()
    return await exchange.run(read, single=size <= FEW_BYTES)


@immutable
class OperationNote:
    """What is told of an operation in metrics, statistics and the log of slow ones.

    Attributes:
        name: of the intrinsic operation or extrinsic method, as sent.
        label: for metrics: one of few.
        extrinsic: whether it is a method.
        namespace, class_name: of its target, as sent.
        status: the CIM status code; 0 for success.
        seconds: that it took by itself, without the time that it waited for a thread.
        request_bytes: of the body that asked for it.
    """

    name: str
    label: str
    extrinsic: bool
    namespace: str
    class_name: str
    status: int
    seconds: float
    request_bytes: int


class Sender(Protocol):
    """Sends an answer that goes on: piece by piece, or message by message where it is a WebSocket."""

    async def send(self, data: bytes) -> None:
        """Send something, and wait until the client has taken most of it.

        Raises:
            ConnectionError: the client is gone, or does not read.
        """

    async def receive(self) -> bytes | None:
        """Wait for a message of the client, by WebSocket only; None at the end."""

    async def refuse(self, reason: str) -> None:
        """Tell the client of a WebSocket why it ends."""


@immutable
class Reply:
    """The answer of a front end.

    Attributes:
        pieces: the body, in pieces; where there may be many, laid out in the thread that made them.
        headers: beside those that every answer has.
        status: the HTTP status.
        operation: what was carried out, if anything.
        stream: sends what comes after the pieces, as long as it takes; it is cancelled when the server stops.
        protocols: of WebSocket, where `stream` speaks by that.
    """

    pieces: Sequence[bytes] | Outgoing = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    operation: OperationNote | None = None
    stream: Callable[[Sender], Awaitable[None]] | None = None
    protocols: tuple[str, ...] = ()


def methods_beside(method: str) -> tuple[str, ...]:
    """List the methods of HTTP that are answered where one is: HEAD beside GET (RFC 9110, section 9.1)."""
    return ("GET", "HEAD") if method == "GET" else (method,)


@immutable
class Route:
    """Requests that a front end answers.

    Attributes:
        method: GET, POST, ...
        answer: answers them.
        path: the path; None for every path that no other route names.  One that ends with an asterisk stands for all
            paths that begin with what is before it, as far as no longer one does.
        media_types: of the body; None for any.  A request that does not say its type is taken.
        public: whether everybody may ask, without saying who it is.
        identify: tells who asks by the headers, as by the token of a session, and whether the connection is one of TLS;
            None where they do not tell: then the Authorization header does.
        listener: the address and port that clients connect to, or the path of a Unix socket; None for every one.
        refuse: writes body and headers of what is refused before the front end is asked, so that it reads like its own
            refusals; None for plain text.
    """

    method: str
    answer: Callable[[Exchange], Awaitable[Reply]]
    path: str | None = None
    media_types: frozenset[str] | None = None
    public: bool = False
    identify: Callable[[Mapping[str, str], bool], Principal | None] | None = None
    listener: str | None = None
    refuse: Callable[[HTTPFault], tuple[bytes, Mapping[str, str]]] | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of HTTP that it answers."""
        return methods_beside(self.method)

    def leads_to(self, path: str) -> bool:
        """Whether a path is one of those that `path` stands for by an asterisk."""
        return self.path is not None and self.path.endswith("*") and path.startswith(self.path[:-1])

    def takes(self, media_type: str) -> bool:
        """Whether a body of this type, "" for one that is not known, is taken."""
        return not media_type or self.media_types is None or media_type in self.media_types


@immutable
class Gauge:
    """A figure for monitoring: its name without the prefix, what it is, and the function that tells it."""

    name: str
    text: str
    value: Callable[[], float]


class FrontEnd(Protocol):
    """A way in over HTTP."""

    @property
    def routes(self) -> Iterable[Route]:
        """What it answers."""

    @property
    def gauges(self) -> Iterable[Gauge]:
        """Its figures for monitoring."""

    def sweep(self) -> None:
        """Drop what nobody asked for lately.  Called every few seconds, in the loop: everybody waits for it."""

    def tidy(self) -> None:
        """Drop likewise what takes a while to find, or is locked.  Called every few seconds, in a worker thread."""


class FrontEndFactory(Protocol):
    """Makes a front end; its class is one."""

    @property
    def mechanism(self) -> CommunicationMechanism | None:
        """What discovery shows of it; None where it shows nothing."""

    def __call__(self, core: Executor, settings: ServerSettings, capabilities: ServerCapabilities, /) -> FrontEnd:
        """Make it.

        Parameters:
            core: carries out requests.
            settings: host name and limits.
            capabilities: of the server.
        """

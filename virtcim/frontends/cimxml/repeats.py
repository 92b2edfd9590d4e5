"""Answers that are given again, byte for byte, to those who ask the same again while nothing has changed.

Consoles ask for the same instances for ever.  What they get is found by the bytes that they send, before anything is
decoded, and without a thread.  Where it has to be made anew, as that of an association or of something that has
changed, what they ask is known still.
"""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import field, replace

from multidict import MultiMapping

from virtcim.cimom.principals import Principal
from virtcim.cimom.requests import Caller
from virtcim.frontends.cimxml.quirks import THEIR_MESSAGE_ID
from virtcim.frontends.cimxml.writer import MOMENT
from virtcim.frontends.http.exchange import OperationNote
from virtcim.frontends.http.sending import Outgoing
from virtcim.frontends.reading.raw import RawRequest
from virtcim.immutable import immutable

__all__ = ["DecodedRequests", "Question", "RepeatedAnswers"]

MAX_BODY = 8 * 1024
MAX_WHOLE = 32 * 1024
"""Bytes of what is kept at most: an instance, and the request for one.  A larger answer is kept in pieces, which the
cache of instances holds, for a moment."""

MAX_PIECES = 65_536
"""Pieces of what is kept at most, as of 13,000 instances: to let go of them takes a millisecond in the event loop."""

_MESSAGE_ID = 1
"""The place of the identifier of the message among the pieces of an answer."""

PIECE = 8
"""Bytes that a piece takes which the cache holds."""

DECODED = 4
"""Bytes that a request takes for each byte of its body once it is decoded, beside the body itself."""

OVERHEAD = 1500
"""Bytes that an entry takes beside body and answer: the headers, for the most part."""

_LEFT_OUT = frozenset({"authorization", "content-length"})
"""Headers that no answer depends on beside the principal and the body."""

_MESSAGE = re.compile(rb"(?:<\?xml[^<>]*\?>)?\s*<CIM\s[^<>]*>\s*<MESSAGE\s+ID=\"([\w.:-]{1,64})\"")
"""The beginning of a request: nothing stands in it that could be taken for the message, and be none."""

_TELLING = THEIR_MESSAGE_ID.encode()
"""The identifier by which clients are known that cannot read everything."""


@immutable
class Question:
    """Everything that an answer depends on beside what there is: who asks, where, and what was sent.

    Attributes:
        listener: where the client came in: a translation may stand behind one listener and not behind another.
        headers: without the length, and those by which the client is known: a password does not stay in memory.
        body: without the identifier of its message, by which clients count.
        message_id: that identifier, which comes back with the answer; None where it stands in the body still.
    """

    principal: Principal
    listener: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    message_id: bytes | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        """Leave out who asks, whose hash is made anew each time: few of them ask with just the same bytes."""
        return hash((self.listener, self.headers, self.body))

    @classmethod
    def of(cls, caller: Caller, headers: MultiMapping[str], body: bytes) -> Question | None:
        """The question that a request is; None for one that is too long to be kept."""
        if len(body) > MAX_BODY:
            return None
        sent = tuple([each for each in headers.items() if each[0].lower() not in _LEFT_OUT])
        found = _MESSAGE.match(body)
        if found is None or found[1] == _TELLING:
            return cls(caller.principal, caller.listener, sent, body)
        rest = body[: found.start(1)] + body[found.end(1) :]
        return cls(caller.principal, caller.listener, sent, rest, found[1])


@immutable
class _RememberedAnswer:
    """An answer.

    Attributes:
        revision: of the namespace that was asked, from before the answer was made.
        outgoing: its pieces, laid out.
        note: what is told of the operation.
        size: bytes that it takes here.
        until: when it is given for the last time, by the monotonic clock.
    """

    revision: Hashable
    outgoing: Outgoing
    note: OperationNote
    size: int
    until: float


class RepeatedAnswers:
    """A bounded store of answers, those that were asked for last.  For one thread: that of the event loop.

    Parameters:
        limit: bytes that it may hold.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Question, _RememberedAnswer] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, question: Question, revision: Callable[[str], Hashable]) -> tuple[Outgoing, OperationNote] | None:
        """The answer that was given and holds still, and what is told of the operation; None when there is none.

        Parameters:
            revision: gives that of a namespace.
        """
        kept = self._kept.get(question)
        if kept is None:
            return None
        if kept.revision != revision(kept.note.namespace) or kept.until < time.monotonic():
            self._drop(question)
            return None
        self._kept.move_to_end(question)
        if question.message_id is None:
            return kept.outgoing.again(), kept.note
        return kept.outgoing.again(_MESSAGE_ID, question.message_id), kept.note

    def put(
        self, question: Question, revision: Hashable, pieces: Sequence[bytes], outgoing: Outgoing, note: OperationNote
    ) -> None:
        """Keep an answer, unless it has very many pieces.

        Parameters:
            revision: of the namespace that was asked, from before the answer was made.
            pieces: of the answer, the second one the identifier of the message; those of a large one are held by the
                cache of instances, too.
            outgoing: the same, laid out; none of it was taken yet.
        """
        if len(pieces) > MAX_PIECES:
            return
        self._drop(question)
        size, until = outgoing.size, math.inf
        if size <= MAX_WHOLE:
            start, message_id, *rest = pieces
            laid_out = Outgoing((start, message_id, b"".join(rest)))
        else:
            laid_out = outgoing.again()
            size, until = PIECE * len(pieces), time.monotonic() + MOMENT
        size += len(question.body) + OVERHEAD
        self._kept[question] = _RememberedAnswer(revision, laid_out, note, size, until)
        self.size += size
        while self.size > self._limit:
            self._drop(next(iter(self._kept)))

    def sweep(self) -> None:
        """Drop what was kept for a moment that is over.  To be called now and then."""
        now = time.monotonic()
        for question in [question for question, kept in self._kept.items() if kept.until < now]:
            self._drop(question)

    def _drop(self, question: Question) -> None:
        kept = self._kept.pop(question, None)
        if kept is not None:
            self.size -= kept.size


class DecodedRequests:
    """A bounded store of requests that were found good, those that came last.  For one thread: that of the event loop.

    Parameters:
        limit: bytes that it may hold.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Question, RawRequest] = OrderedDict()
        self.size = 0

    def get(self, question: Question) -> RawRequest | None:
        """What was asked, with the identifier that this message has; None when it is not known."""
        kept = self._kept.get(question)
        if kept is None:
            return None
        self._kept.move_to_end(question)
        return kept if question.message_id is None else replace(kept, message_id=question.message_id.decode())

    def put(self, question: Question, request: RawRequest) -> None:
        """Keep what was asked; it must hold nothing that is secret."""
        if question in self._kept:
            return
        self._kept[question] = request
        self.size += _decoded_size(question)
        while self.size > self._limit:
            oldest, _ = self._kept.popitem(last=False)
            self.size -= _decoded_size(oldest)


def _decoded_size(question: Question) -> int:
    return (1 + DECODED) * len(question.body) + OVERHEAD

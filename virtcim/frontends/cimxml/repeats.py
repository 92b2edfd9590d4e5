"""Answers that are given again, byte for byte, to those who ask the same again while nothing has changed.

Consoles ask for the same instances for ever.  What they get is found by the bytes that they send, before anything is
decoded, and without a thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from multidict import MultiMapping

from virtcim.cimom.principals import Principal
from virtcim.cimom.requests import Caller
from virtcim.frontends.http.exchange import OperationNote
from virtcim.immutable import immutable

__all__ = ["Question", "RepeatedAnswers"]

MAX_BODY = 8 * 1024
MAX_ANSWER = 32 * 1024
"""Bytes of what is kept at most: an instance, and the request for one."""

OVERHEAD = 1500
"""Bytes that an entry takes beside body and answer: the headers, for the most part."""

_SECRET = "authorization"


@immutable
class Question:
    """Everything that an answer depends on beside what there is: who asks, where, and what was sent.

    Attributes:
        listener: where the client came in: a translation may stand behind one listener and not behind another.
        headers: without those by which the client is known: a password does not stay in memory.
    """

    principal: Principal
    listener: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(cls, caller: Caller, headers: MultiMapping[str], body: bytes) -> Question | None:
        """The question that a request is; None for one that is too long to be kept."""
        if len(body) > MAX_BODY:
            return None
        sent = tuple([each for each in headers.items() if each[0].lower() != _SECRET])
        return cls(caller.principal, caller.listener, sent, body)


@immutable
class _RememberedAnswer:
    revision: Hashable
    answer: bytes
    note: OperationNote
    size: int


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

    def get(self, question: Question, revision: Callable[[str], Hashable]) -> tuple[bytes, OperationNote] | None:
        """The answer that was given and holds still, and what is told of the operation; None when there is none.

        Parameters:
            revision: gives that of a namespace.
        """
        kept = self._kept.get(question)
        if kept is None:
            return None
        if kept.revision != revision(kept.note.namespace):
            self._drop(question)
            return None
        self._kept.move_to_end(question)
        return kept.answer, kept.note

    def put(self, question: Question, revision: Hashable, answer: bytes, note: OperationNote) -> None:
        """Keep an answer.

        Parameters:
            revision: of the namespace that was asked, from before the answer was made.
        """
        if len(answer) > MAX_ANSWER:
            return
        self._drop(question)
        size = len(question.body) + len(answer) + OVERHEAD
        self._kept[question] = _RememberedAnswer(revision, answer, note, size)
        self.size += size
        while self.size > self._limit:
            self._drop(next(iter(self._kept)))

    def _drop(self, question: Question) -> None:
        kept = self._kept.pop(question, None)
        if kept is not None:
            self.size -= kept.size

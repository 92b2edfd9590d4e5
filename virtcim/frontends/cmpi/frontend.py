"""From a request of the library to the frames of its answer, by way of the core."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial

from virtcim.cimom.core import Executor
from virtcim.cimom.indications.relay import Relay, RelayedFilter
from virtcim.cimom.principals import system_groups
from virtcim.cimom.requests import Caller
from virtcim.cimom.results import Instances, Result
from virtcim.frontends.cmpi.answer import AnswerWriter
from virtcim.frontends.cmpi.codec import Answer, Filter, Operation, answer_frame, error_frame
from virtcim.frontends.cmpi.codec import Request as WireRequest
from virtcim.frontends.cmpi.requestreader import RequestReader, caller_of
from virtcim.frontends.cmpi.shapes import EncodedCache, Shaper
from virtcim.precedence import answers
from virtcim.providers.interface import CIMError, EmbeddedInstance, Status

__all__ = ["CMPI"]

log = logging.getLogger(__name__)

DONE = answer_frame(Answer.DONE)

_ASSOCIATIONS = frozenset(
    {Operation.ASSOCIATORS, Operation.ASSOCIATOR_NAMES, Operation.REFERENCES, Operation.REFERENCE_NAMES}
)
_LISTS = _ASSOCIATIONS | {Operation.ENUMERATE, Operation.ENUMERATE_NAMES, Operation.QUERY}
"""What takes long to compute, and waits for nothing meanwhile."""


class CMPI:
    """The front end.  Safe to use from several threads at once.

    Parameters:
        core: carries out the requests.
        provider_of: the name under which a class's provider is registered in CIM servers.
        relay: keeps the indications for CIM servers; None where there are no indications.
        listener: path of the socket that requests come from.

    Attributes:
        cache: of encoded instances.
    """

    def __init__(
        self, core: Executor, provider_of: Callable[[str], str], relay: Relay | None = None, listener: str = ""
    ) -> None:
        self._core = core
        self._relay = relay
        self._listener = listener
        self._shaper = Shaper(core.classes)
        self.cache = EncodedCache()
        self._reader = RequestReader(core.classes, core.namespaces, provider_of)
        self._writer = AnswerWriter(self._shaper, self.cache)

    def answer(self, wire: WireRequest, request_id: str = "") -> Iterator[bytes]:
        """The frames of the answer; errors become frames as well.

        Parameters:
            wire: the request.
            request_id: its number, for the audit log, jobs and log lines.
        """
        frames = self._frames(wire, caller_of(wire, request_id, self._listener))
        around = answers if wire.operation in _LISTS else nullcontext()
        while True:
            # Not while it is sent: a CIM server takes its time.
            with around:
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def _frames(self, wire: WireRequest, caller: Caller) -> Iterator[bytes]:
        try:
            if wire.operation is Operation.AUTHORIZE:
                self._authorize(wire, caller)
            else:
                yield from self._writer.frames(wire.operation, self._result(wire, caller))
        except CIMError as exc:
            yield error_frame(exc.status, exc.description)
        except Exception as exc:
            log.exception("%s failed", wire.operation.name)
            yield error_frame(Status.FAILED, f"{wire.operation.name} failed: {type(exc).__name__}: {exc}")
        else:
            yield DONE

    def _result(self, wire: WireRequest, caller: Caller) -> Result:
        try:
            return self._core.attempt(self._reader.attempt(wire, caller), partial(self._reader.read, wire, caller))
        except CIMError as exc:
            if exc.status in {Status.NOT_FOUND, Status.INVALID_CLASS} and self._is_of_others(wire):
                assert wire.path is not None
                return Instances(self._core.namespaces[wire.path.namespace or ""].name, ())
            raise

    def _is_of_others(self, wire: WireRequest) -> bool:
        """Whether the associations of somebody else's object are asked for, of which there are none here.

        A CIM server asks every provider of associations about every object, and merges what they answer.
        """
        if wire.operation not in _ASSOCIATIONS or wire.path is None:
            return False
        return self._core.namespaces[wire.path.namespace or ""].provider(wire.path.class_name) is None

    def indication(self, filters: Iterable[Filter], namespace: str, indication: EmbeddedInstance) -> Iterator[bytes]:
        """The frames that bring an indication to each provider with a filter on its class.

        The relay has found that one of the filters selects it; the CIM server finds out which.
        """
        place = self._core.namespaces[namespace]
        providers = dict.fromkeys(
            each.provider
            for each in filters
            if each.namespace.strip("/").lower() == place.name.lower()
            and self._core.classes.is_a(indication.class_name, each.class_name)
        )
        if providers:
            named = self._shaper.named(indication, place.name)
            for provider in providers:
                yield answer_frame(Answer.INDICATION, provider, place.name, indication.class_name, named)

    def _authorize(self, wire: WireRequest, caller: Caller) -> None:
        """Decide about a filter of indications: whoever may read a class may be told of its changes."""
        namespace, class_name, query = wire.arguments
        place = self._core.namespaces[namespace]
        if self._relay is None:
            raise CIMError(Status.NOT_SUPPORTED, "This server has no indications")
        if class_name and class_name not in self._core.classes:
            raise CIMError(Status.INVALID_CLASS, f"Class {class_name} does not exist in {place.name}")
        self._relay.check(RelayedFilter(caller.principal.name, place.name, query, caller.principal.groups))

    @staticmethod
    def relayed(filters: Iterable[Filter]) -> set[RelayedFilter]:
        """Filters as the relay knows them."""
        wanted = {(each.principal, each.namespace.strip("/"), each.query) for each in filters}
        groups = {user: system_groups(user) for user, _, _ in wanted}
        return {RelayedFilter(user, namespace, query, groups[user]) for user, namespace, query in wanted}

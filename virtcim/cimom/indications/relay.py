"""Indications for other CIM servers that the bridge serves: their clients subscribe there, what they select waits here.

A CIM server names the filters that are active in it, takes one indication after the other, and delivers them itself.
While it is away its filters go on selecting, and the queue holds what they select; it is known again by them when it
comes back.  Filters and queue are kept by the store, so that the same holds while this server is away.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime

from virtcim.cimom.access import Access
from virtcim.cimom.indications.filters import CompiledFilter, FilterCompiler
from virtcim.cimom.indications.journal import Body, Journal
from virtcim.cimom.indications.queue import DestinationQueue, Receiver, SharedMemory, Waiting, put_all
from virtcim.cimom.indications.records import SEPARATOR
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, Status, Store

__all__ = ["ActiveRelay", "Relay", "RelayConnection", "RelayedFilter"]

_log = logging.getLogger(__name__)

LANGUAGES = ("DMTF:CQL", "WQL")
"""In which a query is read: CIM servers do not tell its language to providers."""

ITSELF = "$$"
"""The user as whom SFCB activates, at its start, the filters that it knows."""

ATTEMPTS = 3
"""How often an indication is sent that a CIM server does not outlive, or that the library cannot read."""

SETTLE = 5.0
"""Seconds that a CIM server that has come back gets, after each filter that it activates, before it is sent anything.

What waits is sent once, so all filters should be there; and SFCB waits for ever for an indication that comes while it
activates filters at its start.
"""


def _now() -> datetime:
    return datetime.now(UTC)


@immutable
class RelayedFilter:
    """A filter that is active in another CIM server; two are the same with the same namespace and query.

    Attributes:
        user: who subscribed there, as that CIM server names him; "" where it does not know.
        namespace: where the indications come from.
        query: a select statement.
        groups: of the system, that the user is in.
        since: when it was activated, in UTC.
    """

    user: str = field(compare=False)
    namespace: str
    query: str
    groups: frozenset[str] = field(default=frozenset(), compare=False)
    since: datetime = field(default_factory=_now, compare=False)

    @property
    def principal(self) -> Principal:
        """Who subscribed."""
        return Principal(self.user, Mechanism.CMPI, self.groups)


@immutable
class RelayedFilterRecord:
    """A filter as the store keeps it.

    Attributes:
        recipient: key of the CIM server that it is active in.
        user, namespace, query, groups, since: as `RelayedFilter` has them.
    """

    recipient: str
    user: str
    namespace: str
    query: str
    groups: tuple[str, ...] = ()
    since: datetime = field(default_factory=_now)


class Recipient:
    """A CIM server that takes indications, or is away.

    Attributes:
        key: by which the store knows it.
        filters: those that are active in it, compiled; None for one that selects nothing.
        named: those among them that it has named since it came.
        queue: what waits for it.
        connected: whether it is here.
        since: when it came or went, by `time.monotonic`.
        away_since: when it went, in UTC; None while it is here.
        sent, attempts: the key of what was sent to it last, and how often.
    """

    __slots__ = ("attempts", "away_since", "connected", "filters", "key", "named", "queue", "sent", "since")

    def __init__(self, key: str, queue: DestinationQueue) -> None:
        self.key = key
        self.queue = queue
        self.filters: dict[RelayedFilter, CompiledFilter | None] = {}
        self.named: frozenset[RelayedFilter] = frozenset()
        self.connected = False
        self.since = time.monotonic()
        self.sent = ""
        self.attempts = 0
        self.away_since: datetime | None = datetime.now(UTC)


@immutable
class ActiveRelay:
    """A filter of a CIM server, as the engine sees it.

    Attributes:
        recipient: whom it selects for.
        filter: compiled.
        principal: who subscribed.
    """

    recipient: Recipient
    filter: CompiledFilter
    principal: Principal


class Relay:
    """All CIM servers that take indications.  Safe to use from several threads at once.

    Parameters:
        store: keeps their filters and what waits.
        compiler: checks filters.
        access: decides who may be told what.
        settings: limits.
        memory: what waits takes a part of it.

    Attributes:
        active: the filters that select now, by the class of the indications; another mapping takes its place with each
            change.
        sources: the classes of instances whose changes are wanted by one of them.
        listeners: called after each change of filters.
    """

    def __init__(
        self,
        store: Store,
        compiler: FilterCompiler,
        access: Access,
        settings: IndicationSettings,
        memory: SharedMemory,
    ) -> None:
        self._compiler = compiler
        self._access = access
        self._settings = settings
        self._memory = memory
        self._filters = store.table("relayed filter", RelayedFilterRecord)
        self._journal = Journal(store, "relayed indication")
        self.changed = threading.Condition(threading.RLock())
        self._recipients: dict[str, Recipient] = {}
        self.active: Mapping[str, tuple[ActiveRelay, ...]] = {}
        self.sources: frozenset[str] = frozenset()
        self.listeners: list[Callable[[], None]] = []
        for record in [each for _, each in self._filters.items()]:
            groups = frozenset(record.groups)
            wanted = RelayedFilter(record.user, record.namespace, record.query, groups, record.since)
            self._recipient(record.recipient).filters[wanted] = self._compiled(wanted)
        for key, indication in self._journal.items():
            recipient = self._recipients.get(indication.destination)
            if recipient is None:
                self._journal.remove(key)
            else:
                recipient.queue.recover(key, indication)
        memory.sources.append(self.queues)
        memory.bound()
        self._index()

    def check(self, wanted: RelayedFilter) -> None:
        """Refuse a filter that selects nothing possible, or nothing that its user may be told of.

        Raises:
            CIMError: what `FilterCompiler.compile` raises; ACCESS_DENIED.
        """
        if wanted.user == ITSELF:
            wanted = self._known(wanted)
        if not self._access.may_read(wanted.principal, wanted.namespace):
            raise CIMError(Status.ACCESS_DENIED, f"{wanted.principal.called} may not read {wanted.namespace}")
        self._compile(wanted)

    def _known(self, wanted: RelayedFilter) -> RelayedFilter:
        """The filter as somebody activated it first; itself where nobody has."""
        with self.changed:
            for recipient in self._recipients.values():
                for each in recipient.filters:
                    if each == wanted:
                        return each
        return wanted

    def connect(self) -> RelayConnection:
        """Take in a CIM server, which will say which filters are active in it."""
        return RelayConnection(self)

    def waiting(self) -> int:
        """Count the indications that CIM servers have not taken yet."""
        return sum(map(len, self.queues()))

    def recipients(self) -> list[Recipient]:
        """All CIM servers in which filters are active."""
        return list(self._recipients.values())

    def recipient(self, key: str) -> Recipient | None:
        """The CIM server with a key."""
        return self._recipients.get(key)

    def queues(self) -> list[DestinationQueue]:
        """What waits for each of them."""
        return [recipient.queue for recipient in self.recipients()]

    def put(self, recipients: Iterable[Recipient], namespace: str, body: Body) -> None:
        """Queue an indication.

        Parameters:
            recipients: for whom, each once.
            namespace: of what it is about.
            body: of the indication.
        """
        over = time.monotonic() - self._settings.away_seconds
        receivers = []
        with self.changed:
            for recipient in recipients:
                if not recipient.connected and recipient.since < over:
                    _log.warning(
                        "%s: it is away for more than %d s: its subscriptions are forgotten",
                        recipient.queue.name,
                        self._settings.away_seconds,
                    )
                    self.set_filters(recipient, {})
                elif recipient.key in self._recipients:
                    receivers.append(Receiver(recipient.queue, "", None))
            if receivers:
                put_all(self._journal, self._memory, body, receivers, namespace)
            self.changed.notify_all()

    def done(self, waiting: Waiting) -> None:
        """Forget an indication: its CIM server has it."""
        with self.changed:
            recipient = self._recipients.get(waiting.indication.destination)
            if recipient is not None:
                recipient.queue.done(waiting)

    def known(self, filters: Iterable[RelayedFilter]) -> Recipient:
        """Find the CIM server in which filters are active among those that are away; a new one where none is known."""
        wanted = set(filters)
        for recipient in self._recipients.values():
            if not recipient.connected and not wanted.isdisjoint(recipient.filters):
                return recipient
        return self._recipient(uuid.uuid4().hex)

    def set_filters(self, recipient: Recipient, filters: Mapping[RelayedFilter, CompiledFilter | None]) -> None:
        """Let other filters select for a CIM server; without any it is forgotten, with what waits for it."""
        with self.changed:
            for gone in recipient.filters.keys() - filters.keys():
                self._filters.remove(_key(recipient, gone))
            for new in filters.keys() - recipient.filters.keys():
                record = RelayedFilterRecord(
                    recipient.key, new.user, new.namespace, new.query, tuple(sorted(new.groups)), new.since
                )
                self._filters.put(_key(recipient, new), record)
            recipient.filters = dict(filters)
            if not filters:
                self._recipients.pop(recipient.key, None)
                recipient.queue.clear()
            self._index()
        for listener in tuple(self.listeners):
            listener()

    def _recipient(self, key: str) -> Recipient:
        recipient = self._recipients.get(key)
        if recipient is None:
            name = f"CIM server {key}"
            queue = DestinationQueue(key, "", self._journal, self._settings, self._memory, name, name)
            recipient = self._recipients[key] = Recipient(key, queue)
        return recipient

    def compiled(
        self, known: Mapping[RelayedFilter, CompiledFilter | None], wanted: RelayedFilter
    ) -> CompiledFilter | None:
        """Compile a filter, unless it is known."""
        return known[wanted] if wanted in known else self._compiled(wanted)

    def _compiled(self, wanted: RelayedFilter) -> CompiledFilter | None:
        try:
            return self._compile(wanted)
        except CIMError as error:
            _log.warning("a filter of a CIM server selects nothing: %s: %s", wanted.query, error.description)
            return None

    def _compile(self, wanted: RelayedFilter) -> CompiledFilter:
        first: CIMError | None = None
        for language in LANGUAGES:
            try:
                return self._compiler.compile(language, wanted.query, [wanted.namespace])
            except CIMError as error:
                first = first or error
        assert first is not None
        raise first

    def _index(self) -> None:
        """Make the index of what selects now."""
        by_class: dict[str, list[ActiveRelay]] = {}
        sources: set[str] = set()
        for recipient in self._recipients.values():
            for wanted, compiled in recipient.filters.items():
                if compiled is not None:
                    sources |= compiled.sources
                    for class_name in compiled.indications:
                        by_class.setdefault(class_name, []).append(ActiveRelay(recipient, compiled, wanted.principal))
        self.active = {class_name: tuple(found) for class_name, found in by_class.items()}
        self.sources = frozenset(sources)


class RelayConnection:
    """The connection of a CIM server: it names filters, and takes what they select.

    Parameters:
        relay: to which it belongs.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._changed = relay.changed
        self._recipient: Recipient | None = None
        self._closed = False
        self._is_settled = True

    def name_filters(self, filters: Iterable[RelayedFilter]) -> None:
        """Have these filters select, in place of those that the CIM server named before.

        One that has come back may name them one after the other: those that were active when it went stay until for
        `SETTLE` seconds no further one has been named.
        """
        wanted = frozenset(filters)
        relay = self._relay
        with self._changed:
            if self._closed:
                return
            recipient = self._recipient
            if recipient is None:
                recipient = self._recipient = relay.known(wanted)
                recipient.connected, recipient.named = True, frozenset()
                recipient.away_since = None
                self._is_settled = not recipient.filters
            kept = recipient.filters.keys() - recipient.named
            recipient.named, recipient.since = wanted, time.monotonic()
            # Whoever subscribed counts, not who activates the filter anew.
            known = {each: each for each in recipient.filters}
            filters = [*kept, *(known.get(each, each) for each in wanted)]
            relay.set_filters(recipient, {each: relay.compiled(recipient.filters, each) for each in filters})
            if not recipient.filters:
                recipient.connected, self._recipient = False, None
            self._changed.notify_all()

    def take(self) -> Waiting | None:
        """Wait for an indication, and give the oldest, which stays in the queue until it is `done`; None at the end."""
        with self._changed:
            while not self._closed:
                recipient, left = self._recipient, None
                if recipient is not None:
                    left = self._unsettled(recipient)
                    if left is None and (waiting := recipient.queue.first()) is not None:
                        if self._may_send(recipient, waiting):
                            return waiting
                        continue
                self._changed.wait(left)
        return None

    def done(self, waiting: Waiting) -> None:
        """Forget the oldest: the CIM server has it."""
        self._relay.done(waiting)

    def finish(self) -> None:
        """Give out no further indication; what is under way can still be `done`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """End: what happens from now on waits until the CIM server is back."""
        with self._changed:
            self._closed = True
            if self._recipient is not None:
                self._recipient.connected, self._recipient.since = False, time.monotonic()
                self._recipient.away_since = datetime.now(UTC)
                self._recipient = None
            self._changed.notify_all()

    @staticmethod
    def _may_send(recipient: Recipient, waiting: Waiting) -> bool:
        """Count the attempts to send an indication, and give it up after the last."""
        recipient.attempts = recipient.attempts + 1 if recipient.sent == waiting.key else 1
        recipient.sent = waiting.key
        if recipient.attempts <= ATTEMPTS:
            return True
        _log.error("%s: it has not taken a %s, which is given up", recipient.queue.name, waiting.indication.class_name)
        recipient.queue.give_up(waiting)
        return False

    def _unsettled(self, recipient: Recipient) -> float | None:
        """Seconds that are left for a CIM server that has come back to name its filters; None when they are over."""
        if self._is_settled:
            return None
        left = recipient.since + SETTLE - time.monotonic()
        if left > 0:
            return left
        self._is_settled = True
        named = {each: found for each, found in recipient.filters.items() if each in recipient.named}
        self._relay.set_filters(recipient, named)
        return None


def _key(recipient: Recipient, wanted: RelayedFilter) -> str:
    return SEPARATOR.join((recipient.key, wanted.namespace, wanted.query))

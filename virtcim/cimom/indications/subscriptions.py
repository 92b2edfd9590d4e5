"""All filters, destinations and subscriptions: kept by the store, with the rules that hold for them (DSP1054 1.2)."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Generic, TypeVar

from virtcim.cimom.access import Access
from virtcim.cimom.indications.filters import CompiledFilter, FilterCompiler
from virtcim.cimom.indications.records import (
    DestinationRecord,
    FilterCollection,
    FilterRecord,
    NamedRecord,
    SubscriptionRecord,
    SubscriptionState,
)
from virtcim.cimom.indications.repeats import repeat_rule
from virtcim.cimom.indications.served import ActiveSubscription, ServedIndex
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.providers.interface import CIMError, Status, Store, Table

__all__ = ["Subscriptions"]

_log = logging.getLogger(__name__)

Record = TypeVar("Record", FilterRecord, DestinationRecord, SubscriptionRecord)


class _IndexedTable(Generic[Record]):
    """A table of the store, and what is asked of it often: how many a user has, and which have a name.

    Parameters:
        table: of the store.
        name_of: the name of a record; None where records have none.

    Attributes:
        owned: how many a user has.
        asked: characters of all queries of a user.
    """

    def __init__(self, table: Table[Record], name_of: Callable[[Record], Hashable] | None = None) -> None:
        self._table: Table[Record] = table
        self._name_of: Callable[[Record], Hashable] | None = name_of
        self._named: dict[Hashable, dict[str, None]] = {}
        self.owned: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        for key, record in table.items():
            self._note(key, record)

    def __len__(self) -> int:
        return len(self._table)

    def get(self, key: str) -> Record | None:
        return self._table.get(key)

    def records(self) -> list[Record]:
        return [record for _, record in self._table.items()]

    def named(self, name: Hashable) -> list[Record]:
        found = map(self._table.get, tuple(self._named.get(name, ())))
        return [record for record in found if record is not None]

    def put(self, key: str, record: Record) -> None:
        self._forget(key)
        self._table.put(key, record)
        self._note(key, record)

    def remove(self, key: str) -> None:
        self._forget(key)
        self._table.remove(key)

    def _note(self, key: str, record: Record) -> None:
        self.owned[record.owner] += 1
        self.asked[record.owner] += _query_length(record)
        if self._name_of is not None:
            self._named.setdefault(self._name_of(record), {})[key] = None

    def _forget(self, key: str) -> None:
        record = self._table.get(key)
        if record is None:
            return
        self.owned[record.owner] -= 1
        self.asked[record.owner] -= _query_length(record)
        if self._name_of is not None:
            name = self._name_of(record)
            self._named[name].pop(key, None)
            if not self._named[name]:
                del self._named[name]


def _query_length(record: FilterRecord | DestinationRecord | SubscriptionRecord) -> int:
    return len(record.query) if isinstance(record, FilterRecord) else 0


def _name_of(record: NamedRecord) -> tuple[str, str]:
    return record.class_name, record.name


class Subscriptions:
    """The filters, destinations and subscriptions of the server.  Safe to use from several threads at once.

    Parameters:
        store: keeps them over a restart.
        compiler: checks filters.
        access: decides who may be told what.
        settings: limits.
        predefined: filters that are there from the start, which nobody can change, and their collections.

    Attributes:
        collections: of the predefined filters, by key.
        served: the subscriptions that are served now.
        listeners: called after each change with the key of the filter, destination or subscription, in the thread that
            made it.
        wanted: called when changes of other classes are wanted than before, or of any at all.
    """

    def __init__(
        self,
        store: Store,
        compiler: FilterCompiler,
        access: Access,
        settings: IndicationSettings,
        predefined: tuple[Sequence[FilterRecord], Sequence[FilterCollection]] = ((), ()),
    ) -> None:
        self._settings = settings
        self._compiler = compiler
        self._access = access
        self._lock = threading.RLock()
        self._filters = _IndexedTable(store.table("indication filter", FilterRecord), _name_of)
        self._destinations = _IndexedTable(store.table("listener destination", DestinationRecord), _name_of)
        self._subscriptions = _IndexedTable(store.table("indication subscription", SubscriptionRecord))
        self._predefined = {record.key: record for record in predefined[0]}
        self.collections = {collection.key: collection for collection in predefined[1]}
        # Compiled when somebody subscribes: the grammar takes its time to load.  None: it selects nothing any more.
        self._compiled: dict[str, CompiledFilter | None] = {}
        self.served = ServedIndex()
        self.listeners: list[Callable[[str], None]] = []
        self.wanted: list[Callable[[], None]] = []
        # The keys of subscriptions by those of their two ends, and when those end that have a duration.
        self._used: dict[str, dict[str, None]] = {}
        self._ends: dict[str, datetime] = {}
        for each in self._subscriptions.records():
            if each.state is SubscriptionState.ENABLED_DEGRADED:  # nobody has tried yet
                self._put(replace(each, state=SubscriptionState.ENABLED))
            else:
                self._index(each)

    def look_elsewhere(self, predefined: tuple[Sequence[FilterRecord], Sequence[FilterCollection]]) -> None:
        """Take notice that the compiler knows other namespaces.

        Parameters:
            predefined: the filters that are there from the start, as they look there, and their collections.
        """
        with self._lock:
            before = self._predefined
            self._predefined = {record.key: record for record in predefined[0]}
            self.collections = {collection.key: collection for collection in predefined[1]}
            # What named a namespace that there was not may be right now.
            self._compiled = {
                key: compiled
                for key, compiled in self._compiled.items()
                if compiled is not None and key not in self._predefined
            }
            wanted = [self._index(record) for record in self._subscriptions.records()]
        for key in {**before, **self._predefined}:
            self._tell(key)
        if any(wanted):
            for each in tuple(self.wanted):
                each()

    def filters(self) -> list[FilterRecord]:
        """All filters, those that are there from the start first."""
        return [*self._predefined.values(), *self._filters.records()]

    def filters_named(self, class_name: str, name: str) -> list[FilterRecord]:
        """The filters of a class with a name."""
        own = [each for each in self._predefined.values() if _name_of(each) == (class_name, name)]
        return [*own, *self._filters.named((class_name, name))]

    def destinations_named(self, class_name: str, name: str) -> list[DestinationRecord]:
        """The destinations of a class with a name."""
        return self._destinations.named((class_name, name))

    def destinations(self) -> list[DestinationRecord]:
        """All destinations."""
        return self._destinations.records()

    def subscriptions(self) -> list[SubscriptionRecord]:
        """All subscriptions; those whose time is over are removed first."""
        self.remove_expired()
        return self._subscriptions.records()

    def subscriptions_of(self, key: str) -> list[SubscriptionRecord]:
        """The subscriptions that have a filter, a collection or a destination at one end."""
        self.remove_expired()
        found = map(self._subscriptions.get, tuple(self._used.get(key, ())))
        return [record for record in found if record is not None]

    def filter(self, key: str) -> FilterRecord | None:
        """The filter with a key."""
        return self._predefined.get(key) or self._filters.get(key)

    def destination(self, key: str) -> DestinationRecord | None:
        """The destination with a key."""
        return self._destinations.get(key)

    def subscription(self, key: str) -> SubscriptionRecord | None:
        """The subscription with a key."""
        return self._subscriptions.get(key)

    def add_filter(self, record: FilterRecord) -> None:
        """Keep a new filter.

        Raises:
            CIMError: what `FilterCompiler.compile` raises; ALREADY_EXISTS; SERVER_LIMITS_EXCEEDED.
        """
        compiled = self._compile(record)
        if record.key in self._predefined:
            raise CIMError(Status.ALREADY_EXISTS, f"Filter {record.name} exists already")
        with self._lock:
            self._require_room(record)
            self._add(self._filters, record.key, record, f"Filter {record.name}")
            self._compiled[record.key] = compiled
        self._filter_changed(record.key)

    def replace_filter(self, record: FilterRecord) -> None:
        """Keep a filter in place of the one with its key; its subscriptions go on with it.

        Raises:
            CIMError: what `FilterCompiler.compile` raises; SERVER_LIMITS_EXCEEDED.
        """
        self._require_changeable(record)
        compiled = self._compile(record)
        with self._lock:
            self._require_room(record)
            self._filters.put(record.key, replace(record, revision=record.revision + 1))
            self._compiled[record.key] = compiled
        self._filter_changed(record.key)

    def remove_filter(self, record: FilterRecord) -> None:
        """Forget a filter.  Raises CIMError FAILED while somebody subscribes to it."""
        self._require_changeable(record)
        with self._lock:
            self._require_unused(record)
            self._filters.remove(record.key)
            self._compiled.pop(record.key, None)
        self._tell(record.key)

    def add_destination(self, record: DestinationRecord) -> None:
        """Keep a new destination.  Raises CIMError ALREADY_EXISTS, SERVER_LIMITS_EXCEEDED."""
        with self._lock:
            self._add(self._destinations, record.key, record, f"Destination {record.name}")
        self._tell(record.key)

    def replace_destination(self, record: DestinationRecord) -> None:
        """Keep a destination in place of the one with its key; what waits goes to the new one."""
        with self._lock:
            self._destinations.put(record.key, replace(record, revision=record.revision + 1))
        self._tell(record.key)

    def remove_destination(self, record: DestinationRecord) -> None:
        """Forget a destination.  Raises CIMError FAILED while a subscription sends there."""
        with self._lock:
            self._require_unused(record)
            self._destinations.remove(record.key)
        self._tell(record.key)

    def add_subscription(self, record: SubscriptionRecord, principal: Principal) -> None:
        """Keep a new subscription.

        Parameters:
            principal: who subscribes.

        Raises:
            CIMError: ALREADY_EXISTS; SERVER_LIMITS_EXCEEDED; ACCESS_DENIED where he may read nothing of what he wants
                to be told.
        """
        for key in self._members(record.filter):
            compiled = self._compiled_of(key)
            if compiled is not None:
                self._require_readable(compiled, principal)
        self.remove_expired()
        with self._lock:
            self._add(self._subscriptions, record.key, record, "This subscription")
            wanted = self._index(record)
        self._tell(record.key, wanted)

    def replace_subscription(self, record: SubscriptionRecord) -> None:
        """Keep a subscription in place of the one with its key."""
        with self._lock:
            wanted = self._put(replace(record, revision=record.revision + 1))
        self._tell(record.key, wanted)

    def set_state(self, key: str, state: SubscriptionState) -> None:
        """Take down whether a subscription is served, and how well."""
        with self._lock:
            record = self._subscriptions.get(key)
            if record is None or record.state is state:
                return
            changed = replace(record, state=state, state_changed=datetime.now(UTC), revision=record.revision + 1)
            wanted = self._put(changed)
        self._tell(key, wanted)

    def remove_subscription(self, key: str) -> None:
        """End a subscription."""
        with self._lock:
            record = self._subscriptions.get(key)
            if record is None:
                return
            self._subscriptions.remove(key)
            self._ends.pop(key, None)
            for end in (record.filter, record.destination):
                self._used[end].pop(key, None)
                if not self._used[end]:
                    del self._used[end]
            wanted = self.served.put(key, ())
        self._tell(key, wanted)

    def remove_expired(self) -> None:
        """End the subscriptions whose duration is over."""
        now = datetime.now(UTC)
        for key in [key for key, ends in tuple(self._ends.items()) if ends <= now]:
            self.remove_subscription(key)

    def _compile(self, record: FilterRecord) -> CompiledFilter:
        return self._compiler.compile(record.language, record.query, record.source_namespaces)

    def _compiled_of(self, key: str) -> CompiledFilter | None:
        """The filter with a key, compiled; None where there is none, or where it selects nothing any more."""
        record = self.filter(key)
        if key not in self._compiled and record is not None:
            try:
                self._compiled[key] = self._compile(record)
            except CIMError as error:
                self._compiled[key] = None
                _log.warning("filter %s: selects nothing any more: %s", record.name, error.description)
        return self._compiled.get(key)

    def _require_readable(self, compiled: CompiledFilter, principal: Principal) -> None:
        places = [place for place in self._compiler.homes if compiled.covers(place)]
        if not any(self._access.may_read(principal, place) for place in places):
            raise CIMError(
                Status.ACCESS_DENIED,
                f"{principal.called} may not read {' or '.join(sorted(places))}",
            )

    def _add(self, table: _IndexedTable[Record], key: str, record: Record, what: str) -> None:
        if table.get(key) is not None:
            raise CIMError(Status.ALREADY_EXISTS, f"{what} exists already")
        limits = self._settings
        own = table.owned[record.owner]
        if len(table) >= limits.max_subscriptions:
            raise CIMError(
                Status.SERVER_LIMITS_EXCEEDED,
                f"{what} is one too many: there are {len(table)}; see max_subscriptions in the settings of indications",
            )
        if own >= limits.max_per_user:
            raise CIMError(
                Status.SERVER_LIMITS_EXCEEDED,
                f"{what} is one too many: {record.owner or 'the unknown user'} has {own}; see max_per_user in the "
                "settings of indications",
            )
        table.put(key, record)

    def _require_room(self, record: FilterRecord) -> None:
        """Refuse a filter with which the queries of its user would be longer than they may be; with the lock."""
        before = self._filters.get(record.key)
        grows = _query_length(record) - (0 if before is None else _query_length(before))
        asked, most = self._filters.asked[record.owner], self._settings.max_query_characters
        if grows > 0 and asked + grows > most:
            raise CIMError(
                Status.SERVER_LIMITS_EXCEEDED,
                f"Filter {record.name} is too long: with it, the queries of {record.owner or 'the unknown user'} have "
                f"{asked + grows} characters; see max_query_characters in the settings of indications",
            )

    def _members(self, key: str) -> tuple[str, ...]:
        """The keys of the filters that a subscription to a filter or collection has."""
        collection = self.collections.get(key)
        return (key,) if collection is None else collection.members

    def _require_changeable(self, record: FilterRecord) -> None:
        if record.key in self._predefined:
            raise CIMError(Status.NOT_SUPPORTED, f"Filter {record.name} is the server's own: it stays as it is")

    def _require_unused(self, record: NamedRecord) -> None:
        if self.subscriptions_of(record.key):
            raise CIMError(
                Status.FAILED, f"{record.class_name} {record.name} is in use: a subscription refers to it (DSP1054)"
            )

    def _tell(self, key: str, wanted: bool = False) -> None:
        """Tell the listeners what has changed, and whether other classes are wanted now."""
        for listener in tuple(self.listeners):
            listener(key)
        if wanted:
            for each in tuple(self.wanted):
                each()

    def _filter_changed(self, key: str) -> None:
        """Have the subscriptions to a filter served by what it is now."""
        with self._lock:
            wanted = [self._index(record) for record in self.subscriptions_of(key)]
        self._tell(key, any(wanted))

    def _put(self, record: SubscriptionRecord) -> bool:
        """Keep a subscription, and serve it or not; tell whether other classes are wanted now; with the lock."""
        self._subscriptions.put(record.key, record)
        return self._index(record)

    def _index(self, record: SubscriptionRecord) -> bool:
        """Take a subscription into the indexes; tell whether other classes are wanted now; with the lock."""
        key, ends = record.key, _end(record)
        for end in (record.filter, record.destination):
            self._used.setdefault(end, {})[key] = None
        if ends is None:
            self._ends.pop(key, None)
        else:
            self._ends[key] = ends
        served: list[ActiveSubscription] = []
        if record.state is not SubscriptionState.DISABLED:
            repeats = repeat_rule(record.properties)
            principal = _principal(record.owner, record.mechanism, record.groups)
            for member in self._members(record.filter):
                named, compiled = self.filter(member), self._compiled_of(member)
                if named is not None and compiled is not None:
                    served.append(
                        ActiveSubscription(key, record.destination, named.name, compiled, principal, ends, repeats)
                    )
        return self.served.put(key, served)


@lru_cache(maxsize=1024)
def _principal(name: str, mechanism: str, groups: tuple[str, ...]) -> Principal:
    """Make the principal that subscribed: one for all subscriptions of a user."""
    return Principal(name, Mechanism(mechanism), frozenset(groups))


def _end(record: SubscriptionRecord) -> datetime | None:
    return None if record.duration is None else record.created + timedelta(seconds=record.duration)

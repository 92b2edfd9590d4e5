"""All filters, destinations and subscriptions: kept by the store, with the rules that hold for them (DSP1054 1.2)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

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
from virtcim.cimom.indications.repeats import RepeatRule, repeat_rule
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.providers.interface import CIMError, Status, Store, Table

__all__ = ["ActiveSubscription", "Subscriptions"]

_log = logging.getLogger(__name__)

Record = TypeVar("Record", FilterRecord, DestinationRecord, SubscriptionRecord)


@dataclass(frozen=True, slots=True)
class ActiveSubscription:
    """A subscription that is served now.

    Attributes:
        key, destination: of the subscription and its destination.
        filter_name: Name of the filter.
        filter: compiled.
        principal: who subscribed.
        ends: when it ends of itself; None for never.
        repeats: what becomes of alerts that say again what was said; None: all are sent.
    """

    key: str
    destination: str
    filter_name: str
    filter: CompiledFilter
    principal: Principal
    ends: datetime | None
    repeats: RepeatRule | None = None


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
        active: the subscriptions that are served now, by the class of the indications that they can select; another
            mapping takes its place with each change.
        sources: the classes of instances whose changes are wanted by one of them.
        listeners: called after each change, in the thread that made it.
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
        self._filters = store.table("indication filter", FilterRecord)
        self._destinations = store.table("listener destination", DestinationRecord)
        self._subscriptions = store.table("indication subscription", SubscriptionRecord)
        self._predefined = {record.key: record for record in predefined[0]}
        self.collections = {collection.key: collection for collection in predefined[1]}
        # Compiled when somebody subscribes: the grammar takes its time to load.  None: it selects nothing any more.
        self._compiled: dict[str, CompiledFilter | None] = {}
        self.active: Mapping[str, tuple[ActiveSubscription, ...]] = {}
        self.sources: frozenset[str] = frozenset()
        self.listeners: list[Callable[[], None]] = []
        for key, each in self._subscriptions.items():
            if each.state is SubscriptionState.ENABLED_DEGRADED:  # nobody has tried yet
                self._subscriptions.put(key, replace(each, state=SubscriptionState.ENABLED))
        self._index()

    def look_elsewhere(self, predefined: tuple[Sequence[FilterRecord], Sequence[FilterCollection]]) -> None:
        """Take notice that the compiler knows other namespaces.

        Parameters:
            predefined: the filters that are there from the start, as they look there, and their collections.
        """
        with self._lock:
            self._predefined = {record.key: record for record in predefined[0]}
            self.collections = {collection.key: collection for collection in predefined[1]}
            # What named a namespace that there was not may be right now.
            self._compiled = {
                key: compiled
                for key, compiled in self._compiled.items()
                if compiled is not None and key not in self._predefined
            }
        self._changed()

    def filters(self) -> list[FilterRecord]:
        """All filters, those that are there from the start first."""
        return [*self._predefined.values(), *(record for _, record in self._filters.items())]

    def destinations(self) -> list[DestinationRecord]:
        """All destinations."""
        return [record for _, record in self._destinations.items()]

    def subscriptions(self) -> list[SubscriptionRecord]:
        """All subscriptions; those whose time is over are removed first."""
        self.remove_expired()
        return [record for _, record in self._subscriptions.items()]

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
            self._add(self._filters, record.key, record, f"Filter {record.name}")
            self._compiled[record.key] = compiled
        self._changed()

    def replace_filter(self, record: FilterRecord) -> None:
        """Keep a filter in place of the one with its key; its subscriptions go on with it.

        Raises:
            CIMError: what `FilterCompiler.compile` raises.
        """
        self._require_changeable(record)
        compiled = self._compile(record)
        with self._lock:
            self._filters.put(record.key, replace(record, revision=record.revision + 1))
            self._compiled[record.key] = compiled
        self._changed()

    def remove_filter(self, record: FilterRecord) -> None:
        """Forget a filter.  Raises CIMError FAILED while somebody subscribes to it."""
        self._require_changeable(record)
        with self._lock:
            self._require_unused(record, (each.filter for each in self.subscriptions()))
            self._filters.remove(record.key)
            self._compiled.pop(record.key, None)
        self._changed()

    def add_destination(self, record: DestinationRecord) -> None:
        """Keep a new destination.  Raises CIMError ALREADY_EXISTS, SERVER_LIMITS_EXCEEDED."""
        with self._lock:
            self._add(self._destinations, record.key, record, f"Destination {record.name}")
        self._changed()

    def replace_destination(self, record: DestinationRecord) -> None:
        """Keep a destination in place of the one with its key; what waits goes to the new one."""
        with self._lock:
            self._destinations.put(record.key, replace(record, revision=record.revision + 1))
        self._changed()

    def remove_destination(self, record: DestinationRecord) -> None:
        """Forget a destination.  Raises CIMError FAILED while a subscription sends there."""
        with self._lock:
            self._require_unused(record, (each.destination for each in self.subscriptions()))
            self._destinations.remove(record.key)
        self._changed()

    def add_subscription(self, record: SubscriptionRecord, principal: Principal) -> None:
        """Keep a new subscription.

        Parameters:
            principal: who subscribes.

        Raises:
            CIMError: ALREADY_EXISTS; SERVER_LIMITS_EXCEEDED; ACCESS_DENIED where he may read nothing of what he wants
                to be told.
        """
        with self._lock:
            for key in self._members(record.filter):
                compiled = self._compiled_of(key)
                if compiled is not None:
                    self._require_readable(compiled, principal)
            self.remove_expired()
            self._add(self._subscriptions, record.key, record, "This subscription")
        self._changed()

    def replace_subscription(self, record: SubscriptionRecord) -> None:
        """Keep a subscription in place of the one with its key."""
        with self._lock:
            self._subscriptions.put(record.key, replace(record, revision=record.revision + 1))
        self._changed()

    def set_state(self, key: str, state: SubscriptionState) -> None:
        """Take down whether a subscription is served, and how well."""
        with self._lock:
            record = self._subscriptions.get(key)
            if record is None or record.state is state:
                return
            changed = replace(record, state=state, state_changed=datetime.now(UTC), revision=record.revision + 1)
            self._subscriptions.put(key, changed)
        if SubscriptionState.DISABLED in (record.state, state):  # else it is served as it was
            self._changed()

    def remove_subscription(self, key: str) -> None:
        """End a subscription."""
        with self._lock:
            self._subscriptions.remove(key)
        self._changed()

    def remove_expired(self) -> None:
        """End the subscriptions whose duration is over."""
        now = datetime.now(UTC)
        over = [key for key, each in self._subscriptions.items() if (ends := _end(each)) is not None and ends <= now]
        if over:
            with self._lock:
                for key in over:
                    self._subscriptions.remove(key)
            self._changed()

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

    def _add(self, table: Table[Record], key: str, record: Record, what: str) -> None:
        if table.get(key) is not None:
            raise CIMError(Status.ALREADY_EXISTS, f"{what} exists already")
        limits = self._settings
        own = sum(each.owner == record.owner for _, each in table.items())
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

    def _members(self, key: str) -> tuple[str, ...]:
        """The keys of the filters that a subscription to a filter or collection has."""
        collection = self.collections.get(key)
        return (key,) if collection is None else collection.members

    def _require_changeable(self, record: FilterRecord) -> None:
        if record.key in self._predefined:
            raise CIMError(Status.NOT_SUPPORTED, f"Filter {record.name} is the server's own: it stays as it is")

    @staticmethod
    def _require_unused(record: NamedRecord, used: Iterable[str]) -> None:
        if record.key in used:
            raise CIMError(
                Status.FAILED, f"{record.class_name} {record.name} is in use: a subscription refers to it (DSP1054)"
            )

    def _changed(self) -> None:
        with self._lock:
            self._index()
        for listener in tuple(self.listeners):
            listener()

    def _index(self) -> None:
        """Make the index of what is served now."""
        by_class: dict[str, list[ActiveSubscription]] = {}
        sources: set[str] = set()
        for key, record in self._subscriptions.items():
            if record.state is SubscriptionState.DISABLED:
                continue
            repeats = repeat_rule(record.properties)
            principal = Principal(record.owner, Mechanism(record.mechanism), frozenset(record.groups))
            for member in self._members(record.filter):
                named, compiled = self.filter(member), self._compiled_of(member)
                if named is None or compiled is None:
                    continue
                active = ActiveSubscription(
                    key, record.destination, named.name, compiled, principal, _end(record), repeats
                )
                sources |= compiled.sources
                for class_name in compiled.indications:
                    by_class.setdefault(class_name, []).append(active)
        self.active = {class_name: tuple(found) for class_name, found in by_class.items()}
        self.sources = frozenset(sources)


def _end(record: SubscriptionRecord) -> datetime | None:
    return None if record.duration is None else record.created + timedelta(seconds=record.duration)

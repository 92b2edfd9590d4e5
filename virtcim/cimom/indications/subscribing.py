"""Subscriptions as CIM objects: which filters send their indications to which destinations.

Like these, they live in the Interop namespace, under each of its names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from virtcim.cimom.access import Access
from virtcim.cimom.context import principal_of
from virtcim.cimom.indications.objects import (
    COLLECTION,
    DESTINATIONS,
    FILTER,
    CollectionInstance,
    CollectionProvider,
    DestinationProvider,
    FilterProvider,
    NamedInstance,
    RelayedDestinationProvider,
    elsewhere,
    invalid,
    left_properties,
    require_owner,
)
from virtcim.cimom.indications.queue import Queues
from virtcim.cimom.indications.records import (
    DestinationRecord,
    FilterCollection,
    FilterRecord,
    OnFatalError,
    SubscriptionRecord,
    SubscriptionState,
    subscription_key,
)
from virtcim.cimom.indications.relayed import RELAYED_DESTINATION, Relayed
from virtcim.cimom.indications.repeats import REPEAT_PROPERTIES, RepeatPolicy, repeat_rule
from virtcim.cimom.indications.subscriptions import Subscriptions
from virtcim.providers.interface import (
    Association,
    CIMError,
    CIMValue,
    End,
    Instance,
    InstancePath,
    Keys,
    Properties,
    RequestContext,
    Status,
)

__all__ = ["CollectionSubscription", "Subscription"]

SUBSCRIPTION = "CIM_IndicationSubscription"
COLLECTION_SUBSCRIPTION = "CIM_FilterCollectionSubscription"
LONGEST = 10 * 366 * 24 * 3600
"""Seconds of the longest duration: ten years."""
COMPUTED = (
    "TimeOfLastStateChange",
    "SubscriptionStartTime",
    "SubscriptionTimeRemaining",
    "LastIndicationIdentifier",
    "LastIndicationProductionDateTime",
)
"""The properties of a subscription that the server alone knows."""


class Wishes(TypedDict):
    """What a client may wish of a subscription, as the fields of its record."""

    on_fatal_error: OnFatalError
    state: SubscriptionState
    duration: int | None


class Subscription(Association):
    """CIM_IndicationSubscription: the indications of a filter are sent to a destination.

    Parameters:
        subscriptions: all of them.
        filters, destinations: what they connect.
        access: decides who may change what another user made.
        interop: tells whether a namespace is the Interop namespace, by any of its names.
        queues: what waits to be delivered.
        relayed: what clients of other CIM servers have subscribed to.
        servers: those CIM servers.
    """

    class_names: Sequence[str] = (SUBSCRIPTION,)
    filter_class = FILTER
    left = End("Filter", frozenset({FILTER}))
    right = End("Handler", frozenset({*DESTINATIONS, RELAYED_DESTINATION}))

    def __init__(
        self,
        subscriptions: Subscriptions,
        filters: FilterProvider | CollectionProvider,
        destinations: DestinationProvider,
        access: Access,
        interop: Callable[[str], bool],
        queues: Queues,
        relayed: Relayed,
        servers: RelayedDestinationProvider,
    ) -> None:
        self._queues = queues
        self._relayed = relayed
        self._servers = servers
        self._subscriptions = subscriptions
        self._filters = filters
        self._destinations = destinations
        self._access = access
        self._interop = interop

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        key = str(left.identity)
        relayed = (each for each in self._relayed.subscriptions() if each.filter == key)
        wanted = [each.destination for each in (*self._subscriptions.subscriptions_of(key), *relayed)]
        return [*self._destinations.some(wanted, context), *self._servers.some(wanted, context)]

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        key = str(right.identity)
        relayed = (each for each in self._relayed.subscriptions() if each.destination == key)
        wanted = [each.filter for each in (*self._subscriptions.subscriptions_of(key), *relayed)]
        return self._filters.some(wanted, context)

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        subscriptions = (*self._subscriptions.subscriptions(), *self._relayed.subscriptions())
        return self._filters.some([each.filter for each in subscriptions], context)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]

    def properties(self, left: Instance, right: Instance) -> Properties:
        key = subscription_key(str(left.identity), str(right.identity))
        record = self._subscriptions.subscription(key) or self._relayed.subscription(key)
        if record is None:
            return {}
        identifier, time = self._queues.last.get(record.key, (None, None))
        made: Properties = {"LastIndicationIdentifier": identifier, "LastIndicationProductionDateTime": time}
        return {**_shown(record), **{name: value for name, value in made.items() if value is not None}}

    def create(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        given = dict(properties)
        named, destination = self._ends(given, context)
        if isinstance(named, FilterRecord) and self._relayed.is_one(named):
            raise elsewhere(named.name)
        principal = principal_of(context)
        now = datetime.now(UTC)
        record = SubscriptionRecord(
            filter=named.key,
            destination=destination.key,
            owner=principal.name,
            mechanism=str(principal.mechanism),
            groups=tuple(sorted(principal.groups)),
            created=now,
            state_changed=now,
            **_wishes(given),
            properties=left_properties(given),
        )
        self._subscriptions.add_subscription(record, principal)
        return InstancePath(
            class_name,
            {
                "Filter": _instance_of(named, context.namespace).path(),
                "Handler": NamedInstance(destination, context.namespace, {}).path(),
            },
            context.namespace,
        )

    def modify(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        record = self._record(keys, context)
        require_owner(record.owner, context, self._access)
        given = {**_shown(record), **properties}
        wishes = _wishes(given)
        state_changed = record.state_changed if wishes["state"] is record.state else datetime.now(UTC)
        changed = replace(record, **wishes, state_changed=state_changed, properties=left_properties(given))
        self._subscriptions.replace_subscription(changed)

    def delete(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        record = self._record(keys, context)
        require_owner(record.owner, context, self._access)
        self._subscriptions.remove_subscription(record.key)

    def _record(self, keys: Keys, context: RequestContext) -> SubscriptionRecord:
        named, destination = self._ends({name.title(): value for name, value in keys.items()}, context)
        key = subscription_key(named.key, destination.key)
        if self._relayed.subscription(key) is not None:
            raise elsewhere(destination.name)
        record = self._subscriptions.subscription(key)
        if record is None:
            raise CIMError(Status.NOT_FOUND, f"{named.name} is not subscribed to by {destination.name}")
        return record

    def _ends(
        self, given: dict[str, CIMValue], context: RequestContext
    ) -> tuple[FilterRecord | FilterCollection, DestinationRecord]:
        """Take the two references out of the properties or keys of a subscription, and find what they name.

        Raises:
            CIMError: INVALID_PARAMETER for what is no such reference; NOT_FOUND.
        """
        filter_path = self._reference(given, "Filter", (self.filter_class,))
        handler_path = self._reference(given, "Handler", (*DESTINATIONS, RELAYED_DESTINATION))
        destinations = self._servers if handler_path.class_name == RELAYED_DESTINATION else self._destinations
        return (
            self._filters.find(filter_path.class_name, filter_path.keys),
            destinations.find(handler_path.class_name, handler_path.keys),
        )

    def _reference(self, given: dict[str, CIMValue], role: str, classes: Iterable[str]) -> InstancePath:
        path = given.pop(role, None)
        if not isinstance(path, InstancePath):
            raise invalid(f"{role}: it is missing; expected a reference")
        known = next((name for name in classes if name.lower() == path.class_name.lower()), None)
        if known is None:
            raise invalid(f"{role}: {path.class_name} cannot be there; expected {' or '.join(classes)}")
        if path.namespace and not self._interop(path.namespace):
            raise CIMError(Status.NOT_FOUND, f"{role}: there is no {known} in {path.namespace}")
        return InstancePath(known, path.keys)


class CollectionSubscription(Subscription):
    """CIM_FilterCollectionSubscription: the indications of all filters of a collection are sent to a destination."""

    class_names: Sequence[str] = (COLLECTION_SUBSCRIPTION,)
    filter_class = COLLECTION
    left = End("Filter", frozenset({COLLECTION}))


def _instance_of(record: FilterRecord | FilterCollection, namespace: str) -> Instance:
    """What a subscription refers to, as one name of the Interop namespace shows it."""
    if isinstance(record, FilterCollection):
        return CollectionInstance(record, namespace)
    return NamedInstance(record, namespace, {})


def _wishes(given: dict[str, CIMValue]) -> Wishes:
    """Take what a client may wish of a subscription out of its properties.

    Raises:
        CIMError: INVALID_PARAMETER for what the server does not do.
    """
    policy = given.pop("OnFatalErrorPolicy", None)
    state = given.pop("SubscriptionState", None)
    duration = given.pop("SubscriptionDuration", None)
    if repeat_rule(given) is None:
        for name in REPEAT_PROPERTIES:
            given.pop(name, None)
    for name in COMPUTED:
        given.pop(name, None)
    if policy not in (None, *OnFatalError):
        raise invalid(f"OnFatalErrorPolicy: {policy} cannot be; expected 2, 3 or 4")
    if state not in (None, *SubscriptionState):
        raise invalid(f"SubscriptionState: {state} cannot be; expected 2 (Enabled) or 4 (Disabled)")
    if duration is not None and (not isinstance(duration, int) or not 0 < duration <= LONGEST):
        raise invalid(f"SubscriptionDuration: {duration} cannot be; expected 1 to {LONGEST} seconds")
    return {
        "on_fatal_error": OnFatalError(policy or OnFatalError.IGNORE),  # type: ignore[arg-type]
        "state": SubscriptionState(state or SubscriptionState.ENABLED),  # type: ignore[arg-type]
        "duration": duration,
    }


def _shown(record: SubscriptionRecord) -> dict[str, CIMValue]:
    """What a subscription shows beside its references."""
    shown: dict[str, CIMValue] = {
        "RepeatNotificationPolicy": int(RepeatPolicy.NONE),
        **record.properties,
        "OnFatalErrorPolicy": int(record.on_fatal_error),
        "SubscriptionState": int(record.state),
        "TimeOfLastStateChange": record.state_changed,
        "SubscriptionStartTime": record.created,
        "AlertOnStateChange": False,
    }
    if record.duration is not None:
        end = record.created + timedelta(seconds=record.duration)
        shown["SubscriptionDuration"] = record.duration
        shown["SubscriptionTimeRemaining"] = max(0, int((end - datetime.now(UTC)).total_seconds()))
    return shown

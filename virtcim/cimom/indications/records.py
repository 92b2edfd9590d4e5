"""What the store keeps of indications: filters, destinations, subscriptions, and what waits to be delivered."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from virtcim.immutable import immutable
from virtcim.providers.interface import CIMValue

__all__ = [
    "SEPARATOR",
    "DestinationRecord",
    "FilterCollection",
    "FilterRecord",
    "IndicationBody",
    "NamedRecord",
    "OnFatalError",
    "QueuedIndication",
    "Receivers",
    "Route",
    "SubscriptionRecord",
    "SubscriptionState",
    "key_of",
    "subscription_key",
]

SEPARATOR = "\x1f"


class SubscriptionState(enum.IntEnum):
    """CIM_AbstractIndicationSubscription.SubscriptionState."""

    ENABLED = 2
    ENABLED_DEGRADED = 3
    DISABLED = 4


class OnFatalError(enum.IntEnum):
    """CIM_AbstractIndicationSubscription.OnFatalErrorPolicy."""

    IGNORE = 2
    DISABLE = 3
    REMOVE = 4


def key_of(class_name: str, system_class: str, system: str, name: str) -> str:
    """Make the key of a filter or destination of its four keys: all but the name are equal in any case."""
    return SEPARATOR.join((class_name.lower(), system_class.lower(), system.lower(), name))


@immutable(kw_only=True)
class NamedRecord:
    """What filters and destinations have in common.

    Attributes:
        class_name: the creation class.
        system_class, system, name: the keys SystemCreationClassName, SystemName and Name.
        owner: the user who made it.
        created: when, in UTC.
        properties: as the client gave them, by name, keys left out.
        revision: grows with every change.
    """

    class_name: str
    system_class: str
    system: str
    name: str
    owner: str
    created: datetime
    properties: Mapping[str, CIMValue] = field(default_factory=dict)
    revision: int = 0

    @property
    def key(self) -> str:
        """By which it is found."""
        return key_of(self.class_name, self.system_class, self.system, self.name)


@immutable(kw_only=True)
class FilterRecord(NamedRecord):
    """A filter of indications (CIM_IndicationFilter).

    Attributes:
        query, language: as the client gave them, without blanks around them.
        source_namespaces: where the indications come from; empty: every namespace.
    """

    query: str
    language: str
    source_namespaces: tuple[str, ...] = ()


@immutable
class FilterCollection:
    """Filters of the server's own that can be subscribed to together (CIM_FilterCollection).

    Attributes:
        key: by which subscriptions refer to it.
        instance_id, name: InstanceID and CollectionName.
        members: the keys of its filters.
    """

    key: str
    instance_id: str
    name: str
    members: tuple[str, ...]


@immutable(kw_only=True)
class DestinationRecord(NamedRecord):
    """Where indications are sent to (CIM_ListenerDestinationCIMXML).

    Attributes:
        url: of the listener.
        is_transient: whether it goes when it cannot be reached.
    """

    url: str
    is_transient: bool = False


def subscription_key(filter_key: str, destination_key: str) -> str:
    """Make the key of a subscription of those of its two ends."""
    return f"{filter_key}\n{destination_key}"


@immutable(kw_only=True)
class SubscriptionRecord:
    """The indications of a filter are sent to a destination (CIM_IndicationSubscription).

    Attributes:
        filter, destination: their keys; in place of a filter there may be a collection of filters.
        owner, mechanism, groups: the user who subscribed, as `cimom.principals.Principal` has it: nobody is told what
            he may not read.
        created: when, in UTC.
        state, state_changed: whether indications are sent, and since when.
        on_fatal_error: what becomes of it when an indication is given up.
        duration: seconds that it is there; None for ever.
        properties: further ones that the client gave.
        revision: grows with every change.
    """

    filter: str
    destination: str
    owner: str
    mechanism: str
    groups: tuple[str, ...]
    created: datetime
    state: SubscriptionState = SubscriptionState.ENABLED
    state_changed: datetime
    on_fatal_error: OnFatalError = OnFatalError.IGNORE
    duration: int | None = None
    properties: Mapping[str, CIMValue] = field(default_factory=dict)
    revision: int = 0

    @property
    def key(self) -> str:
        """By which it is found."""
        return subscription_key(self.filter, self.destination)


@immutable
class IndicationBody:
    """What an indication says to all who receive it.

    Attributes:
        properties: without what each receiver is told by himself.
    """

    properties: Mapping[str, CIMValue]


@immutable
class Route:
    """The way of indications to one receiver.

    Attributes:
        destination, subscription: their keys.
        filter_name: IndicationFilterName, where he is told it.
        context: SequenceContext; "" where whoever takes them numbers by himself.
    """

    destination: str
    subscription: str
    filter_name: str | None
    context: str


@immutable
class Receivers:
    """For whom an indication waits.

    Attributes:
        class_name: of the indication.
        body: the key of the `IndicationBody` that says what it says.
        queued: when, in UTC.
        numbers: SequenceNumber, by the key of the `Route` to each receiver.
        namespace: of what it is about, where whoever takes it wants to know.
    """

    class_name: str
    body: str
    queued: datetime
    numbers: Mapping[str, int]
    namespace: str = ""


@immutable
class QueuedIndication:
    """An indication that waits for its destination.

    Attributes:
        destination, subscription: their keys.
        class_name, properties: of the indication; in a journal of an earlier version those that only this receiver is
            told.
        queued: when, in UTC.
        namespace: of what it is about, where whoever takes it wants to know.
        body: in such a journal the key of the `IndicationBody` that has the other properties; "" for none.
    """

    destination: str
    subscription: str
    class_name: str
    properties: Mapping[str, CIMValue]
    queued: datetime
    namespace: str = ""
    body: str = ""

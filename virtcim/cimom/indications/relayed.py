"""What clients of other CIM servers have subscribed to there, as the records by which this server shows it.

A CIM server that takes indications is shown as a destination, each filter that is active in it as a filter, and a
subscription between the two.  They come and go with what is active there; here nobody can change them.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import chain

from virtcim.cimom.indications.queue import DestinationQueue
from virtcim.cimom.indications.records import (
    DestinationRecord,
    FilterRecord,
    NamedRecord,
    SubscriptionRecord,
    SubscriptionState,
)
from virtcim.cimom.indications.relay import LANGUAGES, Recipient, Relay, RelayedFilter
from virtcim.cimom.principals import Mechanism

__all__ = ["RELAYED_DESTINATION", "Relayed"]

RELAYED_DESTINATION = "CIM_ListenerDestination"
"""The class of destinations that no protocol of ours leads to."""

DIGEST_SIZE = 8


class Relayed:
    """The filters, destinations and subscriptions of other CIM servers.

    Parameters:
        relay: knows the CIM servers.
        product: of this server, for names.
        system: class and name of the system that this server runs on.
    """

    def __init__(self, relay: Relay, product: str, system: tuple[str, str]) -> None:
        self._relay = relay
        self._prefix = f"{product}:relayed:"
        self._system_class, self._system = system

    def filters(self) -> list[FilterRecord]:
        """Each filter that is active in one of them."""
        return [self._filter(recipient, each) for recipient in self._relay.recipients() for each in recipient.filters]

    def destinations(self) -> list[DestinationRecord]:
        """The CIM servers."""
        return [self._destination(recipient) for recipient in self._relay.recipients()]

    def subscriptions(self) -> list[SubscriptionRecord]:
        """What connects the two."""
        return [
            self._subscription(recipient, each) for recipient in self._relay.recipients() for each in recipient.filters
        ]

    def filter(self, key: str) -> FilterRecord | None:
        """The filter with a key."""
        return next((each for each in self.filters() if each.key == key), None)

    def destination(self, key: str) -> DestinationRecord | None:
        """The CIM server with a key."""
        return next((each for each in self.destinations() if each.key == key), None)

    def subscription(self, key: str) -> SubscriptionRecord | None:
        """The subscription with a key."""
        return next((each for each in self.subscriptions() if each.key == key), None)

    def queue(self, destination: NamedRecord) -> DestinationQueue | None:
        """What waits for a CIM server; None when it is gone."""
        recipient = self._relay.recipient(destination.name.rpartition(":")[2])
        return None if recipient is None else recipient.queue

    def is_one(self, record: NamedRecord) -> bool:
        """Whether a filter or destination is one of these."""
        return any(record.key == each.key for each in chain(self.filters(), self.destinations()))

    def _filter(self, recipient: Recipient, wanted: RelayedFilter) -> FilterRecord:
        text = f"{wanted.namespace}\n{wanted.query}".encode()
        digest = hashlib.blake2b(text, digest_size=DIGEST_SIZE).hexdigest()
        return FilterRecord(
            class_name="CIM_IndicationFilter",
            system_class=self._system_class,
            system=self._system,
            name=f"{self._prefix}{recipient.key}:{digest}",
            owner=wanted.user,
            created=wanted.since,
            query=wanted.query,
            language=LANGUAGES[0],
            source_namespaces=(wanted.namespace,),
        )

    def _subscription(self, recipient: Recipient, wanted: RelayedFilter) -> SubscriptionRecord:
        away = recipient.away_since
        return SubscriptionRecord(
            filter=self._filter(recipient, wanted).key,
            destination=self._destination(recipient).key,
            owner=wanted.user,
            mechanism=str(Mechanism.CMPI),
            groups=tuple(sorted(wanted.groups)),
            created=wanted.since,
            state=SubscriptionState.ENABLED if away is None else SubscriptionState.ENABLED_DEGRADED,
            state_changed=away or wanted.since,
        )

    def _destination(self, recipient: Recipient) -> DestinationRecord:
        first = min((each.since for each in recipient.filters), default=datetime.now(UTC))
        return DestinationRecord(
            class_name=RELAYED_DESTINATION,
            system_class=self._system_class,
            system=self._system,
            name=f"{self._prefix}{recipient.key}",
            owner="",
            created=first,
            url=f"cmpi:{recipient.key}",
        )

"""From changes to indications: made once, held against the filters of their class, and queued for each destination."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from virtcim.cimom.access import Access
from virtcim.cimom.indications.filters import ALERT, CREATION, DELETION, MODIFICATION, CompiledFilter
from virtcim.cimom.indications.journal import Body
from virtcim.cimom.indications.queue import Queues, Receiver
from virtcim.cimom.indications.recent import RecentAlerts
from virtcim.cimom.indications.repeats import RepeatFilter, alert_key
from virtcim.cimom.indications.served import ActiveSubscription
from virtcim.cimom.indications.subscriptions import Subscriptions
from virtcim.cimom.principals import Principal
from virtcim.providers.interface import (
    Alert,
    ChangeListener,
    CIMValue,
    EmbeddedInstance,
    InstanceChange,
    Lifecycle,
    Properties,
)
from virtcim.schema.classes import ClassStore
from virtcim.schema.paths import format_path

__all__ = ["IndicationEngine"]

_log = logging.getLogger(__name__)

CLASSES = {Lifecycle.CREATED: CREATION, Lifecycle.MODIFIED: MODIFICATION, Lifecycle.DELETED: DELETION}

INFORMATION = 2
"""CIM_Indication.PerceivedSeverity of a change."""

OBJECT_PATH = 2
"""CIM_AlertIndication.AlertingElementFormat."""

PROPERTY_SIZE = 120
"""Bytes of memory that a property takes beside its text."""


class Taking(Protocol):
    """A filter of somebody who takes indications otherwise than by a subscription."""

    @property
    def recipient(self) -> Any:
        """For whom it selects."""

    @property
    def filter(self) -> CompiledFilter:
        """Compiled."""

    @property
    def principal(self) -> Principal:
        """Who may be told."""


class Taker(Protocol):
    """Takes indications for others: CIM servers, or clients that hold a connection open."""

    @property
    def active(self) -> Mapping[str, Sequence[Taking]]:
        """The filters that select now, by the class of the indications."""

    @property
    def sources(self) -> frozenset[str]:
        """The classes of instances whose changes are wanted by one of them."""

    def put(self, recipients: Iterable[Any], namespace: str, body: Body) -> None:
        """Take an indication for some of them."""


class IndicationEngine(ChangeListener):
    """Makes the indications of what it is told.

    Parameters:
        subscriptions: whose filters select.
        queues: where they go.
        takers: who else takes them.
        recent: keeps alerts for who comes later.
        access: decides who may be told what.
        classes: the class store.
        host: SourceInstanceHost.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        queues: Queues,
        takers: Sequence[Taker],
        recent: RecentAlerts,
        access: Access,
        classes: ClassStore,
        host: str,
    ) -> None:
        self._subscriptions = subscriptions
        self._queues = queues
        self._takers = tuple(takers)
        self._recent = recent
        self._access = access
        self._classes = classes
        self._host = host
        self._repeats = RepeatFilter()

    @property
    def is_active(self) -> bool:
        return bool(self._subscriptions.served) or any(taker.active for taker in self._takers)

    @property
    def is_lasting(self) -> bool:
        return bool(self._subscriptions.served)

    def wants(self, class_name: str) -> bool:
        return class_name in self._subscriptions.served.sources or any(
            class_name in taker.sources for taker in self._takers
        )

    def changed(self, changes: Sequence[InstanceChange], time: datetime) -> None:
        first: str | None = None
        for change in changes:
            name = change.indication if change.indication in self._classes else CLASSES[change.kind]
            source = change.instance.class_name
            candidates = self._subscriptions.served.of_class(name, source)
            taking = [
                (taker, [each for each in taker.active.get(name, ()) if source in each.filter.sources])
                for taker in self._takers
            ]
            if not candidates and not any(found for _, found in taking):
                continue
            try:
                properties = self._lifecycle(change, time, first)
            except Exception:  # one broken instance must not take the others with it
                _log.exception("%r: its change is not told", change.instance)
                continue
            if first is None:
                first = str(properties["IndicationIdentifier"])
            self._hand_on(candidates, taking, change.instance.namespace, name, properties)

    def alert(self, alert: Alert) -> None:
        candidates = self._subscriptions.served.of_class(ALERT)
        taking = [(taker, taker.active.get(ALERT, ())) for taker in self._takers]
        element = None if alert.element is None else format_path(alert.element.path())
        properties: Properties = {
            **_base(alert.time),
            "AlertingManagedElement": element or alert.element_name,
            "AlertingElementFormat": OBJECT_PATH if element else 0,
            "EventTime": alert.time,
            "SystemName": self._host,
            **alert.properties,
        }
        self._recent.put(alert.namespace, Body(ALERT, properties, _size(properties)))
        if candidates or any(found for _, found in taking):
            self._hand_on(candidates, taking, alert.namespace, ALERT, properties)
            # No comparison at the next start would find it again.
            self._queues.save()

    def _lifecycle(self, change: InstanceChange, time: datetime, correlated: str | None) -> Properties:
        """The properties of the indication of a change.

        Parameters:
            correlated: identifier of the first indication of what this change is a part of.
        """
        instance = change.instance
        shown = instance.properties()
        properties: dict[str, CIMValue] = {
            **_base(time),
            "PerceivedSeverity": INFORMATION,
            "SourceInstance": EmbeddedInstance(instance.class_name, shown),
            "SourceInstanceModelPath": format_path(instance.path()),
            "SourceInstanceHost": self._host,
        }
        if correlated is not None:
            properties["CorrelatedIndications"] = (correlated,)
        if change.kind is Lifecycle.MODIFIED and change.before is not None:
            before = change.before.properties()
            names = before.keys() | shown.keys()
            properties["PreviousInstance"] = EmbeddedInstance(change.before.class_name, before)
            properties["ChangedPropertyNames"] = tuple(
                sorted(name for name in names if before.get(name) != shown.get(name))
            )
        return properties

    def _hand_on(
        self,
        candidates: Sequence[ActiveSubscription],
        taking: Sequence[tuple[Taker, Sequence[Taking]]],
        namespace: str,
        class_name: str,
        properties: Properties,
    ) -> None:
        """Queue an indication for each subscription whose filter selects it and whose user may be told of it."""
        receivers: dict[frozenset[str] | None, list[Receiver]] = {}
        verdicts: dict[tuple[int, int], bool] = {}

        def selects(each: ActiveSubscription | Taking) -> bool:
            # Many subscribe to the same: filters with the same query are one object, and so is a user.
            judge = id(each.filter), id(each.principal)
            verdict = verdicts.get(judge)
            if verdict is None:
                verdict = verdicts[judge] = self._selects(each, namespace, class_name, properties)
            return verdict

        def body_of(wanted: frozenset[str] | None) -> Body:
            sent = properties if wanted is None else {key: properties[key] for key in properties.keys() & wanted}
            return Body(class_name, sent, _size(properties))

        now = datetime.now(UTC)
        for each in candidates:
            if (each.ends is not None and each.ends <= now) or not selects(each):
                continue
            queue = self._queues.find(each.destination)
            if queue is None:
                destination = self._subscriptions.destination(each.destination)
                if destination is None:
                    continue
                queue = self._queues.of(destination)
            if each.repeats is not None and class_name == ALERT:
                event = each.key, each.filter_name, alert_key(properties)
                if not self._repeats.admits(event, each.repeats):
                    continue
            receivers.setdefault(each.filter.projection, []).append(Receiver(queue, each.key, each.filter_name))
        identifier = str(properties["IndicationIdentifier"])
        for projection, several in receivers.items():
            self._queues.put(body_of(projection), several, identifier)
        for taker, found in taking:
            recipients = {each.recipient for each in found if selects(each)}
            if recipients:
                taker.put(recipients, namespace, body_of(None))

    def _selects(
        self, each: ActiveSubscription | Taking, namespace: str, class_name: str, properties: Properties
    ) -> bool:
        if not each.filter.covers(namespace) or not self._access.may_read(each.principal, namespace):
            return False
        try:
            return each.filter.selects(class_name, properties)
        except Exception:
            _log.exception("a filter cannot judge a %s", class_name)
            return False


def _base(time: datetime) -> dict[str, CIMValue]:
    return {"IndicationIdentifier": f"virtcim:{uuid.uuid4()}", "IndicationTime": time}


def _size(properties: Properties) -> int:
    """Bytes of memory that an indication takes, about."""
    total = 0
    for value in properties.values():
        total += PROPERTY_SIZE
        if isinstance(value, EmbeddedInstance):
            total += _size(value.properties)
        elif isinstance(value, str):
            total += len(value)
        elif isinstance(value, list | tuple):
            total += sum(len(each) if isinstance(each, str) else PROPERTY_SIZE for each in value)
    return total

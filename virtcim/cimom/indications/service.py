"""The indication service (DSP1054 1.2): everything put together, and the objects by which clients see it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain

from virtcim.cimom.access import Access
from virtcim.cimom.discovery.model import ServerObjects
from virtcim.cimom.discovery.objects import FixedAssociation, FixedInstance, FixedProvider
from virtcim.cimom.indications.delivery import Deliverer, Sender
from virtcim.cimom.indications.engine import IndicationEngine
from virtcim.cimom.indications.filters import FilterCompiler
from virtcim.cimom.indications.objects import (
    CollectionProvider,
    DestinationProvider,
    FilterProvider,
    MemberOfCollection,
    RelayedDestinationProvider,
)
from virtcim.cimom.indications.predefined import predefined_filters
from virtcim.cimom.indications.queue import DestinationQueue, Queues
from virtcim.cimom.indications.recent import RecentAlerts
from virtcim.cimom.indications.records import FilterCollection, FilterRecord
from virtcim.cimom.indications.relay import Relay
from virtcim.cimom.indications.relayed import Relayed
from virtcim.cimom.indications.settings import REMOVAL_ACTIONS, IndicationSettings
from virtcim.cimom.indications.streams import EventStreams
from virtcim.cimom.indications.subscribing import CollectionSubscription, Subscription
from virtcim.cimom.indications.subscriptions import Subscriptions
from virtcim.cimom.namespaces import normalized
from virtcim.providers.interface import (
    Association,
    ChangeSource,
    End,
    Instance,
    InstanceProvider,
    RequestContext,
    Store,
)
from virtcim.schema.classes import ClassStore

__all__ = ["IndicationService"]

SERVICE = "CIM_IndicationService"
CAPABILITIES = "CIM_IndicationServiceCapabilities"
SYSTEM = "CIM_ComputerSystem"


class IndicationService:
    """Filters, destinations and subscriptions, the engine that serves them, and delivery.

    Parameters:
        source: where changes are known.
        store: keeps everything over a restart.
        classes: the class store.
        access: decides who may be told what.
        settings: limits and patience.
        sender: speaks to listeners.
        product: of the server, for names.
        system_name: of the host.
        host: the host in paths and SourceInstanceHost.
        namespaces: of the server, where filters may look.
        interop: the names of the Interop namespace.

    Attributes:
        subscriptions: all of them.
        queues: what waits to be delivered.
        relay: other CIM servers that take indications.
        streams: clients that hold a connection open.
        alerts: of late.
    """

    def __init__(
        self,
        source: ChangeSource,
        store: Store,
        classes: ClassStore,
        access: Access,
        settings: IndicationSettings,
        sender: Sender,
        product: str,
        system_name: str,
        host: str,
        namespaces: Iterable[str],
        interop: Sequence[str],
    ) -> None:
        self._source = source
        self._settings = settings
        self._access = access
        self._system_name = system_name
        self._product = product
        self._name = f"{product}:{system_name}"
        self._interop = frozenset(normalized(name) for name in interop)
        self._compiler = compiler = FilterCompiler(
            classes, source.class_names, source.indications, [*namespaces, *interop], self._interop
        )
        self.subscriptions = Subscriptions(store, compiler, access, settings, self._predefined())
        self.queues = Queues(store, settings, f"{self._name}:indications", uuid.uuid4().hex)
        self.relay = Relay(store, compiler, access, settings, self.queues.memory)
        self._relayed = Relayed(self.relay, product, (SYSTEM, system_name))
        self.streams = EventStreams(compiler, settings)
        self.alerts = RecentAlerts(access)
        takers = (self.relay, self.streams)
        self._engine = IndicationEngine(self.subscriptions, self.queues, takers, self.alerts, access, classes, host)
        self._deliverer = Deliverer(self.subscriptions, self.queues, sender, settings)

    def start(self) -> None:
        """Begin to deliver, and to follow what changes."""
        self._deliverer.start()
        self._source.start(self._engine)
        self.subscriptions.wanted.append(self._source.wanted_changed)
        self.relay.listeners.append(self._source.wanted_changed)
        self.streams.listeners.append(self._source.wanted_changed)

    def stop(self) -> None:
        """End: what is not delivered yet is so after the next start."""
        self._source.stop()
        self._deliverer.stop()

    def look_at(self, namespaces: Iterable[str]) -> None:
        """Take notice that the server has other namespaces, and its source of changes others to tell of.

        Parameters:
            namespaces: of the server, where filters may look.
        """
        self._compiler.place(self._source.class_names, [*namespaces, *self._interop])
        self.subscriptions.look_elsewhere(self._predefined())

    def _predefined(self) -> tuple[list[FilterRecord], list[FilterCollection]]:
        homes = frozenset[str]().union(*set(self._source.class_names.values()))
        shown = (home for home in homes if not self._is_interop(home))
        return predefined_filters(self._product, self._system_name, shown)

    def figures(self) -> Iterable[tuple[str, str, Callable[[], float]]]:
        """The figures for monitoring: name, what it is, and the function that tells it."""
        own, relay, relayed = self.subscriptions, self.relay, self._relayed
        yield (
            "subscriptions",
            "Subscriptions to indications, those in other CIM servers too",
            lambda: len(own.subscriptions()) + len(relayed.subscriptions()),
        )
        yield (
            "destinations_failing",
            "Destinations and CIM servers that do not take indications",
            lambda: (
                sum(queue.failing_since is not None for queue in self.queues.all())
                + sum(each.away_since is not None for each in relay.recipients())
            ),
        )
        yield "event_streams", "Streams of events, those whose clients may come back too", lambda: len(self.streams)
        yield "event_streams_bytes", "Memory of what is kept for these, about", lambda: self.streams.size
        for name, text in (
            ("waiting", "Indications that wait to be delivered"),
            ("waiting_bytes", "Memory of these, about"),
            ("delivered", "Indications that were delivered since the start"),
            ("failures", "Attempts to deliver one that failed since the start"),
            ("dropped", "Indications that were given up since the start"),
        ):
            yield f"indications_{name}", text, partial(self._total, name)

    def _total(self, name: str) -> float:
        """One figure over all queues."""
        return sum(map(FIGURES[name], chain(self.queues.all(), self.relay.queues())))

    def objects(self, server: ServerObjects) -> tuple[list[InstanceProvider], list[Association]]:
        """The providers and associations for one name of the Interop namespace.

        Parameters:
            server: its own objects there.
        """
        system = server.system
        keys = (str(system.class_name), self._system_name)
        shared = (self.subscriptions, self._settings, self._access, keys, _new_name, self.queues, self._relayed)
        filters, destinations = FilterProvider(*shared), DestinationProvider(*shared)
        servers, collections = RelayedDestinationProvider(*shared), CollectionProvider(self.subscriptions)
        further = (destinations, self._access, self._is_interop, self.queues, self._relayed, servers)
        subscription = Subscription(self.subscriptions, filters, *further)
        collected = CollectionSubscription(self.subscriptions, collections, *further)
        service, capabilities = self._service(server), self._capabilities(server)
        return (
            [FixedProvider([service, capabilities]), filters, destinations, servers, collections],
            [
                subscription,
                collected,
                MemberOfCollection(collections, filters),
                FixedAssociation("CIM_HostedService", ("Antecedent", "Dependent"), [(system, service)]),
                FixedAssociation(
                    "CIM_ElementCapabilities", ("ManagedElement", "Capabilities"), [(service, capabilities)]
                ),
                AffectedElements(service, (filters, destinations, servers, collections)),
            ],
        )

    def _is_interop(self, namespace: str) -> bool:
        return normalized(namespace) in self._interop

    def _service(self, server: ServerObjects) -> FixedInstance:
        settings = self._settings
        return server.hosted(
            SERVICE,
            f"{self._name}:indications",
            {
                "ElementName": f"{self._product} indication service",
                "Started": True,
                "FilterCreationEnabled": True,
                "DeliveryRetryAttempts": settings.retry_attempts,
                "DeliveryRetryInterval": int(settings.retry_interval),
                "SubscriptionRemovalAction": REMOVAL_ACTIONS[settings.removal_action],
                "SubscriptionRemovalTimeInterval": settings.removal_seconds,
            },
        )

    def _capabilities(self, server: ServerObjects) -> FixedInstance:
        return server.with_id(
            CAPABILITIES,
            "IndicationService",
            {
                "FilterCreationEnabledIsSettable": False,
                "DeliveryRetryAttemptsIsSettable": False,
                "DeliveryRetryIntervalIsSettable": False,
                "SubscriptionRemovalActionIsSettable": False,
                "SubscriptionRemovalTimeIntervalIsSettable": False,
                "MaxListenerDestinations": self._settings.max_subscriptions,
                "MaxActiveSubscriptions": self._settings.max_subscriptions,
                "SubscriptionsPersisted": True,
            },
        )


class AffectedElements(Association):
    """CIM_ServiceAffectsElement: the indication service manages filters and destinations.

    Parameters:
        service: the service.
        providers: of what it manages.
    """

    class_names = ("CIM_ServiceAffectsElement",)

    def __init__(self, service: FixedInstance, providers: Sequence[InstanceProvider]) -> None:
        self._service = service
        self._providers = providers
        self.left = End("AffectedElement", frozenset(name for each in providers for name in each.class_names))
        self.right = End("AffectingElement", frozenset({SERVICE}))

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        return (self._service,)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        for provider in self._providers:
            for class_name in provider.class_names:
                yield from provider.instances(class_name, context)

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self.to_left(self._service, context)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]

    def properties(self, left: Instance, right: Instance) -> dict[str, tuple[int, ...]]:
        return {"ElementEffects": (MANAGES,)}


MANAGES = 5
"""CIM_ServiceAffectsElement.ElementEffects: Manages."""


FIGURES: Mapping[str, Callable[[DestinationQueue], int]] = {
    "waiting": len,
    "waiting_bytes": lambda queue: queue.size,
    "delivered": lambda queue: queue.delivered,
    "failures": lambda queue: queue.failures,
    "dropped": lambda queue: queue.dropped,
}
"""What is counted of each queue."""


def _new_name() -> str:
    return f"virtcim:{uuid.uuid4()}"

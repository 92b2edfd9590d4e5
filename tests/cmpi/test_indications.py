"""Subscriptions in another CIM server: from a change, through the engine and the relay, to what the broker delivers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.bed import wait_until
from tests.cimom.toy import MOF, Toy, ToyInstance
from tests.cmpi.broker import Broker
from tests.cmpi.conftest import Bridge
from virtcim.app.store import SQLiteStore
from virtcim.cimom.access import Access, RoleSettings
from virtcim.cimom.indications import relay
from virtcim.cimom.indications.service import IndicationService
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.frontends.cimxml.export import CIMXMLExport
from virtcim.providers.interface import ChangeListener, ChangeSource, InstanceChange, Lifecycle
from virtcim.schema.mof import load_class_store

PROVIDER = "Virt_Indication"
CREATED = "CIM_InstCreation"
QUERY = f"SELECT * FROM {CREATED} WHERE SourceInstance ISA Toy_Named"
DISKS = f"SELECT * FROM {CREATED} WHERE SourceInstance ISA Toy_Disk"

INDICATIONS = """
Qualifier Indication : boolean = false, Scope(class, indication), Flavor(DisableOverride, ToSubclass);

[Indication, Abstract]
class CIM_Indication {
    string IndicationIdentifier;
    string CorrelatedIndications[];
    datetime IndicationTime;
    string IndicationFilterName;
    string SequenceContext;
    sint64 SequenceNumber;
    uint16 PerceivedSeverity;
};

[Indication, Abstract]
class CIM_InstIndication : CIM_Indication {
    [EmbeddedObject, Required] string SourceInstance;
    string SourceInstanceModelPath;
    string SourceInstanceHost;
};

[Indication]
class CIM_InstCreation : CIM_InstIndication {
};
"""
CLASSES = load_class_store([(MOF.name, MOF.read_text()), ("indications.mof", INDICATIONS)], [], [], None)


class Source(ChangeSource):
    """Instances that a test makes.

    Attributes:
        listener: who is told; None before the start.
    """

    def __init__(self) -> None:
        toys = frozenset({"root/toy"})
        self.class_names = {"Toy_System": toys, "Toy_Disk": toys}
        self.indications: dict[str, frozenset[str]] = {}
        self.listener: ChangeListener | None = None
        self.wanted = threading.Condition()

    def start(self, listener: ChangeListener) -> None:
        self.listener = listener

    def wanted_changed(self) -> None:
        with self.wanted:
            self.wanted.notify_all()

    def stop(self) -> None:
        self.listener = None

    def wait(self, *class_names: str) -> None:
        """Wait until just these are wanted."""

        with self.wanted:
            assert self.wanted.wait_for(lambda: self.wanted_classes() == set(class_names), 60)

    def wanted_classes(self) -> set[str]:
        """The classes that somebody wants to be told of."""
        assert self.listener is not None
        return {name for name in self.class_names if self.listener.wants(name)}

    def fire(self, number: int, class_name: str = "Toy_System") -> None:
        instance = ToyInstance(class_name, {"Name": f"event-{number}"})
        assert self.listener is not None
        self.listener.changed([InstanceChange(Lifecycle.CREATED, None, instance)], datetime.now(UTC))


class House:
    """The daemon with all that belongs to indications; it can be restarted.

    Attributes:
        source: of changes.
        service: of indications; another one after each start.
    """

    def __init__(self, toy: Toy, socket: Path, **settings: Any) -> None:
        self.source = Source()
        self.service: IndicationService | None = None
        self._bridge = Bridge(toy, socket, CLASSES)
        self._path = socket.with_name("state.sqlite")
        self._settings = IndicationSettings(**settings)

    def start(self, roles: RoleSettings | None = None) -> None:
        self._store = SQLiteStore(self._path)
        access = Access(roles or RoleSettings(), {}, CLASSES.ancestors)
        sender = CIMXMLExport(CLASSES, "root/toy", "localhost", self._settings)
        names = ["root/toy", "root/far"]
        self.service = IndicationService(
            self.source, self._store, CLASSES, access, self._settings, sender, "toy", "host", "localhost", names, []
        )
        self.service.start()
        self._bridge.start(self.service.relay, access)

    def stop(self) -> None:
        self._bridge.stop()
        if self.service is not None:
            self.service.stop()
            self.service = None
            self._store.close()


@pytest.fixture
def new_house(toy: Toy, socket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., House]]:
    monkeypatch.setattr(relay, "SETTLE", 2.0)
    made: list[House] = []

    def make(**settings: Any) -> House:
        made.append(House(toy, socket, **settings))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def house(new_house: Callable[..., House]) -> House:
    return new_house()


@pytest.fixture(params=["sfcb", "sfcb-fork", "pegasus"])
def subscribed(request: pytest.FixtureRequest, house: House, socket: Path) -> Iterator[Broker]:
    with Broker(socket, pegasus=request.param == "pegasus", fork=request.param == "sfcb-fork") as broker:
        subscribe(broker, QUERY)
        house.source.wait("Toy_System", "Toy_Disk")
        yield broker


def subscribe(broker: Broker, *queries: str) -> None:
    """Do what a CIM server does for subscriptions that it has found, or that a client has made."""
    broker.good("principal", "root")
    for query in queries:
        broker.good("authorize", PROVIDER, "root/toy", CREATED, query)
        broker.good("activate", PROVIDER, "root/toy", CREATED, query)
    broker.good("enable", PROVIDER)


def told(answer: dict[str, Any]) -> list[str]:
    """The names of the instances that indications tell of."""
    return [name(each["instance"]["properties"]) for each in answer["indications"]]


def name(properties: dict[str, Any]) -> str:
    return str(properties["SourceInstance"][1]["properties"]["Name"][1])


def events(numbers: Sequence[int]) -> list[str]:
    return [f"event-{number}" for number in numbers]


def test_delivery(subscribed: Broker, house: House) -> None:
    for number in range(100):
        house.source.fire(number)
    answer = subscribed.good("wait", 100, 30_000)
    assert told(answer) == events(range(100))
    first = answer["indications"][0]
    assert first["namespace"] == "root/toy"
    assert first["instance"]["path"]["class"] == CREATED
    properties = first["instance"]["properties"]
    assert properties["SourceInstance"][1]["path"]["class"] == "Toy_System"
    assert properties["SourceInstanceModelPath"][1].endswith('Name="event-0"')
    # Numbers and the name of the filter are the affair of the CIM server that has the subscription.
    assert not {"SequenceContext", "SequenceNumber", "IndicationFilterName"} & {
        key for key, value in properties.items() if value[1] is not None
    }


def test_the_conditions_of_filters_are_evaluated_here(subscribed: Broker, house: House) -> None:
    """The test broker hands on whatever it gets, as an installed one does not."""
    subscribed.good("deactivate", PROVIDER, "root/toy", CREATED, QUERY)
    house.source.wait()
    subscribed.good("activate", PROVIDER, "root/toy", CREATED, DISKS)
    house.source.wait("Toy_Disk")
    house.source.fire(1)
    house.source.fire(2, "Toy_Disk")
    assert told(subscribed.good("wait", 1, 30_000)) == events([2])
    # What two filters select comes once: the CIM server finds out whose it is.
    subscribed.good("activate", PROVIDER, "root/toy", CREATED, QUERY)
    house.source.wait("Toy_System", "Toy_Disk")
    house.source.fire(3, "Toy_Disk")
    house.source.fire(4)
    assert told(subscribed.good("wait", 2, 30_000)) == events([3, 4])


def test_nothing_after_the_end(subscribed: Broker, house: House) -> None:
    subscribed.good("disable", PROVIDER)
    house.source.fire(1)
    assert told(subscribed.good("wait", 1, 300)) == []
    subscribed.good("enable", PROVIDER)
    house.source.fire(2)
    assert told(subscribed.good("wait", 1, 30_000)) == events([2])
    subscribed.good("deactivate", PROVIDER, "root/toy", CREATED, QUERY)
    house.source.wait()
    house.source.fire(3)
    subscribed.good("activate", PROVIDER, "root/toy", CREATED, QUERY)
    house.source.wait("Toy_System", "Toy_Disk")
    house.source.fire(4)
    assert told(subscribed.good("wait", 1, 30_000)) == events([4])


def test_what_happens_while_the_daemon_is_away_is_still_selected(subscribed: Broker, house: House) -> None:
    """A daemon that starts knows the filters before the CIM server is back, and finds out what has changed."""
    for number in range(3):
        house.stop()
        house.start()
        house.source.wait("Toy_System", "Toy_Disk")
        house.source.fire(number)
        assert told(subscribed.good("wait", 1, 60_000)) == events([number])


def test_a_filter_is_taken_while_the_daemon_is_away(toy: Toy, socket: Path) -> None:
    """A CIM server reads its subscriptions at its start, maybe before the daemon is there."""
    with Broker(socket) as broker:
        subscribe(broker, QUERY)
        house = House(toy, socket)
        house.start()
        house.source.wait("Toy_System", "Toy_Disk")
        house.source.fire(5)
        assert told(broker.good("wait", 1, 30_000)) == events([5])
    house.stop()


@pytest.mark.parametrize("is_daemon_restarted", [False, True])
def test_what_happens_while_the_cim_server_is_away_waits(house: House, socket: Path, is_daemon_restarted: bool) -> None:
    with Broker(socket) as broker:
        subscribe(broker, QUERY, DISKS)
        house.source.wait("Toy_System", "Toy_Disk")
        house.source.fire(0)
        assert told(broker.good("wait", 1, 30_000)) == events([0])
    for number in range(1, 6):
        house.source.fire(number, "Toy_Disk")
    if is_daemon_restarted:
        house.stop()
        house.start()
    with Broker(socket) as broker:
        # One after the other, with a pause: what waits is sent once, and not before both are active again.
        subscribe(broker, DISKS)
        assert told(broker.good("wait", 1, 500)) == []
        subscribe(broker, QUERY)
        assert told(broker.good("wait", 5, 30_000)) == events(range(1, 6))
        house.source.fire(6)
        assert told(broker.good("wait", 1, 30_000)) == events([6])


def test_a_cim_server_that_comes_back_with_fewer_filters(house: House, socket: Path) -> None:
    with Broker(socket) as broker:
        subscribe(broker, QUERY, DISKS)
        house.source.wait("Toy_System", "Toy_Disk")
    house.source.fire(1, "Toy_Disk")
    with Broker(socket) as broker:
        subscribe(broker, DISKS)
        assert told(broker.good("wait", 1, 30_000)) == events([1])
        house.source.wait("Toy_Disk")


def test_what_a_cim_server_that_dies_had_not_taken_is_sent_again(house: House, socket: Path) -> None:
    broker = Broker(socket)
    subscribe(broker, QUERY)
    house.source.wait("Toy_System", "Toy_Disk")
    house.source.fire(1)
    assert told(broker.good("wait", 1, 30_000)) == events([1])
    service = house.service
    assert service is not None
    wait_until(lambda: service.relay.waiting() == 0)
    broker.process.kill()
    broker.process.communicate()
    house.source.fire(2)
    with Broker(socket) as again:
        subscribe(again, QUERY)
        assert told(again.good("wait", 1, 30_000)) == events([2])


def test_an_indication_that_no_cim_server_outlives_is_given_up(house: House, socket: Path) -> None:
    """One that takes the CIM server down holds up the others only for so long."""
    service = house.service
    assert service is not None
    wanted = relay.RelayedFilter("root", "root/toy", QUERY)
    connection = service.relay.connect()
    connection.name_filters([wanted])
    house.source.fire(1)
    house.source.fire(2)
    for _ in range(relay.ATTEMPTS):
        waiting = connection.take()
        assert waiting is not None
        assert name_of(waiting.indication.properties) == "event-1"
        connection.close()
        connection = service.relay.connect()
        connection.name_filters([wanted])
    waiting = connection.take()
    assert waiting is not None
    assert name_of(waiting.indication.properties) == "event-2"
    connection.close()


def name_of(properties: Mapping[str, Any]) -> str:
    return str(properties["SourceInstance"].properties["Name"])


def test_the_queue_is_bounded(new_house: Callable[..., House], socket: Path) -> None:
    house = new_house(queue_length=3)
    with Broker(socket) as broker:
        subscribe(broker, QUERY)
        house.source.wait("Toy_System", "Toy_Disk")
    for number in range(10):
        house.source.fire(number)
    with Broker(socket) as broker:
        subscribe(broker, QUERY)
        assert told(broker.good("wait", 3, 30_000)) == events([7, 8, 9])


def test_a_cim_server_that_stays_away_is_forgotten(new_house: Callable[..., House], socket: Path) -> None:
    house = new_house(away_seconds=0)
    with Broker(socket) as broker:
        subscribe(broker, QUERY)
        house.source.wait("Toy_System", "Toy_Disk")

    def forgotten() -> bool:
        """It is looked for with each change; the daemon notices later than the test that it has gone."""
        house.source.fire(1)
        return not house.source.wanted_classes()

    wait_until(forgotten)


def test_filters_that_are_refused(subscribed: Broker, house: House) -> None:
    def refused(operation: str, namespace: str, query: str) -> tuple[int, str]:
        answer = subscribed.do(operation, PROVIDER, namespace, CREATED, query)
        return answer["rc"], answer["message"]

    for operation in ("authorize", "activate"):
        assert refused(operation, "root/nowhere", QUERY)[0] == 3
        assert refused(operation, "root/far", QUERY)[0] == 4
        rc, message = refused(operation, "root/toy", f"SELECT * FROM {CREATED} WHERE SourceInstance ISA Toy_Remote")
        assert (rc, message) == (15, "No instance of Toy_Remote is told of by indications here")
        assert refused(operation, "root/toy", "SELECT FROM")[0] == 15
    assert subscribed.do("authorize", PROVIDER, "root/toy", "Toy_Nothing", QUERY)["rc"] == 5


def test_nobody_is_told_what_he_may_not_read(house: House, socket: Path) -> None:
    house.stop()
    house.start(RoleSettings(read=("root",), administer=("root",)))
    with Broker(socket) as broker:
        subscribe(broker, QUERY)
        house.source.wait("Toy_System", "Toy_Disk")
        broker.good("principal", "guest")
        assert broker.do("authorize", PROVIDER, "root/toy", CREATED, QUERY)["rc"] == 2
        assert broker.do("activate", PROVIDER, "root/toy", CREATED, QUERY)["rc"] == 2
    house.source.fire(1)
    with Broker(socket) as broker:
        # SFCB activates what it knows at its start as this user: it is still root who is told.
        broker.good("principal", "$$")
        assert broker.do("activate", PROVIDER, "root/toy", CREATED, DISKS)["rc"] == 2
        broker.good("activate", PROVIDER, "root/toy", CREATED, QUERY)
        broker.good("enable", PROVIDER)
        assert told(broker.good("wait", 1, 30_000)) == events([1])
        house.source.fire(2)
        assert told(broker.good("wait", 1, 30_000)) == events([2])

"""Subscriptions: from the source in the daemon to what the broker is told to deliver."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cimom.toy import SINCE, Toy
from tests.cmpi.broker import Broker
from tests.cmpi.conftest import Bridge
from virtcim.providers.interface import EmbeddedInstance

CLASS = "Toy_Setting"
QUERY = f"SELECT * FROM {CLASS}"


class Source:
    """An indication source that a test fires."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[str, EmbeddedInstance], None]] = []
        self.changed = threading.Condition()

    def listen(self, deliver: Callable[[str, EmbeddedInstance], None]) -> Callable[[], None]:
        with self.changed:
            self.listeners.append(deliver)
            self.changed.notify_all()

        def stop() -> None:
            with self.changed:
                self.listeners.remove(deliver)
                self.changed.notify_all()

        return stop

    def wait(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.listeners) == count, 10)

    def fire(self, number: int, class_name: str = CLASS) -> None:
        for deliver in list(self.listeners):
            deliver("root/toy", EmbeddedInstance(class_name, {
                "InstanceID": f"event-{number}", "Weight": number, "Since": SINCE, "Words": ["a", "b"],
            }))  # fmt: skip


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture(params=["sfcb", "sfcb-fork", "pegasus"])
def subscribed(request: pytest.FixtureRequest, toy: Toy, socket: Path, source: Source) -> Any:
    bridge = Bridge(toy, socket)
    bridge.start(source)
    with Broker(socket, pegasus=request.param == "pegasus", fork=request.param == "sfcb-fork") as broker:
        broker.good("authorize", "Toy", "root/toy", CLASS, QUERY)
        broker.good("activate", "Toy", "root/toy", CLASS, QUERY)
        broker.good("enable", "Toy")
        source.wait(1)
        yield bridge, broker
    bridge.stop()


def numbers(answer: dict[str, Any]) -> list[int]:
    return [each["instance"]["properties"]["Weight"][1] for each in answer["indications"]]


def test_delivery(subscribed: tuple[Bridge, Broker], source: Source) -> None:
    _, broker = subscribed
    for number in range(100):
        source.fire(number)
    answer = broker.good("wait", 100, 10_000)
    assert numbers(answer) == list(range(100))
    first = answer["indications"][0]
    assert first["namespace"] == "root/toy"
    assert first["instance"]["path"]["class"] == CLASS
    assert first["instance"]["properties"]["Words"] == ["string[]", ["a", "b"]]


def test_only_what_the_filters_ask_for(subscribed: tuple[Bridge, Broker], source: Source) -> None:
    _, broker = subscribed
    source.fire(1, "Toy_Disk")
    source.fire(2)
    assert numbers(broker.good("wait", 1, 10_000)) == [2]
    # A second filter on the same class brings nothing twice: the broker evaluates the filters itself.
    broker.good("activate", "Toy", "root/toy", CLASS, QUERY + " WHERE Weight > 1")
    source.fire(3)
    assert numbers(broker.good("wait", 2, 300)) == [3]


def test_nothing_after_the_end(subscribed: tuple[Bridge, Broker], source: Source) -> None:
    _, broker = subscribed
    broker.good("deactivate", "Toy", "root/toy", CLASS, QUERY)
    source.wait(0)
    broker.good("activate", "Toy", "root/toy", CLASS, QUERY)
    source.wait(1)
    broker.good("disable", "Toy")
    source.fire(1)
    assert numbers(broker.good("wait", 1, 300)) == []
    source.wait(0)
    broker.good("enable", "Toy")
    source.wait(1)
    source.fire(2)
    assert numbers(broker.good("wait", 1, 10_000)) == [2]


def test_subscriptions_outlive_the_daemon(subscribed: tuple[Bridge, Broker], source: Source) -> None:
    bridge, broker = subscribed
    for number in range(3):
        bridge.stop()
        source.wait(0)
        bridge.start(source)
        source.wait(1)
        source.fire(number)
        assert numbers(broker.good("wait", 1, 10_000)) == [number]


def test_a_filter_is_taken_while_the_daemon_is_away(toy: Toy, socket: Path, source: Source) -> None:
    """A CIM server reads its subscriptions at its start, maybe before the daemon is there."""
    with Broker(socket) as broker:
        broker.good("authorize", "Toy", "root/toy", CLASS, QUERY)
        broker.good("activate", "Toy", "root/toy", CLASS, QUERY)
        broker.good("enable", "Toy")
        bridge = Bridge(toy, socket)
        bridge.start(source)
        source.wait(1)
        source.fire(5)
        assert numbers(broker.good("wait", 1, 10_000)) == [5]
    bridge.stop()


def test_filters_on_unknown_classes_are_refused(subscribed: tuple[Bridge, Broker]) -> None:
    _, broker = subscribed
    assert broker.do("authorize", "Toy", "root/toy", "Toy_Nothing", "SELECT * FROM Toy_Nothing")["rc"] == 5
    assert broker.do("authorize", "Toy", "root/nowhere", CLASS, QUERY)["rc"] == 3

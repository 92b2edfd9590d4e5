"""Repeated alerts are sent as often as a subscription wants (RepeatNotificationPolicy)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.bed import wait_until
from tests.indications.parts import Running, Scripted, system
from virtcim.cimom.indications import repeats
from virtcim.cimom.indications.repeats import RepeatFilter, RepeatPolicy, RepeatRule

ALERTS = "SELECT * FROM CIM_AlertIndication"


class Clock:
    """Seconds that a test lets go by."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("rule", "times", "sent"),
    [
        # The first two of each interval, which begins with the first that comes after the one before.
        (RepeatRule(RepeatPolicy.SUPPRESS, 10, 0, 2), (0, 1, 2, 9, 11, 12, 13), (0, 1, 11, 12)),
        (RepeatRule(RepeatPolicy.SUPPRESS, 10, 0, 1), (0, 10, 15, 21), (0, 10, 21)),
        # The third within an interval, then nothing until the gap is over; what came in it does not count.
        (RepeatRule(RepeatPolicy.DELAY, 10, 30, 2), (0, 1, 2, 3, 20, 33, 34, 35), (2, 35)),
        (RepeatRule(RepeatPolicy.DELAY, 10, 30, 2), (0, 8, 12, 20, 21), (21,)),
    ],
)
def test_which_of_several_are_sent(rule: RepeatRule, times: tuple[int, ...], sent: tuple[int, ...]) -> None:
    clock = Clock()
    chosen = RepeatFilter(clock)
    admitted = []
    for time in times:
        clock.now = 100.0 + time
        if chosen.admits("event", rule):
            admitted.append(time)
    assert tuple(admitted) == sent


def test_events_that_are_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MAX_EVENTS", 10)
    clock, rule = Clock(), RepeatRule(RepeatPolicy.SUPPRESS, 10, 0, 1)
    chosen = RepeatFilter(clock)
    for number in range(100):
        clock.now += 5
        assert chosen.admits(number, rule)
        assert len(chosen._events) <= 10


def test_an_alert_that_repeats_is_sent_once_and_a_change_always(
    run: Callable[..., Running], listen: Callable[..., Scripted]
) -> None:
    running, listener, other = run(), listen(), listen()
    wishes: dict[str, Any] = {
        "RepeatNotificationPolicy": 3,
        "RepeatNotificationInterval": 3600,
        "RepeatNotificationCount": 1,
    }
    running.subscribe(listener.url, ALERTS, "alerts", **wishes)
    changes = running.subscribe(other.url, "SELECT * FROM CIM_InstModification", "changes", **wishes)
    for number in range(3):
        running.source.alert(MessageID="VIRT0001", Message=f"a{number}")
        running.source.tell(system("a", number), system("a", number + 1))
    running.source.alert(MessageID="VIRT0002", Message="b")
    listener.wait_for(2)
    wait_until(lambda: running.queue(changes).delivered == 3)
    messages = [body.partition(b'NAME="MessageID"')[2][:60] for body in listener.bodies]
    assert [b"VIRT0001" in each for each in messages] == [True, False]
    assert [b"VIRT0002" in each for each in messages] == [False, True]

"""Indications that say again what was said already (CIM_AbstractIndicationSubscription.RepeatNotificationPolicy).

What repeats is an alert: the same message about the same thing.  A change of an instance is never a repetition.
"""

from __future__ import annotations

import enum
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, CIMValue, Properties, Status

__all__ = ["REPEAT_PROPERTIES", "RepeatFilter", "RepeatPolicy", "RepeatRule", "alert_key", "repeat_rule"]

MAX_COUNT = 1000
"""RepeatNotificationCount at most: so many times are kept of each event."""
MAX_SECONDS = 366 * 24 * 3600
"""Seconds of an interval or gap at most: a year."""
MAX_EVENTS = 10_000
"""Events that are kept in mind; beyond it those that are over are forgotten."""

REPEAT_PROPERTIES = (
    "RepeatNotificationPolicy",
    "RepeatNotificationInterval",
    "RepeatNotificationGap",
    "RepeatNotificationCount",
)
"""What a subscription says of repeated indications."""


class RepeatPolicy(enum.IntEnum):
    """RepeatNotificationPolicy, as far as it is done here."""

    NONE = 2
    SUPPRESS = 3
    DELAY = 4


@immutable
class RepeatRule:
    """What a subscription wants of repeated indications.

    Attributes:
        policy: SUPPRESS sends the first `count` of each interval; DELAY sends one when there are more than `count` in
            an interval, and then nothing until the gap is over.
        interval, gap: seconds.
        count: indications of one event.
    """

    policy: RepeatPolicy
    interval: int
    gap: int
    count: int


def repeat_rule(given: Mapping[str, CIMValue]) -> RepeatRule | None:
    """What the properties of a subscription say of repeated indications; None for nothing.

    Raises:
        CIMError: INVALID_PARAMETER for a policy that is not done here, and for numbers that are missing or cannot be.
    """
    policy = given.get("RepeatNotificationPolicy")
    if policy in (None, RepeatPolicy.NONE):
        return None
    if policy not in (RepeatPolicy.SUPPRESS, RepeatPolicy.DELAY):
        expected = "2 (None), 3 (Suppress) or 4 (Delay)"
        raise _invalid(f"RepeatNotificationPolicy: {policy} is not supported; expected {expected}")
    interval = _number(given, "RepeatNotificationInterval", MAX_SECONDS)
    gap = _number(given, "RepeatNotificationGap", MAX_SECONDS) if policy == RepeatPolicy.DELAY else 0
    count = _number(given, "RepeatNotificationCount", MAX_COUNT)
    return RepeatRule(RepeatPolicy(policy), interval, gap, count)  # type: ignore[arg-type]


def alert_key(properties: Properties) -> Hashable:
    """What an alert is about, which another one repeats."""
    return properties.get("AlertingManagedElement"), properties.get("MessageID")


@dataclass(slots=True)
class _Event:
    """What was heard of an event lately.

    Attributes:
        heard: when, as `time.monotonic` counts; of SUPPRESS since the interval began.
        over: from when on nothing of this counts any more.
        quiet: until when nothing is sent.
    """

    heard: deque[float] = field(default_factory=deque)
    over: float = 0.0
    quiet: float = 0.0


class RepeatFilter:
    """Tells which of several indications of one event are sent.  Safe to use from several threads at once.

    Parameters:
        clock: seconds, as `time.monotonic` counts.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._events: dict[Hashable, _Event] = {}

    def admits(self, key: Hashable, rule: RepeatRule) -> bool:
        """Take notice of an indication, and tell whether it is sent.

        Parameters:
            key: of the event and of who is told of it.
            rule: what he wants.
        """
        now = self._clock()
        with self._lock:
            event = self._events.get(key)
            if event is None:
                self._forget(now)
                event = self._events[key] = _Event()
            sent = (_suppress if rule.policy is RepeatPolicy.SUPPRESS else _delay)(event, rule, now)
            event.over = max(event.quiet, now + rule.interval)
            return sent

    def _forget(self, now: float) -> None:
        if len(self._events) >= MAX_EVENTS:
            self._events = {key: event for key, event in self._events.items() if event.over > now}


def _suppress(event: _Event, rule: RepeatRule, now: float) -> bool:
    if not event.heard or now >= event.heard[0] + rule.interval:
        event.heard.clear()
    if len(event.heard) >= rule.count:
        return False
    event.heard.append(now)
    return True


def _delay(event: _Event, rule: RepeatRule, now: float) -> bool:
    if now < event.quiet:
        return False
    while event.heard and event.heard[0] <= now - rule.interval:
        event.heard.popleft()
    event.heard.append(now)
    if len(event.heard) <= rule.count:
        return False
    event.heard.clear()
    event.quiet = now + rule.gap
    return True


def _number(given: Mapping[str, CIMValue], name: str, most: int) -> int:
    value = given.get(name)
    if not isinstance(value, int) or not 0 < value <= most:
        raise _invalid(f"{name}: {value} cannot be with this RepeatNotificationPolicy; expected 1 to {most}")
    return value


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, text)

"""Any sequence of opening, pulling, closing and waiting, held against a model of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.cimom.test_pull import Clock, numbered
from virtcim.cimom.pull import Enumeration, Enumerations
from virtcim.cimom.results import PullKind
from virtcim.cimom.settings import ServerSettings
from virtcim.providers.interface import CIMError, Status

LIMITS = ServerSettings(
    pull_timeout=30, pull_max_open=6, pull_max_open_per_user=4, pull_max_held=60, pull_max_objects=5, pull_max_empty=2
)


@dataclass
class Expected:
    """What is known of an enumeration from outside."""

    context: str
    user: str
    kind: PullKind
    left: list[int]
    deadline: float
    empty: int = 0
    open: bool = True


def outcome(action: Callable[[], Any]) -> tuple[Any, int]:
    """The result of an action and 0, or None and the CIM status."""
    try:
        return action(), 0
    except CIMError as exc:
        return None, exc.status


class PullMachine(RuleBasedStateMachine):
    opened = Bundle("opened")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.enumerations = Enumerations(LIMITS, self.clock)
        self.all: list[Expected] = []

    def live(self) -> list[Expected]:
        return [each for each in self.all if each.open and each.deadline >= self.clock.now]

    @rule(
        target=opened, user=st.sampled_from(["anna", "bert"]), count=st.integers(1, 20), kind=st.sampled_from(PullKind)
    )
    def open(self, user: str, count: int, kind: PullKind) -> Expected:
        live = self.live()
        allowed = (
            len(live) < LIMITS.pull_max_open
            and sum(each.user == user for each in live) < LIMITS.pull_max_open_per_user
            and sum(len(each.left) for each in live) + count <= LIMITS.pull_max_held
        )
        enumeration = Enumeration(kind, numbered(count))
        expected = Expected("", user, kind, list(range(count)), self.clock.now + 30, open=allowed)
        _, status = outcome(lambda: self.enumerations.add(enumeration, user, "root/toy", 30.0))
        assert status == (0 if allowed else Status.SERVER_LIMITS_EXCEEDED)
        expected.context = enumeration.context
        self.all.append(expected)
        return expected

    @rule(
        target=opened,
        known=consumes(opened),
        user=st.sampled_from(["anna", "bert"]),
        kind=st.sampled_from(PullKind),
        count=st.integers(0, 8),
    )
    def pull(self, known: Expected, user: str, kind: PullKind, count: int) -> Expected:
        usable = known in self.live() and (user, kind) == (known.user, known.kind)
        result, status = outcome(lambda: self.enumerations.pull(known.context, user, "root/toy", kind, count))
        if not usable:
            assert status == Status.INVALID_ENUMERATION_CONTEXT
            return known
        if status:
            assert (status, known.empty, count) == (Status.SERVER_LIMITS_EXCEEDED, LIMITS.pull_max_empty, 0)
            known.open = False
            return known
        pieces, _, context = result
        taken = min(count, LIMITS.pull_max_objects)
        assert [each.identity for each in pieces] == known.left[:taken]
        known.left = known.left[taken:]
        known.empty = 0 if count else known.empty + 1
        known.deadline = self.clock.now + 30
        assert (context is None) is (not known.left)
        known.open = bool(known.left)
        return known

    @rule(target=opened, known=consumes(opened), user=st.sampled_from(["anna", "bert"]))
    def close(self, known: Expected, user: str) -> Expected:
        usable = known in self.live() and user == known.user
        _, status = outcome(lambda: self.enumerations.close(known.context, user, "root/toy"))
        assert status == (0 if usable else Status.INVALID_ENUMERATION_CONTEXT)
        known.open = known.open and not usable
        return known

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def sweep(self) -> None:
        self.enumerations.sweep()
        assert len(self.enumerations) == len(self.live())
        assert self.enumerations.held == sum(len(each.left) for each in self.live())

    @invariant()
    def nothing_is_kept_for_ever(self) -> None:
        assert len(self.live()) <= len(self.enumerations) <= LIMITS.pull_max_open


TestPullMachine = PullMachine.TestCase
TestPullMachine.settings = settings(max_examples=60, stateful_step_count=40)

"""When figures are sampled, and what is kept of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.bed.server import wait_until
from tests.metrics.node import serve_node, uuid_of
from virtcim.libhelper.inventory.records import Domain
from virtcim.libhelper.metrics import Sampler
from virtcim.libhelper.metrics.reading import read_guests
from virtcim.libhelper.metrics.sample import TOTALS
from virtcim.libhelper.settings import HypervisorSettings

PATIENCE = 60.0
COMPUTING = 0.2
"""Seconds of processor time that figures take which are laborious."""


def test_nothing_is_sampled_until_somebody_looks(tmp_path: Path) -> None:
    with serve_node(tmp_path) as node:
        assert node.hypervisor.metrics.latest is None
        assert node.hypervisor.metrics.history() == ()
        sample = node.hypervisor.metrics.look()
        assert sample is not None
        assert sample is node.hypervisor.metrics.latest


def test_however_many_look_there_is_a_floor(tmp_path: Path) -> None:
    with serve_node(tmp_path, sample_floor=3600.0) as node:
        metrics = node.hypervisor.metrics
        assert {id(metrics.look()) for _ in range(50)} == {id(metrics.latest)}
        assert metrics.glance() is metrics.latest
        assert len(metrics.history()) == 1


def test_sampling_goes_on_while_somebody_looks_and_ends_after(tmp_path: Path) -> None:
    with serve_node(tmp_path, sample_floor=0.01, sample_interval=0.01, sample_linger=1.5) as node:
        metrics = node.hypervisor.metrics
        first = metrics.look()
        assert first is not None
        assert wait_until(lambda: len(metrics.history()) > 2, PATIENCE)
        assert metrics.latest is not None
        assert metrics.latest.previous is not None
        assert first.previous is None

        def is_over() -> bool:
            before = len(metrics.history())
            time.sleep(1)
            return len(metrics.history()) == before

        assert wait_until(is_over, PATIENCE)


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    with serve_node(tmp_path, 2, sample_floor=0.01, sample_interval=0.01, sample_history=1.0) as node:
        metrics = node.hypervisor.metrics
        began = metrics.look()
        assert began is not None
        assert wait_until(lambda: metrics.history()[0].clock > began.clock, PATIENCE)
        frames = metrics.history()
        assert frames[-1].clock - frames[0].clock <= 1.0
        assert len({id(frame.places) for frame in frames}) == 1, "the same guests share their places"
        totals = dict(zip(TOTALS, frames[-1].totals(uuid_of(1)) or (), strict=True))
        assert totals["cpu"]
        assert frames[-1].totals("nobody") is None


def test_the_names_of_figures_are_there_once(tmp_path: Path) -> None:
    with serve_node(tmp_path, 2) as node:
        sample = node.hypervisor.metrics.look()
        assert sample is not None
        first, second = (sample.guests[uuid_of(number)].fields for number in (0, 1))
        names = {name: name for name in first}
        assert {"block.0.name", "cpu.time"} <= names.keys() & second.keys()
        assert all(names[name] is name for name in second if name in names)


def test_a_guest_that_is_gone_is_in_no_further_sample(tmp_path: Path) -> None:
    with serve_node(tmp_path, 2, sample_floor=0.01) as node:
        metrics = node.hypervisor.metrics
        sample = metrics.look()
        assert sample is not None
        assert uuid_of(1) in sample.guests
        with node.hypervisor.domains.handle(uuid_of(1)) as domain:
            domain.destroy()
            domain.undefine()
        wait_until(lambda: (found := metrics.look()) is not None and uuid_of(1) not in found.guests, PATIENCE)


class Questions:
    """Takes questions, and answers them when a test wants."""

    def __init__(self) -> None:
        self.open: list[tuple[Any, Future[Any]]] = []

    def submit(self, what: str, question: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.open.append((question, future))
        return future

    def domains(self) -> list[Domain]:
        return []


class NoGuests:
    """A connection to a hypervisor without guests."""

    def getAllDomainStats(self, groups: int, flags: int) -> list[Any]:
        return []

    def getCPUStats(self, number: int, flags: int) -> dict[str, int]:
        return {"user": 1}

    def getMemoryStats(self, number: int, flags: int) -> dict[str, int]:
        return {"total": 2}


def test_questions_without_an_answer_are_few_and_late_answers_are_dropped() -> None:
    questions = Questions()
    settings = HypervisorSettings(sample_floor=0.0, sample_patience=0.01)
    sampler = Sampler(questions.submit, questions, settings)
    for _ in range(12):
        assert sampler.look() is None
        time.sleep(0.02)
    assert len(questions.open) == 6
    (first, late), (second, other), *_, (_, never) = questions.open
    late_answer = first(NoGuests())
    other.set_result(second(NoGuests()))
    sample = sampler.latest
    assert sample is not None
    assert sample.host.cpu == {"user": 1}
    late.set_result(late_answer)
    assert sampler.latest is sample, "it was overtaken"
    sampler.reset()
    never.set_result(second(NoGuests()))
    assert sampler.latest is None, "they are of the connection that was lost"


class ChangingGuests(NoGuests):
    """A connection to a hypervisor with a guest that is off and one that runs, each told of in another object.

    Parameters:
        tries: how often the one that runs has to be asked for before it is not held by another operation.
    """

    def __init__(self, tries: int = 1) -> None:
        self.clock = 0
        self.tries = tries
        self.asked = 0

    def getAllDomainStats(self, groups: int, flags: int) -> list[Any]:
        self.clock += 1
        self.asked = 0
        off = (SimpleNamespace(UUIDString=lambda: "off"), {"state.state": 5, "vcpu.maximum": 2})
        return [off, *self.domainListGetStats([SimpleNamespace(UUIDString=lambda: "on")], groups, flags)]

    def domainListGetStats(self, handles: list[Any], groups: int, flags: int) -> list[Any]:
        [on] = handles
        self.asked += 1
        more = {"balloon.rss": 1, "block.0.rd.bytes": 512} if self.asked >= self.tries else {}
        return [(on, {"state.state": 1, "cpu.time": self.clock, **more})]


def test_what_takes_long_to_compute_is_sampled_seldom() -> None:
    class Laborious(NoGuests):
        def getAllDomainStats(self, groups: int, flags: int) -> list[Any]:
            until = time.thread_time() + COMPUTING
            while time.thread_time() < until:
                pass
            return []

    questions = Questions()
    sampler = Sampler(questions.submit, questions, HypervisorSettings(sample_floor=0.0, sample_interval=0.0))
    sampler.ask()
    (question, future) = questions.open.pop()
    clock, computed = time.monotonic(), time.thread_time()
    future.set_result(question(Laborious()))
    seconds, computing = time.monotonic() - clock, time.thread_time() - computed
    sampler.turn(clock + 20 * COMPUTING)
    assert not questions.open
    sampler.turn(clock + 3 * seconds + 20 * computing)
    assert questions.open


def test_a_guest_that_is_held_for_a_moment_is_asked_again() -> None:
    for tries, is_told in ((1, True), (2, True), (3, True), (99, False)):
        guests = ChangingGuests(tries)
        told, held = read_guests(guests, [])  # type: ignore[arg-type]
        assert list(told) == ["off", "on"]
        assert ("block.0.rd.bytes" in told["on"], held) == (is_told, frozenset() if is_told else frozenset({"on"}))
        assert guests.asked == min(tries, 3)


def test_figures_that_stay_the_same_are_there_once() -> None:
    questions, guests = Questions(), ChangingGuests()
    sampler = Sampler(questions.submit, questions, HypervisorSettings(sample_floor=0.0, sample_patience=0.01))
    samples = []
    for _ in range(3):
        wait_until(lambda: (sampler.look(), questions.open)[1], PATIENCE)
        question, future = questions.open.pop()
        future.set_result(question(guests))
        samples.append(sampler.latest)
    first, second, third = (each.guests for each in samples if each is not None)
    assert list(third) == ["off", "on"]
    assert first["off"].fields is second["off"].fields is third["off"].fields
    assert [each["on"].fields["cpu.time"] for each in (first, second, third)] == [1, 2, 3]
    assert third["off"].clock > first["off"].clock


def test_an_error_leaves_what_there_is() -> None:
    questions = Questions()
    sampler = Sampler(questions.submit, questions, HypervisorSettings(sample_floor=0.0, sample_patience=0.01))
    sampler.look()
    question, future = questions.open.pop()
    future.set_result(question(NoGuests()))
    sample = sampler.latest
    ends: tuple[Callable[[Any], object], ...] = (
        lambda asked: asked.set_exception(RuntimeError("gone")),
        lambda asked: asked.cancel(),
    )
    for end in ends:
        # Sampling that took long is not done again at once.
        wait_until(lambda: sampler.look() and questions.open, PATIENCE)
        end(questions.open.pop()[1])
    assert sampler.latest is sample


def test_many_that_hang_are_waited_for_together() -> None:
    """An hour for each would not end."""
    settings, questions = HypervisorSettings(sample_patience=3600.0), Questions()
    hanging = [Sampler(questions.submit, questions, settings) for _ in range(20)]
    asked = [each.ask() for each in hanging]
    assert len(questions.open) == 20
    until = time.monotonic()
    assert [one.take(each, until) for one, each in zip(hanging, asked, strict=True)] == [None] * 20
    question, future = questions.open[0]
    future.set_result(question(NoGuests()))
    assert hanging[0].take(asked[0], asked[0].until) is hanging[0].latest is not None
    fresh = hanging[0].ask()
    assert fresh.is_fresh
    assert hanging[0].take(fresh, fresh.until) is hanging[0].latest
    assert len(questions.open) == 20

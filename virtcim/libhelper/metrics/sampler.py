"""When figures are sampled: on demand, never more often than the floor, and regularly while somebody looks.

A question is one call for all guests.  It may hang, when a guest takes long to answer: then another one is asked, which
libvirt answers without the guest that the first one holds, so that one guest never keeps the figures of the others.

Layer rule: imports fields, reading, sample, settings and the inventory.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.inventory.records import Domain
from virtcim.libhelper.metrics.fields import Fields
from virtcim.libhelper.metrics.reading import read_guests, read_host
from virtcim.libhelper.metrics.sample import NONE, TOTALS, Frame, GuestSample, HostSample, Sample, totals_of
from virtcim.libhelper.settings import HypervisorSettings

__all__ = ["SampleRequest", "Sampler"]

_log = logging.getLogger(__name__)

_MOST_QUESTIONS = 6
"""Questions without an answer at most: each keeps a reader and its connection."""

_GLANCE = 0.05
"""Seconds that who must not wait gives libvirt to tell newer figures than those that there are."""

_RECENT = 2
"""Figures are recent for so many intervals."""

_QUIET = 3
"""Sampling takes no more than one part in this many of the time, however many guests there are."""

_SPARING = 20
"""Sampling computes for no more than one part in this many of the time.  Where guests are asked one by one, it computes
for most of the time that it takes, and all else waits for the interpreter meanwhile."""

_numbers = itertools.count(1)


class _Inventory(Protocol):
    def domains(self) -> list[Domain]: ...


@immutable
class _Answer:
    """What libvirt said, when it was asked, how long that took, and for how much of it this process computed."""

    guests: Mapping[str, Fields]
    held: frozenset[str]
    cpu: Mapping[str, int]
    memory: Mapping[str, int]
    time: datetime
    clock: float
    seconds: float
    computing: float


@immutable(eq=False)
class _Question:
    """One call that libvirt has not answered yet.

    Attributes:
        epoch: the time between two losses of the connection in which it was asked.
    """

    epoch: int


class SampleRequest(NamedTuple):
    """That somebody has asked for figures.

    Attributes:
        before: the newest ones when he did.
        is_fresh: whether these will do.
        until: how long to wait for newer ones, a monotonic time.
    """

    before: Sample | None
    is_fresh: bool
    until: float


class Sampler:
    """Samples the figures of one hypervisor.

    Parameters:
        submit: has a question asked over a connection of its own, and gives the future of its answer.
        inventory: the guests.
        settings: floor, interval and lengths of time.

    Attributes:
        latest: the newest sample; None before the first one, and while there is no connection.
    """

    def __init__(
        self,
        submit: Callable[[str, Callable[[libvirt.virConnect], _Answer]], Future[_Answer]],
        inventory: _Inventory,
        settings: HypervisorSettings,
    ) -> None:
        self.latest: Sample | None = None
        self._submit = submit
        self._inventory = inventory
        self._settings = settings
        self._arrived = threading.Condition()
        self._pending: dict[_Question, float] = {}
        self._seconds = 0.0
        self._computing = 0.0
        self._frames: deque[Frame] = deque()
        self._looked = float("-inf")
        self._due = float("-inf")
        self._epoch = 0

    def look(self) -> Sample | None:
        """Give figures that are no older than the floor, where libvirt tells them in time; else the newest ones.

        Whoever looks has figures sampled regularly for a while.

        Returns:
            None where there is no connection, or no answer yet.
        """
        return self._look(self._settings.sample_patience)

    def ask(self) -> SampleRequest:
        """Have figures sampled as `look` does, and wait for nothing."""
        now = time.monotonic()
        with self._arrived:
            self._looked = now
            before = self.latest
            is_fresh = before is not None and now - before.clock < self._pause
            question = None if is_fresh else self._plan(now)
        if question is not None:
            self._start(question)
        return SampleRequest(before, is_fresh, now + self._settings.sample_patience)

    def take(self, asked: SampleRequest, until: float) -> Sample | None:
        """Give what `ask` has asked for; the newest figures of all where it has not come by then.

        Parameters:
            until: a monotonic time.
        """
        with self._arrived:
            if not asked.is_fresh:
                left = max(0.0, until - time.monotonic())
                self._arrived.wait_for(lambda: self.latest is not asked.before or not self._pending, left)
            return self.latest

    def glance(self) -> Sample | None:
        """Give figures as `look` does, for who must not wait: only where nobody has looked of late it takes as long."""
        latest = self.latest
        recent = latest is not None and time.monotonic() - latest.clock < _RECENT * self._settings.sample_interval
        return self._look(_GLANCE if recent else self._settings.sample_patience)

    def _look(self, patience: float) -> Sample | None:
        now = time.monotonic()
        with self._arrived:
            self._looked = now
            before = self.latest
            if before is not None and now - before.clock < self._pause:
                return before
            question = self._plan(now)
        if question is not None:
            self._start(question)
        with self._arrived:
            asked = max(self._pending.values(), default=now)
            self._arrived.wait_for(lambda: self.latest is not before or not self._pending, asked + patience - now)
            return self.latest

    def history(self) -> Sequence[Frame]:
        """List what is kept of the samples of the last minutes, oldest first."""
        with self._arrived:
            return tuple(self._frames)

    def turn(self, now: float) -> None:
        """Sample when it is time to: called every now and then; returns at once.

        Parameters:
            now: seconds of the monotonic clock.
        """
        with self._arrived:
            looking = now - self._looked <= self._settings.sample_linger
            question = self._plan(now) if looking and now >= self._due else None
            self._forget_old(now)
        if question is not None:
            self._start(question)

    def reset(self) -> None:
        """Forget everything: the connection is lost."""
        with self._arrived:
            self._epoch += 1
            self.latest = None
            self._pending.clear()
            self._frames.clear()
            self._due = float("-inf")
            self._arrived.notify_all()

    @property
    def _pause(self) -> float:
        """Seconds from one sampling to the next at least."""
        return max(self._settings.sample_floor, _QUIET * self._seconds, _SPARING * self._computing)

    def _plan(self, now: float) -> _Question | None:
        """Take down that libvirt is about to be asked; None while an answer may still come, and for one too many."""
        budget = max(self._settings.sample_patience, _QUIET * self._seconds)
        if any(now - since < budget for since in self._pending.values()) or len(self._pending) >= _MOST_QUESTIONS:
            return None
        question = _Question(self._epoch)
        self._pending[question] = now
        self._due = now + self._settings.sample_interval
        return question

    def _start(self, question: _Question) -> None:
        """Ask.  Nothing is held meanwhile: whoever submits or cancels has locks of his own."""
        self._submit("figures of guests", self._ask).add_done_callback(lambda done: self._take(done, question))

    def _ask(self, connection: libvirt.virConnect) -> _Answer:
        began, clock, computed = datetime.now(UTC), time.monotonic(), time.thread_time()
        guests, held = read_guests(connection, self._inventory.domains())
        cpu, memory = read_host(connection)
        seconds, computing = time.monotonic() - clock, time.thread_time() - computed
        return _Answer(guests, held, cpu, memory, began, clock, seconds, computing)

    def _take(self, future: Future[_Answer], question: _Question) -> None:
        with self._arrived:
            self._pending.pop(question, None)
            if question.epoch == self._epoch and not future.cancelled() and future.exception() is None:
                self._keep(future.result())
            self._arrived.notify_all()

    def _keep(self, answer: _Answer) -> None:
        computed = time.thread_time()
        before = self.latest
        if before is not None and answer.clock <= before.clock:
            return  # it was overtaken
        known = before.guests if before is not None else {}
        older = before.previous.guests if before is not None and before.previous is not None else {}
        settings = self._settings
        oldest = answer.clock - settings.sample_linger
        guests = {uuid: _guest(uuid, answer, known.get(uuid), older.get(uuid), oldest) for uuid in answer.guests}
        host = HostSample(answer.cpu, answer.memory, answer.time, answer.clock)
        sample = Sample(next(_numbers), answer.time, answer.clock, guests, host, before)
        if before is None:
            self._due = answer.clock + settings.sample_floor  # rates need two
        else:
            before.previous = None
            if answer.clock - before.clock > settings.sample_linger:
                sample.previous = None
        self.latest = sample
        self._frames.append(self._frame(sample))
        self._forget_old(answer.clock)
        self._seconds = answer.seconds
        self._computing = answer.computing + time.thread_time() - computed
        self._due = max(self._due, answer.clock + self._pause)

    def _frame(self, sample: Sample) -> Frame:
        places = self._frames[-1].places if self._frames else {}
        if places.keys() != sample.guests.keys():
            places = {uuid: place for place, uuid in enumerate(sample.guests)}
        values = array("q", bytes(8 * len(TOTALS) * len(places)))
        for uuid, place in places.items():
            guest = sample.guests[uuid]
            totals = totals_of(guest.fields) if guest.answered else (None,) * len(TOTALS)
            start = place * len(TOTALS)
            values[start : start + len(TOTALS)] = array("q", [NONE if each is None else each for each in totals])
        return Frame(sample.time, sample.clock, places, values)

    def _forget_old(self, now: float) -> None:
        while self._frames and now - self._frames[0].clock > self._settings.sample_history:
            self._frames.popleft()


def _guest(
    uuid: str, answer: _Answer, before: GuestSample | None, older: GuestSample | None, oldest: float
) -> GuestSample:
    """Give the figures of a guest; those of the last two times when it answered stay with one that does not.

    Parameters:
        before, older: its figures of the last sample and of the one before it, None for none.
        oldest: when it has to have answered for rates of then to be of use, by the monotonic clock.
    """
    fields: Mapping[str, Any] = answer.guests[uuid]
    answered = uuid not in answer.held
    if before is not None and before.fields == fields:
        fields = before.fields  # of a guest that is off they stay the same, and need not be there twice
    if answered or before is None or not before.known.answered:
        return GuestSample(fields, answer.time, answer.clock, answered)
    earlier = (None if older is None else older.known) if before.answered else before.earlier
    if before.known.clock < oldest:
        earlier = None
    return GuestSample(fields, answer.time, answer.clock, answered, before.known, earlier)

"""Changes of guests for a while, with many subscriptions: every one is told to every listener, counted there."""

from __future__ import annotations

import re
import time

import libvirt
import pytest

from tests.bed import Libvirtd, Server
from tests.bed.quicklistener import Arrival, QuickListener, subscribe_all
from tests.conftest import Guests
from tests.test_soak import MEMORY_SLACK, Footprint

SUBSCRIPTIONS = 20
GUESTS = 10

#: Changes in a second, as far as the machine comes along.
RATE = 50

SHORT_SECONDS = 3.0
LONG_SECONDS = 3600.0

#: Seconds until what is queued has to be delivered, on a loaded machine.
PATIENCE = 120.0

QUERY = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA KVM_ComputerSystem"

_NUMBER = re.compile(rb'NAME="SequenceNumber"[^>]*>\s*<VALUE>(\d+)</VALUE>')
_CHANGE = re.compile(rb"change (\d+) of soak-(\d+)")


class Changes:
    """Describes guests anew, one after the other, each time with the next number.

    Attributes:
        made: the numbers of the changes of each guest, in order.
    """

    def __init__(self, daemon: Libvirtd, guests: Guests) -> None:
        for number in range(GUESTS):
            guests.baseline(f"soak-{number}", description=f"change 0 of soak-{number}")
        self.made: dict[int, list[int]] = {number: [0] for number in range(GUESTS)}
        self._connection = libvirt.open(daemon.uri())
        self._guests = [self._connection.lookupByName(f"soak-{number}") for number in range(GUESTS)]
        self._next = 1

    def run(self, seconds: float) -> None:
        """Make `RATE` changes a second, fewer where the machine does not come along."""
        began = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            number = self._next % GUESTS
            text = f"change {self._next} of soak-{number}"
            self._guests[number].setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, text, None, None)
            self.made[number].append(self._next)
            self._next += 1
            time.sleep(max(0.0, 1 / RATE - (time.monotonic() - now)))

    def close(self) -> None:
        self._connection.close()


def check_arrivals(arrivals: list[Arrival], made: dict[int, list[int]]) -> int:
    """See that one destination was told of every change: in order, none twice, none left out.

    Changes of one guest within a moment may come as one; then it leads from the state before the first to that after
    the last.

    Returns:
        the indications.
    """
    numbers = []
    last = dict.fromkeys(made, 0)
    for each in arrivals:
        found = _NUMBER.search(each.body)
        assert found is not None, each.body
        numbers.append(int(found[1]))
        seen = {(int(guest), int(change)) for change, guest in _CHANGE.findall(each.body)}
        (guest,) = {guest for guest, _ in seen}
        before, after = sorted(change for _, change in seen)
        assert before == last[guest]
        assert after in made[guest]
        last[guest] = after
    assert numbers == list(range(len(numbers)))
    assert last == {guest: changes[-1] for guest, changes in made.items()}
    return len(numbers)


def test_changes_are_told_in_order_and_none_is_lost(libvirtd: Libvirtd, guests: Guests) -> None:
    soak(libvirtd, guests, SHORT_SECONDS)


@pytest.mark.slow
def test_an_hour_of_changes(libvirtd: Libvirtd, guests: Guests) -> None:
    before, after = soak(libvirtd, guests, LONG_SECONDS)
    assert after.memory <= before.memory + MEMORY_SLACK


def soak(libvirtd: Libvirtd, guests: Guests, seconds: float) -> tuple[Footprint, Footprint]:
    """Change guests for some time, and see what listeners were told.

    Returns:
        what the server takes after a tenth of the time, and at the end.
    """
    changes = Changes(libvirtd, guests)
    paths = tuple(f"listener-{number}" for number in range(SUBSCRIPTIONS))
    footprints = []
    try:
        with Server(libvirtd.uri()) as server, QuickListener() as listener:
            subscribe_all(server, [listener.url(path) for path in paths], [QUERY])
            for share in (0.1, 0.9):
                changes.run(seconds * share)
                wait_for_the_last(listener, paths, changes.made)
                footprints.append(Footprint.of(server.pid, 0))
            assert len({check_arrivals(listener.arrivals[path], changes.made) for path in paths}) == 1
    finally:
        changes.close()
    return footprints[0], footprints[1]


def wait_for_the_last(listener: QuickListener, paths: tuple[str, ...], made: dict[int, list[int]]) -> None:
    """Wait until every destination has been told of the last change of each guest that was changed."""
    wanted = {f"change {changes[-1]} of soak-{guest}".encode() for guest, changes in made.items() if changes[-1]}
    deadline = time.monotonic() + PATIENCE
    for path in paths:
        while not all(any(each in arrival.body for arrival in listener.arrivals[path][-1000:]) for each in wanted):
            assert time.monotonic() < deadline, f"{path} was not told of the last changes"
            time.sleep(0.1)

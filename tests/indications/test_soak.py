"""Changes of guests for a while, with many subscriptions: every one is told to every listener, counted there.

`VIRTCIM_SOAK_SECONDS` sets the length of the long run (an hour).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

import libvirt
import pytest

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.quicklistener import Arrival, QuickListener, subscribe_all
from tests.conftest import Guests
from tests.test_soak import MEMORY_SLACK, Footprint

SUBSCRIPTIONS = 20
GUESTS = 10

#: Changes in a second, as far as the machine comes along.
RATE = 50

SHORT_SECONDS = 3.0
LONG_SECONDS = float(os.environ.get("VIRTCIM_SOAK_SECONDS", "3600"))

#: Changes that listeners may be behind: what waits for one destination is bounded, and what is beyond it is dropped.
AHEAD = 1000

#: Looks at the memory of the server, at equal distances: every five minutes of the hour.
LOOKS = 12

#: Seconds until what is queued has to be delivered, on a loaded machine.
PATIENCE = 120.0

QUERY = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA KVM_ComputerSystem"

_NUMBER = re.compile(rb'NAME="SequenceNumber"[^>]*>\s*<VALUE>(\d+)</VALUE>')
_CHANGE = re.compile(rb"change (\d+) of soak-(\d+)")


class Changes:
    """Describes guests anew, one after the other, each time with the next number.

    Attributes:
        last: the number of the last change of each guest.
        count: changes that were made.
    """

    def __init__(self, daemon: Libvirtd, guests: Guests) -> None:
        for number in range(GUESTS):
            guests.baseline(f"soak-{number}", description=f"change 0 of soak-{number}")
        self.last = dict.fromkeys(range(GUESTS), 0)
        self.count = 0
        self._connection = libvirt.open(daemon.uri())
        self._guests = [self._connection.lookupByName(f"soak-{number}") for number in range(GUESTS)]

    def run(self, seconds: float, told: Callable[[], int]) -> None:
        """Make `RATE` changes a second, fewer where the machine does not come along.

        Parameters:
            told: gives the number of the last change that all have been told of.
        """
        began = due = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            if self.count - told() > AHEAD:
                time.sleep(1 / RATE)
                continue
            change = self.count + 1
            number = change % GUESTS
            text = f"change {change} of soak-{number}"
            self._guests[number].setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, text, None, None)
            self.count, self.last[number] = change, change
            due = max(due + 1 / RATE, now)
            time.sleep(max(0.0, due - time.monotonic()))

    def close(self) -> None:
        self._connection.close()


class Told:
    """What one destination was told, looked at when it comes: nothing of it is kept.

    Changes of one guest within a moment may come as one; then it leads from the state before the first to that after
    the last.

    Attributes:
        count: indications.
        last: the number of the last change of each guest.
        wrong: the first indication that cannot be right, and why; "" as long as there is none.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last = dict.fromkeys(range(GUESTS), 0)
        self.wrong = ""

    def take(self, arrival: Arrival) -> None:
        """Look at an indication."""
        found = _NUMBER.search(arrival.body)
        changes = {(int(guest), int(change)) for change, guest in _CHANGE.findall(arrival.body)}
        guests = {guest for guest, _ in changes}
        if found is None or len(changes) != 2 or len(guests) != 1:
            self._complain(f"no change of one guest: {arrival.body[:4000]!r}")
            return
        (guest,), (before, after) = guests, sorted(change for _, change in changes)
        if int(found[1]) != self.count:
            self._complain(f"SequenceNumber is {int(found[1])}; expected {self.count}")
        if before != self.last[guest]:
            self._complain(f"soak-{guest}: changed from {before} to {after}; expected from {self.last[guest]}")
        self.count += 1
        self.last[guest] = after

    def _complain(self, text: str) -> None:
        self.wrong = self.wrong or text


def test_changes_are_told_in_order_and_none_is_lost(libvirtd: Libvirtd, guests: Guests) -> None:
    soak(libvirtd, guests, SHORT_SECONDS, 1)


@pytest.mark.slow
def test_an_hour_of_changes(libvirtd: Libvirtd, guests: Guests) -> None:
    footprints = soak(libvirtd, guests, LONG_SECONDS, LOOKS)
    # In the first minutes it takes what it needs for its work.
    assert footprints[-1].memory <= footprints[1].memory + MEMORY_SLACK


def soak(libvirtd: Libvirtd, guests: Guests, seconds: float, looks: int) -> list[Footprint]:
    """Change guests for some time, and see what listeners were told.

    Returns:
        what the server takes at each look.
    """
    changes = Changes(libvirtd, guests)
    told = {f"listener-{number}": Told() for number in range(SUBSCRIPTIONS)}
    footprints = []

    def last_told() -> int:
        return min(max(each.last.values()) for each in told.values())

    def are_told() -> bool:
        return all(each.wrong or each.last == changes.last for each in told.values())

    try:
        with (
            Server(libvirtd.uri()) as server,
            QuickListener(take=lambda path, arrival: told[path].take(arrival)) as listener,
        ):
            subscribe_all(server, [listener.url(path) for path in told], [QUERY])
            for number in range(1, looks + 1):
                changes.run(seconds / looks, last_told)
                wait_until(are_told, PATIENCE)
                wrong = [f"{path}: {each.wrong}" for path, each in told.items() if each.wrong]
                print(*wrong, sep="\n", end="", flush=True)
                assert not wrong
                footprints.append(Footprint.of(server.pid, 0))
                print(
                    f"{seconds / looks * number:.0f} s: {changes.count} changes,"
                    f" {sum(each.count for each in told.values())} indications, {footprints[-1]}",
                    flush=True,
                )
            # Each was told the same, and what several changes have become as one.
            assert len({each.count for each in told.values()}) == 1
            assert all(each.count for each in told.values())
    finally:
        changes.close()
    return footprints

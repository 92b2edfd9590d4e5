"""Changes of guests for a while, with subscriptions as users have them: every one is told to whom it is for, once, in
order, counted at the listeners.

`VIRTCIM_SOAK_SECONDS` sets the length of the long run (an hour).
"""

from __future__ import annotations

import os
import re
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import libvirt
import pytest
import pywbem

from tests.bed import Libvirtd, Server, baseline_xml, wait_until
from tests.bed.quicklistener import Arrival, QuickListener
from tests.conftest import Guests
from tests.test_soak import MEMORY_SLACK, Footprint

#: Guests that are off, and guests that run and are paused now and then.
RESTING = 8
RUNNING = 2
GUESTS = [f"soak-{number}" for number in range(RESTING + RUNNING)]

#: Defined and undefined, once every so many changes.
PASSING = "soak-passing"
PASSES = 50

#: Changes in a second, as far as the machine comes along, and seconds that it may be behind and catch up.
RATE = 50
CATCH_UP = 1.0

SHORT_SECONDS = 3.0
LONG_SECONDS = float(os.environ.get("VIRTCIM_SOAK_SECONDS", "3600"))

#: Changes that listeners may be behind: what waits for one destination is bounded, and what is beyond it is dropped.
AHEAD = 1000

#: Looks at the memory of the server, at equal distances: every minute of the hour.
LOOKS = 60

#: Of these the first part, in which it takes what it needs for its work.
WARM = 10

#: Seconds until what is queued has to be delivered, on a loaded machine.
PATIENCE = 120.0

ENABLED, DISABLED, PAUSED = 2, 3, 9

SYSTEM, SETTING, PROCESSOR = "KVM_ComputerSystem", "KVM_VirtualSystemSettingData", "KVM_Processor"
CREATED, MODIFIED, DELETED = "Creat", "Modif", "Delet"

#: The server's own collection of filters for systems.
COLLECTION = "Virtual System"

_NUMBER = re.compile(rb'NAME="SequenceNumber"[^>]*><VALUE>(\d+)<')
_FILTER = re.compile(rb'NAME="IndicationFilterName"[^>]*><VALUE>([^<]*)<')
_IDENTIFIER = re.compile(rb'NAME="IndicationIdentifier"[^>]*><VALUE>([^<]*)<')
_KIND = re.compile(rb'<INSTANCE CLASSNAME="\w*?(Creat|Modif|Delet)\w*"')
_SOURCE = re.compile(rb"INSTANCE CLASSNAME=&quot;(\w+)&quot;")
_NAME = re.compile(rb"NAME=&quot;ElementName&quot;[^/]*?VALUE&gt;([^&]*)&lt;")
_CHANGE = re.compile(rb"VALUE&gt;change (\d+) of ")
_STATE = re.compile(rb"NAME=&quot;EnabledState&quot;[^/]*?VALUE&gt;(\d+)&lt;")


@dataclass(frozen=True, slots=True)
class Look:
    """What a guest looks like: the number of the change that its description names, and its EnabledState.

    No two changes leave the same one behind.
    """

    change: int
    state: int


@dataclass(frozen=True, slots=True)
class Event:
    """An indication, as far as filters and the account of them need it.

    Attributes:
        kind: CREATED, MODIFIED or DELETED; "" for what is no change.
        source: class of the instance.
        name: its ElementName.
        looks: of SourceInstance and of PreviousInstance, where there are any.
    """

    identifier: bytes
    kind: str
    source: str
    name: str
    looks: tuple[Look, ...]

    @classmethod
    def of(cls, body: bytes) -> Event:
        """Read a message."""
        kind, source, name, identifier = (each.search(body) for each in (_KIND, _SOURCE, _NAME, _IDENTIFIER))
        looks = tuple(
            Look(int(change), int(state))
            for change, state in zip(_CHANGE.findall(body), _STATE.findall(body), strict=False)
        )
        return cls(
            identifier[1] if identifier else b"",
            kind[1].decode() if kind else "",
            source[1].decode() if source else "",
            name[1].decode() if name else "",
            looks,
        )

    def is_of(self, source: str, *kinds: str) -> bool:
        """Whether it tells of an instance of a class, in one of some ways."""
        return self.source == source and self.kind in kinds

    def is_change(self, name: str) -> bool:
        """Whether it tells how a guest changed."""
        return self.is_of(SYSTEM, MODIFIED) and self.name == name

    def states(self) -> list[int]:
        """EnabledState of a guest that changed: now and before."""
        return [look.state for look in self.looks] if self.is_of(SYSTEM, MODIFIED) else []


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subscription.

    Attributes:
        listener: number of the one that is told.
        query: of the filter; the name of a collection of the server's own ones where it is none.
        selects: what the listener must be told.
    """

    listener: int
    query: str
    selects: Callable[[Event], bool]


def _guest_wanted(name: str) -> Wanted:
    query = f"SELECT * FROM CIM_InstModification WHERE SourceInstance ISA {SYSTEM} AND "
    return Wanted(2, f"{query}SourceInstance.{SYSTEM}::Name = '{name}'", lambda event: event.is_change(name))


def _of_systems(kind: str, condition: str = "") -> str:
    return f"SELECT * FROM CIM_Inst{kind} WHERE SourceInstance ISA CIM_ComputerSystem{condition}"


_STATE_NOW = "SourceInstance.CIM_ComputerSystem::EnabledState"
_STATE_BEFORE = "PreviousInstance.CIM_ComputerSystem::EnabledState"

#: The first one is told everything: what the others must be told is counted there.
WANTED = [
    Wanted(0, "SELECT * FROM CIM_InstIndication", lambda event: event.kind != ""),
    Wanted(1, _of_systems("Creation"), lambda event: event.is_of(SYSTEM, CREATED)),
    Wanted(1, _of_systems("Modification"), lambda event: event.is_of(SYSTEM, MODIFIED)),
    Wanted(1, _of_systems("Deletion"), lambda event: event.is_of(SYSTEM, DELETED)),
    Wanted(
        1,
        "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_VirtualSystemSettingData",
        lambda event: event.is_of(SETTING, MODIFIED),
    ),
    Wanted(
        1,
        "SELECT * FROM CIM_InstIndication WHERE SourceInstance ISA CIM_Processor",
        lambda event: event.is_of(PROCESSOR, CREATED, MODIFIED, DELETED),
    ),
    *map(_guest_wanted, GUESTS[-5:]),
    Wanted(
        3,
        _of_systems("Modification", f" AND {_STATE_NOW} = {PAUSED}"),
        lambda event: event.states()[:1] == [PAUSED],
    ),
    Wanted(
        3,
        _of_systems("Modification", f" AND {_STATE_NOW} <> {_STATE_BEFORE}"),
        lambda event: len(set(event.states())) == 2,
    ),
    Wanted(
        3,
        _of_systems("Modification", f" AND {_STATE_NOW} = {ENABLED} AND {_STATE_BEFORE} = {PAUSED}"),
        lambda event: event.states() == [ENABLED, PAUSED],
    ),
    Wanted(
        3,
        "SELECT IndicationIdentifier, SourceInstance FROM CIM_InstModification"
        f" WHERE SourceInstance ISA CIM_ComputerSystem AND {_STATE_NOW} = {DISABLED}",
        lambda event: event.states()[:1] == [DISABLED],
    ),
    Wanted(4, f"SELECT * FROM {SYSTEM}CreatedIndication", lambda event: event.is_of(SYSTEM, CREATED)),
    Wanted(4, f"SELECT * FROM {SYSTEM}ModifiedIndication", lambda event: event.is_of(SYSTEM, MODIFIED)),
    Wanted(4, f"SELECT * FROM {SYSTEM}DeletedIndication", lambda event: event.is_of(SYSTEM, DELETED)),
    Wanted(
        4,
        "SELECT * FROM KVM_ResourceAllocationSettingDataCreatedIndication"
        " WHERE SourceInstance ISA KVM_ProcResourceAllocationSettingData",
        lambda event: event.is_of("KVM_ProcResourceAllocationSettingData", CREATED),
    ),
    Wanted(4, COLLECTION, lambda event: event.is_of(SYSTEM, CREATED, MODIFIED, DELETED)),
]

LISTENERS = 5


class Changes:
    """Describes guests anew, one after the other, each time with the next number; pauses those that run, and lets them
    go on; defines and undefines one.

    Attributes:
        looks: how each guest looks after its last change.
        count: changes that were made.
    """

    def __init__(self, daemon: Libvirtd, guests: Guests) -> None:
        self.count = 0
        self.looks: dict[str, Look] = {}
        self._connection = libvirt.open(daemon.uri())
        self._image = daemon.new_image()
        self._passing: libvirt.virDomain | None = None
        self._guests: dict[str, libvirt.virDomain] = {}
        for number, name in enumerate(GUESTS):
            is_running = number >= RESTING
            (guests.boot_sector if is_running else guests.baseline)(name)
            guest = self._guests[name] = self._connection.lookupByName(name)
            guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, f"change 0 of {name}", None, None)
            if is_running:
                guest.create()
            self.looks[name] = Look(0, ENABLED if is_running else DISABLED)

    def run(self, seconds: float, told: Callable[[], int]) -> None:
        """Make `RATE` changes a second, fewer where the machine does not come along.

        Parameters:
            told: gives the number of the last change that all have been told of.
        """
        began = due = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            if self.count - told() <= AHEAD:
                self._make(self.count + 1)
                due = max(due + 1 / RATE, now - CATCH_UP)
            else:
                due = now + 1 / RATE
            time.sleep(max(0.0, due - time.monotonic()))

    def _make(self, change: int) -> None:
        """Make one change: of a guest that runs, every other one is of its state."""
        if change % PASSES == 0:
            self._pass(change)
        else:
            name = GUESTS[change % len(GUESTS)]
            guest, look = self._guests[name], self.looks[name]
            if look.state != DISABLED and change // len(GUESTS) % 2:
                (guest.resume if look.state == PAUSED else guest.suspend)()
                self.looks[name] = Look(look.change, ENABLED if look.state == PAUSED else PAUSED)
            else:
                text = f"change {change} of {name}"
                guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, text, None, None)
                self.looks[name] = Look(change, look.state)
        self.count = change

    def _pass(self, change: int) -> None:
        if self._passing is None:
            text = f"change {change} of {PASSING}"
            self._passing = self._connection.defineXML(baseline_xml(PASSING, self._image, description=text))
        else:
            self._passing.undefine()
            self._passing = None

    @property
    def there(self) -> bool:
        """Whether the guest that comes and goes is there."""
        return self._passing is not None

    def close(self) -> None:
        self._connection.close()


@dataclass(slots=True)
class Account:
    """What was told, or should have been, for one subscription: how much, and in which order."""

    count: int = 0
    order: int = 0

    def add(self, event: Event) -> None:
        self.count, self.order = self.count + 1, zlib.crc32(event.identifier, self.order)


class Audit:
    """What all listeners were told, looked at when it comes: nothing of it is kept.

    Changes of one guest within a moment may come as one; then it leads from how it looked before the first to how after
    the last.

    Attributes:
        told, expected: for each subscription.
        counts: indications, by listener.
        wrong: the first indication that cannot be right, and why; "" as long as there is none.
    """

    def __init__(self, changes: Changes) -> None:
        self.told = [Account() for _ in WANTED]
        self.expected = [Account() for _ in WANTED]
        self.counts = [0] * LISTENERS
        self.wrong = ""
        self._newest = [0] * LISTENERS
        self._looks = dict(changes.looks)
        self._there = changes.there

    @property
    def newest(self) -> int:
        """The number of a change that all have been told of."""
        return min(self._newest)

    def take(self, listener: int, _path: str, arrival: Arrival) -> None:
        """Look at an indication."""
        body, event = arrival.body, Event.of(arrival.body)
        number, name = _NUMBER.search(body), _FILTER.search(body)
        if number is None or name is None or not event.identifier:
            self._complain(f"listener {listener}: no indication of a filter: {body[:4000]!r}")
            return
        if int(number[1]) != self.counts[listener]:
            self._complain(f"listener {listener}: SequenceNumber is {int(number[1])}; expected {self.counts[listener]}")
        self.counts[listener] += 1
        self._newest[listener] = max([self._newest[listener], *(look.change for look in event.looks)])
        self.told[_subscription(name[1].decode())].add(event)
        if listener == 0:
            self._follow(event)

    def _follow(self, event: Event) -> None:
        """Note who else has to be told of what the first listener was told, and see that it goes on from the last."""
        for wanted, account in zip(WANTED, self.expected, strict=True):
            if wanted.selects(event):
                account.add(event)
        if event.source != SYSTEM:
            return
        if event.name == PASSING:
            if event.kind != MODIFIED and self._there is (event.kind == CREATED):
                self._complain(f"{PASSING}: {event.kind} twice")
            self._there = event.kind != DELETED
        elif event.is_of(SYSTEM, MODIFIED):
            after, before = event.looks
            if before != self._looks[event.name]:
                self._complain(f"{event.name}: {before} became {after}; expected from {self._looks[event.name]}")
            self._looks[event.name] = after

    def is_told(self, changes: Changes) -> bool:
        """Whether everybody has been told of all changes; also when something is wrong."""
        is_known = self._looks == changes.looks and self._there is changes.there
        return bool(self.wrong) or (is_known and self.told == self.expected)

    def missing(self) -> Iterator[str]:
        """Say which subscriptions were told otherwise than the first listener."""
        for wanted, told, expected in zip(WANTED, self.told, self.expected, strict=True):
            if told != expected:
                yield f"{wanted.query}: {told}; expected {expected}"

    def _complain(self, text: str) -> None:
        self.wrong = self.wrong or text


def _subscription(filter_name: str) -> int:
    """The number of the subscription that a filter belongs to."""
    return len(WANTED) - 1 if COLLECTION in filter_name else int(filter_name.rpartition(" ")[2])


def subscribe(server: Server, urls: list[str]) -> None:
    """Subscribe as `WANTED` says."""
    with server.pywbem("interop") as connection:

        def make(class_name: str, **properties: object) -> object:
            return connection.CreateInstance(pywbem.CIMInstance(class_name, properties))

        destinations = [make("CIM_ListenerDestinationCIMXML", Name=url, Destination=url) for url in urls]
        collections = {
            each["CollectionName"]: each.path for each in connection.EnumerateInstances("CIM_FilterCollection")
        }
        for number, wanted in enumerate(WANTED):
            place = destinations[wanted.listener]
            if wanted.query in collections:
                make("CIM_FilterCollectionSubscription", Filter=collections[wanted.query], Handler=place)
            else:
                texts = {"Query": wanted.query, "QueryLanguage": "DMTF:CQL", "SourceNamespaces": ["root/virt"]}
                selected = make("CIM_IndicationFilter", Name=f"soak {number}", **texts)
                make("CIM_IndicationSubscription", Filter=selected, Handler=place)


def test_changes_are_told_in_order_and_none_is_lost(libvirtd: Libvirtd, guests: Guests) -> None:
    soak(libvirtd, guests, SHORT_SECONDS, 1)


@pytest.mark.slow
def test_an_hour_of_changes(libvirtd: Libvirtd, guests: Guests) -> None:
    footprints = soak(libvirtd, guests, LONG_SECONDS, LOOKS)
    memory = [each.memory for each in footprints[WARM:]]
    slope, _ = statistics.linear_regression(range(len(memory)), memory)
    print(f"memory: {slope:+.1f} KiB from one look to the next", flush=True)
    assert slope * len(memory) <= MEMORY_SLACK


def soak(libvirtd: Libvirtd, guests: Guests, seconds: float, looks: int) -> list[Footprint]:
    """Change guests for some time, and see what listeners were told.

    Returns:
        what the server takes at each look.
    """
    changes = Changes(libvirtd, guests)
    footprints = []
    with ExitStack() as stack:
        stack.callback(changes.close)
        server = stack.enter_context(Server(libvirtd.uri()))
        audit = Audit(changes)
        listeners = [
            stack.enter_context(QuickListener(take=partial(audit.take, number))) for number in range(LISTENERS)
        ]
        subscribe(server, [listener.url("soak") for listener in listeners])
        for number in range(1, looks + 1):
            changes.run(seconds / looks, lambda: audit.newest)
            try:
                wait_until(lambda: audit.is_told(changes), PATIENCE)
            finally:
                print(audit.wrong, *audit.missing(), sep="\n", end="", flush=True)
            assert not audit.wrong
            footprints.append(Footprint.of(server.pid, 0))
            print(
                f"{seconds / looks * number:.0f} s: {changes.count} changes, {sum(audit.counts)} indications,"
                f" {footprints[-1]}",
                flush=True,
            )
        assert all(each.count for each in audit.told)
    return footprints

"""Finding what no event tells: the first reading of everything, and a round of comparing that never ends.

A round has two parts.  A listing, a few bulk calls, tells who is there and every fact but the XML.  The XML of each
object is fetched and its digest compared, a few objects at a time, spread over the interval.  Neither writes to the
inventory: what differs is marked, and the readers fetch it, so that there is one way in.

What events and libvirt's own files tell of is left out of most rounds: an object whose file is in a directory that is
watched, since before it was read first, is compared once in `_RECHECK`, in case something was missed.

Worst staleness: both parts begin again `_SHARE` of the interval after they began, so a change is fetched within the
interval as long as a whole round takes less than the rest of it.  Where more than `_CROWD` hypervisors share threads,
the interval is as many times longer.

Layer rule: imports connections, inventory, kinds, readers, settings, watch.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import libvirt

from virtcim.libhelper.connections import is_alive, scheme_driver
from virtcim.libhelper.inventory.inventory import Inventory, is_gone
from virtcim.libhelper.inventory.kinds import DOMAIN, KINDS, Kind
from virtcim.libhelper.inventory.readers import Readers
from virtcim.libhelper.inventory.records import Document, Record
from virtcim.libhelper.inventory.watch import DirectoryWatch, default_directories
from virtcim.libhelper.settings import HypervisorSettings

__all__ = ["Reconciler"]

_log = logging.getLogger(__name__)

_SHARE = 0.8
"""The part of the interval in which a round is done."""
_FULL = 1000
"""Domains from which on a round takes its whole time; below, it takes less in proportion.  One of other kinds takes
its whole time however few there are: they change seldom, and are listed at the price of a thousand domains."""
_SHORTEST = 2.0
"""Seconds that a round of few domains takes, at least."""
_EACH = 0.15
"""Seconds by which such a round is longer for each other hypervisor that shares the threads."""
_CROWD = 50
"""Hypervisors that share the threads, from which on every round takes its time once more for as many: two hundred of
fifty domains each would else cost a whole processor while nothing happens."""
_PACE = 0.1
"""The part of a round after which the next objects are due: to wake a thread for each costs more than to compare it."""
_RECHECK = 600.0
"""Seconds after which the XML of an object is compared though its file tells of changes."""
_RELIST = 60.0
"""Seconds after which all facts are listed though events and files tell of most."""
_TRUE_FILES = frozenset({"qemu", "lxc"})
"""Drivers that keep every definition in a file of its own, and write it anew for each change."""
_FILE_CLOCK = 0.05
"""Seconds by which the time of a file may be behind the clock."""
_OWNERS = {part.name: kind for kind in KINDS.values() for part in kind.parts}
"""By kind of parts, the kind of what has them."""
_PATIENCE = 2.0
"""Seconds without progress after which the first reading goes round what does not answer."""
_PARALLEL = 50
"""Objects from which on the first reading is worth more than one reader."""


class Reconciler:
    """Keeps an inventory true where events do not.

    Parameters:
        inventory: what to compare with.
        readers: who fetches.
        settings: the interval.
        uri: whose directories to watch.
        users: tells how many hypervisors share the threads.
    """

    def __init__(
        self,
        inventory: Inventory,
        readers: Readers,
        settings: HypervisorSettings,
        uri: str,
        users: Callable[[], int] = lambda: 1,
    ) -> None:
        self._inventory = inventory
        self._readers = readers
        self._settings = settings
        self._users = users
        period = settings.interval * _SHARE
        self._by_kind = {
            name: _Round(kind, period, _SHORTEST if kind is DOMAIN else period) for name, kind in KINDS.items()
        }
        # The sizes of disks are asked for one by one, each by opening an image or asking an emulator: never in haste.
        period = settings.volume_interval * _SHARE
        self._disks = _Round(DOMAIN, period, shortest=period)
        self._has_true_files = scheme_driver(uri) in _TRUE_FILES
        self._due: deque[tuple[_Round, str]] = deque()
        self._jobs: list[Future[None]] = []
        directories = settings.watch_directories
        self._watch = DirectoryWatch(default_directories(uri) if directories is None else directories)
        self._looking: Future[None] | None = None
        self._watched = 0.0
        inventory.has_our_files = partial(self._tells_of, DOMAIN)

    def load(self, kind: Kind) -> Load:
        """Read all objects of a kind, with as few calls as possible, and drop those that are gone."""
        part = self._by_kind[kind.name]
        part.compared.clear()
        return Load(kind, self._inventory, self._readers, self._settings, part.was_compared)

    def turn(self, now: float) -> None:
        """One turn: ask for what is due now (a monotonic time in seconds)."""
        if now - self._watched >= self._settings.watch_interval:
            self._watched = now
            self._look()
        users = self._users()
        self._by_kind[DOMAIN.name].shortest = _SHORTEST + _EACH * max(0, users - 1)
        times = max(1.0, users / _CROWD)
        self._disks.times = times
        for part in self._by_kind.values():
            part.times = times
            part.update(self._inventory)
            if part.listing_due(now):
                compare = self._compare_listing if part.full_listing_due(now) else self._compare_brief
                part.listing = self._readers.submit(f"list of {part.kind.name}s", partial(compare, part))
            due = part.keys_due(now)
            self._due.extend((part, key) for key in due if not self._is_settled(part, key, now))
        self._disks.update(self._inventory)
        if self._looking is None or self._looking.done():
            disks = self._disks.keys_due(now)
            if disks:
                look = partial(self._inventory.measure_changed_disks, disks)
                self._looking = self._readers.submit("images", lambda _connection: look())
        self._jobs = [job for job in self._jobs if not job.done()]
        if self._due and len(self._jobs) < self._settings.readers:
            self._jobs.append(self._readers.submit("comparison", self._compare_due))

    def _look(self) -> None:
        """Mark what has a new file, unless it has been fetched since that was written."""
        for kind, name, modified in self._watch.changed():
            if kind in _OWNERS:
                self._look_at_parts(kind, name)
                continue
            record = self._inventory.find_by_name(kind, name)
            if record is None:
                self._by_kind[kind].list_now()
            elif not self._inventory.fetched_since(kind, record.key, modified + _FILE_CLOCK):
                self._readers.mark((kind, record.key))

    def _look_at_parts(self, part: str, name: str) -> None:
        """Have the parts listed of an object of this name, and whether it has any."""
        kind = _OWNERS[part]
        record = self._inventory.find_by_name(kind.name, name)
        if record is not None:
            self._inventory.forget_parts(part, record.key)
            self._readers.mark((kind.name, record.key))
            self._readers.mark((part, record.key))

    def _tells_of(self, kind: Kind, record: Record) -> bool:
        """Whether an event or a file that is watched tells of every change of an object's XML."""
        return (
            self._has_true_files
            and record.contact
            and kind.lives_in_files(record)
            and self._watch.holds(kind.name, record.name)
        )

    def _is_settled(self, part: _Round, key: str, now: float) -> bool:
        """Whether an object need not be compared: it was read or compared, and since then its file would have told."""
        if not self._has_true_files or now - part.compared.get(key, -math.inf) > _RECHECK:
            return False
        record = self._inventory.find(part.kind.name, key)
        return record is not None and self._tells_of(part.kind, record)

    def restart(self) -> None:
        """Everything has just been read: begin new rounds."""
        self._looking = None
        self._due.clear()
        for part in (*self._by_kind.values(), self._disks):
            part.restart(time.monotonic())

    def _compare_brief(self, part: _Round, connection: libvirt.virConnect) -> None:
        """Mark whatever is not as the record says, as far as neither events nor files would have told; all that can be
        listed, where they do not tell of every object."""
        kind = part.kind
        records = self._inventory.records(kind.name) if self._has_true_files else []
        watched = self._has_true_files and all(
            not record.persistent or self._watch.holds(kind.name, record.name) for record in records
        )
        brief = kind.brief(connection) if watched else None
        if brief is None:
            self._compare_listing(part, connection)
            return
        for record in records:
            if any(getattr(record, fact) != (record.key in keys) for fact, keys in brief.items()):
                self._readers.mark((kind.name, record.key))
            else:
                self._compare_parts(kind, record)

    def _compare_listing(self, part: _Round, connection: libvirt.virConnect) -> None:
        """Mark whatever is new, gone, or not as the record says."""
        kind = part.kind
        listing = kind.listing(connection)
        part.listed = time.monotonic()
        for key in self._inventory.keys(kind.name):
            if key not in listing:
                self._readers.mark((kind.name, key))
        for key, (_handle, facts) in listing.items():
            record = self._inventory.find(kind.name, key)
            if record is None or not record.contact or kind.facts_of(record) != facts:
                self._readers.mark((kind.name, key))
            else:
                self._compare_parts(kind, record)

    def _compare_parts(self, kind: Kind, record: Record) -> None:
        """Have the parts of a record listed, where it has or can have any."""
        for part in kind.parts:
            watched = self._has_true_files and self._watch.holds(part.name, record.name)
            if part.exists(record) and not watched:
                self._readers.mark((part.name, record.key))

    def _compare_due(self, connection: libvirt.virConnect) -> None:
        """Compare the XML of what is due.

        One object at a time is taken from the common queue, and claimed, so that one that does not answer keeps one
        reader.
        """
        while True:
            try:
                part, key = self._due.popleft()
            except IndexError:
                return
            kind = part.kind
            generation = self._readers.generation
            record = self._inventory.find(kind.name, key)
            if record is None or not self._readers.claim([(kind.name, key)], generation):
                continue
            try:
                begun = time.monotonic()
                if self._differs(kind, record, connection):
                    self._readers.mark((kind.name, key))
                part.was_compared(key, begun)
            finally:
                self._readers.release((kind.name, key), generation)

    def _differs(self, kind: Kind, record: Record, connection: libvirt.virConnect) -> bool:
        try:
            handle = kind.lookup(connection, record.key)
            live, defined = kind.texts(handle, kind.facts_of(record), self._settings.read_only)
        except libvirt.libvirtError as error:
            if is_gone(error):
                return True
            raise
        return not (_same(record.live_document, live) and _same(record.defined_document, defined))


def _same(document: Document[Any] | None, text: str | None) -> bool:
    if document is None or text is None:
        return document is None and text is None
    return document.digest == Document.digest_of(text)


class _Round:
    """Whose turn it is among the objects of one kind.

    Parameters:
        kind: the kind.
        period: seconds for a round of very many objects; a round of few takes less, at the same number of objects in
            a second.
        shortest: seconds that a round takes, however few objects there are.

    Attributes:
        shortest: as above.
        times: as many times as long as the period says each round takes.
        listing: the listing that was asked for last.
        listed: when all facts were listed last, a monotonic time.
        compared: when each object was read first or compared last.
    """

    def __init__(self, kind: Kind, period: float, shortest: float) -> None:
        self.kind = kind
        self.shortest = shortest
        self.times = 1.0
        self.listing: Future[None] | None = None
        self.listed = 0.0
        self.compared: dict[str, float] = {}
        self._period = period
        self._asked = 0.0
        self._full = False
        self._last = 0.0
        self._credit = 0.0
        self._revision = -1
        self._order: deque[str] = deque()
        self._known: set[str] = set()
        self._present: frozenset[str] = frozenset()

    def restart(self, now: float) -> None:
        self.listing = None
        self.listed = self._asked = self._last = now
        self._credit = 0.0

    def update(self, inventory: Inventory) -> None:
        """Take notice of the objects that there are."""
        revision = inventory.membership_revision_of(self.kind.name)
        if revision == self._revision:
            return
        keys = inventory.keys(self.kind.name)
        self._revision = revision
        self._present = frozenset(keys)
        self._order.extend(key for key in keys if key not in self._known)
        self._known |= self._present
        if len(self._known) > 2 * len(self._present):
            # Objects that came and went faster than their turn did would pile up here.
            self._known &= self._present
            self._order = deque(key for key in self._order if key in self._present)
        if len(self.compared) > 2 * len(self._present):
            self.compared = {key: when for key, when in list(self.compared.items()) if key in self._present}

    @property
    def period(self) -> float:
        """Seconds for a round."""
        period = self._period * self.times
        return min(period, max(self.shortest, period * len(self._present) / _FULL))

    def list_now(self) -> None:
        """List all facts at the next turn, before it would be due."""
        self._asked = -math.inf
        self._full = True

    def listing_due(self, now: float) -> bool:
        """Whether to list now; if so, that is taken as done."""
        if now - self._asked < self.period or (self.listing is not None and not self.listing.done()):
            return False
        self._asked = now
        return True

    def full_listing_due(self, now: float) -> bool:
        """Whether a listing has to be of all facts; if so, that is taken as done."""
        full, self._full = self._full or now - self.listed + self.period > _RELIST, False
        return full

    def was_compared(self, key: str, now: float) -> None:
        """Note that the XML of an object was fetched at `now`, and compared or taken in."""
        self.compared[key] = now

    def keys_due(self, now: float) -> list[str]:
        """The objects to compare now: those that waited longest, as many as keep the round in its time."""
        if now - self._last < self.period * _PACE:
            return []
        count = len(self._present)
        self._credit += count * (now - self._last) / self.period
        self._last = now
        due: list[str] = []
        while self._credit >= 1 and self._order and len(due) < count:
            key = self._order.popleft()
            if key in self._present:
                self._order.append(key)
                due.append(key)
                self._credit -= 1
            else:
                self._known.discard(key)
        self._credit = min(self._credit, 1.0)
        return due


class Load:
    """One reading of all objects of a kind.

    The objects are claimed from the readers meanwhile, so that an event that names one has it fetched afterwards.

    Parameters:
        note_read: is told the key of each object that was read, and since when, a monotonic time.

    Attributes:
        done: its future; it fails when the connection does.
    """

    def __init__(
        self,
        kind: Kind,
        inventory: Inventory,
        readers: Readers,
        settings: HypervisorSettings,
        note_read: Callable[[str, float], None],
    ) -> None:
        self._note_read = note_read
        self._kind = kind
        self._inventory = inventory
        self._readers = readers
        self._settings = settings
        self._generation = readers.generation
        self._lock = threading.Lock()
        self._todo: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._left = 0
        self._progress = time.monotonic()
        self._listed = False
        self.done: Future[None] = Future()
        known = inventory.keys(kind.name)
        self._claimed = readers.claim([(kind.name, key) for key in known], self._generation)
        listing = readers.submit(f"first list of {kind.name}s", self._list)
        listing.add_done_callback(self._on_listed)

    def check(self) -> None:
        """Called now and then: an object that does not answer must not keep the others waiting for ever."""
        with self._lock:
            stalled = self._listed and time.monotonic() - self._progress > _PATIENCE and not self.done.done()
            if stalled:
                self._progress = time.monotonic()
            left = self._left
        if stalled and self._todo:
            self._readers.submit(f"reading {self._kind.name}s", self._drain)
        elif stalled:
            _log.warning("%d %ss not read yet, going on without them", left, self._kind.name)
            self._finish()

    def _list(self, connection: libvirt.virConnect) -> None:
        kind, name = self._kind, self._kind.name
        listing = kind.listing(connection)
        claimed = self._claimed | self._readers.claim(
            {(name, key) for key in listing} - self._claimed, self._generation
        )
        for _name, key in claimed:
            if key not in listing:
                self._inventory.remove(kind, key, (), self._generation)
                self._readers.release((name, key), self._generation)
        for key in listing:
            if (name, key) not in claimed:
                self._readers.mark((name, key))
        mine = [(key, facts) for key, (_handle, facts) in listing.items() if (name, key) in claimed]
        with self._lock:
            self._todo.extend(mine)
            self._left = len(mine)
            self._progress = time.monotonic()
            self._listed = True
        if len(mine) >= _PARALLEL:
            for _ in range(self._settings.readers - 1):
                self._readers.submit(f"reading {name}s", self._drain)
        self._read({key: handle for key, (handle, _facts) in listing.items()}, connection)
        if not mine:
            self._finish()

    def _on_listed(self, listing: Future[None]) -> None:
        """Without a list there is nothing to wait for; claims end with the generation or here."""
        if listing.cancelled():
            self.done.cancel()
            return
        error = listing.exception()
        if error is not None:
            for key in self._claimed:
                self._readers.release(key, self._generation)
            if not self.done.done():
                self.done.set_exception(error)

    def _drain(self, connection: libvirt.virConnect) -> None:
        self._read(self._kind.handles(connection) if self._todo else {}, connection)

    def _read(self, handles: dict[str, Any], connection: libvirt.virConnect) -> None:
        kind = self._kind
        while True:
            try:
                key, facts = self._todo.popleft()
            except IndexError:
                return
            begun = time.monotonic()
            try:
                handle = handles.get(key) or kind.lookup(connection, key)
                texts = kind.texts(handle, facts, self._settings.read_only)
                self._inventory.put(kind, facts, texts, (), self._generation, observed=False)
                self._note_read(key, begun)
            except libvirt.libvirtError as error:
                if is_gone(error):
                    self._inventory.remove(kind, key, (), self._generation)
                elif not is_alive(connection):
                    self._todo.appendleft((key, facts))
                    raise
                else:
                    _log.warning("%s %s: %s", kind.name, facts[0], error)
            self._readers.release((kind.name, key), self._generation)
            with self._lock:
                self._left -= 1
                self._progress = time.monotonic()
                last = not self._left
            if last:
                self._finish()

    def _finish(self) -> None:
        with self._lock:
            if not self.done.done():
                self.done.set_result(None)

"""What exists now on one hypervisor: records in tables, replaced as libvirt's objects change.

Reading takes a lock for as long as a dictionary copy takes, and calls nothing.  Writing is done by the readers, which
never have one object at two of them at a time, and belongs to a generation: what was begun before the connection was
lost is not put into the tables any more.  Listeners are told of the changes in the order in which they were made.

Layer rule: imports documents, errors, events, settings, states and its siblings but `reconcile`.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import threading
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeVar, cast

import libvirt

from virtcim.libhelper.documents.domain import Disk, DomainConfig
from virtcim.libhelper.errors import LibvirtError, look_up
from virtcim.libhelper.events import Event
from virtcim.libhelper.inventory.disks import Images, disk_capacities, images_of
from virtcim.libhelper.inventory.journal import Journal
from virtcim.libhelper.inventory.kinds import DOMAIN, KINDS, NO_TEXTS, DomainFacts, Kind, Text, Texts
from virtcim.libhelper.inventory.memory_requests import MemoryRequests
from virtcim.libhelper.inventory.parts import PartKind
from virtcim.libhelper.inventory.readers import Key, Readers, Task
from virtcim.libhelper.inventory.records import (
    NO_PARTS,
    Change,
    Document,
    Domain,
    Host,
    Interface,
    Network,
    NodeDevice,
    NWFilter,
    Part,
    Parts,
    Pool,
    Record,
)
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.libhelper.states import DomainState

__all__ = ["Inventory", "Listener"]

_log = logging.getLogger(__name__)

Listener = Callable[[Change], None]
AnyRecord = TypeVar("AnyRecord", bound=Record)

CAPACITIES = "capacities"
"""In the place of a kind, with a domain's key: the sizes of that domain's disks."""

_ANSWERS_FIRST = 0.1
"""Seconds after which the disks of a domain are measured that has changed: whoever waits for the change asks at once,
and would wait for this, too."""

REREAD = 3
"""How often an object is read again that changes between two calls."""

_revisions = itertools.count(1)

_handing_over = threading.Lock()
"""Two inventories are locked together by one thread at a time, as two that did so could wait for each other."""

_STATE_EVENTS = {
    libvirt.VIR_DOMAIN_EVENT_STARTED: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: DomainState.PAUSED,
    libvirt.VIR_DOMAIN_EVENT_RESUMED: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_EVENT_STOPPED: DomainState.SHUTOFF,
    libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED: DomainState.PMSUSPENDED,
    libvirt.VIR_DOMAIN_EVENT_CRASHED: DomainState.CRASHED,
}
"""Events that tell of a state, and the state."""

_RUNNING = frozenset({DomainState.RUNNING, DomainState.BLOCKED, DomainState.NOSTATE})
"""States of which libvirt tells by the events of a running domain."""


_NAME = attrgetter("name")


class _Table:
    """The records of one kind."""

    __slots__ = ("by_key", "by_name", "fetched", "ordered")

    def __init__(self) -> None:
        self.by_key: dict[str, Record] = {}
        self.by_name: dict[str, Record] = {}
        self.ordered: list[Record] | None = None
        self.fetched: dict[str, float] = {}

    def put(self, record: Record) -> None:
        old = self.by_key.get(record.key)
        if old is not None and self.by_name.get(old.name) is old:
            del self.by_name[old.name]
        self.by_key[record.key] = record
        self.by_name[record.name] = record
        self._order(old, record)

    def drop(self, record: Record) -> None:
        del self.by_key[record.key]
        if self.by_name.get(record.name) is record:
            del self.by_name[record.name]
        self._order(record, None)

    def _order(self, old: Record | None, new: Record | None) -> None:
        """Keep the order when a record comes, goes or takes the place of another one: to sort thousands anew costs more
        than all else about a change."""
        ordered = self.ordered
        if ordered is None:
            return
        if old is not None:
            place = bisect_left(ordered, old.name, key=_NAME)
            while ordered[place] is not old:  # another one may have its name for a moment
                place += 1
            if new is not None and new.name == old.name:
                ordered[place] = new
                return
            del ordered[place]
        if new is not None:
            insort(ordered, new, key=_NAME)

    def snapshot(self) -> list[Record]:
        if self.ordered is None:
            self.ordered = sorted(self.by_key.values(), key=_NAME)
        return self.ordered.copy()


class Inventory:
    """The objects of one hypervisor.

    Parameters:
        uri: of the hypervisor.
        settings: how to keep the inventory.

    Attributes:
        revision: grows with every change.
        listeners: called with each `Change`, one at a time, in the order in which the records were replaced; they must
            return at once, and must not wait for the inventory.
        memory_requests: how much memory running domains were asked to have.
        has_our_files: tells of a domain whether it does not run, and the paths of its images are those of files of
            this machine.
        host: the hypervisor itself.
    """

    def __init__(self, uri: str, settings: HypervisorSettings) -> None:
        self._uri = uri
        self._settings = settings
        self.host = Host(uri, contact=False)
        self._tables = {name: _Table() for name in KINDS}
        self._changed = threading.Condition()
        self.revision = 0
        self.memory_requests = MemoryRequests()
        self.listeners: list[Listener] = [self.memory_requests.watch]
        self.readers: Readers | None = None
        self.has_our_files: Callable[[Domain], bool] = lambda _domain: False
        self._images: dict[str, Images] = {}
        self._withheld: set[str] = set()
        self._arrived: dict[str, Domain] = {}
        self._relocating: set[str] = set()
        self._departed: set[str] = set()
        self._memberships = dict.fromkeys(KINDS, 0)
        self._journal = Journal()
        self._parts_read: dict[Key, float] = {}
        self._untold: deque[Change] = deque()
        self._telling = threading.Lock()

    def domains(self) -> list[Domain]:
        """All domains, sorted by name."""
        return cast("list[Domain]", self.records("domain"))

    def domain(self, name: str) -> Domain | None:
        """The domain of this name."""
        return cast("Domain | None", self._tables["domain"].by_name.get(name))

    def domain_by_uuid(self, uuid: str) -> Domain | None:
        """The domain of this UUID, in libvirt's spelling (lower case)."""
        return cast("Domain | None", self._tables["domain"].by_key.get(uuid))

    def networks(self) -> list[Network]:
        """All virtual networks, sorted by name."""
        return cast("list[Network]", self.records("network"))

    def pools(self) -> list[Pool]:
        """All storage pools, sorted by name."""
        return cast("list[Pool]", self.records("pool"))

    def volume_at(self, path: str) -> tuple[Pool, str] | None:
        """Find the storage pool and the name of the volume at a path; None where no pool has it."""
        for pool in self.pools():
            for volume in pool.volumes or ():
                if path in (volume.key, volume.config and volume.config.target_path):
                    return pool, volume.name
        return None

    def node_devices(self) -> list[NodeDevice]:
        """All devices of the host, sorted by name."""
        return cast("list[NodeDevice]", self.records("nodedev"))

    def nwfilters(self) -> list[NWFilter]:
        """All network filters, sorted by name."""
        return cast("list[NWFilter]", self.records("nwfilter"))

    def interfaces(self) -> list[Interface]:
        """All network interfaces of the host, sorted by name."""
        return cast("list[Interface]", self.records("interface"))

    def find(self, kind: str, key: str) -> Record | None:
        """The object of this kind ("domain", "network", "pool", "nodedev", "nwfilter", "interface") and key."""
        return self._tables[kind].by_key.get(key)

    def find_by_name(self, kind: str, name: str) -> Record | None:
        """The object of this kind and name."""
        return self._tables[kind].by_name.get(name)

    def wait_for(self, predicate: Callable[[Inventory], bool], timeout: float) -> bool:
        """Block until `predicate` holds, which is asked after each change, for at most `timeout` seconds.

        Returns:
            whether it held.
        """
        deadline = time.monotonic() + timeout
        while True:
            revision = self.revision
            if predicate(self):
                return True
            with self._changed:
                while self.revision == revision:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return False
                    self._changed.wait(left)

    def refresh(self, uuid: str, timeout: float = 5.0, kind: str = "domain") -> Record | None:
        """Fetch one object now, and wait until that has been done; for use after an own write.

        Parameters:
            uuid: the key of the object: its UUID, or the name of what has no UUID.
            timeout: seconds to wait.

        Returns:
            the record afterwards; None when there is no such object (any more).
        """
        if self.readers is not None:
            waiter = threading.Event()
            self.readers.mark((kind, uuid), waiter=waiter)
            waiter.wait(timeout)
        return self.find(kind, uuid)

    def take_in(self, uuid: str, timeout: float = 5.0) -> Record | None:
        """Have a domain be here that was not when libvirt was asked to define it; for use after that.

        What an event of libvirt has begun will do: a record of it was made of what was defined.

        Parameters:
            timeout: seconds to wait.

        Returns:
            the record; None when there is no such domain (any more).
        """
        until, waiter = time.monotonic() + timeout, threading.Event()
        is_known = self.domain_by_uuid(uuid) is not None
        if not is_known and self.readers is not None and self.readers.join((DOMAIN.name, uuid), waiter):
            waiter.wait(timeout)
        return self.domain_by_uuid(uuid) or self.refresh(uuid, max(0.0, until - time.monotonic()))

    def find_anew(self, kind: str, name: str) -> Record | None:
        """Find what has a name, and have it read first: libvirt may not have told yet that it is gone."""
        found = self.find_by_name(kind, name)
        if found is not None:
            self.refresh(found.key, kind=kind)
        return found and self.find_by_name(kind, name)

    def refresh_parts(self, name: str, owner: str, timeout: float = 5.0) -> None:
        """Read all parts of an object now, and wait until that has been done; for use after an own write.

        Parameters:
            name: of the kind of parts, such as `records.VOLUMES`.
            owner: the key of the object that has them.
            timeout: seconds to wait.
        """
        if self.readers is not None:
            self.forget_parts(name, owner)
            waiter = threading.Event()
            self.readers.mark((name, owner), waiter=waiter)
            waiter.wait(timeout)

    def forget_parts(self, name: str, owner: str) -> None:
        """Have the XML of all parts of an object read when they are listed next."""
        self._parts_read.pop((name, owner), None)

    def membership_revision_of(self, kind: str) -> int:
        """The revision at which an object of this kind came or went last."""
        return self._memberships[kind]

    def domains_changed_since(self, revision: int) -> set[str] | None:
        """Give the names of the domains that came, changed or went after a revision; None where that is too long ago to
        be known."""
        with self._changed:
            return self._journal.since(revision)

    def withhold(self, uuid: str) -> None:
        """Show a domain that is not here yet, whether libvirt lists it or not, only from `hand_over` on."""
        self._withheld.add(uuid)

    def set_relocating(self, uuid: str) -> None:
        """Note that a domain is being moved away, and read it again: until `hand_over` it is shown here, though libvirt
        may have forgotten it already."""
        self._relocating.add(uuid)
        self.refresh(uuid)

    def hand_over(self, uuid: str, target: Inventory | None) -> None:
        """Show a domain where it is, now that its move has ended.

        It leaves this inventory and comes into the other one in one moment: nobody finds it at neither or at both.

        Parameters:
            target: of the hypervisor that it was to go to; None for one that is not served.
        """
        both = [self] if target is None else [self, target]
        for each in both:
            each.refresh(uuid)
        with _handing_over, contextlib.ExitStack() as locks:
            for each in both:
                locks.enter_context(each._changed)
            self._relocating.discard(uuid)
            gone = self.domain_by_uuid(uuid) if uuid in self._departed else None
            if gone is not None:
                self._drop(DOMAIN, gone)
            if target is not None:
                target._admit(uuid)
        for each in both:
            each._tell()
        if gone is None:
            self.refresh(uuid)
        if target is not None:
            target._list_parts(DOMAIN, uuid)
            target.measure_disks([uuid])

    def _admit(self, uuid: str) -> None:
        """Undo `withhold`, and take the domain in, where it has arrived; with the lock."""
        self._withheld.discard(uuid)
        arrived = self._arrived.pop(uuid, None)
        if arrived is not None:
            # It is shown from now on: by its revision nobody who looked meanwhile would find that it has come.
            self._replace(DOMAIN, None, replace(arrived, revision=next(_revisions)))

    def keys(self, kind: str) -> list[str]:
        """The keys of all objects of a kind."""
        with self._changed:
            return list(self._tables[kind].by_key)

    def records(self, kind: str) -> list[Record]:
        """All objects of a kind, sorted by name."""
        with self._changed:
            return self._tables[kind].snapshot()

    def fetched_since(self, kind: str, key: str, moment: float) -> bool:
        """Whether all of an object has been fetched by a fetch that began after `moment`, in seconds since the epoch.

        After an event only that is fetched which the event can have changed.
        """
        return self._tables[kind].fetched.get(key, 0.0) > moment

    def fetch(self, connection: libvirt.virConnect, key: Key, task: Task, generation: int) -> None:
        """Read one object and put it into its table; for the readers, which hold the object meanwhile."""
        if key[0] == CAPACITIES:
            self._fetch_capacities(connection, key[1], generation)
            return
        kind = KINDS.get(key[0])
        if kind is None:
            self._fetch_parts(connection, *_parts_of(key[0]), key[1], generation)
            return
        events = tuple(task.events)
        old = self._tables[kind.name].by_key.get(key[1])
        follows = task.only_events and (old is None or old.contact)
        if not follows:
            self._tables[kind.name].fetched[key[1]] = time.time()
        try:
            handle = kind.lookup(connection, key[1])
            kept = NO_TEXTS
            if follows:
                facts = kind.facts_after(handle, None if old is None else kind.facts_of(old), events)
                if old is not None:
                    kept = kind.kept_texts(old, facts, events)
            else:
                facts = kind.facts(handle)
            texts = kind.texts(handle, facts, self._settings.read_only, kept)
            for _ in range(REREAD):
                if kind.agree(facts, texts):
                    break
                # Another handle: one knows the number of its domain from when it was made.
                handle, kept = kind.lookup(connection, key[1]), NO_TEXTS
                facts = kind.facts(handle)
                texts = kind.texts(handle, facts, self._settings.read_only)
        except libvirt.libvirtError as error:
            if not is_gone(error):
                raise
            self.remove(kind, key[1], events, generation)
            return
        known = None if old is None else kind.facts_of(old)
        facts, shown = kind.shown(known, facts, (kept[0] or texts[0], kept[1] or texts[1]))
        self.put(kind, facts, shown, events, generation)
        if events:
            self._list_parts(kind, key[1])

    def put(
        self,
        kind: Kind,
        facts: tuple[Any, ...],
        texts: Texts,
        events: tuple[Event, ...],
        generation: int,
        observed: bool = True,
    ) -> None:
        """Put what was read of an object into its table; no change, no new record.

        Parameters:
            observed: False for what is there when the hypervisor is first seen: nobody saw it become so.
        """
        table = self._tables[kind.name]
        key = facts[1] or facts[0]
        old = table.by_key.get(key) or (self._arrived.get(key) if kind is DOMAIN else None)
        self._departed.discard(key)
        relocating = kind is DOMAIN and key in self._relocating
        live = _document(kind, old.live_document if old else None, texts[0])
        defined = _document(kind, old.defined_document if old else None, texts[1])
        state_event = _state_event(cast("Domain | None", old), facts, events) if kind is DOMAIN else None
        if (
            old is not None
            and old.contact
            and state_event is None
            and old.live_document is live
            and old.defined_document is defined
            and kind.facts_of(old) == facts
            and (not isinstance(old, Domain) or old.relocating == relocating)
        ):
            return
        extra: dict[str, Any] = {}
        if kind is DOMAIN:
            extra["relocating"] = relocating
            extra["state_changed"] = _state_changed(cast("Domain | None", old), facts, state_event, events, observed)
        documents = (None, None) if old is None else (old.live_document, old.defined_document)
        has_other_disks = kind is DOMAIN and any(map(_changes_disks, documents, (live, defined)))
        is_measured = has_other_disks and isinstance(old, Domain) and old.capacities
        replaced = _replaced_images(documents, (live, defined)) if is_measured else frozenset()
        with self._changed:
            if generation != self._generation():
                return
            present = table.by_key.get(key)
            if isinstance(present, Domain):
                extra["capacities"] = (
                    {target: size for target, size in present.capacities.items() if target not in replaced}
                    if replaced
                    else present.capacities
                )
            new = kind.record(
                uri=self._uri,
                contact=True,
                revision=next(_revisions),
                live_document=live,
                defined_document=defined,
                parts=_parts(kind, facts, NO_PARTS if present is None else present.parts),
                **dict(zip(kind.facts_class._fields, facts, strict=True)),
                **extra,
            )
            if kind is DOMAIN and present is None and key in self._withheld:
                self._arrived[key] = cast("Domain", new)
                return
            self._replace(kind, present, new, events)
        self._tell()
        if kind is not DOMAIN or self.host.contact:
            # Those of all domains that are there at first are compacted with the measuring of their disks.
            new.compact()
        self._list_parts(kind, key)
        if has_other_disks and self.host.contact:
            self.measure_disks([key], _ANSWERS_FIRST)

    def measure_disks(self, domains: Iterable[str], delay: float = 0.0) -> None:
        """Have the sizes of the disks of these domains read, when there is nothing else to do.

        Parameters:
            delay: seconds before which that is not begun.
        """
        if self.readers is not None:
            self.readers.mark_later([(CAPACITIES, key) for key in domains], delay)

    def measure_changed_disks(self, domains: Iterable[str]) -> None:
        """Have the sizes of the disks of these domains read likewise, where they can be others than they were.

        It looks at the images, and so may wait for a disk.
        """
        changed = []
        for uuid in domains:
            record = self.domain_by_uuid(uuid)
            known = self._images.get(uuid)
            if record is not None and (known is None or self._look_at_images(record) != known):
                changed.append(uuid)
        self.measure_disks(changed)

    def _look_at_images(self, record: Domain) -> Images | None:
        """What shows whether the images of a domain were written; None when that cannot be told."""
        config = record.config
        return images_of(_measured_disks(config)) if config is not None and self.has_our_files(record) else None

    def _fetch_capacities(self, connection: libvirt.virConnect, uuid: str, generation: int) -> None:
        """Measure the disks of a domain, unless the images are what they were when they were measured last.

        One that cannot be measured has no size; that is no error.
        """
        record = self.domain_by_uuid(uuid)
        if record is None:
            return
        config = record.config
        record.compact()
        if config is None:
            return
        images = self._look_at_images(record)
        targets = [disk.target_dev for disk in _measured_disks(config) if disk.target_dev]
        if images is not None and images == self._images.get(uuid):
            present = {target for target, image in zip(targets, images, strict=True) if image is not None}
            if record.capacities.keys() == present:
                return
        measured = disk_capacities(connection, uuid, record.active, targets) if targets else {}
        if measured is None:
            return
        with self._changed:
            old = self.domain_by_uuid(uuid)
            if old is None or generation != self._generation():
                return
            self._images.pop(uuid, None)
            if images is not None:
                self._images[uuid] = images
            # Of a disk that went since the XML was read, nothing is told but that it has gone.
            kept = {target: old.capacities.get(target) for target in targets if target not in measured}
            capacities = {target: size for target, size in {**measured, **kept}.items() if size is not None}
            if old.capacities == capacities:
                return
            self._replace(DOMAIN, old, replace(old, capacities=capacities, revision=next(_revisions)))
        self._tell()

    def _list_parts(self, kind: Kind, owner: str) -> None:
        """Have the parts of an object listed, and the XML of all of them read."""
        record = self._tables[kind.name].by_key.get(owner)
        for part in kind.parts:
            self._parts_read.pop((part.name, owner), None)
            if self.readers is not None and record is not None and part.exists(record):
                self.readers.mark((part.name, owner))

    def _fetch_parts(
        self, connection: libvirt.virConnect, kind: Kind, part: PartKind, owner: str, generation: int
    ) -> None:
        """List the parts of an object, and read the XML of those that are new, from time to time of all."""
        record = self._tables[kind.name].by_key.get(owner)
        if record is None:
            return
        known = {each.name: each for each in record.parts.get(part.name, ())}
        now = time.monotonic()
        again = now - self._parts_read.get((part.name, owner), -math.inf) > part.interval(self._settings)
        try:
            handles = (
                [(*part.identify(each), each) for each in part.handles(connection, owner)]
                if part.exists(record)
                else []
            )
        except libvirt.libvirtError as error:
            if not is_gone(error):
                raise
            return  # the owner has gone, which is seen with the owner
        again = again or (part.related and known.keys() != {name for name, _, _ in handles})
        parts: list[Part[Any]] = []
        for name, key, handle in handles:
            each, traits = known.get(name), part.traits(handle)
            document = None if each is None else each.document
            if document is None or again:
                text = look_up(part.text, handle)
                if text is None:
                    continue
                if document is None or document.digest != Document.digest_of(text):
                    document = Document(text, part.parse).compact()
            if each is None or each.document is not document or each.traits != traits:
                each = part.record(name, key, document, **traits)
            parts.append(each)
        found = tuple(sorted(parts, key=lambda each: each.name))
        with self._changed:
            old = self._tables[kind.name].by_key.get(owner)
            if old is None or generation != self._generation():
                return
            if again:
                self._parts_read[part.name, owner] = now
            if old.parts.get(part.name) == found:
                return
            self._replace(kind, old, replace(old, parts={**old.parts, part.name: found}, revision=next(_revisions)))
        self._tell()

    def remove(self, kind: Kind, key: str, events: tuple[Event, ...], generation: int) -> None:
        """Take an object that is gone out of its table; a domain that is being moved away leaves it by `hand_over`."""
        table = self._tables[kind.name]
        with self._changed:
            table.fetched.pop(key, None)
            old = table.by_key.get(key)
            if generation != self._generation():
                return
            if kind is DOMAIN:
                self._arrived.pop(key, None)
            if old is None:
                return
            if kind is DOMAIN and key in self._relocating:
                self._departed.add(key)
                return
            self._drop(kind, old, events)
        self._tell()

    def _drop(self, kind: Kind, old: Record, events: tuple[Event, ...] = ()) -> None:
        """Forget all that is known of an object that is gone; with the lock."""
        for part in kind.parts:
            self._parts_read.pop((part.name, old.key), None)
        if kind is DOMAIN:
            self._images.pop(old.key, None)
            self._departed.discard(old.key)
        self._replace(kind, old, None, events)

    def lose_contact(self) -> None:
        """The connection is lost: keep all that was known, marked so."""
        with self._changed:
            self._set_contact(False)
            self._arrived.clear()
            for kind in KINDS.values():
                for old in list(self._tables[kind.name].by_key.values()):
                    if old.contact:
                        self._replace(kind, old, replace(old, contact=False, revision=next(_revisions)))
        self._tell()

    def regain_contact(self) -> None:
        """The inventory is true again: wake those who wait and tell the listeners."""
        with self._changed:
            self._set_contact(True)
        self._tell()

    def note_loaded(self, kind: str, generation: int) -> None:
        """Note that all objects of a kind have been read since the connection stands, and tell the listeners."""
        with self._changed:
            if generation != self._generation() or kind in self.host.loaded:
                return
            self._set_host(replace(self.host, loaded=self.host.loaded | {kind}))
        self._tell()

    def _set_host(self, host: Host) -> None:
        """Note what has become of the hypervisor; with the lock."""
        before, self.host = self.host, host
        self._untold.append(Change(before, host))

    def _set_contact(self, contact: bool) -> None:
        """Note that the connection stands, or not; with the lock."""
        revision = next(_revisions)
        self._bump(revision)
        self._set_host(Host(self._uri, contact, self.host.loaded if contact else frozenset()))

    def _replace(self, kind: Kind, old: Record | None, new: Record | None, events: tuple[Event, ...] = ()) -> None:
        """Put a record into its table in place of another one, or take that out, and note the change; with the lock."""
        table = self._tables[kind.name]
        if new is not None:
            table.put(new)
        elif old is not None:
            table.drop(old)
        revision = next(_revisions) if new is None else new.revision
        if old is None or new is None:
            self._memberships[kind.name] = revision
        if kind is DOMAIN:
            for name in {each.name for each in (old, new) if each is not None}:
                self._journal.note(revision, name)
        self._bump(revision)
        self._untold.append(Change(old, new, events))

    def _tell(self) -> None:
        """Tell the listeners of all changes that they were not told of yet, and return when they were.

        A listener that fails is logged and does not harm the others.
        """
        with self._telling:
            while self._untold:
                change = self._untold.popleft()
                for listener in tuple(self.listeners):
                    try:
                        listener(change)
                    except Exception:
                        _log.exception("a listener of the inventory of %s", self._uri)

    def _bump(self, revision: int) -> None:
        self.revision = revision
        self._changed.notify_all()

    def _generation(self) -> int:
        return self.readers.generation if self.readers is not None else -1


def _measured_disks(config: DomainConfig) -> list[Disk]:
    """The disks of a domain whose sizes are asked for."""
    return [
        disk
        for disk in config.devices
        if isinstance(disk, Disk) and disk.target_dev and (disk.source_file or disk.source_dev)
    ]


def _parts_of(name: str) -> tuple[Kind, PartKind]:
    """The kind whose objects have parts of this name, and how they are fetched."""
    return next((kind, part) for kind in KINDS.values() for part in kind.parts if part.name == name)


def _parts(kind: Kind, facts: tuple[Any, ...], known: Parts) -> Parts:
    """Give the parts of an object with these facts: those that were known of it, and none of the kinds that it cannot
    have."""
    absent = tuple(part.name for part in kind.parts if not part.exists(facts))
    none = _none_of(absent)
    return {**known, **none} if known.keys() - none.keys() else none


@lru_cache(maxsize=8)
def _none_of(names: tuple[str, ...]) -> Parts:
    """Give no parts of the kinds with these names, in one mapping for all objects that have none."""
    return MappingProxyType(dict.fromkeys(names, ()))


def is_gone(error: libvirt.libvirtError) -> bool:
    """Whether libvirt says that the object does not exist."""
    return LibvirtError.of(error).is_gone


def _document(kind: Kind, old: Document[Any] | None, text: Text) -> Document[Any] | None:
    """The document of `text`: the one that we have, with all that was parsed of it, when the text is the same."""
    if not isinstance(text, str):
        return text
    if old is not None and old.digest == Document.digest_of(text):
        return old
    return Document(text, kind.parse)


def _changes_disks(old: Document[Any] | None, new: Document[Any] | None) -> bool:
    """Whether the disks of a domain are others in one description than in another; to read both would take longer than
    all else about most changes."""
    if old is new:
        return False
    return old is None or new is None or _disks_in(old.text) != _disks_in(new.text)


def _replaced_images(
    before: tuple[Document[Any] | None, ...], after: tuple[Document[Any] | None, ...]
) -> frozenset[str]:
    """The targets of the disks of a domain that have another image than before, or that have gone.

    Parameters:
        before, after: what describes it as it runs, and what it starts from next.
    """
    images, now = _images_in(before), _images_in(after)
    return frozenset(target for target, image in images.items() if now.get(target) != image)


def _images_in(documents: tuple[Document[Any] | None, ...]) -> Mapping[str, tuple[str | None, ...]]:
    """What the disks of a domain have behind them now, by target."""
    config = next((config for each in documents if each and (config := each.parsed())), None)
    disks = [] if config is None else _measured_disks(config)
    return {disk.target_dev: (disk.source_file, disk.source_dev, disk.driver_type) for disk in disks if disk.target_dev}


def _disks_in(text: str) -> str:
    """The part of the XML of a domain in which its disks are, which libvirt writes one after the other."""
    start, end = text.find("<disk"), text.rfind("</disk>")
    return text[start:end] if 0 <= start < end else ""


def _state_event(old: Domain | None, facts: tuple[Any, ...], events: tuple[Event, ...]) -> Event | None:
    """The last event that says that a domain's state changed, though it may be the same again by now.

    One that says what is known already, such as that a domain goes on which was seen to run since it was started, is
    none.
    """
    now = DomainFacts._make(facts).state
    known = None if old is None else old.state
    changed = last = None
    for event in events:
        if event.name != "lifecycle" or event.detail[0] not in _STATE_EVENTS:
            continue
        last, said = event, _STATE_EVENTS[event.detail[0]]
        if known is None or not _is_same_state(known, said):
            changed, known = event, said
    return changed if old is not None and _is_same_state(old.state, now) else last


def _is_same_state(one: DomainState, other: DomainState) -> bool:
    return one is other or {one, other} <= _RUNNING


def _state_changed(
    old: Domain | None, facts: tuple[Any, ...], event: Event | None, events: tuple[Event, ...], observed: bool
) -> datetime | None:
    """When the domain's state was last seen to change.

    Parameters:
        event: what `_state_event` has found among the events.
    """
    if event is not None:
        return event.time
    if old is None and not observed:
        return None
    if old is not None and old.state == DomainFacts._make(facts).state:
        return old.state_changed
    return events[-1].time if events else datetime.now(UTC)

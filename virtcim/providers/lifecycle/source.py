"""The source of all changes: follows inventories, jobs and events, and tells what each means for instances."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import chain, count
from typing import TYPE_CHECKING

from virtcim.libhelper.events import Event
from virtcim.libhelper.inventory.kept import KIND_NAMES, are_listed
from virtcim.libhelper.inventory.records import Change, Host, NodeDevice, Pool, Record
from virtcim.libhelper.troubles import Trouble, trouble_of
from virtcim.providers.base import Element, class_of
from virtcim.providers.changes import OWN_INDICATIONS, instance_changes
from virtcim.providers.interface import (
    Alert,
    Association,
    ChangeListener,
    ChangeSource,
    Instance,
    InstanceChange,
    Store,
)
from virtcim.providers.lifecycle.alerts import gap_alert, hypervisor_alert, is_full, pool_alert, trouble_alert
from virtcim.providers.lifecycle.jobs import job_changes, job_elements, job_types
from virtcim.providers.lifecycle.lastknown import LastKnown, RecordKey, comparable, is_same
from virtcim.providers.lifecycle.links import Links
from virtcim.providers.lifecycle.survey import Survey
from virtcim.providers.lifecycle.teller import Step, Teller

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.platforms.base import Platform
    from virtcim.providers.jobs import JobRecord
    from virtcim.providers.site import Site

__all__ = ["LifecycleSource", "own_indications"]

SURVEY_PAUSE = 1.0
"""Seconds between two looks, at least, at what is no image of one record: each asks all guests."""

SURVEY_SHARE = 20
"""How many times as long as the look before it took the pause is, at least."""


class LifecycleSource(ChangeSource):
    """Tells what changes of records mean for instances.

    All of it is computed in one thread, that of the teller, after the inventories have taken the change in: a client
    that is told can read what it was told of.  Each object is compared with what was told of it last, so that a change
    that is seen twice is told once, and what changed while nobody could look is told as one difference.

    Parameters:
        site: whose hypervisors and jobs are followed.
        types: the element types that are served.
        store: keeps the last known state; None keeps it in memory only.
        associations: that are served; what becomes of their instances is told to whoever names one of their classes.
        known: the last known state, of a site that was followed before; made of `store` unless given.
        teller: in whose thread it is computed.

    Attributes:
        site: as given.
        names: of the classes whose instances can be told of: the same object for all sites that have the same.
    """

    def __init__(
        self,
        site: Site,
        types: Iterable[type[Element]],
        store: Store | None,
        associations: Iterable[Association],
        known: LastKnown | None,
        teller: Teller,
    ) -> None:
        types = tuple(types)
        self.site = site
        self._types = tuple(each for each in types if each.source.records)
        self._kinds = tuple(dict.fromkeys(chain.from_iterable(each.source.records for each in self._types)))
        self._job_types = job_types(types)
        self._survey = Survey(site, types)
        # When it is to be looked again, in monotonic time, and for what kinds of records a timer runs until then.
        self._next_look: dict[type[Record], float] = {}
        self._delayed: set[type[Record]] = set()
        self._links = Links(site, associations)
        self._listener: ChangeListener | None = None
        self._teller = teller
        self._stopped = False
        self._numbers = count()
        self._known = known or LastKnown(store, site.namespace)
        self._known_jobs: dict[str, JobRecord] = {}
        # The hypervisors of which an earlier run of the server knew the state, until they are there.
        self._awaited: set[str] = set()
        self._lost: set[str] = set()
        self._settled: set[tuple[str, type[Record]]] = set()
        # What was told of as new before its parts were listed, which are then new as well.
        self._unlisted: set[RecordKey] = set()
        # What has been read of each hypervisor: before, links to it could not be known.
        self._read: dict[str, set[type[Record]]] = {}
        self.names = _names_told(site.platforms, types, self._links.class_names)
        self.indications = own_indications(site, types)

    @property
    def class_names(self) -> dict[str, frozenset[str]]:  # type: ignore[override]
        """The classes whose instances can be told of, each with the namespace of the site."""
        return dict.fromkeys(self.names, frozenset({self.site.namespace}))

    def start(self, listener: ChangeListener) -> None:
        self._listener = listener
        if listener.is_lasting:
            self._awaited.update(self._known.load())
        else:
            self._known.forget()
        self._links.want(listener.wants)
        self.site.jobs.listeners.append(self._on_job)
        self._take_stock_of_jobs()
        self.site.follow(self._attach)

    def _take_stock_of_jobs(self) -> None:
        """Compare the jobs with what an earlier run of the server left of them."""
        jobs, namespace = self.site.jobs, self.site.namespace
        now = {
            job.record.instance_id: job.record
            for platform in self.site.platforms
            for job in jobs.all(platform.prefix, namespace)
        }
        earlier = jobs.take_earlier(namespace)
        self._known_jobs = {**now, **earlier}
        for instance_id, before in earlier.items():
            if now.get(instance_id) is not before:
                self._put(("job", instance_id), partial(self._tell_job_now, instance_id), datetime.now(UTC))

    def stop(self) -> None:
        self._stopped = True
        if self._on_job in self.site.jobs.listeners:
            self.site.jobs.listeners.remove(self._on_job)

    def end(self) -> LastKnown:
        """Stop for good, as the site is served no more, and forget what is known of it.

        Returns:
            what keeps the last known state, for a site that takes its namespace.
        """
        self.stop()
        self._teller.drop(self)
        self._known.clear()
        return self._known

    def wanted_changed(self) -> None:
        # At once: what comes after whoever subscribed got his answer is told to him.
        if self._listener is not None:
            self._links.want(self._listener.wants)
        self._put("wants", self._on_wants, datetime.now(UTC))

    @property
    def _is_heard(self) -> bool:
        """Whether anybody wants to be told of anything."""
        return self._listener is not None and self._listener.is_active

    def _attach(self, hypervisor: Hypervisor) -> None:
        """Follow a hypervisor, from what it has now on."""
        hypervisor.inventory.listeners.append(partial(self._on_change, hypervisor))
        hypervisor.events.add(partial(self._on_event, hypervisor))
        self._put(hypervisor, partial(self._take_stock, hypervisor), datetime.now(UTC))

    def _on_change(self, hypervisor: Hypervisor, change: Change) -> None:
        """Note a change; called by inventories, and returns at once."""
        time = change.events[0].time if change.events else datetime.now(UTC)
        record = change.after or change.before
        if isinstance(record, Host):
            self._put(hypervisor, partial(self._take_stock, hypervisor), time)
            return
        assert not isinstance(change.after, Host)
        if isinstance(record, self._kinds):
            key = RecordKey(record.uri, type(record), record.key)
            self._put(key, partial(self._tell, key, change.after), time)
        # Who begins to want something has everything looked at once then.
        if record is not None and self._is_heard and self._survey.types(type(record)):
            self._put(("survey", type(record)), partial(self._look_in_time, type(record)), time)

    def _on_event(self, hypervisor: Hypervisor, event: Event) -> None:
        """Note trouble that an event tells of; called in libvirt's event thread."""
        trouble = trouble_of(event)
        if trouble is not None:
            step = partial(self._tell_trouble, hypervisor, event, trouble)
            self._put(("trouble", next(self._numbers)), step, event.time)

    def _on_job(self, before: JobRecord | None, after: JobRecord | None) -> None:
        """Note the change of a job; called by the jobs, with their lock."""
        record = after or before
        if record is not None and record.namespace == self.site.namespace:
            step = partial(self._tell_job, record.instance_id, after)
            self._put(("job", record.instance_id), step, datetime.now(UTC))

    def _put(self, key: Hashable, step: Step, time: datetime) -> None:
        """Have something done about a thing in the thread of the teller."""
        self._teller.put(self, key, partial(self._do, step), time)

    def _do(self, step: Step, time: datetime) -> None:
        if not self._stopped:
            step(time)

    def _on_wants(self, time: datetime) -> None:
        if self._listener is not None:
            self._known.keep(self._listener.is_lasting)
            self._look(None, time)

    def _take_stock(self, hypervisor: Hypervisor, time: datetime) -> None:
        """Compare what a hypervisor has with what is known of it."""
        host, uri = hypervisor.inventory.host, hypervisor.uri
        if not host.contact:
            if (uri, self._kinds[0]) in self._settled and uri not in self._lost:
                self._lost.add(uri)
                self._tell_alert(lambda: hypervisor_alert(self.site, hypervisor, False, time))
            self._look(Host, time)
            return
        if uri in self._lost:
            self._lost.discard(uri)
            self._tell_alert(lambda: hypervisor_alert(self.site, hypervisor, True, time))
            self._tell_alert(lambda: gap_alert(self.site, hypervisor, time))
        if uri in self._awaited:
            self._awaited.discard(uri)
            self._settled.update((uri, kind) for kind in self._kinds)
            self._tell_alert(lambda: gap_alert(self.site, hypervisor, time))
        read = {kind for kind in self._kinds if KIND_NAMES[kind] in host.loaded}
        if not read <= self._read.get(uri, set()):
            self._read[uri] = read
            self._links.learn()
        for kind in self._kinds:
            if kind in read:
                self._compare_kind(hypervisor, kind, time)
        if all(KIND_NAMES[kind] in host.loaded for kind in self._kinds):
            self._known.follow(uri)
        self._look(None, time)

    def _compare_kind(self, hypervisor: Hypervisor, kind: type[Record], time: datetime) -> None:
        """Compare all objects of a kind, which have been read, with what is known of them."""
        inventory, name = hypervisor.inventory, KIND_NAMES[kind]
        keys = set(inventory.keys(name))
        for known in self._known.keys(hypervisor.uri, kind):
            if known.key not in keys:
                self._tell(known, None, time)
        for key in sorted(keys):
            record = inventory.find(name, key)
            if record is not None:
                self._tell(RecordKey(hypervisor.uri, kind, key), record, time)
        self._settled.add((hypervisor.uri, kind))

    def _tell(self, key: RecordKey, after: Record | None, time: datetime) -> None:
        """Tell what one object has become since it was told of last."""
        if after is not None and not after.contact:
            return  # what is only the last known state is compared once there is contact again
        before = self._known.get(key)
        if before is after:
            return
        if (key.uri, key.kind) in self._settled:
            old, new = self._comparable(key, before, after)
            if old is None or new is None or not is_same(old, new):
                self._hand_on(self._instance_changes(old, new), time)
            self._look_at_room(old, new, time)
            after = new
        # Only now: what ends in between is found again at the next start.
        self._known.put(key, after)

    def _comparable(
        self, key: RecordKey, before: Record | None, after: Record | None
    ) -> tuple[Record | None, Record | None]:
        """Give what was told of an object last, and what it is now, such that only what is known of both differs."""
        are_parts_new = key in self._unlisted
        if after is None or are_listed(after):
            self._unlisted.discard(key)
        elif before is None:
            self._unlisted.add(key)
        if before is None or after is None:
            return before, after
        return comparable(before, after, are_parts_new)

    def _instance_changes(self, before: Record | None, after: Record | None) -> Iterator[InstanceChange]:
        if self._listener is not None and self._is_heard:
            yield from instance_changes(self.site, self._types, before, after, self._listener.wants)
            yield from self._links.of_record(before, after)

    def _look_at_room(self, before: Record | None, after: Record | None, time: datetime) -> None:
        """Raise an alert when a storage pool has run full."""
        if isinstance(before, Pool) and isinstance(after, Pool) and is_full(after) and not is_full(before):
            self._tell_alert(lambda: pool_alert(self.site, after, self._pool_element(after), time))

    def _pool_element(self, pool: Pool) -> Instance | None:
        for platform in self.site.platforms:
            if any(hypervisor.uri == pool.uri for hypervisor in self.site.hypervisors(platform)):
                for element in self._types:
                    if element.base == "DiskPool":
                        return next(iter(element.source.instances_of(self.site, platform, pool, element)), None)
        return None

    def _tell_job(self, instance_id: str, after: JobRecord | None, time: datetime) -> None:
        """Tell what a job has become since it was told of last."""
        before = self._known_jobs.get(instance_id)
        if after is None:
            self._known_jobs.pop(instance_id, None)
        else:
            self._known_jobs[instance_id] = after
        if self._listener is not None:
            changes = job_changes(self.site, self._job_types, before, after, self._listener.wants)
            old, new = (job_elements(self.site, self._job_types, each) for each in (before, after))
            self._hand_on(chain(changes, self._links.of_elements(old, new)), time)

    def _tell_job_now(self, instance_id: str, time: datetime) -> None:
        """Tell what a job is now."""
        job = self.site.jobs.find(instance_id)
        self._tell_job(instance_id, None if job is None else job.record, time)

    def _tell_trouble(self, hypervisor: Hypervisor, event: Event, trouble: Trouble, _time: datetime) -> None:
        self._tell_alert(lambda: trouble_alert(self.site, hypervisor, event, trouble))

    def _look_in_time(self, kind: type[Record], time: datetime) -> None:
        """Look as `_look` does, or later where that was done only just: many changes in a row are seen at once."""
        wait = self._next_look.get(kind, 0.0) - clock.monotonic()
        if wait <= 0:
            self._look_timed(kind, time)
        elif kind not in self._delayed:
            self._delayed.add(kind)
            timer = threading.Timer(wait, lambda: self._put(("look", kind), partial(self._look_timed, kind), time))
            timer.daemon = True
            timer.start()

    def _look_timed(self, kind: type[Record], time: datetime) -> None:
        self._delayed.discard(kind)
        begin = clock.monotonic()
        self._look(kind, time)
        end = clock.monotonic()
        self._next_look[kind] = end + max(SURVEY_PAUSE, SURVEY_SHARE * (end - begin))

    def _look(self, kind: type[Record | Host] | None, time: datetime) -> None:
        """Compare what is no image of one record, as far as a record of this type can have changed it."""
        if self._listener is not None:
            changes = list(self._survey.look(self._listener.wants, kind))
            # The others are there as long as their host is, with links to all of its guests.
            come_and_go = [each for each in self._survey.types(kind) if NodeDevice in each.surveyed]
            self._hand_on([*changes, *self._links.of_types(come_and_go)], time)

    def _hand_on(self, changes: Iterable[InstanceChange], time: datetime) -> None:
        found = list(changes)
        if found and self._listener is not None:
            self._listener.changed(found, time)

    def _tell_alert(self, make: Callable[[], Alert]) -> None:
        if self._listener is not None:
            self._listener.alert(make())


def _indicated_types(types: Iterable[type[Element]]) -> list[type[Element]]:
    """Those element types of whose instances it is told what becomes of them."""
    types = tuple(types)
    of_records = [each for each in types if each.source.records]
    return [*of_records, *job_types(types), *(each for each in types if each.surveyed)]


@lru_cache(maxsize=64)
def _names_told(
    platforms: tuple[Platform, ...], types: tuple[type[Element], ...], links: frozenset[str]
) -> frozenset[str]:
    """The classes whose instances can be told of, associations among them: the same object for all sites."""
    told = _indicated_types(types)
    return links.union(class_of(platform.prefix, each.base) for platform in platforms for each in told)


def own_indications(site: Site, types: Iterable[type[Element]]) -> Mapping[str, frozenset[str]]:
    """libvirt-cim's classes of indications that a site has.

    Parameters:
        site: for whose platforms.
        types: the element types that are served.

    Returns:
        each class, with the classes whose instances it is about.
    """
    return _own_indications(site.platforms, tuple(types))


@lru_cache(maxsize=64)
def _own_indications(platforms: tuple[Platform, ...], types: tuple[type[Element], ...]) -> Mapping[str, frozenset[str]]:
    """These classes: the same object for all sites."""
    found: dict[str, set[str]] = {}
    for element in _indicated_types(types):
        if element.indicated_as:
            for platform in platforms:
                for ending in OWN_INDICATIONS.values():
                    name = class_of(platform.prefix, f"{element.indicated_as}{ending}")
                    found.setdefault(name, set()).add(class_of(platform.prefix, element.base))
    return {name: frozenset(classes) for name, classes in found.items()}

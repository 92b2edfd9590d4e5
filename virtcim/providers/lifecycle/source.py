"""The source of all changes: follows inventories and jobs, and tells what each change means for instances."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from virtcim.libhelper.inventory.kinds import KINDS
from virtcim.libhelper.inventory.records import Change, Host, Record
from virtcim.providers.base import Element, class_of
from virtcim.providers.changes import OWN_INDICATIONS, instance_changes
from virtcim.providers.interface import ChangeListener, ChangeSource
from virtcim.providers.lifecycle.pending import PendingChanges

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.site import Site

__all__ = ["LifecycleSource"]

_log = logging.getLogger(__name__)


KIND_NAMES: Mapping[type[Record], str] = {kind.record: kind.name for kind in KINDS.values()}
"""What the inventory calls a kind of records."""


class RecordKey(NamedTuple):
    """One object of libvirt: of which hypervisor, what kind, and its key there."""

    uri: str
    kind: type[Record]
    key: str


class LifecycleSource(ChangeSource):
    """Tells what changes of records mean for instances.

    All of it is computed in one thread, after the inventories have taken the change in: a client that is told can
    read what it was told of.

    Parameters:
        site: whose hypervisors and jobs are followed.
        types: the element types that are served.
    """

    def __init__(self, site: Site, types: Iterable[type[Element]]) -> None:
        self._site = site
        self._types = tuple(each for each in types if each.source.records)
        self._kinds = tuple(dict.fromkeys(chain.from_iterable(each.source.records for each in self._types)))
        self._listener: ChangeListener | None = None
        self._pending: PendingChanges[Callable[[datetime], None]] = PendingChanges()
        self._known: dict[RecordKey, Record] = {}
        self._settled: set[tuple[str, type[Record]]] = set()
        self._thread = threading.Thread(target=self._run, name="lifecycle", daemon=True)
        self.class_names = {
            class_of(platform.prefix, each.base): site.namespace for platform in site.platforms for each in self._types
        }
        self.indications = _own_indications(site, self._types)

    def start(self, listener: ChangeListener) -> None:
        self._listener = listener
        self._thread.start()
        self._site.follow(self._attach)

    def stop(self) -> None:
        self._pending.stop()

    def _attach(self, hypervisor: Hypervisor) -> None:
        """Follow a hypervisor, from what it has now on."""
        hypervisor.inventory.listeners.append(partial(self._on_change, hypervisor))
        self._pending.put(hypervisor, partial(self._take_stock, hypervisor), datetime.now(UTC))

    def _on_change(self, hypervisor: Hypervisor, change: Change) -> None:
        """Note a change; called by inventories, and returns at once."""
        time = change.event.time if change.event is not None else datetime.now(UTC)
        if isinstance(change.after, Host):
            self._pending.put(hypervisor, partial(self._take_stock, hypervisor), time)
            return
        record = change.after or change.before
        if isinstance(record, self._kinds):
            key = RecordKey(record.uri, type(record), record.key)
            assert not isinstance(change.after, Host)
            self._pending.put(key, partial(self._tell, key, change.after), time)

    def _run(self) -> None:
        while (pending := self._pending.take()) is not None:
            try:
                pending.after(pending.time)
            except Exception:
                _log.exception("a change of %s is not told", pending.key)

    def _take_stock(self, hypervisor: Hypervisor, time: datetime) -> None:
        """Compare what a hypervisor has with what is known of it."""
        inventory = hypervisor.inventory
        host = inventory.host
        if not host.contact:
            return
        for kind in self._kinds:
            name = KIND_NAMES[kind]
            if name not in host.loaded:
                continue
            keys = set(inventory.keys(name))
            gone = [key for key in self._known if key[:2] == (hypervisor.uri, kind) and key.key not in keys]
            for key in gone:
                self._tell(key, None, time)
            for each in keys:
                record = inventory.find(name, each)
                if record is not None:
                    self._tell(RecordKey(hypervisor.uri, kind, each), record, time)
            self._settled.add((hypervisor.uri, kind))

    def _tell(self, key: RecordKey, after: Record | None, time: datetime) -> None:
        """Tell what one object has become since it was told of last."""
        if after is not None and not after.contact:
            return  # what is only the last known state is compared once there is contact again
        before = self._known.get(key)
        if after is None:
            self._known.pop(key, None)
        else:
            self._known[key] = after
        if before is after or self._listener is None or key[:2] not in self._settled:
            return
        changes = list(instance_changes(self._site, self._types, before, after, self._listener.wants))
        if changes:
            self._listener.changed(changes, time)


def _own_indications(site: Site, types: Iterable[type[Element]]) -> dict[str, frozenset[str]]:
    """libvirt-cim's classes of indications, each with the classes whose instances they are about."""
    found: dict[str, set[str]] = {}
    for element in types:
        if element.indicated_as:
            for platform in site.platforms:
                for ending in OWN_INDICATIONS.values():
                    name = class_of(platform.prefix, f"{element.indicated_as}{ending}")
                    found.setdefault(name, set()).add(class_of(platform.prefix, element.base))
    return {name: frozenset(classes) for name, classes in found.items()}

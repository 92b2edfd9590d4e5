"""The last known state: the record of each object that was told of last, in memory, and kept by the store.

What was kept by an earlier run of the server is compared with what is found at the start, so that whoever subscribed
is told what changed meanwhile.  Nothing is kept while nobody has subscribed; event streams end with the server.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from virtcim.immutable import immutable
from virtcim.libhelper.inventory.kept import KIND_NAMES, KeptRecord, pack, unpack
from virtcim.libhelper.inventory.records import Domain, Part, Record
from virtcim.providers.interface import Store, Table

__all__ = ["LastKnown", "RecordKey", "comparable", "is_same"]

_log = logging.getLogger(__name__)

AnyKept = TypeVar("AnyKept")
AnyRecord = TypeVar("AnyRecord", bound=Record)


class RecordKey(NamedTuple):
    """One object of libvirt: of which hypervisor, what kind, and its key there."""

    uri: str
    kind: type[Record]
    key: str

    @property
    def text(self) -> str:
        """As the store has it."""
        return "\n".join((self.uri, KIND_NAMES[self.kind], self.key))


@immutable
class FollowedHypervisor:
    """A hypervisor whose last known state is kept.

    Attributes:
        uri: of it.
        since: when a server began to follow it, in UTC.
    """

    uri: str
    since: datetime


class LastKnown:
    """The record of each object that was told of last.  Used by one thread only.

    Parameters:
        store: keeps them; None keeps them in memory only.
        namespace: that they are shown in; what others keep, they look after themselves.
    """

    def __init__(self, store: Store | None, namespace: str) -> None:
        self._table = None if store is None else store.table(f"last known state of {namespace}", KeptRecord)
        self._followed = (
            None if store is None else store.table(f"followed hypervisor of {namespace}", FollowedHypervisor)
        )
        self._records: dict[RecordKey, Record] = {}
        self._keeping = False

    def load(self) -> frozenset[str]:
        """Take over what an earlier run of the server has kept.

        Returns:
            the URIs of the hypervisors whose state is known.
        """
        self._keeping = True
        kinds = {name: kind for kind, name in KIND_NAMES.items()}
        for _, kept in [] if self._table is None else self._table.items():
            try:
                record = unpack(kept)
            except ValueError as error:
                _log.warning("the last known state of %r cannot be read: %s", kept.name, error)
                continue
            self._records[RecordKey(kept.uri, kinds[kept.kind], record.key)] = record
        return frozenset(uri for uri, _ in self._followed.items()) if self._followed is not None else frozenset()

    def keep(self, wanted: bool) -> None:
        """Begin or end to have it kept by the store."""
        if wanted is self._keeping:
            return
        self._keeping = wanted
        if self._table is None or self._followed is None:
            return
        if wanted:
            for key, record in self._records.items():
                self._table.put(key.text, pack(record))
            for uri in {key.uri for key in self._records}:
                self.follow(uri)
        else:
            self.forget()

    def forget(self) -> None:
        """Take everything out of the store."""
        if self._table is not None:
            _empty(self._table)
        if self._followed is not None:
            _empty(self._followed)

    def clear(self) -> None:
        """Forget everything, in memory too: what comes next is known of from its beginning."""
        self.forget()
        self._records.clear()
        self._keeping = False

    def follow(self, uri: str) -> None:
        """Note that all of a hypervisor is known."""
        if self._keeping and self._followed is not None and self._followed.get(uri) is None:
            self._followed.put(uri, FollowedHypervisor(uri, datetime.now(UTC)))

    def get(self, key: RecordKey) -> Record | None:
        """The record of an object; None when it was not known."""
        return self._records.get(key)

    def keys(self, uri: str, kind: type[Record]) -> list[RecordKey]:
        """What is known of one kind on a hypervisor."""
        return [key for key in self._records if key.uri == uri and key.kind is kind]

    def put(self, key: RecordKey, record: Record | None) -> None:
        """Note what an object is now; None where it is gone."""
        known = self._records.get(key)
        if record is None:
            self._records.pop(key, None)
        else:
            self._records[key] = record
        if not self._keeping or self._table is None:
            return
        if record is None:
            self._table.remove(key.text)
        elif known is None or not is_same(known, record):
            self._table.put(key.text, pack(record))


def _empty(table: Table[AnyKept]) -> None:
    keys = [key for key, _ in table.items()]
    for key in keys:
        table.remove(key)


def comparable(before: AnyRecord, after: AnyRecord, are_parts_new: bool = False) -> tuple[AnyRecord, AnyRecord]:
    """Give two records of one object such that only what is known of both can differ.

    Parts that were not listed yet, disks that were not measured yet, and the time of a change that nobody saw are what
    they are in the other record.

    Parameters:
        are_parts_new: whether the parts that the earlier record does not have were not there before: the object itself
            was not.
    """
    parts = {**before.parts, **after.parts}
    if after.parts.keys() != parts.keys():
        after = replace(after, parts=parts)
    if before.parts.keys() != parts.keys() and not are_parts_new:
        before = replace(before, parts={**after.parts, **before.parts})
    if isinstance(before, Domain) and isinstance(after, Domain):
        changes: dict[str, object] = {}
        if before.capacities and not after.capacities:
            changes["capacities"] = before.capacities
        if before.state_changed is not None and after.state_changed is None and before.state is after.state:
            changes["state_changed"] = before.state_changed
        if changes:
            after = replace(after, **changes)  # type: ignore[arg-type]
    return before, after


def is_same(before: Record, after: Record) -> bool:
    """Whether two records of one object say the same."""
    if before is after:
        return True
    return _essence(before) == _essence(after)


def _essence(record: Record) -> tuple[object, ...]:
    of_domain: tuple[object, ...] = ()
    if isinstance(record, Domain):
        of_domain = (
            record.id,
            record.state,
            int(record.reason),
            record.has_managed_save,
            record.has_snapshots,
            record.has_checkpoints,
            record.state_changed,
            dict(record.capacities),
            record.relocating,
        )
    return (
        record.name,
        record.uuid,
        record.active,
        record.persistent,
        record.autostart,
        None if record.live_document is None else record.live_document.digest,
        None if record.defined_document is None else record.defined_document.digest,
        _parts(record.parts),
        *of_domain,
    )


def _parts(parts: Mapping[str, tuple[Part[object], ...]]) -> dict[str, list[tuple[object, ...]]]:
    return {
        name: [(part.name, part.key, part.document.digest, part.traits) for part in each]
        for name, each in parts.items()
    }

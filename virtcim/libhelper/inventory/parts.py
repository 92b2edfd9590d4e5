"""What records have parts of, each declared once: how the parts are listed, read and kept.

libvirt tells of these parts by no event, or by few, and lists them one owner at a time; so all are fetched and compared
in one way, by `Inventory`.  A kind that has parts names their declarations (`Kind.parts`).

Layer rule: imports libvirt, documents, errors, records, settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.documents.snapshot import CheckpointConfig, SnapshotConfig
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.errors import look_up
from virtcim.libhelper.inventory.records import (
    CHECKPOINTS,
    SNAPSHOTS,
    VOLUMES,
    Checkpoint,
    Part,
    Snapshot,
    Volume,
)
from virtcim.libhelper.settings import HypervisorSettings

__all__ = ["DOMAIN_CHECKPOINTS", "DOMAIN_SNAPSHOTS", "STORAGE_VOLUMES", "PartKind"]


def _no_traits(_handle: Any) -> Mapping[str, bool]:
    return {}


@immutable
class PartKind:
    """One kind of part.

    Attributes:
        name: under which a record has them, as in `record.parts["volumes"]`.
        record: the class of one part.
        parse: makes the parsed form of its XML.
        exists: whether an object can have such parts now, of which it is given the record or the facts, which have the
            same names; where it cannot, libvirt is not asked, and there are none.
        handles: libvirt's objects of the parts of the object with a key.
        identify: the name of a part, unique in its owner, and its key, unique everywhere.
        text: the XML of a part.
        interval: seconds after which the XML of all is read again; that some came or went is seen with the owner.
        traits: what libvirt tells of a part beside its XML, by field of the record.
        related: whether the XML of those that stay can change when one comes or goes.
    """

    name: str
    record: type[Part[Any]]
    parse: Callable[[str], Any]
    exists: Callable[[Any], bool]
    handles: Callable[[libvirt.virConnect, str], Iterable[Any]]
    identify: Callable[[Any], tuple[str, str]]
    text: Callable[[Any], str]
    interval: Callable[[HypervisorSettings], float]
    traits: Callable[[Any], Mapping[str, bool]] = _no_traits
    related: bool = False


STORAGE_VOLUMES = PartKind(
    name=VOLUMES,
    record=Volume,
    parse=VolumeConfig.parse,
    exists=lambda pool: pool.active,
    handles=lambda connection, key: connection.storagePoolLookupByUUIDString(key).listAllVolumes(0),
    identify=lambda volume: (volume.name(), volume.key()),
    text=lambda volume: volume.XMLDesc(0),
    interval=lambda settings: settings.volume_interval,
)


class _SnapshotHandle(NamedTuple):
    """A snapshot in libvirt, with what is asked once for all of its domain."""

    snapshot: libvirt.virDomainSnapshot
    domain: str
    is_current: bool


def _snapshots(connection: libvirt.virConnect, key: str) -> list[_SnapshotHandle]:
    domain = connection.lookupByUUIDString(key)
    snapshots = domain.listAllSnapshots()
    current = _current_snapshot(domain) if snapshots else None
    return [_SnapshotHandle(each, key, each.getName() == current) for each in snapshots]


def _current_snapshot(domain: libvirt.virDomain) -> str | None:
    """The name of the snapshot that a domain goes on from; None where there is none."""
    current = look_up(domain.snapshotCurrent)
    return None if current is None else current.getName()


DOMAIN_SNAPSHOTS = PartKind(
    name=SNAPSHOTS,
    record=Snapshot,
    parse=SnapshotConfig.parse,
    exists=lambda domain: domain.has_snapshots,
    handles=_snapshots,
    identify=lambda handle: (handle.snapshot.getName(), f"{handle.domain}/{handle.snapshot.getName()}"),
    text=lambda handle: handle.snapshot.getXMLDesc(0),
    interval=lambda settings: settings.volume_interval,
    traits=lambda handle: {"is_current": handle.is_current},
    related=True,
)


class _CheckpointHandle(NamedTuple):
    """A checkpoint in libvirt, with its domain."""

    checkpoint: libvirt.virDomainCheckpoint
    domain: str


DOMAIN_CHECKPOINTS = PartKind(
    name=CHECKPOINTS,
    record=Checkpoint,
    parse=CheckpointConfig.parse,
    exists=lambda domain: domain.has_checkpoints,
    handles=lambda connection, key: [
        _CheckpointHandle(each, key) for each in connection.lookupByUUIDString(key).listAllCheckpoints()
    ],
    identify=lambda handle: (handle.checkpoint.getName(), f"{handle.domain}/{handle.checkpoint.getName()}"),
    text=lambda handle: handle.checkpoint.getXMLDesc(libvirt.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN),
    interval=lambda settings: settings.volume_interval,
    related=True,
)

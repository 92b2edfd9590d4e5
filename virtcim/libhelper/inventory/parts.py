"""What records have parts of, each declared once: how the parts are listed, read and kept.

libvirt tells of these parts by no event, or by few, and lists them one owner at a time; so all are fetched and compared
in one way, by `Inventory`.  A kind that has parts names their declarations (`Kind.parts`).

Layer rule: imports libvirt, documents, records, settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import libvirt

from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.inventory.records import VOLUMES, Part, Pool, Record, Volume
from virtcim.libhelper.settings import HypervisorSettings

__all__ = ["STORAGE_VOLUMES", "PartKind"]


@dataclass(frozen=True, slots=True)
class PartKind:
    """One kind of part.

    Attributes:
        name: under which a record has them, as in `record.parts["volumes"]`.
        record: the class of one part.
        parse: makes the parsed form of its XML.
        exists: whether a record can have such parts now; where it cannot, libvirt is not asked, and there are none.
        handles: libvirt's objects of the parts of the object with a key.
        identify: the name of a part, unique in its owner, and its key, unique everywhere.
        text: the XML of a part.
        interval: seconds after which the XML of all is read again; that some came or went is seen with the owner.
    """

    name: str
    record: type[Part[Any]]
    parse: Callable[[str], Any]
    exists: Callable[[Record], bool]
    handles: Callable[[libvirt.virConnect, str], Iterable[Any]]
    identify: Callable[[Any], tuple[str, str]]
    text: Callable[[Any], str]
    interval: Callable[[HypervisorSettings], float]


def _has_volumes(record: Record) -> bool:
    return isinstance(record, Pool) and record.active


STORAGE_VOLUMES = PartKind(
    name=VOLUMES,
    record=Volume,
    parse=VolumeConfig.parse,
    exists=_has_volumes,
    handles=lambda connection, key: connection.storagePoolLookupByUUIDString(key).listAllVolumes(0),
    identify=lambda volume: (volume.name(), volume.key()),
    text=lambda volume: volume.XMLDesc(0),
    interval=lambda settings: settings.volume_interval,
)

"""How a client wants a snapshot to be taken: what it sends as SnapshotSettings."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import Disk
from virtcim.libhelper.documents.snapshot import SnapshotDisk
from virtcim.libhelper.domains.snapshots import SnapshotPlan
from virtcim.libhelper.names import SNAPSHOT, is_misnamed_overlay
from virtcim.libhelper.xml.text import ValueRejectedError
from virtcim.providers.interface import CIMError, EmbeddedInstance, Status
from virtcim.providers.names import checked_name, new_name
from virtcim.providers.snapshots import SnapshotType
from virtcim.providers.values import flag_of, text_of, texts_of
from virtcim.schema.names import base_of

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import DomainConfig
    from virtcim.providers.guest import Guest

__all__ = ["SnapshotWishes", "plan_of", "wishes_of"]

_SYSTEM_CLASS = "VirtualSystemSettingData"
_CLASSES = frozenset({"VirtualSystemSnapshotSettingData", _SYSTEM_CLASS, "SettingData"})
"""What SnapshotSettings can be, without prefix: CIM_SettingData is what the method declares."""
_STEM = str.maketrans("/,", "__")
"""What stands for letters of a guest's name in that of an overlay."""


@immutable
class SnapshotWishes:
    """What a client asks of a snapshot; None and empty where it leaves that to the server.

    Attributes:
        name, description: of the snapshot.
        disks: target names of the disks to be taken in; all where there are none.
        overlays: the paths of the overlays, in the order of `disks`; "" for libvirt's choice.
        directory: where overlays and the memory go that have no path.
        quiesce, halt: as in `SnapshotPlan`.
    """

    name: str | None = None
    description: str | None = None
    disks: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ()
    directory: str | None = None
    quiesce: bool = False
    halt: bool = False


def wishes_of(settings: EmbeddedInstance | None) -> SnapshotWishes:
    """Read SnapshotSettings.

    Of <prefix>_VirtualSystemSnapshotSettingData every property counts; of the settings of a virtual system, which
    clients of libvirt-cim send, ConfigurationName and Notes, as a snapshot shows them.

    Raises:
        CIMError: INVALID_PARAMETER for an instance of another class, a value that is of another type or that is not
            possible.
    """
    if settings is None:
        return SnapshotWishes()
    given = {name.lower(): value for name, value in settings.properties.items() if value is not None}
    base = base_of(settings.class_name)
    if base not in _CLASSES:
        raise _invalid(
            f"SnapshotSettings: is a {settings.class_name}; expected a VirtualSystemSnapshotSettingData of the platform"
        )
    if base == _SYSTEM_CLASS:
        notes = texts_of(given.get("notes"), "Notes")
        name = text_of(given.get("configurationname"), "ConfigurationName")
        return SnapshotWishes(name=checked_name(name, SNAPSHOT), description="\n".join(notes) or None)
    wishes = SnapshotWishes(
        name=checked_name(text_of(given.get("elementname"), "ElementName"), SNAPSHOT),
        description=text_of(given.get("description"), "Description"),
        disks=texts_of(given.get("disks"), "Disks"),
        overlays=texts_of(given.get("overlays"), "Overlays"),
        directory=text_of(given.get("overlaydirectory"), "OverlayDirectory") or None,
        quiesce=flag_of(given.get("quiesce"), "Quiesce"),
        halt=flag_of(given.get("halt"), "Halt"),
    )
    if len(wishes.overlays) > len(wishes.disks):
        raise _invalid(f"Overlays: has {len(wishes.overlays)} values; expected one for each of Disks")
    for path in (*filter(None, wishes.overlays), *filter(None, (wishes.directory,))):
        if not PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise _invalid(f"{path!r} is no place for an overlay; expected a full path")
    return wishes


def plan_of(guest: Guest, kind: SnapshotType, wishes: SnapshotWishes) -> SnapshotPlan:
    """What libvirt is to be asked for.

    Raises:
        CIMError: INVALID_PARAMETER for what the guest does not have, or a snapshot of this type.
    """
    config = guest.domain.config
    assert config is not None, guest
    is_external = kind in (SnapshotType.DISK, SnapshotType.MEMORY)
    if wishes.quiesce and kind is not SnapshotType.DISK:
        raise _invalid("Quiesce: libvirt does so for snapshots of disks alone; expected SnapshotType 3")
    if (wishes.overlays or wishes.directory) and not is_external:
        raise _invalid(f"Overlays: a snapshot of type {int(kind)} has none; expected SnapshotType 3 or 32768")
    names = {disk.target_dev: disk for disk in _disks(config)}
    for name in wishes.disks:
        if name not in names:
            raise _invalid(f"Disks: guest {guest.name!r} has no disk {name!r}; expected {', '.join(map(str, names))}")
    taken = {snapshot.name for snapshot in guest.domain.snapshots or ()}
    name = wishes.name or new_name(taken)
    if name in taken:
        raise CIMError(
            Status.ALREADY_EXISTS, f"snapshot {name!r} of guest {guest.name!r} exists; expected another name"
        )
    plan = SnapshotPlan(
        name=name,
        description=wishes.description,
        disks_only=kind is SnapshotType.DISK,
        memory_file=_memory_file(guest, config, name, wishes) if kind is SnapshotType.MEMORY else None,
        disks=tuple(_disk_plans(guest, config, name, wishes, is_external)),
        quiesce=wishes.quiesce,
        halt=wishes.halt and guest.domain.active,
    )
    try:
        _ = plan.xml
    except ValueRejectedError as error:
        raise _invalid(f"SnapshotSettings: {error}") from error
    return plan


def _disks(config: DomainConfig) -> list[Disk]:
    return [device for device in config.devices if isinstance(device, Disk) and device.target_dev]


def _disk_plans(
    guest: Guest, config: DomainConfig, name: str, wishes: SnapshotWishes, is_external: bool
) -> list[SnapshotDisk]:
    """The disks that libvirt is told of: those that have another place, or are left out."""
    overlays = dict(zip(wishes.disks, (*wishes.overlays, *("" for _ in wishes.disks)), strict=False))
    plans = []
    for disk in _disks(config):
        target = str(disk.target_dev)
        if wishes.disks and target not in wishes.disks:
            plans.append(SnapshotDisk(name=target, snapshot="no"))
            continue
        place = overlays.get(target) or ""
        has_image = bool(disk.source_file or disk.source_dev) and not disk.readonly and disk.device != "cdrom"
        if not place and wishes.directory and has_image:
            place = str(PurePosixPath(wishes.directory) / f"{guest.name}-{target}.{name}".translate(_STEM))
        if not guest.domain.active and is_misnamed_overlay(place):
            raise _invalid(
                f"{place!r} is no place for an overlay of a guest that is off; expected one without comma, with which "
                "libvirt makes it under another name"
            )
        if is_external and (place or (wishes.disks and target in wishes.disks)):
            plans.append(
                SnapshotDisk(
                    name=target, snapshot="external", type="file" if place else None, source_file=place or None
                )
            )
    return plans


def _memory_file(guest: Guest, config: DomainConfig, name: str, wishes: SnapshotWishes) -> str:
    """Where the memory goes: beside the overlays, under a name that no image has, nor any snapshot of another guest."""
    images = [disk.source_file for disk in _disks(config) if disk.source_file]
    directory = wishes.directory or (str(PurePosixPath(images[0]).parent) if images else None)
    if directory is None:
        raise _invalid("OverlayDirectory: is missing; expected the directory where the memory is to go")
    return str(PurePosixPath(directory) / f"{guest.domain.uuid}.{name}.memory")


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, text)

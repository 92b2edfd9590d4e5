"""How a client wants a checkpoint or a backup to be made: what it sends as BackupSettings."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import Disk
from virtcim.libhelper.domains.backups import FORMAT, BackupDoor, BackupPlan, CheckpointPlan
from virtcim.libhelper.names import CHECKPOINT, VOLUME
from virtcim.libhelper.xml.text import ValueRejectedError
from virtcim.providers.interface import CIMError, EmbeddedInstance, Status
from virtcim.providers.methods import MethodFailedError
from virtcim.providers.names import checked_name, new_name
from virtcim.providers.values import flag_of, number_of, text_of, texts_of
from virtcim.providers.Virt_BackupService.Virt_BackupService import BackupCode
from virtcim.schema.names import base_of

if TYPE_CHECKING:
    from virtcim.providers.guest import Guest
    from virtcim.providers.Virt_Checkpoint import Checkpoint

__all__ = ["BackupWishes", "backup_plan", "checkpoint_plan", "door_of", "scratch_files", "volume_names", "wishes_of"]

_CLASSES = frozenset({"BackupSettingData", "SettingData"})
"""What the settings can be, without prefix: CIM_SettingData is what the methods declare."""
_UNIX, _TLS = 2, 3
"""Virt_BackupSettingData.Transport."""


@immutable
class BackupWishes:
    """What a client asks of a checkpoint or a backup.

    Attributes:
        name: of it.
        description: of the checkpoint; None for none.
        disks: target names of the disks to be taken in; all that can be where there are none.
        volumes: names of the volumes, in the order of `disks`; "" for one that is made.
        checkpoint: name of the checkpoint that is made with a backup; None for none.
        quiesce: whether the guest's agent is to freeze its file systems.
        transport: how a backup that is pulled is read.
    """

    name: str
    description: str | None = None
    disks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    checkpoint: str | None = None
    quiesce: bool = False
    transport: int = _UNIX


def wishes_of(settings: object, name: str) -> BackupWishes:
    """Read BackupSettings or CheckpointSettings.

    Parameters:
        settings: as they were sent; None for none.
        name: of the parameter, for the error.

    Raises:
        CIMError: INVALID_PARAMETER for a value that is of another type or that is not possible.
    """
    if settings is not None and (
        not isinstance(settings, EmbeddedInstance) or base_of(settings.class_name) not in _CLASSES
    ):
        raise _invalid(f"{name}: expected an instance of Virt_BackupSettingData")
    given = {} if settings is None else {key.lower(): value for key, value in settings.properties.items()}
    wishes = BackupWishes(
        name=checked_name(text_of(given.get("elementname"), "ElementName"), VOLUME) or new_name(),
        description=text_of(given.get("description"), "Description") or None,
        disks=texts_of(given.get("disks"), "Disks"),
        volumes=texts_of(given.get("volumenames"), "VolumeNames"),
        checkpoint=checked_name(text_of(given.get("checkpointname"), "CheckpointName"), CHECKPOINT),
        quiesce=flag_of(given.get("quiesce"), "Quiesce"),
        transport=number_of(given.get("transport"), "Transport") or _UNIX,
    )
    if len(wishes.volumes) > len(wishes.disks):
        raise _invalid(f"VolumeNames: has {len(wishes.volumes)} values; expected one for each of Disks")
    for each in filter(None, wishes.volumes):
        checked_name(each, VOLUME)
    if wishes.transport not in (_UNIX, _TLS):
        raise _invalid(f"Transport: is {wishes.transport}; expected {_UNIX} or {_TLS}")
    return wishes


def checkpoint_plan(guest: Guest, name: str, wishes: BackupWishes) -> CheckpointPlan:
    """Say what libvirt is to be asked for as a checkpoint.

    Raises:
        CIMError: INVALID_PARAMETER for what the guest does not have, and a name that libvirt does not take;
            ALREADY_EXISTS for one that is taken.
        MethodFailedError: NOT_SUPPORTED for a disk that cannot hold one.
    """
    checked_name(name, CHECKPOINT)
    if any(each.name == name for each in guest.domain.checkpoints or ()):
        raise CIMError(
            Status.ALREADY_EXISTS, f"checkpoint {name!r} of guest {guest.name!r} exists; expected another name"
        )
    disks = _chosen(guest, wishes)
    able = [each for each in disks if each.driver_type == FORMAT]
    unable = next((each for each in disks if each.driver_type != FORMAT), None)
    if unable is not None and (wishes.disks or not able):
        text = (
            f"disk {unable.target_dev} is {unable.driver_type or 'raw'}; expected {FORMAT}, which can hold checkpoints"
        )
        raise MethodFailedError(BackupCode.NOT_SUPPORTED, text)
    plan = CheckpointPlan(name, wishes.description, _names(able), _others(guest, able))
    try:
        _ = plan.xml
    except ValueRejectedError as error:
        raise _invalid(f"the checkpoint: {error}") from error
    return plan


def backup_plan(guest: Guest, wishes: BackupWishes, base: Checkpoint | None) -> BackupPlan:
    """Say what libvirt is to be asked for as a backup.

    Parameters:
        base: the checkpoint since when changes are taken in; None for all that the disks hold.

    Raises:
        CIMError, MethodFailedError: as `checkpoint_plan`; INVALID_PARAMETER for a checkpoint that does not have a disk.
    """
    disks = _chosen(guest, wishes)
    if base is not None:
        held = {each.name for each in base.config.disks if each.checkpoint != "no"}
        missing = next((each.target_dev for each in disks if each.target_dev not in held), None)
        if missing is not None and wishes.disks:
            raise _invalid(f"BaseCheckpoint: {base.name!r} does not hold disk {missing}; expected one that does")
        disks = [each for each in disks if each.target_dev in held]
    if not disks:
        raise MethodFailedError(BackupCode.NOT_SUPPORTED, f"guest {guest.name!r} has no disk that can be backed up")
    checkpoint = None if wishes.checkpoint is None else checkpoint_plan(guest, wishes.checkpoint, wishes)
    return BackupPlan(
        _names(disks),
        _others(guest, disks),
        None if base is None else base.name,
        checkpoint,
        wishes.quiesce,
    )


def volume_names(guest: Guest, plan: BackupPlan, wishes: BackupWishes) -> dict[str, str]:
    """Name the volume that each disk goes to."""
    chosen = dict(zip(wishes.disks, (*wishes.volumes, *("" for _ in wishes.disks)), strict=False))
    return {
        disk: chosen.get(disk) or f"{guest.name}-{disk}.{wishes.name}.{FORMAT}".replace("/", "_") for disk in plan.disks
    }


def door_of(guest: Guest, wishes: BackupWishes) -> BackupDoor:
    """Say where a backup that is pulled is read.

    Raises:
        MethodFailedError: NOT_SUPPORTED where the administrator has not set that up.
    """
    settings = guest.site.settings.backup
    if wishes.transport == _TLS:
        if not settings.tls_address:
            raise _not_set_up("tls_address")
        return BackupDoor(host=settings.tls_address, port=settings.tls_port)
    if settings.socket_directory is None:
        raise _not_set_up("socket_directory")
    return BackupDoor(socket=str(settings.socket_directory / f"{guest.domain.uuid}.backup"))


def scratch_files(guest: Guest, plan: BackupPlan, wishes: BackupWishes) -> dict[str, str]:
    """Name the file for each disk to which goes what the guest overwrites while the backup is read.

    Raises:
        MethodFailedError: NOT_SUPPORTED where no disk lies in a directory.
    """
    files = [path for disk in _disks(guest) if (path := disk.source_file)]
    if not files:
        text = f"guest {guest.name!r} has no disk in a directory; expected one, for what is overwritten meanwhile"
        raise MethodFailedError(BackupCode.NOT_SUPPORTED, text)
    own = {str(disk.target_dev): disk.source_file or files[0] for disk in _disks(guest)}
    return {disk: str(PurePosixPath(own[disk]).parent / f"{guest.domain.uuid}.{disk}.scratch") for disk in plan.disks}


def _disks(guest: Guest) -> list[Disk]:
    """The disks that a backup can take in."""
    config = guest.domain.config
    devices = config.devices if config is not None else ()
    return [
        device
        for device in devices
        if isinstance(device, Disk)
        and device.target_dev
        and device.device in (None, "disk", "lun")
        and not device.readonly
    ]


def _chosen(guest: Guest, wishes: BackupWishes) -> list[Disk]:
    found = {str(disk.target_dev): disk for disk in _disks(guest)}
    for name in wishes.disks:
        if name not in found:
            raise _invalid(f"Disks: guest {guest.name!r} has no disk {name!r}; expected {', '.join(found)}")
    return [found[name] for name in wishes.disks] if wishes.disks else list(found.values())


def _names(disks: list[Disk]) -> tuple[str, ...]:
    return tuple(str(disk.target_dev) for disk in disks)


def _others(guest: Guest, disks: list[Disk]) -> tuple[str, ...]:
    """The target names of the disks of a guest that are none of these."""
    taken, config = set(_names(disks)), guest.domain.config
    devices = config.devices if config is not None else ()
    names = (str(each.target_dev) for each in devices if isinstance(each, Disk) and each.target_dev)
    return tuple(name for name in names if name not in taken)


def _not_set_up(setting: str) -> MethodFailedError:
    text = f"BackupMode: 3 (Pull) is not available; expected the setting providers.backup.{setting}"
    return MethodFailedError(BackupCode.NOT_SUPPORTED, text)


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, text)

"""Disks, CD-ROM and floppy drives, and directories of the host, as <prefix>_LogicalDisk."""

from __future__ import annotations

from collections.abc import Hashable

from virtcim.libhelper.documents.domain import Disk, Filesystem
from virtcim.providers.gueststorage import capacity_of, storage_of
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["LogicalDisk"]

_BLOCK_SIZE = 512
_FIXED_BLOCK = 2
_READABLE, _READ_WRITE = 1, 3
_PURPOSES = {"cdrom": "CD-ROM", "floppy": "Floppy", "lun": "LUN"}


class LogicalDisk(GuestDevice[Disk | Filesystem]):
    """A disk of a guest (Virt_LogicalDisk)."""

    __slots__ = ()

    base = "LogicalDisk"

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision, storage_of(self.guest).epoch


def _name(disk: LogicalDisk) -> str | None:
    target: str | None = disk.device.target_dir if isinstance(disk.device, Filesystem) else disk.device.target_dev
    return target


def _caption(disk: LogicalDisk) -> str:
    return "Filesystem" if isinstance(disk.device, Filesystem) else _PURPOSES.get(disk.device.device or "", "Disk")


def _block_size(disk: LogicalDisk) -> int | None:
    if isinstance(disk.device, Filesystem):
        return None
    return disk.device.blockio_logical_block_size or _BLOCK_SIZE


def _blocks(disk: LogicalDisk) -> int | None:
    block_size = _block_size(disk)
    capacity = capacity_of(disk.guest, disk.device)
    return None if block_size is None or capacity is None else capacity // block_size


def _access(disk: LogicalDisk) -> int:
    return _READABLE if disk.device.readonly or getattr(disk.device, "device", None) == "cdrom" else _READ_WRITE


LogicalDisk.table = PropertyTable(
    COMMON,
    Property("Name", _name, f"domain XML {Disk.field_path('target_dev')}, {Filesystem.field_path('target_dir')}"),
    Property("Caption", _caption, f"domain XML {Disk.field_path('device')}"),
    Property("BlockSize", _block_size, f"domain XML {Disk.field_path('blockio_logical_block_size')}, else 512"),
    Property("NumberOfBlocks", _blocks, "capacity of the storage volume, where libvirt knows it"),
    Property("ConsumableBlocks", _blocks, "capacity of the storage volume, where libvirt knows it"),
    Property(
        "DataOrganization",
        lambda disk: None if isinstance(disk.device, Filesystem) else _FIXED_BLOCK,
        "always Fixed Block; NULL for a file system",
    ),
    Property("Access", _access, f"domain XML {Disk.field_path('readonly')}"),
    constant("Primordial", False),
)

"""The disks of a host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from virtcim.libhelper.documents.nodedevice import NodeDeviceConfig
from virtcim.providers.base import trimmed
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.Virt_HostDevice.device import COMMON, HostDevice
from virtcim.providers.Virt_HostSystem import HostSystem

__all__ = ["HostDisk"]

_OTHER_INTERCONNECT = 1
_INTERCONNECTS = {"ata": 3, "sata": 4, "sas": 5, "fc": 6}
_IDENTITIES = (
    ("Serial Number", "storage_serial"),
    ("Vendor", "storage_vendor"),
    ("Model", "storage_model"),
)


class HostDisk(HostDevice[NodeDeviceConfig]):
    """A disk of a host (Virt_HostDisk)."""

    __slots__ = ()

    base = "HostDisk"

    @classmethod
    def found_on(cls, host: HostSystem) -> Iterable[Self]:
        records = host.hypervisor.inventory.node_devices()
        return [
            cls(host, record.name, record.config)
            for record in records
            if record.config is not None and record.config.storage_drive_type == "disk"
        ]


def _identities(disk: HostDisk, part: int) -> list[str] | None:
    """The names (0) or the values (1) of what identifies the disk."""
    pairs = [(name, getattr(disk.device, field)) for name, field in _IDENTITIES]
    return [pair[part] for pair in pairs if pair[1]] or None


def _interconnect(disk: HostDisk) -> int | None:
    bus = disk.device.storage_bus
    return None if bus is None else _INTERCONNECTS.get(bus, _OTHER_INTERCONNECT)


def _other_interconnect(disk: HostDisk) -> str | None:
    return str(disk.device.storage_bus) if _interconnect(disk) == _OTHER_INTERCONNECT else None


def _field(name: str) -> str:
    return f"node device XML {NodeDeviceConfig.field_path(name)}"


HostDisk.table = PropertyTable(
    COMMON,
    attribute("Name", lambda disk: disk.device.storage_block, source=_field("storage_block")),
    Property(
        "Caption",
        lambda disk: trimmed(disk.device.storage_model) if disk.device.storage_model else None,
        _field("storage_model"),
    ),
    Property(
        "OtherIdentifyingInfo", lambda disk: _identities(disk, 1), ", ".join(_field(field) for _, field in _IDENTITIES)
    ),
    Property(
        "IdentifyingDescriptions", lambda disk: _identities(disk, 0), "names of the entries of OtherIdentifyingInfo"
    ),
    attribute(
        "DefaultBlockSize",
        lambda disk: disk.device.storage_logical_block_size,
        source=_field("storage_logical_block_size"),
    ),
    Property(
        "MaxMediaSize",
        lambda disk: None if disk.device.storage_size is None else disk.device.storage_size // 1000,
        f"{_field('storage_size')}, in units of 1000 bytes",
    ),
    Property("InterconnectType", _interconnect, _field("storage_bus")),
    Property("OtherInterconnectType", _other_interconnect, _field("storage_bus")),
)

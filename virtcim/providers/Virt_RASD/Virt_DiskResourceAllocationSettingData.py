"""Disks of a guest, and directories of the host that it sees."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from virtcim.libhelper.documents.domain import Disk, Filesystem
from virtcim.providers.consoles import file_url, host_and_port
from virtcim.providers.deviceids import Kind
from virtcim.providers.drafts import Draft, ValueRefusedError, chosen, flag, to
from virtcim.providers.properties import MappedField, Property, PropertyTable, Writer, constant
from virtcim.providers.storage import capacity_of, path_of, storage_of
from virtcim.providers.Virt_RASD.disk_source import (
    EMULATED_TYPES,
    FILESYSTEM,
    check_target,
    write_emulated_type,
    write_source,
)
from virtcim.providers.Virt_RASD.setting import ADDRESS, BOOTABLE, COMMON, PLACED, ResourceSetting, pool_id

__all__ = ["DiskSetting"]

_DISK_DRIVE = 17
_PASSED_THROUGH, _VIRTUALIZED = 2, 3
_REMOVABLE = frozenset({"cdrom", "floppy"})
BYTES = "byte"


class DiskSetting(ResourceSetting[Disk | Filesystem]):
    """A disk of a guest."""

    __slots__ = ()

    base = "DiskResourceAllocationSettingData"
    kind = Kind.DISK

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision, storage_of(self.guest).epoch


def _of(disk: MappedField | None, filesystem: MappedField | None) -> Callable[[DiskSetting], object]:
    """A getter for what disks and file systems have under different names, or only one of them has."""

    def get(setting: DiskSetting) -> object:
        field = filesystem if isinstance(setting.device, Filesystem) else disk
        return None if field is None else getattr(setting.device, field.name)

    return get


def _field(name: str, disk: MappedField | None, filesystem: MappedField | None = None) -> Property[DiskSetting]:
    paths = [Disk.field_path(disk.name)] if disk else []
    paths += [Filesystem.field_path(filesystem.name)] if filesystem else []
    return Property(name, _of(disk, filesystem), "domain XML " + ", ".join(paths), _to(name, disk, filesystem))


def _to(name: str, disk: MappedField | None, filesystem: MappedField | None) -> Writer:
    """A writer of what `_of` reads; the empty text removes it."""

    def write(draft: Draft, value: object) -> None:
        field = filesystem if isinstance(draft.base, Filesystem) else disk
        if field is None:
            raise ValueRefusedError(f"{name} does not apply to this kind of disk", contradiction=True)
        draft.put(field.name, None if value == "" else value)

    return write


def _write_target(draft: Draft, value: str) -> None:
    """VirtualDevice."""
    if not isinstance(draft.base, Filesystem):
        check_target(draft, value)
    _to("VirtualDevice", Disk.target_dev, Filesystem.target_dir)(draft, value)


def _is_empty(setting: DiskSetting) -> bool:
    device = setting.device
    return (
        not isinstance(device, Filesystem)
        and device.device in _REMOVABLE
        and not (device.source_file or device.source_dev or device.source_pool or device.source_name)
    )


def _network_source(device: Disk) -> str:
    """A network disk as a URL: `rbd://host:port/pool/image`, with the first of its hosts."""
    host = next(iter(device.source_hosts), None)
    place = host_and_port(host.name or "", host.port) if host is not None else ""
    return f"{device.source_protocol}://{place}/{device.source_name or ''}"


def _address(setting: DiskSetting) -> str | None:
    """The source: a path, the name in the network, or pool and volume; the empty text for an empty drive."""
    device = setting.device
    path = path_of(setting.guest, device)
    if path is not None:
        return path
    if device.source_pool and device.source_volume:
        return f"{device.source_pool}/{device.source_volume}"
    if not isinstance(device, Filesystem) and device.type == "network":
        return _network_source(device)
    return device.source_name or ("" if _is_empty(setting) else None)


def _host_resource(setting: DiskSetting) -> list[str] | None:
    path = path_of(setting.guest, setting.device)
    if path is not None and path.startswith("/"):
        return [file_url(path)]
    if not isinstance(setting.device, Filesystem) and setting.device.type == "network":
        return [_network_source(setting.device)]
    return None


def _emulated_type(setting: DiskSetting) -> int | None:
    if isinstance(setting.device, Filesystem):
        return FILESYSTEM
    return EMULATED_TYPES.get(setting.device.device or "disk")


def _true_or_null(value: bool | None) -> bool | None:
    return True if value else None


def _yes_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _capacity(setting: DiskSetting) -> int | None:
    return capacity_of(setting.guest, setting.device)


def _io_limit(name: str, field: MappedField) -> Property[DiskSetting]:
    """A limit of what the guest may read or write; 0 removes it."""
    return Property(
        name,
        _of(field, None),
        f"domain XML {Disk.field_path(field.name)}",
        to(field.name, lambda value: value or None),
    )


_IO_LIMITS = (
    _io_limit("TotalBytesPerSecond", Disk.iotune_total_bytes_sec),
    _io_limit("ReadBytesPerSecond", Disk.iotune_read_bytes_sec),
    _io_limit("WriteBytesPerSecond", Disk.iotune_write_bytes_sec),
    _io_limit("TotalOperationsPerSecond", Disk.iotune_total_iops_sec),
    _io_limit("ReadOperationsPerSecond", Disk.iotune_read_iops_sec),
    _io_limit("WriteOperationsPerSecond", Disk.iotune_write_iops_sec),
)

DiskSetting.table = PropertyTable(
    COMMON,
    PLACED,
    BOOTABLE,
    ADDRESS,
    constant("ResourceType", _DISK_DRIVE),
    Property("ResourceSubType", lambda setting: setting.device.type, f"domain XML {Disk.field_path('type')}"),
    Property(
        "VirtualDevice",
        _of(Disk.target_dev, Filesystem.target_dir),
        f"domain XML {Disk.field_path('target_dev')}, {Filesystem.field_path('target_dir')}",
        _write_target,
    ),
    Property("EmulatedType", _emulated_type, f"domain XML {Disk.field_path('device')}", write_emulated_type),
    Property("PoolID", pool_id, "storage pool of the volume or directory of the source", write_source),
    Property("Address", _address, "domain XML devices/disk/source, devices/filesystem/source", write_source),
    Property("HostResource", _host_resource, "the source as a URL", write_source),
    constant("AllocationUnits", BYTES),
    constant("VirtualQuantityUnits", BYTES),
    Property(
        "VirtualQuantity",
        _capacity,
        "virDomainGetBlockInfo or block statistics; else the capacity of the storage volume",
    ),
    Property("AutomaticAllocation", lambda setting: not _is_empty(setting), "false for an empty drive"),
    Property(
        "ConsumerVisibility",
        lambda setting: _PASSED_THROUGH if getattr(setting.device, "device", None) == "lun" else _VIRTUALIZED,
        f"domain XML {Disk.field_path('device')}",
    ),
    _field("MountPoint", None, Filesystem.target_dir),
    _field("BusType", Disk.target_bus),
    _field("DriverName", Disk.driver_name),
    _field("DriverType", Disk.driver_type, Filesystem.driver_type),
    _field("DriverCache", Disk.driver_cache),
    _field("AccessMode", None, Filesystem.accessmode),
    Property(
        "readonly",
        lambda setting: _true_or_null(setting.device.readonly),
        f"domain XML {Disk.field_path('readonly')}, {Filesystem.field_path('readonly')}",
        flag("readonly"),
    ),
    Property(
        "shareable",
        lambda setting: _true_or_null(getattr(setting.device, "shareable", None)),
        f"domain XML {Disk.field_path('shareable')}",
        flag("shareable"),
    ),
    Property(
        "rawio",
        lambda setting: _yes_no(getattr(setting.device, "rawio", None)),
        f"domain XML {Disk.field_path('rawio')}",
        chosen("rawio", "rawio", {"yes": True, "no": False, "": None}),
    ),
    _field("sgio", Disk.sgio),
    _field("IOMode", Disk.driver_io),
    _field("Discard", Disk.driver_discard),
    _field("DetectZeroes", Disk.driver_detect_zeroes),
    _field("ErrorPolicy", Disk.driver_error_policy),
    _field("SerialNumber", Disk.serial),
    _field("WWN", Disk.wwn),
    *_IO_LIMITS,
)

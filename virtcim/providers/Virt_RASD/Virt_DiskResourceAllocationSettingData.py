"""Disks of a guest, and directories of the host that it sees."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from virtcim.libhelper.documents.domain import Disk, Filesystem
from virtcim.providers.consoles import file_url
from virtcim.providers.drafts import Draft, ValueRefusedError, Writer, chosen, flag
from virtcim.providers.gueststorage import capacity_of, path_of, storage_of
from virtcim.providers.imageurls import image_url, socket_url
from virtcim.providers.interface import CIMValue
from virtcim.providers.properties import MappedField, Property, constant, paths_of
from virtcim.providers.Virt_RASD.disk_source import (
    EMULATED_TYPES,
    FILESYSTEM,
    RAM,
    check_target,
    write_capacity,
    write_emulated_type,
    write_source,
)
from virtcim.providers.Virt_RASD.setting import (
    ADDRESS,
    BOOTABLE,
    COMMON,
    PLACED,
    ResourceSetting,
    device_table,
    pool_id,
)

__all__ = ["DiskSetting"]

_DISK_DRIVE = 17
_PASSED_THROUGH, _VIRTUALIZED = 2, 3
_REMOVABLE = frozenset({"cdrom", "floppy"})
BYTES = "byte"
_KIBIBYTE = 1024


class DiskSetting(ResourceSetting[Disk | Filesystem]):
    """A disk of a guest (Virt_DiskResourceAllocationSettingData)."""

    __slots__ = ()

    base = "DiskResourceAllocationSettingData"

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision, storage_of(self.guest).epoch


def _of(disk: MappedField | None, filesystem: MappedField | None) -> Callable[[DiskSetting], CIMValue]:
    """A getter for what disks and file systems have under different names, or only one of them has."""

    def get(setting: DiskSetting) -> CIMValue:
        field = filesystem if isinstance(setting.device, Filesystem) else disk
        value: CIMValue = None if field is None else getattr(setting.device, field.name)
        return value

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


def _target(name: str, disk: MappedField | None, filesystem: MappedField) -> Property[DiskSetting]:
    """What a disk or a file system is called in the guest; libvirt 9.0 ends at a disk that has no name any more."""
    declared, write = _field(name, disk, filesystem), _to(name, disk, filesystem)

    def write_target(draft: Draft, value: str) -> None:
        write(draft, value)
        if not value and not draft.is_new:
            raise ValueRefusedError(f"{name} is empty; expected what the guest knows it by")
        if not isinstance(draft.base, Filesystem):
            check_target(draft, value)

    return Property(name, declared.get, declared.source, write_target)


def _is_empty(setting: DiskSetting) -> bool:
    device = setting.device
    return (
        not isinstance(device, Filesystem)
        and device.device in _REMOVABLE
        and not (device.source_file or device.source_dev or device.source_pool or device.source_name)
    )


def _elsewhere(setting: DiskSetting) -> str | None:
    """What is behind a disk at no path of the host, as a URL."""
    device = setting.device
    if isinstance(device, Filesystem):
        return socket_url(device.source_socket) if device.source_socket else None
    return image_url(device)


def _address(setting: DiskSetting) -> str | None:
    """The source: a path, a URL, or pool and volume; the empty text for an empty drive."""
    device = setting.device
    path = path_of(setting.guest, device)
    if path is not None:
        return path
    if device.source_pool and device.source_volume:
        return f"{device.source_pool}/{device.source_volume}"
    if isinstance(device, Filesystem) and device.type == RAM:
        return RAM
    return _elsewhere(setting) or device.source_name or ("" if _is_empty(setting) else None)


def _host_resource(setting: DiskSetting) -> list[str] | None:
    path = path_of(setting.guest, setting.device)
    if path is not None and path.startswith("/"):
        return [file_url(path)]
    url = _elsewhere(setting)
    return None if url is None else [url]


def _emulated_type(setting: DiskSetting) -> int | None:
    if isinstance(setting.device, Filesystem):
        return FILESYSTEM
    return EMULATED_TYPES.get(setting.device.device or "disk")


def _true_or_null(value: bool | None) -> bool | None:
    return True if value else None


def _yes_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _capacity(setting: DiskSetting) -> int | None:
    if isinstance(setting.device, Filesystem) and setting.device.source_usage is not None:
        return setting.device.source_usage * _KIBIBYTE
    return capacity_of(setting.guest, setting.device)


def _amount(
    name: str,
    disk: MappedField | None,
    filesystem: MappedField | None = None,
    switch: MappedField | None = None,
    check: Callable[[Draft], None] | None = None,
) -> Property[DiskSetting]:
    """A number; 0 removes it, and what else says that there is one (`switch`)."""
    declared, write = _field(name, disk, filesystem), _to(name, disk, filesystem)

    def write_amount(draft: Draft, value: int) -> None:
        write(draft, value or "")
        if switch is not None:
            draft.put(switch.name, True if value else None)
        if check is not None:
            check(draft)

    return Property(name, declared.get, declared.source, write_amount)


def _counts_none(draft: Draft) -> bool:
    """Whether no limit counts operations: nobody asks then how large one is, and QEMU does not start."""
    fields = (Disk.iotune_total_iops_sec, Disk.iotune_read_iops_sec, Disk.iotune_write_iops_sec)
    return not any(draft.now(field.name) for field in fields)


def _check_operation_size(draft: Draft) -> None:
    if draft.given["OperationSize"] and _counts_none(draft):
        raise ValueRefusedError("OperationSize needs a limit of operations per second", contradiction=True)


def _limits(name: str, most: MappedField, peak: MappedField, length: MappedField) -> Iterator[Property[DiskSetting]]:
    """A limit of what the guest may read or write, and for how much and how long it may be exceeded; 0 removes it."""
    peak_name, length_name = f"{name}Peak", f"{name}PeakLength"

    def check(draft: Draft) -> None:
        """Refuse what libvirt takes, and with which QEMU does not start."""
        limit = draft.given.get(name, draft.now(most.name))
        highest = draft.given.get(peak_name, draft.now(peak.name) if limit else None)
        seconds = draft.given.get(length_name, draft.now(length.name) if highest else None)
        if highest and not limit:
            raise ValueRefusedError(f"{peak_name} needs {name}", contradiction=True)
        if highest and highest < limit:
            raise ValueRefusedError(f"{peak_name}: {highest} is less than {name}, {limit}", contradiction=True)
        if seconds and not highest:
            raise ValueRefusedError(f"{length_name} needs {peak_name}", contradiction=True)
        if draft.base.iotune_size_iops_sec is not None and "OperationSize" not in draft.given and _counts_none(draft):
            draft.put("iotune_size_iops_sec", None)

    yield _amount(name, most, check=check)
    yield _amount(peak_name, peak, check=check)
    yield _amount(length_name, length, check=check)


_IO_LIMITS = (
    *_limits(
        "TotalBytesPerSecond",
        Disk.iotune_total_bytes_sec,
        Disk.iotune_total_bytes_sec_max,
        Disk.iotune_total_bytes_sec_max_length,
    ),
    *_limits(
        "ReadBytesPerSecond",
        Disk.iotune_read_bytes_sec,
        Disk.iotune_read_bytes_sec_max,
        Disk.iotune_read_bytes_sec_max_length,
    ),
    *_limits(
        "WriteBytesPerSecond",
        Disk.iotune_write_bytes_sec,
        Disk.iotune_write_bytes_sec_max,
        Disk.iotune_write_bytes_sec_max_length,
    ),
    *_limits(
        "TotalOperationsPerSecond",
        Disk.iotune_total_iops_sec,
        Disk.iotune_total_iops_sec_max,
        Disk.iotune_total_iops_sec_max_length,
    ),
    *_limits(
        "ReadOperationsPerSecond",
        Disk.iotune_read_iops_sec,
        Disk.iotune_read_iops_sec_max,
        Disk.iotune_read_iops_sec_max_length,
    ),
    *_limits(
        "WriteOperationsPerSecond",
        Disk.iotune_write_iops_sec,
        Disk.iotune_write_iops_sec_max,
        Disk.iotune_write_iops_sec_max_length,
    ),
    _amount("OperationSize", Disk.iotune_size_iops_sec, check=_check_operation_size),
    _field("LimitGroup", Disk.iotune_group_name),
)


_NAMED_BY = {"auth": "username", "encryption": "format"}
"""By what may stand in the source of a disk or beside it, the field that each has."""


def _is_beside_source(draft: Draft, part: str) -> bool:
    """Whether a part of the XML stands beside the source; that of another image stands in it."""
    return "type" not in draft.fields and getattr(draft.base, f"{part}_{_NAMED_BY[part]}", None) is not None


def _first_of(name: str, inside: MappedField, beside: MappedField) -> Property[DiskSetting]:
    """What stands in the source or beside it; it is written where the rest of it is, else in the source."""
    part = beside.name.partition("_")[0]

    def get(setting: DiskSetting) -> CIMValue:
        values = (getattr(setting.device, field.name, None) for field in (inside, beside))
        return next((value for value in values if value is not None), None)

    def write(draft: Draft, value: object) -> None:
        place = beside if _is_beside_source(draft, part) else inside
        draft.put(place.name, None if value == "" else value)

    paths = ", ".join(Disk.field_path(field.name) for field in (inside, beside))
    return Property(name, get, f"domain XML {paths}", write)


def _write_reservations(draft: Draft, value: str) -> None:
    """ReservationsSocket: the socket of who keeps reservations, where libvirt does not start that itself."""
    _to("ReservationsSocket", Disk.source_reservations_source_path, None)(draft, value)
    draft.put("source_reservations_source_type", "unix" if value else None)
    draft.put("source_reservations_source_mode", "client" if value else None)


def _further_secrets(setting: DiskSetting) -> list[str] | None:
    """The secrets of an image beside the first one."""
    device = setting.device
    if isinstance(device, Filesystem):
        return None
    secrets = device.source_encryption_secrets or device.encryption_secrets
    return [f"uuid={each.uuid}" if each.uuid else f"usage={each.usage}" for each in secrets[1:]] or None


def _write_further_secrets(draft: Draft, value: Sequence[str]) -> None:
    """FurtherEncryptionSecrets; the first one is that of EncryptionSecret or EncryptionSecretUsage."""
    if isinstance(draft.base, Filesystem):
        raise ValueRefusedError("FurtherEncryptionSecrets does not apply to this kind of disk", contradiction=True)
    place = "encryption" if _is_beside_source(draft, "encryption") else "source_encryption"
    singles = {name: f"{place}_secret_{name}" for name in ("type", "uuid", "usage")}
    first = {name: draft.now(field) for name, field in singles.items() if draft.now(field) is not None}
    if not first:
        raise ValueRefusedError("FurtherEncryptionSecrets needs EncryptionSecret, the first one", contradiction=True)
    for field in singles.values():
        draft.fields.pop(field, None)
    draft.put(f"{place}_secrets", [first, *map(_secret, value)])


def _secret(text: str) -> dict[str, str]:
    name, _, value = text.partition("=")
    if name not in ("uuid", "usage") or not value:
        raise ValueRefusedError(f"FurtherEncryptionSecrets: {text:.100} is none; expected uuid=UUID or usage=NAME")
    return {"type": "passphrase", name: value}


_REACHED = (
    _first_of("UserName", Disk.source_auth_username, Disk.auth_username),
    _first_of("SecretType", Disk.source_auth_secret_type, Disk.auth_secret_type),
    _first_of("SecretUUID", Disk.source_auth_secret_uuid, Disk.auth_secret_uuid),
    _first_of("SecretUsage", Disk.source_auth_secret_usage, Disk.auth_secret_usage),
    _first_of("EncryptionFormat", Disk.source_encryption_format, Disk.encryption_format),
    _first_of("EncryptionSecretType", Disk.source_encryption_secret_type, Disk.encryption_secret_type),
    _first_of("EncryptionSecret", Disk.source_encryption_secret_uuid, Disk.encryption_secret_uuid),
    _first_of("EncryptionSecretUsage", Disk.source_encryption_secret_usage, Disk.encryption_secret_usage),
    Property(
        "FurtherEncryptionSecrets",
        _further_secrets,
        "domain XML: the secrets of an encrypted image after the first one",
        _write_further_secrets,
    ),
    _first_of("EncryptionEngine", Disk.source_encryption_engine, Disk.encryption_engine),
    _field("InitiatorName", Disk.source_initiator_iqn_name),
    _field("ConfigFile", Disk.source_config_file),
    _field("TLS", Disk.source_tls),
    _field("TLSHostName", Disk.source_tls_hostname),
    _field("VerifyTLS", Disk.source_ssl_verify),
    _field("SourceUser", Disk.source_identity_user),
    _field("SourceGroup", Disk.source_identity_group),
    _amount("ReconnectTimeout", Disk.source_reconnect_timeout, switch=Disk.source_reconnect_enabled),
    _amount("ResponseTimeout", Disk.source_timeout_seconds),
    _amount("ReadAhead", Disk.source_readahead_size),
    _field("ReservationsManaged", Disk.source_reservations_managed),
    Property(
        "ReservationsSocket",
        _of(Disk.source_reservations_source_path, None),
        f"domain XML {Disk.field_path('source_reservations_source_path')}",
        _write_reservations,
    ),
    _field("StartupPolicy", Disk.source_startup_policy),
)
"""How what is behind a disk is reached and read; another image takes it along."""

_SOURCES = paths_of(
    (
        Disk,
        (
            Disk.source_file,
            Disk.source_dev,
            Disk.source_dir,
            Disk.source_pool,
            Disk.source_volume,
            Disk.source_protocol,
            Disk.source_name,
            Disk.source_query,
            Disk.source_hosts,
            Disk.source_snapshot_name,
            Disk.source_namespace,
            Disk.source_address,
            Disk.source_path,
        ),
    ),
    (
        Filesystem,
        (
            Filesystem.source_dir,
            Filesystem.source_file,
            Filesystem.source_dev,
            Filesystem.source_name,
            Filesystem.source_pool,
            Filesystem.source_volume,
            Filesystem.source_socket,
        ),
    ),
)

DiskSetting.table = device_table(
    (Disk, Filesystem),
    COMMON,
    PLACED,
    BOOTABLE,
    ADDRESS,
    constant("ResourceType", _DISK_DRIVE),
    Property(
        "ResourceSubType",
        lambda setting: setting.device.type,
        f"domain XML {Disk.field_path('type')}, {Filesystem.field_path('type')}",
    ),
    _target("VirtualDevice", Disk.target_dev, Filesystem.target_dir),
    Property("EmulatedType", _emulated_type, f"domain XML {Disk.field_path('device')}", write_emulated_type),
    Property("PoolID", pool_id, "storage pool of the volume or directory of the source", write_source),
    Property("Address", _address, _SOURCES, write_source),
    Property("HostResource", _host_resource, "the source as a URL, as far as it has one", write_source),
    constant("AllocationUnits", BYTES),
    constant("VirtualQuantityUnits", BYTES),
    Property(
        "VirtualQuantity",
        _capacity,
        "virDomainGetBlockInfo or block statistics; else the capacity of the storage volume; domain XML "
        f"{Filesystem.field_path('source_usage')}",
        write_capacity,
    ),
    Property("AutomaticAllocation", lambda setting: not _is_empty(setting), "false for an empty drive"),
    Property(
        "ConsumerVisibility",
        lambda setting: _PASSED_THROUGH if getattr(setting.device, "device", None) == "lun" else _VIRTUALIZED,
        f"domain XML {Disk.field_path('device')}",
    ),
    _target("MountPoint", None, Filesystem.target_dir),
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
    _field("Vendor", Disk.vendor),
    _field("Product", Disk.product),
    _field("Model", Disk.model, Filesystem.model),
    _field("Removable", Disk.target_removable),
    _amount("RotationRate", Disk.target_rotation_rate),
    _amount("LogicalBlockSize", Disk.blockio_logical_block_size),
    _amount("PhysicalBlockSize", Disk.blockio_physical_block_size),
    _field("ReadErrorPolicy", Disk.driver_rerror_policy),
    _field("CopyOnRead", Disk.driver_copy_on_read),
    _amount("IOThread", Disk.driver_iothread),
    _amount("QueueCount", Disk.driver_queues),
    _field("SnapshotMode", Disk.snapshot),
    Property(
        "Transient",
        lambda setting: _true_or_null(getattr(setting.device, "transient", None)),
        f"domain XML {Disk.field_path('transient')}",
        flag("transient"),
    ),
    _field("SourceFormat", None, Filesystem.driver_format),
    _field("WritePolicy", None, Filesystem.driver_wrpolicy),
    _field("FileMode", None, Filesystem.fmode),
    _field("DirectoryMode", None, Filesystem.dmode),
    _field("MultipleDevices", None, Filesystem.multidevs),
    _amount("HardLimit", None, Filesystem.space_hard_limit),
    _amount("SoftLimit", None, Filesystem.space_soft_limit),
    *_REACHED,
    *_IO_LIMITS,
)

"""Devices of a guest without a class of their own."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import (
    DEVICE_CLASSES,
    Audio,
    Channel,
    Device,
    Hostdev,
    Lease,
    MemBalloon,
    MemoryDevice,
    Parallel,
    Redirdev,
    Rng,
    Serial,
    Shmem,
    Smartcard,
    Sound,
    Tpm,
    UnknownDevice,
    Video,
    Vsock,
    Watchdog,
)
from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.interface import CIMValue
from virtcim.providers.properties import MappedField, Property, PropertyTable, paths_of
from virtcim.providers.Virt_RASD.other_address import (
    backend_type,
    other_address,
    source_mode,
    write_backend_type,
    write_other_address,
    write_source_mode,
)
from virtcim.providers.Virt_RASD.other_device import (
    SUB_TYPE_FIELDS,
    write_other_quantity,
    write_other_sub_type,
)
from virtcim.providers.Virt_RASD.setting import ADDRESS, BOOTABLE, COMMON, COUNT, OTHER, PLACED, ResourceSetting

__all__ = ["OtherSetting"]

_MEMORY, _IO_DEVICE, _SERIAL_PORT, _PARALLEL_PORT, _USB_CONTROLLER, _GRAPHICS = 4, 13, 21, 22, 23, 24
_RESOURCE_TYPES = {
    "serial": _SERIAL_PORT,
    "parallel": _PARALLEL_PORT,
    "video": _GRAPHICS,
    "hostdev": _IO_DEVICE,
    "redirdev": _IO_DEVICE,
    "smartcard": _IO_DEVICE,
    "hub": _USB_CONTROLLER,
    "memory": _MEMORY,
}
"""By XML element; what has no value of its own in the value map is Other, and OtherResourceType names it."""
_PASSED_THROUGH, _VIRTUALIZED = 2, 3
_DEDICATED = 3
_KIBIBYTES, _BYTES = "byte*2^10", "byte"


class OtherSetting(ResourceSetting[Device]):
    """A device of a guest (Virt_ResourceAllocationSettingData)."""

    __slots__ = ()

    base = "ResourceAllocationSettingData"


def _resource_type(setting: OtherSetting) -> int:
    return _RESOURCE_TYPES.get(setting.device.tag, OTHER)


def _other_type(setting: OtherSetting) -> str | None:
    return str(setting.device.tag) if _resource_type(setting) == OTHER else None


def _sub_type(setting: OtherSetting) -> str | None:
    device = setting.device
    if isinstance(device, UnknownDevice):
        return device.attributes.get("model") or device.attributes.get("type")
    found: str | None = getattr(device, SUB_TYPE_FIELDS.get(device.tag, "model"), None)
    return found


def _is_passed_through(setting: OtherSetting) -> bool:
    return isinstance(setting.device, Hostdev | Redirdev)


def _quantity(setting: OtherSetting) -> int | None:
    """The size of memory in KiB and of shared memory in bytes; one of everything else."""
    match setting.device:
        case MemoryDevice():
            return setting.device.target_size
        case Shmem():
            return setting.device.size
        case _:
            return 1


def _size_units(setting: OtherSetting) -> str | None:
    match setting.device:
        case MemoryDevice():
            return _KIBIBYTES
        case Shmem():
            return _BYTES if setting.device.size is not None else None
        case _:
            return None


def _units(setting: OtherSetting) -> str:
    return _size_units(setting) or COUNT


def _of(name: str, *fields: tuple[type[Device], MappedField], zero: bool = True) -> Property[OtherSetting]:
    """What devices of some elements have, each as a field of its own.

    Parameters:
        fields: by class of the device, the field; a class may stand for more than one element.
        zero: whether 0 is a value; else it removes the field.
    """

    def field_of(device: Device) -> MappedField | None:
        return next((field for cls, field in fields if isinstance(device, cls)), None)

    def get(setting: OtherSetting) -> CIMValue:
        field = field_of(setting.device)
        return None if field is None else getattr(setting.device, field.name)

    def write(draft: Draft, value: object) -> None:
        field = field_of(draft.base)
        if field is None:
            raise ValueRefusedError(f"{name} does not apply to <{draft.base.tag}>", contradiction=True)
        draft.put(field.name, None if value == "" or (value == 0 and not zero) else value)

    paths = ", ".join(cls.field_path(field.name) for cls, field in fields)
    return Property(name, get, f"domain XML {paths}", write)


_CHARACTERS = (Serial, Parallel, Channel, Redirdev, Smartcard)
_ADDRESSES = paths_of(
    (
        Hostdev,
        (
            Hostdev.source_address,
            Hostdev.source_vendor_id,
            Hostdev.source_product_id,
            Hostdev.source_adapter_name,
            Hostdev.source_protocol,
            Hostdev.source_name,
            Hostdev.source_hosts,
            Hostdev.source_wwpn,
            Hostdev.source_block,
            Hostdev.source_char,
            Hostdev.source_interface,
        ),
    ),
    *(
        (
            cls,
            (
                cls.source_path,
                cls.source_host,
                cls.source_service,
                cls.source_channel,
                cls.source_master,
                cls.protocol_type,
            ),
        )
        for cls in _CHARACTERS
    ),
    (Smartcard, (Smartcard.database,)),
    (
        Rng,
        (
            Rng.backend,
            Rng.backend_source_path,
            Rng.backend_source_host,
            Rng.backend_source_service,
            Rng.backend_protocol_type,
        ),
    ),
    (Tpm, (Tpm.backend_device_path, Tpm.backend_source_path)),
    (MemoryDevice, (MemoryDevice.source_path,)),
    (Shmem, (Shmem.name, Shmem.server_path)),
    (Audio, (Audio.server_name, Audio.path)),
    (Lease, (Lease.target_path,)),
)


_WITH_CLASSES = frozenset({"console", "controller", "disk", "filesystem", "graphics", "input", "interface"})
"""The elements whose settings have classes of their own."""


def _path(tag: str) -> str | None:
    """The path in a device of the field that says which kind of it it is; None where the element has none."""
    field = DEVICE_CLASSES[tag].declared().get(SUB_TYPE_FIELDS.get(tag, "model"))
    return None if field is None or tag in _WITH_CLASSES else field.path


OtherSetting.table = PropertyTable(
    COMMON,
    PLACED,
    ADDRESS,
    BOOTABLE,
    Property("ResourceType", _resource_type, "name of the domain XML element"),
    Property("OtherResourceType", _other_type, "name of the domain XML element, where ResourceType is Other"),
    Property(
        "ResourceSubType",
        _sub_type,
        "domain XML " + ", ".join(f"devices/{tag}/{_path(tag)}" for tag in DEVICE_CLASSES if _path(tag) is not None),
        write_other_sub_type,
    ),
    Property(
        "Address",
        lambda setting: other_address(setting.device),
        _ADDRESSES,
        write_other_address,
    ),
    Property("AllocationUnits", _size_units, "unit of VirtualQuantity of memory"),
    Property("VirtualQuantityUnits", _units, "unit of VirtualQuantity"),
    Property(
        "VirtualQuantity",
        _quantity,
        f"domain XML {MemoryDevice.field_path('target_size')}, {Shmem.field_path('size')}; 1 otherwise",
        write_other_quantity,
    ),
    Property(
        "ConsumerVisibility",
        lambda setting: _PASSED_THROUGH if _is_passed_through(setting) else _VIRTUALIZED,
        "Passed-Through for host devices and redirected ones, else Virtualized",
    ),
    Property(
        "MappingBehavior",
        lambda setting: _DEDICATED if isinstance(setting.device, Hostdev) else None,
        "Dedicated for host devices",
    ),
    Property(
        "BackendType",
        lambda setting: backend_type(setting.device),
        paths_of(
            (Tpm, (Tpm.backend_type,)),
            (Rng, (Rng.backend_model,)),
            *((cls, (cls.type,)) for cls in _CHARACTERS),
        ),
        write_backend_type,
    ),
    _of("BackendVersion", (Tpm, Tpm.backend_version)),
    _of("PersistentState", (Tpm, Tpm.backend_persistent_state)),
    _of("EncryptionSecret", (Tpm, Tpm.backend_encryption_secret)),
    Property(
        "SourceMode",
        lambda setting: source_mode(setting.device),
        paths_of((Rng, (Rng.backend_source_mode,)), *((cls, (cls.source_mode,)) for cls in _CHARACTERS)),
        write_source_mode,
    ),
    _of("PeerPath", *((cls, cls.source_slave) for cls in _CHARACTERS)),
    _of("TargetName", (Channel, Channel.target_name)),
    _of("TargetPort", (Serial, Serial.target_port), (Parallel, Parallel.target_port), (Channel, Channel.target_port)),
    _of("TargetAddress", (Channel, Channel.target_address)),
    _of("LogFile", (Serial, Serial.log_file), (Parallel, Parallel.log_file), (Channel, Channel.log_file)),
    _of("RateBytes", (Rng, Rng.rate_bytes), zero=False),
    _of("RatePeriod", (Rng, Rng.rate_period), zero=False),
    _of("SharedMemoryName", (Shmem, Shmem.name)),
    _of("Role", (Shmem, Shmem.role)),
    _of("InterruptVectors", (Shmem, Shmem.msi_vectors)),
    _of("ContextID", (Vsock, Vsock.cid_address), zero=False),
    _of("AutomaticContextID", (Vsock, Vsock.cid_auto)),
    _of("Action", (Watchdog, Watchdog.action)),
    _of("VideoMemory", (Video, Video.model_vram), zero=False),
    _of("VideoMemory64", (Video, Video.model_vram64), zero=False),
    _of("SecondaryVideoMemory", (Video, Video.model_ram), zero=False),
    _of("VGAMemory", (Video, Video.model_vgamem), zero=False),
    _of("Heads", (Video, Video.model_heads), zero=False),
    _of("Primary", (Video, Video.model_primary)),
    _of("Acceleration2D", (Video, Video.model_acceleration_accel2d)),
    _of("Acceleration3D", (Video, Video.model_acceleration_accel3d)),
    _of("HorizontalResolution", (Video, Video.model_resolution_x), zero=False),
    _of("VerticalResolution", (Video, Video.model_resolution_y), zero=False),
    _of("Managed", (Hostdev, Hostdev.managed)),
    _of("HostDriver", (Hostdev, Hostdev.driver_name)),
    _of("UserName", (Hostdev, Hostdev.source_auth_username)),
    _of("SecretType", (Hostdev, Hostdev.source_auth_secret_type)),
    _of("SecretUUID", (Hostdev, Hostdev.source_auth_secret_uuid)),
    _of("SecretUsage", (Hostdev, Hostdev.source_auth_secret_usage)),
    _of("InitiatorName", (Hostdev, Hostdev.source_initiator_iqn_name)),
    _of("TargetNode", (MemoryDevice, MemoryDevice.target_node)),
    _of("RequestedSize", (MemoryDevice, MemoryDevice.target_requested)),
    Property(
        "CurrentSize",
        lambda setting: setting.device.target_current if isinstance(setting.device, MemoryDevice) else None,
        f"domain XML {MemoryDevice.field_path('target_current')}",
    ),
    _of("ModuleBlockSize", (MemoryDevice, MemoryDevice.target_block), zero=False),
    _of("LabelSize", (MemoryDevice, MemoryDevice.target_label_size), zero=False),
    _of("AudioID", (Sound, Sound.audio_id), (Audio, Audio.id), zero=False),
    _of("LeaseKey", (Lease, Lease.key)),
    _of("LeaseOffset", (Lease, Lease.target_offset)),
    _of("StatisticsPeriod", (MemBalloon, MemBalloon.stats_period), zero=False),
    _of("AutomaticDeflation", (MemBalloon, MemBalloon.autodeflate)),
    _of("FreePageReporting", (MemBalloon, MemBalloon.free_page_reporting)),
)

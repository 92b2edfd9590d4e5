"""Devices of a guest without a class of their own."""

from __future__ import annotations

from typing import Any

from virtcim.libhelper.documents.domain import Device, Hostdev, MemoryDevice, Redirdev, UnknownDevice
from virtcim.libhelper.documents.domain.chardev import CharacterSource
from virtcim.providers.consoles import bind_url, connect_url, source_path
from virtcim.providers.deviceids import Kind
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.Virt_RASD.other_device import (
    write_other_address,
    write_other_quantity,
    write_other_sub_type,
)
from virtcim.providers.Virt_RASD.setting import BOOTABLE, COMMON, COUNT, OTHER, PLACED, ResourceSetting

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
_SUB_TYPES = {
    "video": "model_type",
    "serial": "target_type",
    "parallel": "type",
    "channel": "target_type",
    "hostdev": "type",
    "redirdev": "bus",
    "smartcard": "mode",
    "hub": "type",
    "audio": "type",
    "shmem": "model_type",
    "lease": "lockspace",
}
"""By XML element, the field that says which kind of it; `model` for all others."""
_PASSED_THROUGH, _VIRTUALIZED = 2, 3
_DEDICATED = 3
_KIBIBYTES = "byte*2^10"


class OtherSetting(ResourceSetting[Device]):
    """A device of a guest."""

    __slots__ = ()

    base = "ResourceAllocationSettingData"
    kind = Kind.OTHER


def _resource_type(setting: OtherSetting) -> int:
    return _RESOURCE_TYPES.get(setting.device.tag, OTHER)


def _other_type(setting: OtherSetting) -> str | None:
    return str(setting.device.tag) if _resource_type(setting) == OTHER else None


def _sub_type(setting: OtherSetting) -> str | None:
    device = setting.device
    if isinstance(device, UnknownDevice):
        return device.attributes.get("model") or device.attributes.get("type")
    found: str | None = getattr(device, _SUB_TYPES.get(device.tag, "model"), None)
    return found


def _address(setting: OtherSetting) -> str | None:
    """What is behind the device on the host."""
    device = setting.device
    match device:
        case Hostdev():
            return _host_address(device)
        case CharacterSource():
            return source_path(device) or bind_url(device) or connect_url(device)
        case MemoryDevice():
            return device.source_path
        case _:
            return None


def _host_address(device: Hostdev) -> str | None:
    """A device of the host: a PCI address, bus.device or vendor:product of USB, the UUID of a mediated device."""
    address = device.source_address
    if "uuid" in address:
        return address["uuid"]
    if {"domain", "bus", "slot", "function"} <= address.keys():
        numbers = [address[name].removeprefix("0x") for name in ("domain", "bus", "slot", "function")]
        return "{}:{}:{}.{}".format(*numbers)
    if {"bus", "device"} <= address.keys():
        return f"{address['bus']}.{address['device']}"
    if device.source_vendor_id and device.source_product_id:
        return f"{device.source_vendor_id.removeprefix('0x')}:{device.source_product_id.removeprefix('0x')}"
    found: str | None = device.source_block or device.source_char or device.source_interface
    return found


def _is_passed_through(setting: OtherSetting) -> bool:
    return isinstance(setting.device, Hostdev | Redirdev)


def _memory_or(value: Any) -> Any:
    """A getter: the size of a memory device, `value` for everything else."""
    return lambda setting: setting.device.target_size if isinstance(setting.device, MemoryDevice) else value


def _memory_units(setting: OtherSetting) -> str | None:
    return _KIBIBYTES if isinstance(setting.device, MemoryDevice) else None


def _units(setting: OtherSetting) -> str:
    return _memory_units(setting) or COUNT


OtherSetting.table = PropertyTable(
    COMMON,
    PLACED,
    BOOTABLE,
    Property("ResourceType", _resource_type, "name of the domain XML element"),
    Property("OtherResourceType", _other_type, "name of the domain XML element, where ResourceType is Other"),
    Property(
        "ResourceSubType",
        _sub_type,
        "domain XML @model, @type, target/@type or @mode of the device",
        write_other_sub_type,
    ),
    Property("Address", _address, "domain XML source of the device", write_other_address),
    Property("AllocationUnits", _memory_units, "unit of VirtualQuantity of a memory device"),
    Property("VirtualQuantityUnits", _units, "unit of VirtualQuantity"),
    Property(
        "VirtualQuantity",
        _memory_or(1),
        f"domain XML {MemoryDevice.field_path('target_size')}; 1 otherwise",
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
)

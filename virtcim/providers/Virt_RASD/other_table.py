"""What the tables of devices have in common that libvirt-cim did not know."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from virtcim.libhelper.documents.domain import (
    DEVICE_CLASSES,
    Audio,
    Channel,
    Device,
    Hostdev,
    Lease,
    MemoryDevice,
    Parallel,
    Redirdev,
    Rng,
    Serial,
    Shmem,
    Smartcard,
    Tpm,
    UnknownDevice,
)
from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.interface import CIMValue
from virtcim.providers.properties import MappedField, Property, PropertyTable, constant, paths_of
from virtcim.providers.Virt_RASD.other_address import (
    backend_type,
    other_address,
    source_mode,
    write_backend_type,
    write_other_address,
    write_source_mode,
)
from virtcim.providers.Virt_RASD.other_device import SUB_TYPE_FIELDS, write_other_quantity, write_other_sub_type
from virtcim.providers.Virt_RASD.setting import ADDRESS, COMMON, COUNT, OTHER, PLACED, ResourceSetting

__all__ = ["CHARACTERS", "backend", "field_of", "mode", "other_table", "quantity"]

_Setting = ResourceSetting[Device]

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

CHARACTERS = (Serial, Parallel, Channel, Redirdev, Smartcard)
"""The devices that lead to a character device of the host."""

_ADDRESS_FIELDS: Mapping[type[Device], tuple[MappedField, ...]] = {
    Hostdev: (
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
    **{
        cls: (
            cls.source_path,
            cls.source_host,
            cls.source_service,
            cls.source_channel,
            cls.source_master,
            cls.protocol_type,
            *((Smartcard.database,) if cls is Smartcard else ()),
        )
        for cls in CHARACTERS
    },
    Rng: (
        Rng.backend,
        Rng.backend_source_path,
        Rng.backend_source_host,
        Rng.backend_source_service,
        Rng.backend_protocol_type,
    ),
    Tpm: (Tpm.backend_device_path, Tpm.backend_source_path),
    MemoryDevice: (MemoryDevice.source_path,),
    Shmem: (Shmem.name, Shmem.server_path),
    Audio: (Audio.server_name, Audio.path),
    Lease: (Lease.target_path,),
}
"""The fields that Address is made from, by class of the device."""


def other_table(*classes: type[Device], placed: bool = True) -> PropertyTable[_Setting]:
    """Make the table of what the settings of devices of some elements have in common with all others.

    Parameters:
        classes: of the devices.
        placed: whether they have a place on a controller.
    """
    properties: list[Property[_Setting] | PropertyTable[_Setting]] = [COMMON]
    if placed:
        properties += [PLACED, ADDRESS]
    properties += [
        Property("ResourceType", _resource_type, "name of the domain XML element"),
        constant("VirtualQuantityUnits", COUNT),
        Property("VirtualQuantity", lambda _setting: 1, "always 1: one device", write_other_quantity),
        Property("ConsumerVisibility", _visibility, "Passed-Through for devices of the host and redirected ones"),
    ]
    if not all(cls.tag in _RESOURCE_TYPES for cls in classes):
        properties.append(
            Property("OtherResourceType", _other_type, "name of the domain XML element, where ResourceType is Other")
        )
    kinds = [path for path in map(_sub_type_path, classes) if path is not None]
    if kinds:
        properties.append(
            Property("ResourceSubType", _sub_type, f"domain XML {', '.join(kinds)}", write_other_sub_type)
        )
    places = [(cls, _ADDRESS_FIELDS[cls]) for cls in classes if cls in _ADDRESS_FIELDS]
    if places:
        properties.append(
            Property("Address", lambda setting: other_address(setting.device), paths_of(*places), write_other_address)
        )
    return PropertyTable(*properties)


def field_of(name: str, *fields: tuple[type[Device], MappedField], zero: bool = True) -> Property[_Setting]:
    """Declare what devices of some elements have, each as a field of its own.

    Parameters:
        name: of the property.
        fields: by class of the device, the field.
        zero: whether 0 is a value; else it removes the field.
    """
    by_class = dict(fields)
    paths = ", ".join(cls.field_path(field.name) for cls, field in fields)

    def get(setting: _Setting) -> CIMValue:
        field = by_class.get(type(setting.device))
        value: CIMValue = None if field is None else getattr(setting.device, field.name)
        return value

    def write(draft: Draft, value: object) -> None:
        field = by_class.get(type(draft.base))
        if field is None:
            raise ValueRefusedError(f"{name} does not apply to <{draft.base.tag}>", contradiction=True)
        draft.put(field.name, None if value == "" or (value == 0 and not zero) else value)

    return Property(name, get, f"domain XML {paths}", write)


def quantity(cls: type[Device], field: MappedField, units: str) -> PropertyTable[_Setting]:
    """Declare VirtualQuantity as the size of what a device is.

    Parameters:
        cls: of the device.
        field: the size.
        units: it is in, as a programmatic unit (DSP0004 2.8, annex C).
    """
    size = attrgetter(f"device.{field.name}")

    def units_of(setting: _Setting) -> str | None:
        return None if size(setting) is None else units

    return PropertyTable(
        Property("AllocationUnits", units_of, "unit of VirtualQuantity"),
        Property("VirtualQuantityUnits", lambda setting: units_of(setting) or COUNT, "unit of VirtualQuantity"),
        Property("VirtualQuantity", size, f"domain XML {cls.field_path(field.name)}", write_other_quantity),
    )


def backend(*fields: tuple[type[Device], MappedField]) -> Property[_Setting]:
    """Declare BackendType.

    Parameters:
        fields: by class of the device, the field.
    """
    paths = paths_of(*((cls, (field,)) for cls, field in fields))
    return Property("BackendType", lambda setting: backend_type(setting.device), paths, write_backend_type)


def mode(*fields: tuple[type[Device], MappedField]) -> Property[_Setting]:
    """Declare SourceMode.

    Parameters:
        fields: by class of the device, the field.
    """
    paths = paths_of(*((cls, (field,)) for cls, field in fields))
    return Property("SourceMode", lambda setting: source_mode(setting.device), paths, write_source_mode)


def _resource_type(setting: _Setting) -> int:
    return _RESOURCE_TYPES.get(setting.device.tag, OTHER)


def _other_type(setting: _Setting) -> str | None:
    return str(setting.device.tag) if _resource_type(setting) == OTHER else None


def _visibility(setting: _Setting) -> int:
    return _PASSED_THROUGH if isinstance(setting.device, Hostdev | Redirdev) else _VIRTUALIZED


def _sub_type(setting: _Setting) -> str | None:
    device = setting.device
    if isinstance(device, UnknownDevice):
        return device.attributes.get("model") or device.attributes.get("type")
    found: str | None = getattr(device, SUB_TYPE_FIELDS.get(device.tag, "model"), None)
    return found


def _sub_type_path(cls: type[Device]) -> str | None:
    """The path in a device of the field that says which kind of it it is; None where the element has none."""
    field = DEVICE_CLASSES[cls.tag].declared().get(SUB_TYPE_FIELDS.get(cls.tag, "model"))
    return None if field is None else cls.field_path(field.name)

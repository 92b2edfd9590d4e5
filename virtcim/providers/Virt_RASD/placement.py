"""Where a device is attached: its controller, and its place there."""

from __future__ import annotations

from collections.abc import Mapping

from virtcim.libhelper.documents.domain import Controller, Disk
from virtcim.providers.deviceids import DeviceEntry

__all__ = ["address_on_parent", "controller_of", "parent_of"]

_CONTROLLER_KEYS = {
    "drive": "controller",
    "virtio-serial": "controller",
    "ccid": "controller",
    "usb": "bus",
    "pci": "bus",
}
"""The address types that name a controller, and the attribute with its index."""

_PLACE_KEYS = {"virtio-serial": "port", "ccid": "slot", "usb": "port"}
_DRIVE = ("bus", "target", "unit")
"""What together is a place on a controller of disks: two disks can have the same unit, on two buses or targets."""


def controller_of(entry: DeviceEntry) -> str | None:
    """The identifier that the controller of a resource has, be it there or not; None where it names none."""
    return entry.memo(_controller_of)


def _controller_of(entry: DeviceEntry) -> str | None:
    address = entry.device.address
    kind = address.get("type")
    index = _number(address.get(_CONTROLLER_KEYS.get(kind, ""), ""))
    if index is None:
        return None
    if kind == "drive":
        kind = entry.device.target_bus if isinstance(entry.device, Disk) else "scsi"
    return f"controller:{kind}:{index}"


def parent_of(entry: DeviceEntry, identifier: str, entries: Mapping[str, DeviceEntry]) -> str | None:
    """The identifier of the controller that a resource is attached to; None where there is none in the domain XML.

    Parameters:
        identifier: that the controller has.
        entries: all resources of the guest.
    """
    found = entries.get(identifier)
    return identifier if found is not None and isinstance(found.device, Controller) and found is not entry else None


def address_on_parent(address: Mapping[str, str]) -> str | None:
    """The place of a device on its controller.

    `2` is a port or slot, `1f.7` slot and function of a PCI device, `0:1:2` bus, target and unit of a disk.
    """
    kind = address.get("type", "")
    if kind == "drive":
        return ":".join(address.get(name, "0") for name in _DRIVE)
    if kind == "pci":
        slot, function = _number(address.get("slot", "")), _number(address.get("function", "0"))
        return None if slot is None or function is None else f"{slot:02x}.{function:x}"
    return address.get(_PLACE_KEYS.get(kind, ""))


def _number(text: str) -> int | None:
    """A number as libvirt writes it in addresses: decimal, or hexadecimal with 0x."""
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        return None

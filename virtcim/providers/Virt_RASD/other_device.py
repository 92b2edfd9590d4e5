"""Devices without a class of their own: which element a client means, and what can be said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from virtcim.libhelper.documents.domain import (
    Channel,
    Hostdev,
    MemBalloon,
    MemoryDevice,
    Panic,
    Parallel,
    Rng,
    Serial,
    Sound,
    Tpm,
    Video,
    Vsock,
    Watchdog,
)
from virtcim.providers.drafts import Draft, ValueRefusedError, kibibytes

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device
    from virtcim.providers.drafts import Surroundings

__all__ = ["finish_other", "other_class", "write_other_address", "write_other_quantity", "write_other_sub_type"]

_BY_RESOURCE_TYPE: dict[int, type[Device]] = {4: MemoryDevice, 13: Hostdev, 21: Serial, 22: Parallel, 24: Video}
_BY_NAME: dict[str, type[Device]] = {
    device.tag: device
    for device in (
        Channel,
        Hostdev,
        MemBalloon,
        MemoryDevice,
        Panic,
        Parallel,
        Rng,
        Serial,
        Sound,
        Tpm,
        Video,
        Vsock,
        Watchdog,
    )
}
_SUB_TYPE_FIELDS = {
    "video": "model_type",
    "serial": "target_type",
    "parallel": "type",
    "channel": "target_type",
    "hostdev": "type",
}
_ONLY_MADE = frozenset({"parallel", "hostdev"})
"""The elements whose kind makes them what they are."""
_PCI = re.compile(r"([0-9a-f]{1,4}):([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])", re.IGNORECASE)
_USB_PLACE = re.compile(r"(\d{1,3})\.(\d{1,3})")
_USB_PRODUCT = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_AGENT = "org.qemu.guest_agent.0"


def other_class(_around: Surroundings, given: Mapping[str, Any]) -> type[Device]:
    """The class of a new device: ResourceType, or OtherResourceType where that is Other."""
    found = _BY_RESOURCE_TYPE.get(given.get("ResourceType", 0)) or _BY_NAME.get(given.get("OtherResourceType") or "")
    if found is None:
        raise ValueRefusedError(
            "Resource type not supported on this platform",
            f"ResourceType {given.get('ResourceType')}, OtherResourceType {given.get('OtherResourceType')}",
        )
    return found


def write_other_sub_type(draft: Draft, value: str) -> None:
    """ResourceSubType."""
    tag = draft.base.tag
    field = _SUB_TYPE_FIELDS.get(tag, "model")
    if field not in draft.base.declared() or (tag in _ONLY_MADE and not draft.is_new):
        raise ValueRefusedError("ResourceSubType cannot be changed")
    draft.put(field, value or None)


def write_other_address(draft: Draft, value: str) -> None:
    """Address: what is behind the device on the host."""
    match draft.base:
        case Hostdev():
            _write_host_device(draft, value)
        case MemoryDevice():
            draft.put("source_path", value or None)
        case Serial() | Parallel() | Channel():
            if value.startswith("/") and draft.now("type") in (None, "file", "dev", "pipe"):
                draft.put("type", draft.now("type") or ("dev" if value.startswith("/dev/") else "file"))
                draft.put("source_path", value)
            else:
                raise ValueRefusedError("Address cannot be changed")
        case _:
            raise ValueRefusedError("Address: the device has none")


def write_other_quantity(draft: Draft, value: int) -> None:
    """VirtualQuantity: the size of a memory module; one of everything else."""
    if isinstance(draft.base, MemoryDevice):
        if not draft.is_new:
            raise ValueRefusedError("VirtualQuantity of a memory module cannot be changed")
        draft.put("target_size", kibibytes(draft, value, "VirtualQuantity"))
    elif value != 1:
        raise ValueRefusedError("VirtualQuantity: each device has a setting of its own")


def finish_other(draft: Draft) -> None:
    """Check a new device as a whole, and fill in what was left open."""
    match draft.base:
        case Hostdev():
            if not draft.now("source_address") and draft.now("source_vendor_id") is None:
                raise ValueRefusedError("Missing `Address' field")
        case MemoryDevice():
            if draft.now("target_size") is None:
                raise ValueRefusedError("Missing `VirtualQuantity' field in Memory RASD")
            draft.put("model", draft.now("model") or "dimm")
            if draft.around.config.cpu_numa_cells:
                draft.put("target_node", 0)
        case Serial() | Parallel():
            draft.put("type", draft.now("type") or "pty")
        case Channel():
            draft.put("type", draft.now("type") or "unix")
            draft.put("target_type", draft.now("target_type") or "virtio")
            draft.put("target_name", _AGENT)
        case Video():
            draft.put("model_type", draft.now("model_type") or "vga")
        case Rng():
            draft.put("model", draft.now("model") or "virtio")
            draft.put("backend_model", "random")
            draft.put("backend", "/dev/urandom")
        case Tpm():
            draft.put("backend_type", "emulator")
            draft.put("backend_version", "2.0")
        case Vsock():
            draft.put("model", draft.now("model") or "virtio")
            draft.put("cid_auto", True)
        case Watchdog():
            draft.put("model", draft.now("model") or "i6300esb")
            draft.put("action", "reset")
        case MemBalloon() | Sound():
            draft.put("model", draft.now("model") or ("virtio" if isinstance(draft.base, MemBalloon) else "ich9"))


def _write_host_device(draft: Draft, value: str) -> None:
    if not draft.is_new:
        raise ValueRefusedError("Address of a host device cannot be changed: remove it and add another")
    draft.put("mode", "subsystem")
    if found := _PCI.fullmatch(value):
        numbers = zip(("domain", "bus", "slot", "function"), found.groups(), strict=True)
        draft.put("type", "pci")
        draft.put("managed", True)
        draft.put("source_address", {name: f"0x{number}" for name, number in numbers})
    elif found := _USB_PLACE.fullmatch(value):
        draft.put("type", "usb")
        draft.put("source_address", {"bus": found[1], "device": found[2]})
    elif found := _USB_PRODUCT.fullmatch(value):
        draft.put("type", "usb")
        draft.put("source_vendor_id", f"0x{found[1]}")
        draft.put("source_product_id", f"0x{found[2]}")
    elif _UUID.fullmatch(value):
        draft.put("type", "mdev")
        draft.put("model", "vfio-pci")
        draft.put("source_address", {"uuid": value.lower()})
    else:
        raise ValueRefusedError(f"Address: {value} is no device of the host")

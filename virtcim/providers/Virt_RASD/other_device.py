"""Devices without a class of their own: which element a client means, and what can be said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.libhelper.agent import CHANNEL
from virtcim.libhelper.documents.domain import (
    Audio,
    Channel,
    Crypto,
    Hostdev,
    Hub,
    Iommu,
    Lease,
    MemBalloon,
    MemoryDevice,
    Nvram,
    Panic,
    Parallel,
    Pstore,
    Redirdev,
    Redirfilter,
    Rng,
    Serial,
    Shmem,
    Smartcard,
    Sound,
    Tpm,
    Video,
    Vsock,
    Watchdog,
)
from virtcim.providers.drafts import Draft, ValueRefusedError, kibibytes

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device
    from virtcim.providers.drafts import DraftContext, GivenProperties

__all__ = [
    "SUB_TYPE_FIELDS",
    "finish_other",
    "other_class",
    "other_device",
    "write_other_quantity",
    "write_other_sub_type",
]

_BY_RESOURCE_TYPE: dict[int, type[Device]] = {
    4: MemoryDevice,
    21: Serial,
    22: Parallel,
    23: Hub,
    24: Video,
}
_IO_DEVICE = 13
_SMARTCARD_MODES = frozenset({"host", "host-certificates", "passthrough"})
_BY_NAME: dict[str, type[Device]] = {
    device.tag: device
    for device in (
        Audio,
        Channel,
        Crypto,
        Hostdev,
        Hub,
        Iommu,
        Lease,
        MemBalloon,
        MemoryDevice,
        Nvram,
        Panic,
        Parallel,
        Pstore,
        Redirdev,
        Redirfilter,
        Rng,
        Serial,
        Shmem,
        Smartcard,
        Sound,
        Tpm,
        Video,
        Vsock,
        Watchdog,
    )
}
SUB_TYPE_FIELDS = {
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
    "pstore": "backend",
}
"""By XML element, the field that says which kind of it; `model` for all others."""
_WITHOUT_CELL = frozenset({"virtio-pmem", "sgx-epc"})
"""The models of memory modules that are in no NUMA cell, or need not be."""
_ONLY_MADE = frozenset({"parallel", "hostdev", "lease"})
"""The elements whose kind makes them what they are."""
_OF_A_SERVER = "ivshmem-doorbell"
"""The model of shared memory that a program of the host gives out: libvirt names its socket where nobody else does."""
_SPICE_CHANNEL = "com.redhat.spice.0"
"""The one name that libvirt takes for a channel of SPICE."""
_CHANNEL_NAMES = {"unix": CHANNEL, "spicevmc": _SPICE_CHANNEL, "qemu-vdagent": _SPICE_CHANNEL}
"""What a new channel of VirtIO is called by what is behind it, unless TargetName says it."""
_KIBIBYTE = 1024


def other_device(given: GivenProperties) -> type[Device] | None:
    """The class of the device that the values of a setting mean; None where libvirt has no such device.

    ResourceType says it, or OtherResourceType where that is Other.
    """
    return (
        _io_device(given)
        or _BY_RESOURCE_TYPE.get(given.get("ResourceType", 0))
        or _BY_NAME.get(given.get("OtherResourceType") or "")
    )


def other_class(_context: DraftContext, given: GivenProperties) -> type[Device]:
    """The class of a new device.

    Raises:
        ValueRefusedError: nothing says which one.
    """
    found = other_device(given)
    if found is None:
        raise ValueRefusedError(
            "Resource type not supported on this platform",
            f"ResourceType {given.get('ResourceType')}, OtherResourceType {given.get('OtherResourceType')}",
        )
    return found


def _io_device(given: GivenProperties) -> type[Device] | None:
    """The class of a device whose ResourceType several elements share; None for all others."""
    if given.get("ResourceType") != _IO_DEVICE:
        return None
    if given.get("ResourceSubType") in _SMARTCARD_MODES:
        return Smartcard
    return Redirdev if "BackendType" in given else Hostdev


def write_other_sub_type(draft: Draft, value: str) -> None:
    """ResourceSubType."""
    tag = draft.base.tag
    field = SUB_TYPE_FIELDS.get(tag, "model")
    if field not in draft.base.declared() or (tag in _ONLY_MADE and not draft.is_new):
        raise ValueRefusedError("ResourceSubType cannot be changed")
    draft.put(field, value or None)
    if isinstance(draft.base, Shmem) and value == _OF_A_SERVER:
        draft.put("server", True)


def write_other_quantity(draft: Draft, value: int) -> None:
    """VirtualQuantity: the size of a memory module or of shared memory; one of everything else."""
    if isinstance(draft.base, MemoryDevice):
        if not draft.is_new:
            raise ValueRefusedError("VirtualQuantity of a memory module cannot be changed")
        draft.put("target_size", kibibytes(draft, value, "VirtualQuantity"))
    elif isinstance(draft.base, Shmem):
        draft.put("size", kibibytes(draft, value, "VirtualQuantity", "byte") * _KIBIBYTE)
    elif value != 1:
        raise ValueRefusedError("VirtualQuantity: each device has a setting of its own")


def finish_other(draft: Draft) -> None:
    """Check a new device as a whole, and fill in what was left open."""
    match draft.base:
        case Hostdev():
            if draft.now("mode") is None:
                raise ValueRefusedError("Missing `Address' field")
        case MemoryDevice():
            if draft.now("target_size") is None:
                raise ValueRefusedError("Missing `VirtualQuantity' field in Memory RASD")
            draft.put("model", draft.now("model") or "dimm")
            is_flat = draft.now("model") in _WITHOUT_CELL or not draft.context.config.cpu_numa_cells
            if not is_flat and draft.now("target_node") is None:
                draft.put("target_node", 0)
        case Serial() | Parallel():
            draft.put("type", draft.now("type") or "pty")
        case Channel():
            draft.put("type", draft.now("type") or "unix")
            draft.put("target_type", draft.now("target_type") or "virtio")
            if draft.now("target_type") == "virtio" and "TargetName" not in draft.given:
                draft.put("target_name", _CHANNEL_NAMES.get(draft.now("type")))
        case Video():
            draft.put("model_type", draft.now("model_type") or "vga")
        case Rng():
            draft.put("model", draft.now("model") or "virtio")
            if draft.now("backend_model") is None:
                draft.put("backend_model", "random")
                draft.put("backend", "/dev/urandom")
        case Tpm():
            if draft.now("backend_type") in (None, "emulator"):
                draft.put("backend_type", "emulator")
                draft.put("backend_version", draft.now("backend_version") or "2.0")
        case Vsock():
            draft.put("model", draft.now("model") or "virtio")
            if draft.now("cid_address") is None:
                draft.put("cid_auto", True)
        case Watchdog():
            draft.put("model", draft.now("model") or "i6300esb")
            draft.put("action", draft.now("action") or "reset")
        case Audio():
            draft.put("type", draft.now("type") or "none")
            if draft.now("id") is None:
                taken = {each.id for each in draft.context.config.devices if isinstance(each, Audio)}
                draft.put("id", next(number for number in range(1, len(taken) + 2) if number not in taken))
        case Shmem():
            if draft.now("name") is None:
                raise ValueRefusedError("Missing `Address' field")
        case Redirdev():
            draft.put("bus", draft.now("bus") or "usb")
            draft.put("type", draft.now("type") or "spicevmc")
        case Smartcard():
            draft.put("mode", draft.now("mode") or "host")
        case Hub():
            draft.put("type", draft.now("type") or "usb")
        case Crypto():
            draft.put("model", draft.now("model") or "virtio")
            draft.put("type", draft.now("type") or "qemu")
            draft.put("backend_model", draft.now("backend_model") or "builtin")
        case Pstore():
            draft.put("backend", draft.now("backend") or "acpi-erst")
        case MemBalloon() | Sound():
            draft.put("model", draft.now("model") or ("virtio" if isinstance(draft.base, MemBalloon) else "ich9"))

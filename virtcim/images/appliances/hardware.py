"""The words of virtual hardware: what OVF calls a controller or a port, and what libvirt does.

OVF leaves the words (`ResourceSubType`) to vendors; these are the ones that VMware, VirtualBox, oVirt and COT write.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

__all__ = [
    "NOT_NEEDED",
    "Kind",
    "ResourceType",
    "adapter_model",
    "adapter_word",
    "controller_kind",
    "scsi_model",
    "scsi_word",
    "words_of",
]


class ResourceType(enum.IntEnum):
    """CIM_ResourceAllocationSettingData.ResourceType."""

    OTHER = 1
    PROCESSOR = 3
    MEMORY = 4
    IDE_CONTROLLER = 5
    SCSI_CONTROLLER = 6
    ETHERNET = 10
    FLOPPY = 14
    CD = 15
    DVD = 16
    DISK = 17
    STORAGE_CONTROLLER = 20
    SERIAL = 21
    PARALLEL = 22
    USB_CONTROLLER = 23
    GRAPHICS = 24
    LOGICAL_DISK = 31
    STORAGE_VOLUME = 32
    SOUND = 35


class Kind(enum.StrEnum):
    """What a controller is: libvirt's word for the bus behind it."""

    IDE = "ide"
    SCSI = "scsi"
    SATA = "sata"
    VIRTIO = "virtio"
    NVME = "nvme"
    OTHER = "other"


NOT_NEEDED = frozenset({
    ResourceType.SERIAL, ResourceType.PARALLEL, ResourceType.USB_CONTROLLER, ResourceType.GRAPHICS, ResourceType.SOUND,
})  # fmt: skip
"""What a guest does without, or gets from the defaults of new guests, though few appliances say that it can."""

SCSI_MODELS = {
    "lsilogic": "lsilogic",
    "buslogic": "lsilogic",
    "lsilogicsas": "lsisas1068",
    "virtualscsi": "vmpvscsi",
    "pvscsi": "vmpvscsi",
    "virtio": "virtio-scsi",
    "virtio-scsi": "virtio-scsi",
    "lsisas1078": "lsisas1078",
}
"""libvirt's models of SCSI controllers by the words for them in small letters; the first of a model is written."""

ADAPTERS = {
    "e1000": "e1000",
    "e1000e": "e1000e",
    "pcnet32": "pcnet",
    "vmxnet3": "vmxnet3",
    "virtio": "virtio",
    "virtionet": "virtio",
    "rtl8139": "rtl8139",
    "vmxnet": "pcnet",
    "vmxnet2": "e1000",
    "ne2k_pci": "ne2k_pci",
    "igb": "igb",
}
"""libvirt's models of network adapters by the words for them in small letters; the first of a model is written.

What QEMU does not have becomes the adapter that the same guests have drivers for."""

_SPELLINGS = {
    "e1000": "E1000",
    "e1000e": "E1000e",
    "pcnet32": "PCNet32",
    "vmxnet3": "VmxNet3",
    "virtualscsi": "VirtualSCSI",
}
"""How the words are spelt where that is known."""
_CONTROLLERS = {
    ResourceType.IDE_CONTROLLER: Kind.IDE,
    ResourceType.SCSI_CONTROLLER: Kind.SCSI,
}
_STORAGE = {
    "ahci": Kind.SATA,
    "sataahci": Kind.SATA,
    "sata": Kind.SATA,
    "vmware.sata.ahci": Kind.SATA,
    "nvme": Kind.NVME,
    "vmware.nvme.controller": Kind.NVME,
    "virtio": Kind.VIRTIO,
    "virtio-blk": Kind.VIRTIO,
    "virtio-scsi": Kind.SCSI,
    "virtualscsi": Kind.SCSI,
}


def words_of(text: str) -> tuple[str, ...]:
    """Split the alternatives of a ResourceSubType, in small letters."""
    return tuple(filter(None, re.split(r"[\s,]+", text.lower())))


def controller_kind(number: int, words: Iterable[str]) -> Kind | None:
    """Tell what controller an item of a type is; None for what is none.

    Parameters:
        number: the type.
        words: its alternatives.
    """
    if number == ResourceType.STORAGE_CONTROLLER:
        return next((_STORAGE[word] for word in words if word in _STORAGE), Kind.OTHER)
    kind = _CONTROLLERS.get(number)  # type: ignore[call-overload]
    # oVirt and COT have the bus of paravirtual disks as a controller of IDE.
    return Kind.VIRTIO if kind is Kind.IDE and "virtio" in words else kind


def adapter_model(words: Iterable[str]) -> str | None:
    """Choose libvirt's model of a network adapter; None where none of the alternatives is known."""
    return next((ADAPTERS[word] for word in words if word in ADAPTERS), None)


def scsi_model(words: Iterable[str]) -> str | None:
    """Choose libvirt's model of a SCSI controller; None where none of the alternatives is known."""
    return next((SCSI_MODELS[word] for word in words if word in SCSI_MODELS), None)


def adapter_word(model: str) -> str:
    """Give OVF's word for a model of a network adapter; libvirt's own where there is no other."""
    return _word(ADAPTERS, model)


def scsi_word(model: str) -> str:
    """Give OVF's word for a model of a SCSI controller; libvirt's own where there is no other."""
    return _word(SCSI_MODELS, model)


def _word(table: dict[str, str], model: str) -> str:
    word = next((word for word, known in table.items() if known == model), model)
    return _SPELLINGS.get(word, word)

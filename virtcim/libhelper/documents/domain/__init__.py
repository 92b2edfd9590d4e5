"""Domain XML to Python objects and back.

`DomainConfig.parse` reads a domain into read-only objects; `DomainDocument` edits the text of a domain in place, so
that whatever is not understood here survives.  Both follow the same declarations: one line per property, each class in
the module of its device.

Names follow the XML path: `target/@dev` is `target_dev`, `maxMemory` is `max_memory`, and a field that holds the values
of repeated elements is in the plural (`os/boot/@dev` is `os_boot_devs`).

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from virtcim.libhelper.documents.domain.chardev import Channel, Chardev, Console, Parallel, Serial
from virtcim.libhelper.documents.domain.controller import Controller
from virtcim.libhelper.documents.domain.device import Device, UnknownDevice
from virtcim.libhelper.documents.domain.disk import Disk
from virtcim.libhelper.documents.domain.document import DeviceNotFoundError, DomainDocument
from virtcim.libhelper.documents.domain.domain import DEVICE_CLASSES, DomainConfig, device_class
from virtcim.libhelper.documents.domain.filesystem import Filesystem
from virtcim.libhelper.documents.domain.graphics import Graphics
from virtcim.libhelper.documents.domain.hostdev import Hostdev
from virtcim.libhelper.documents.domain.input import Hub, Input
from virtcim.libhelper.documents.domain.interface import Interface
from virtcim.libhelper.documents.domain.iommu import Crypto, Iommu, Lease, Nvram, Pstore
from virtcim.libhelper.documents.domain.memory import MemBalloon, MemoryDevice, Shmem
from virtcim.libhelper.documents.domain.redirdev import Redirdev, Redirfilter
from virtcim.libhelper.documents.domain.rng import Rng
from virtcim.libhelper.documents.domain.smartcard import Smartcard
from virtcim.libhelper.documents.domain.sound import Audio, Sound
from virtcim.libhelper.documents.domain.tpm import Tpm
from virtcim.libhelper.documents.domain.video import Video
from virtcim.libhelper.documents.domain.vsock import Vsock
from virtcim.libhelper.documents.domain.watchdog import Panic, Watchdog
from virtcim.libhelper.xml.editing import element_text
from virtcim.libhelper.xml.mapping import FieldInfo, Mapped
from virtcim.libhelper.xml.text import MappingError, NotWellFormedError, ValueRejectedError

__all__ = [
    "DEVICE_CLASSES",
    "Audio",
    "Channel",
    "Chardev",
    "Console",
    "Controller",
    "Crypto",
    "Device",
    "DeviceNotFoundError",
    "Disk",
    "DomainConfig",
    "DomainDocument",
    "FieldInfo",
    "Filesystem",
    "Graphics",
    "Hostdev",
    "Hub",
    "Input",
    "Interface",
    "Iommu",
    "Lease",
    "Mapped",
    "MappingError",
    "MemBalloon",
    "MemoryDevice",
    "NotWellFormedError",
    "Nvram",
    "Panic",
    "Parallel",
    "Pstore",
    "Redirdev",
    "Redirfilter",
    "Rng",
    "Serial",
    "Shmem",
    "Smartcard",
    "Sound",
    "Tpm",
    "UnknownDevice",
    "ValueRejectedError",
    "Video",
    "Vsock",
    "Watchdog",
    "device_class",
    "element_text",
]

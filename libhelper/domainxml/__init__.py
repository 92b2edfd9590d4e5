"""Domain XML to Python objects and back.

`DomainConfig.parse` reads a domain into read-only objects; `DomainDocument` edits the text of a domain in place, so
that whatever is not understood here survives.  Both follow the same declarations: one line per property, each class in
the module of its device.

Names follow the XML path: `target/@dev` is `target_dev`, `maxMemory` is `max_memory`, and a field that holds the values
of repeated elements is in the plural (`os/boot/@dev` is `os_boot_devs`).

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from libhelper.domainxml.chardev import Channel, Chardev, Console, Parallel, Serial
from libhelper.domainxml.controller import Controller
from libhelper.domainxml.device import Device, UnknownDevice
from libhelper.domainxml.disk import Disk
from libhelper.domainxml.document import DeviceNotFoundError, DomainDocument, element_text
from libhelper.domainxml.domain import DEVICE_CLASSES, DomainConfig, device_class
from libhelper.domainxml.filesystem import Filesystem
from libhelper.domainxml.graphics import Graphics
from libhelper.domainxml.hostdev import Hostdev
from libhelper.domainxml.input import Hub, Input
from libhelper.domainxml.interface import Interface
from libhelper.domainxml.iommu import Iommu, Lease, Nvram
from libhelper.domainxml.mapping import FieldInfo, Mapped
from libhelper.domainxml.memory import MemBalloon, MemoryDevice, Shmem
from libhelper.domainxml.redirdev import Redirdev, Redirfilter
from libhelper.domainxml.rng import Rng
from libhelper.domainxml.smartcard import Smartcard
from libhelper.domainxml.sound import Audio, Sound
from libhelper.domainxml.tpm import Tpm
from libhelper.domainxml.video import Video
from libhelper.domainxml.vsock import Vsock
from libhelper.domainxml.watchdog import Panic, Watchdog
from libhelper.domainxml.xmltext import MappingError, NotWellFormedError, ValueRejectedError

__all__ = [
    "DEVICE_CLASSES",
    "Audio",
    "Channel",
    "Chardev",
    "Console",
    "Controller",
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

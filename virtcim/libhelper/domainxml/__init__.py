"""Domain XML to Python objects and back.

`DomainConfig.parse` reads a domain into read-only objects; `DomainDocument` edits the text of a domain in place, so
that whatever is not understood here survives.  Both follow the same declarations: one line per property, each class in
the module of its device.

Names follow the XML path: `target/@dev` is `target_dev`, `maxMemory` is `max_memory`, and a field that holds the values
of repeated elements is in the plural (`os/boot/@dev` is `os_boot_devs`).

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from virtcim.libhelper.domainxml.chardev import Channel, Chardev, Console, Parallel, Serial
from virtcim.libhelper.domainxml.controller import Controller
from virtcim.libhelper.domainxml.device import Device, UnknownDevice
from virtcim.libhelper.domainxml.disk import Disk
from virtcim.libhelper.domainxml.document import DeviceNotFoundError, DomainDocument, element_text
from virtcim.libhelper.domainxml.domain import DEVICE_CLASSES, DomainConfig, device_class
from virtcim.libhelper.domainxml.filesystem import Filesystem
from virtcim.libhelper.domainxml.graphics import Graphics
from virtcim.libhelper.domainxml.hostdev import Hostdev
from virtcim.libhelper.domainxml.input import Hub, Input
from virtcim.libhelper.domainxml.interface import Interface
from virtcim.libhelper.domainxml.iommu import Iommu, Lease, Nvram
from virtcim.libhelper.domainxml.mapping import FieldInfo, Mapped
from virtcim.libhelper.domainxml.memory import MemBalloon, MemoryDevice, Shmem
from virtcim.libhelper.domainxml.redirdev import Redirdev, Redirfilter
from virtcim.libhelper.domainxml.rng import Rng
from virtcim.libhelper.domainxml.smartcard import Smartcard
from virtcim.libhelper.domainxml.sound import Audio, Sound
from virtcim.libhelper.domainxml.tpm import Tpm
from virtcim.libhelper.domainxml.video import Video
from virtcim.libhelper.domainxml.vsock import Vsock
from virtcim.libhelper.domainxml.watchdog import Panic, Watchdog
from virtcim.libhelper.domainxml.xmltext import MappingError, NotWellFormedError, ValueRejectedError

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

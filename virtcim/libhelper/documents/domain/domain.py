"""`DomainConfig`: a whole domain as libvirt describes it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Self

from lxml import etree

from virtcim.libhelper.documents.domain.alike import AlikeParts, Outline, outline_of
from virtcim.libhelper.documents.domain.chardev import Channel, Console, Parallel, Serial
from virtcim.libhelper.documents.domain.controller import Controller
from virtcim.libhelper.documents.domain.device import Device, SecurityLabel, UnknownDevice
from virtcim.libhelper.documents.domain.disk import Disk
from virtcim.libhelper.documents.domain.filesystem import Filesystem
from virtcim.libhelper.documents.domain.forms import DeviceForms
from virtcim.libhelper.documents.domain.graphics import Graphics
from virtcim.libhelper.documents.domain.guest import (
    BlockTune,
    Boot,
    Clock,
    Cpu,
    CpuTune,
    Features,
    IdMap,
    LifecycleActions,
    Memory,
    MemoryTune,
    NumaTune,
    Perf,
    Processors,
    Sysinfo,
)
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
from virtcim.libhelper.xml.mapping import Field, Flag, Int, Items, Mapped, Node, OnOff, Own, Replacement, Text, YesNo
from virtcim.libhelper.xml.text import parse_xml

__all__ = ["DEVICE_CLASSES", "DomainConfig", "device_class"]

_TAG = re.compile(r"\s*<([A-Za-z][\w.-]*)")

#: The device classes by element name, in the order in which libvirt writes devices.
DEVICE_CLASSES: dict[str, type[Device]] = {
    cls.tag: cls
    for cls in (
        Disk,
        Controller,
        Lease,
        Filesystem,
        Interface,
        Smartcard,
        Serial,
        Parallel,
        Console,
        Channel,
        Input,
        Tpm,
        Graphics,
        Sound,
        Audio,
        Video,
        Hostdev,
        Redirdev,
        Redirfilter,
        Hub,
        Watchdog,
        MemBalloon,
        Rng,
        Nvram,
        Panic,
        Shmem,
        MemoryDevice,
        Iommu,
        Vsock,
        Crypto,
        Pstore,
    )
}


def device_class(tag: str) -> type[Device]:
    """The class of a device element; `UnknownDevice` where there is none."""
    return DEVICE_CLASSES.get(tag, UnknownDevice)


class Devices(Field[tuple[Device, ...]]):
    """The devices in document order.  Not writable as a whole: see `DomainDocument`."""

    type_name = "tuple[Device]"
    default = ()
    many = True

    def __init__(self) -> None:
        super().__init__("devices", writable=False)

    def read_element(self, element: etree._Element) -> tuple[Device, ...]:
        return tuple(map(_read_device, device_elements(element)))

    def compile_into(self, root: Node) -> None:
        node = root.child(self.steps[0])
        node.values.append((self.name, self.read_element))
        for tag in DEVICE_CLASSES:
            node.children.setdefault(tag, Node())


def _read_device(element: etree._Element) -> Device:
    """Read a device of whatever kind from its element."""
    return device_class(str(element.tag)).from_element(element)


_ALIKE_DEVICES = AlikeParts(lambda text: _read_device(parse_xml(text)).keep())
_DEVICE_FORMS = DeviceForms(device_class)


def device_elements(devices: etree._Element) -> list[Any]:
    """The children of `<devices>` that are devices."""
    return [child for child in devices if isinstance(child.tag, str) and child.tag != "emulator"]


class Resource(Mapped):
    """`<resource>`."""

    resource_partition = Text("resource/partition")
    resource_fibrechannel_appid = Text("resource/fibrechannel/@appid")


class KeyCipher(Mapped):
    """A `<cipher>` of `<keywrap>`: whether a guest on a mainframe may have its keys wrapped for it."""

    tag = "cipher"
    name = Text("@name")
    state = OnOff("@state")


class DevicesAndSecurity(Mapped):
    """`<devices>` and what stands after it: `<seclabel>`, `<keywrap>`, `<launchSecurity>`."""

    emulator = Text("devices/emulator")
    devices = Devices()
    seclabels = Items("seclabel", SecurityLabel)
    keywrap_ciphers = Items("keywrap/cipher", KeyCipher)
    launch_security_type = Text("launchSecurity/@type")
    launch_security_kernel_hashes = YesNo("launchSecurity/@kernelHashes")
    launch_security_cbitpos = Int("launchSecurity/cbitpos")
    launch_security_reduced_phys_bits = Int("launchSecurity/reducedPhysBits")
    launch_security_policy = Text("launchSecurity/policy")


class DomainConfig(
    Memory,
    BlockTune,
    MemoryTune,
    Processors,
    CpuTune,
    NumaTune,
    Resource,
    Sysinfo,
    Boot,
    IdMap,
    Features,
    Cpu,
    Clock,
    LifecycleActions,
    Perf,
    DevicesAndSecurity,
):
    """A domain: everything that `<domain>` holds, with its devices.

    Sizes of memory are in KiB.  `vcpu` is the greatest number of processors, `vcpu_current` the number the guest has,
    which is the same when the document does not tell; likewise `memory` and `current_memory`.
    """

    tag = "domain"
    replacements = (
        *Boot.replacements,
        *Cpu.replacements,
        *Processors.replacements,
        *NumaTune.replacements,
        # An emulator is one of an architecture; libvirt puts that of the new one in its place.
        Replacement(fields=("os_type_arch",), takes=("devices/emulator",)),
    )
    never_empty = ("cpu/numa/interconnects", "cpu/numa", "cputune/emulatorpin", "cputune/emulatorsched")
    type = Text("@type")
    id = Int("@id", writable=False)
    name = Own("name")
    uuid = Own("uuid")
    genid = Own("genid")
    title = Own("title")
    description = Own("description")
    metadata = Flag("metadata")

    @classmethod
    def parse(cls, xml: str | bytes) -> Self:
        outline = outline_of(xml) if isinstance(xml, str) else None
        parsed = None if outline is None else cls._parsed_in_parts(outline)
        return super().parse(xml) if parsed is None else parsed

    @classmethod
    def _parsed_in_parts(cls, outline: Outline) -> Self | None:
        """Read a domain with what others have alike; None where it has nothing of it."""
        owner = outline.owner
        middle = _ALIKE_MIDDLES.get(outline.middle, owner)
        # Two devices of one guest are two, however alike they are.
        repeated = _repeated(outline.devices)
        known = [
            (None if text in repeated else _ALIKE_DEVICES.get(text, owner)) or _DEVICE_FORMS.get(text, owner)
            for text in outline.devices
        ]
        own = [text for text, device in zip(outline.devices, known, strict=True) if device is None]
        if middle is None and len(own) == len(known):
            return None
        rest = super().parse(outline.text(own, has_middle=middle is None)).as_dict()
        read = rest.get("devices")
        if read is None or [device.tag for device in read] != list(map(_tag_of, own)):
            return None
        following = iter(read)
        rest["devices"] = tuple([next(following) if device is None else device for device in known])
        if middle is None:
            return cls._of(rest)
        if not rest.keys().isdisjoint(middle):
            return None
        names = list(rest)
        values = {name: rest[name] for name in names[: names.index("devices")]}
        values.update(middle)
        values.update(rest)
        return cls._of(values)


def _repeated(texts: Sequence[str]) -> Collection[str]:
    """The texts that are there more than once."""
    if len(set(texts)) == len(texts):
        return ()
    return {text for text, count in Counter(texts).items() if count > 1}


def _tag_of(text: str) -> str:
    """The name of the element that the text of a device begins with."""
    found = _TAG.match(text)
    return "" if found is None else found[1]


def _read_middle(text: str) -> dict[str, Any]:
    """Read what stands between the metadata and the devices of a domain."""
    return DomainConfig.from_element(parse_xml(f"<domain>{text}</domain>")).as_dict()


_ALIKE_MIDDLES = AlikeParts(_read_middle)

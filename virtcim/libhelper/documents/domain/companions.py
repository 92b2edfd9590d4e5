"""What comes and goes with a device of a domain, as libvirt has it.

- The first console of a PC is its first serial port under another name: libvirt writes both and takes the serial
  port's word (`virDomainDefAddConsoleCompat`), so they are changed and removed together.
- libvirt gives every guest a memory balloon that does not say that it wants none.
- With a SPICE display libvirt adds what plays sound through it (`<audio type='spice'/>`), which it does not take
  without one.
- libvirt gives every guest the buses of its machine, and every device a place on one of them.

Layer rule: imports its siblings; knows nothing of CIM.
"""

from __future__ import annotations

from collections.abc import Iterator

from virtcim.libhelper.documents.domain.chardev import Console, Serial
from virtcim.libhelper.documents.domain.controller import Controller
from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.documents.domain.disk import Disk
from virtcim.libhelper.documents.domain.document import DomainDocument
from virtcim.libhelper.documents.domain.domain import DomainConfig
from virtcim.libhelper.documents.domain.graphics import Graphics
from virtcim.libhelper.documents.domain.memory import MemBalloon
from virtcim.libhelper.documents.domain.sound import Audio, Sound

__all__ = ["has_spice", "make_room", "remove_device", "settle_audio", "settle_buses", "spellings_of", "twin_of"]

_OF_SPICE = "spice"
_ROOTS = {"pc-q35": "pcie", "q35": "pcie", "virt": "pcie", "pc": "pci", "isapc": "isa"}
"""The bus that all others of a machine are on, by what its name begins with, the first that fits; the rest of it is its
version."""


def twin_of(config: DomainConfig, device: Device) -> Device | None:
    """The first serial port for the first console that is the same, and the reverse; None where there is none.

    Parameters:
        config: the domain.
        device: one of its devices.
    """
    console = next((each for each in config.devices if isinstance(each, Console)), None)
    serial = next((each for each in config.devices if isinstance(each, Serial)), None)
    if console is None or serial is None or config.os_type != "hvm" or console.target_type not in (None, "serial"):
        return None
    if device is console:
        return serial
    return console if device is serial else None


def spellings_of(xml: str) -> Iterator[str]:
    """Write a definition in each way from which libvirt may have made it.

    libvirt does not always make of a definition of its own what that says: it counts the ports of the consoles that it
    reads, and puts the one that is the first serial port before them only then.

    Parameters:
        xml: the definition as libvirt shows it.

    Returns:
        first the definition as it is; then the same without that console, where it has one and others.
    """
    yield xml
    document = DomainDocument(xml)
    consoles = [each for each in document.devices if isinstance(each, Console)]
    if len(consoles) > 1 and twin_of(document.config, consoles[0]) is not None:
        document.remove_device(consoles[0])
        yield document.tostring()


def remove_device(document: DomainDocument, device: Device) -> list[Device]:
    """Remove a device with what goes with it, so that libvirt does not put it back.

    Returns:
        the devices that are removed.
    """
    if isinstance(device, MemBalloon) and document.config.type in ("kvm", "qemu"):
        document.remove_device(device)
        document.add_device(f"<{device.tag} model='none'/>")
        return []
    twin = twin_of(document.config, device)
    removed = [device] if twin is None else [device, twin]
    for each in removed:
        document.remove_device(each)
    return removed


def make_room(document: DomainDocument, device_class: type[Device]) -> None:
    """Remove what says that a domain has no such device, before it gets one."""
    if device_class is MemBalloon:
        for device in document.devices:
            if isinstance(device, MemBalloon) and device.model == "none":
                document.remove_device(device)


def has_spice(config: DomainConfig) -> bool:
    """Whether a domain has a SPICE display."""
    return any(isinstance(each, Graphics) and each.type == _OF_SPICE for each in config.devices)


def settle_audio(document: DomainDocument) -> list[Audio]:
    """Have nothing play sound through SPICE in a domain that has no SPICE display.

    What a sound card names stays, silent.

    Returns:
        what played through it.
    """
    config = document.config
    if has_spice(config):
        return []
    used = {each.audio_id for each in config.devices if isinstance(each, Sound | Graphics)}
    settled = [each for each in config.devices if isinstance(each, Audio) and each.type == _OF_SPICE]
    for audio in settled:
        document.remove_device(audio)
        if audio.id in used:
            document.add_device(Audio, {"id": audio.id, "type": "none"})
    return settled


def settle_buses(document: DomainDocument, before: DomainConfig) -> None:
    """Take out the buses of the old machine, and the places on them, where a guest got one that has others.

    What stands on a bus that the new machine does not have is for whoever asked to move first: libvirt refuses it.

    Parameters:
        document: with the new machine in it.
        before: the domain as it was.
    """
    now = document.config
    roots = {_root_of(before), _root_of(now)}
    if len(roots) == 1 or None in roots:
        return
    buses_of_disks = {each.target_bus for each in now.devices if isinstance(each, Disk)}
    for device in now.devices:
        if isinstance(device, Controller) and (
            device.type == "pci" or (device.type == "ide" and device.type not in buses_of_disks)
        ):
            document.remove_device(device)
    for device in document.devices:
        if device.address.get("type") == "pci":
            document.set(device, {"address": None})


def _root_of(config: DomainConfig) -> str | None:
    """The kind of bus that all others are on; None for a machine of which that is not known."""
    machine = f"{config.os_type_machine or ''}-"
    return next((root for name, root in _ROOTS.items() if machine.startswith(f"{name}-")), None)

"""The resources of a guest, and the one place where their identifiers come from.

A device and its setting data share an identifier; `DeviceID` and `InstanceID` are `<guest>/<identifier>`.  It is
libvirt-cim's where that had one (`vda`, a MAC address, `mem`, `proc`, `vnc`, `sdl:<display>`, `console:<port>`,
`charconsole:<port>`, `mouse:ps2`, `controller:scsi:0`); devices that it did not know are named likewise.  Two
devices that would have the same identifier are told apart by `#2`, `#3`, ... in the order of the domain XML.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtcim.libhelper.documents import domain as domainxml

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device, DomainConfig

__all__ = ["MEMORY_ID", "PROCESSOR_ID", "DeviceEntry", "Kind", "device_entries", "kinds_of"]

MEMORY_ID = "mem"
PROCESSOR_ID = "proc"


class Kind(enum.Enum):
    """What kind of resource: each kind of libvirt-cim has classes of its own, all others are `OTHER`."""

    NETWORK = enum.auto()
    DISK = enum.auto()
    MEMORY = enum.auto()
    PROCESSOR = enum.auto()
    GRAPHICS = enum.auto()
    INPUT = enum.auto()
    CONSOLE = enum.auto()
    CONTROLLER = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One resource of a guest.

    Attributes:
        kind: what it is.
        identifier: unique in the guest.
        device: its part of the domain XML; the whole for the memory and the processors.
        ordinal: its place among the devices of the same XML element, from 0.
    """

    kind: Kind
    identifier: str
    device: Any
    ordinal: int


def device_entries(config: DomainConfig, is_taken: Callable[[str], bool]) -> dict[str, DeviceEntry]:
    """The resources of a configuration by identifier, in libvirt-cim's order of kinds.

    Parameters:
        config: the domain XML.
        is_taken: tells whether an identifier is in use already, outside of this guest.
    """
    entries: dict[str, DeviceEntry] = {}
    for kind, wanted, device, ordinal in _candidates(config):
        identifier = wanted
        number = 1
        while identifier in entries or is_taken(identifier):
            number += 1
            identifier = f"{wanted}#{number}"
        entries[identifier] = DeviceEntry(kind, identifier, device, ordinal)
    return dict(sorted(entries.items(), key=lambda item: _ORDER[item[1].kind]))


_ORDER = {kind: place for place, kind in enumerate(Kind)}

_NO_DEVICES = frozenset({"redirfilter"})
"""Elements beside the devices that say how the host serves other devices, and stand for nothing of their own."""

_Candidate = tuple[Kind, str, Any, int]


def _candidates(config: DomainConfig) -> Iterator[_Candidate]:
    yield Kind.MEMORY, MEMORY_ID, config, 0
    yield Kind.PROCESSOR, PROCESSOR_ID, config, 0
    ordinals: dict[str, int] = {}
    for device in config.devices:
        if device.tag in _NO_DEVICES or (isinstance(device, domainxml.MemBalloon) and device.model == "none"):
            continue
        ordinal = ordinals.get(device.tag, 0)
        ordinals[device.tag] = ordinal + 1
        yield from _named(device, ordinal)


def _named(device: Device, ordinal: int) -> Iterable[_Candidate]:
    """One device, as the kinds under which it is shown: a pty console is also listed as graphics."""
    match device:
        case domainxml.Disk():
            yield Kind.DISK, device.target_dev or f"disk:{ordinal}", device, ordinal
        case domainxml.Filesystem():
            yield Kind.DISK, device.target_dir or f"filesystem:{ordinal}", device, ordinal
        case domainxml.Interface():
            yield Kind.NETWORK, device.mac_address or f"interface:{ordinal}", device, ordinal
        case domainxml.Graphics():
            display = f":{device.display}" if device.type == "sdl" and device.display else ""
            yield Kind.GRAPHICS, f"{device.type or 'graphics'}{display}", device, ordinal
        case domainxml.Console():
            port = ordinal if device.target_port is None else device.target_port
            yield Kind.CONSOLE, f"charconsole:{port}", device, ordinal
            if device.type == "pty":
                yield Kind.GRAPHICS, f"console:{port}", device, ordinal
        case domainxml.Input():
            place = device.bus or device.source_dev or ordinal
            yield Kind.INPUT, f"{device.type}:{place}", device, ordinal
        case domainxml.Controller():
            index = ordinal if device.index is None else device.index
            yield Kind.CONTROLLER, f"controller:{device.type}:{index}", device, ordinal
        case _:
            yield Kind.OTHER, f"{device.tag}:{_other_name(device, ordinal)}", device, ordinal


def kinds_of(device: Device) -> list[Kind]:
    """The kinds under which a device is shown."""
    return [kind for kind, *_ in _named(device, 0)]


def _other_name(device: Device, ordinal: int) -> str:
    """What tells a device from others of its element: the name or port that it has, else its place."""
    own: str | int | None
    match device:
        case domainxml.Channel():
            own = device.target_name
        case domainxml.Serial() | domainxml.Parallel():
            own = device.target_port
        case domainxml.Audio():
            own = device.id
        case _:
            own = None
    return str(ordinal if own is None else own)

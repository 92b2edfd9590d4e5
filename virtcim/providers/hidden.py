"""What the XML of a domain says of its devices and no property shows, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache

__all__ = ["HIDDEN", "hidden_because"]

HIDDEN: Mapping[str, str] = {
    "*/seclabel*": "the security driver of the host is the business of the host, not of who manages guests",
    "*/alias*": "a name that libvirt gives to a running device, or others to any; identifiers here last longer",
    "*/address/zpci/*": "numbers of a mainframe's PCI bus; libvirt chooses them",
    "*/@unit": "read together with the number that it belongs to",
    "*/@units": "read together with the number that it belongs to",
    "*/privateData": "libvirt's own notes in its status files; never part of what it shows",
    "*/source/cookies*": "a secret that logs in to a web server; never read",
    "emulator": "the program of the whole guest: `Emulator` of the virtual system's setting data",
    "disk/backingStore*": "the images below the first one; what they are is said by the images themselves",
    "disk/source/dataStore*": "where an image has its data beside it; the image itself says so",
    "disk/mirror*": "a copy under way: a job of the hypervisor, gone when it ends",
    "disk/source/@type": "the form of what `Address` names",
    "disk/source/@index": "a number that libvirt gives to an image of a running guest",
    "disk/source/@fdgroup": "open files that were handed to libvirt; they cannot be named from outside",
    "disk/source/reservations/source/*": "the form of the socket that `ReservationsSocket` names",
    "disk/source/reconnect/@enabled": "follows from `ReconnectTimeout`",
    "disk/*encryption/cipher*": "how an image is encrypted; its header says it again",
    "disk/*encryption/ivgen*": "how an image is encrypted; its header says it again",
    "interface/bandwidth/@classID": "a number that libvirt gives to the traffic of a running guest",
    "interface/bandwidth/outbound/@floor": "the schema has it, and libvirt refuses it",
    "interface/mac/@currentAddress": "what the guest calls the interface now; `Address` is what it was given",
    "interface/source/@portid": "a number that libvirt gives to the port of a running guest",
    "interface/source/@missing": "what libvirt notes where a device is gone",
    "interface/source/@type": "the form of the socket that `HostResource` names",
    "interface/source/vendor/*": "the schema has it, and libvirt reads it of host devices only",
    "interface/source/product/*": "the schema has it, and libvirt reads it of host devices only",
    "interface/ip/@family": "the form of the address says it",
    "interface/guest/@actual": "what a container calls the interface now; `GuestDevice` is what was configured",
    "hostdev/@mode": "follows from what `Address` names",
    "hostdev/source/@missing": "what libvirt notes where a device is gone",
    "hostdev/source/adapter*": "the schema has it of storage pools; of host devices libvirt reads the name only",
    "controller/target/@chassisNr": "the place of a bridge; libvirt chooses it",
    "controller/target/@chassis": "the place of a bridge; libvirt chooses it",
    "controller/target/@port": "the place of a bridge; libvirt chooses it",
    "controller/target/@busNr": "the place of a bridge; libvirt chooses it",
    "controller/target/@index": "the place of a bridge; libvirt chooses it",
    "graphics/@autoport": "follows from the port -1 of `Address`",
    "*/boot/@order": "guests start from disks, interfaces and devices of the host",
    "graphics/address": "a display has no place on a bus",
    "lease/address": "a lease has no place on a bus",
    "lease/acpi/*": "a lease has no place on a bus",
    "lease/boot/*": "a lease has no place on a bus",
    "console/target/@port": "part of the identifier",
    "rng/backend/source/@[cms][hal][aas]*": "a kind of source that no generator of random numbers has",
    "*/@tty": "the same as the path of its source",
    "*/target/model/*": "the emulator's name of the device; it follows from the type of the target",
    "channel/target/@state": "what the guest does with the channel; it is not configured",
    "parallel/target/@type": "the schema has it, and libvirt does not read it",
    "smartcard/target*": "the schema has it, and libvirt does not read it",
    "tpm/backend/source/@*": "the form of the socket that `Address` names",
    "shmem/server": "follows from `ResourceSubType`: one model has it, and the other one cannot",
    "memory/uuid": "what identifies a module to its hardware",
}
"""Why a path is not shown, by pattern; the first one that fits counts."""


def hidden_because(path: str) -> str | None:
    """Why a path is not shown; None where no reason is declared."""
    candidates = _patterns_of(path.partition("/")[0])
    return next((HIDDEN[pattern] for pattern in candidates if fnmatchcase(path, pattern)), None)


@cache
def _patterns_of(tag: str) -> tuple[str, ...]:
    """The patterns that can fit a path of an element."""
    return tuple(pattern for pattern in HIDDEN if fnmatchcase(tag, pattern.partition("/")[0]))

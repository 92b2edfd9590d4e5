"""The page of the devices: each element and attribute that libvirt knows, and what shows it, or why nothing does.

What is mapped comes from `libhelper`, what is shown from the sources that the tables of the settings and devices name.
A test holds the page against libvirt's own schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from virtcim.libhelper.documents.domain import DEVICE_CLASSES
from virtcim.libhelper.xml.mapping import Children, Field, Items, Mapped
from virtcim.providers.deviceids import DeviceKind, kinds_of
from virtcim.providers.kinds import KINDS
from virtcim.providers.properties import PropertyTable

__all__ = ["HIDDEN", "document_devices", "hidden_because", "mapped_paths", "shown_as", "shown_paths", "unexplained"]

_INTRODUCTION = """\
# The devices

Written by `make docs`; a test holds it against libvirt's schema (`domaincommon.rng`).

What the XML of a domain can say of its devices, and the property that shows it. Paths begin below `<devices>`; where a
path is shown, so is what stands below it. Properties without a class belong to the setting data of the device, whose
class the head of the table names; [classes.md](classes.md) tells their types and which ones can be written.

What is not shown is kept: domain XML is edited in place, and only what belongs to a thing that goes goes with it.
"""

HIDDEN: Mapping[str, str] = {
    "*/seclabel*": "the security driver of the host is the business of the host, not of who manages guests",
    "*/alias*": "a name that libvirt gives to a running device; identifiers here last longer",
    "*/acpi/*": "the number that the guest's firmware calls the device by; libvirt chooses it",
    "*/address/zpci/*": "numbers of a mainframe's PCI bus; libvirt chooses them",
    "*/boot/@loadparm": "a parameter of a mainframe's loader",
    "*/driver/@iommu": "tuning of a virtio device: no manager depends on it",
    "*/driver/@ats": "tuning of a virtio device: no manager depends on it",
    "*/driver/@packed": "tuning of a virtio device: no manager depends on it",
    "*/driver/@page_per_vq": "tuning of a virtio device: no manager depends on it",
    "*/driver/@ioeventfd": "tuning of the emulator: no manager depends on it",
    "*/driver/@event_idx": "tuning of the emulator: no manager depends on it",
    "*/driver/@queue_size": "tuning of the emulator: no manager depends on it",
    "*/@unit": "read together with the number that it belongs to",
    "*/@units": "read together with the number that it belongs to",
    "*/privateData": "libvirt's own notes in its status files; never part of what it shows",
    "*/source/cookies*": "a secret that logs in to a web server; never read",
    "emulator": "the program of the whole guest: `Emulator` of the virtual system's setting data",
    "redirfilter*": "a rule on which USB devices a client may bring along; no device of its own",
    "disk/backingStore*": "the images below the first one; what they are is said by the images themselves",
    "disk/mirror*": "a copy under way: a job of the hypervisor, gone when it ends",
    "disk/geometry*": "the cylinders that old firmware counts in",
    "disk/backenddomain*": "the domain that drives the disk of a Xen guest",
    "rng/backend/@type": "the scheme of `Address`",
    "disk/source/@type": "the form of what `Address` names",
    "disk/source/@index": "a number that libvirt gives to an image of a running guest",
    "disk/source/@fdgroup": "open files that were handed to libvirt; they cannot be named from outside",
    "disk/source/@mode": "how a LUN of an iSCSI pool is reached; libvirt chooses it",
    "disk/source/@managed": "whether libvirt takes an NVMe disk from the host; it has to",
    "disk/source/slices*": "a part of an image, for who lays out images",
    "disk/source/reservations/source/*": "the form of the socket that `ReservationsSocket` names",
    "disk/source/reconnect/@enabled": "follows from `ReconnectTimeout`",
    "disk/*encryption/@engine": "which library decrypts; libvirt chooses it",
    "disk/*encryption/secret/@usage": "the same secret as `EncryptionSecret`, found in another way",
    "disk/*encryption/cipher*": "how an image is encrypted; its header says it again",
    "disk/*encryption/ivgen*": "how an image is encrypted; its header says it again",
    "disk/driver/metadata_cache*": "tuning of the emulator: no manager depends on it",
    "disk/target/@tray": "moved by the guest; it is not configured",
    "disk/transient/@shareBacking": "tuning of a transient disk",
    "filesystem/binary*": "the program that serves the directory, and how it does; libvirt chooses it",
    "filesystem/driver/@queue": "tuning of a virtio device: no manager depends on it",
    "filesystem/driver/@name": "tuning of a virtio device: no manager depends on it",
    "interface/bandwidth/@classID": "a number that libvirt gives to the traffic of a running guest",
    "interface/bandwidth/outbound/@floor": "the schema has it, and libvirt refuses it",
    "interface/mac/@type": "whether VMware made the address",
    "interface/mac/@check": "whether VMware checks the address",
    "interface/source/@portid": "a number that libvirt gives to the port of a running guest",
    "interface/source/@macTableManager": "how the bridge learns addresses; set where the bridge is",
    "interface/source/@missing": "what libvirt notes where a device is gone",
    "interface/source/@switchid": "a distributed switch of VMware",
    "interface/source/@portgroupid": "a distributed switch of VMware",
    "interface/source/@connectionid": "a distributed switch of VMware",
    "interface/source/@type": "the form of the socket that `HostResource` names",
    "interface/source/vendor/*": "the schema has it, and libvirt reads it of host devices only",
    "interface/source/product/*": "the schema has it, and libvirt reads it of host devices only",
    "interface/source/reconnect*": "tuning of the socket that `HostResource` names",
    "interface/source/ip*": "an address of the host's end of a device that libvirt makes",
    "interface/source/route*": "a route of the host's end of a device that libvirt makes",
    "interface/route*": "set where addresses of containers are planned, together with the network",
    "interface/ip/@family": "the form of the address says it",
    "interface/ip/@peer": "the other end of a point-to-point address of a container",
    "interface/downscript*": "undoes what `Script` did",
    "interface/backenddomain*": "the domain that drives the interface of a Xen guest",
    "interface/target/@managed": "whether libvirt makes the device that `VirtualDevice` names",
    "interface/guest/@actual": "what a container calls the interface now; `GuestDevice` is what was configured",
    "interface/driver/@txmode": "tuning of the emulator: no manager depends on it",
    "interface/driver/@*_queue_size": "tuning of the emulator: no manager depends on it",
    "interface/driver/@rss*": "tuning of the emulator: no manager depends on it",
    "interface/driver/host*": "tuning of the emulator: no manager depends on it",
    "interface/driver/guest*": "tuning of the emulator: no manager depends on it",
    "interface/backend/@tap": "device nodes of the host that libvirt finds",
    "interface/backend/@vhost": "device nodes of the host that libvirt finds",
    "interface/backend/@logFile": "a log of the program that serves the interface",
    "interface/portForward*": "ports of the host that lead into the guest, of interfaces of type user with passt",
    "interface/tune*": "tuning of the emulator: no manager depends on it",
    "interface/coalesce*": "tuning of the emulator: no manager depends on it",
    "interface/rom*": "the program that a guest can be started by; the device brings its own",
    "hostdev/rom*": "the program that a guest can be started by; the device brings its own",
    "hostdev/@mode": "follows from what `Address` names",
    "hostdev/@sgio": "which SCSI commands pass, an answer of the host's security",
    "hostdev/@rawio": "which SCSI commands pass, an answer of the host's security",
    "hostdev/@display": "whether a mediated device of graphics draws the console",
    "hostdev/@ramfb": "whether a mediated device of graphics draws the console before the guest's driver does",
    "hostdev/@model": "how a mediated device is driven; `Address` and `ResourceSubType` tell which device it is",
    "hostdev/readonly": "a property of the LUN that is given",
    "hostdev/shareable": "a property of the LUN that is given",
    "hostdev/teaming*": "the team of a network device; interfaces of type hostdev are the usual form",
    "hostdev/ip*": "an address of a container's own network device",
    "hostdev/route*": "a route of a container's own network device",
    "hostdev/source/@startupPolicy": "what happens when a USB device is missing",
    "hostdev/source/@writeFiltering": "which writes pass to a PCI device of Xen",
    "hostdev/source/@guestReset": "whether a guest can reset a USB device",
    "hostdev/source/@missing": "what libvirt notes where a device is gone",
    "hostdev/source/adapter*": "the schema has it of storage pools; of host devices libvirt reads the name only",
    "controller/@maxGrantFrames": "tuning of Xen's bus",
    "controller/@maxEventChannels": "tuning of Xen's bus",
    "controller/model/*": "the emulator's name of a bridge; libvirt chooses it",
    "controller/driver/*": "tuning of the emulator: no manager depends on it",
    "controller/master/*": "which of the parts of one USB controller it is; libvirt chooses it",
    "controller/target*": "the place of a bridge; libvirt chooses it",
    "controller/pcihole64*": "the address space of a bridge; libvirt chooses it",
    "graphics/image/*": "how pictures are packed; the client chooses as well",
    "graphics/jpeg/*": "how pictures are packed; the client chooses as well",
    "graphics/zlib/*": "how pictures are packed; the client chooses as well",
    "graphics/playback/*": "how sound is packed; the client chooses as well",
    "graphics/streaming/*": "how moving pictures are found; the client chooses as well",
    "graphics/channel*": "which of the channels are encrypted, where that is not `DefaultMode`",
    "graphics/@autoport": "follows from the port -1 of `Address`",
    "*/boot/@order": "guests start from disks, interfaces and devices of the host",
    "graphics/address": "a display has no place on a bus",
    "lease/address": "a lease has no place on a bus",
    "console/target/@port": "part of the identifier",
    "rng/backend/source/@[cms][hal][aas]*": "a kind of source that no generator of random numbers has",
    "*/source/@append": "whether a log goes on where it was",
    "*/source/@tls": "whether the socket is encrypted; libvirt's configuration of the host says so by default",
    "*/source/reconnect*": "tuning of the socket",
    "*/source/clipboard/*": "what the agent of a guest may do",
    "*/source/mouse/*": "what the agent of a guest may do",
    "*/log/@append": "whether a log goes on where it was",
    "*/log/@file": "the log of a device whose output is not kept by rule",
    "*/@tty": "the same as the path of its source",
    "*/target/model/*": "the emulator's name of the device; it follows from the type of the target",
    "channel/target/@state": "what the guest does with the channel; it is not configured",
    "smartcard/certificate*": "certificates of the host's store that the card shows",
    "parallel/target/@type": "the schema has it, and libvirt does not read it",
    "smartcard/target*": "the schema has it, and libvirt does not read it",
    "sound/codec*": "the parts of a sound card; the model has its own",
    "audio/input*": "how the backend of the host plays; no manager depends on it",
    "audio/output*": "how the backend of the host plays; no manager depends on it",
    "audio/@*": "how the backend of the host plays; no manager depends on it",
    "tpm/backend/active_pcr_banks*": "what the firmware of the TPM is made to compute",
    "tpm/backend/source/@*": "the form of the socket that `Address` names",
    "memory/@access": "whether the memory is shared with other programs; set for the whole guest",
    "memory/@discard": "tuning of the emulator: no manager depends on it",
    "memory/uuid": "what identifies a module to its hardware",
    "memory/source/*": "where the memory is taken from, as for the whole guest",
    "memory/target/readonly": "a property of the file",
    "shmem/msi/@ioeventfd": "tuning of the emulator: no manager depends on it",
    "video/driver/*": "tuning of the emulator: no manager depends on it",
    "video/model/@blob": "tuning of the emulator: no manager depends on it",
    "video/model/acceleration/@rendernode": "the device that draws; `RenderNode` of the display names it",
    "iommu/driver/*": "tuning of the emulator: no manager depends on it",
}
"""Why a path is not shown, by pattern; the first one that fits counts."""

_SELECTOR = re.compile(r"\[@[^\]]{0,80}\]")
_SOURCE = re.compile(r"devices/([^\s,;:]{1,200})")


def mapped_paths() -> Mapping[str, str]:
    """Each path below `<devices>` that is mapped, in the order of the declarations, with the type of its value."""
    found: dict[str, str] = {}
    for tag, cls in DEVICE_CLASSES.items():
        _add(found, cls, tag)
    return found


def _add(found: dict[str, str], cls: type[Mapped], prefix: str) -> None:
    for field in cls.declared().values():
        path = _below(prefix, field)
        if isinstance(field, Items) and not isinstance(field, Children):
            _add(found, field.record, path)
        else:
            found.setdefault(path, field.describe())


def _below(prefix: str, field: Field[Any]) -> str:
    path = _SELECTOR.sub("", field.path)
    return prefix if path == "." else f"{prefix}/{path}"


def shown_paths() -> Mapping[str, tuple[str, ...]]:
    """By path below `<devices>`, the properties that show it and what stands below it; those of devices with class."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        _collect(found, kind.setting.table, kind, "")
    for kind in KINDS:
        if kind.device is not None:
            _collect(found, kind.device.table, kind, f"{kind.device.base}.")
    return {path: tuple(names) for path, names in found.items()}


def _collect(found: dict[str, list[str]], table: PropertyTable[Any], kind: DeviceKind, owner: str) -> None:
    tags = [tag for tag, cls in DEVICE_CLASSES.items() if kind in kinds_of(cls(), KINDS)]
    for name, declared in table.items():
        for match in _SOURCE.findall(declared.source):
            tag, separator, rest = _SELECTOR.sub("", match).partition("/")
            for each in tags if tag == "*" else [tag]:
                names = found.setdefault(f"{each}{separator}{rest}", [])
                if owner + name not in names:
                    names.append(owner + name)


def shown_as(path: str, shown: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The properties that show a path, or what it stands in; none where none does, or it is hidden on its own."""
    if path not in shown and hidden_because(path) is not None:
        return ()
    while path not in shown:
        path, separator, _ = path.rpartition("/")
        if not separator:
            return ()
    return shown[path]


def hidden_because(path: str) -> str | None:
    """Why a path is not shown; None where no reason is declared."""
    return next((reason for pattern, reason in HIDDEN.items() if fnmatchcase(path, pattern)), None)


def document_devices() -> str:
    """The page, in Markdown."""
    shown, mapped = shown_paths(), mapped_paths()
    classes = {kind: kind.setting.base for kind in KINDS}
    parts = [_INTRODUCTION]
    for tag, cls in DEVICE_CLASSES.items():
        paths = [path for path in mapped if path == tag or path.startswith(f"{tag}/")]
        bases = ", ".join(f"[{classes[kind]}](classes.md#{classes[kind].lower()})" for kind in kinds_of(cls(), KINDS))
        parts.append(f"## {tag}\n\n{bases}\n\n| Path | Shown as | Not shown, because |\n| --- | --- | --- |")
        parts.extend(_row(path, shown) for path in paths)
        parts.append("")
    parts.append("## What is not mapped\n\n| Path | Because |\n| --- | --- |")
    parts.extend(f"| `{pattern}` | {reason} |" for pattern, reason in HIDDEN.items() if not _fits(pattern, mapped))
    return "\n".join(parts) + "\n"


def _fits(pattern: str, paths: Mapping[str, str]) -> bool:
    return any(fnmatchcase(path, pattern) for path in paths)


def _row(path: str, shown: Mapping[str, tuple[str, ...]]) -> str:
    names = shown_as(path, shown)
    because = "" if names else hidden_because(path) or "?"
    return f"| `{path.partition('/')[2] or path}` | {', '.join(f'`{name}`' for name in names)} | {because} |"


def unexplained(paths: Iterable[str]) -> list[str]:
    """Those of the paths that are neither shown nor hidden for a reason."""
    shown = shown_paths()
    return [path for path in paths if not shown_as(path, shown) and hidden_because(path) is None]

"""Whether a domain that runs is what its definition says.

libvirt writes more into the XML of a running domain than was defined: aliases, ports, paths, labels, the processor
that a host model turned out to be.  What it adds is declared here, one line each; everything else counts, elements
unknown to the mapping included.  The order of elements does not count, since libvirt does not keep it.

What many guests have alike in both of their texts is compared once.

Layer rule: imports `alike` and `xml.text` of this project and nothing else; knows nothing of CIM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from lxml import etree

from virtcim.libhelper.documents.domain.alike import AlikeParts, Outline, outline_of
from virtcim.libhelper.xml.text import MappingError, parse_xml

__all__ = ["is_as_defined", "is_device_as_defined"]

_Same = Callable[[str, str], bool]

_RUNTIME = frozenset(
    {
        "@id",
        "metadata",
        "resource",
        "seclabel",
        "clock/@adjustment",
        "clock/@adjustment0",
        "cpu/@check",
        "cpu/@migratable",
        "cpu/model/@fallback",
        "os/nvram/@template",
        "os/nvram/@templateFormat",
        "*/alias",
        "*/acpi",
        "*/seclabel",
        "disk/backingStore",
        "disk/mirror",
        "disk/source/@index",
        "disk/source/@startupPolicy",
        "disk/source/seclabel",
        "disk/source/privateData",
        "disk/source/slices",
        "disk/target/@tray",
        "interface/source/@portid",
        "interface/guest/@actual",
        "interface/mac/@currentAddress",
        "console/@tty",
        "channel/target/@state",
        "hostdev/source/seclabel",
        "memory/address/@base",
        "memory/target/current",
        "tpm/backend/active_pcr_banks",
    }
)
"""What says nothing of the configuration.  A device's path begins with its element, for all of them with `*`."""

_FILLED_IN = frozenset(
    {
        "idmap",
        "iothreadids",
        "vcpus",
        "numatune",
        "cpu",
        "cpu/vendor",
        "launchSecurity/cbitpos",
        "launchSecurity/reducedPhysBits",
        "os/bootmenu",
        "*/address",
        "disk/driver/@type",
        "disk/@model",
        "filesystem/binary",
        "filesystem/binary/@path",
        "interface/target",
        "interface/target/@dev",
        "interface/backend",
        "interface/guest",
        "interface/guest/@dev",
        "graphics/@port",
        "graphics/@tlsPort",
        "graphics/@websocket",
        "graphics/@listen",
        "graphics/@socket",
        "graphics/@passwd",
        "graphics/@passwdValidTo",
        "graphics/@connected",
        "graphics/listen",
        "graphics/listen/@address",
        "graphics/listen/@socket",
        "graphics/gl/@rendernode",
        "serial/source",
        "serial/source/@path",
        "parallel/source",
        "parallel/source/@path",
        "console/source",
        "console/source/@path",
        "channel/source",
        "channel/source/@path",
        "channel/source/@mode",
        "hostdev/driver",
        "hostdev/driver/@name",
        "hostdev/source/address",
        "shmem/server",
        "shmem/server/@path",
        "vsock/cid/@address",
        "memory/target/address",
        "tpm/backend/profile",
        "tpm/backend/profile/@name",
        "tpm/backend/encryption",
        "tpm/backend/source",
    }
)
"""What libvirt chooses when the definition leaves it open: it counts only where both have it."""

_MARKED = frozenset(path.rpartition("/@")[0] for path in _RUNTIME if "/@" in path)
"""The elements of which some attributes do not count."""


def _is_root_of_host(filesystem: etree._Element) -> bool:
    """Whether a container sees the host's own root directory as its root."""
    places = (filesystem.find("source"), filesystem.find("target"))
    return all(place is not None and place.get("dir") == "/" for place in places)


_ADDED: Mapping[str, Callable[[etree._Element], bool]] = {"filesystem": _is_root_of_host}
"""Devices that libvirt gives to a guest whose definition has no such one, for as long as it runs."""

_ATTACHMENT = "interface/@type"
"""What the network is on this host: never what the definition says, which is `network`."""

_OF_NETWORK = frozenset(
    {
        _ATTACHMENT,
        "interface/@managed",
        "interface/bandwidth",
        "interface/driver",
        "interface/port",
        "interface/source/@bridge",
        "interface/source/@dev",
        "interface/source/@mode",
        "interface/source/address",
        "interface/virtualport",
        "interface/vlan",
    }
)
"""What an interface takes from the virtual network that it is attached to."""


_OF_FIRMWARE = frozenset({"os/@firmware", "os/firmware", "os/loader", "os/nvram"})
"""What libvirt finds when the definition names a kind of firmware."""

_LEFT_OPEN = ("-1",)
_LEFT_OPEN_AS = {"graphics/@port": (*_LEFT_OPEN, "0")}
"""What libvirt is to choose, in general and at a path: it writes a port of RDP that is not known yet as 0."""

_MEBIBYTE = 1024

_BESIDE = "\0"
"""Stands between the texts of two parts that are compared; no XML holds it."""


def _same_size(live: str, defined: str) -> bool:
    """Whether two sizes in KiB are the same memory: a running guest has whole MiB."""
    if not (live.isdecimal() and defined.isdecimal()):
        return live == defined
    return -(-int(live) // _MEBIBYTE) == -(-int(defined) // _MEBIBYTE)


_VALUES: Mapping[str, _Same] = {
    "memory": _same_size,
    "currentMemory": _same_size,
    "maxMemory": _same_size,
    "cpu/numa/cell/@memory": _same_size,
}


def is_as_defined(live: str, defined: str, asked: int | None = None) -> bool:
    """Whether a running domain is configured as its definition says.

    Parameters:
        live: the XML of the running domain.
        defined: the XML that its next start takes.
        asked: the KiB of memory that it was asked to have, where it is still on its way there: they count, rather than
            what it has at the moment.

    XML that cannot be parsed differs from nothing.
    """
    if asked is None and _are_outlines_same(outline_of(live), outline_of(defined)):
        return True
    try:
        one, other = parse_xml(live), parse_xml(defined)
        memory = one.find("currentMemory")
        if asked is not None and memory is not None:
            memory.text = str(asked)
        return _same(one, other, "", _FILLED_IN)
    except MappingError:
        return True


def _are_outlines_same(live: Outline | None, defined: Outline | None) -> bool:
    """Whether two domains are the same, each part as the one in its place in the other.

    Those that are not, or have no outlines, may still be the same as a whole: the order does not count.
    """
    if live is None or defined is None or len(live.devices) != len(defined.devices):
        return False
    pairs, owner = zip(live.devices, defined.devices, strict=True), live.owner
    own = [pair for pair in pairs if not _ALIKE_DEVICES.get(_BESIDE.join(pair), owner)]
    is_middle_same = _ALIKE_MIDDLES.get(_BESIDE.join((live.middle, defined.middle)), owner)
    one = live.text([text for text, _ in own], not is_middle_same)
    other = defined.text([text for _, text in own], not is_middle_same)
    try:
        return _same(parse_xml(one), parse_xml(other), "", _FILLED_IN)
    except MappingError:
        return False


def _are_devices_same(texts: str) -> bool:
    """Whether a device of a running domain is what that of a definition is, whose text stands beside its own."""
    one, other = map(parse_xml, texts.split(_BESIDE))
    return one.tag == other.tag and _same(one, other, str(one.tag), _FILLED_IN)


def _are_middles_same(texts: str) -> bool:
    """Whether the middle of a running domain is what that of a definition is, whose text stands beside its own."""
    one, other = (parse_xml(f"<domain>{text}</domain>") for text in texts.split(_BESIDE))
    return _same(one, other, "", _FILLED_IN)


_ALIKE_DEVICES, _ALIKE_MIDDLES = AlikeParts(_are_devices_same), AlikeParts(_are_middles_same)


def is_device_as_defined(live: str, defined: str) -> bool:
    """Whether a device of a running domain is what the definition says of it.

    Parameters:
        live: its element in the XML of the running domain.
        defined: the one in the definition.

    XML that cannot be parsed differs from nothing.
    """
    try:
        one, other = parse_xml(live), parse_xml(defined)
    except MappingError:
        return True
    return one.tag == other.tag and _same(one, other, str(one.tag), _FILLED_IN)


def _same(live: etree._Element, defined: etree._Element, path: str, filled_in: frozenset[str]) -> bool:
    match path:
        case "devices":
            path = ""
        case "interface" if defined.get("type") == "network":
            filled_in |= _OF_NETWORK
        case "os" if defined.get("firmware"):
            filled_in |= _OF_FIRMWARE
        case "vsock/cid" if defined.get("auto") == "yes":
            return live.get("auto") == "yes"
        case "cpu":
            return _same_processor(live, defined, filled_in)
    return (
        _same_text(live, defined, path)
        and _same_attributes(live, defined, path, filled_in)
        and (
            (len(live) == 0 and len(defined) == 0)
            or _same_children(_children(live), _children(defined), path, filled_in)
        )
    )


def _same_processor(live: etree._Element, defined: etree._Element, filled_in: frozenset[str]) -> bool:
    """A running guest shows the processor that it was given, with all its features."""
    mine, theirs = _children(live), _children(defined)
    wanted = {feature.get("name"): feature.get("policy") for feature in theirs.pop("feature", ())}
    given = {feature.get("name"): feature.get("policy") for feature in mine.pop("feature", ())}
    if defined.get("mode") in {"host-model", "maximum"}:
        for children in (mine, theirs):
            for tag in ("model", "vendor"):
                children.pop(tag, None)
        return _same_children(mine, theirs, "cpu", filled_in)
    return (
        wanted.items() <= given.items()
        and _same_attributes(live, defined, "cpu", filled_in)
        and _same_children(mine, theirs, "cpu", filled_in)
    )


def _same_text(live: etree._Element, defined: etree._Element, path: str) -> bool:
    if live.text == defined.text:
        return True
    one, other = (live.text or "").strip(), (defined.text or "").strip()
    return one == other or _VALUES.get(path, str.__eq__)(one, other)


def _same_attributes(live: etree._Element, defined: etree._Element, path: str, filled_in: frozenset[str]) -> bool:
    if live.items() == defined.items():
        return True
    mine = {str(name): str(value) for name, value in live.items()}
    theirs = {str(name): str(value) for name, value in defined.items()}
    for name in {*mine, *theirs}:
        place = f"{path}/@{name}" if path else f"@{name}"
        one, other = mine.get(name), theirs.get(name)
        if one == other or place in _RUNTIME or (place == _ATTACHMENT and place in filled_in):
            continue
        left_open = _LEFT_OPEN_AS.get(place, _LEFT_OPEN)
        one, other = (None if value in left_open else value for value in (one, other))
        if one is None or other is None:
            if place not in filled_in:
                return False
        elif not _VALUES.get(place, str.__eq__)(one, other):
            return False
    return True


def _same_children(
    live: Mapping[str, list[etree._Element]],
    defined: Mapping[str, list[etree._Element]],
    path: str,
    filled_in: frozenset[str],
) -> bool:
    for tag in live.keys() | defined.keys():
        place, anywhere, counts = _child_path(path, tag)
        if not counts:
            continue
        mine, theirs = live.get(tag, []), defined.get(tag, [])
        if place in _MARKED:
            mine, theirs = _telling(mine, place), _telling(theirs, place)
        is_added = _ADDED.get(place)
        if is_added is not None and not any(map(is_added, theirs)):
            mine = [element for element in mine if not is_added(element)]
        if not mine or not theirs:
            if (mine or theirs) and place not in filled_in and anywhere not in filled_in:
                return False
        elif not _pair(mine, theirs, place, filled_in):
            return False
    return True


@lru_cache(maxsize=4096)
def _child_path(path: str, tag: str) -> tuple[str, str, bool]:
    """The path of a child, its path in whatever device, and whether it counts."""
    place = f"{path}/{tag}" if path else tag
    anywhere = f"*/{tag}" if path and "/" not in path else ""
    return place, anywhere, place not in _RUNTIME and anywhere not in _RUNTIME


def _telling(elements: list[etree._Element], path: str) -> list[etree._Element]:
    """The elements that say something: libvirt leaves a source with nothing but its number in an emptied drive."""
    return [
        element
        for element in elements
        if not element.attrib
        or len(element)
        or (element.text or "").strip()
        or any(f"{path}/@{name}" not in _RUNTIME for name in map(str, element.attrib))
    ]


def _pair(live: list[etree._Element], defined: list[etree._Element], path: str, filled_in: frozenset[str]) -> bool:
    """Whether each element has a partner that is the same."""
    if len(live) != len(defined):
        return False
    left = list(live)
    for element in defined:
        partner = next((other for other in left if _same(other, element, path, filled_in)), None)
        if partner is None:
            return False
        left.remove(partner)
    return True


def _children(element: etree._Element) -> dict[str, list[etree._Element]]:
    """The elements in an element, by name."""
    children: dict[str, list[etree._Element]] = {}
    for child in element:
        if isinstance(child.tag, str):
            children.setdefault(child.tag, []).append(child)
    return children

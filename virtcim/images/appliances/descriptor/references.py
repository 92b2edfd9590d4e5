"""What the systems of a descriptor refer to: files, disks, networks and deployment options."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from lxml import etree

from virtcim.images.appliances.description import DeploymentOption, Disk, File, Network
from virtcim.images.appliances.descriptor.envelope import INFO, Envelope, is_number, put
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.units import bytes_per_unit
from virtcim.immutable import immutable

__all__ = ["REFERENCE_SECTIONS", "References", "read_references"]

REFERENCE_SECTIONS = frozenset({"References", "DiskSection", "NetworkSection", "DeploymentOptionSection"})
"""The sections that these stand in."""
_MOST_PARENTS = 32
"""Disks that one may hold differences to, over each other: as many snapshots as VMware's hypervisors have of a disk."""
_PROPERTY = re.compile(r"\$\{[^{}]+\}")


@immutable
class References:
    """What systems refer to.

    Attributes:
        files, disks, options: by their ids.
        networks: by their names.
    """

    files: Mapping[str, File]
    disks: Mapping[str, Disk]
    networks: Mapping[str, Network]
    options: Mapping[str, DeploymentOption]


def read_references(envelope: Envelope, sections: Mapping[str, Sequence[etree._Element]]) -> References:
    """Read what systems refer to.

    Parameters:
        sections: by their names, of `REFERENCE_SECTIONS`.

    Raises:
        ApplianceError: it contradicts itself.
    """
    files = _read_files(envelope, sections.get("References", ()))
    options = _read_options(envelope, sections.get("DeploymentOptionSection", ()))
    disks = _read_disks(envelope, sections.get("DiskSection", ()), files)
    return References(files, disks, _read_networks(envelope, sections.get("NetworkSection", ())), options)


def _read_files(envelope: Envelope, sections: Iterable[etree._Element]) -> dict[str, File]:
    files: dict[str, File] = {}
    hrefs = Counter[str]()
    for child in envelope.all_named(sections, "File"):
        file = File(
            id=envelope.needed(child, "id", "file"),
            href=envelope.needed(child, "href", "file"),
            size=envelope.size(child, "size"),
            compression=envelope.attribute(child, "compression") or "identity",
            chunk_size=envelope.size(child, "chunkSize"),
        )
        put(files, file.id, file, "file")
        hrefs[file.href] += 1
        if file.compression not in ("identity", "gzip"):
            raise ApplianceError(f"file {file.id!r}: has compression {file.compression!r}; expected gzip")
        if file.chunk_size == 0:
            raise ApplianceError(f"file {file.id!r}: has a chunkSize of 0; expected more")
    twice = [href for href, count in hrefs.items() if count > 1]
    if twice:
        raise ApplianceError(f"file {twice[0]!r}: is referred to twice; expected each file once")
    return files


def _read_options(envelope: Envelope, sections: Iterable[etree._Element]) -> dict[str, DeploymentOption]:
    options: dict[str, DeploymentOption] = {}
    for child in envelope.all_named(sections, "Configuration"):
        option = DeploymentOption(
            id=envelope.needed(child, "id", "deployment option"),
            label=envelope.text(child, "Label"),
            description=envelope.text(child, "Description"),
            is_default=envelope.flag(child, "default", otherwise=False),
        )
        put(options, option.id, option, "deployment option")
    if sum(option.is_default for option in options.values()) > 1:
        raise ApplianceError("deployment options: several are the default; expected one")
    return options


def _read_disks(envelope: Envelope, sections: Iterable[etree._Element], files: Mapping[str, File]) -> dict[str, Disk]:
    disks: dict[str, Disk] = {}
    for child, name in (child for section in sections for child in envelope.children(section)):
        if name == "Disk":
            disk = _read_disk(envelope, child)
            if disk.file and disk.file not in files:
                raise ApplianceError(f"disk {disk.id!r}: is in the file {disk.file!r}; expected the id of a file")
            put(disks, disk.id, disk, "disk")
        elif name != INFO:
            envelope.leave_out(child, name, "DiskSection")
    for disk in disks.values():
        _check_parents(disks, disk)
    return disks


def _check_parents(disks: Mapping[str, Disk], disk: Disk) -> None:
    """See that the parents of a disk are there, and come to an end.

    Raises:
        ApplianceError: they are not, or do not.
    """
    current = disk
    for _ in range(_MOST_PARENTS):
        if not current.parent:
            return
        if current.parent not in disks:
            raise ApplianceError(f"disk {current.id!r}: has the parent {current.parent!r}; expected the id of a disk")
        current = disks[current.parent]
    raise ApplianceError(f"disk {disk.id!r}: has more than {_MOST_PARENTS} parents, or is its own; expected fewer")


def _read_disk(envelope: Envelope, element: etree._Element) -> Disk:
    id_ = envelope.needed(element, "diskId", "disk")
    capacity = envelope.needed(element, "capacity", f"disk {id_!r}")
    if not is_number(capacity) and not _PROPERTY.fullmatch(capacity):
        raise ApplianceError(f"disk {id_!r}: has a capacity of {capacity[:80]!r}; expected a number")
    if is_number(capacity) and not int(capacity):
        raise ApplianceError(f"disk {id_!r}: has a capacity of 0; expected more")
    disk = Disk(
        id=id_,
        capacity=capacity,
        unit=bytes_per_unit(envelope.attribute(element, "capacityAllocationUnits") or ""),
        file=envelope.attribute(element, "fileRef") or "",
        format=envelope.attribute(element, "format") or "",
        parent=envelope.attribute(element, "parentRef") or "",
    )
    populated = envelope.size(element, "populatedSize")
    if populated is not None and is_number(capacity) and populated > int(capacity) * disk.unit:
        size = f"{int(capacity) * disk.unit} bytes"
        raise ApplianceError(f"disk {id_!r}: has {populated} bytes populated; expected at most its capacity, {size}")
    return disk


def _read_networks(envelope: Envelope, sections: Iterable[etree._Element]) -> dict[str, Network]:
    networks: dict[str, Network] = {}
    for child in envelope.all_named(sections, "Network"):
        network = Network(envelope.needed(child, "name", "network"), envelope.text(child, "Description"))
        put(networks, network.name, network, "network")
    return networks

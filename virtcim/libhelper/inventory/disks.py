"""How large the disks of a domain are, asked so that a guest that does not answer holds nobody up.

Layer rule: imports libvirt, documents and errors.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping

import libvirt

from virtcim.libhelper.documents.domain import Disk
from virtcim.libhelper.errors import look_up

__all__ = ["Images", "disk_capacities", "images_of"]

Images = tuple[tuple[str | int | None, ...] | None, ...]
"""By disk, how it is read, and what tells a file from another one and from itself when it was written; None where there
is no file."""


def images_of(disks: Iterable[Disk]) -> Images | None:
    """What shows whether the images of disks were written, to be compared with what it was before.

    Returns:
        None when that cannot be told: for anything but plain files, as a volume of LVM grows with no trace.
    """
    found: list[tuple[str | int | None, ...] | None] = []
    for disk in disks:
        if not disk.source_file:
            return None
        try:
            status = os.stat(disk.source_file)
        except FileNotFoundError:
            found.append(None)
            continue
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        found.append(
            (disk.driver_type, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        )
    return tuple(found)


def disk_capacities(
    connection: libvirt.virConnect, uuid: str, active: bool, targets: Iterable[str]
) -> Mapping[str, int | None] | None:
    """The sizes of a domain's disks, as the guest sees them.

    Parameters:
        uuid: of the domain.
        active: whether it runs: then its emulator is asked, without waiting for it.
        targets: names of the disks' targets (`vda`).

    Returns:
        bytes by target, None for a disk that libvirt cannot measure; one that the domain does not have, as it may have
        gone since its XML was read, is left out.  None when the emulator is busy, and of a domain that has gone.

    Raises:
        libvirt.libvirtError: the domain cannot be looked up.
    """
    domain = look_up(connection.lookupByUUIDString, uuid)
    if domain is None:
        return None
    if active:
        try:
            return _running(connection, domain, frozenset(targets))
        except libvirt.libvirtError:
            pass  # a driver without block statistics may still tell the size of each disk
    sizes: dict[str, int | None] = {}
    for target in targets:
        try:
            sizes[target] = int(domain.blockInfo(target)[0]) or None
        except libvirt.libvirtError as error:
            # Of a disk that it does not know, or that has no medium, libvirt says that its name is no valid argument.
            if error.get_error_code() != libvirt.VIR_ERR_INVALID_ARG:
                sizes[target] = None
    return sizes


def _running(
    connection: libvirt.virConnect, domain: libvirt.virDomain, targets: frozenset[str]
) -> Mapping[str, int | None] | None:
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS
    # Of a guest that has gone there are none.
    values = next(
        (each for _, each in connection.domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_BLOCK, flags)), {}
    )
    if "block.count" not in values:
        return None
    sizes: dict[str, int | None] = {}
    for number in range(values["block.count"]):
        target, size = values.get(f"block.{number}.name"), values.get(f"block.{number}.capacity")
        if target in targets:
            sizes[str(target)] = int(size) if size else None
    # libvirt counts and names the disks of a guest whose emulator is busy, too.
    return sizes if any(sizes.values()) or not targets else None

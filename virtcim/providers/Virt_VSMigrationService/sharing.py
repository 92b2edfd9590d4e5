"""Which disks of a guest its hosts have in common, and which are to be copied."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import Disk

if TYPE_CHECKING:
    from virtcim.libhelper.migrations import MigrationOrder
    from virtcim.providers.guest import Guest

__all__ = ["disks_left", "is_vouched_for", "with_copies"]


def with_copies(order: MigrationOrder, guest: Guest) -> MigrationOrder:
    """The order with the disks that are to be copied: of its own accord libvirt copies also what both hosts have in
    common without its knowing, onto itself.

    Parameters:
        order: of a client.
        guest: that it is about.
    """
    if not order.copy_storage or order.disks:
        return order
    written = _written(guest)
    own = [disk for disk in written if disk.type != "network" and not _is_shared(guest, disk)]
    if len(own) == len(written):
        return order
    return replace(order, copy_storage=bool(own), disks=tuple(disk.target_dev for disk in own if disk.target_dev))


def disks_left(order: MigrationOrder, guest: Guest) -> Sequence[Disk]:
    """List the disks that are files or devices of the guest's host, lie in none of the directories which the
    administrator says all hosts have in common, and are not to be copied.

    Parameters:
        order: with the disks that are.
        guest: whose disks.
    """
    lacking = [disk for disk in _written(guest) if _path(disk) and not _is_shared(guest, disk)]
    return [disk for disk in lacking if not _is_copied(order, disk)]


def is_vouched_for(order: MigrationOrder, guest: Guest) -> bool:
    """Whether it is the administrator alone who says that the guest's disks are where it goes.

    libvirt does not know of the directories that all hosts have in common, and holds what is there to be in danger.
    """
    kept = [disk for disk in _written(guest) if not _is_copied(order, disk)]
    return bool(kept or not order.copy_storage) and not disks_left(order, guest)


def _is_copied(order: MigrationOrder, disk: Disk) -> bool:
    return order.copy_storage and (not order.disks or disk.target_dev in order.disks)


def _written(guest: Guest) -> Sequence[Disk]:
    """The disks of a guest that it writes to."""
    config = guest.domain.config
    disks = (each for each in config.devices if isinstance(each, Disk)) if config is not None else ()
    return [disk for disk in disks if not disk.readonly and not disk.shareable]


def _path(disk: Disk) -> str | None:
    return disk.source_file or disk.source_dev


def _is_shared(guest: Guest, disk: Disk) -> bool:
    """Whether a disk lies where the administrator says that all hosts have it."""
    path = _path(disk)
    shared = guest.site.settings.migration.shared_directories
    return path is not None and any(PurePosixPath(posixpath.normpath(path)).is_relative_to(each) for each in shared)

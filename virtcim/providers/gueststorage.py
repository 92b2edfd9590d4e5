"""Which storage pool and volume are behind a disk of a guest, as far as libvirt knows."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import Disk, Filesystem
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.providers.storage import StorageMap, known_path

if TYPE_CHECKING:
    from virtcim.providers.guest import Guest

__all__ = ["capacity_of", "file_stem", "new_volume", "path_of", "pool_of", "storage_of"]

_UNSAFE = re.compile(r"[^\w.+-]")


def storage_of(guest: Guest) -> StorageMap:
    """The storage map of a guest's hypervisor."""
    return guest.site.storage.of(guest.hypervisor)


def path_of(guest: Guest, device: Disk | Filesystem) -> str | None:
    """The path on the host of what is behind a disk; None where it has none or it is not known."""
    return known_path(storage_of(guest), device)


def pool_of(guest: Guest, device: Disk | Filesystem) -> str | None:
    """The name of the storage pool that a disk comes from: of its volume, or of the directory it lies in."""
    if device.source_pool:
        return str(device.source_pool)
    path = path_of(guest, device)
    if path is None:
        return None
    storage = storage_of(guest)
    return storage.pools.get(path) or storage.directories.get(posixpath.dirname(posixpath.normpath(path)))


def capacity_of(guest: Guest, device: Disk | Filesystem) -> int | None:
    """The size in bytes that the guest sees; None where libvirt does not know it."""
    if isinstance(device, Disk) and device.target_dev:
        measured = guest.domain.capacities.get(device.target_dev)
        if measured is not None:
            return measured
    path = path_of(guest, device)
    return None if path is None else storage_of(guest).capacities.get(path)


def new_volume(name: str, size: int, format_: str) -> VolumeConfig:
    """A volume to be made, as small as it can be at first.

    Parameters:
        size: bytes that its reader sees.
        format_: `qcow2`, `raw`, ... as libvirt names it, or `iso`, which is raw to libvirt.
    """
    compat = "1.1" if format_ == "qcow2" else None
    kind = "raw" if format_ == "iso" else format_
    return VolumeConfig(name=name, capacity=size, allocation=0, target_format_type=kind, target_compat=compat)


def file_stem(name: str) -> str:
    """The name of a guest as a part of names of files."""
    return _UNSAFE.sub("_", name)

"""Where the volumes of a hypervisor lie, as far as libvirt knows."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import Disk, Filesystem

if TYPE_CHECKING:
    from virtcim.libhelper.documents.storage import VolumeConfig
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.inventory.records import Pool

__all__ = ["StorageMap", "StorageMaps", "format_of", "known_path"]


_READ_AS = {"iso": "raw"}
"""By the format of a volume, what a disk calls it, where that is another word."""
_epochs = itertools.count(1)


@dataclass(slots=True)
class StorageMap:
    """The storage pools of one hypervisor.

    Attributes:
        epoch: another number whenever a pool or its volumes change; no two maps of a process share one.
        directories: target path to the name of the pool.
        pools: path of a volume to the name of its pool.
        capacities: path of a volume to its capacity in bytes.
        paths: (pool, volume) by name to the path of the volume.
    """

    epoch: int = 0
    directories: dict[str, str] = field(default_factory=dict)
    pools: dict[str, str] = field(default_factory=dict)
    capacities: dict[str, int] = field(default_factory=dict)
    paths: dict[tuple[str, str], str] = field(default_factory=dict)


class StorageMaps:
    """The storage maps of all hypervisors, each remade when a pool changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, tuple[Pool, ...], StorageMap]] = {}

    def of(self, hypervisor: Hypervisor) -> StorageMap:
        """The map of a hypervisor."""
        revision = hypervisor.inventory.revision
        known = self._known.get(hypervisor.uri)
        if known is not None and known[0] == revision:
            return known[2]
        pools = tuple(hypervisor.inventory.pools())
        if known is not None and len(pools) == len(known[1]) and all(map(_same, pools, known[1])):
            storage = known[2]
        else:
            storage = _mapped(pools)
        self._known[hypervisor.uri] = revision, pools, storage
        return storage


def _same(one: Pool, other: Pool) -> bool:
    """Whether two records say the same of where disks are."""
    return one is other or (
        one.volumes is other.volumes
        and one.live_document is other.live_document
        and one.defined_document is other.defined_document
    )


def _mapped(pools: Iterable[Pool]) -> StorageMap:
    storage = StorageMap(next(_epochs))
    for pool in pools:
        _add(storage, pool)
    return storage


def _add(storage: StorageMap, pool: Pool) -> None:
    config = pool.config
    if config is not None and config.target_path:
        storage.directories.setdefault(posixpath.normpath(config.target_path), pool.name)
    for volume in pool.volumes or ():
        described = volume.config
        path = (described and described.target_path) or volume.key
        storage.pools[path] = pool.name
        storage.paths[pool.name, volume.name] = path
        if described is not None and described.capacity is not None:
            storage.capacities[path] = described.capacity


def known_path(storage: StorageMap, device: Disk | Filesystem) -> str | None:
    """The path on the host of what is behind a disk of the storage's hypervisor; None where there is none or it is not
    known."""
    if device.source_pool and device.source_volume:
        return storage.paths.get((device.source_pool, device.source_volume))
    path: str | None = device.source_file or device.source_dev or device.source_dir
    return path


def format_of(config: VolumeConfig) -> str | None:
    """The format in which a disk reads a volume; None where that is left to libvirt, as of a block device."""
    kind = config.target_format_type if config.type in (None, "file") else None
    return _READ_AS.get(kind or "", kind)

"""Storage pools as pools of disks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.storage import PoolConfig
from virtcim.libhelper.inventory.records import Network, Pool
from virtcim.providers.base import trimmed
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.guest import Guest
from virtcim.providers.gueststorage import pool_of
from virtcim.providers.properties import MappedField, Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_DevicePool.pool import COMMON, DevicePool, Pools, PoolSource

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["BYTES", "DiskPool", "available"]

BYTES = "byte"
_DISK_DRIVE = 17
_WHOLE_VOLUMES = frozenset({"disk", "iscsi", "iscsi-direct", "mpath", "scsi"})
"""The types of pools whose volumes have all that they promise, so that no more can be promised than there is."""


class DiskPool(DevicePool):
    """A storage pool, or all of them (Virt_DiskPool)."""

    __slots__ = ()

    base = "DiskPool"
    source = PoolSource(Pool)
    resource_type = _DISK_DRIVE
    is_shared = False

    @classmethod
    def records(cls, hypervisor: Hypervisor) -> Sequence[Network | Pool]:
        return hypervisor.inventory.pools()

    @classmethod
    def place_of(cls, guest: Guest, entry: DeviceEntry, pools: Pools) -> DevicePool | None:
        """The storage pool of the volume behind a disk."""
        name = pool_of(guest, entry.device)
        return None if name is None else pools.named(guest.hypervisor, name)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.contact, None if self.record is None else self.record.revision

    @property
    def config(self) -> PoolConfig:
        """The XML of the storage pool; empty for the primordial pool, and where it cannot be read."""
        config: PoolConfig | None = None if self.record is None else self.record.config
        return config or PoolConfig()


def _size(pool: DiskPool, size: int | None) -> int | None:
    """A size of the pool; NULL while it is inactive, for then libvirt does not know it."""
    return size if pool.active else None


def _capacity(pool: DiskPool) -> int | None:
    return _size(pool, pool.config.capacity)


def available(pool: DiskPool) -> int | None:
    """What can still be taken from a pool, in bytes; None while it is inactive, and for the primordial pool."""
    return _size(pool, pool.config.available)


def _consumed(pool: DiskPool) -> int | None:
    """What the volumes promise to guests, in bytes; NULL while they are not known."""
    if pool.primordial or not pool.active or pool.record.volumes is None:
        return None
    return sum((volume.config.capacity or 0) for volume in pool.record.volumes if volume.config is not None)


def _field(name: str, field: MappedField) -> Property[DiskPool]:
    source = f"storage pool XML {PoolConfig.field_path(field.name)}"
    return attribute(name, lambda pool: getattr(pool.config, field.name), source=source)


DiskPool.table = PropertyTable(
    COMMON,
    Property("Caption", lambda pool: "All storage pools" if pool.primordial else trimmed(pool.name), "libvirt's name"),
    _field("ResourceSubType", PoolConfig.type),
    _field("OtherResourceType", PoolConfig.type),
    constant("AllocationUnits", BYTES),
    constant("ConsumedResourceUnits", BYTES),
    Property("Capacity", _capacity, f"storage pool XML {PoolConfig.field_path('capacity')}, while it is active"),
    Property(
        "Reserved",
        lambda pool: _size(pool, pool.config.allocation),
        f"storage pool XML {PoolConfig.field_path('allocation')}, while it is active",
    ),
    Property("CurrentlyConsumedResource", _consumed, "sum of volume XML capacity"),
    Property(
        "MaxConsumableResource",
        lambda pool: _capacity(pool) if pool.config.type in _WHOLE_VOLUMES else None,
        "as Capacity for types without volumes that grow; NULL for others: more can be promised than there is",
    ),
    _field("Path", PoolConfig.target_path),
    Property("Autostart", lambda pool: None if pool.primordial else int(pool.record.autostart), "autostart flag"),
    Property(
        "Host",
        lambda pool: next(iter(pool.config.source_host_names), None),
        f"storage pool XML {PoolConfig.field_path('source_host_names')}",
    ),
    _field("SourceDirectory", PoolConfig.source_dir_path),
)

"""The provider of pools, the pools of a platform, and which pool a resource of a guest is taken from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from virtcim.libhelper.inventory.records import Network, Pool, Record
from virtcim.platforms.base import Platform
from virtcim.providers.base import ElementProvider
from virtcim.providers.deviceids import DeviceEntry, DeviceKind
from virtcim.providers.guest import Guest
from virtcim.providers.site import Site
from virtcim.providers.sources import Source
from virtcim.providers.Virt_DevicePool.pool import DevicePool
from virtcim.providers.Virt_DevicePool.Virt_DiskPool import DiskPool

__all__ = ["POOLS", "STORAGE_POOLS", "DevicePoolProvider", "find_pool", "kind_of", "pool_for", "pool_types", "pools_of"]


class DevicePoolProvider(ElementProvider):
    """Serves <prefix>_DiskPool, <prefix>_NetworkPool and the other classes of pools."""

    name = "Virt_DevicePool"

    def __init__(self, site: Site) -> None:
        self.types = pool_types(site)
        super().__init__(site)


def pool_types(site: Site) -> Sequence[type[DevicePool]]:
    """The types of pools, in the order in which libvirt-cim lists all pools: processors and memory in front."""
    kinds = sorted(site.kinds, key=lambda kind: (not kind.is_guest_wide, kind.is_guest_wide and kind.resource_type))
    return tuple(kind.pool for kind in kinds if kind.pool is not None)


def kind_of(pool: DevicePool) -> DeviceKind:
    """The kind of the resources that are taken from a pool."""
    return next(kind for kind in pool.site.kinds if kind.pool is type(pool))


def pools_of(site: Site, platform: Platform) -> Sequence[DevicePool]:
    """All pools of a platform."""
    return [pool for each in pool_types(site) for pool in each.all_of(site, platform)]


def pool_for(guest: Guest, entry: DeviceEntry) -> DevicePool | None:
    """The pool that a resource of a guest is taken from; None where it is taken from none.

    The one place where membership is decided: of the device as of its settings.
    """
    pool_type: type[DevicePool] | None = entry.kind.pool
    if pool_type is None:
        return None
    return pool_type.place_of(guest, entry, pool_type.pools_on(guest.site, guest.platform))


def find_pool(site: Site, platform: Platform, instance_id: str) -> DevicePool:
    """The pool with this InstanceID; names of networks and storage pools in libvirt's spelling.

    Raises:
        CIMError: NOT_FOUND when there is none.
    """
    types = pool_types(site)
    for pool_type in types if site.hypervisors(platform) else ():
        pool = pool_type.with_key(site, platform, instance_id)
        if pool is not None:
            return pool
    word = instance_id.partition("/")[0].casefold()
    meant = next((pool_type for pool_type in types if pool_type.base.casefold() == word), types[0])
    raise meant.no_such(site, platform, instance_id)


class _AllPools(Source[DevicePool]):
    """All pools: what is made for each of them."""

    records = (Network, Pool)

    def owners(self, site: Site, platform: Platform) -> Sequence[DevicePool]:
        return pools_of(site, platform)

    def owners_of(self, site: Site, platform: Platform, record: Record) -> Sequence[DevicePool]:
        types = pool_types(site)
        return [pool for each in types for pool in each.source.instances_of(site, platform, record, each)]


class _StoragePools(Source[DiskPool]):
    """The storage pools."""

    records = (Pool,)

    def owners(self, site: Site, platform: Platform) -> Iterable[DiskPool]:
        return DiskPool.all_of(site, platform)

    def owners_of(self, site: Site, platform: Platform, record: Record) -> Iterable[DiskPool]:
        return DiskPool.source.instances_of(site, platform, record, DiskPool)


POOLS = _AllPools()
STORAGE_POOLS = _StoragePools()

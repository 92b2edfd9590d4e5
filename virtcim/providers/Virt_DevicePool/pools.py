"""The types of pools, their provider, the pools of a platform, and which pool a resource of a guest is taken from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from virtcim.libhelper.inventory.records import Record
from virtcim.platforms.base import Platform
from virtcim.providers.base import ElementProvider
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.guest import Guest
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.site import Site
from virtcim.providers.sources import Place, Source
from virtcim.providers.Virt_DevicePool.pool import DevicePool
from virtcim.providers.Virt_DevicePool.Virt_ControllerPool import ControllerPool
from virtcim.providers.Virt_DevicePool.Virt_DiskPool import DiskPool
from virtcim.providers.Virt_DevicePool.Virt_GraphicsPool import GraphicsPool
from virtcim.providers.Virt_DevicePool.Virt_InputPool import InputPool
from virtcim.providers.Virt_DevicePool.Virt_MemoryPool import MemoryPool
from virtcim.providers.Virt_DevicePool.Virt_NetworkPool import NetworkPool
from virtcim.providers.Virt_DevicePool.Virt_ProcessorPool import ProcessorPool

__all__ = ["POOLS", "POOL_TYPES", "STORAGE_POOLS", "DevicePoolProvider", "find_pool", "pool_for", "pools_of"]

PoolType = TypeVar("PoolType", bound=DevicePool)

POOL_TYPES: tuple[type[DevicePool], ...] = (
    ProcessorPool,
    MemoryPool,
    NetworkPool,
    DiskPool,
    GraphicsPool,
    InputPool,
    ControllerPool,
)
"""In the order in which libvirt-cim lists all pools."""


class DevicePoolProvider(ElementProvider):
    """Serves <prefix>_DiskPool, <prefix>_NetworkPool and the other classes of pools."""

    name = "Virt_DevicePool"
    types: ClassVar = POOL_TYPES


_BY_KIND = {each.kind: each for each in POOL_TYPES}


def pools_of(site: Site, platform: Platform) -> Sequence[DevicePool]:
    """All pools of a platform."""
    return [pool for each in POOL_TYPES for pool in each.all_of(site, platform)]


def pool_for(guest: Guest, entry: DeviceEntry) -> DevicePool | None:
    """The pool that a resource of a guest is taken from; None where it is taken from none.

    The one place where membership is decided: of the device as of its settings.
    """
    pool_type = _BY_KIND.get(entry.kind)
    if pool_type is None:
        return None
    return pool_type.place_of(guest, entry, pool_type.pools_on(Place(guest.site, guest.platform)))


def find_pool(site: Site, platform: Platform, instance_id: str) -> DevicePool:
    """The pool with this InstanceID; names of networks and storage pools in libvirt's spelling.

    Raises:
        CIMError: NOT_FOUND when there is none.
    """
    for pool_type in POOL_TYPES if site.hypervisors(platform) else ():
        pool = pool_type.with_key(site, platform, instance_id)
        if pool is not None:
            return pool
    raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id.partition('/')[2]})")


class PoolSourceOf(Source[PoolType]):
    """The pools of some types: what is made for each of them.

    Parameters:
        types: the types.
    """

    def __init__(self, *types: type[PoolType]) -> None:
        self._types = types
        self.records = tuple(record for each in types for record in each.source.records)

    def owners(self, site: Site, platform: Platform) -> Sequence[PoolType]:
        return [pool for each in self._types for pool in each.all_of(site, platform)]

    def owners_of(self, site: Site, platform: Platform, record: Record) -> Sequence[PoolType]:
        return [pool for each in self._types for pool in each.source.instances_of(site, platform, record, each)]


POOLS = PoolSourceOf(*POOL_TYPES)
STORAGE_POOLS = PoolSourceOf(DiskPool)

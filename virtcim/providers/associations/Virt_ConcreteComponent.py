"""<prefix>_ConcreteComponent: a pool and the devices of the host it consists of (CIM_ConcreteComponent; DSP1041)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.site import Site
from virtcim.providers.Virt_DevicePool import (
    DevicePool,
    DiskPool,
    MemoryPool,
    NetworkPool,
    ProcessorPool,
    pool_types,
    pools_of,
)
from virtcim.providers.Virt_HostDevice import (
    HOST_DEVICE_TYPES,
    HostDevice,
    HostDisk,
    HostMemory,
    HostNetworkPort,
    HostProcessor,
)
from virtcim.providers.Virt_HostSystem import host_name, hosts_of
from virtcim.providers.Virt_StorageVolume import StorageVolume, volumes_of

__all__ = ["concrete_component"]

_MADE_OF: dict[type[DevicePool], type[HostDevice[object]]] = {
    ProcessorPool: HostProcessor,
    MemoryPool: HostMemory,
    NetworkPool: HostNetworkPort,
    DiskPool: HostDisk,
}
"""What the pools of each kind consist of, as far as the host's devices go."""


def _consists_of(pool: DevicePool, device: HostDevice[object]) -> bool:
    """Whether a device of the pool's host is a part of the pool; all of its kind are of the primordial pool."""
    if pool.primordial:
        return True
    if isinstance(pool, NetworkPool) and isinstance(device, HostNetworkPort):
        return device.device.net_interface in pool.config.host_interfaces
    if isinstance(pool, DiskPool) and isinstance(device, HostDisk):
        paths = (device.device.storage_block, *device.device.devnodes)
        return not set(pool.config.source_device_paths).isdisjoint(paths)
    return False


def concrete_component(site: Site) -> Relation:
    """The association."""

    def parts(pool: DevicePool) -> Iterable[Element]:
        device_type = _MADE_OF.get(type(pool))
        for host in hosts_of(site, pool.platform):
            if device_type is not None and host.name == host_name(pool.hypervisor):
                yield from (device for device in device_type.made_from(host) if _consists_of(pool, device))
        yield from volumes_of(pool)

    def pools(part: HostDevice[object] | StorageVolume) -> Iterable[DevicePool]:
        if isinstance(part, StorageVolume):
            return (part.pool,)
        return (
            pool
            for pool in pools_of(site, part.platform)
            if _MADE_OF.get(type(pool)) is type(part)
            and host_name(pool.hypervisor) == part.host.name
            and _consists_of(pool, part)
        )

    return Relation(
        site,
        "ConcreteComponent",
        Role("GroupComponent", pool_types(site)),
        Role("PartComponent", (*HOST_DEVICE_TYPES, StorageVolume)),
        to_right=parts,
        to_left=pools,
    )

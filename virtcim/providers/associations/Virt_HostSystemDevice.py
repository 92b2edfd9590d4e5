"""<prefix>_HostSystemDevice: a host, its devices and its storage volumes (CIM_SystemDevice; DSP1042)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.site import Site
from virtcim.providers.Virt_DevicePool import DiskPool
from virtcim.providers.Virt_HostDevice import HOST_DEVICE_TYPES, HostDevice, host_devices
from virtcim.providers.Virt_HostSystem import HostSystem, host_name, hosts_of
from virtcim.providers.Virt_StorageVolume import StorageVolume, volumes_of

__all__ = ["host_system_device"]


def host_system_device(site: Site) -> Relation:
    """The association."""

    def devices(host: HostSystem) -> Iterable[Element]:
        yield from host_devices(host)
        for pool in DiskPool.all_of(site, host.platform):
            if host_name(pool.hypervisor) == host.name:
                yield from volumes_of(pool)

    def host(device: HostDevice[object] | StorageVolume) -> Iterable[HostSystem]:
        name = device.host_name if isinstance(device, StorageVolume) else device.host.name
        return (host for host in hosts_of(site, device.platform) if host.name == name)

    return Relation(
        site,
        "HostSystemDevice",
        Role("GroupComponent", (HostSystem,)),
        Role("PartComponent", (*HOST_DEVICE_TYPES, StorageVolume)),
        to_right=devices,
        to_left=host,
    )

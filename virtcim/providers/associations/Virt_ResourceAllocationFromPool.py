"""<prefix>_ResourceAllocationFromPool: a pool and the settings of what is taken from it (DSP1041)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_DevicePool import POOL_TYPES, DevicePool, DiskPool, pool_for
from virtcim.providers.Virt_RASD import ResourceSetting, settings_of
from virtcim.providers.Virt_StorageVolumeRASD import VolumeSetting, volume_settings_of

__all__ = ["resource_allocation_from_pool", "volume_allocation_from_pool"]

_SETTING_TYPES = tuple(ResourceSetting.types[pool_type.kind] for pool_type in POOL_TYPES)
"""The settings of what is taken from pools: text consoles and devices without a class of their own are not."""


def resource_allocation_from_pool(site: Site) -> Relation:
    """The association."""

    def settings(pool: DevicePool) -> Iterable[ResourceSetting[object]]:
        setting_type = ResourceSetting.types[pool.kind]
        for guest in site.guests(pool.platform):
            if guest.hypervisor is pool.hypervisor:
                for configuration in guest.configurations:
                    for setting in settings_of(configuration, setting_type):
                        if pool_for(guest, setting.entry) is pool:
                            yield setting

    def pools(setting: ResourceSetting[object]) -> Iterable[DevicePool]:
        pool = pool_for(setting.guest, setting.entry)
        return () if pool is None else (pool,)

    return Relation(
        site,
        "ResourceAllocationFromPool",
        Role("Antecedent", POOL_TYPES),
        Role("Dependent", _SETTING_TYPES),
        to_right=settings,
        to_left=pools,
    )


def volume_allocation_from_pool(site: Site) -> Relation:
    """The association of storage pools with the settings of their volumes."""

    def settings(pool: DiskPool) -> Iterable[VolumeSetting]:
        found = volume_settings_of(site, pool.platform).values()
        return (setting for setting in found if setting.volume.pool.instance_id == pool.instance_id)

    return Relation(
        site,
        "ResourceAllocationFromPool",
        Role("Antecedent", (DiskPool,)),
        Role("Dependent", (VolumeSetting,)),
        to_right=settings,
        to_left=lambda setting: (setting.volume.pool,),
    )

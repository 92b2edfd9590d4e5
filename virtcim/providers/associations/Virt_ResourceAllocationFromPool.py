"""<prefix>_ResourceAllocationFromPool: a pool and the settings of what is taken from it (DSP1041)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_DevicePool import POOL_TYPES, DevicePool, DiskPool, pool_for
from virtcim.providers.Virt_RASD import ResourceSetting, setting_type
from virtcim.providers.Virt_StorageVolumeRASD import VolumeSetting, volume_settings_of

__all__ = ["resource_allocation_from_pool", "volume_allocation_from_pool"]

_SETTING_TYPES = tuple(setting_type(each.kind) for each in POOL_TYPES)
"""The settings of what is taken from pools: text consoles and devices without a class of their own are not."""


def resource_allocation_from_pool(site: Site) -> Relation:
    """The association."""

    def settings(pool: DevicePool) -> Iterable[ResourceSetting[object]]:
        taken = setting_type(pool.kind)
        for guest in site.guests(pool.platform):
            if guest.hypervisor is pool.hypervisor:
                yield from (each for each in taken.made_from(guest) if pool_for(guest, each.entry) is pool)

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

"""<prefix>_ResourceAllocationFromPool: a pool and the settings of what is taken from it (DSP1041)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.guests import all_guests
from virtcim.providers.site import Site
from virtcim.providers.Virt_DevicePool import DevicePool, DiskPool, kind_of, pool_for, pool_types
from virtcim.providers.Virt_RASD import ResourceSetting
from virtcim.providers.Virt_StorageVolumeRASD import VolumeSetting, volume_settings_of

__all__ = ["resource_allocation_from_pool", "volume_allocation_from_pool"]


def resource_allocation_from_pool(site: Site) -> Relation:
    """The association."""

    def settings(pool: DevicePool) -> Iterable[ResourceSetting[object]]:
        taken: type[ResourceSetting[object]] = kind_of(pool).setting
        for guest in all_guests(site, pool.platform):
            if guest.hypervisor is pool.hypervisor:
                mine = taken.made_from(guest)
                yield from (each for each in mine if _is_taken(each) and pool_for(guest, each.entry) is pool)

    def pools(setting: ResourceSetting[object]) -> Iterable[DevicePool]:
        pool = pool_for(setting.guest, setting.entry) if _is_taken(setting) else None
        return () if pool is None else (pool,)

    # Text consoles and devices without a class of their own are taken from no pool.
    types = tuple(kind.setting for kind in site.kinds if kind.pool is not None)
    return Relation(
        site,
        "ResourceAllocationFromPool",
        Role("Antecedent", pool_types(site)),
        Role("Dependent", types),
        to_right=settings,
        to_left=pools,
    )


def _is_taken(setting: ResourceSetting[object]) -> bool:
    """Whether a resource is allocated, or is going to be: what a guest had when a snapshot was taken is not."""
    return setting.configuration.snapshot is None


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

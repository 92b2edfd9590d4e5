"""<prefix>_ElementAllocatedFromPool: a pool, and the devices and pools taken from it (DSP1041).

The pool is the Antecedent; of two pools, that is the primordial one.
"""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.guests import all_guests
from virtcim.providers.site import Site
from virtcim.providers.Virt_Device import GuestDevice
from virtcim.providers.Virt_DevicePool import DevicePool, kind_of, pool_for, pool_types

__all__ = ["element_allocated_from_pool"]


def element_allocated_from_pool(site: Site) -> Relation:
    """The association."""

    def elements(pool: DevicePool) -> Iterable[Element]:
        taken: type[GuestDevice[object]] | None = kind_of(pool).device
        for guest in all_guests(site, pool.platform):
            if taken is not None and guest.hypervisor is pool.hypervisor:
                devices = taken.made_from(guest)
                yield from (device for device in devices if pool_for(guest, device.entry) is pool)
        if pool.primordial:
            children = type(pool).all_of(site, pool.platform)
            yield from (child for child in children if not child.primordial and child.hypervisor is pool.hypervisor)

    def pools(element: GuestDevice[object] | DevicePool) -> Iterable[DevicePool]:
        if isinstance(element, GuestDevice):
            found = pool_for(element.guest, element.entry)
        elif element.primordial:
            found = None
        else:
            found = element.pools.primordial(element.hypervisor)
        return () if found is None else (found,)

    # Text consoles are taken from no pool.
    devices = tuple(kind.device for kind in site.kinds if kind.pool is not None and kind.device is not None)
    return Relation(
        site,
        "ElementAllocatedFromPool",
        Role("Antecedent", pool_types(site)),
        Role("Dependent", (*devices, *pool_types(site))),
        to_right=elements,
        to_left=pools,
    )

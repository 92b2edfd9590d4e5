"""<prefix>_HostedResourcePool: a host and its pools (CIM_HostedResourcePool; DSP1041)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_DevicePool import DevicePool, pool_types, pools_of
from virtcim.providers.Virt_HostSystem import HostSystem, host_name, hosts_of

__all__ = ["hosted_resource_pool"]


def hosted_resource_pool(site: Site) -> Relation:
    """The association."""

    def pools(host: HostSystem) -> Iterable[DevicePool]:
        return (pool for pool in pools_of(site, host.platform) if host_name(pool.hypervisor) == host.name)

    def host(pool: DevicePool) -> Iterable[HostSystem]:
        return (host for host in hosts_of(site, pool.platform) if host.name == host_name(pool.hypervisor))

    return Relation(
        site,
        "HostedResourcePool",
        Role("GroupComponent", (HostSystem,)),
        Role("PartComponent", pool_types(site)),
        to_right=pools,
        to_left=host,
    )

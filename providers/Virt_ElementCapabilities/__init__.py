"""<prefix>_ElementCapabilities: an element, and what it can do (CIM_ElementCapabilities; DSP1043)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from providers.associations import Relation, Role
from providers.base import Element
from providers.site import Site
from providers.Virt_AllocationCapabilities import AllocationCapabilities, capabilities_of
from providers.Virt_DevicePool import POOL_TYPES, DevicePool, pools_of
from providers.Virt_HostSystem import HostSystem, host_name, hosts_of

__all__ = ["allocation_capabilities"]

_DEFAULT, _CURRENT = 2, 3


def allocation_capabilities(site: Site) -> Relation:
    """The association of pools and hosts with what can be allocated from the pools."""

    def capabilities(element: HostSystem | DevicePool) -> Iterable[AllocationCapabilities]:
        if isinstance(element, DevicePool):
            return (capabilities_of(element),)
        pools = pools_of(site, element.platform)
        return (capabilities_of(pool) for pool in pools if host_name(pool.hypervisor) == element.name)

    def elements(capabilities: AllocationCapabilities) -> Iterable[Element]:
        pool = capabilities.pool
        yield pool
        yield from (host for host in hosts_of(site, pool.platform) if host.name == host_name(pool.hypervisor))

    def characteristics(element: Element, _capabilities: AllocationCapabilities) -> Mapping[str, Any]:
        """Of a host they are what it can do by default; of a pool that, and what it can do now."""
        return {"Characteristics": (_DEFAULT,) if isinstance(element, HostSystem) else (_DEFAULT, _CURRENT)}

    return Relation(
        site,
        "ElementCapabilities",
        Role("ManagedElement", (HostSystem, *POOL_TYPES)),
        Role("Capabilities", (AllocationCapabilities,)),
        to_right=capabilities,
        to_left=elements,
        properties=characteristics,
    )

"""<prefix>_ElementCapabilities: an element, and what it can do (CIM_ElementCapabilities; DSP1043)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Pair, Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.services.capabilities import ServiceCapabilities
from virtcim.providers.services.service import HostService
from virtcim.providers.services.types import CAPABILITIES_TYPES
from virtcim.providers.site import Site
from virtcim.providers.Virt_AllocationCapabilities import AllocationCapabilities, capabilities_of
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_DevicePool import DevicePool, pool_types, pools_of
from virtcim.providers.Virt_EnabledLogicalElementCapabilities import StateCapabilities, state_capabilities_of
from virtcim.providers.Virt_HostSystem import HostSystem, host_name, hosts_of
from virtcim.providers.Virt_VirtualSystemSnapshotCapabilities import (
    GuestSnapshotCapabilities,
    snapshot_capabilities_of,
)

__all__ = ["allocation_capabilities", "service_capabilities", "snapshot_capabilities", "state_capabilities"]

_DEFAULT, _CURRENT = 2, 3


def _characteristics(pair: Pair) -> tuple[int, ...]:
    """Of a host they are what it can do by default; of a pool that, and what it can do now."""
    return (_DEFAULT,) if isinstance(pair.left, HostSystem) else (_DEFAULT, _CURRENT)


_OF_POOLS = PropertyTable(
    Property("Characteristics", _characteristics, "Default of a host; Default and Current of a pool")
)
_OF_ONE = PropertyTable(constant("Characteristics", (_DEFAULT, _CURRENT), "always Default and Current"))


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

    return Relation(
        site,
        "ElementCapabilities",
        Role("ManagedElement", (HostSystem, *pool_types(site))),
        Role("Capabilities", (AllocationCapabilities,)),
        to_right=capabilities,
        to_left=elements,
        table=_OF_POOLS,
    )


def service_capabilities(site: Site) -> Relation:
    """The association of services, and of the hosts that they are on, with what they can do."""

    def capabilities(element: HostSystem | HostService) -> Iterable[ServiceCapabilities]:
        for kind in CAPABILITIES_TYPES:
            if isinstance(element, HostSystem | kind.service):
                yield kind(site, element.platform)

    def elements(capabilities: ServiceCapabilities) -> Iterable[Element]:
        for host in capabilities.hosts:
            yield capabilities.service(host)
        yield from capabilities.hosts

    return Relation(
        site,
        "ElementCapabilities",
        Role("ManagedElement", (HostSystem, *(kind.service for kind in CAPABILITIES_TYPES))),
        Role("Capabilities", CAPABILITIES_TYPES),
        to_right=capabilities,
        to_left=elements,
        table=_OF_ONE,
    )


def state_capabilities(site: Site) -> Relation:
    """The association of guests with the states that can be asked of them."""

    def capabilities(system: ComputerSystem) -> Iterable[StateCapabilities]:
        return (state_capabilities_of(system.guest),)

    def systems(capabilities: StateCapabilities) -> Iterable[ComputerSystem]:
        return (system_of(capabilities.guest),)

    return Relation(
        site,
        "ElementCapabilities",
        Role("ManagedElement", (ComputerSystem,)),
        Role("Capabilities", (StateCapabilities,)),
        to_right=capabilities,
        to_left=systems,
        table=_OF_ONE,
    )


def snapshot_capabilities(site: Site) -> Relation:
    """The association of guests with the snapshots that can be taken of them."""

    def capabilities(system: ComputerSystem) -> Iterable[GuestSnapshotCapabilities]:
        return (snapshot_capabilities_of(system.guest),)

    def systems(capabilities: GuestSnapshotCapabilities) -> Iterable[ComputerSystem]:
        return (system_of(capabilities.guest),)

    return Relation(
        site,
        "ElementCapabilities",
        Role("ManagedElement", (ComputerSystem,)),
        Role("Capabilities", (GuestSnapshotCapabilities,)),
        to_right=capabilities,
        to_left=systems,
        table=_OF_ONE,
    )

"""<prefix>_ServiceAffectsElement: what a service acts upon (CIM_ServiceAffectsElement; DSP1041, 1042, 1053, 1076)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.site import Site
from virtcim.providers.Virt_BaseMetricDefinition import MetricDefinition, definitions_of
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_ConsoleRedirectionService import ConsoleRedirectionService
from virtcim.providers.Virt_Device import Controller, DisplayController, GuestDevice, PointingDevice
from virtcim.providers.Virt_DevicePool import DevicePool, DiskPool, NetworkPool, pools_of
from virtcim.providers.Virt_HostSystem import guests_on, host_name, host_of, hosts_of
from virtcim.providers.Virt_MetricService import MetricService
from virtcim.providers.Virt_ResourcePoolConfigurationService import ResourcePoolConfigurationService
from virtcim.providers.Virt_VirtualSystemManagementService import VirtualSystemManagementService

__all__ = ["console_redirection", "metric_collection", "pool_configuration", "system_management"]

_OTHER, _MANAGES = 1, 5
_REDIRECTED = (PointingDevice, DisplayController, Controller)
_REDIRECTION = PropertyTable(
    constant("ElementEffects", (_OTHER,), "always Other"),
    constant("OtherElementEffectsDescriptions", ("Console redirection",)),
)
_MANAGEMENT = PropertyTable(constant("ElementEffects", (_MANAGES,), "always Manages"))


def console_redirection(site: Site) -> Relation:
    """The association of guests, and of the devices that make a console, with the console service."""

    def services(element: ComputerSystem | GuestDevice[object]) -> Iterable[ConsoleRedirectionService]:
        return (ConsoleRedirectionService(host_of(element.guest)),)

    def elements(service: ConsoleRedirectionService) -> Iterable[Element]:
        # In the order of libvirt-cim.
        guests = tuple(guests_on(site, service.host))
        yield from map(system_of, guests)
        for guest in guests:
            for kind in _REDIRECTED:
                yield from kind.made_from(guest)

    return Relation(
        site,
        "ServiceAffectsElement",
        Role("AffectedElement", (ComputerSystem, *_REDIRECTED)),
        Role("AffectingElement", (ConsoleRedirectionService,)),
        to_right=services,
        to_left=elements,
        table=_REDIRECTION,
    )


def system_management(site: Site) -> Relation:
    """The association of guests with the service that defines, changes and removes them."""

    def services(system: ComputerSystem) -> Iterable[VirtualSystemManagementService]:
        return (VirtualSystemManagementService(host_of(system.guest)),)

    def systems(service: VirtualSystemManagementService) -> Iterable[ComputerSystem]:
        return (system_of(guest) for guest in guests_on(site, service.host))

    return Relation(
        site,
        "ServiceAffectsElement",
        Role("AffectedElement", (ComputerSystem,)),
        Role("AffectingElement", (VirtualSystemManagementService,)),
        to_right=services,
        to_left=systems,
        table=_MANAGEMENT,
    )


def pool_configuration(site: Site) -> Relation:
    """The association of networks and storage pools with the service that makes and removes them."""

    def services(pool: DevicePool) -> Iterable[ResourcePoolConfigurationService]:
        hosts = (host for host in hosts_of(site, pool.platform) if host.name == host_name(pool.hypervisor))
        return (ResourcePoolConfigurationService(host) for host in hosts)

    def pools(service: ResourcePoolConfigurationService) -> Iterable[DevicePool]:
        found = pools_of(site, service.platform)
        return (
            pool
            for pool in found
            if isinstance(pool, NetworkPool | DiskPool) and host_name(pool.hypervisor) == service.host.name
        )

    return Relation(
        site,
        "ServiceAffectsElement",
        Role("AffectedElement", (NetworkPool, DiskPool)),
        Role("AffectingElement", (ResourcePoolConfigurationService,)),
        to_right=services,
        to_left=pools,
        table=_MANAGEMENT,
    )


def metric_collection(site: Site) -> Relation:
    """The association of what can be measured with the service that measures."""

    def services(definition: MetricDefinition) -> Iterable[MetricService]:
        return (MetricService(host) for host in hosts_of(site, definition.platform))

    def definitions(service: MetricService) -> Iterable[MetricDefinition]:
        return definitions_of(site, service.platform)

    return Relation(
        site,
        "ServiceAffectsElement",
        Role("AffectedElement", (MetricDefinition,)),
        Role("AffectingElement", (MetricService,)),
        to_right=services,
        to_left=definitions,
        table=_MANAGEMENT,
    )

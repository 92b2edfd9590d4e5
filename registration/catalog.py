"""What is served where: one table, made of the providers themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from providers.associations import Relation
from providers.base import ElementProvider
from providers.interface import Catalog
from providers.site import Site
from providers.Virt_AllocationCapabilities import AllocationCapabilitiesProvider, TemplateProvider
from providers.Virt_ComputerSystem import ComputerSystemProvider
from providers.Virt_ConcreteComponent import concrete_component
from providers.Virt_Device import DeviceProvider
from providers.Virt_DevicePool import DevicePoolProvider
from providers.Virt_ElementAllocatedFromPool import element_allocated_from_pool
from providers.Virt_ElementCapabilities import allocation_capabilities
from providers.Virt_HostDevice import HostDeviceProvider
from providers.Virt_HostedDependency import hosted_dependency
from providers.Virt_HostedResourcePool import hosted_resource_pool
from providers.Virt_HostSystem import HostSystemProvider
from providers.Virt_HostSystemDevice import host_system_device
from providers.Virt_RASD import ResourceSettingProvider
from providers.Virt_ResourceAllocationFromPool import resource_allocation_from_pool
from providers.Virt_SettingsDefineCapabilities import allocation_settings
from providers.Virt_SettingsDefineState import settings_define_state
from providers.Virt_StorageVolume import StorageVolumeProvider
from providers.Virt_SystemDevice import system_device
from providers.Virt_VSSD import VirtualSystemSettingDataProvider
from providers.Virt_VSSDComponent import virtual_system_setting_data_component

__all__ = ["ASSOCIATIONS", "CIMV2", "INTEROP", "PROVIDERS", "build_catalog"]

INTEROP = "root/interop"
CIMV2 = "root/cimv2"

PROVIDERS: Sequence[Callable[[Site], ElementProvider]] = (
    HostSystemProvider,
    ComputerSystemProvider,
    DeviceProvider,
    VirtualSystemSettingDataProvider,
    ResourceSettingProvider,
    DevicePoolProvider,
    HostDeviceProvider,
    StorageVolumeProvider,
    AllocationCapabilitiesProvider,
    TemplateProvider,
)
ASSOCIATIONS: Sequence[Callable[[Site], Relation]] = (
    hosted_dependency,
    system_device,
    settings_define_state,
    virtual_system_setting_data_component,
    host_system_device,
    hosted_resource_pool,
    concrete_component,
    element_allocated_from_pool,
    resource_allocation_from_pool,
    allocation_capabilities,
    allocation_settings,
)


def build_catalog(site: Site) -> Catalog:
    """The catalog of a site.

    The instances live in the main namespace of the site's settings, `root/virt` unless set otherwise.  `root/interop`
    and `root/cimv2` are there for the clients that look there first.
    """
    main = site.settings.namespace
    providers = [make(site) for make in PROVIDERS]
    associations = [make(site) for make in ASSOCIATIONS]
    return Catalog(
        namespaces={main: providers, INTEROP: (), CIMV2: ()},
        associations={main: associations, INTEROP: (), CIMV2: ()},
        namespace_of={
            **{class_name: main for provider in providers for class_name in provider.class_names},
            **{class_name: main for association in associations for class_name in association.class_names},
        },
    )

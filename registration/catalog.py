"""What is served where: one table, made of the providers themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from providers.associations import Relation
from providers.base import ElementProvider
from providers.interface import Association, Catalog, InstanceProvider
from providers.site import Site
from providers.Virt_AffectedJobElement import affected_job_element
from providers.Virt_AllocationCapabilities import AllocationCapabilitiesProvider, TemplateProvider
from providers.Virt_AppliedFilterList import AppliedFilterLists
from providers.Virt_AssociatedJobMethodResult import associated_job_method_result
from providers.Virt_ComputerSystem import ComputerSystemProvider
from providers.Virt_ConcreteComponent import concrete_component
from providers.Virt_ConcreteJob import ConcreteJobProvider, MethodResultProvider
from providers.Virt_ConsoleRedirectionService import ConsoleRedirectionServiceProvider
from providers.Virt_ConsoleRedirectionServiceCapabilities import ConsoleRedirectionCapabilitiesProvider
from providers.Virt_Device import DeviceProvider
from providers.Virt_DevicePool import DevicePoolProvider
from providers.Virt_ElementAllocatedFromPool import element_allocated_from_pool
from providers.Virt_ElementCapabilities import allocation_capabilities, service_capabilities, state_capabilities
from providers.Virt_ElementConformsToProfile import element_conforms_to_profile
from providers.Virt_ElementSettingData import element_setting_data
from providers.Virt_EnabledLogicalElementCapabilities import StateCapabilitiesProvider
from providers.Virt_EntriesInFilterList import entries_in_filter_list
from providers.Virt_FilterEntry import FilterEntryProvider
from providers.Virt_FilterList import FilterListProvider
from providers.Virt_HostDevice import HostDeviceProvider
from providers.Virt_HostedAccessPoint import hosted_access_point
from providers.Virt_HostedDependency import hosted_dependency
from providers.Virt_HostedFilterList import hosted_filter_list
from providers.Virt_HostedResourcePool import hosted_resource_pool
from providers.Virt_HostedService import hosted_service
from providers.Virt_HostSystem import HostSystemProvider
from providers.Virt_HostSystemDevice import host_system_device
from providers.Virt_KVMRedirectionSAP import KVMRedirectionSAPProvider
from providers.Virt_NestedFilterList import NestedFilterLists
from providers.Virt_OwningJobElement import owning_job_element
from providers.Virt_RASD import ResourceSettingProvider
from providers.Virt_ReferencedProfile import referenced_profile
from providers.Virt_RegisteredProfile import RegisteredProfileProvider, profiles_of
from providers.Virt_ResourceAllocationFromPool import resource_allocation_from_pool, volume_allocation_from_pool
from providers.Virt_ResourcePoolConfigurationCapabilities import ResourcePoolConfigurationCapabilitiesProvider
from providers.Virt_ResourcePoolConfigurationService import ResourcePoolConfigurationProvider
from providers.Virt_SAPAvailableForElement import sap_available_for_element
from providers.Virt_ServiceAccessBySAP import service_access_by_sap
from providers.Virt_ServiceAffectsElement import console_redirection, pool_configuration, system_management
from providers.Virt_SettingsDefineCapabilities import allocation_settings, migration_settings
from providers.Virt_SettingsDefineState import settings_define_state, volume_settings
from providers.Virt_StorageVolume import StorageVolumeProvider
from providers.Virt_StorageVolumeRASD import VolumeSettingProvider
from providers.Virt_SwitchService import SwitchServiceProvider
from providers.Virt_SystemDevice import system_device
from providers.Virt_VirtualSystemManagementCapabilities import ManagementCapabilitiesProvider
from providers.Virt_VirtualSystemManagementService import VirtualSystemManagementServiceProvider
from providers.Virt_VirtualSystemSnapshotService import SnapshotServiceProvider
from providers.Virt_VirtualSystemSnapshotServiceCapabilities import SnapshotCapabilitiesProvider
from providers.Virt_VSMigrationCapabilities import MigrationCapabilitiesProvider
from providers.Virt_VSMigrationService import MigrationServiceProvider
from providers.Virt_VSMigrationSettingData import MigrationSettingDataProvider
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
    VolumeSettingProvider,
    AllocationCapabilitiesProvider,
    TemplateProvider,
    StateCapabilitiesProvider,
    VirtualSystemManagementServiceProvider,
    ManagementCapabilitiesProvider,
    MigrationServiceProvider,
    MigrationCapabilitiesProvider,
    MigrationSettingDataProvider,
    SnapshotServiceProvider,
    SnapshotCapabilitiesProvider,
    ConsoleRedirectionServiceProvider,
    ConsoleRedirectionCapabilitiesProvider,
    SwitchServiceProvider,
    ResourcePoolConfigurationProvider,
    ResourcePoolConfigurationCapabilitiesProvider,
    ConcreteJobProvider,
    MethodResultProvider,
    KVMRedirectionSAPProvider,
    FilterListProvider,
    FilterEntryProvider,
)
ASSOCIATIONS: Sequence[Callable[[Site], Relation]] = (
    hosted_dependency,
    system_device,
    settings_define_state,
    volume_settings,
    virtual_system_setting_data_component,
    element_setting_data,
    host_system_device,
    hosted_resource_pool,
    concrete_component,
    element_allocated_from_pool,
    resource_allocation_from_pool,
    volume_allocation_from_pool,
    allocation_capabilities,
    allocation_settings,
    migration_settings,
    service_capabilities,
    state_capabilities,
    hosted_service,
    owning_job_element,
    affected_job_element,
    associated_job_method_result,
    hosted_access_point,
    service_access_by_sap,
    sap_available_for_element,
    console_redirection,
    system_management,
    pool_configuration,
    hosted_filter_list,
    entries_in_filter_list,
    AppliedFilterLists,
    NestedFilterLists,
)


CIMV2_ASSOCIATIONS = frozenset(
    {
        "ElementCapabilities",
        "ElementConformsToProfile",
        "HostedAccessPoint",
        "HostedDependency",
        "HostedResourcePool",
        "HostedService",
    }
)
"""The association classes, without their prefix, that libvirt-cim registered in root/cimv2 as well."""


def build_catalog(site: Site) -> Catalog:
    """The catalog of a site.

    The instances live in the main namespace of the site's settings, `root/virt` unless set otherwise; the profiles
    that they follow live in `root/interop`, and the association between the two can be followed from both.
    `root/cimv2` shows the associations that libvirt-cim registered there.
    """
    main = site.settings.namespace
    providers = [make(site) for make in PROVIDERS]
    # Which profiles are followed depends on what is served.
    profiles_of(site, [element for provider in providers for element in provider.types])
    profile_providers = [RegisteredProfileProvider(site)]
    conformance = element_conforms_to_profile(site)
    profile_associations = [conformance, referenced_profile(site)]
    associations = [*(make(site) for make in ASSOCIATIONS), conformance]
    return Catalog(
        namespaces={main: providers, INTEROP: profile_providers, CIMV2: ()},
        associations={
            main: associations,
            INTEROP: profile_associations,
            CIMV2: [association for association in associations if association.base in CIMV2_ASSOCIATIONS],
        },
        namespace_of={
            **_homes(INTEROP, profile_providers, profile_associations),
            **_homes(main, providers, associations),
        },
    )


def _homes(
    namespace: str, providers: Iterable[InstanceProvider], associations: Iterable[Association]
) -> dict[str, str]:
    """Each class that these serve, with the namespace where its instances live."""
    names = [name for provider in providers for name in provider.class_names]
    names += [name for association in associations for name in association.class_names]
    return dict.fromkeys(names, namespace)

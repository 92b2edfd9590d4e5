"""What is served where: one table, made of the providers themselves."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial

from virtcim.immutable import immutable
from virtcim.providers.associations.relation import Relation
from virtcim.providers.associations.Virt_AffectedJobElement import affected_job_element
from virtcim.providers.associations.Virt_AppliedFilterList import AppliedFilterLists
from virtcim.providers.associations.Virt_AssociatedJobMethodResult import associated_job_method_result
from virtcim.providers.associations.Virt_CheckpointDependency import checkpoint_dependency
from virtcim.providers.associations.Virt_CheckpointOfVirtualSystem import checkpoint_of_virtual_system
from virtcim.providers.associations.Virt_ConcreteComponent import concrete_component
from virtcim.providers.associations.Virt_ElementAllocatedFromPool import element_allocated_from_pool
from virtcim.providers.associations.Virt_ElementCapabilities import (
    allocation_capabilities,
    service_capabilities,
    snapshot_capabilities,
    state_capabilities,
)
from virtcim.providers.associations.Virt_ElementConformsToProfile import element_conforms_to_profile
from virtcim.providers.associations.Virt_ElementSettingData import element_setting_data
from virtcim.providers.associations.Virt_EntriesInFilterList import entries_in_filter_list
from virtcim.providers.associations.Virt_HostedAccessPoint import hosted_access_point
from virtcim.providers.associations.Virt_HostedDependency import hosted_dependency
from virtcim.providers.associations.Virt_HostedFileSystem import hosted_file_system
from virtcim.providers.associations.Virt_HostedFilterList import hosted_filter_list
from virtcim.providers.associations.Virt_HostedResourcePool import hosted_resource_pool
from virtcim.providers.associations.Virt_HostedService import hosted_service
from virtcim.providers.associations.Virt_HostSystemDevice import host_system_device
from virtcim.providers.associations.Virt_InstalledOS import installed_os
from virtcim.providers.associations.Virt_LastAppliedSnapshot import last_applied_snapshot
from virtcim.providers.associations.Virt_MetricDefForME import metric_def_for_me
from virtcim.providers.associations.Virt_MetricForME import metric_for_me
from virtcim.providers.associations.Virt_MetricInstance import metric_instance
from virtcim.providers.associations.Virt_MostCurrentSnapshotInBranch import most_current_snapshot_in_branch
from virtcim.providers.associations.Virt_NestedFilterList import NestedFilterLists
from virtcim.providers.associations.Virt_OwningJobElement import owning_job_element
from virtcim.providers.associations.Virt_PortImplementsEndpoint import port_implements_endpoint
from virtcim.providers.associations.Virt_ReferencedProfile import referenced_profile
from virtcim.providers.associations.Virt_ResidesOnExtent import resides_on_extent
from virtcim.providers.associations.Virt_ResourceAllocationFromPool import (
    resource_allocation_from_pool,
    volume_allocation_from_pool,
)
from virtcim.providers.associations.Virt_RunningOS import running_os
from virtcim.providers.associations.Virt_SAPAvailableForElement import sap_available_for_element
from virtcim.providers.associations.Virt_ServiceAccessBySAP import service_access_by_sap
from virtcim.providers.associations.Virt_ServiceAffectsElement import (
    console_redirection,
    metric_collection,
    pool_configuration,
    system_management,
)
from virtcim.providers.associations.Virt_SettingsDefineCapabilities import allocation_settings, migration_settings
from virtcim.providers.associations.Virt_SettingsDefineState import settings_define_state, volume_settings
from virtcim.providers.associations.Virt_SnapshotDependency import snapshot_dependency
from virtcim.providers.associations.Virt_SnapshotOfVirtualSystem import snapshot_of_virtual_system
from virtcim.providers.associations.Virt_SystemDevice import system_device
from virtcim.providers.associations.Virt_VSSDComponent import virtual_system_setting_data_component
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import Association, Catalog, InstanceProvider
from virtcim.providers.lifecycle import own_indications
from virtcim.providers.site import Site
from virtcim.providers.Virt_AllocationCapabilities import AllocationCapabilitiesProvider, TemplateProvider
from virtcim.providers.Virt_BackupService import BackupServiceProvider
from virtcim.providers.Virt_BackupServiceCapabilities import BackupCapabilitiesProvider
from virtcim.providers.Virt_BaseMetricDefinition import MetricDefinitionProvider
from virtcim.providers.Virt_BaseMetricValue import MetricValueProvider
from virtcim.providers.Virt_Checkpoint import CheckpointProvider
from virtcim.providers.Virt_ComputerSystem import ComputerSystemProvider
from virtcim.providers.Virt_ConcreteJob import ConcreteJobProvider, MethodResultProvider
from virtcim.providers.Virt_ConsoleRedirectionService import ConsoleRedirectionServiceProvider
from virtcim.providers.Virt_ConsoleRedirectionServiceCapabilities import ConsoleRedirectionCapabilitiesProvider
from virtcim.providers.Virt_Device import DeviceProvider
from virtcim.providers.Virt_DevicePool import DevicePoolProvider
from virtcim.providers.Virt_EnabledLogicalElementCapabilities import StateCapabilitiesProvider
from virtcim.providers.Virt_FilterEntry import FilterEntryProvider
from virtcim.providers.Virt_FilterList import FilterListProvider
from virtcim.providers.Virt_HostDevice import HostDeviceProvider
from virtcim.providers.Virt_HostSystem import HostSystemProvider
from virtcim.providers.Virt_IPProtocolEndpoint import IPProtocolEndpointProvider
from virtcim.providers.Virt_KVMRedirectionSAP import KVMRedirectionSAPProvider
from virtcim.providers.Virt_LocalFileSystem import LocalFileSystemProvider
from virtcim.providers.Virt_MetricService import MetricServiceProvider
from virtcim.providers.Virt_MetricServiceCapabilities import MetricServiceCapabilitiesProvider
from virtcim.providers.Virt_OperatingSystem import OperatingSystemProvider
from virtcim.providers.Virt_RASD import ResourceSettingProvider
from virtcim.providers.Virt_RegisteredProfile import INTEROP, RegisteredProfileProvider, profiles_of
from virtcim.providers.Virt_ResourcePoolConfigurationCapabilities import (
    ResourcePoolConfigurationCapabilitiesProvider,
)
from virtcim.providers.Virt_ResourcePoolConfigurationService import ResourcePoolConfigurationProvider
from virtcim.providers.Virt_SettingField import SettingFieldProvider
from virtcim.providers.Virt_StorageVolume import StorageVolumeProvider
from virtcim.providers.Virt_StorageVolumeRASD import VolumeSettingProvider
from virtcim.providers.Virt_SwitchService import SwitchServiceProvider
from virtcim.providers.Virt_TextRedirectionSAP import TextRedirectionSAPProvider
from virtcim.providers.Virt_VirtualSystemManagementCapabilities import ManagementCapabilitiesProvider
from virtcim.providers.Virt_VirtualSystemManagementService import VirtualSystemManagementServiceProvider
from virtcim.providers.Virt_VirtualSystemSnapshotCapabilities import GuestSnapshotCapabilitiesProvider
from virtcim.providers.Virt_VirtualSystemSnapshotService import SnapshotServiceProvider
from virtcim.providers.Virt_VirtualSystemSnapshotServiceCapabilities import SnapshotCapabilitiesProvider
from virtcim.providers.Virt_VSMigrationCapabilities import MigrationCapabilitiesProvider
from virtcim.providers.Virt_VSMigrationService import MigrationServiceProvider
from virtcim.providers.Virt_VSMigrationSettingData import MigrationSettingDataProvider
from virtcim.providers.Virt_VSSD import VirtualSystemSettingDataProvider

__all__ = [
    "ASSOCIATIONS",
    "CIMV2",
    "INTEROP",
    "PROVIDERS",
    "SiteCatalogs",
    "build_catalog",
    "element_types",
    "indication_classes",
]

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
    GuestSnapshotCapabilitiesProvider,
    VirtualSystemManagementServiceProvider,
    ManagementCapabilitiesProvider,
    MigrationServiceProvider,
    MigrationCapabilitiesProvider,
    MigrationSettingDataProvider,
    SnapshotServiceProvider,
    SnapshotCapabilitiesProvider,
    CheckpointProvider,
    BackupServiceProvider,
    BackupCapabilitiesProvider,
    ConsoleRedirectionServiceProvider,
    ConsoleRedirectionCapabilitiesProvider,
    SwitchServiceProvider,
    ResourcePoolConfigurationProvider,
    ResourcePoolConfigurationCapabilitiesProvider,
    ConcreteJobProvider,
    MethodResultProvider,
    KVMRedirectionSAPProvider,
    IPProtocolEndpointProvider,
    OperatingSystemProvider,
    LocalFileSystemProvider,
    TextRedirectionSAPProvider,
    FilterListProvider,
    FilterEntryProvider,
    MetricDefinitionProvider,
    MetricValueProvider,
    SettingFieldProvider,
    MetricServiceProvider,
    MetricServiceCapabilitiesProvider,
)
ASSOCIATIONS: Sequence[Callable[[Site], Relation]] = (
    hosted_dependency,
    system_device,
    settings_define_state,
    volume_settings,
    virtual_system_setting_data_component,
    element_setting_data,
    snapshot_of_virtual_system,
    last_applied_snapshot,
    most_current_snapshot_in_branch,
    snapshot_dependency,
    checkpoint_of_virtual_system,
    checkpoint_dependency,
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
    snapshot_capabilities,
    hosted_service,
    owning_job_element,
    affected_job_element,
    associated_job_method_result,
    hosted_access_point,
    port_implements_endpoint,
    installed_os,
    running_os,
    hosted_file_system,
    resides_on_extent,
    service_access_by_sap,
    sap_available_for_element,
    console_redirection,
    system_management,
    pool_configuration,
    metric_collection,
    hosted_filter_list,
    entries_in_filter_list,
    AppliedFilterLists,
    NestedFilterLists,
    metric_def_for_me,
    metric_for_me,
    metric_instance,
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


INDICATIONS = ("CIM_InstCreation", "CIM_InstModification", "CIM_InstDeletion", "CIM_AlertIndication")
"""The DMTF's classes of indications that are raised beside our own."""


def build_catalog(*sites: Site) -> Catalog:
    """Build the catalog of all that is served.

    The instances of a site live in the namespace of the site.  The profiles that they follow live in `root/interop`,
    once for all sites, and the association between the two can be followed from both.  `root/cimv2` shows the
    associations of the first site that libvirt-cim registered there.

    Parameters:
        sites: the local node first; each in a namespace of its own.
    """
    return SiteCatalogs(sites).catalog()


@immutable
class SiteCatalog:
    """What is served of one site.

    Attributes:
        providers: of its namespace.
        links: the associations there.
        profile_links: the associations of profiles that can be followed from the namespace of profiles as well.
    """

    providers: Sequence[ElementProvider]
    links: Sequence[Relation]
    profile_links: Sequence[Association]


class SiteCatalogs:
    """The catalog of sites that come and go.

    Parameters:
        sites: the local node first, which stays.
        interop: providers of the namespace of profiles, beside that of profiles.
        interop_links: associations there, beside those of profiles.
    """

    def __init__(
        self,
        sites: Iterable[Site],
        interop: Sequence[InstanceProvider] = (),
        interop_links: Sequence[Association] = (),
    ) -> None:
        self._interop = interop
        self._interop_links = interop_links
        self._sites: list[Site] = list(sites)
        self._profiles = RegisteredProfileProvider(self._sites[0])
        self._catalogs: dict[Site, SiteCatalog] = {}
        self._by_namespace = _by_namespace(self._sites)
        self._changes = 0

    def show(self, sites: Iterable[Site]) -> None:
        """Show these sites from now on, the local one first; those that were there stay as they are."""
        # In place: what is registered in the namespace of profiles follows from all sites that there are.
        self._sites[:] = sites
        self._catalogs = {site: made for site, made in self._catalogs.items() if site in self._sites}
        self._by_namespace = _by_namespace(self._sites)
        self._changes += 1

    def catalog(self) -> Catalog:
        """Make the catalog of the sites that there are now; its revision goes on to tell of those to come."""
        namespaces: dict[str, Sequence[InstanceProvider]] = {}
        associations: dict[str, Sequence[Association]] = {}
        profile_links: list[Association] = [*self._interop_links]
        for site in self._sites:
            made = self._catalogs.get(site) or self._catalogs.setdefault(site, self._of(site))
            namespaces[site.namespace], associations[site.namespace] = made.providers, made.links
            associations.setdefault(CIMV2, [each for each in made.links if each.base in CIMV2_ASSOCIATIONS])
            profile_links += made.profile_links
        namespaces |= {INTEROP: [self._profiles, *self._interop], CIMV2: ()}
        return Catalog(
            namespaces,
            {**associations, INTEROP: profile_links},
            revision=self._revision,
            hidden=partial(_hidden, {site.namespace: site for site in self._sites}),
        )

    def _of(self, site: Site) -> SiteCatalog:
        site.nodes = self._sites
        providers = [make(site) for make in PROVIDERS]
        # Which profiles are followed depends on what is served.
        profiles_of(site, [element for provider in providers for element in provider.types], self._sites)
        site.serve((*providers, self._profiles))
        conformance = element_conforms_to_profile(site)
        links = [*(make(site) for make in ASSOCIATIONS), conformance]
        return SiteCatalog(providers, links, [conformance, referenced_profile(site)])

    def _revision(self, namespace: str) -> Hashable:
        """The revision of a namespace: that of its site, or those of all where it is none of a site."""
        site = self._by_namespace.get(namespace.strip("/").lower())
        if site is not None:
            return self._changes, site.revision()
        return (self._changes, *[each.revision() for each in self._sites])


def _by_namespace(sites: Iterable[Site]) -> Mapping[str, Site]:
    return {site.namespace.lower(): site for site in sites}


def _hidden(sites: Mapping[str, Site], namespace: str) -> frozenset[str]:
    """The platforms that a namespace does not show: those of its site, or those of all sites where it has none."""
    site = sites.get(namespace)
    if site is not None:
        return site.hidden
    return frozenset[str].intersection(*(each.hidden for each in sites.values()))


def element_types(catalog: Catalog) -> list[type[Element]]:
    """The element types that a catalog serves, each once."""
    providers = [provider for group in catalog.namespaces.values() for provider in group]
    served = [each for provider in providers if isinstance(provider, ElementProvider) for each in provider.types]
    return list(dict.fromkeys(served))


def indication_classes(site: Site, catalog: Catalog, *more: Site) -> dict[str, list[str]]:
    """The classes of indications that are raised in each namespace, by namespace.

    Parameters:
        site, more: the sites that are served.
    """
    types = element_types(catalog)
    return {each.namespace: [*INDICATIONS, *own_indications(each, types)] for each in (site, *more)}

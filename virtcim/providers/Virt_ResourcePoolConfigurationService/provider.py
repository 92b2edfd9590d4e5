"""The provider of the service for pools, and what its methods do."""

from __future__ import annotations

from virtcim.providers.interface import MethodResult, RequestContext
from virtcim.providers.methods import Method, Parameters
from virtcim.providers.services.service import SERVICE_METHODS, HostServiceProvider
from virtcim.providers.Virt_ResourcePoolConfigurationService.pools import (
    create_child_resource_pool,
    delete_resource_pool,
)
from virtcim.providers.Virt_ResourcePoolConfigurationService.transfers import download_volume, upload_volume
from virtcim.providers.Virt_ResourcePoolConfigurationService.Virt_ResourcePoolConfigurationService import (
    PoolCode,
    ResourcePoolConfigurationService,
)
from virtcim.providers.Virt_ResourcePoolConfigurationService.volumes import (
    create_resource_in_pool,
    delete_resource_in_pool,
    refresh_resources_in_pool,
    resize_volume,
    wipe_volume,
)

__all__ = ["ResourcePoolConfigurationProvider"]

_CREATE_CHILD_RESOURCE_POOL, _DELETE_RESOURCE_POOL = 3, 4
"""SynchronousMethodsSupported and AsynchronousMethodsSupported of the capabilities."""


def _not_supported(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """libvirt has no way to move resources of the host between pools: a pool gets all that it has when it is made."""
    return MethodResult(PoolCode.NOT_SUPPORTED)


ResourcePoolConfigurationService.methods = (
    Method("CreateResourcePool", _not_supported),
    Method(
        "CreateChildResourcePool",
        create_child_resource_pool,
        may_be_job=True,
        capability=_CREATE_CHILD_RESOURCE_POOL,
    ),
    Method("DeleteResourcePool", delete_resource_pool, may_be_job=True, capability=_DELETE_RESOURCE_POOL),
    Method("AddResourcesToResourcePool", _not_supported),
    Method("RemoveResourcesFromResourcePool", _not_supported),
    Method("ChangeParentResourcePool", _not_supported),
    Method("CreateResourceInPool", create_resource_in_pool, may_be_job=True),
    Method("DeleteResourceInPool", delete_resource_in_pool, may_be_job=True),
    Method("RefreshResourcesInPool", refresh_resources_in_pool, may_be_job=True),
    Method("ResizeVolume", resize_volume, may_be_job=True),
    Method("WipeVolume", wipe_volume, may_be_job=True),
    Method("UploadVolume", upload_volume, may_be_job=True),
    Method("DownloadVolume", download_volume, may_be_job=True),
    *SERVICE_METHODS,
)


class ResourcePoolConfigurationProvider(HostServiceProvider):
    """Serves <prefix>_ResourcePoolConfigurationService."""

    name = "Virt_ResourcePoolConfigurationService"
    types = (ResourcePoolConfigurationService,)

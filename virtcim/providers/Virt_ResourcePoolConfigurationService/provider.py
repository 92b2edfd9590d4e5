"""The provider: finding the service, and which method does what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, cast

from virtcim.providers.interface import CIMError, MethodResult, RequestContext, Status
from virtcim.providers.services.service import HostServiceProvider
from virtcim.providers.Virt_ResourcePoolConfigurationService.pools import (
    create_child_resource_pool,
    delete_resource_pool,
)
from virtcim.providers.Virt_ResourcePoolConfigurationService.service import (
    PoolCode,
    ResourcePoolConfigurationService,
)
from virtcim.providers.Virt_ResourcePoolConfigurationService.transfers import download_volume, upload_volume
from virtcim.providers.Virt_ResourcePoolConfigurationService.volumes import (
    create_resource_in_pool,
    delete_resource_in_pool,
    refresh_resources_in_pool,
    resize_volume,
    wipe_volume,
)

__all__ = ["ResourcePoolConfigurationProvider"]

Method = Callable[[ResourcePoolConfigurationService, Mapping[str, Any], RequestContext], MethodResult]


def _not_supported(
    service: ResourcePoolConfigurationService, parameters: Mapping[str, Any], context: RequestContext
) -> MethodResult:
    """libvirt has no way to move resources of the host between pools: a pool gets all that it has when it is made."""
    return MethodResult(PoolCode.NOT_SUPPORTED)


_METHODS: Mapping[str, Method] = {
    "CreateResourcePool": _not_supported,
    "CreateChildResourcePool": create_child_resource_pool,
    "DeleteResourcePool": delete_resource_pool,
    "AddResourcesToResourcePool": _not_supported,
    "RemoveResourcesFromResourcePool": _not_supported,
    "ChangeParentResourcePool": _not_supported,
    "CreateResourceInPool": create_resource_in_pool,
    "DeleteResourceInPool": delete_resource_in_pool,
    "RefreshResourcesInPool": refresh_resources_in_pool,
    "ResizeVolume": resize_volume,
    "WipeVolume": wipe_volume,
    "UploadVolume": upload_volume,
    "DownloadVolume": download_volume,
}


class ResourcePoolConfigurationProvider(HostServiceProvider):
    """Serves <prefix>_ResourcePoolConfigurationService."""

    types: ClassVar = (ResourcePoolConfigurationService,)

    def methods(self) -> Collection[str]:
        return (*_METHODS, *super().methods())

    def invoke_method(
        self,
        class_name: str,
        keys: Mapping[str, Any] | None,
        method: str,
        parameters: Mapping[str, Any],
        context: RequestContext,
    ) -> MethodResult:
        action = _METHODS.get(method)
        if action is None:
            return super().invoke_method(class_name, keys, method, parameters, context)
        return action(self._service(class_name, keys), parameters, context)

    def _service(self, class_name: str, keys: Mapping[str, Any] | None) -> ResourcePoolConfigurationService:
        """The service that is meant: invoked on the class, the first there is, as clients of libvirt-cim do."""
        if keys is not None:
            return cast(ResourcePoolConfigurationService, self.element(class_name, keys))
        platform, service = self.resolve(class_name)
        for found in service.all_of(self.site, platform):
            return cast(ResourcePoolConfigurationService, found)
        raise CIMError(Status.NOT_FOUND, "No such instance")

"""What the service for pools can do: <prefix>_ResourcePoolConfigurationCapabilities (DSP1041)."""

from __future__ import annotations

from typing import ClassVar

from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_ResourcePoolConfigurationService import ResourcePoolConfigurationService

__all__ = ["ResourcePoolConfigurationCapabilities", "ResourcePoolConfigurationCapabilitiesProvider"]

_CREATE_CHILD_RESOURCE_POOL, _DELETE_RESOURCE_POOL = 3, 4


class ResourcePoolConfigurationCapabilities(ServiceCapabilities):
    """What ResourcePoolConfigurationService can do."""

    __slots__ = ()

    base = "ResourcePoolConfigurationCapabilities"
    instance_id = "RPCC"
    service = ResourcePoolConfigurationService


def _methods(capabilities: ResourcePoolConfigurationCapabilities) -> list[int]:
    """Each method does its work at once where it is quick, and as a job where it is not."""
    if all(hypervisor.read_only for hypervisor in capabilities.hypervisors):
        return []
    return [_CREATE_CHILD_RESOURCE_POOL, _DELETE_RESOURCE_POOL]


ResourcePoolConfigurationCapabilities.table = PropertyTable(
    CAPABILITIES,
    Property("SynchronousMethodsSupported", _methods, "what the service has; nothing over read-only connections"),
    Property("AsynchronousMethodsSupported", _methods, "as SynchronousMethodsSupported"),
)


class ResourcePoolConfigurationCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_ResourcePoolConfigurationCapabilities."""

    types: ClassVar = (ResourcePoolConfigurationCapabilities,)

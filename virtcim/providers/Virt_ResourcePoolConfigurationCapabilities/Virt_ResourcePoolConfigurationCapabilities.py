"""What the service for pools can do: <prefix>_ResourcePoolConfigurationCapabilities (DSP1041)."""

from __future__ import annotations

from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_ResourcePoolConfigurationService import ResourcePoolConfigurationService

__all__ = ["ResourcePoolConfigurationCapabilities", "ResourcePoolConfigurationCapabilitiesProvider"]


class ResourcePoolConfigurationCapabilities(ServiceCapabilities):
    """What ResourcePoolConfigurationService can do (Virt_ResourcePoolConfigurationCapabilities)."""

    __slots__ = ()

    base = "ResourcePoolConfigurationCapabilities"
    instance_id = "RPCC"
    service = ResourcePoolConfigurationService


ResourcePoolConfigurationCapabilities.table = PropertyTable(
    CAPABILITIES,
    Property(
        "SynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(),
        "what the service has; nothing over read-only connections",
    ),
    Property(
        "AsynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(as_jobs=True),
        "as SynchronousMethodsSupported",
    ),
)


class ResourcePoolConfigurationCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_ResourcePoolConfigurationCapabilities."""

    name = "Virt_ResourcePoolConfigurationCapabilities"
    types = (ResourcePoolConfigurationCapabilities,)

"""What the service for pools can do: <prefix>_ResourcePoolConfigurationCapabilities (DSP1041)."""

from virtcim.providers.Virt_ResourcePoolConfigurationCapabilities.Virt_ResourcePoolConfigurationCapabilities import (
    ResourcePoolConfigurationCapabilities,
    ResourcePoolConfigurationCapabilitiesProvider,
)

__all__ = ["ResourcePoolConfigurationCapabilities", "ResourcePoolConfigurationCapabilitiesProvider"]

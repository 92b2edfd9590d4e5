"""The service that makes, changes and removes storage pools, networks and volumes (DSP1041)."""

from __future__ import annotations

from virtcim.providers.Virt_ResourcePoolConfigurationService.provider import ResourcePoolConfigurationProvider
from virtcim.providers.Virt_ResourcePoolConfigurationService.Virt_ResourcePoolConfigurationService import (
    ResourcePoolConfigurationService,
)

__all__ = ["ResourcePoolConfigurationProvider", "ResourcePoolConfigurationService"]

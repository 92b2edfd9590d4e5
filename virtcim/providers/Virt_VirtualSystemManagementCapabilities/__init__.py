"""What the management service can do, as <prefix>_VirtualSystemManagementCapabilities (DSP1042)."""

from virtcim.providers.Virt_VirtualSystemManagementCapabilities.Virt_VirtualSystemManagementCapabilities import (
    ManagementCapabilities,
    ManagementCapabilitiesProvider,
)

__all__ = ["ManagementCapabilities", "ManagementCapabilitiesProvider"]

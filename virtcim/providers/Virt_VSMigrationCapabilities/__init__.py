"""What the migration service can do, as <prefix>_VirtualSystemMigrationCapabilities (DSP1081)."""

from virtcim.providers.Virt_VSMigrationCapabilities.Virt_VirtualSystemMigrationCapabilities import (
    MigrationCapabilities,
    MigrationCapabilitiesProvider,
)

__all__ = ["MigrationCapabilities", "MigrationCapabilitiesProvider"]

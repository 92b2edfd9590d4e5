"""The migration service of a host as <prefix>_VirtualSystemMigrationService (DSP1081)."""

from virtcim.providers.Virt_VSMigrationService.Virt_VirtualSystemMigrationService import (
    MigrationService,
    MigrationServiceProvider,
)

__all__ = ["MigrationService", "MigrationServiceProvider"]

"""The migration service of a host as <prefix>_VirtualSystemMigrationService (DSP1081)."""

from virtcim.providers.Virt_VSMigrationService.provider import MigrationServiceProvider
from virtcim.providers.Virt_VSMigrationService.Virt_VirtualSystemMigrationService import MigrationService

__all__ = ["MigrationService", "MigrationServiceProvider"]

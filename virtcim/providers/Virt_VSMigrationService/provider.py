"""The provider of the migration service."""

from __future__ import annotations

from virtcim.providers.services.service import SERVICE_METHODS, HostServiceProvider
from virtcim.providers.Virt_VSMigrationService.methods import METHODS
from virtcim.providers.Virt_VSMigrationService.Virt_VirtualSystemMigrationService import MigrationService

__all__ = ["MigrationServiceProvider"]

MigrationService.methods = (*METHODS, *SERVICE_METHODS)


class MigrationServiceProvider(HostServiceProvider):
    """Serves <prefix>_VirtualSystemMigrationService."""

    name = "Virt_VSMigrationService"
    types = (MigrationService,)

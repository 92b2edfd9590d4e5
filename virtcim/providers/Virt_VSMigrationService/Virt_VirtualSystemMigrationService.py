"""The migration service of a host as <prefix>_VirtualSystemMigrationService (DSP1081)."""

from __future__ import annotations

from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.service import SERVICE, HostService, HostServiceProvider

__all__ = ["MigrationService", "MigrationServiceProvider"]


class MigrationService(HostService):
    """Moves guests to other hosts (Virt_VirtualSystemMigrationService)."""

    __slots__ = ()

    base = "VirtualSystemMigrationService"
    service_name = "MigrationService"
    table = PropertyTable(SERVICE, constant("Caption", "Migration of virtual systems", "a fixed text"))


class MigrationServiceProvider(HostServiceProvider):
    """Serves <prefix>_VirtualSystemMigrationService."""

    name = "Virt_VSMigrationService"
    types = (MigrationService,)

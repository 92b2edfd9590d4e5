"""The migration service of a host as <prefix>_VirtualSystemMigrationService (DSP1081)."""

from __future__ import annotations

import enum

from virtcim.platforms.base import Feature
from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.service import SERVICE, HostService

__all__ = ["MigrationCode", "MigrationService"]


class MigrationCode(enum.IntEnum):
    """The return codes of the service (CIM_VirtualSystemMigrationService)."""

    COMPLETED = 0
    NOT_SUPPORTED = 1
    FAILED = 2
    TIMEOUT = 3
    INVALID_PARAMETER = 4
    INVALID_STATE = 5
    INCOMPATIBLE_PARAMETERS = 6


class MigrationService(HostService):
    """Moves guests to other hosts (Virt_VirtualSystemMigrationService)."""

    __slots__ = ()

    base = "VirtualSystemMigrationService"
    service_name = "MigrationService"
    table = PropertyTable(SERVICE, constant("Caption", "Migration of virtual systems", "a fixed text"))

    @property
    def can_migrate(self) -> bool:
        """Whether guests of its platform can be moved at all."""
        return self.platform.supports(Feature.MIGRATION)

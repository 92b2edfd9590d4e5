"""The backup service of a host as <prefix>_BackupService, in the style of the DMTF's services for virtual systems."""

from __future__ import annotations

import enum

from virtcim.platforms.base import Feature
from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.service import SERVICE, HostService

__all__ = ["BackupCode", "BackupMode", "BackupService"]


class BackupCode(enum.IntEnum):
    """The return codes of the service (Virt_BackupService)."""

    COMPLETED = 0
    NOT_SUPPORTED = 1
    FAILED = 2
    TIMEOUT = 3
    INVALID_PARAMETER = 4
    INVALID_STATE = 5


class BackupMode(enum.IntEnum):
    """Virt_BackupService.StartBackup.BackupMode: written into volumes, or read over NBD."""

    PUSH = 2
    PULL = 3


class BackupService(HostService):
    """Makes checkpoints and backups of guests (Virt_BackupService)."""

    __slots__ = ()

    base = "BackupService"
    service_name = "BackupService"
    table = PropertyTable(SERVICE, constant("Caption", "Checkpoints and backups of virtual systems", "a fixed text"))

    @property
    def can_back_up(self) -> bool:
        """Whether guests of its platform can be backed up at all."""
        return self.platform.supports(Feature.BACKUPS)

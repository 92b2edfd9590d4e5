"""The provider of the service for backups, and what its methods do."""

from __future__ import annotations

from virtcim.providers.services.service import SERVICE_METHODS, HostServiceProvider
from virtcim.providers.Virt_BackupService.methods import METHODS
from virtcim.providers.Virt_BackupService.Virt_BackupService import BackupService

__all__ = ["BackupServiceProvider"]

BackupService.methods = (*METHODS, *SERVICE_METHODS)


class BackupServiceProvider(HostServiceProvider):
    """Serves <prefix>_BackupService."""

    name = "Virt_BackupService"
    types = (BackupService,)

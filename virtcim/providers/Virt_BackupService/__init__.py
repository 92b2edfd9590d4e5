"""The backup service of a host as <prefix>_BackupService."""

from __future__ import annotations

from virtcim.providers.Virt_BackupService.provider import BackupServiceProvider
from virtcim.providers.Virt_BackupService.Virt_BackupService import BackupCode, BackupMode, BackupService

__all__ = ["BackupCode", "BackupMode", "BackupService", "BackupServiceProvider"]

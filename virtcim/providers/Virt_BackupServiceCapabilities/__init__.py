"""What the backup service can do, as <prefix>_BackupServiceCapabilities."""

from __future__ import annotations

from .Virt_BackupServiceCapabilities import BackupCapabilities, BackupCapabilitiesProvider

__all__ = ["BackupCapabilities", "BackupCapabilitiesProvider"]

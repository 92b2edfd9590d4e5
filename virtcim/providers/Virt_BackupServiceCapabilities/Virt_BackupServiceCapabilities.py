"""What the backup service can do, as <prefix>_BackupServiceCapabilities."""

from __future__ import annotations

from virtcim.platforms.base import Feature
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_BackupService import BackupMode, BackupService

__all__ = ["BackupCapabilities", "BackupCapabilitiesProvider"]

_UNIX, _TLS = 2, 3
"""Virt_BackupSettingData.Transport."""


class BackupCapabilities(ServiceCapabilities):
    """What the backup service can do (Virt_BackupServiceCapabilities)."""

    __slots__ = ()

    base = "BackupServiceCapabilities"
    instance_id = "BackupCapabilities"
    service = BackupService

    def methods_supported(self, as_jobs: bool = False) -> list[int]:
        return super().methods_supported(as_jobs) if self.platform.supports(Feature.BACKUPS) else []

    @property
    def transports(self) -> list[int]:
        """The ways in which a backup can be pulled, as far as they are set up."""
        settings = self.site.settings.backup
        ways = ((_UNIX, settings.socket_directory), (_TLS, settings.tls_address))
        return [number for number, is_set_up in ways if is_set_up] if self.methods_supported() else []

    @property
    def modes(self) -> list[int]:
        """The modes of StartBackup that can be had."""
        if not self.methods_supported():
            return []
        return [int(BackupMode.PUSH), *([int(BackupMode.PULL)] if self.transports else [])]


BackupCapabilities.table = PropertyTable(
    CAPABILITIES,
    Property(
        "SynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(),
        "methods of the service; none where there are no backups, or over read-only connections",
    ),
    Property(
        "AsynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(as_jobs=True),
        "methods of the service that start a job where they take long",
    ),
    Property("BackupModesSupported", lambda capabilities: capabilities.modes, "platform, and settings for pulling"),
    Property(
        "TransportsSupported",
        lambda capabilities: capabilities.transports,
        "settings providers.backup.socket_directory, providers.backup.tls_address",
    ),
)


class BackupCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_BackupServiceCapabilities."""

    name = "Virt_BackupServiceCapabilities"
    types = (BackupCapabilities,)

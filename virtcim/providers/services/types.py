"""The types of all services of hosts, and of what they can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.providers.Virt_BackupService import BackupService
from virtcim.providers.Virt_BackupServiceCapabilities import BackupCapabilities
from virtcim.providers.Virt_ConsoleRedirectionService import ConsoleRedirectionService
from virtcim.providers.Virt_ConsoleRedirectionServiceCapabilities import ConsoleRedirectionCapabilities
from virtcim.providers.Virt_MetricService import MetricService
from virtcim.providers.Virt_MetricServiceCapabilities import MetricServiceCapabilities
from virtcim.providers.Virt_ResourcePoolConfigurationCapabilities import ResourcePoolConfigurationCapabilities
from virtcim.providers.Virt_ResourcePoolConfigurationService import ResourcePoolConfigurationService
from virtcim.providers.Virt_SwitchService import SwitchService
from virtcim.providers.Virt_VirtualSystemManagementCapabilities import ManagementCapabilities
from virtcim.providers.Virt_VirtualSystemManagementService import VirtualSystemManagementService
from virtcim.providers.Virt_VirtualSystemSnapshotService import SnapshotService
from virtcim.providers.Virt_VirtualSystemSnapshotServiceCapabilities import SnapshotCapabilities
from virtcim.providers.Virt_VSMigrationCapabilities import MigrationCapabilities
from virtcim.providers.Virt_VSMigrationService import MigrationService

if TYPE_CHECKING:
    from virtcim.providers.services.capabilities import ServiceCapabilities
    from virtcim.providers.services.service import HostService

__all__ = ["CAPABILITIES_TYPES", "SERVICE_TYPES"]

SERVICE_TYPES: tuple[type[HostService], ...] = (
    VirtualSystemManagementService,
    MigrationService,
    SnapshotService,
    BackupService,
    ConsoleRedirectionService,
    SwitchService,
    ResourcePoolConfigurationService,
    MetricService,
)

CAPABILITIES_TYPES: tuple[type[ServiceCapabilities], ...] = (
    ManagementCapabilities,
    MigrationCapabilities,
    SnapshotCapabilities,
    BackupCapabilities,
    ConsoleRedirectionCapabilities,
    ResourcePoolConfigurationCapabilities,
    MetricServiceCapabilities,
)

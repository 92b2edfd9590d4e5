"""What the migration service can do, as <prefix>_VirtualSystemMigrationCapabilities (DSP1081)."""

from __future__ import annotations

from virtcim.platforms.base import Feature
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_VSMigrationService import MigrationService

__all__ = ["MigrationCapabilities", "MigrationCapabilitiesProvider"]

_FORMATS = (2, 3, 4)
"""Host names, IPv4 and IPv6 addresses."""


class MigrationCapabilities(ServiceCapabilities):
    """What the migration service can do (Virt_VirtualSystemMigrationCapabilities)."""

    __slots__ = ()

    base = "VirtualSystemMigrationCapabilities"
    instance_id = "MigrationCapabilities"
    service = MigrationService

    def methods_supported(self, as_jobs: bool = False) -> list[int]:
        return super().methods_supported(as_jobs) if self.platform.supports(Feature.MIGRATION) else []


def _formats(capabilities: MigrationCapabilities) -> tuple[int, ...]:
    return _FORMATS if capabilities.methods_supported() else ()


MigrationCapabilities.table = PropertyTable(
    CAPABILITIES,
    Property(
        "SynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(),
        "methods of the service that answer when all is done",
    ),
    Property(
        "AsynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(as_jobs=True),
        "methods of the service that start a job where their work takes time",
    ),
    Property("DestinationHostFormatsSupported", _formats, "forms of a host's name that the methods take"),
)


class MigrationCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_VirtualSystemMigrationCapabilities."""

    name = "Virt_VSMigrationCapabilities"
    types = (MigrationCapabilities,)

"""What the migration service can do, as <prefix>_VirtualSystemMigrationCapabilities (DSP1081)."""

from __future__ import annotations

from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_VSMigrationService import MigrationService

__all__ = ["MigrationCapabilities", "MigrationCapabilitiesProvider"]


class MigrationCapabilities(ServiceCapabilities):
    """What the migration service can do (Virt_VirtualSystemMigrationCapabilities)."""

    __slots__ = ()

    base = "VirtualSystemMigrationCapabilities"
    instance_id = "MigrationCapabilities"
    service = MigrationService
    table = PropertyTable(
        CAPABILITIES,
        constant("SynchronousMethodsSupported", (), "methods of the service that answer when all is done"),
        constant("AsynchronousMethodsSupported", (), "methods of the service that start a job"),
        constant("DestinationHostFormatsSupported", (), "forms of a host's name that the methods take"),
    )


class MigrationCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_VirtualSystemMigrationCapabilities."""

    name = "Virt_VSMigrationCapabilities"
    types = (MigrationCapabilities,)

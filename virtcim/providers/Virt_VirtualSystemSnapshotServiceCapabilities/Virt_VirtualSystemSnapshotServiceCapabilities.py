"""What the snapshot service can do, as <prefix>_VirtualSystemSnapshotServiceCapabilities (DSP1042)."""

from __future__ import annotations

from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_VirtualSystemSnapshotService import SnapshotService

__all__ = ["SnapshotCapabilities", "SnapshotCapabilitiesProvider"]


class SnapshotCapabilities(ServiceCapabilities):
    """What the snapshot service can do (Virt_VirtualSystemSnapshotServiceCapabilities).

    The misspelt property is the DMTF's.
    """

    __slots__ = ()

    base = "VirtualSystemSnapshotServiceCapabilities"
    instance_id = "SnapshotCapabilities"
    service = SnapshotService
    table = PropertyTable(
        CAPABILITIES,
        constant("SynchronousMethodsSupported", (), "methods of the service that answer when all is done"),
        constant("AynchronousMethodsSupported", (), "methods of the service that start a job"),
        constant("SnapshotTypesSupported", (), "kinds of snapshots that the methods take"),
    )


class SnapshotCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_VirtualSystemSnapshotServiceCapabilities."""

    name = "Virt_VirtualSystemSnapshotServiceCapabilities"
    types = (SnapshotCapabilities,)

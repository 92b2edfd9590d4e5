"""What the snapshot service can do, as <prefix>_VirtualSystemSnapshotServiceCapabilities (DSP1042)."""

from __future__ import annotations

from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.snapshots import platform_types
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

    @property
    def types(self) -> list[int]:
        """The types of snapshots that some guest here can have taken; none over read-only connections."""
        able = [each for each in self.hypervisors if not each.read_only]
        return sorted({int(kind) for each in able for kind in platform_types(self.platform, each)})

    def methods_supported(self, as_jobs: bool = False) -> list[int]:
        return super().methods_supported(as_jobs) if self.types else []


SnapshotCapabilities.table = PropertyTable(
    CAPABILITIES,
    Property(
        "SynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(),
        "methods of the service; none where there are no snapshots, or over read-only connections",
    ),
    Property(
        "AynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(as_jobs=True),
        "methods of the service that start a job where they take long",
    ),
    attribute(
        "SnapshotTypesSupported",
        lambda capabilities: capabilities.types,
        source="platform and driver; what a guest can have now, its own capabilities say",
    ),
)


class SnapshotCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_VirtualSystemSnapshotServiceCapabilities."""

    name = "Virt_VirtualSystemSnapshotServiceCapabilities"
    types = (SnapshotCapabilities,)

"""Which snapshots can be taken of a guest, as <prefix>_VirtualSystemSnapshotCapabilities (DSP1042)."""

from virtcim.providers.Virt_VirtualSystemSnapshotCapabilities.Virt_VirtualSystemSnapshotCapabilities import (
    GuestSnapshotCapabilities,
    GuestSnapshotCapabilitiesProvider,
    snapshot_capabilities_of,
)

__all__ = ["GuestSnapshotCapabilities", "GuestSnapshotCapabilitiesProvider", "snapshot_capabilities_of"]

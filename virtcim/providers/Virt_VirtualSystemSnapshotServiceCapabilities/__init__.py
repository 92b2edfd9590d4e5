"""What the snapshot service can do, as <prefix>_VirtualSystemSnapshotServiceCapabilities (DSP1042)."""

from .Virt_VirtualSystemSnapshotServiceCapabilities import SnapshotCapabilities, SnapshotCapabilitiesProvider

__all__ = ["SnapshotCapabilities", "SnapshotCapabilitiesProvider"]

"""The snapshot service of a host as <prefix>_VirtualSystemSnapshotService (DSP1042)."""

from virtcim.providers.Virt_VirtualSystemSnapshotService.provider import SnapshotServiceProvider
from virtcim.providers.Virt_VirtualSystemSnapshotService.Virt_VirtualSystemSnapshotService import SnapshotService

__all__ = ["SnapshotService", "SnapshotServiceProvider"]

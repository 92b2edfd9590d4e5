"""The snapshot service of a host as <prefix>_VirtualSystemSnapshotService (DSP1042)."""

from virtcim.providers.Virt_VirtualSystemSnapshotService.Virt_VirtualSystemSnapshotService import (
    SnapshotService,
    SnapshotServiceProvider,
)

__all__ = ["SnapshotService", "SnapshotServiceProvider"]

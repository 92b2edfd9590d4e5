"""The provider of the service for snapshots, and what its methods do."""

from __future__ import annotations

from virtcim.providers.services.service import SERVICE_METHODS, HostServiceProvider
from virtcim.providers.Virt_VirtualSystemSnapshotService.methods import METHODS
from virtcim.providers.Virt_VirtualSystemSnapshotService.Virt_VirtualSystemSnapshotService import SnapshotService

__all__ = ["SnapshotServiceProvider"]

SnapshotService.methods = (*METHODS, *SERVICE_METHODS)


class SnapshotServiceProvider(HostServiceProvider):
    """Serves <prefix>_VirtualSystemSnapshotService."""

    name = "Virt_VirtualSystemSnapshotService"
    types = (SnapshotService,)

"""The snapshot service of a host as <prefix>_VirtualSystemSnapshotService (DSP1042)."""

from __future__ import annotations

from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.service import SERVICE, HostService

__all__ = ["SnapshotService"]


class SnapshotService(HostService):
    """Takes, applies and removes snapshots of guests (Virt_VirtualSystemSnapshotService)."""

    __slots__ = ()

    base = "VirtualSystemSnapshotService"
    service_name = "SnapshotService"
    table = PropertyTable(SERVICE, constant("Caption", "Snapshots of virtual systems", "a fixed text"))

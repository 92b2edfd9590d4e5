"""The memory of a host as a pool."""

from __future__ import annotations

from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_DevicePool.pool import COMMON, DevicePool

__all__ = ["KIBIBYTES", "MemoryPool"]

KIBIBYTES = "byte*2^10"
"""KiB as a programmatic unit (DSP0004, annex C)."""
_MEMORY = 4


class MemoryPool(DevicePool):
    """The memory of a host (Virt_MemoryPool)."""

    __slots__ = ()

    base = "MemoryPool"
    resource_type = _MEMORY
    is_shared = False

    @property
    def consumed(self) -> int:
        """KiB of memory."""
        return self.usage.memory


MemoryPool.table = PropertyTable(
    COMMON,
    constant("Caption", "Memory of the host"),
    constant("AllocationUnits", KIBIBYTES),
    constant("ConsumedResourceUnits", KIBIBYTES),
    Property(
        "Capacity",
        lambda pool: pool.hypervisor.facts.memory,
        "capabilities host/topology/cells/cell/memory, virNodeGetInfo",
    ),
    Property("Reserved", lambda pool: pool.consumed, "current memory of the active guests"),
    Property("CurrentlyConsumedResource", lambda pool: pool.consumed, "current memory of the active guests"),
)

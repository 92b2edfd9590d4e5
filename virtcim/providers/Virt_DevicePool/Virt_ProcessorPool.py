"""The processors and the memory of a host as pools."""

from __future__ import annotations

from virtcim.providers.deviceids import Kind
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_DevicePool.pool import COMMON, COUNT, DevicePool

__all__ = ["KIBIBYTES", "MemoryPool", "ProcessorPool"]

KIBIBYTES = "byte*2^10"
"""KiB as a programmatic unit (DSP0004, annex C)."""
_PROCESSOR, _MEMORY = 3, 4


class ProcessorPool(DevicePool):
    """The logical processors of a host."""

    __slots__ = ()

    base = "ProcessorPool"
    kind = Kind.PROCESSOR
    resource_type = _PROCESSOR


class MemoryPool(DevicePool):
    """The memory of a host."""

    __slots__ = ()

    base = "MemoryPool"
    kind = Kind.MEMORY
    resource_type = _MEMORY

    @property
    def consumed(self) -> int:
        """KiB of memory."""
        return self.usage.memory


ProcessorPool.table = PropertyTable(
    COMMON,
    constant("Caption", "Processors of the host"),
    constant("AllocationUnits", COUNT),
    constant("ConsumedResourceUnits", COUNT),
    Property(
        "Capacity",
        lambda pool: pool.hypervisor.facts.node.cpus or None,
        "active logical processors of the host (virNodeGetInfo)",
    ),
    constant("Reserved", 0, "always 0: libvirt sets no processor aside"),
    Property(
        "CurrentlyConsumedResource",
        lambda pool: pool.consumed,
        "virtual processors of the active guests",
    ),
)

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

"""The processors and the memory of a host as pools."""

from __future__ import annotations

from libhelper.capabilitiesxml import HostCapabilities, parsed
from providers.deviceids import Kind
from providers.properties import Property, PropertyTable, constant
from providers.Virt_DevicePool.pool import COMMON, COUNT, DevicePool

__all__ = ["KIBIBYTES", "MemoryPool", "ProcessorPool", "host_memory"]

KIBIBYTES = "byte*2^10"
"""KiB as a programmatic unit (DSP0004, annex C)."""
_PROCESSOR, _MEMORY = 3, 4
_MIB = 1024


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


def host_memory(pool: DevicePool) -> int | None:
    """The memory of the host in KiB.

    libvirt-python tells it in MiB; the sum over the NUMA nodes is exact, where it is of the same memory.
    """
    facts = pool.hypervisor.facts
    exact = parsed(HostCapabilities, facts.capabilities_xml).memory
    if exact is not None and exact // _MIB * _MIB == facts.node.memory:
        return exact
    return facts.node.memory or None


ProcessorPool.table = PropertyTable(
    COMMON,
    constant("Caption", "Processors of the host"),
    constant("AllocationUnits", COUNT),
    constant("ConsumedResourceUnits", COUNT),
    Property("Capacity", lambda pool: pool.hypervisor.facts.node.cpus or None,
             "active logical processors of the host (virNodeGetInfo)"),
    constant("Reserved", 0, "always 0: libvirt sets no processor aside"),
    Property("CurrentlyConsumedResource", lambda pool: pool.usage.counts[Kind.PROCESSOR],
             "virtual processors of the active guests"),
)

MemoryPool.table = PropertyTable(
    COMMON,
    constant("Caption", "Memory of the host"),
    constant("AllocationUnits", KIBIBYTES),
    constant("ConsumedResourceUnits", KIBIBYTES),
    Property("Capacity", host_memory, "capabilities host/topology/cells/cell/memory, virNodeGetInfo"),
    Property("Reserved", lambda pool: pool.usage.memory, "current memory of the active guests"),
    Property("CurrentlyConsumedResource", lambda pool: pool.usage.memory, "current memory of the active guests"),
)

"""The processors of a host as a pool."""

from __future__ import annotations

from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_DevicePool.pool import COMMON, COUNT, DevicePool

__all__ = ["ProcessorPool"]

_PROCESSOR = 3


class ProcessorPool(DevicePool):
    """The logical processors of a host (Virt_ProcessorPool)."""

    __slots__ = ()

    base = "ProcessorPool"
    resource_type = _PROCESSOR

    @property
    def consumed(self) -> int:
        """Virtual processors that are on."""
        return self.usage.processors


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

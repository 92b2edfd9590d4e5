"""The memory of a guest."""

from __future__ import annotations

from libhelper.domainxml import DomainConfig
from providers.deviceids import Kind
from providers.properties import PropertyTable, attribute, constant
from providers.Virt_RASD.setting import COMMON, POOLED, ResourceSetting

__all__ = ["KIBIBYTES", "MemorySetting"]

_MEMORY = 4
KIBIBYTES = "byte*2^10"
"""KiB as a programmatic unit (DSP0004, annex C)."""


class MemorySetting(ResourceSetting):
    """The memory of a guest."""

    __slots__ = ()

    base = "MemResourceAllocationSettingData"
    kind = Kind.MEMORY


MemorySetting.table = PropertyTable(
    COMMON,
    constant("ResourceType", _MEMORY),
    POOLED,
    constant("AllocationUnits", KIBIBYTES),
    constant("VirtualQuantityUnits", KIBIBYTES),
    attribute("VirtualQuantity", "device.current_memory", DomainConfig, writable=True),
    attribute("Reservation", "device.current_memory", DomainConfig, writable=True),
    attribute("Limit", "device.memory", DomainConfig, writable=True),
    attribute("dumpCore", "device.memory_dump_core", DomainConfig, writable=True),
)

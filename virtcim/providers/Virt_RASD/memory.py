"""The memory of a guest."""

from __future__ import annotations

from operator import attrgetter

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.providers.deviceids import Kind
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_RASD.memory_size import (
    size,
    write_limit,
    write_modules,
    write_page_sizes,
    write_quantity,
)
from virtcim.providers.Virt_RASD.setting import COMMON, POOLED, ResourceSetting

__all__ = ["KIBIBYTES", "MemorySetting"]

_MEMORY = 4
KIBIBYTES = "byte*2^10"
"""KiB as a programmatic unit (DSP0004, annex C)."""


class MemorySetting(ResourceSetting):
    """The memory of a guest."""

    __slots__ = ()

    base = "MemResourceAllocationSettingData"
    kind = Kind.MEMORY


def _page_sizes(setting: MemorySetting) -> list[int] | None:
    return [page.size for page in setting.device.memory_backing_hugepages_pages] or None


def _size(name: str, field: str) -> Property:
    """A size; 0 removes it."""
    return Property(
        name, attrgetter(f"device.{field}"), f"domain XML {DomainConfig.field_path(field)}", size(name, field)
    )


def _quantity(setting: MemorySetting) -> int | None:
    """What the guest is to have, where it is still on its way to that."""
    asked = setting.configuration.asked_memory
    quantity: int | None = setting.device.current_memory
    return quantity if asked is None else asked


MemorySetting.table = PropertyTable(
    COMMON,
    constant("ResourceType", _MEMORY),
    POOLED,
    constant("AllocationUnits", KIBIBYTES),
    constant("VirtualQuantityUnits", KIBIBYTES),
    Property("Limit", attrgetter("device.memory"), f"domain XML {DomainConfig.field_path('memory')}", write_limit),
    Property(
        "VirtualQuantity",
        _quantity,
        f"domain XML {DomainConfig.field_path('current_memory')}",
        write_quantity,
    ),
    Property(
        "Reservation",
        _quantity,
        f"domain XML {DomainConfig.field_path('current_memory')}",
        write_quantity,
    ),
    attribute("dumpCore", "device.memory_dump_core", DomainConfig, writable=True),
    _size("HardLimit", "memtune_hard_limit"),
    _size("SoftLimit", "memtune_soft_limit"),
    _size("SwapHardLimit", "memtune_swap_hard_limit"),
    _size("MinimumGuarantee", "memtune_min_guarantee"),
    Property(
        "MaxMemory",
        attrgetter("device.max_memory"),
        f"domain XML {DomainConfig.field_path('max_memory')}",
        write_modules,
    ),
    Property(
        "MemorySlots",
        attrgetter("device.max_memory_slots"),
        f"domain XML {DomainConfig.field_path('max_memory_slots')}",
        write_modules,
    ),
    attribute("HugePages", "device.memory_backing_hugepages", DomainConfig, writable=True),
    Property(
        "HugePageSizes",
        _page_sizes,
        f"domain XML {DomainConfig.field_path('memory_backing_hugepages_pages')}/@size",
        write_page_sizes,
    ),
    attribute("Locked", "device.memory_backing_locked", DomainConfig, writable=True),
    attribute("NoSharePages", "device.memory_backing_nosharepages", DomainConfig, writable=True),
    attribute("BackingSource", "device.memory_backing_source_type", DomainConfig, writable=True),
    attribute("BackingAccess", "device.memory_backing_access_mode", DomainConfig, writable=True),
    attribute("NUMAMode", "device.numatune_memory_mode", DomainConfig, writable=True),
    attribute("NUMANodes", "device.numatune_memory_nodeset", DomainConfig, writable=True),
)

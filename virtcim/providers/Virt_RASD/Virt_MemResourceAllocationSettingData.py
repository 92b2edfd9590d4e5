"""The memory of a guest."""

from __future__ import annotations

from operator import attrgetter

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.providers.options import MEMORY_PATHS, with_options
from virtcim.providers.properties import MappedField, Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_RASD.memory_size import (
    CHOSEN_NODES,
    size,
    write_limit,
    write_modules,
    write_nodes,
    write_page_sizes,
    write_quantity,
)
from virtcim.providers.Virt_RASD.setting import COMMON, POOLED, ResourceSetting

__all__ = ["KIBIBYTES", "MemorySetting"]

_MEMORY = 4
KIBIBYTES = "byte*2^10"
"""KiB as a programmatic unit (DSP0004, annex C)."""


class MemorySetting(ResourceSetting[DomainConfig]):
    """The memory of a guest (Virt_MemResourceAllocationSettingData)."""

    __slots__ = ()

    base = "MemResourceAllocationSettingData"


def _page_sizes(setting: MemorySetting) -> list[int | None] | None:
    return [page.size for page in setting.device.memory_backing_hugepages_pages] or None


def _nodes(setting: MemorySetting) -> str | None:
    """The nodes of the host, or that libvirt chooses them."""
    is_chosen = setting.device.numatune_memory_placement == CHOSEN_NODES
    return CHOSEN_NODES if is_chosen else setting.device.numatune_memory_nodeset


def _size(name: str, field: MappedField) -> Property[MemorySetting]:
    """A size; 0 removes it."""
    return attribute(
        name, lambda setting: getattr(setting.device, field.name), DomainConfig, write=size(name, field.name)
    )


def _quantity(setting: MemorySetting) -> int | None:
    """What the guest is to have, where it is still on its way to that."""
    asked = setting.configuration.asked_memory
    quantity: int | None = setting.device.current_memory
    return quantity if asked is None else asked


MemorySetting.table = with_options(
    PropertyTable(
        COMMON,
        constant("ResourceType", _MEMORY),
        POOLED,
        constant("AllocationUnits", KIBIBYTES),
        constant("VirtualQuantityUnits", KIBIBYTES),
        attribute("Limit", lambda setting: setting.device.memory, DomainConfig, write=write_limit),
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
        attribute("dumpCore", lambda setting: setting.device.memory_dump_core, DomainConfig, writable=True),
        _size("HardLimit", DomainConfig.memtune_hard_limit),
        _size("SoftLimit", DomainConfig.memtune_soft_limit),
        _size("SwapHardLimit", DomainConfig.memtune_swap_hard_limit),
        _size("MinimumGuarantee", DomainConfig.memtune_min_guarantee),
        attribute("MaxMemory", lambda setting: setting.device.max_memory, DomainConfig, write=write_modules),
        attribute("MemorySlots", lambda setting: setting.device.max_memory_slots, DomainConfig, write=write_modules),
        attribute("HugePages", lambda setting: setting.device.memory_backing_hugepages, DomainConfig, writable=True),
        Property(
            "HugePageSizes",
            _page_sizes,
            f"domain XML {DomainConfig.field_path('memory_backing_hugepages_pages')}/@size",
            write_page_sizes,
        ),
        attribute("Locked", lambda setting: setting.device.memory_backing_locked, DomainConfig, writable=True),
        attribute(
            "NoSharePages", lambda setting: setting.device.memory_backing_nosharepages, DomainConfig, writable=True
        ),
        attribute(
            "BackingSource", lambda setting: setting.device.memory_backing_source_type, DomainConfig, writable=True
        ),
        attribute(
            "BackingAccess", lambda setting: setting.device.memory_backing_access_mode, DomainConfig, writable=True
        ),
        attribute("NUMAMode", lambda setting: setting.device.numatune_memory_mode, DomainConfig, writable=True),
        Property(
            "NUMANodes",
            _nodes,
            f"domain XML {DomainConfig.field_path('numatune_memory_nodeset')}, "
            f"{DomainConfig.field_path('numatune_memory_placement')}",
            write_nodes,
        ),
    ),
    DomainConfig,
    get=attrgetter("device"),
    below=MEMORY_PATHS,
)

"""The memory of a guest as <prefix>_Memory."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["Memory"]

_PAGE, _KIBIBYTE = 4096, 1024
_READ_WRITE = 3


class Memory(GuestDevice[DomainConfig]):
    """The memory of a guest (Virt_Memory)."""

    __slots__ = ()

    base = "Memory"


def _block_size(memory: Memory) -> int:
    """The size of a block in bytes: a page, where the memory is whole pages."""
    sizes = (memory.device.memory or 0, memory.device.current_memory or 0)
    return _KIBIBYTE if any(size * _KIBIBYTE % _PAGE for size in sizes) else _PAGE


def _blocks(memory: Memory, kibibytes: int | None) -> int | None:
    return None if kibibytes is None else kibibytes * _KIBIBYTE // _block_size(memory)


Memory.table = PropertyTable(
    COMMON,
    Property("BlockSize", _block_size, "4096; 1024 where the memory is not whole blocks of 4096 bytes"),
    Property(
        "NumberOfBlocks",
        lambda memory: _blocks(memory, memory.device.memory),
        f"domain XML {DomainConfig.field_path('memory')}",
    ),
    Property(
        "ConsumableBlocks",
        lambda memory: _blocks(memory, memory.device.current_memory),
        f"domain XML {DomainConfig.field_path('current_memory')}",
    ),
    constant("Access", _READ_WRITE, "always Read/Write"),
    constant("Volatile", True),
    constant("Primordial", False),
)

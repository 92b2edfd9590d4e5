"""The memory of a guest as <prefix>_Memory."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.providers.deviceids import Kind
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["Memory"]

_BLOCK_SIZE = 4096
_KIB_PER_BLOCK = _BLOCK_SIZE // 1024
_READ_WRITE = 3


class Memory(GuestDevice[DomainConfig]):
    """The memory of a guest."""

    __slots__ = ()

    base = "Memory"
    kind = Kind.MEMORY


def _blocks(kibibytes: int | None) -> int | None:
    return None if kibibytes is None else kibibytes // _KIB_PER_BLOCK


Memory.table = PropertyTable(
    COMMON,
    constant("BlockSize", _BLOCK_SIZE),
    Property(
        "NumberOfBlocks",
        lambda memory: _blocks(memory.device.memory),
        f"domain XML {DomainConfig.field_path('memory')}",
    ),
    Property(
        "ConsumableBlocks",
        lambda memory: _blocks(memory.device.current_memory),
        f"domain XML {DomainConfig.field_path('current_memory')}",
    ),
    constant("Access", _READ_WRITE, "always Read/Write"),
    constant("Volatile", True),
    constant("Primordial", False),
)

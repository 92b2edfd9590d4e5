"""The memory of a host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from virtcim.libhelper.documents.capabilities import HostCapabilities, parsed
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_HostDevice.device import COMMON, HostDevice
from virtcim.providers.Virt_HostSystem import HostSystem

__all__ = ["HostMemory"]

_KIB = 1024
_READ_WRITE = 3


class HostMemory(HostDevice[int]):
    """The memory of a host; `device` is its size in KiB (Virt_HostMemory)."""

    __slots__ = ()

    base = "HostMemory"

    @classmethod
    def found_on(cls, host: HostSystem) -> Iterable[Self]:
        size = host.hypervisor.facts.memory
        return () if size is None else (cls(host, "memory", size),)


def _page_size(memory: HostMemory) -> int:
    """The size of the smallest pages in bytes."""
    pages = parsed(HostCapabilities, memory.hypervisor.facts.capabilities_xml).pages
    return min((page.size for page in pages if page.size), default=1) * _KIB


def _pages(memory: HostMemory) -> int:
    return memory.device * _KIB // _page_size(memory)


HostMemory.table = PropertyTable(
    COMMON,
    Property("BlockSize", _page_size, "smallest of capabilities host/cpu/pages/@size; 1024 where it is not told"),
    Property("NumberOfBlocks", _pages, "capabilities host/topology/cells/cell/memory, virNodeGetInfo"),
    Property("ConsumableBlocks", _pages, "as NumberOfBlocks"),
    constant("Access", _READ_WRITE, "always Read/Write"),
    constant("Volatile", True),
    constant("Primordial", True, "always true: memory is made of nothing else"),
)

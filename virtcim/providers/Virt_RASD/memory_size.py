"""How much memory a guest is to have, in the domain XML."""

from __future__ import annotations

from collections.abc import Sequence

from virtcim.libhelper.documents.domain import MemoryDevice
from virtcim.providers.drafts import Draft, ValueRefusedError, Writer, kibibytes

__all__ = ["CHOSEN_NODES", "size", "write_limit", "write_modules", "write_nodes", "write_page_sizes", "write_quantity"]

CHOSEN_NODES = "auto"
"""NUMANodes of a guest whose nodes libvirt asks numad for at each start."""

_STEP = 1024
"""KiB; QEMU takes cells of whole MiB only."""


def write_limit(draft: Draft, value: int) -> None:
    """Limit: the memory that the guest can be given while it runs without plugging in more."""
    most = kibibytes(draft, value, "Limit")
    if not most:
        raise ValueRefusedError("Limit: a guest has memory")
    current = draft.base.current_memory
    _put_memory(draft, most)
    if "VirtualQuantity" not in draft.given and "Reservation" not in draft.given and current is not None:
        draft.put("current_memory", None if current >= most else current)


def _put_memory(draft: Draft, most: int) -> None:
    """Put the memory that the guest can have, and share it out to its NUMA cells as before.

    libvirt takes what the cells have together, and the modules, for the memory of the guest.
    """
    draft.put("memory", most)
    cells = draft.base.cpu_numa_cells
    if not cells or most == draft.base.memory:
        return
    modules = sum(each.target_size or 0 for each in draft.base.devices if isinstance(each, MemoryDevice))
    before, left = sum(cell.memory or 0 for cell in cells), most - modules
    if before == left:
        return
    sizes = [(cell.memory or 0) * left // before // _STEP * _STEP for cell in cells[:-1]] if before else [0]
    sizes.append(left - sum(sizes))
    if len(sizes) != len(cells) or any(size <= 0 and cell.memory for size, cell in zip(sizes, cells, strict=True)):
        raise ValueRefusedError(f"Limit: {most} KiB cannot be shared out to the NUMA cells; expected NUMACells first")
    draft.put("cpu_numa_cells", [{**cell.as_dict(), "memory": size} for cell, size in zip(cells, sizes, strict=True)])


def write_quantity(draft: Draft, value: int) -> None:
    """VirtualQuantity, and Reservation, which is the same to libvirt.

    A guest that has all that it can have is given more of both; one that has less than it can have is not given more
    than that.
    """
    quantities = [draft.given[name] for name in ("VirtualQuantity", "Reservation") if name in draft.given]
    if len(set(quantities)) > 1:
        if draft.is_new:
            value = draft.given["VirtualQuantity"]
        else:
            raise ValueRefusedError("VirtualQuantity and Reservation contradict each other", contradiction=True)
    current = kibibytes(draft, value, "VirtualQuantity")
    if not current:
        raise ValueRefusedError("VirtualQuantity: a guest has memory")
    most = draft.now("memory")
    if most is None or (
        current > most and "Limit" not in draft.given and draft.base.current_memory == most and not draft.context.live
    ):
        most = current
        _put_memory(draft, most)
    if current > most:
        raise ValueRefusedError(f"VirtualQuantity: {current} KiB are more than Limit, {most} KiB")
    draft.put("current_memory", None if current == most and draft.base.current_memory is None else current)


def size(name: str, field: str) -> Writer:
    """Write a size in the units that the client names; 0 removes it."""
    return lambda draft, value: draft.put(field, kibibytes(draft, value, name) or None)


def write_modules(draft: Draft, _value: int) -> None:
    """MaxMemory and MemorySlots, which libvirt has together or not at all."""
    if "MaxMemory" in draft.given:
        draft.put("max_memory", kibibytes(draft, draft.given["MaxMemory"], "MaxMemory") or None)
    if "MemorySlots" in draft.given:
        draft.put("max_memory_slots", draft.given["MemorySlots"] or None)
    if (draft.now("max_memory") is None) != (draft.now("max_memory_slots") is None):
        if draft.given.get("MaxMemory", 1) and draft.given.get("MemorySlots", 1):
            raise ValueRefusedError("MaxMemory needs MemorySlots, and the reverse", contradiction=True)
        draft.put("max_memory", None)
        draft.put("max_memory_slots", None)


def write_page_sizes(draft: Draft, value: Sequence[int]) -> None:
    """HugePageSizes: in KiB, whatever AllocationUnits says."""
    known = draft.base.memory_backing_hugepages_pages
    draft.put(
        "memory_backing_hugepages_pages",
        [{**(known[place].as_dict() if place < len(known) else {}), "size": each} for place, each in enumerate(value)],
    )


def write_nodes(draft: Draft, value: str) -> None:
    """NUMANodes: nodes of the host, or that they are chosen at each start."""
    is_chosen = value == CHOSEN_NODES
    draft.put("numatune_memory_nodeset", None if is_chosen else value or None)
    if is_chosen or draft.base.numatune_memory_placement is not None:
        draft.put("numatune_memory_placement", CHOSEN_NODES if is_chosen else None)

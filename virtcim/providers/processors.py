"""The processors, threads and NUMA cells of a guest: what is said of single ones goes with them.

libvirt refuses a pin of a processor that is not there, or a distance to a cell that is not.

Layer rule: imports `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import count as numbers_from
from itertools import islice

from virtcim.libhelper.documents.domain.agreement import members_of
from virtcim.libhelper.xml.mapping import Mapped
from virtcim.providers.drafts import Draft

__all__ = ["put_cells", "put_maximum", "write_threads"]


def put_maximum(draft: Draft, count: int) -> None:
    """Put the greatest number of processors, and take out what is said of those that go."""
    draft.put("vcpu", count)
    base, left = draft.base, range(count)
    _put_rest(draft, "cputune_vcpupins", [pin for pin in base.cputune_vcpupins if (pin.vcpu or 0) in left])
    _put_rest(draft, "cputune_vcpuscheds", _cut(base.cputune_vcpuscheds, "vcpus", left))
    _put_rest(draft, "cputune_memorytunes", _cut(base.cputune_memorytunes, "vcpus", left))
    caches = _cut(base.cputune_cachetunes, "vcpus", left)
    for cache in caches:
        if isinstance(monitors := cache.get("monitors"), tuple):
            cache["monitors"] = _cut(monitors, "vcpus", left)
    _put_rest(draft, "cputune_cachetunes", caches)


def write_threads(draft: Draft, count: int) -> None:
    """IOThreads: the first ones stay, with what is said of them."""
    base = draft.base
    draft.put("iothreads", count)
    listed = [thread.id for thread in base.iothreadids]
    # libvirt gives the first numbers that are free to those that are not listed.
    free = (number for number in numbers_from(1) if number not in listed)
    left = [*listed, *islice(free, max((base.iothreads or 0) - len(listed), 0))][:count]
    _put_rest(draft, "iothreadids", base.iothreadids[:count])
    _put_rest(draft, "cputune_iothreadpins", [pin for pin in base.cputune_iothreadpins if pin.iothread in left])
    _put_rest(draft, "cputune_iothreadscheds", _cut(base.cputune_iothreadscheds, "iothreads", left))


def put_cells(draft: Draft, cells: Sequence[Mapping[str, object]]) -> None:
    """Put the NUMA cells, and take out what is said of those that go."""
    base, left = draft.base, range(len(cells))
    kept = [dict(cell) for cell in cells]
    for cell in kept:
        if isinstance(distances := cell.get("distances"), tuple):
            cell["distances"] = [each for each in distances if (each.id or 0) in left]
    draft.put("cpu_numa_cells", kept)
    _put_rest(draft, "numatune_memnodes", [node for node in base.numatune_memnodes if (node.cellid or 0) in left])
    for field in ("cpu_numa_interconnects_latencies", "cpu_numa_interconnects_bandwidths"):
        ways = getattr(base, field)
        _put_rest(draft, field, [way for way in ways if (way.initiator or 0) in left and (way.target or 0) in left])


def _cut(items: Sequence[Mapped], name: str, left: Collection[int]) -> list[dict[str, object]]:
    """The items that are about some of those that are left, and about no others.

    Parameters:
        name: of the field with the set of numbers that an item is about.
    """
    kept = []
    for item in items:
        values: dict[str, object] = item.as_dict()
        numbers = members_of(str(values.get(name) or ""))
        if numbers is not None and not numbers <= set(left):
            values[name] = ",".join(str(number) for number in sorted(numbers.intersection(left)))
        if values.get(name):
            kept.append(values)
    return kept


def _put_rest(draft: Draft, field: str, rest: Sequence[Mapped | Mapping[str, object]]) -> None:
    """Put what is left of a list, where it is not as it was."""
    values = [each if isinstance(each, Mapping) else each.as_dict() for each in rest]
    if values != [each.as_dict() for each in getattr(draft.base, field)]:
        draft.put(field, values)

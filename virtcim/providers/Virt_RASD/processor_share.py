"""How many processors a guest is to have, and which share of the host's, in the domain XML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod

from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.processors import put_maximum

__all__ = [
    "CHOSEN",
    "DEFAULT_PERIOD",
    "limited_processors",
    "write_host_processors",
    "write_limit",
    "write_maximum",
    "write_pins",
    "write_processors",
]

DEFAULT_PERIOD = 100_000
"""Microseconds; what libvirt takes when a quota has no period."""
CHOSEN = "auto"
"""HostProcessors of a guest whose processors libvirt asks numad for at each start."""
_LEAST_QUOTA = 1000
"""Microseconds; libvirt takes no smaller one."""
_IN_A_SOCKET = ("cpu_topology_dies", "cpu_topology_clusters", "cpu_topology_cores", "cpu_topology_threads")
_PIN = re.compile(r"(\d{1,5}):([0-9,^-]+)")


def write_maximum(draft: Draft, value: int) -> None:
    """MaxVirtualQuantity: the processors that the guest can be given while it runs."""
    if not value:
        raise ValueRefusedError("MaxVirtualQuantity: a guest has at least one processor")
    current = draft.base.vcpu_current
    _put_maximum(draft, value)
    if "VirtualQuantity" in draft.given:
        return
    if current is not None and current > value:
        draft.put("vcpu_current", None)
    elif current is not None and current < value:
        draft.put("vcpu_current", current)


def write_processors(draft: Draft, value: int) -> None:
    """VirtualQuantity.

    More than the greatest number raises that one, too, unless the client names it.
    """
    if draft.context.platform.containers and not draft.is_new:
        raise ValueRefusedError("ProcRASD field VirtualQuantity not valid for LXC")
    if not value:
        raise ValueRefusedError("VirtualQuantity: a guest has at least one processor")
    most = draft.now("vcpu") or 1
    if "MaxVirtualQuantity" in draft.given and value > most:
        raise ValueRefusedError("VirtualQuantity is more than MaxVirtualQuantity", contradiction=True)
    if draft.is_new and "MaxVirtualQuantity" not in draft.given:
        most = value
        _put_maximum(draft, value)
    elif value > most:
        if draft.context.live:
            raise ValueRefusedError(f"VirtualQuantity: the running guest can have {most} processors at most")
        most = value
        _put_maximum(draft, value)
    draft.put("vcpu_current", None if value == most else value)
    if draft.base.vcpus and most == draft.base.vcpu:
        draft.put("vcpus", _plugged(draft, value))


def _put_maximum(draft: Draft, value: int) -> None:
    """Put the greatest number of processors, with the sockets that they need."""
    put_maximum(draft, value)
    base = draft.base
    if not base.cpu_topology or value == base.vcpu:
        return
    size = prod(getattr(base, field) or 1 for field in _IN_A_SOCKET)
    if value % size:
        raise ValueRefusedError(
            f"VirtualQuantity: {value} processors do not fill sockets of {size}; "
            f"expected a multiple of {size}, or another CPUCores or CPUThreads first"
        )
    draft.put("cpu_topology_sockets", value // size)


_UNITS = frozenset({"percent", "%", "processors", "count"})
"""What AllocationUnits may say where there is a Limit; the latter two are those of VirtualQuantity, and libvirt-cim's
templates have them beside a Limit in per cent."""


def limited_processors(domain_type: str | None, count: int | None) -> int:
    """How many processors have the quota of a guest, each of them: a container has one for all that runs in it."""
    return 1 if domain_type == "lxc" else count or 1


def write_limit(draft: Draft, value: int) -> None:
    """Limit: per cent of one host processor for all virtual processors together; 0 for none."""
    units = draft.given.get("AllocationUnits")
    if units is not None and units.strip().casefold() not in _UNITS:
        raise ValueRefusedError(f"Unknown AllocationUnits {units} of Limit: it is in percent")
    if not value:
        draft.put("cputune_quota", None)
        return
    processors = limited_processors(draft.context.config.type, draft.now("vcpu_current") or draft.now("vcpu"))
    period = draft.now("cputune_period") or DEFAULT_PERIOD
    quota = -(-value * period // (100 * processors))
    if quota < _LEAST_QUOTA:
        raise ValueRefusedError(f"Limit: {value} percent is less than can be shared out to {processors} processors")
    draft.put("cputune_quota", quota)
    draft.put("cputune_period", period)


def write_host_processors(draft: Draft, value: str) -> None:
    """HostProcessors: processors of the host, or that they are chosen at each start."""
    is_chosen = value == CHOSEN
    draft.put("vcpu_cpuset", None if is_chosen else value or None)
    if is_chosen or draft.base.vcpu_placement == CHOSEN:
        draft.put("vcpu_placement", CHOSEN if is_chosen else None)


def write_pins(draft: Draft, value: Sequence[str]) -> None:
    """PinnedTo."""
    pins = []
    for text in value:
        found = _PIN.fullmatch(text)
        if found is None:
            raise ValueRefusedError(f"PinnedTo: {text} is not of the form 0:2-3")
        pins.append({"vcpu": int(found[1]), "cpuset": found[2]})
    draft.put("cputune_vcpupins", pins)


def _plugged(draft: Draft, count: int) -> list[dict[str, object]]:
    """The list of single processors with the first `count` of them plugged in."""
    listed = sorted(draft.base.vcpus, key=lambda vcpu: vcpu.id or 0)
    return [
        {**vcpu.as_dict(), "enabled": place < count, "order": vcpu.order if place < count else None}
        for place, vcpu in enumerate(listed)
    ]

"""How many processors a guest is to have, and which share of the host's, in the domain XML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from virtcim.providers.drafts import Draft, ValueRefusedError

__all__ = ["DEFAULT_PERIOD", "write_limit", "write_maximum", "write_pins", "write_processors"]

DEFAULT_PERIOD = 100_000
"""Microseconds; what libvirt takes when a quota has no period."""
_LEAST_QUOTA = 1000
"""Microseconds; libvirt takes no smaller one."""
_PIN = re.compile(r"(\d{1,5}):([0-9,^-]+)")


def write_maximum(draft: Draft, value: int) -> None:
    """MaxVirtualQuantity: the processors that the guest can be given while it runs."""
    if not value:
        raise ValueRefusedError("MaxVirtualQuantity: a guest has at least one processor")
    current = draft.base.vcpu_current
    draft.put("vcpu", value)
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
    if draft.around.platform.containers:
        raise ValueRefusedError("ProcRASD field VirtualQuantity not valid for LXC")
    if not value:
        raise ValueRefusedError("VirtualQuantity: a guest has at least one processor")
    most = draft.now("vcpu") or 1
    if "MaxVirtualQuantity" in draft.given and value > most:
        raise ValueRefusedError("VirtualQuantity is more than MaxVirtualQuantity", contradiction=True)
    if draft.is_new and "MaxVirtualQuantity" not in draft.given:
        most = value
        draft.put("vcpu", value)
    elif value > most:
        if draft.around.live:
            raise ValueRefusedError(f"VirtualQuantity: the running guest can have {most} processors at most")
        most = value
        draft.put("vcpu", value)
    draft.put("vcpu_current", None if value == most else value)
    if draft.base.vcpus:
        draft.put("vcpus", _plugged(draft, value))


def write_limit(draft: Draft, value: int) -> None:
    """Limit: per cent of one host processor for all virtual processors together; 0 for none."""
    if draft.around.platform.containers:
        raise ValueRefusedError("ProcRASD field Limit not valid for LXC")
    units = draft.given.get("AllocationUnits")
    if units is not None and units.strip().casefold() not in ("percent", "%"):
        raise ValueRefusedError(f"Unknown AllocationUnits {units} of Limit: it is in percent")
    if not value:
        draft.put("cputune_quota", None)
        return
    processors = draft.now("vcpu_current") or draft.now("vcpu") or 1
    period = draft.now("cputune_period") or DEFAULT_PERIOD
    quota = -(-value * period // (100 * processors))
    if quota < _LEAST_QUOTA:
        raise ValueRefusedError(f"Limit: {value} percent is less than can be shared out to {processors} processors")
    draft.put("cputune_quota", quota)
    draft.put("cputune_period", period)


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

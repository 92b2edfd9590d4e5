"""Samples as libvirt 9.0 gives them for a QEMU guest that is busy, for hosts that are recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from virtcim.libhelper.metrics import GuestSample, HostSample, Sample

__all__ = ["fields", "sampled_twice"]

START = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
SECONDS = 10.0


def fields(disks: Iterable[str] = ("vda",), ports: Iterable[str] = ("vnet0",), *, step: int = 0) -> dict[str, Any]:
    """Write the figures of a guest with two processors, of which one is online.

    Parameters:
        disks, ports: by the names that the host has for them.
        step: how often `SECONDS` have gone by, in each of which it used 5 s of processor time and read 1 MiB.
    """
    found: dict[str, Any] = {
        "state.state": 1,
        "state.reason": 1,
        "cpu.time": 60_000_000_000 + step * 5_000_000_000,
        "cpu.user": 40_000_000_000,
        "cpu.system": 20_000_000_000,
        "balloon.current": 65536,
        "balloon.maximum": 131072,
        "balloon.swap_in": 4,
        "balloon.swap_out": 8,
        "balloon.major_fault": 15,
        "balloon.minor_fault": 16,
        "balloon.unused": 23,
        "balloon.available": 42,
        "balloon.usable": 108,
        "balloon.disk_caches": 7,
        "balloon.last-update": 1_770_000_000,
        "balloon.rss": 47_104,
        "vcpu.current": 1,
        "vcpu.maximum": 2,
        "vcpu.0.state": 1,
        "vcpu.0.time": 50_000_000_000 + step * 4_000_000_000,
        "vcpu.0.wait": 1_000_000_000,
        "vcpu.0.delay": 2_000_000_000,
    }
    for group, names in (("net", list(ports)), ("block", list(disks))):
        found[f"{group}.count"] = len(names)
        for number, name in enumerate(names):
            found |= {f"{group}.{number}.{key}": value for key, value in _of_device(group, step).items()}
            found[f"{group}.{number}.name"] = name
    return found


def _of_device(group: str, step: int) -> Mapping[str, int]:
    if group == "net":
        ways = {"rx": 1000 + step * 10_240, "tx": 2000 + step * 20_480}
        return {f"{way}.bytes": count for way, count in ways.items()} | {
            f"{way}.{name}": number for way in ways for number, name in enumerate(("pkts", "errs", "drop"))
        }
    return {
        "rd.reqs": 100 + step * 10,
        "rd.bytes": (1 + step) << 20,
        "rd.times": 3_000_000_000,
        "wr.reqs": 200,
        "wr.bytes": (2 + step) << 20,
        "wr.times": 4_000_000_000,
        "fl.reqs": 5,
        "fl.times": 6_000_000,
        "allocation": 5 << 20,
        "capacity": 64 << 20,
        "physical": 6 << 20,
    }


def sampled_twice(guests: Mapping[str, tuple[Iterable[str], Iterable[str]]]) -> Sample:
    """Sample guests twice.

    Parameters:
        guests: by UUID: the names of the disks and of the network interfaces of each.

    Returns:
        the second sample, which has the first one behind it.
    """
    before: Sample | None = None
    for step in range(2):
        time, clock = START + step * timedelta(seconds=SECONDS), step * SECONDS
        found = {
            uuid: GuestSample(fields(disks, ports, step=step), time, clock) for uuid, (disks, ports) in guests.items()
        }
        cpu = {name: (each + step) * 10**10 for each, name in enumerate(("user", "kernel", "idle", "iowait"))}
        memory = {"total": 8 << 20, "free": 4 << 20, "buffers": 1 << 10, "cached": 1 << 20}
        before = Sample(step + 1, time, clock, found, HostSample(cpu, memory, time, clock), before)
    assert before is not None
    return before

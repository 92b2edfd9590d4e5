"""Asking libvirt for the figures of all guests: in one call where the driver has it, else guest by guest.

Layer rule: imports libvirt, errors, fields and records.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import libvirt

from virtcim.libhelper.documents.domain import Disk, DomainConfig, Interface
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.inventory.records import Domain
from virtcim.libhelper.metrics.fields import Fields

__all__ = ["read_guests", "read_host"]

GROUPS = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
ENFORCE = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS

_BALLOON = {
    "actual": "current",
    "swap_in": "swap_in",
    "swap_out": "swap_out",
    "major_fault": "major_fault",
    "minor_fault": "minor_fault",
    "unused": "unused",
    "available": "available",
    "usable": "usable",
    "rss": "rss",
    "last_update": "last-update",
    "disk_caches": "disk_caches",
}
"""What virDomainMemoryStats and the bulk call name the same thing."""
_KNOWN_WITHOUT = frozenset({"balloon.current", "balloon.maximum"})
_RUNNING = frozenset({1, 2, 3, 4, 7})
"""States in which there is a guest to ask: running, blocked, paused, shutting down, suspended by its own power
management."""

_PAUSES = (0.01, 0.04)
"""Seconds after which guests are asked again that another operation holds: most hold one for no longer than to ask
something, as this does."""

_NET = ("rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop")
_BLOCK = ("rd.reqs", "rd.bytes", "wr.reqs", "wr.bytes")

Result = TypeVar("Result")


def read_guests(connection: libvirt.virConnect, domains: Iterable[Domain]) -> tuple[dict[str, Fields], frozenset[str]]:
    """Ask for the figures of all guests, and wait for no guest that another operation holds.

    Parameters:
        connection: to ask over.
        domains: as they are known; their XML names what has to be asked for one by one.

    Returns:
        the figures by UUID, where a guest that came or went meanwhile may be there or not; and the UUIDs of guests
        that run and were not asked, as another operation holds them.

    Raises:
        libvirt.libvirtError: the connection is broken.
    """
    try:
        answer = connection.getAllDomainStats(GROUPS, NOWAIT | ENFORCE)
    except libvirt.libvirtError as error:
        if not LibvirtError.of(error).is_unsupported:
            raise
    else:
        told: dict[str, Fields] = {}
        held = _take_over(answer, told)
        for pause in _PAUSES:
            if held:
                time.sleep(pause)
                held = _take_over(connection.domainListGetStats(held, GROUPS, NOWAIT | ENFORCE), told)
        return told, frozenset(handle.UUIDString() for handle in held)
    found = {}
    handles = {each.UUIDString(): each for each in connection.listAllDomains()}
    for domain in domains:
        known = handles.get(domain.uuid)
        with contextlib.suppress(libvirt.libvirtError):  # it is gone; a connection that broke shows below
            if known is not None:
                found[domain.uuid] = Fields(_read_guest(known, domain))
    connection.getLibVersion()
    return found, frozenset()


def _take_over(
    answer: list[tuple[libvirt.virDomain, dict[str, Any]]], told: dict[str, Fields]
) -> list[libvirt.virDomain]:
    """Take figures over into `told`, and give the guests that run and were not asked."""
    held = []
    answer.reverse()
    while answer:  # each part of it goes as soon as it is taken over: it is larger than what is made of it
        handle, fields = answer.pop()
        told[handle.UUIDString()] = own = Fields(_own_figures(fields))
        if _is_held(own):
            held.append(handle)
    return held


def _own_figures(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out the processor time of what does not run: where a guest has no cgroup libvirt tells of its own."""
    if fields.get("state.state") in _RUNNING:
        return fields
    return {name: value for name, value in fields.items() if not name.startswith("cpu.")}


def _is_held(fields: Mapping[str, Any]) -> bool:
    """Whether these figures of a guest that runs are what libvirt has without asking it."""
    if fields.get("state.state") not in _RUNNING:
        return False
    return not any(name.startswith("balloon.") and name not in _KNOWN_WITHOUT for name in fields)


def read_host(connection: libvirt.virConnect) -> tuple[dict[str, int], dict[str, int]]:
    """Ask for nanoseconds of processor time and KiB of memory of the host; empty for what the driver does not tell."""
    return _ask(lambda: connection.getCPUStats(-1, 0), {}), _ask(lambda: connection.getMemoryStats(-1, 0), {})


def _ask(call: Callable[[], Result], default: Result) -> Result:
    with contextlib.suppress(libvirt.libvirtError):
        return call()
    return default


def _read_guest(handle: libvirt.virDomain, domain: Domain) -> dict[str, Any]:
    """Ask a driver without the bulk call for what it has, under the names of that call."""
    state, maximum, current, processors, nanoseconds = handle.info()
    fields: dict[str, Any] = {
        "state.state": state,
        "balloon.maximum": maximum,
        "balloon.current": current,
        "vcpu.current": processors,
    }
    config = domain.config
    if config is not None and config.vcpu:
        fields["vcpu.maximum"] = config.vcpu
    if state == libvirt.VIR_DOMAIN_SHUTOFF:
        return fields
    fields["cpu.time"] = nanoseconds
    memory: dict[str, int] = _ask(handle.memoryStats, {})
    fields |= {f"balloon.{_BALLOON[name]}": value for name, value in memory.items() if name in _BALLOON}
    if config is not None:
        _add_devices(fields, handle, config)
    return fields


def _add_devices(fields: dict[str, Any], handle: libvirt.virDomain, config: DomainConfig) -> None:
    ports = [each.target_dev for each in config.devices if isinstance(each, Interface)]
    disks = [each.target_dev for each in config.devices if isinstance(each, Disk)]
    for group, names, counters, ask in (
        ("net", ports, _NET, handle.interfaceStats),
        ("block", disks, _BLOCK, handle.blockStats),
    ):
        fields[f"{group}.count"] = len(names)
        for number, name in enumerate(names):
            if not name:
                continue
            fields[f"{group}.{number}.name"] = name
            given: Iterable[int] = _ask(lambda: ask(name), ())  # noqa: B023  called at once
            fields |= {
                f"{group}.{number}.{counter}": value
                for counter, value in zip(counters, given, strict=False)
                if value >= 0
            }

"""An example of a platform: libvirt's test driver under a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from virtcim.libhelper.host import HostFacts
from virtcim.platforms.base import BusDefaults, Feature, Platform
from virtcim.platforms.findings import Finding, ok

__all__ = ["PLATFORM"]

_USUAL_GUEST = 256 * 1024
"""KiB."""


def prerequisites() -> Iterator[Finding]:
    """Say what the platform needs on this host: nothing, as libvirt's client is the hypervisor itself."""
    yield ok("the example needs nothing but libvirt")


def host_facts(facts: HostFacts) -> Mapping[str, str]:
    """Say what whoever looks at a host would like to know."""
    return {"Processor model": facts.node.model, "libvirt": ".".join(map(str, facts.libvirt_version))}


def _mood(system: Any) -> str:
    return "at ease" if system.domain.active else "asleep"


def _room(host: Any) -> int | None:
    memory: int | None = host.hypervisor.facts.memory
    return None if memory is None else memory // _USUAL_GUEST


PLATFORM = Platform(
    prefix="Example",
    title="Example platform",
    drivers=("TEST",),
    uris=(),
    domain_types=("test",),
    os_types=("hvm", "linux", "exe"),
    features=(
        Feature.SUSPEND
        | Feature.MANAGED_SAVE
        | Feature.REBOOT
        | Feature.REBOOT_EVENT
        | Feature.RESET
        | Feature.CONTROLLERS
        | Feature.GRAPHICS
        | Feature.SNAPSHOTS
        | Feature.WEIGHT
    ),
    buses=BusDefaults(disk="virtio", network_model="virtio"),
    inputs=(("mouse", "ps2"), ("mouse", "usb"), ("tablet", "usb"), ("keyboard", "ps2")),
    prerequisites=prerequisites,
    host_facts=host_facts,
    mof=files(__name__).joinpath("example.mof").read_text(encoding="utf-8"),
    properties={"ComputerSystem": {"Mood": _mood}, "HostSystem": {"RoomForGuests": _room}},
)

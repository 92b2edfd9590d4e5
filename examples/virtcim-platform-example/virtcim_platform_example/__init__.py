"""An example of a platform: libvirt's test driver under a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from virtcim.libhelper.host import HostFacts
from virtcim.platforms.base import BusDefaults, Feature, Platform
from virtcim.platforms.fields import SYSTEM, Mode, SettingField
from virtcim.platforms.findings import Finding, ok
from virtcim.platforms.metatemplates import MetaTemplate

__all__ = ["PLATFORM"]

_USUAL_GUEST = 256 * 1024
"""KiB."""


def prerequisites() -> Iterator[Finding]:
    """Say what the platform needs on this host: nothing, as libvirt's client is the hypervisor itself."""
    yield ok("the example needs nothing but libvirt")


def host_facts(facts: HostFacts) -> Mapping[str, str]:
    """Say what whoever looks at a host would like to know."""
    return {"Processor model": facts.node.model, "libvirt": ".".join(map(str, facts.libvirt_version))}


def check_settings(_mode: Mode, values: Mapping[str, str]) -> Iterator[str]:
    """Look through a form as a whole: what no single field can know."""
    if values.get(f"{SYSTEM}.Ramdisk") and not values.get(f"{SYSTEM}.Kernel"):
        yield "Ramdisk: belongs to a kernel; expected a kernel too"


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
    fields=(SettingField("Kernel", "Kernel", category="Boot"), SettingField("Ramdisk", "Ramdisk", category="Boot")),
    check_settings=check_settings,
    meta_templates=(MetaTemplate("machine", "Make-believe machine", {"Title": "made of thin air"}),),
    mof=files(__name__).joinpath("example.mof").read_text(encoding="utf-8"),
    properties={"ComputerSystem": {"Mood": _mood}, "HostSystem": {"RoomForGuests": _room}},
)

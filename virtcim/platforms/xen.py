"""Xen, through libvirt's libxl driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from virtcim.platforms.base import BusDefaults, Feature, Platform, WeightRange
from virtcim.platforms.fields import SYSTEM, FieldType, Mode, SettingField
from virtcim.platforms.findings import Finding, ok, warning
from virtcim.platforms.metatemplates import MetaTemplate

CAPABILITIES = Path("/proc/xen/capabilities")
"""Says control_d in the domain that manages the others."""

_BOOTLOADER, _KERNEL, _RAMDISK, _ARGUMENTS = (
    f"{SYSTEM}.{name}" for name in ("Bootloader", "Kernel", "Ramdisk", "CommandLine")
)


def prerequisites() -> Iterator[Finding]:
    """Look at whether this is the domain that manages the others."""
    try:
        manages = "control_d" in CAPABILITIES.read_text(encoding="ascii", errors="replace")
    except OSError as failure:
        yield warning(f"{CAPABILITIES}: {failure.strerror}; expected a kernel that runs as Domain-0 of Xen")
        return
    if manages:
        yield ok("this is Domain-0 of Xen")
    else:
        yield warning("this is a guest of Xen, and not Domain-0: it has no guests of its own")


def check_settings(_mode: Mode, values: Mapping[str, str]) -> Iterator[str]:
    """Look at whether it is clear what a paravirtual guest starts."""
    if values.get(_BOOTLOADER) and values.get(_KERNEL):
        yield "Bootloader, Kernel: the bootloader finds the kernel in the guest; expected one of the two"
    for key, label in ((_RAMDISK, "Ramdisk"), (_ARGUMENTS, "Kernel arguments")):
        if values.get(key) and not values.get(_KERNEL) and not values.get(_BOOTLOADER):
            yield f"{label}: belongs to a kernel; expected a kernel or a bootloader too"


_FIELDS = (
    SettingField("Bootloader", "Bootloader", FieldType.PATH, category="Boot"),
    SettingField("BootloaderArgs", "Bootloader arguments", category="Boot"),
    SettingField("Kernel", "Kernel", FieldType.PATH, category="Boot", description="A file on the host."),
    SettingField("Ramdisk", "Ramdisk", FieldType.PATH, category="Boot", description="A file on the host."),
    SettingField("CommandLine", "Kernel arguments", category="Boot"),
)

PLATFORM = Platform(
    prefix="Xen",
    title="Xen",
    drivers=("Xen", "xenlight"),
    uris=("xen:///system",),
    domain_types=("xen",),
    os_types=("xen", "linux", "hvm", "xenpvh"),
    features=(
        Feature.SUSPEND
        | Feature.MANAGED_SAVE
        | Feature.REBOOT
        | Feature.GRAPHICS
        | Feature.MIGRATION
        | Feature.SNAPSHOTS
        | Feature.HOTPLUG
        | Feature.WEIGHT
    ),
    buses=BusDefaults(disk="xen", mouse="xen", tablet="usb"),
    mac_prefix="00:16:3e",
    no_state_is_running=True,
    weights=(WeightRange(1, 65535, 256),),
    inputs=(("mouse", "ps2"), ("mouse", "usb"), ("mouse", "xen"), ("tablet", "usb"), ("keyboard", "xen")),
    prerequisites=prerequisites,
    fields=_FIELDS,
    check_settings=check_settings,
    meta_templates=(
        MetaTemplate("pv", "Paravirtual", {"IsFullVirt": False, "Bootloader": "pygrub"}),
        MetaTemplate("hvm", "Whole machine", {"IsFullVirt": True}),
    ),
)

"""KVM and plain QEMU, through libvirt's QEMU driver."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from virtcim.platforms.base import BusDefaults, Feature, Platform, WeightRange
from virtcim.platforms.fields import SYSTEM, WHEN_MADE, FieldType, Mode, SettingField
from virtcim.platforms.findings import Finding, ok, warning
from virtcim.platforms.metatemplates import MetaTemplate

DEVICE = Path("/dev/kvm")

EMULATOR_USERS = ("libvirt-qemu", "qemu")
"""Who runs QEMU: Debian's name, and that of Red Hat and SUSE."""


def prerequisites() -> Iterator[Finding]:
    """Look at whether QEMU can use the processor's virtualization."""
    if not DEVICE.exists():
        yield warning(f"there is no {DEVICE}: guests are emulated, which is slow")
        return
    for name in EMULATOR_USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if _may_open(DEVICE, user):
            yield ok(f"/dev/kvm can be opened by {name}")
        else:
            yield warning(
                f"/dev/kvm cannot be opened by {name}: if QEMU runs as that user, libvirt asks it for its capabilities "
                f"again with every call, and defining a guest takes half a minute; add {name} to the group of "
                "/dev/kvm, or chmod 666 /dev/kvm"
            )
        return


def check_settings(_mode: Mode, values: Mapping[str, str]) -> Iterator[str]:
    """Look at whether secure boot has the firmware that it needs."""
    if values.get(f"{SYSTEM}.SecureBoot") in ("1", "true") and values.get(f"{SYSTEM}.Firmware", "efi") != "efi":
        yield "Secure boot: is a part of UEFI; expected the firmware efi"


def _may_open(device: Path, user: pwd.struct_passwd) -> bool:
    found = device.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == user.pw_uid:
        return mode & 0o600 == 0o600
    if found.st_gid in os.getgrouplist(user.pw_name, user.pw_gid):
        return mode & 0o060 == 0o060
    return mode & 0o006 == 0o006


PLATFORM = Platform(
    prefix="KVM",
    title="Kernel-based Virtual Machine",
    drivers=("QEMU",),
    uris=("qemu:///system",),
    domain_types=("kvm", "qemu", "hvf"),
    os_types=("hvm",),
    features=(
        Feature.SUSPEND
        | Feature.MANAGED_SAVE
        | Feature.REBOOT
        | Feature.REBOOT_EVENT
        | Feature.RESET
        | Feature.CONTROLLERS
        | Feature.FILTERS
        | Feature.GRAPHICS
        | Feature.MIGRATION
        | Feature.SNAPSHOTS
        | Feature.BACKUPS
        | Feature.HOTPLUG
        | Feature.WEIGHT
    ),
    buses=BusDefaults(disk="virtio", network_model="virtio"),
    weights=(WeightRange(2, 262144, 1024, cgroup_version=1), WeightRange(1, 10000, 100, cgroup_version=2)),
    inputs=(
        ("mouse", "ps2"),
        ("mouse", "usb"),
        ("mouse", "virtio"),
        ("tablet", "usb"),
        ("tablet", "virtio"),
        ("keyboard", "ps2"),
        ("keyboard", "usb"),
        ("keyboard", "virtio"),
    ),
    prerequisites=prerequisites,
    fields=(
        SettingField("Machine", "Machine", category="System", modes=WHEN_MADE),
        SettingField("Firmware", "Firmware", FieldType.CHOICE, category="Boot", choices=("bios", "efi")),
        SettingField("SecureBoot", "Secure boot", FieldType.SWITCH, category="Boot"),
        SettingField("CPUMode", "Processor model", category="System"),
    ),
    check_settings=check_settings,
    meta_templates=(
        MetaTemplate("bios", "Machine with BIOS", {"Firmware": "bios"}),
        MetaTemplate("uefi", "Machine with UEFI", {"Firmware": "efi"}),
    ),
)

"""KVM and plain QEMU, through libvirt's QEMU driver."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from virtcim.platforms.base import BusDefaults, Feature, Platform, WeightRange
from virtcim.platforms.findings import Finding, ok, warning

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
)

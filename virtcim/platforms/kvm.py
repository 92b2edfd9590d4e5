"""KVM and plain QEMU, through libvirt's QEMU driver."""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform, WeightRange

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
)

"""Cloud Hypervisor, through libvirt's ch driver: guests without a display, whose definitions libvirt does not keep."""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform, find_program

PLATFORM = Platform(
    prefix="CloudHypervisor",
    title="Cloud Hypervisor",
    drivers=("CH",),
    uris=("ch:///system",),
    domain_types=("kvm", "hyperv"),
    os_types=("hvm",),
    features=Feature.SUSPEND | Feature.REBOOT,
    buses=BusDefaults(disk="virtio", network_model="virtio"),
    boot_devices=False,
    tried=False,
    detect=lambda: find_program("cloud-hypervisor"),
)

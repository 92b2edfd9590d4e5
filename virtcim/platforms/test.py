"""libvirt's test driver: guests without a hypervisor, for trying things out and for tests."""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform
from virtcim.platforms.metatemplates import MetaTemplate

PLATFORM = Platform(
    prefix="Test",
    title="libvirt test driver",
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
    meta_templates=(MetaTemplate("machine", "Make-believe machine"),),
    inputs=(("mouse", "ps2"), ("mouse", "usb"), ("tablet", "usb"), ("keyboard", "ps2")),
)

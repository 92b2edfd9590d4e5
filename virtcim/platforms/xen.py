"""Xen, through libvirt's libxl driver."""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform, WeightRange

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
)

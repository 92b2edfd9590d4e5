"""VirtualBox, through libvirt's vbox driver, which tells of no changes: they are seen with the next comparison."""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform, find_program

PLATFORM = Platform(
    prefix="VBox",
    title="VirtualBox",
    drivers=("VBOX",),
    uris=("vbox:///session",),
    domain_types=("vbox",),
    os_types=("hvm",),
    features=Feature.SUSPEND | Feature.REBOOT | Feature.CONTROLLERS | Feature.GRAPHICS | Feature.SNAPSHOTS,
    buses=BusDefaults(disk="ide"),
    mac_prefix="08:00:27",
    inputs=(("mouse", "ps2"), ("tablet", "usb"), ("keyboard", "ps2"), ("keyboard", "usb")),
    tried=False,
    detect=lambda: find_program("VBoxManage", "VBoxHeadless"),
)

"""bhyve on FreeBSD, through libvirt's bhyve driver, which starts and stops guests and does little else."""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform, find_program

PLATFORM = Platform(
    prefix="Bhyve",
    title="bhyve",
    drivers=("BHYVE",),
    uris=("bhyve:///system",),
    domain_types=("bhyve",),
    os_types=("hvm",),
    features=Feature.CONTROLLERS | Feature.GRAPHICS,
    buses=BusDefaults(disk="virtio", mouse="ps2", tablet="usb", network_model="virtio"),
    mac_prefix="58:9c:fc",
    inputs=(("tablet", "usb"),),
    tried=False,
    detect=lambda: find_program("bhyve"),
)

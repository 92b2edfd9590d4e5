"""Virtuozzo, through libvirt's vz driver, which also answers under its old name Parallels."""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform, find_program

PLATFORM = Platform(
    prefix="Virtuozzo",
    title="Virtuozzo",
    drivers=("vz", "Parallels"),
    uris=("vz:///system",),
    domain_types=("vz", "parallels"),
    os_types=("hvm", "exe"),
    features=(
        Feature.SUSPEND
        | Feature.MANAGED_SAVE
        | Feature.REBOOT
        | Feature.CONTROLLERS
        | Feature.GRAPHICS
        | Feature.MIGRATION
        | Feature.SNAPSHOTS
        | Feature.HOTPLUG
    ),
    buses=BusDefaults(disk="scsi", network_model="virtio"),
    mac_prefix="00:1c:42",
    schemes=("parallels",),
    tried=False,
    detect=lambda: find_program("prlctl"),
)

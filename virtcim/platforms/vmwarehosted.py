"""VMware Player and Workstation, through libvirt's vmware driver, which runs their programs.

It tells of no changes: they are seen with the next comparison.
"""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform, find_program

PLATFORM = Platform(
    prefix="VMwareHosted",
    title="VMware Player and Workstation",
    drivers=("VMware",),
    uris=("vmwarews:///session", "vmwareplayer:///session"),
    domain_types=("vmware",),
    os_types=("hvm",),
    features=Feature.SUSPEND | Feature.REBOOT | Feature.CONTROLLERS | Feature.GRAPHICS,
    buses=BusDefaults(disk="ide", network_model="e1000"),
    mac_prefix="00:50:56",
    schemes=("vmwarefusion",),
    tried=False,
    detect=lambda: find_program("vmrun"),
)

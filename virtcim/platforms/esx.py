"""VMware ESX and vCenter, through libvirt's esx driver, as far as it reads: it tells of no changes, and plugs nothing.

Hosts are reached over the network only, so that there is none to look for here.
"""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform

PLATFORM = Platform(
    prefix="ESX",
    title="VMware ESX and vCenter",
    drivers=("ESX",),
    uris=(),
    domain_types=("vmware",),
    os_types=("hvm",),
    features=Feature.SUSPEND | Feature.REBOOT | Feature.CONTROLLERS | Feature.GRAPHICS | Feature.SNAPSHOTS,
    buses=BusDefaults(disk="scsi", network_model="e1000"),
    mac_prefix="00:50:56",
    schemes=("esx", "vpx", "gsx"),
    tried=False,
    detect=lambda: False,
)

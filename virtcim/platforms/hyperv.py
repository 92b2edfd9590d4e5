"""Microsoft Hyper-V, through libvirt's hyperv driver, which asks a Windows host by WS-Management.

Hosts are reached over the network only, so that there is none to look for here.
"""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform

PLATFORM = Platform(
    prefix="HyperV",
    title="Microsoft Hyper-V",
    drivers=("Hyper-V",),
    uris=(),
    domain_types=("hyperv",),
    os_types=("hvm",),
    features=Feature.SUSPEND | Feature.MANAGED_SAVE | Feature.REBOOT | Feature.RESET | Feature.CONTROLLERS,
    buses=BusDefaults(disk="ide"),
    mac_prefix="00:15:5d",
    schemes=("hyperv",),
    tried=False,
    detect=lambda: False,
)

"""Linux containers, through libvirt's LXC driver."""

from __future__ import annotations

from virtcim.platforms.base import BusDefaults, Feature, Platform, WeightRange
from virtcim.platforms.fields import FieldType, SettingField
from virtcim.platforms.metatemplates import MetaTemplate

PLATFORM = Platform(
    prefix="LXC",
    title="Linux Containers",
    drivers=("LXC",),
    uris=("lxc:///system",),
    domain_types=("lxc",),
    os_types=("exe",),
    features=Feature.SUSPEND | Feature.REBOOT | Feature.REBOOT_EVENT | Feature.HOTPLUG | Feature.WEIGHT,
    buses=BusDefaults(disk="", mouse="usb"),
    mac_prefix="00:16:3e",
    boot_devices=False,
    weights=(WeightRange(2, 262144, 1024, cgroup_version=1), WeightRange(1, 10000, 100, cgroup_version=2)),
    containers=True,
    fields=(
        SettingField("InitPath", "First program", FieldType.PATH, category="Boot", default="/bin/false"),
        SettingField("InitArguments", "Its arguments", FieldType.LIST, category="Boot"),
    ),
    meta_templates=(MetaTemplate("container", "Container of a whole system", {"InitPath": "/sbin/init"}),),
)

"""What a volume shows of itself as a setting."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from libhelper.storagexml import VolumeConfig
from platforms.base import Platform
from providers.base import Element
from providers.properties import Property, PropertyTable, attribute, constant
from providers.site import Site
from providers.Virt_DevicePool import DevicePool, DiskPool, pools_of
from providers.Virt_StorageVolume import StorageVolume, volumes_of

__all__ = ["FORMATS", "UNKNOWN_FORMAT", "VolumeSetting", "volume_setting", "volume_settings_of"]

FORMATS = {1: "raw", 2: "qcow2"}
"""FormatType to libvirt's word."""
UNKNOWN_FORMAT = 0

_BYTES = "byte"
_VALUES = {name: value for value, name in FORMATS.items()}


class VolumeSetting(Element):
    """The settings of a storage volume.

    Attributes:
        volume: the volume.
        config: its XML.
        instance_id: the key.
    """

    __slots__ = ("config", "instance_id", "volume")

    base = "StorageVolumeResourceAllocationSettingData"
    key_names = ("InstanceID",)
    table: ClassVar[PropertyTable]

    def __init__(self, volume: StorageVolume, instance_id: str) -> None:
        self.volume = volume
        self.config = volume.config
        self.instance_id = instance_id
        super().__init__(volume.platform, instance_id)

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterable[VolumeSetting]:
        return volume_settings_of(site, platform).values()

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.volume.revision


def volume_settings_of(site: Site, platform: Platform) -> Mapping[str, VolumeSetting]:
    """The settings of all volumes of a platform, by InstanceID; `#2` and so on tell apart what has one key."""
    pools = pools_of(site, platform, DiskPool)
    kept = site.memo(("volume settings", platform.prefix), lambda _: _Kept())
    known, settings = kept.made
    if known != pools:
        settings = _settings(pools)
        kept.made = pools, settings
    return settings


@dataclass(slots=True)
class _Kept:
    """The settings of all volumes of a platform.

    Attributes:
        made: the pools that the settings were made from, and the settings; of a pool that changes there is another
            element.
    """

    made: tuple[Sequence[DevicePool], Mapping[str, VolumeSetting]] = ((), {})


def _settings(pools: Iterable[DevicePool]) -> dict[str, VolumeSetting]:
    settings: dict[str, VolumeSetting] = {}
    for pool in pools:
        for volume in volumes_of(pool):
            instance_id, number = volume.volume.key, 1
            while instance_id in settings:
                number += 1
                instance_id = f"{volume.volume.key}#{number}"
            settings[instance_id] = VolumeSetting(volume, instance_id)
    return settings


def volume_setting(site: Site, platform: Platform, pool: DiskPool, name: str) -> VolumeSetting | None:
    """The settings of one volume; None where there is none of that name in the pool."""
    place = (pool.instance_id, name)
    found = volume_settings_of(site, platform).values()
    return next((each for each in found if (each.volume.pool.instance_id, each.volume.volume.name) == place), None)


def _field(name: str, field: str) -> Property:
    return attribute(name, f"config.{field}", source=f"volume XML {VolumeConfig.field_path(field)}")


VolumeSetting.table = PropertyTable(
    attribute("InstanceID", "instance_id", source="volume XML key"),
    attribute("ElementName", "volume.volume.name", source="volume XML name"),
    attribute("VolumeName", "volume.volume.name", source="volume XML name"),
    attribute("PoolID", "volume.pool.instance_id", source="InstanceID of the pool"),
    attribute("ResourceType", "volume.pool.resource_type", source="ResourceType of the pool"),
    _field("ResourceSubType", "target_format_type"),
    Property(
        "FormatType",
        lambda setting: _VALUES.get(setting.config.target_format_type, UNKNOWN_FORMAT),
        f"volume XML {VolumeConfig.field_path('target_format_type')}",
    ),
    attribute("Address", "volume.volume.key", source="volume XML key"),
    _field("Path", "target_path"),
    constant("AllocationUnits", _BYTES),
    _field("Capacity", "capacity"),
    _field("AllocationQuantity", "allocation"),
    _field("VirtualQuantity", "capacity"),
    constant("VirtualQuantityUnits", _BYTES),
    _field("BackingPath", "backing_store_path"),
    _field("BackingFormat", "backing_store_format_type"),
)

"""What a volume shows of itself as a setting."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey
from virtcim.providers.properties import MappedField, Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import PLATFORMS, Place
from virtcim.providers.Virt_DevicePool import DevicePool, DiskPool
from virtcim.providers.Virt_StorageVolume import StorageVolume, volumes_of

__all__ = ["FORMATS", "UNKNOWN_FORMAT", "VolumeSetting", "volume_setting", "volume_settings_of"]

FORMATS = {1: "raw", 2: "qcow2"}
"""FormatType to libvirt's word."""
UNKNOWN_FORMAT = 0

_BYTES = "byte"
_VALUES = {name: value for value, name in FORMATS.items()}


class VolumeSetting(Element):
    """The settings of a storage volume (Virt_StorageVolumeResourceAllocationSettingData).

    Attributes:
        volume: the volume.
        config: its XML.
        instance_id: the key.
    """

    __slots__ = ("config", "instance_id", "volume")

    base = "StorageVolumeResourceAllocationSettingData"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "Missing InstanceID")
    source = PLATFORMS

    def __init__(self, volume: StorageVolume, instance_id: str) -> None:
        self.volume = volume
        self.config = volume.config
        self.instance_id = instance_id
        super().__init__(volume.site, volume.platform, instance_id)

    @classmethod
    def made_from(cls, owner: Place) -> Iterable[VolumeSetting]:
        return volume_settings_of(owner.site, owner.platform).values()

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.volume.revision


class _Settings:
    """The settings of all volumes of some pools.

    Attributes:
        pools: the pools; of one that changes there is another element.
        by_id: by InstanceID; `#2` and so on tell apart volumes that have one key.
        by_place: by InstanceID of the pool and name of the volume.
    """

    __slots__ = ("by_id", "by_place", "pools")

    def __init__(self, pools: Sequence[DevicePool]) -> None:
        self.pools = pools
        self.by_id: dict[str, VolumeSetting] = {}
        self.by_place: dict[tuple[str, str], VolumeSetting] = {}
        for pool in pools:
            for volume in volumes_of(pool):
                self._add(pool, volume)

    def _add(self, pool: DevicePool, volume: StorageVolume) -> None:
        instance_id, number = volume.volume.key, 1
        while instance_id in self.by_id:
            number += 1
            instance_id = f"{volume.volume.key}#{number}"
        setting = VolumeSetting(volume, instance_id)
        self.by_id[instance_id] = self.by_place[pool.instance_id, volume.volume.name] = setting


def _settings_of(site: Site, platform: Platform) -> _Settings:
    """The settings of all volumes of a platform, kept until a pool changes."""
    pools = list(DiskPool.all_of(site, platform))
    kept: list[_Settings] = site.memo(("volume settings", platform.prefix), lambda _: [_Settings(())])
    settings = kept[0]
    if settings.pools != pools:
        settings = kept[0] = _Settings(pools)
    return settings


def volume_settings_of(site: Site, platform: Platform) -> Mapping[str, VolumeSetting]:
    """The settings of all volumes of a platform, by InstanceID."""
    return _settings_of(site, platform).by_id


def volume_setting(site: Site, platform: Platform, pool: DevicePool, name: str) -> VolumeSetting | None:
    """The settings of one volume; None where there is none of that name in the pool."""
    return _settings_of(site, platform).by_place.get((pool.instance_id, name))


def _field(name: str, field: MappedField) -> Property[VolumeSetting]:
    source = f"volume XML {VolumeConfig.field_path(field.name)}"
    return attribute(name, lambda setting: getattr(setting.config, field.name), source=source)


VolumeSetting.table = PropertyTable(
    attribute("InstanceID", lambda setting: setting.instance_id, source="volume XML key"),
    attribute("ElementName", lambda setting: setting.volume.volume.name, source="volume XML name"),
    attribute("VolumeName", lambda setting: setting.volume.volume.name, source="volume XML name"),
    attribute("PoolID", lambda setting: setting.volume.pool.instance_id, source="InstanceID of the pool"),
    attribute("ResourceType", lambda setting: setting.volume.pool.resource_type, source="ResourceType of the pool"),
    _field("ResourceSubType", VolumeConfig.target_format_type),
    Property(
        "FormatType",
        lambda setting: _VALUES.get(setting.config.target_format_type or "", UNKNOWN_FORMAT),
        f"volume XML {VolumeConfig.field_path('target_format_type')}",
    ),
    attribute("Address", lambda setting: setting.volume.volume.key, source="volume XML key"),
    _field("Path", VolumeConfig.target_path),
    constant("AllocationUnits", _BYTES),
    _field("Capacity", VolumeConfig.capacity),
    _field("AllocationQuantity", VolumeConfig.allocation),
    _field("VirtualQuantity", VolumeConfig.capacity),
    constant("VirtualQuantityUnits", _BYTES),
    _field("BackingPath", VolumeConfig.backing_store_path),
    _field("BackingFormat", VolumeConfig.backing_store_format_type),
)

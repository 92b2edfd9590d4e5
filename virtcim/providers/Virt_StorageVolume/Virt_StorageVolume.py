"""Storage volumes as <prefix>_StorageVolume (CIM_StorageVolume): what storage pools consist of."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Self

from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.inventory.records import Volume
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, MainKey, class_of
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.Virt_DevicePool import STORAGE_POOLS, DevicePool
from virtcim.providers.Virt_HostDevice import DEVICE_STATE, HasDeviceState
from virtcim.providers.Virt_HostSystem import host_name

__all__ = ["StorageVolume", "StorageVolumeProvider", "volumes_of"]

_OTHER = 1
_FIXED_BLOCK = 2
_BLOCK_SIZE = 512
_BLOCK_TYPES = frozenset({"file", "block", "network"})


class StorageVolume(HasDeviceState, Element):
    """A storage volume (Virt_StorageVolume).

    Attributes:
        pool: the storage pool that it is in.
        volume: the record of it.
        device_id: the key: names of pool and volume.
        config: its XML.
    """

    __slots__ = ("config", "device_id", "pool", "volume")

    base = "StorageVolume"
    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "DeviceID")
    main_key = MainKey("DeviceID", "No DeviceID specified")
    source = STORAGE_POOLS

    def __init__(self, pool: DevicePool, volume: Volume) -> None:
        self.pool = pool
        self.volume = volume
        self.config = volume.config or VolumeConfig()
        self.device_id = f"{pool.instance_id.partition('/')[2]}/{volume.name}"
        super().__init__(pool.site, pool.platform, self.device_id)

    @classmethod
    def made_from(cls, owner: DevicePool) -> Sequence[Self]:
        """The volumes of a storage pool, as far as they are known; none of a pool that is not active."""
        volumes = getattr(owner.record, "volumes", None) or ()
        return owner.cached("volumes", volumes, lambda: [cls(owner, volume) for volume in volumes])

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        return CIMError(Status.NOT_FOUND, f"No such instance (no device {key})")

    @property
    def host_name(self) -> str:
        """The name of the host."""
        return host_name(self.pool.hypervisor)

    @property
    def contact(self) -> bool:
        return self.pool.contact

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.contact, self.volume.document.digest


def volumes_of(pool: DevicePool) -> Sequence[StorageVolume]:
    """The volumes of a pool, as far as they are known; none of one that is no active storage pool."""
    return StorageVolume.made_from(pool)


def _block_size(volume: StorageVolume) -> int:
    """512 bytes, or 1 where the size is not a number of such blocks."""
    return 1 if (volume.config.capacity or 0) % _BLOCK_SIZE else _BLOCK_SIZE


def _blocks(volume: StorageVolume) -> int | None:
    capacity = volume.config.capacity
    return None if capacity is None else capacity // _block_size(volume)


def _grows(volume: StorageVolume) -> bool | None:
    """Whether less is taken from the pool than the guest sees."""
    capacity, allocation = volume.config.capacity, volume.config.allocation
    return None if capacity is None or allocation is None else allocation < capacity


StorageVolume.table = PropertyTable(
    Property(
        "SystemCreationClassName",
        lambda volume: class_of(volume.platform.prefix, "HostSystem"),
        "class name of the host",
    ),
    attribute("SystemName", lambda volume: volume.host_name, source="fully qualified host name"),
    attribute("CreationClassName", lambda volume: volume.class_name, source="class name"),
    attribute("DeviceID", lambda volume: volume.device_id, source="names of pool and volume"),
    attribute("ElementName", lambda volume: volume.volume.name, source="volume XML name"),
    attribute("Name", lambda volume: volume.volume.key, source="volume XML key"),
    constant("NameFormat", _OTHER, "always Other: as libvirt makes it"),
    constant("OtherNameFormat", "libvirt volume key"),
    constant("NameNamespace", _OTHER, "always Other"),
    constant("OtherNameNamespace", "libvirt"),
    DEVICE_STATE,
    Property(
        "Caption",
        lambda volume: volume.config.target_format_type,
        f"volume XML {VolumeConfig.field_path('target_format_type')}",
    ),
    Property(
        "DataOrganization",
        lambda volume: _FIXED_BLOCK if (volume.config.type or "file") in _BLOCK_TYPES else None,
        "Fixed Block; NULL for a directory",
    ),
    Property("BlockSize", _block_size, "512; 1 where the capacity is not a number of such blocks"),
    Property("NumberOfBlocks", _blocks, f"volume XML {VolumeConfig.field_path('capacity')}"),
    Property("ConsumableBlocks", _blocks, f"volume XML {VolumeConfig.field_path('capacity')}"),
    Property(
        "ThinlyProvisioned",
        _grows,
        f"volume XML {VolumeConfig.field_path('allocation')} below {VolumeConfig.field_path('capacity')}",
    ),
    constant("Primordial", False),
)


class StorageVolumeProvider(ElementProvider):
    """Serves <prefix>_StorageVolume."""

    name = "Virt_StorageVolume"
    types = (StorageVolume,)

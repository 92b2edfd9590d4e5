"""Devices of a guest without a class of their own."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Crypto, Device, Hub, Iommu, Nvram, Panic, Pstore, Redirfilter
from virtcim.providers.Virt_RASD.other_table import other_table
from virtcim.providers.Virt_RASD.setting import ResourceSetting, device_table

__all__ = ["OtherSetting"]


class OtherSetting(ResourceSetting[Device]):
    """A device of a guest (Virt_ResourceAllocationSettingData)."""

    __slots__ = ()

    base = "ResourceAllocationSettingData"


_CLASSES = (Crypto, Hub, Iommu, Nvram, Panic, Pstore, Redirfilter)

OtherSetting.table = device_table(_CLASSES, other_table(*_CLASSES))

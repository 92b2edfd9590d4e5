"""Devices of a guest without a class of their own."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Device, Hub, Iommu, Nvram, Panic
from virtcim.providers.Virt_RASD.other_table import other_table
from virtcim.providers.Virt_RASD.setting import ResourceSetting

__all__ = ["OtherSetting"]


class OtherSetting(ResourceSetting[Device]):
    """A device of a guest (Virt_ResourceAllocationSettingData)."""

    __slots__ = ()

    base = "ResourceAllocationSettingData"


OtherSetting.table = other_table(Hub, Iommu, Nvram, Panic)

"""Memory modules of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import MemoryDevice
from virtcim.providers.properties import attribute
from virtcim.providers.Virt_RASD.other_table import field_of, other_table, quantity
from virtcim.providers.Virt_RASD.setting import ResourceSetting, device_table

__all__ = ["MemoryModuleSetting"]


class MemoryModuleSetting(ResourceSetting[MemoryDevice]):
    """A memory module of a guest (Virt_MemoryModuleResourceAllocationSettingData)."""

    __slots__ = ()

    base = "MemoryModuleResourceAllocationSettingData"


MemoryModuleSetting.table = device_table(
    (MemoryDevice,),
    other_table(MemoryDevice),
    quantity(MemoryDevice, MemoryDevice.target_size, "byte*2^10"),
    field_of("TargetNode", (MemoryDevice, MemoryDevice.target_node)),
    field_of("RequestedSize", (MemoryDevice, MemoryDevice.target_requested)),
    attribute("CurrentSize", lambda setting: setting.device.target_current, MemoryDevice),
    field_of("ModuleBlockSize", (MemoryDevice, MemoryDevice.target_block), zero=False),
    field_of("LabelSize", (MemoryDevice, MemoryDevice.target_label_size), zero=False),
)

"""Storage pools that a host can have as <prefix>_DiskPoolResourceAllocationSettingData."""

from __future__ import annotations

from virtcim.providers.Virt_AllocationCapabilities.template import Template, template_table

__all__ = ["NewStoragePool"]


class NewStoragePool(Template):
    """A storage pool to be created.

    There are templates only of Virt_DiskPoolResourceAllocationSettingData.
    """

    __slots__ = ()

    base = "DiskPoolResourceAllocationSettingData"


NewStoragePool.table = template_table("Type", "ResourceSubType", "Autostart")

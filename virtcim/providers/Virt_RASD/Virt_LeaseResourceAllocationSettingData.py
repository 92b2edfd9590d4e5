"""Leases of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Lease
from virtcim.providers.properties import PropertyTable
from virtcim.providers.Virt_RASD.other_table import field_of, other_table
from virtcim.providers.Virt_RASD.setting import ResourceSetting

__all__ = ["LeaseSetting"]


class LeaseSetting(ResourceSetting[Lease]):
    """A lease of a guest (Virt_LeaseResourceAllocationSettingData)."""

    __slots__ = ()

    base = "LeaseResourceAllocationSettingData"


LeaseSetting.table = PropertyTable(
    other_table(Lease, placed=False),
    field_of("LeaseKey", (Lease, Lease.key)),
    field_of("LeaseOffset", (Lease, Lease.target_offset)),
)

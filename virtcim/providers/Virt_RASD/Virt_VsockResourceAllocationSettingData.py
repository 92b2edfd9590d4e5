"""Sockets (vsock) between a guest and its host."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Vsock
from virtcim.providers.Virt_RASD.other_table import field_of, other_table
from virtcim.providers.Virt_RASD.setting import ResourceSetting, device_table

__all__ = ["VsockSetting"]


class VsockSetting(ResourceSetting[Vsock]):
    """A socket between a guest and its host (Virt_VsockResourceAllocationSettingData)."""

    __slots__ = ()

    base = "VsockResourceAllocationSettingData"


VsockSetting.table = device_table(
    (Vsock,),
    other_table(Vsock),
    field_of("ContextID", (Vsock, Vsock.cid_address), zero=False),
    field_of("AutomaticContextID", (Vsock, Vsock.cid_auto)),
)

"""Watchdogs of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Watchdog
from virtcim.providers.Virt_RASD.other_table import field_of, other_table
from virtcim.providers.Virt_RASD.setting import ResourceSetting, device_table

__all__ = ["WatchdogSetting"]


class WatchdogSetting(ResourceSetting[Watchdog]):
    """A watchdog of a guest (Virt_WatchdogResourceAllocationSettingData)."""

    __slots__ = ()

    base = "WatchdogResourceAllocationSettingData"


WatchdogSetting.table = device_table(
    (Watchdog,),
    other_table(Watchdog),
    field_of("Action", (Watchdog, Watchdog.action)),
)

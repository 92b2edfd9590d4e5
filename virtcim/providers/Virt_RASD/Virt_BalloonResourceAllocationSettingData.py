"""The balloon by which a guest gives memory back."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import MemBalloon
from virtcim.providers.Virt_RASD.other_table import field_of, other_table
from virtcim.providers.Virt_RASD.setting import ResourceSetting, device_table

__all__ = ["BalloonSetting"]


class BalloonSetting(ResourceSetting[MemBalloon]):
    """The balloon of a guest (Virt_BalloonResourceAllocationSettingData)."""

    __slots__ = ()

    base = "BalloonResourceAllocationSettingData"


BalloonSetting.table = device_table(
    (MemBalloon,),
    other_table(MemBalloon),
    field_of("StatisticsPeriod", (MemBalloon, MemBalloon.stats_period), zero=False),
    field_of("AutomaticDeflation", (MemBalloon, MemBalloon.autodeflate)),
    field_of("FreePageReporting", (MemBalloon, MemBalloon.free_page_reporting)),
)

"""Graphics adapters of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Video
from virtcim.providers.Virt_RASD.other_table import field_of, other_table
from virtcim.providers.Virt_RASD.setting import ResourceSetting, device_table

__all__ = ["VideoSetting"]


class VideoSetting(ResourceSetting[Video]):
    """A graphics adapter of a guest (Virt_VideoResourceAllocationSettingData)."""

    __slots__ = ()

    base = "VideoResourceAllocationSettingData"


VideoSetting.table = device_table(
    (Video,),
    other_table(Video),
    field_of("VideoMemory", (Video, Video.model_vram), zero=False),
    field_of("VideoMemory64", (Video, Video.model_vram64), zero=False),
    field_of("SecondaryVideoMemory", (Video, Video.model_ram), zero=False),
    field_of("VGAMemory", (Video, Video.model_vgamem), zero=False),
    field_of("Heads", (Video, Video.model_heads), zero=False),
    field_of("Primary", (Video, Video.model_primary)),
    field_of("Acceleration2D", (Video, Video.model_acceleration_accel2d)),
    field_of("Acceleration3D", (Video, Video.model_acceleration_accel3d)),
    field_of("HorizontalResolution", (Video, Video.model_resolution_x), zero=False),
    field_of("VerticalResolution", (Video, Video.model_resolution_y), zero=False),
)

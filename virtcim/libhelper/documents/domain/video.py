"""`<video>`: graphics adapters."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device, VirtioOptions
from virtcim.libhelper.xml.mapping import Int, Replacement, Text, YesNo

__all__ = ["Video"]


class Video(VirtioOptions, Device):
    """A `<video>`.  The sizes of its memories are in KiB."""

    tag = "video"
    replacements = (
        # Which adapter is the first is said of the guest.
        Replacement(fields=("model_type",), takes=("model", "driver", "address"), keeps=("model/@primary",)),
    )
    driver_name = Text("driver/@name")
    driver_vgaconf = Text("driver/@vgaconf")
    model_type = Text("model/@type")
    model_ram = Int("model/@ram")
    model_vram = Int("model/@vram")
    model_vram64 = Int("model/@vram64")
    model_vgamem = Int("model/@vgamem")
    model_heads = Int("model/@heads")
    model_primary = YesNo("model/@primary")
    model_blob = Text("model/@blob")
    model_acceleration_accel3d = YesNo("model/acceleration/@accel3d")
    model_acceleration_accel2d = YesNo("model/acceleration/@accel2d")
    model_acceleration_rendernode = Text("model/acceleration/@rendernode")
    model_resolution_x = Int("model/resolution/@x")
    model_resolution_y = Int("model/resolution/@y")

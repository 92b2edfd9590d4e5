"""Graphical consoles as <prefix>_DisplayController."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Console, Graphics
from virtcim.providers.consoles import graphics_address
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["DisplayController"]


class DisplayController(GuestDevice[Graphics | Console]):
    """A graphical console of a guest, or a pseudo terminal (as libvirt-cim lists it) (Virt_DisplayController)."""

    __slots__ = ()

    base = "DisplayController"


def _video_processor(display: DisplayController) -> str:
    kind = "console" if isinstance(display.device, Console) else display.device.type or "graphics"
    address = graphics_address(display.device)
    return kind if address is None or kind == "sdl" else f"{kind}/{address}"


DisplayController.table = PropertyTable(
    COMMON,
    Property(
        "VideoProcessor",
        _video_processor,
        "domain XML devices/graphics/@type, its address and @port; devices/console/source/@path",
    ),
)

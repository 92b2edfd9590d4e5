"""Graphical and text consoles as <prefix>_DisplayController and <prefix>_ConsoleDisplayController."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Console, Graphics
from virtcim.providers.consoles import graphics_address
from virtcim.providers.deviceids import Kind
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["ConsoleDisplayController", "DisplayController"]


class DisplayController(GuestDevice[Graphics | Console]):
    """A graphical console of a guest, or a pseudo terminal (as libvirt-cim lists it)."""

    __slots__ = ()

    base = "DisplayController"
    kind = Kind.GRAPHICS


class ConsoleDisplayController(GuestDevice[Console]):
    """A text console of a guest."""

    __slots__ = ()

    base = "ConsoleDisplayController"
    kind = Kind.CONSOLE


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

ConsoleDisplayController.table = PropertyTable(
    COMMON,
    attribute("VideoProcessor", lambda device: device.device.type, Console),
)

"""Text consoles as <prefix>_ConsoleDisplayController."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Console
from virtcim.providers.properties import PropertyTable, attribute
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["ConsoleDisplayController"]


class ConsoleDisplayController(GuestDevice[Console]):
    """A text console of a guest (Virt_ConsoleDisplayController)."""

    __slots__ = ()

    base = "ConsoleDisplayController"


ConsoleDisplayController.table = PropertyTable(
    COMMON,
    attribute("VideoProcessor", lambda device: device.device.type, Console),
)

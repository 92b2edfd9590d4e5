"""The graphical consoles of guests as a pool."""

from __future__ import annotations

from virtcim.providers.Virt_DevicePool.pool import DevicePool, counted

__all__ = ["GraphicsPool"]

_GRAPHICS_CONTROLLER = 24


class GraphicsPool(DevicePool):
    """All graphical consoles of a host (Virt_GraphicsPool)."""

    __slots__ = ()

    base = "GraphicsPool"
    resource_type = _GRAPHICS_CONTROLLER


GraphicsPool.table = counted("Graphical consoles", "graphical consoles")

"""Pools of what a hypervisor makes up for its guests: graphical consoles, input devices, controllers."""

from __future__ import annotations

from virtcim.providers.deviceids import Kind
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_DevicePool.pool import COMMON, COUNT, DevicePool

__all__ = ["ControllerPool", "GraphicsPool", "InputPool"]

_OTHER, _IO_DEVICE, _GRAPHICS_CONTROLLER = 1, 13, 24


class GraphicsPool(DevicePool):
    """All graphical consoles of a host."""

    __slots__ = ()

    base = "GraphicsPool"
    kind = Kind.GRAPHICS
    resource_type = _GRAPHICS_CONTROLLER


class InputPool(DevicePool):
    """All virtual input devices of a host."""

    __slots__ = ()

    base = "InputPool"
    kind = Kind.INPUT
    resource_type = _IO_DEVICE


class ControllerPool(DevicePool):
    """All virtual controllers of a host."""

    __slots__ = ()

    base = "ControllerPool"
    kind = Kind.CONTROLLER
    resource_type = _OTHER


def _counted(caption: str, what: str) -> PropertyTable[DevicePool]:
    return PropertyTable(
        COMMON,
        constant("Caption", caption),
        constant("AllocationUnits", COUNT),
        constant("ConsumedResourceUnits", COUNT),
        Property("CurrentlyConsumedResource", lambda pool: pool.consumed, f"{what} of the active guests"),
    )


GraphicsPool.table = _counted("Graphical consoles", "graphical consoles")
InputPool.table = _counted("Input devices", "input devices")
ControllerPool.table = PropertyTable(
    _counted("Controllers", "controllers"),
    constant("OtherResourceType", "controller"),
)

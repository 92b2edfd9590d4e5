"""The virtual input devices of guests as a pool."""

from __future__ import annotations

from virtcim.providers.Virt_DevicePool.pool import DevicePool, counted

__all__ = ["InputPool"]

_IO_DEVICE = 13


class InputPool(DevicePool):
    """All virtual input devices of a host (Virt_InputPool)."""

    __slots__ = ()

    base = "InputPool"
    resource_type = _IO_DEVICE


InputPool.table = counted("Input devices", "input devices")

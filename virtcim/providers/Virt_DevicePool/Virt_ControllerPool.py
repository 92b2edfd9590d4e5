"""The virtual controllers of guests as a pool."""

from __future__ import annotations

from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.Virt_DevicePool.pool import DevicePool, counted

__all__ = ["ControllerPool"]

_OTHER = 1


class ControllerPool(DevicePool):
    """All virtual controllers of a host (Virt_ControllerPool)."""

    __slots__ = ()

    base = "ControllerPool"
    resource_type = _OTHER


ControllerPool.table = PropertyTable(
    counted("Controllers", "controllers"),
    constant("OtherResourceType", "controller"),
)

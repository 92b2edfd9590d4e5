"""Mice, tablets and keyboards as <prefix>_PointingDevice."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Input
from virtcim.providers.inputs import input_caption
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["PointingDevice"]

_UNKNOWN, _MOUSE = 2, 3
_POINTING = frozenset({"mouse", "tablet"})


class PointingDevice(GuestDevice[Input]):
    """An input device of a guest (Virt_PointingDevice)."""

    __slots__ = ()

    base = "PointingDevice"


PointingDevice.table = PropertyTable(
    COMMON,
    Property(
        "PointingType",
        lambda pointing: _MOUSE if pointing.device.type in _POINTING else _UNKNOWN,
        f"domain XML {Input.field_path('type')}",
    ),
    Property(
        "Caption",
        lambda pointing: input_caption(pointing.device),
        f"domain XML {Input.field_path('bus')}, {Input.field_path('type')}",
    ),
)

"""Mice, tablets and keyboards of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Input
from virtcim.providers.deviceids import Kind
from virtcim.providers.inputs import input_caption
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_RASD.setting import COMMON, PLACED, POOLED, ResourceSetting

__all__ = ["InputSetting"]

_IO_DEVICE = 13


class InputSetting(ResourceSetting[Input]):
    """An input device of a guest."""

    __slots__ = ()

    base = "InputResourceAllocationSettingData"
    kind = Kind.INPUT


InputSetting.table = PropertyTable(
    COMMON,
    PLACED,
    constant("ResourceType", _IO_DEVICE),
    POOLED,
    attribute("ResourceSubType", lambda setting: setting.device.type, Input, writable=True),
    attribute("BusType", lambda setting: setting.device.bus, Input, writable=True),
    Property(
        "Caption",
        lambda setting: input_caption(setting.device),
        f"domain XML {Input.field_path('bus')}, {Input.field_path('type')}",
    ),
)

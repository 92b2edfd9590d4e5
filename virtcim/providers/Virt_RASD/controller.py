"""Controllers of a guest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from virtcim.libhelper.documents.domain import Controller
from virtcim.providers.deviceids import Kind
from virtcim.providers.drafts import number_text
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_RASD.setting import ADDRESS, COMMON, OTHER, PLACED, POOLED, ResourceSetting

__all__ = ["ControllerSetting"]


class ControllerSetting(ResourceSetting):
    """A controller of a guest."""

    __slots__ = ()

    base = "ControllerResourceAllocationSettingData"
    kind = Kind.CONTROLLER


def _text(field: str) -> Callable[[ControllerSetting], Any]:
    """A getter of a number that the class shows as text."""

    def get(setting: ControllerSetting) -> str | None:
        value = getattr(setting.device, field)
        return None if value is None else str(value)

    return get


def _number(name: str, field: str) -> Property:
    return Property(name, _text(field), f"domain XML {Controller.field_path(field)}", number_text(name, field))


ControllerSetting.table = PropertyTable(
    COMMON,
    PLACED,
    ADDRESS,
    constant("ResourceType", OTHER),
    constant("OtherResourceType", "controller"),
    POOLED,
    attribute("ResourceSubType", "device.type", Controller, writable=True),
    attribute("Index", "device.index", Controller, writable=True),
    attribute("Model", "device.model", Controller, writable=True),
    _number("Ports", "ports"),
    _number("Vectors", "vectors"),
    _number("Queues", "driver_queues"),
)

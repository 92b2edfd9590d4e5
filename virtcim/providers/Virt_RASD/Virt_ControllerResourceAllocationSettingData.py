"""Controllers of a guest."""

from __future__ import annotations

from collections.abc import Callable

from virtcim.libhelper.documents.domain import Controller
from virtcim.providers.drafts import number_text
from virtcim.providers.properties import MappedField, Property, attribute, constant
from virtcim.providers.Virt_RASD.setting import ADDRESS, COMMON, OTHER, PLACED, POOLED, ResourceSetting, device_table

__all__ = ["ControllerSetting"]


class ControllerSetting(ResourceSetting[Controller]):
    """A controller of a guest (Virt_ControllerResourceAllocationSettingData)."""

    __slots__ = ()

    base = "ControllerResourceAllocationSettingData"


def _text(field: MappedField) -> Callable[[ControllerSetting], str | None]:
    """A getter of a number that the class shows as text."""

    def get(setting: ControllerSetting) -> str | None:
        value = getattr(setting.device, field.name)
        return None if value is None else str(value)

    return get


def _number(name: str, field: MappedField) -> Property[ControllerSetting]:
    source = f"domain XML {Controller.field_path(field.name)}"
    return Property(name, _text(field), source, number_text(name, field.name))


ControllerSetting.table = device_table(
    (Controller,),
    COMMON,
    PLACED,
    ADDRESS,
    constant("ResourceType", OTHER),
    constant("OtherResourceType", "controller"),
    POOLED,
    attribute("ResourceSubType", lambda setting: setting.device.type, Controller, writable=True),
    attribute("Index", lambda setting: setting.device.index, Controller, writable=True),
    attribute("Model", lambda setting: setting.device.model, Controller, writable=True),
    _number("Ports", Controller.ports),
    _number("Vectors", Controller.vectors),
    _number("Queues", Controller.driver_queues),
)

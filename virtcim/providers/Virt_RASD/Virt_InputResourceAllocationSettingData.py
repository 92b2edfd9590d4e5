"""Mice, tablets and keyboards of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Input
from virtcim.providers.drafts import Draft, ValueRefusedError, as_text
from virtcim.providers.inputs import input_caption
from virtcim.providers.properties import Property, attribute, constant
from virtcim.providers.Virt_RASD.setting import ADDRESS, COMMON, PLACED, POOLED, ResourceSetting, device_table

__all__ = ["InputSetting"]

_IO_DEVICE = 13


class InputSetting(ResourceSetting[Input]):
    """An input device of a guest (Virt_InputResourceAllocationSettingData)."""

    __slots__ = ()

    base = "InputResourceAllocationSettingData"


def _write_address(draft: Draft, value: str) -> None:
    """Address: the device of the host whose events the guest is given."""
    field = {"evdev": "source_dev", "passthrough": "source_evdev"}.get(draft.now("type"))
    if field is None:
        raise ValueRefusedError(f"Address: a {draft.now('type')} has nothing behind it on the host", contradiction=True)
    if not value.startswith("/"):
        raise ValueRefusedError(f"Address: {value} is not a path of the host; expected an absolute one")
    draft.put(field, value)


InputSetting.table = device_table(
    (Input,),
    COMMON,
    PLACED,
    ADDRESS,
    constant("ResourceType", _IO_DEVICE),
    POOLED,
    attribute("ResourceSubType", lambda setting: setting.device.type, Input, writable=True),
    attribute("BusType", lambda setting: setting.device.bus, Input, writable=True),
    Property(
        "Address",
        lambda setting: setting.device.source_dev or setting.device.source_evdev,
        f"domain XML {Input.field_path('source_dev')}, {Input.field_path('source_evdev')}",
        _write_address,
    ),
    attribute("Grab", lambda setting: setting.device.source_grab, Input, write=as_text("source_grab")),
    attribute(
        "GrabToggle", lambda setting: setting.device.source_grab_toggle, Input, write=as_text("source_grab_toggle")
    ),
    attribute("Repeat", lambda setting: setting.device.source_repeat, Input, writable=True),
    attribute("Model", lambda setting: setting.device.model, Input, write=as_text("model")),
    Property(
        "Caption",
        lambda setting: input_caption(setting.device),
        f"domain XML {Input.field_path('bus')}, {Input.field_path('type')}",
    ),
)

"""Devices of a guest that lead to character devices of the host: ports, channels, redirected devices, card readers."""

from __future__ import annotations

from dataclasses import replace

from virtcim.libhelper.documents.domain import Channel, Device, Parallel, Serial
from virtcim.providers.Virt_RASD.other_table import CHARACTERS, backend, field_of, mode, other_table
from virtcim.providers.Virt_RASD.setting import BOOTABLE, ResourceSetting, device_table

__all__ = ["PortSetting"]


class PortSetting(ResourceSetting[Device]):
    """A device of a guest that leads to a character device of the host (Virt_PortResourceAllocationSettingData)."""

    __slots__ = ()

    base = "PortResourceAllocationSettingData"


def _target_name(setting: ResourceSetting[Device]) -> str | None:
    """What the guest calls a channel; the empty text for one of VirtIO that has no name, not even the usual one."""
    if not isinstance(setting.device, Channel):
        return None
    return setting.device.target_name or ("" if setting.device.target_type == "virtio" else None)


PortSetting.table = device_table(
    (*CHARACTERS,),
    other_table(*CHARACTERS),
    BOOTABLE,
    backend(*((cls, cls.type) for cls in CHARACTERS)),
    mode(*((cls, cls.source_mode) for cls in CHARACTERS)),
    field_of("PeerPath", *((cls, cls.source_slave) for cls in CHARACTERS)),
    replace(field_of("TargetName", (Channel, Channel.target_name)), get=_target_name),
    field_of(
        "TargetPort", (Serial, Serial.target_port), (Parallel, Parallel.target_port), (Channel, Channel.target_port)
    ),
    field_of("TargetAddress", (Channel, Channel.target_address)),
    field_of("LogFile", (Serial, Serial.log_file), (Parallel, Parallel.log_file), (Channel, Channel.log_file)),
)

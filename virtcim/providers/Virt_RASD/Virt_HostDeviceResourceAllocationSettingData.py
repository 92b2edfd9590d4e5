"""Devices of the host that a guest is given."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Hostdev
from virtcim.providers.properties import constant
from virtcim.providers.Virt_RASD.other_table import field_of, other_table
from virtcim.providers.Virt_RASD.setting import BOOTABLE, ResourceSetting, device_table

__all__ = ["HostDeviceSetting"]

_DEDICATED = 3
"""MappingBehavior."""


class HostDeviceSetting(ResourceSetting[Hostdev]):
    """A device of the host that a guest is given (Virt_HostDeviceResourceAllocationSettingData)."""

    __slots__ = ()

    base = "HostDeviceResourceAllocationSettingData"


HostDeviceSetting.table = device_table(
    (Hostdev,),
    other_table(Hostdev),
    BOOTABLE,
    constant("MappingBehavior", _DEDICATED, "always Dedicated"),
    field_of("Managed", (Hostdev, Hostdev.managed)),
    field_of("HostDriver", (Hostdev, Hostdev.driver_name)),
    field_of("UserName", (Hostdev, Hostdev.source_auth_username)),
    field_of("SecretType", (Hostdev, Hostdev.source_auth_secret_type)),
    field_of("SecretUUID", (Hostdev, Hostdev.source_auth_secret_uuid)),
    field_of("SecretUsage", (Hostdev, Hostdev.source_auth_secret_usage)),
    field_of("InitiatorName", (Hostdev, Hostdev.source_initiator_iqn_name)),
)

"""The devices of guests (subclasses of CIM_LogicalDevice; DSP1057, and the profiles of the kinds of resource)."""

from __future__ import annotations

from virtcim.providers.Virt_Device.device import GuestDevice, devices_for, devices_of
from virtcim.providers.Virt_Device.provider import DEVICE_TYPES, DeviceProvider

__all__ = ["DEVICE_TYPES", "DeviceProvider", "GuestDevice", "devices_for", "devices_of"]

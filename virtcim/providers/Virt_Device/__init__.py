"""The devices of guests (subclasses of CIM_LogicalDevice; DSP1057, and the profiles of the kinds of resource)."""

from __future__ import annotations

from virtcim.providers.Virt_Device.device import GuestDevice
from virtcim.providers.Virt_Device.devices import DEVICE_TYPES, device_type, devices_for, devices_of
from virtcim.providers.Virt_Device.provider import DeviceProvider

__all__ = ["DEVICE_TYPES", "DeviceProvider", "GuestDevice", "device_type", "devices_for", "devices_of"]

"""The devices of guests (subclasses of CIM_LogicalDevice; DSP1057, and the profiles of the kinds of resource)."""

from __future__ import annotations

from virtcim.providers.Virt_Device.device import GuestDevice
from virtcim.providers.Virt_Device.devices import DEVICE_TYPES, DeviceProvider, device_type, devices_for, devices_of

__all__ = ["DEVICE_TYPES", "DeviceProvider", "GuestDevice", "device_type", "devices_for", "devices_of"]

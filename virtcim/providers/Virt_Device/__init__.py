"""The devices of guests (subclasses of CIM_LogicalDevice; DSP1057, and the profiles of the kinds of resource)."""

from __future__ import annotations

from virtcim.providers.Virt_Device.device import GuestDevice
from virtcim.providers.Virt_Device.devices import DeviceProvider, device_types, devices_for, devices_of
from virtcim.providers.Virt_Device.Virt_Controller import Controller
from virtcim.providers.Virt_Device.Virt_DisplayController import DisplayController
from virtcim.providers.Virt_Device.Virt_PointingDevice import PointingDevice

__all__ = [
    "Controller",
    "DeviceProvider",
    "DisplayController",
    "GuestDevice",
    "PointingDevice",
    "device_types",
    "devices_for",
    "devices_of",
]

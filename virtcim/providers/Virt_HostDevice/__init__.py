"""Devices of hosts (subclasses of CIM_LogicalDevice): what the primordial pools consist of.

They have classes of their own, so that the classes of guests' devices hold guests' devices only.
"""

from __future__ import annotations

from virtcim.providers.Virt_HostDevice.device import DEVICE_STATE, HasDeviceState, HostDevice
from virtcim.providers.Virt_HostDevice.provider import HOST_DEVICE_TYPES, HostDeviceProvider, host_devices
from virtcim.providers.Virt_HostDevice.Virt_HostDisk import HostDisk
from virtcim.providers.Virt_HostDevice.Virt_HostMemory import HostMemory
from virtcim.providers.Virt_HostDevice.Virt_HostNetworkPort import HostNetworkPort
from virtcim.providers.Virt_HostDevice.Virt_HostProcessor import HostProcessor

__all__ = [
    "DEVICE_STATE",
    "HOST_DEVICE_TYPES",
    "HasDeviceState",
    "HostDevice",
    "HostDeviceProvider",
    "HostDisk",
    "HostMemory",
    "HostNetworkPort",
    "HostProcessor",
    "host_devices",
]

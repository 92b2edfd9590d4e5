"""Devices of hosts (subclasses of CIM_LogicalDevice): what the primordial pools consist of.

They have classes of their own, so that the classes of guests' devices hold guests' devices only.
"""

from __future__ import annotations

from virtcim.providers.Virt_HostDevice.device import DEVICE_STATE, HostDevice
from virtcim.providers.Virt_HostDevice.disk import HostDisk
from virtcim.providers.Virt_HostDevice.memory import HostMemory
from virtcim.providers.Virt_HostDevice.network import HostNetworkPort
from virtcim.providers.Virt_HostDevice.processor import HostProcessor
from virtcim.providers.Virt_HostDevice.provider import HOST_DEVICE_TYPES, HostDeviceProvider, host_devices

__all__ = [
    "DEVICE_STATE",
    "HOST_DEVICE_TYPES",
    "HostDevice",
    "HostDeviceProvider",
    "HostDisk",
    "HostMemory",
    "HostNetworkPort",
    "HostProcessor",
    "host_devices",
]

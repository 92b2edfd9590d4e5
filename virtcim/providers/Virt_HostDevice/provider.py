"""The provider: finding a device of a host by its DeviceID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.keys import main_key
from virtcim.providers.Virt_HostDevice.device import HostDevice
from virtcim.providers.Virt_HostDevice.disk import HostDisk
from virtcim.providers.Virt_HostDevice.memory import HostMemory
from virtcim.providers.Virt_HostDevice.network import HostNetworkPort
from virtcim.providers.Virt_HostDevice.processor import HostProcessor

__all__ = ["HOST_DEVICE_TYPES", "HostDeviceProvider"]

HOST_DEVICE_TYPES: tuple[type[HostDevice[object]], ...] = (HostProcessor, HostMemory, HostNetworkPort, HostDisk)


class HostDeviceProvider(ElementProvider):
    """Serves <prefix>_HostProcessor, HostMemory, HostNetworkPort and HostDisk."""

    types: ClassVar = HOST_DEVICE_TYPES

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        device_id = main_key(keys, "DeviceID", "No DeviceID specified")
        named = [
            device
            for device in element.all_of(self.site, platform)
            if isinstance(device, HostDevice) and device.device_id.casefold() == device_id.casefold()
        ]
        if not named:
            raise CIMError(Status.NOT_FOUND, f"No such instance (no device {device_id})")
        system = main_key(keys, "SystemName", "No SystemName specified").casefold()
        return next((device for device in named if device.host.name.casefold() == system), named[0])

"""The provider: finding a device of a host by its DeviceID."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import Keys
from virtcim.providers.keys import main_key
from virtcim.providers.Virt_HostDevice.device import HostDevice
from virtcim.providers.Virt_HostDevice.Virt_HostDisk import HostDisk
from virtcim.providers.Virt_HostDevice.Virt_HostMemory import HostMemory
from virtcim.providers.Virt_HostDevice.Virt_HostNetworkPort import HostNetworkPort
from virtcim.providers.Virt_HostDevice.Virt_HostProcessor import HostProcessor
from virtcim.providers.Virt_HostSystem import HostSystem

__all__ = ["HOST_DEVICE_TYPES", "HostDeviceProvider", "host_devices"]

HOST_DEVICE_TYPES: tuple[type[HostDevice[object]], ...] = (HostProcessor, HostMemory, HostNetworkPort, HostDisk)


class HostDeviceProvider(ElementProvider):
    """Serves <prefix>_HostProcessor, HostMemory, HostNetworkPort and HostDisk."""

    name = "Virt_HostDevice"
    types = HOST_DEVICE_TYPES

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        """The device; of several on the hosts of a platform, that of the host that is named."""
        device_id = main_key(keys, *element.main_key).casefold()
        devices = [each for each in element.all_of(self.site, platform) if isinstance(each, HostDevice)]
        named = [each for each in devices if each.device_id.casefold() == device_id]
        if len(named) < 2:
            return super().find(platform, element, keys)
        system = main_key(keys, "SystemName", "No SystemName specified").casefold()
        return next((each for each in named if each.host.name.casefold() == system), named[0])


def host_devices(host: HostSystem) -> Iterable[HostDevice[object]]:
    """All devices of a host."""
    return (device for each in HOST_DEVICE_TYPES for device in each.made_from(host))

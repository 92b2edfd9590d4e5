"""The provider: finding a device by its DeviceID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, no_such_domain
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.keys import main_key
from virtcim.providers.Virt_Device.controller import Controller
from virtcim.providers.Virt_Device.device import GuestDevice, devices_of
from virtcim.providers.Virt_Device.disk import LogicalDisk
from virtcim.providers.Virt_Device.display import ConsoleDisplayController, DisplayController
from virtcim.providers.Virt_Device.memory import Memory
from virtcim.providers.Virt_Device.network import NetworkPort
from virtcim.providers.Virt_Device.pointing import PointingDevice
from virtcim.providers.Virt_Device.processor import Processor

__all__ = ["DEVICE_TYPES", "DeviceProvider"]

DEVICE_TYPES: tuple[type[GuestDevice[object]], ...] = (
    NetworkPort,
    LogicalDisk,
    Memory,
    Processor,
    DisplayController,
    PointingDevice,
    ConsoleDisplayController,
    Controller,
)
"""In the order in which libvirt-cim lists the devices of a guest."""


class DeviceProvider(ElementProvider):
    """Serves <prefix>_LogicalDisk, NetworkPort, Memory, Processor and the other device classes."""

    types: ClassVar = DEVICE_TYPES

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        device_id = main_key(keys, "DeviceID", "No DeviceID specified")
        if not self.site.hypervisors(platform):
            raise CIMError(Status.NOT_FOUND, "No such instance")
        name, slash, _ = device_id.partition("/")
        if not slash:
            raise CIMError(Status.NOT_FOUND, f"No such instance (bad id {device_id})")
        guests = [guest for guest, _ in self.site.split(platform, device_id)]
        if not guests:
            raise CIMError(Status.NOT_FOUND, f"No such instance (no domain for {device_id}): {no_such_domain(name)}")
        candidates = [device for guest in guests for device in devices_of(guest) if type(device) is element]
        folded = device_id.casefold()
        for device in sorted(candidates, key=lambda device: device.device_id != device_id):
            if device.device_id.casefold() == folded:
                return device
        raise CIMError(Status.NOT_FOUND, f"No such instance (no device {device_id})")

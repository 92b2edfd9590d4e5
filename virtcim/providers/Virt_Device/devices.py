"""The types of the devices of guests, their provider, and all the devices of a guest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from virtcim.providers.base import ElementProvider
from virtcim.providers.configuration import Configuration
from virtcim.providers.deviceids import Kind
from virtcim.providers.guest import Guest
from virtcim.providers.Virt_Device.device import GuestDevice
from virtcim.providers.Virt_Device.Virt_ConsoleDisplayController import ConsoleDisplayController
from virtcim.providers.Virt_Device.Virt_Controller import Controller
from virtcim.providers.Virt_Device.Virt_DisplayController import DisplayController
from virtcim.providers.Virt_Device.Virt_LogicalDisk import LogicalDisk
from virtcim.providers.Virt_Device.Virt_Memory import Memory
from virtcim.providers.Virt_Device.Virt_NetworkPort import NetworkPort
from virtcim.providers.Virt_Device.Virt_PointingDevice import PointingDevice
from virtcim.providers.Virt_Device.Virt_Processor import Processor

__all__ = ["DEVICE_TYPES", "DeviceProvider", "device_type", "devices_for", "devices_of"]

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

    name = "Virt_Device"
    types: ClassVar = DEVICE_TYPES


_BY_KIND = {each.kind: each for each in DEVICE_TYPES}


def device_type(kind: Kind) -> type[GuestDevice[object]] | None:
    """The type of the devices of a kind; None for a kind whose devices have settings only."""
    return _BY_KIND.get(kind)


def devices_of(guest: Guest) -> Iterable[GuestDevice[object]]:
    """All devices of a guest as it is now."""
    return (device for each in DEVICE_TYPES for device in each.made_from(guest))


def devices_for(configuration: Configuration, identifier: str) -> Sequence[GuestDevice[object]]:
    """The devices that one resource is: one, none, or all processors."""
    entry = configuration.entries.get(identifier)
    shown_as = None if entry is None else device_type(entry.kind)
    return () if shown_as is None else shown_as.by_resource(configuration).get(identifier, ())

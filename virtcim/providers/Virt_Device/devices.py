"""The provider of the devices of guests, and all the devices of a guest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from virtcim.providers.base import ElementProvider
from virtcim.providers.guest import Configuration, Guest
from virtcim.providers.site import Site
from virtcim.providers.Virt_Device.device import GuestDevice

__all__ = ["DeviceProvider", "device_types", "devices_for", "devices_of"]


class DeviceProvider(ElementProvider):
    """Serves <prefix>_LogicalDisk, NetworkPort, Memory, Processor and the other device classes."""

    name = "Virt_Device"

    def __init__(self, site: Site) -> None:
        self.types = device_types(site)
        super().__init__(site)


def device_types(site: Site) -> Sequence[type[GuestDevice[object]]]:
    """The types of the devices of guests, in the order in which libvirt-cim lists the devices of a guest."""
    return tuple(kind.device for kind in site.kinds if kind.device is not None)


def devices_of(guest: Guest) -> Iterable[GuestDevice[object]]:
    """All devices of a guest as it is now."""
    return (device for each in device_types(guest.site) for device in each.made_from(guest))


def devices_for(configuration: Configuration, identifier: str) -> Sequence[GuestDevice[object]]:
    """The devices that one resource is: one, none, or all processors."""
    entry = configuration.entries.get(identifier)
    shown_as: type[GuestDevice[object]] | None = None if entry is None else entry.kind.device
    if shown_as is None:
        return ()
    return [each for each in shown_as.in_configuration(configuration) if each.entry is entry]

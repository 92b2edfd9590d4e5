"""<prefix>_SystemDevice: a guest and its devices (CIM_SystemDevice; DSP1057)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_Device import GuestDevice, device_types, devices_of

__all__ = ["system_device"]


def _devices(system: ComputerSystem) -> Iterable[GuestDevice[object]]:
    return devices_of(system.guest)


def _system(device: GuestDevice[object]) -> Iterable[ComputerSystem]:
    return (system_of(device.guest),)


def system_device(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "SystemDevice",
        Role("GroupComponent", (ComputerSystem,)),
        Role("PartComponent", device_types(site)),
        to_right=_devices,
        to_left=_system,
    )

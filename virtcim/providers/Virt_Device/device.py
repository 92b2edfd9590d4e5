"""What all devices of a guest have in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, overload

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, class_of
from virtcim.providers.deviceids import DeviceEntry, Kind
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Configuration, Guest, Site
from virtcim.providers.states import EnabledState, HealthState, OperationalStatus, RequestedState

__all__ = ["COMMON", "GuestDevice", "devices_for", "devices_of"]

Described = TypeVar("Described", covariant=True)
"""The part of the domain XML that a device is made from."""

DeviceType = TypeVar("DeviceType", bound="GuestDevice[object]")

_DEVICE_STATE = {
    EnabledState.STARTING: EnabledState.ENABLED,
    EnabledState.SHUTTING_DOWN: EnabledState.ENABLED,
}
"""A device has no state of its own for what goes on in the guest: until it is off, it is on."""

_STATUS = {
    EnabledState.UNKNOWN: OperationalStatus.NO_CONTACT,
    EnabledState.DISABLED: OperationalStatus.STOPPED,
    EnabledState.ENABLED_BUT_OFFLINE: OperationalStatus.DORMANT,
}


class GuestDevice(Element, Generic[Described]):
    """A device of a guest.

    Attributes:
        kind: the kind of resource that this type of device shows.
        configuration: the one in which the guest is now.
        entry: the resource that the device is.
        device: its part of the domain XML.
        device_id: the key.
    """

    __slots__ = ("configuration", "device", "device_id", "entry", "guest")

    kind: ClassVar[Kind]
    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "DeviceID")
    types: ClassVar[dict[Kind, type[GuestDevice[object]]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.types[cls.kind] = cls

    def __init__(self, configuration: Configuration, entry: DeviceEntry, identifier: str | None = None) -> None:
        guest = configuration.guest
        self.guest = guest
        self.configuration = configuration
        self.entry = entry
        self.device: Described = entry.device
        self.device_id = f"{guest.name}/{identifier or entry.identifier}"
        super().__init__(guest.platform, self.device_id)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterable[GuestDevice[object]]:
        return site.gathered(platform, cls, lambda guest: devices_of(guest, cls))

    @classmethod
    def made_from(cls, configuration: Configuration, entry: DeviceEntry) -> Iterable[GuestDevice[object]]:
        """The devices that one resource is."""
        return (cls(configuration, entry),)

    @property
    def enabled_state(self) -> int:
        """The state of the device, which is that of its guest unless a kind of device knows better."""
        state = self.guest.condition.enabled
        return int(_DEVICE_STATE.get(EnabledState(state), state))


class _Devices:
    """The devices of a configuration, by type and by the resource that they are."""

    __slots__ = ("all", "by_entry", "by_type")

    def __init__(self, configuration: Configuration) -> None:
        self.by_entry: dict[str, tuple[GuestDevice[object], ...]] = {
            entry.identifier: tuple(GuestDevice.types[entry.kind].made_from(configuration, entry))
            for entry in configuration.entries.values()
            if entry.kind in GuestDevice.types
        }
        self.all = tuple(device for devices in self.by_entry.values() for device in devices)
        by_type: dict[type[Element], list[GuestDevice[object]]] = {}
        for device in self.all:
            by_type.setdefault(type(device), []).append(device)
        self.by_type: Mapping[type[Element], Sequence[GuestDevice[object]]] = by_type


@overload
def devices_of(guest: Guest) -> Sequence[GuestDevice[object]]: ...
@overload
def devices_of(guest: Guest, device_type: type[DeviceType]) -> Sequence[DeviceType]: ...
def devices_of(guest: Guest, device_type: type[Any] | None = None) -> Sequence[Any]:
    """The devices of a guest as it is now, all or those of one type."""
    state = guest.state
    if state is None:
        return ()
    devices = state.memo(_Devices, _Devices)
    return devices.all if device_type is None else devices.by_type.get(device_type, ())


def devices_for(configuration: Configuration, identifier: str) -> Sequence[GuestDevice[object]]:
    """The devices that one resource is: one, none, or all processors."""
    return configuration.memo(_Devices, _Devices).by_entry.get(identifier, ())


def _health(device: GuestDevice[object]) -> int:
    known = device.guest.condition.enabled != EnabledState.UNKNOWN
    return int(HealthState.OK if known else HealthState.UNKNOWN)


def _operational_status(device: GuestDevice[object]) -> list[int]:
    state = device.enabled_state
    if state == EnabledState.ENABLED_BUT_OFFLINE and device.guest.condition.enabled == EnabledState.ENABLED:
        return [int(OperationalStatus.STOPPED)]
    return [int(_STATUS.get(EnabledState(state), OperationalStatus.OK))]


COMMON = PropertyTable[GuestDevice[object]](
    Property(
        "SystemCreationClassName",
        lambda device: class_of(device.platform.prefix, "ComputerSystem"),
        "class name of the guest",
    ),
    attribute("SystemName", lambda device: device.guest.name, source="domain XML name"),
    attribute("CreationClassName", lambda device: device.class_name, source="class name"),
    attribute("DeviceID", lambda device: device.device_id, source="domain XML name, and the identifier of the device"),
    attribute("Name", lambda device: device.device_id, source="as DeviceID"),
    attribute("ElementName", lambda device: device.entry.identifier, source="the identifier of the device"),
    attribute("EnabledState", lambda device: device.enabled_state, source="domain state"),
    constant("RequestedState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable: devices follow their guest"),
    constant("TransitioningToState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable"),
    Property("HealthState", _health, "contact with the hypervisor"),
    Property("OperationalStatus", _operational_status, "domain state"),
)

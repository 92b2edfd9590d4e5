"""What all devices of a guest have in common."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, Self, TypeVar

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey, class_of, no_such_domain
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.guest import Configuration, Guest
from virtcim.providers.guests import split_identifier
from virtcim.providers.interface import CIMError, Properties, Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import PARTS_OF_GUESTS
from virtcim.providers.states import EnabledState, HealthState, OperationalStatus, RequestedState

__all__ = ["COMMON", "GuestDevice"]

Described = TypeVar("Described", covariant=True)
"""The part of the domain XML that a device is made from."""

_DEVICE_STATE = {
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
        configuration: the one in which the guest is now.
        entry: the resource that the device is.
        device: its part of the domain XML.
        device_id: the key.
    """

    __slots__ = ("configuration", "device", "device_id", "entry", "guest")

    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "DeviceID")
    main_key = MainKey("DeviceID", "No DeviceID specified")
    ignores_case = True
    source = PARTS_OF_GUESTS

    def __init__(self, configuration: Configuration, entry: DeviceEntry, identifier: str | None = None) -> None:
        guest = configuration.guest
        self.guest = guest
        self.configuration = configuration
        self.entry = entry
        self.device: Described = entry.device
        self.device_id = f"{guest.name}/{identifier or entry.identifier}"
        super().__init__(guest.site, guest.platform, self.device_id)

    def declared_values(self: Self) -> Properties:
        return self.table.layers("device").of_resource(self, self.entry)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision

    @classmethod
    def made_from(cls, owner: Guest) -> Sequence[Self]:
        state = owner.state
        if state is None:
            return ()
        return cls.in_configuration(state)

    @classmethod
    def in_configuration(cls, configuration: Configuration) -> Sequence[Self]:
        """The devices of this type in a configuration, in the order of the resources that they are."""
        return configuration.memo(cls, cls._of_configuration)

    @classmethod
    def _of_configuration(cls, configuration: Configuration) -> tuple[Self, ...]:
        entries = [entry for entry in configuration.entries.values() if entry.kind.device is cls]
        return tuple(device for entry in entries for device in cls.of_entry(configuration, entry))

    @classmethod
    def of_entry(cls, configuration: Configuration, entry: DeviceEntry) -> Sequence[Self]:
        """The devices that one resource is."""
        return (cls(configuration, entry),)

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        name, slash, _ = key.partition("/")
        if not site.hypervisors(platform):
            text = "No such instance"
        elif not slash:
            text = f"No such instance (bad id {key})"
        elif not any(split_identifier(site, platform, key)):
            text = f"No such instance (no domain for {key}): {no_such_domain(name)}"
        else:
            text = f"No such instance (no device {key})"
        return CIMError(Status.NOT_FOUND, text)

    @property
    def enabled_state(self) -> int:
        """The state of the device, which is that of its guest unless a kind of device knows better."""
        state = self.guest.condition.enabled
        if state == EnabledState.STARTING:  # until it is on, it is what it was
            saved = self.guest.domain.has_managed_save
            return int(EnabledState.ENABLED_BUT_OFFLINE if saved else EnabledState.DISABLED)
        return int(_DEVICE_STATE.get(EnabledState(state), state))


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

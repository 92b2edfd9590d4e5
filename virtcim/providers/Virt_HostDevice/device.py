"""What all devices of a host have in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from virtcim.libhelper.inventory.records import NodeDevice
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey, class_of
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.states import EnabledState, HealthState, OperationalStatus, RequestedState
from virtcim.providers.Virt_HostSystem import HOSTS, HostSystem

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["COMMON", "DEVICE_STATE", "HasDeviceState", "HostDevice"]

Described = TypeVar("Described", covariant=True)
"""What a device is made from."""


class HasDeviceState:
    """What is there as long as its hypervisor can be reached."""

    __slots__ = ()

    @property
    def contact(self) -> bool:
        """Whether what is known of it is known to be true."""
        raise NotImplementedError

    @property
    def enabled_state(self) -> int:
        """The value of EnabledState."""
        return int(EnabledState.ENABLED if self.contact else EnabledState.UNKNOWN)

    @property
    def operational_status(self) -> int:
        """The value of OperationalStatus."""
        return int(OperationalStatus.OK if self.contact else OperationalStatus.NO_CONTACT)


class HostDevice(HasDeviceState, Element, Generic[Described]):
    """A device of a host.

    Attributes:
        host: the host.
        device_id: the key.
        device: what it is made from: an object of libhelper's mappings.
    """

    __slots__ = ("device", "device_id", "host")

    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "DeviceID")
    main_key = MainKey("DeviceID", "No DeviceID specified")
    ignores_case = True
    source = HOSTS
    surveyed = (NodeDevice,)

    def __init__(self, host: HostSystem, device_id: str, device: Described) -> None:
        self.host = host
        self.device_id = device_id
        self.device = device
        super().__init__(host.site, host.platform, (host.name, device_id))

    @classmethod
    def made_from(cls, owner: HostSystem) -> Sequence[Self]:
        """The devices of this type that a host has, each the same object as long as it is the same."""
        found = owner.site.memo((cls, owner.platform.prefix, owner.name), lambda _: _Found(cls))
        found.update(owner)
        return cast("Sequence[Self]", found.devices)

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        return CIMError(Status.NOT_FOUND, f"No such instance (no device {key})")

    @classmethod
    def found_on(cls, host: HostSystem) -> Iterable[Self]:
        """The devices of this type that a host has now."""
        raise NotImplementedError

    @property
    def hypervisor(self) -> Hypervisor:
        """The hypervisor that tells of the device."""
        return self.host.hypervisor

    @property
    def contact(self) -> bool:
        return self.hypervisor.connected

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.contact, self.hypervisor.facts, self.device


class _Found:
    """The devices of one type on one host, as they were at one state of its inventory."""

    __slots__ = ("_known", "_state", "_type", "devices")

    def __init__(self, device_type: type[HostDevice[object]]) -> None:
        self._type = device_type
        self._state: object = None
        self._known: Mapping[str, HostDevice[object]] = {}
        self.devices: Sequence[HostDevice[object]] = ()

    def update(self, host: HostSystem) -> None:
        """Look again where something can have changed; a device that is the same stays the same object."""
        state = (host.hypervisor.inventory.revision, host.hypervisor.facts)
        if state != self._state:
            self.devices = [self._known_or_new(device) for device in self._type.found_on(host)]
            self._known = {device.device_id: device for device in self.devices}
            self._state = state

    def _known_or_new(self, device: HostDevice[object]) -> HostDevice[object]:
        known = self._known.get(device.device_id)
        same = known is not None and known.device == device.device and known.hypervisor is device.hypervisor
        return known if known is not None and same else device


DEVICE_STATE = PropertyTable[HasDeviceState](
    attribute("EnabledState", lambda device: device.enabled_state, source="contact with the hypervisor"),
    constant("RequestedState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable"),
    constant("TransitioningToState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable"),
    Property(
        "HealthState",
        lambda device: int(HealthState.OK if device.contact else HealthState.UNKNOWN),
        "contact with the hypervisor",
    ),
    Property("OperationalStatus", lambda device: [device.operational_status], "contact with the hypervisor"),
)

COMMON = PropertyTable[HostDevice[object]](
    Property(
        "SystemCreationClassName",
        lambda device: class_of(device.platform.prefix, "HostSystem"),
        "class name of the host",
    ),
    attribute("SystemName", lambda device: device.host.name, source="fully qualified host name"),
    attribute("CreationClassName", lambda device: device.class_name, source="class name"),
    attribute(
        "DeviceID", lambda device: device.device_id, source="libvirt's name of the node device, else what the device is"
    ),
    attribute("Name", lambda device: device.device_id, source="as DeviceID"),
    attribute("ElementName", lambda device: device.device_id, source="as DeviceID"),
    DEVICE_STATE,
)

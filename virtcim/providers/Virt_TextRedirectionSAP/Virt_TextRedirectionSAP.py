"""Where the serial consoles of guests are reached: <prefix>_TextRedirectionSAP (CIM_TextRedirectionSAP; DSP1024).

There is one for each console, and for each serial port that is not one of these: libvirt shows the first serial port
as a console too.  `virtcim console` opens them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Self

from virtcim.libhelper.documents.domain import Console, DomainConfig, Serial
from virtcim.providers.accesspoints import AccessPointProvider
from virtcim.providers.base import Element, MainKey, class_of
from virtcim.providers.consoles import bind_url, connect_url, source_path
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.guest import Guest
from virtcim.providers.interface import Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.sources import GUESTS
from virtcim.providers.states import EnabledState, HealthState, OperationalStatus, RequestedState

__all__ = ["TextRedirectionSAP", "TextRedirectionSAPProvider", "text_points_of"]

_CHARACTER_STREAM = 2
_DISPLAYED = "console:"
"""What the identifiers of consoles begin with where they stand for graphics."""

_STATUS = {
    EnabledState.UNKNOWN: OperationalStatus.NO_CONTACT,
    EnabledState.ENABLED: OperationalStatus.OK,
    EnabledState.DISABLED: OperationalStatus.STOPPED,
}


class TextRedirectionSAP(Element):
    """The access point of a serial console (Virt_TextRedirectionSAP).

    Attributes:
        guest: whose console.
        device: the console.
        name: the key: the identifier of the resource that it is.
    """

    __slots__ = ("device", "guest", "name")

    base = "TextRedirectionSAP"
    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    main_key = MainKey("Name", "No such instance (Name)", Status.NOT_FOUND)
    source = GUESTS

    def __init__(self, guest: Guest, entry: DeviceEntry) -> None:
        self.guest = guest
        self.device: Console | Serial = entry.device
        self.name = entry.identifier
        super().__init__(guest.site, guest.platform, (guest.name, self.name))

    @classmethod
    def made_from(cls, owner: Guest) -> Sequence[Self]:
        return [cls(owner, entry) for entry in owner.memo(TextRedirectionSAP, _consoles)]

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision

    @property
    def state(self) -> EnabledState:
        """Whether it can be opened."""
        domain = self.guest.domain
        if not domain.contact:
            return EnabledState.UNKNOWN
        return EnabledState.ENABLED if domain.active else EnabledState.DISABLED


def _consoles(guest: Guest) -> Sequence[DeviceEntry]:
    entries = guest.state.entries.values() if guest.state is not None else ()
    consoles = [
        each for each in entries if isinstance(each.device, Console) and not each.identifier.startswith(_DISPLAYED)
    ]
    shown = {each.device.target_port for each in consoles if each.device.target_type in (None, "serial")}
    serials = [each for each in entries if isinstance(each.device, Serial) and each.device.target_port not in shown]
    return [*consoles, *serials]


def text_points_of(guest: Guest) -> Iterable[TextRedirectionSAP]:
    """The access points of a guest, consoles first."""
    return TextRedirectionSAP.made_from(guest)


def _address(point: TextRedirectionSAP) -> str | None:
    """Where it is on the host; NULL as long as libvirt is still to choose it."""
    device = point.device
    return source_path(device) or device.tty or bind_url(device) or connect_url(device)


TextRedirectionSAP.table = PropertyTable(
    Property(
        "SystemCreationClassName",
        lambda point: class_of(point.platform.prefix, "ComputerSystem"),
        "class name of the guest",
    ),
    attribute("SystemName", lambda point: point.guest.name, DomainConfig),
    attribute("CreationClassName", lambda point: point.class_name, source="class name"),
    attribute("Name", lambda point: point.name, source="the identifier of the device"),
    attribute("ElementName", lambda point: point.name, source="as Name"),
    constant("Caption", "Serial console of a virtual system", "a fixed text"),
    Property("Description", _address, f"domain XML {Console.field_path('source_path')}"),
    constant("TextFlowType", _CHARACTER_STREAM, "always Character Stream"),
    Property("EnabledState", lambda point: int(point.state), "domain state"),
    constant("RequestedState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable: it follows the guest"),
    Property(
        "HealthState",
        lambda point: int(HealthState.OK if point.state is not EnabledState.UNKNOWN else HealthState.UNKNOWN),
        "contact with the hypervisor",
    ),
    Property("OperationalStatus", lambda point: [int(_STATUS[point.state])], "domain state"),
)


class TextRedirectionSAPProvider(AccessPointProvider):
    """Serves <prefix>_TextRedirectionSAP."""

    name = "Virt_TextRedirectionSAP"
    types = (TextRedirectionSAP,)

    def points_of(self, guest: Guest) -> Iterable[TextRedirectionSAP]:
        return text_points_of(guest)

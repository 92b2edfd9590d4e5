"""Where clients reach the graphical consoles of guests: <prefix>_KVMRedirectionSAP (DSP1076).

There is one for each console that listens on a TCP port.  Its name is `<port>:<port of the client>`: port -1 as long
as libvirt is still to choose one, client 0 when none is connected, client -1 when the guest does not run.  Whether a
client is connected is looked up among the sockets of this machine, where they show that the console listens here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Self

from virtcim.immutable import immutable
from virtcim.libhelper.connections import is_local
from virtcim.libhelper.documents.domain import DomainConfig, Graphics
from virtcim.libhelper.sockets import Sockets
from virtcim.providers.accesspoints import AccessPointProvider
from virtcim.providers.base import Element, MainKey, class_of
from virtcim.providers.consoles import graphics_address
from virtcim.providers.guest import Guest
from virtcim.providers.interface import (
    CIMError,
    Status,
)
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.sources import GUESTS_NOW
from virtcim.providers.states import EnabledState, HealthState, OperationalStatus, RequestedState

__all__ = ["KVMRedirectionSAP", "KVMRedirectionSAPProvider", "access_points_of"]

_OTHER = 1
_PROTOCOLS = {"vnc": 4, "rdp": 3, "spice": _OTHER}
_NOT_LISTENING = -1
_NOBODY = 0

_STATUS = {
    EnabledState.ENABLED: OperationalStatus.OK,
    EnabledState.ENABLED_BUT_OFFLINE: OperationalStatus.OK,
    EnabledState.DISABLED: OperationalStatus.STOPPED,
}


@immutable
class _Reach:
    """How a console is reached now: its port, that of a client, and the state that this makes."""

    port: int
    client: int
    state: EnabledState


class KVMRedirectionSAP(Element):
    """The access point of a graphical console (Virt_KVMRedirectionSAP).

    Attributes:
        guest: whose console.
        device: the console.
        name: the key.
        state: whether a client is connected, could be, or cannot.
    """

    __slots__ = ("device", "guest", "name", "state")

    base = "KVMRedirectionSAP"
    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    main_key = MainKey("Name", "No such instance (Name)", Status.NOT_FOUND)
    source = GUESTS_NOW

    def __init__(self, guest: Guest, device: Graphics, name: str, state: EnabledState) -> None:
        self.guest = guest
        self.device = device
        self.name = name
        self.state = int(state)
        super().__init__(guest.site, guest.platform, (guest.name, name))

    @classmethod
    def made_from(cls, owner: Guest) -> Iterable[Self]:
        taken: set[str] = set()
        for device in owner.memo(KVMRedirectionSAP, _consoles):
            reach = _reach(owner, device)
            wanted = name = f"{reach.port}:{reach.client}"
            number = 1
            while name in taken:
                number += 1
                name = f"{wanted}#{number}"
            taken.add(name)
            yield cls(owner, device, name, reach.state)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision, self.state


def _consoles(guest: Guest) -> Sequence[Graphics]:
    """The consoles of a guest that are reached by TCP."""
    devices = guest.state.config.devices if guest.state is not None else ()
    return [
        device
        for device in devices
        if isinstance(device, Graphics)
        and device.type in _PROTOCOLS
        and device.listen_type not in ("socket", "none")
        and not device.socket
    ]


def access_points_of(guest: Guest) -> Iterable[KVMRedirectionSAP]:
    """The access points of a guest, in the order of the domain XML."""
    return KVMRedirectionSAP.made_from(guest)


def _reach(guest: Guest, device: Graphics) -> _Reach:
    given = [port for port in (device.port, device.tls_port) if port is not None and port > 0]
    port = given[0] if given else _NOT_LISTENING
    if not guest.domain.contact:
        return _Reach(port, _NOT_LISTENING, EnabledState.UNKNOWN)
    if not guest.domain.active or port == _NOT_LISTENING:
        return _Reach(port, _NOT_LISTENING, EnabledState.DISABLED)
    client = _client(guest, given)
    return _Reach(port, client, EnabledState.ENABLED_BUT_OFFLINE if client == _NOBODY else EnabledState.ENABLED)


def _client(guest: Guest, ports: Iterable[int]) -> int:
    """The port of a client of a console; 0 when there is none, and when that cannot be told from here."""
    if not is_local(guest.hypervisor.uri):
        return _NOBODY
    sockets = guest.site.memo(Sockets, lambda _: Sockets()).now()
    clients = [client for port in ports if port in sockets.listening for client in sockets.clients.get(port, ())]
    return clients[0] if clients else _NOBODY


def _protocol_name(point: KVMRedirectionSAP) -> str | None:
    return str(point.device.type).upper() if _PROTOCOLS[str(point.device.type)] == _OTHER else None


def _caption(point: KVMRedirectionSAP) -> str:
    return f"{str(point.device.type).upper()} console of a virtual system"


KVMRedirectionSAP.table = PropertyTable(
    Property(
        "SystemCreationClassName",
        lambda point: class_of(point.platform.prefix, "ComputerSystem"),
        "class name of the guest",
    ),
    attribute("SystemName", lambda point: point.guest.name, DomainConfig),
    attribute("CreationClassName", lambda point: point.class_name, source="class name"),
    attribute(
        "Name", lambda point: point.name, source=f"domain XML {Graphics.field_path('port')}; TCP sockets of the host"
    ),
    attribute("ElementName", lambda point: point.name, source="as Name"),
    Property("Caption", _caption, f"domain XML {Graphics.field_path('type')}"),
    Property(
        "Description",
        lambda point: graphics_address(point.device),
        f"domain XML {Graphics.field_path('listen')}, {Graphics.field_path('port')}",
    ),
    Property(
        "KVMProtocol", lambda point: _PROTOCOLS[str(point.device.type)], f"domain XML {Graphics.field_path('type')}"
    ),
    Property("OtherKVMProtocol", _protocol_name, f"domain XML {Graphics.field_path('type')}"),
    attribute("EnabledState", lambda point: point.state, source="domain state; TCP sockets of the host"),
    constant("RequestedState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable: it follows the guest"),
    Property(
        "HealthState",
        lambda point: int(HealthState.OK if point.state != EnabledState.UNKNOWN else HealthState.UNKNOWN),
        "contact with the hypervisor",
    ),
    Property(
        "OperationalStatus",
        lambda point: [int(_STATUS.get(EnabledState(point.state), OperationalStatus.NO_CONTACT))],
        "domain state",
    ),
)


class KVMRedirectionSAPProvider(AccessPointProvider):
    """Serves <prefix>_KVMRedirectionSAP."""

    name = "Virt_KVMRedirectionSAP"
    types = (KVMRedirectionSAP,)

    def points_of(self, guest: Guest) -> Iterable[KVMRedirectionSAP]:
        points = list(access_points_of(guest))
        if not points:
            raise CIMError(Status.FAILED, "No console device for this guest")
        return points

"""Network interfaces as <prefix>_NetworkPort."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Interface
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.states import EnabledState
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["NetworkPort"]

_UNKNOWN, _ETHERNET = 0, 2
_ETHERNET_TYPES = frozenset({"ethernet", "network", "bridge"})


class NetworkPort(GuestDevice[Interface]):
    """A network interface of a guest (Virt_NetworkPort)."""

    __slots__ = ()

    base = "NetworkPort"

    @property
    def enabled_state(self) -> int:
        state = super().enabled_state
        if state == EnabledState.ENABLED and self.device.link_state == "down":
            return int(EnabledState.ENABLED_BUT_OFFLINE)
        return state


def _addresses(port: NetworkPort) -> list[str] | None:
    return [port.device.mac_address] if port.device.mac_address else None


def _permanent_address(port: NetworkPort) -> str | None:
    """The DMTF's form: twelve upper-case hexadecimal digits (CIM_EthernetPort.PermanentAddress)."""
    address: str | None = port.device.mac_address
    return address.replace(":", "").upper() if address else None


NetworkPort.table = PropertyTable(
    COMMON,
    Property(
        "LinkTechnology",
        lambda port: _ETHERNET if port.device.type in _ETHERNET_TYPES else _UNKNOWN,
        f"domain XML {Interface.field_path('type')}",
    ),
    Property("NetworkAddresses", _addresses, f"domain XML {Interface.field_path('mac_address')}"),
    Property("PermanentAddress", _permanent_address, f"domain XML {Interface.field_path('mac_address')}"),
    attribute("ActiveMaximumTransmissionUnit", lambda port: port.device.mtu_size, Interface),
    Property("Caption", lambda port: port.device.model_type, f"domain XML {Interface.field_path('model_type')}"),
)

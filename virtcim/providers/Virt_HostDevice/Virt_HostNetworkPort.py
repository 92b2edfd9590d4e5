"""The network interfaces of a host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from virtcim.libhelper.documents.nodedevice import NodeDeviceConfig
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.states import EnabledState, OperationalStatus
from virtcim.providers.Virt_HostDevice.device import COMMON, HostDevice
from virtcim.providers.Virt_HostSystem import HostSystem

__all__ = ["HostNetworkPort"]

_LOOPBACK = "lo"
_GUEST_PREFIXES = ("vnet", "vif", "macvtap", "macvlan")
"""libvirt keeps these names for its guests' interfaces."""
_LINK_TECHNOLOGIES = {"80203": 2, "80211": 11}
_UNKNOWN = 0
_UNKNOWN_SPEED = 2**32 - 1
_MEGABIT = 1_000_000


class HostNetworkPort(HostDevice[NodeDeviceConfig]):
    """A network interface of a host (Virt_HostNetworkPort)."""

    __slots__ = ()

    base = "HostNetworkPort"

    @classmethod
    def found_on(cls, host: HostSystem) -> Iterable[Self]:
        """All but the loopback and the host's ends of guests' interfaces."""
        records = host.hypervisor.inventory.node_devices()
        return [
            cls(host, record.name, record.config)
            for record in records
            if record.config is not None and _is_port(record.config.net_interface)
        ]

    @property
    def enabled_state(self) -> int:
        down = self.contact and self.device.net_link_state == "down"
        return int(EnabledState.ENABLED_BUT_OFFLINE) if down else super().enabled_state

    @property
    def operational_status(self) -> int:
        down = self.contact and self.device.net_link_state == "down"
        return int(OperationalStatus.STOPPED) if down else super().operational_status


def _is_port(interface: str | None) -> bool:
    return interface is not None and interface != _LOOPBACK and not interface.startswith(_GUEST_PREFIXES)


def _speed(port: HostNetworkPort) -> int | None:
    speed = port.device.net_link_speed
    return speed * _MEGABIT if speed and speed != _UNKNOWN_SPEED else None


def _addresses(port: HostNetworkPort) -> list[str] | None:
    return [port.device.net_address] if port.device.net_address else None


HostNetworkPort.table = PropertyTable(
    COMMON,
    attribute("ElementName", lambda port: port.device.net_interface, source="node device XML capability/interface"),
    attribute("Name", lambda port: port.device.net_interface, source="node device XML capability/interface"),
    attribute("EnabledState", lambda port: port.enabled_state, source="node device XML capability/link/@state"),
    Property("OperationalStatus", lambda port: [port.operational_status], "node device XML capability/link/@state"),
    Property(
        "LinkTechnology",
        lambda port: _LINK_TECHNOLOGIES.get(port.device.net_kind or "", _UNKNOWN),
        f"node device XML {NodeDeviceConfig.field_path('net_kind')}",
    ),
    Property("NetworkAddresses", _addresses, f"node device XML {NodeDeviceConfig.field_path('net_address')}"),
    Property("Speed", _speed, f"node device XML {NodeDeviceConfig.field_path('net_link_speed')}"),
)

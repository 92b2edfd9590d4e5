"""Network interfaces of a guest."""

from __future__ import annotations

from collections.abc import Hashable
from operator import attrgetter

from virtcim.libhelper.documents.domain import Interface
from virtcim.providers.deviceids import Kind
from virtcim.providers.drafts import chosen, to
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_RASD.network_source import rate, write_connection, write_mac
from virtcim.providers.Virt_RASD.setting import ADDRESS, BOOTABLE, COMMON, PLACED, ResourceSetting, pool_id

__all__ = ["NetworkSetting"]

_ETHERNET_ADAPTER = 10
_PASSED_THROUGH, _VIRTUALIZED = 2, 3
_DEDICATED = 3
_RATE = "byte*10^3/second"
"""libvirt's unit of bandwidth as a programmatic unit (DSP0004, annex C)."""


class NetworkSetting(ResourceSetting):
    """A network interface of a guest."""

    __slots__ = ()

    base = "NetResourceAllocationSettingData"
    kind = Kind.NETWORK

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision, pool_id(self)


def _network_name(setting: NetworkSetting) -> str | None:
    device = setting.device
    name: str | None = device.source_network or device.source_bridge or device.source_dev
    return name


def _connection(setting: NetworkSetting) -> list[str] | None:
    name = _network_name(setting)
    return None if name is None else [name]


def _limit(setting: NetworkSetting) -> int | None:
    """The inbound peak, which means something only beside an average."""
    device = setting.device
    peak: int | None = device.bandwidth_inbound_peak if device.bandwidth_inbound_average is not None else None
    return peak


def _direct(field: str) -> Property:
    """The part of the source that only an interface of type direct has."""
    name = {"source_dev": "SourceDevice", "source_mode": "NetworkMode"}[field]
    return Property(
        name,
        lambda setting: getattr(setting.device, field) if setting.device.type == "direct" else None,
        f"domain XML {Interface.field_path(field)}",
        write_connection,
    )


def _rate(name: str, field: str) -> Property:
    """A bandwidth; 0 removes it."""
    return Property(name, attrgetter(f"device.{field}"), f"domain XML {Interface.field_path(field)}", rate(name, field))


def _xml(name: str, field: str) -> Property:
    return attribute(name, f"device.{field}", Interface, writable=True)


NetworkSetting.table = PropertyTable(
    COMMON,
    PLACED,
    BOOTABLE,
    ADDRESS,
    constant("ResourceType", _ETHERNET_ADAPTER),
    _xml("ResourceSubType", "model_type"),
    Property(
        "PoolID",
        pool_id,
        f"the network of domain XML {Interface.field_path('source_network')}, or the one whose "
        f"bridge is {Interface.field_path('source_bridge')}",
        write_connection,
    ),
    Property(
        "Address", attrgetter("device.mac_address"), f"domain XML {Interface.field_path('mac_address')}", write_mac
    ),
    Property("Connection", _connection, "as NetworkName"),
    Property(
        "AllocationUnits",
        lambda setting: _RATE if setting.device.bandwidth_inbound_average is not None else None,
        "unit of Reservation and Limit",
    ),
    _rate("Reservation", "bandwidth_inbound_average"),
    Property(
        "Limit",
        _limit,
        f"domain XML {Interface.field_path('bandwidth_inbound_peak')}",
        rate("Limit", "bandwidth_inbound_peak"),
    ),
    Property(
        "ConsumerVisibility",
        lambda setting: _PASSED_THROUGH if setting.device.type == "hostdev" else _VIRTUALIZED,
        f"domain XML {Interface.field_path('type')}",
    ),
    Property(
        "MappingBehavior",
        lambda setting: _DEDICATED if setting.device.type == "hostdev" else None,
        f"domain XML {Interface.field_path('type')}",
    ),
    Property("NetworkType", attrgetter("device.type"), f"domain XML {Interface.field_path('type')}", write_connection),
    Property(
        "NetworkName",
        _network_name,
        f"domain XML {Interface.field_path('source_network')}, {Interface.field_path('source_bridge')}, "
        f"{Interface.field_path('source_dev')}",
        write_connection,
    ),
    _direct("source_dev"),
    _direct("source_mode"),
    _xml("VirtualDevice", "target_dev"),
    _xml("VSIType", "virtualport_type"),
    _xml("VSIManagerID", "virtualport_parameters_managerid"),
    _xml("VSITypeID", "virtualport_parameters_typeid"),
    _xml("VSITypeIDVersion", "virtualport_parameters_typeidversion"),
    _xml("VSIInstanceID", "virtualport_parameters_instanceid"),
    _xml("ProfileID", "virtualport_parameters_profileid"),
    _xml("FilterRef", "filterref_filter"),
    _xml("PortGroup", "source_portgroup"),
    Property(
        "LinkState",
        lambda setting: setting.device.link_state,
        f"domain XML {Interface.field_path('link_state')}",
        chosen("LinkState", "link_state", {"up": "up", "down": "down", "": None}),
    ),
    Property(
        "MTU",
        attrgetter("device.mtu_size"),
        f"domain XML {Interface.field_path('mtu_size')}",
        to("mtu_size", lambda value: value or None),
    ),
    _rate("InboundBurst", "bandwidth_inbound_burst"),
    _rate("OutboundAverage", "bandwidth_outbound_average"),
    _rate("OutboundPeak", "bandwidth_outbound_peak"),
    _rate("OutboundBurst", "bandwidth_outbound_burst"),
)

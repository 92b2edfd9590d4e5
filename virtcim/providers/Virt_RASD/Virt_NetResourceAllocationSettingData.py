"""Network interfaces of a guest."""

from __future__ import annotations

from collections.abc import Hashable

from virtcim.libhelper.documents.domain import Interface
from virtcim.providers.deviceids import Kind
from virtcim.providers.drafts import chosen, to
from virtcim.providers.properties import MappedField, Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_RASD.network_source import rate, write_connection, write_mac
from virtcim.providers.Virt_RASD.setting import ADDRESS, BOOTABLE, COMMON, PLACED, ResourceSetting, pool_id

__all__ = ["NetworkSetting"]

_ETHERNET_ADAPTER = 10
_PASSED_THROUGH, _VIRTUALIZED = 2, 3
_DEDICATED = 3
_RATE = "byte*10^3/second"
"""libvirt's unit of bandwidth as a programmatic unit (DSP0004, annex C)."""


class NetworkSetting(ResourceSetting[Interface]):
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


def _direct(name: str, field: MappedField) -> Property[NetworkSetting]:
    """The part of the source that only an interface of type direct has."""
    return Property(
        name,
        lambda setting: getattr(setting.device, field.name) if setting.device.type == "direct" else None,
        f"domain XML {Interface.field_path(field.name)}",
        write_connection,
    )


def _rate(name: str, field: MappedField) -> Property[NetworkSetting]:
    """A bandwidth; 0 removes it."""
    return attribute(name, lambda setting: getattr(setting.device, field.name), Interface, write=rate(name, field.name))


def _xml(name: str, field: MappedField) -> Property[NetworkSetting]:
    return attribute(name, lambda setting: getattr(setting.device, field.name), Interface, writable=True)


NetworkSetting.table = PropertyTable(
    COMMON,
    PLACED,
    BOOTABLE,
    ADDRESS,
    constant("ResourceType", _ETHERNET_ADAPTER),
    _xml("ResourceSubType", Interface.model_type),
    Property(
        "PoolID",
        pool_id,
        f"the network of domain XML {Interface.field_path('source_network')}, or the one whose "
        f"bridge is {Interface.field_path('source_bridge')}",
        write_connection,
    ),
    attribute("Address", lambda setting: setting.device.mac_address, Interface, write=write_mac),
    Property("Connection", _connection, "as NetworkName"),
    Property(
        "AllocationUnits",
        lambda setting: _RATE if setting.device.bandwidth_inbound_average is not None else None,
        "unit of Reservation and Limit",
    ),
    _rate("Reservation", Interface.bandwidth_inbound_average),
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
    attribute("NetworkType", lambda setting: setting.device.type, Interface, write=write_connection),
    Property(
        "NetworkName",
        _network_name,
        f"domain XML {Interface.field_path('source_network')}, {Interface.field_path('source_bridge')}, "
        f"{Interface.field_path('source_dev')}",
        write_connection,
    ),
    _direct("SourceDevice", Interface.source_dev),
    _direct("NetworkMode", Interface.source_mode),
    _xml("VirtualDevice", Interface.target_dev),
    _xml("VSIType", Interface.virtualport_type),
    _xml("VSIManagerID", Interface.virtualport_parameters_managerid),
    _xml("VSITypeID", Interface.virtualport_parameters_typeid),
    _xml("VSITypeIDVersion", Interface.virtualport_parameters_typeidversion),
    _xml("VSIInstanceID", Interface.virtualport_parameters_instanceid),
    _xml("ProfileID", Interface.virtualport_parameters_profileid),
    _xml("FilterRef", Interface.filterref_filter),
    _xml("PortGroup", Interface.source_portgroup),
    Property(
        "LinkState",
        lambda setting: setting.device.link_state,
        f"domain XML {Interface.field_path('link_state')}",
        chosen("LinkState", "link_state", {"up": "up", "down": "down", "": None}),
    ),
    attribute(
        "MTU", lambda setting: setting.device.mtu_size, Interface, write=to("mtu_size", lambda value: value or None)
    ),
    _rate("InboundBurst", Interface.bandwidth_inbound_burst),
    _rate("OutboundAverage", Interface.bandwidth_outbound_average),
    _rate("OutboundPeak", Interface.bandwidth_outbound_peak),
    _rate("OutboundBurst", Interface.bandwidth_outbound_burst),
)

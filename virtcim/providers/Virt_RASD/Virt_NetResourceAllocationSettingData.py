"""Network interfaces of a guest."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from uuid import UUID

from virtcim.libhelper.documents.domain import Interface
from virtcim.providers.drafts import chosen, to
from virtcim.providers.interface import CIMValue
from virtcim.providers.properties import MappedField, Property, attribute, constant, paths_of
from virtcim.providers.Virt_RASD.network_peer import host_resource
from virtcim.providers.Virt_RASD.network_source import (
    rate,
    write_addresses,
    write_connection,
    write_filter_parameters,
    write_mac,
    write_vlans,
)
from virtcim.providers.Virt_RASD.setting import (
    ADDRESS,
    BOOTABLE,
    COMMON,
    PLACED,
    ResourceSetting,
    device_table,
    pool_id,
)

__all__ = ["NetworkSetting"]

_ETHERNET_ADAPTER = 10
_PASSED_THROUGH, _VIRTUALIZED = 2, 3
_DEDICATED = 3
_RATE = "byte*10^3/second"
"""libvirt's unit of bandwidth as a programmatic unit (DSP0004, annex C)."""


class NetworkSetting(ResourceSetting[Interface]):
    """A network interface of a guest (Virt_NetResourceAllocationSettingData)."""

    __slots__ = ()

    base = "NetResourceAllocationSettingData"

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision, pool_id(self)


def _network_name(setting: NetworkSetting) -> str | None:
    device = setting.device
    name: str | None = device.source_network or device.source_bridge or device.source_dev or device.source_name
    return None if device.type in ("vdpa", "user", "vhostuser") else name


def _connection(setting: NetworkSetting) -> list[str] | None:
    name = _network_name(setting)
    return None if name is None else [name]


def _limit(setting: NetworkSetting) -> int | None:
    """The inbound peak, which means something only beside an average."""
    device = setting.device
    peak: int | None = device.bandwidth_inbound_peak if device.bandwidth_inbound_average is not None else None
    return peak


def _only(name: str, field: MappedField, *types: str) -> Property[NetworkSetting]:
    """The part of the source that only an interface of one of these types has."""
    return Property(
        name,
        lambda setting: getattr(setting.device, field.name) if setting.device.type in types else None,
        f"domain XML {Interface.field_path(field.name)}",
        write_connection,
    )


def _rate(name: str, field: MappedField) -> Property[NetworkSetting]:
    """A bandwidth; 0 removes it."""
    return attribute(name, lambda setting: getattr(setting.device, field.name), Interface, write=rate(name, field.name))


def _vlans(setting: NetworkSetting) -> list[int | None] | None:
    return [tag.id for tag in setting.device.vlan_tags] or None


def _native_vlan(field: str) -> Callable[[NetworkSetting], CIMValue]:
    """A getter of a field of the VLAN whose packets have no tag in the guest or outside."""

    def get(setting: NetworkSetting) -> CIMValue:
        tag = next((each for each in setting.device.vlan_tags if each.native_mode), None)
        return None if tag is None else getattr(tag, field)

    return get


def _filter_parameters(field: str) -> Callable[[NetworkSetting], CIMValue]:
    """A getter of the names or of the values of what is passed to the network filter."""
    return lambda setting: [getattr(each, field) or "" for each in setting.device.filterref_parameters] or None


def _addresses(setting: NetworkSetting) -> list[str] | None:
    shown = [
        each.address if each.prefix is None else f"{each.address}/{each.prefix}"
        for each in setting.device.ips
        if each.address is not None
    ]
    return shown or None


def _count(name: str, field: MappedField) -> Property[NetworkSetting]:
    """A number; 0 removes it."""
    write = to(field.name, lambda value: value or None)
    return attribute(name, lambda setting: getattr(setting.device, field.name), Interface, write=write)


_VLAN_PATH = f"domain XML {Interface.field_path('vlan_tags')}"
_FILTER_PATH = f"domain XML {Interface.field_path('filterref_parameters')}"


def _decimal(text: str) -> str:
    """A number as libvirt keeps it, where it can be read as one (`0x11`)."""
    try:
        return str(int(text, 0))
    except ValueError:
        return text


def _uuid(text: str) -> str:
    """A UUID as libvirt keeps it, where it can be read as one."""
    try:
        return str(UUID(text))
    except ValueError:
        return text


def _xml(name: str, field: MappedField, as_kept: Callable[[str], str] = lambda text: text) -> Property[NetworkSetting]:
    """A field as it is; the empty text removes it.

    Parameters:
        as_kept: gives what libvirt makes of what is written.
    """
    write = to(field.name, lambda value: None if value == "" else as_kept(value))
    return attribute(name, lambda setting: getattr(setting.device, field.name), Interface, write=write)


NetworkSetting.table = device_table(
    (Interface,),
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
        f"{Interface.field_path('source_dev')}, {Interface.field_path('source_name')}",
        write_connection,
    ),
    _only("SourceDevice", Interface.source_dev, "direct", "user", "vhostuser"),
    _only("NetworkMode", Interface.source_mode, "direct", "vhostuser"),
    Property(
        "HostResource",
        lambda setting: host_resource(setting.device),
        paths_of(
            (
                Interface,
                (
                    Interface.source_address,
                    Interface.source_path,
                    Interface.source_host_address,
                    Interface.source_port,
                    Interface.source_local_address,
                    Interface.source_local_port,
                ),
            )
        ),
        write_connection,
    ),
    _xml("VirtualDevice", Interface.target_dev),
    _xml("VSIType", Interface.virtualport_type),
    _xml("VSIManagerID", Interface.virtualport_parameters_managerid, _decimal),
    _xml("VSITypeID", Interface.virtualport_parameters_typeid, _decimal),
    _xml("VSITypeIDVersion", Interface.virtualport_parameters_typeidversion, _decimal),
    _xml("VSIInstanceID", Interface.virtualport_parameters_instanceid, _uuid),
    _xml("ProfileID", Interface.virtualport_parameters_profileid),
    _xml("InterfaceID", Interface.virtualport_parameters_interfaceid, _uuid),
    Property("VLANTags", _vlans, f"{_VLAN_PATH}/@id", write_vlans),
    Property("NativeVLAN", _native_vlan("id"), f"{_VLAN_PATH}/@nativeMode", write_vlans),
    Property("NativeVLANMode", _native_vlan("native_mode"), f"{_VLAN_PATH}/@nativeMode", write_vlans),
    _xml("VLANTrunk", Interface.vlan_trunk),
    _xml("FilterRef", Interface.filterref_filter),
    Property("FilterParameterNames", _filter_parameters("name"), f"{_FILTER_PATH}/@name", write_filter_parameters),
    Property("FilterParameterValues", _filter_parameters("value"), f"{_FILTER_PATH}/@value", write_filter_parameters),
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
    _rate("InboundFloor", Interface.bandwidth_inbound_floor),
    _xml("Isolated", Interface.port_isolated),
    _xml("TrustGuestFilters", Interface.trust_guest_rx_filters),
    _xml("Managed", Interface.managed),
    _xml("DriverName", Interface.driver_name),
    _count("QueueCount", Interface.driver_queues),
    _xml("Script", Interface.script_path),
    _xml("TeamingType", Interface.teaming_type),
    _xml("TeamingPersistent", Interface.teaming_persistent),
    _xml("GuestDevice", Interface.guest_dev),
    Property(
        "GuestAddresses",
        _addresses,
        f"domain XML {Interface.field_path('ips')}/@address, {Interface.field_path('ips')}/@prefix",
        write_addresses,
    ),
    _xml("BackendType", Interface.backend_type),
)

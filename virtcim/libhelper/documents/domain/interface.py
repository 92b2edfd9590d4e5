"""`<interface>`: network interfaces."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import (
    Device,
    GuestNetwork,
    IpAddress,
    Rom,
    Route,
    Teaming,
    VirtioOptions,
)
from virtcim.libhelper.xml.mapping import Attributes, Int, Items, Mapped, OnOff, Own, Replacement, Text, YesNo

__all__ = ["Bandwidth", "FilterParameter", "Interface", "PortForward", "PortRange", "VirtualPort", "Vlan", "VlanTag"]

_FIXED_MTU = frozenset(
    {"user", "server", "client", "mcast", "udp", "internal", "direct", "hostdev", "vdpa", "null", "vds"}
)
"""The kinds whose largest packet libvirt cannot set."""

_NO_COALESCING = _FIXED_MTU | {"ethernet", "vhostuser"}
"""The kinds that tell of each packet by itself."""


class FilterParameter(Mapped):
    """A `<parameter>` of a `<filterref>`."""

    tag = "parameter"
    name = Text("@name")
    value = Text("@value")


class VlanTag(Mapped):
    """A `<tag>` of a `<vlan>`."""

    tag = "tag"
    id = Int("@id")
    native_mode = Text("@nativeMode")


class PortRange(Mapped):
    """A `<range>` of a `<portForward>`."""

    tag = "range"
    start = Int("@start")
    end = Int("@end")
    to = Int("@to")
    exclude = YesNo("@exclude")


class PortForward(Mapped):
    """A `<portForward>` of a user interface."""

    tag = "portForward"
    proto = Text("@proto")
    address = Text("@address")
    dev = Text("@dev")
    ranges = Items("range", PortRange)


class VirtualPort(Mapped):
    """`<virtualport>`: its type and parameters."""

    virtualport_type = Text("virtualport/@type")
    virtualport_parameters_managerid = Text("virtualport/parameters/@managerid")
    virtualport_parameters_typeid = Text("virtualport/parameters/@typeid")
    virtualport_parameters_typeidversion = Text("virtualport/parameters/@typeidversion")
    virtualport_parameters_instanceid = Text("virtualport/parameters/@instanceid")
    virtualport_parameters_profileid = Text("virtualport/parameters/@profileid")
    virtualport_parameters_interfaceid = Own("virtualport/parameters/@interfaceid")


class Bandwidth(Mapped):
    """`<bandwidth>`: average, peak and floor in KiB per second, burst in KiB."""

    bandwidth_class_id = Int("bandwidth/@classID")
    bandwidth_inbound_average = Int("bandwidth/inbound/@average")
    bandwidth_inbound_peak = Int("bandwidth/inbound/@peak")
    bandwidth_inbound_floor = Int("bandwidth/inbound/@floor")
    bandwidth_inbound_burst = Int("bandwidth/inbound/@burst")
    bandwidth_outbound_average = Int("bandwidth/outbound/@average")
    bandwidth_outbound_peak = Int("bandwidth/outbound/@peak")
    bandwidth_outbound_burst = Int("bandwidth/outbound/@burst")


class Vlan(Mapped):
    """`<vlan>`: the tags, and whether it is a trunk."""

    vlan_trunk = YesNo("vlan/@trunk")
    vlan_tags = Items("vlan/tag", VlanTag)


class Interface(VirtualPort, Bandwidth, Vlan, GuestNetwork, Teaming, Rom, VirtioOptions, Device):
    """An `<interface>`."""

    tag = "interface"
    replacements = (
        # A filter and limits protect others: where the new kind cannot have them, the change is refused.
        Replacement(
            fields=("type",),
            takes=(
                "source",
                "virtualport",
                "vlan",
                "backend",
                "portForward",
                "script",
                "downscript",
                "port",
                "target/@managed",
                "@managed",
                "@trustGuestRxFilters",
            ),
        ),
        # What the guest is told of its addresses, only QEMU's own network tells it.
        Replacement(fields=("type",), takes=("ip", "route"), among=frozenset({"user", "vhostuser"})),
        # The network card of the host that takes the place of another one while that one is there.
        Replacement(fields=("type",), takes=("teaming",), among=frozenset({"hostdev"})),
        # A guaranteed rate is given out by a network of libvirt.
        Replacement(fields=("type",), takes=("bandwidth/inbound/@floor",), among=frozenset({"network"})),
        Replacement(fields=("type",), takes=("mtu",), among=_FIXED_MTU),
        Replacement(fields=("type",), takes=("coalesce",), among=_NO_COALESCING),
        Replacement(fields=("virtualport_type",), takes=("virtualport/parameters",)),
        Replacement(fields=("model_type",), takes=("driver",)),
    )
    never_empty = (
        *Device.never_empty,
        "vlan",
        "virtualport",
        "teaming",
        "bandwidth/inbound",
        "bandwidth/outbound",
        "bandwidth",
    )
    type = Text("@type")
    managed = YesNo("@managed")
    trust_guest_rx_filters = YesNo("@trustGuestRxFilters")
    mac_address = Own("mac/@address")
    mac_type = Text("mac/@type")
    mac_check = YesNo("mac/@check")
    mac_current_address = Text("mac/@currentAddress", writable=False)
    source_network = Text("source/@network")
    source_portgroup = Text("source/@portgroup")
    source_portid = Text("source/@portid")
    source_bridge = Text("source/@bridge")
    source_mac_table_manager = Text("source/@macTableManager")
    source_dev = Text("source/@dev")
    source_mode = Text("source/@mode")
    source_name = Text("source/@name")
    source_type = Text("source/@type")
    source_path = Own("source/@path")
    source_missing = YesNo("source/@missing")
    source_host_address = Text("source/@address")
    source_port = Int("source/@port")
    source_switchid = Text("source/@switchid")
    source_portgroupid = Text("source/@portgroupid")
    source_connectionid = Text("source/@connectionid")
    source_address = Attributes("source/address")
    source_vendor_id = Text("source/vendor/@id")
    source_product_id = Text("source/product/@id")
    source_local_address = Text("source/local/@address")
    source_local_port = Int("source/local/@port")
    source_reconnect_enabled = YesNo("source/reconnect/@enabled")
    source_reconnect_timeout = Int("source/reconnect/@timeout")
    source_reconnect_delay = Int("source/reconnect/@delay")
    source_ips = Items("source/ip", IpAddress)
    source_routes = Items("source/route", Route)
    script_path = Text("script/@path")
    downscript_path = Text("downscript/@path")
    backenddomain_name = Text("backenddomain/@name")
    target_dev = Text("target/@dev")
    target_managed = YesNo("target/@managed")
    guest_dev = Text("guest/@dev")
    guest_actual = Text("guest/@actual")
    model_type = Text("model/@type")
    driver_name = Text("driver/@name")
    driver_model = Text("driver/@model")
    driver_txmode = Text("driver/@txmode")
    driver_ioeventfd = OnOff("driver/@ioeventfd")
    driver_event_idx = OnOff("driver/@event_idx")
    driver_queues = Int("driver/@queues")
    driver_rx_queue_size = Int("driver/@rx_queue_size")
    driver_tx_queue_size = Int("driver/@tx_queue_size")
    driver_rss = OnOff("driver/@rss")
    driver_rss_hash_report = OnOff("driver/@rss_hash_report")
    driver_host_csum = OnOff("driver/host/@csum")
    driver_host_gso = OnOff("driver/host/@gso")
    driver_host_tso4 = OnOff("driver/host/@tso4")
    driver_host_tso6 = OnOff("driver/host/@tso6")
    driver_host_ecn = OnOff("driver/host/@ecn")
    driver_host_ufo = OnOff("driver/host/@ufo")
    driver_host_mrg_rxbuf = OnOff("driver/host/@mrg_rxbuf")
    driver_guest_csum = OnOff("driver/guest/@csum")
    driver_guest_tso4 = OnOff("driver/guest/@tso4")
    driver_guest_tso6 = OnOff("driver/guest/@tso6")
    driver_guest_ecn = OnOff("driver/guest/@ecn")
    driver_guest_ufo = OnOff("driver/guest/@ufo")
    backend_type = Text("backend/@type")
    backend_tap = Text("backend/@tap")
    backend_vhost = Text("backend/@vhost")
    backend_log_file = Text("backend/@logFile")
    port_forwards = Items("portForward", PortForward)
    filterref_filter = Text("filterref/@filter")
    filterref_parameters = Items("filterref/parameter", FilterParameter)
    tune_sndbuf = Int("tune/sndbuf")
    link_state = Text("link/@state")
    mtu_size = Int("mtu/@size")
    coalesce_rx_frames_max = Int("coalesce/rx/frames/@max")
    port_isolated = YesNo("port/@isolated")

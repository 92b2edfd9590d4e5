"""Virtual networks: what `<network>` holds.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from virtcim.libhelper.documents.domain.interface import Bandwidth, VirtualPort, Vlan
from virtcim.libhelper.xml.mapping import Attributes, Flag, Int, Items, Mapped, OnOff, Text, Texts, YesNo

__all__ = ["DhcpHost", "DhcpRange", "ForwardAddress", "NetworkConfig", "NetworkIp", "PortGroup"]


class DhcpRange(Mapped):
    """A `<range>` of addresses that are given out."""

    tag = "range"
    start = Text("@start")
    end = Text("@end")


class DhcpHost(Mapped):
    """A `<host>` with an address kept for it."""

    tag = "host"
    mac = Text("@mac")
    id = Text("@id")
    name = Text("@name")
    ip = Text("@ip")


class NetworkIp(Mapped):
    """An `<ip>` of a network: an address of the host in it."""

    tag = "ip"
    address = Text("@address")
    family = Text("@family")
    netmask = Text("@netmask")
    prefix = Int("@prefix")
    dhcp_range_start = Text("dhcp/range/@start", writable=False)
    dhcp_range_end = Text("dhcp/range/@end", writable=False)
    dhcp_ranges = Items("dhcp/range", DhcpRange)
    dhcp_hosts = Items("dhcp/host", DhcpHost)


class ForwardAddress(Mapped):
    """A device of the host that a network gives to guests as a whole: an `<address>` of `<forward>`."""

    tag = "address"
    attributes = Attributes(".")


class PortGroup(VirtualPort, Bandwidth, Vlan):
    """A `<portgroup>`: settings that interfaces ask for by name."""

    tag = "portgroup"
    name = Text("@name")
    default = YesNo("@default")
    trust_guest_rx_filters = YesNo("@trustGuestRxFilters")


class NetworkConfig(VirtualPort, Bandwidth, Vlan):
    """A virtual network."""

    tag = "network"
    name = Text("name")
    uuid = Text("uuid")
    title = Text("title")
    description = Text("description")
    forward = Flag("forward")
    forward_mode = Text("forward/@mode")
    forward_dev = Text("forward/@dev")
    forward_pf_dev = Text("forward/pf/@dev")
    forward_interface_devs = Texts("forward/interface/@dev")
    forward_addresses = Items("forward/address", ForwardAddress)
    bridge_name = Text("bridge/@name")
    bridge_stp = OnOff("bridge/@stp")
    bridge_delay = Int("bridge/@delay")
    bridge_zone = Text("bridge/@zone")
    bridge_mac_table_manager = Text("bridge/@macTableManager")
    mac_address = Text("mac/@address")
    mtu_size = Int("mtu/@size")
    domain_name = Text("domain/@name")
    domain_local_only = YesNo("domain/@localOnly")
    dns_enable = YesNo("dns/@enable")
    portgroups = Items("portgroup", PortGroup)
    ips = Items("ip", NetworkIp)

    @property
    def mode(self) -> str:
        """How traffic leaves the network, in libvirt's words; `isolated` when it does not."""
        return (self.forward_mode or "nat") if self.forward else "isolated"

    @property
    def host_interfaces(self) -> frozenset[str]:
        """The network interfaces of the host through which guests reach this network or leave it."""
        named = (self.bridge_name, self.forward_dev, self.forward_pf_dev, *self.forward_interface_devs)
        return frozenset(name for name in named if name)

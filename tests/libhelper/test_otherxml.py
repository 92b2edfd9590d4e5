"""Reading and writing the XML of networks, filters, storage and capabilities."""

from __future__ import annotations

import pytest

from virtcim.libhelper.documents.capabilities import HostCapabilities
from virtcim.libhelper.documents.network import DhcpRange, NetworkConfig, NetworkIp
from virtcim.libhelper.documents.nwfilter import FilterConfig, FilterDocument
from virtcim.libhelper.documents.storage import PoolConfig, VolumeConfig
from virtcim.libhelper.xml.editing import object_text
from virtcim.libhelper.xml.mapping import Mapped
from virtcim.libhelper.xml.text import MappingError, ValueRejectedError


def test_network() -> None:
    network = NetworkConfig.parse(
        """<network><name>lan</name><uuid>c</uuid><forward mode='nat'/>
        <bridge name='virbr7' stp='on' delay='0' zone='inner' macTableManager='libvirt'/>
        <mac address='52:54:00:00:00:01'/><domain name='lan.example.org' localOnly='yes'/><dns enable='no'/>
        <portgroup name='slow' default='yes'><bandwidth><inbound average='100'/></bandwidth>
        <vlan><tag id='7'/></vlan></portgroup><portgroup name='fast'><virtualport type='openvswitch'/></portgroup>
        <ip address='192.0.2.1' prefix='24'><dhcp><range start='192.0.2.10' end='192.0.2.20'/>
        <range start='192.0.2.30' end='192.0.2.40'/><host mac='52:54:00:00:00:02' name='a' ip='192.0.2.50'/></dhcp></ip>
        <ip family='ipv6' address='2001:db8::1' prefix='64'/></network>"""
    )
    assert (network.bridge_name, network.bridge_stp, network.bridge_delay) == ("virbr7", True, 0)
    assert (network.domain_local_only, network.dns_enable) == (True, False)
    slow, fast = network.portgroups
    assert (slow.name, slow.default, slow.bandwidth_inbound_average, slow.vlan_tags[0].id) == ("slow", True, 100, 7)
    assert fast.virtualport_type == "openvswitch"
    first, second = network.ips
    assert [(given.start, given.end) for given in first.dhcp_ranges] == [
        ("192.0.2.10", "192.0.2.20"),
        ("192.0.2.30", "192.0.2.40"),
    ]
    assert [host.ip for host in first.dhcp_hosts] == ["192.0.2.50"]
    assert (second.family, second.prefix, second.dhcp_ranges) == ("ipv6", 64, ())


def test_filter() -> None:
    parsed = FilterConfig.parse(
        """<filter name='web' chain='ipv4' priority='-700'><uuid>u</uuid>
        <filterref filter='clean-traffic'><parameter name='IP' value='192.0.2.5'/></filterref>
        <rule action='accept' direction='in' priority='500' statematch='false'><!-- web -->
        <tcp dstportstart='80' dstportend='443'/></rule>
        <rule action='drop' direction='inout'><ip match='no' srcipaddr='$IP'/><all/></rule>
        <rule action='drop' direction='out'/></filter>"""
    )
    assert (parsed.name, parsed.chain, parsed.priority, parsed.uuid) == ("web", "ipv4", -700, "u")
    assert parsed.filterrefs[0].filter == "clean-traffic"
    assert parsed.filterrefs[0].parameters[0].value == "192.0.2.5"
    first, second, third = parsed.rules
    assert (first.action, first.direction, first.priority, first.statematch) == ("accept", "in", 500, "false")
    assert [(match.protocol, dict(match.attributes)) for match in first.matches] == [
        ("tcp", {"dstportstart": "80", "dstportend": "443"})
    ]
    assert [match.protocol for match in second.matches] == ["ip", "all"]
    assert third.matches == ()


def test_host_capabilities() -> None:
    host = HostCapabilities.parse(
        """<capabilities><host><uuid>h</uuid><cpu><arch>x86_64</arch>
        <topology sockets='1' dies='1' cores='4' threads='2'/></cpu></host>
        <guest><os_type>hvm</os_type><arch name='x86_64'><wordsize>64</wordsize><emulator>/bin/qemu</emulator>
        <machine maxCpus='288' canonical='pc-q35-7.2'>q35</machine><machine maxCpus='1'>isapc</machine>
        <domain type='qemu'/><domain type='kvm'><emulator>/bin/kvm</emulator></domain></arch></guest>
        <guest><os_type>exe</os_type><arch name='i686'><domain type='lxc'/></arch></guest></capabilities>"""
    )
    assert (host.host_uuid, host.cpu_arch) == ("h", "x86_64")
    assert (host.cpu_topology_sockets, host.cpu_topology_cores, host.cpu_topology_threads) == (1, 4, 2)
    machine, container = host.guests
    assert (machine.os_type, machine.arch_name, machine.arch_wordsize) == ("hvm", "x86_64", 64)
    assert [(kind.name, kind.canonical, kind.max_cpus) for kind in machine.arch_machines] == [
        ("q35", "pc-q35-7.2", 288),
        ("isapc", None, 1),
    ]
    assert [(domain.type, domain.emulator) for domain in machine.arch_domains] == [("qemu", None), ("kvm", "/bin/kvm")]
    assert container.arch_domains[0].type == "lxc"


FILTER = """<!-- ours --><filter name='web' chain='root'>
  <uuid>u</uuid>
  <rule action='drop' direction='in'/> <!-- all -->
  <filterref filter='clean-traffic'/>
  <later x='1'/>
</filter>"""


def test_a_filter_is_edited_in_place() -> None:
    document = FilterDocument(FILTER)
    assert document.refers_to("clean-traffic")
    document.add_reference("a&b")
    assert [reference.filter for reference in document.config.filterrefs] == ["clean-traffic", "a&b"]
    added = """  <later x='1'/>\n  <filterref filter='a&amp;b'/>\n</filter>"""
    assert document.tostring().replace('"', "'").endswith(added)
    assert document.remove_references("a&b")
    assert not document.remove_references("a&b")
    assert document.tostring().replace('"', "'") == FILTER


def test_a_filter_refuses_what_is_none() -> None:
    with pytest.raises(MappingError, match="<filter>, got <network>"):
        FilterDocument("<network/>")
    with pytest.raises(ValueRejectedError):
        FilterDocument(FILTER).add_reference("a\0b")


@pytest.mark.parametrize(
    ("made", "xml"),
    [
        (
            NetworkConfig(
                name="n",
                forward_dev="eth0",
                forward_mode="nat",
                domain_name="example.org",
                ips=(
                    NetworkIp(address="192.0.2.1", prefix=24, dhcp_ranges=(DhcpRange(start="a", end="b"),)),
                    NetworkIp(family="ipv6", address="2001:db8::1", prefix=64),
                ),
            ),
            "<network><name>n</name><forward mode='nat' dev='eth0'/><domain name='example.org'/>"
            "<ip address='192.0.2.1' prefix='24'><dhcp><range start='a' end='b'/></dhcp></ip>"
            "<ip family='ipv6' address='2001:db8::1' prefix='64'/></network>",
        ),
        (
            PoolConfig(name="p&q", type="iscsi", source_device_paths=("d",), source_initiator_iqn_name="i"),
            "<pool type='iscsi'><name>p&amp;q</name><source><device path='d'/><initiator><iqn name='i'/></initiator>"
            "</source></pool>",
        ),
        (
            VolumeConfig(name="v", capacity=1 << 40, allocation=0, target_format_type="qcow2", backing_store_path="/b"),
            "<volume><name>v</name><capacity>1099511627776</capacity><allocation>0</allocation>"
            "<target><format type='qcow2'/></target><backingStore><path>/b</path></backingStore></volume>",
        ),
    ],
    ids=["network", "pool", "volume"],
)
def test_what_is_made_here_is_written_through_the_mapping(made: Mapped, xml: str) -> None:
    assert object_text(made).replace('"', "'") == xml
    assert object_text(type(made).parse(xml)).replace('"', "'") == xml


def test_an_object_with_other_values() -> None:
    volume = VolumeConfig(name="v", capacity=1, allocation=1)
    assert volume.replace(capacity=2, allocation=None) == VolumeConfig(name="v", capacity=2)
    with pytest.raises(TypeError):
        volume.replace(colour="red")

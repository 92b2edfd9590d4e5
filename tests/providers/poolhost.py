"""A host with everything that pools are made of: networks, storage pools, volumes, devices, and its capabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from tests.providers.recorded import RecordedHypervisor, next_revision
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.host import HostFacts, NodeInfo
from virtcim.libhelper.inventory.kinds import KINDS
from virtcim.libhelper.inventory.records import Document, Network, NodeDevice, NWFilter, Pool, Record, Volume

AnyRecord = TypeVar("AnyRecord", bound=Record)

CAPABILITIES = """<capabilities><host><uuid>0000</uuid>
<cpu><arch>x86_64</arch><model>EPYC-Milan</model><vendor>AMD</vendor><feature name='svm'/>
  <pages unit='KiB' size='4'/><pages unit='KiB' size='2048'/></cpu>
<topology><cells num='2'>
  <cell id='0'><memory unit='KiB'>4194001</memory><cpus num='2'>
    <cpu id='0' socket_id='0' die_id='0' core_id='0' siblings='0,2'/>
    <cpu id='2' socket_id='0' die_id='0' core_id='0' siblings='0,2'/></cpus></cell>
  <cell id='1'><memory unit='KiB'>4194303</memory><cpus num='1'>
    <cpu id='1' socket_id='1' die_id='0' core_id='0' siblings='1'/></cpus></cell>
</cells></topology></host></capabilities>"""

DOMAIN_CAPABILITIES = """<domainCapabilities><domain>kvm</domain><arch>x86_64</arch><vcpu max='255'/><devices>
<disk supported='yes'>
  <enum name='diskDevice'><value>disk</value><value>cdrom</value><value>floppy</value><value>lun</value></enum>
  <enum name='bus'><value>ide</value><value>scsi</value><value>virtio</value><value>usb</value></enum></disk>
<graphics supported='yes'><enum name='type'><value>sdl</value><value>vnc</value><value>spice</value></enum></graphics>
</devices></domainCapabilities>"""

STORAGE_CAPABILITIES = """<storagepoolCapabilities>
<pool type='dir' supported='yes'><volOptions><defaultFormat type='raw'/>
  <enum name='targetFormatType'><value>none</value><value>raw</value><value>qcow2</value></enum></volOptions></pool>
<pool type='logical' supported='yes'/><pool type='mpath' supported='yes'/><pool type='rbd' supported='no'/>
</storagepoolCapabilities>"""

FACTS = HostFacts(
    driver="QEMU",
    hostname="node",
    node=NodeInfo(model="x86_64", memory=8388304 // 1024 * 1024, cpus=3, mhz=2600),
    capabilities_xml=CAPABILITIES,
    host_uuid="0000",
    domain_capabilities_xml=DOMAIN_CAPABILITIES,
    storage_capabilities_xml=STORAGE_CAPABILITIES,
    max_vcpus=16,
    cgroup_version=2,
)

NAT = """<network><name>default</name><uuid>n1</uuid><description>for guests</description><forward mode='nat'/>
<bridge name='virbr0' stp='on' delay='0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'/><ip family='ipv6' address='fd00::1' prefix='64'/></network>"""
ISOLATED = "<network><name>lab</name><uuid>n2</uuid><title>no way out</title><bridge name='virbr1'/></network>"
DEVICES = """<network><name>whole</name><uuid>n3</uuid><forward mode='hostdev' managed='yes'>
<address type='pci' domain='0' bus='4' slot='0' function='1'/>
<address type='pci' domain='0' bus='4' slot='0' function='2'/>
</forward></network>"""
DIRECT = """<network><name>outside</name><uuid>n4</uuid><forward mode='bridge'><interface dev='eth0'/></forward>
</network>"""
NAMED_ZERO = "<network><name>0</name><uuid>n5</uuid><forward/><ip address='192.168.123.1' prefix='24'/></network>"

DIRECTORY = """<pool type='dir'><name>images</name><uuid>p1</uuid><capacity unit='bytes'>107374182401</capacity>
<allocation unit='bytes'>1073741825</allocation><available unit='bytes'>106300440576</available>
<source/><target><path>/srv/images</path></target></pool>"""
ISCSI = """<pool type='iscsi'><name>san</name><uuid>p2</uuid><capacity unit='KiB'>1048576</capacity>
<allocation unit='bytes'>1073741824</allocation><available unit='bytes'>0</available>
<source><host name='san.example.org'/><device path='iqn.2026-01.org.example:disk'/></source>
<target><path>/dev/disk/by-path</path></target></pool>"""
GROUP = """<pool type='logical'><name>vg0</name><uuid>p3</uuid><capacity unit='bytes'>4194304</capacity>
<allocation unit='bytes'>0</allocation><available unit='bytes'>4194304</available>
<source><device path='/dev/sda'/><name>vg0</name><format type='lvm2'/></source>
<target><path>/dev/vg0</path></target></pool>"""
NFS = """<pool type='netfs'><name>shared</name><uuid>p4</uuid><capacity unit='bytes'>0</capacity>
<allocation unit='bytes'>0</allocation><available unit='bytes'>0</available><source><host name='nas.example.org'/>
<dir path='/export'/><format type='nfs'/></source><target><path>/mnt/shared</path></target></pool>"""

VOLUMES = (
    "<volume type='file'><name>root.qcow2</name><key>/srv/images/root.qcow2</key>"
    "<capacity unit='bytes'>10737418240</capacity><allocation unit='bytes'>200704</allocation>"
    "<target><path>/srv/images/root.qcow2</path><format type='qcow2'/></target></volume>",
    "<volume type='file'><name>odd</name><key>/srv/images/odd</key><capacity unit='bytes'>1000</capacity>"
    "<allocation unit='bytes'>1024</allocation><target><path>/srv/images/odd</path><format type='raw'/></target>"
    "</volume>",
    "<volume type='file'><name>cd.iso</name><key>/srv/images/cd.iso</key><capacity unit='bytes'>1048576</capacity>"
    "<allocation unit='bytes'>1048576</allocation><target><path>/srv/images/cd.iso</path><format type='iso'/></target>"
    "</volume>",
    "<volume type='dir'><name>sub</name><key>/srv/images/sub</key><capacity unit='bytes'>0</capacity>"
    "<allocation unit='bytes'>0</allocation><target><path>/srv/images/sub</path></target></volume>",
)

NODE_DEVICES = (
    "<device><name>net_eth0</name><capability type='net'><interface>eth0</interface>"
    "<address>52:54:00:00:00:01</address><link speed='10000' state='up'/><capability type='80203'/></capability>"
    "</device>",
    "<device><name>net_virbr0</name><capability type='net'><interface>virbr0</interface>"
    "<address>52:54:00:00:00:02</address><link state='down'/><capability type='80203'/></capability></device>",
    "<device><name>net_wlan0</name><capability type='net'><interface>wlan0</interface>"
    "<link speed='4294967295' state='up'/><capability type='80211'/></capability></device>",
    "<device><name>net_lo</name><capability type='net'><interface>lo</interface></capability></device>",
    "<device><name>net_vnet7</name><capability type='net'><interface>vnet7</interface></capability></device>",
    "<device><name>block_sda</name><devnode type='dev'>/dev/sda</devnode><capability type='storage'>"
    "<block>/dev/sda</block><bus>ata</bus><drive_type>disk</drive_type><model>Big Disk</model><vendor>Maker</vendor>"
    "<serial>S1</serial><size>1000204886016</size><logical_block_size>512</logical_block_size>"
    "<num_blocks>1953525168</num_blocks></capability></device>",
    "<device><name>block_sdb</name><devnode type='dev'>/dev/sdb</devnode><capability type='storage'>"
    "<block>/dev/sdb</block><bus>usb</bus><drive_type>disk</drive_type></capability></device>",
    "<device><name>block_sr0</name><capability type='storage'><block>/dev/sr0</block><drive_type>cdrom</drive_type>"
    "</capability></device>",
    "<device><name>pci_0000_00_02_0</name><capability type='pci'/></device>",
)

FILTERS = (
    """<filter name='clean-traffic' chain='root' priority='-10'><uuid>f1</uuid>
<filterref filter='no-spoofing'/><filterref filter='gone'/>
<filterref filter='no-spoofing'><parameter name='A' value='1'/></filterref>
<rule action='drop' direction='inout' priority='500'/>
<rule action='return' direction='in'><newfangled comment='for tomorrow'/></rule>
</filter>""",
    """<filter name='no-spoofing' chain='mac'><uuid>f2</uuid>
<rule action='accept' direction='out' priority='-650'><mac protocolid='ipv4' srcmacaddr='$MAC'/></rule>
<rule action='drop' direction='in'><mac match='no' srcmacaddr='1:2:3:a:b:cc' srcmacmask='ff:ff:ff:0:0:0'
  dstmacaddr='52:54:00:00:00:01' dstmacmask='ff:ff:ff:ff:ff:ff' protocolid='0x88a8' comment='not for us'/></rule>
<rule action='reject' direction='inout'><arp srcmacaddr='52:54:00:00:00:02' arpsrcmacaddr='52:54:00:00:00:03'/></rule>
<rule action='continue' direction='out'><vlan vlanid='0x10'/></rule>
</filter>""",
    """<filter name='web' chain='ipv4'><uuid>f3</uuid>
<rule action='accept' direction='in'><tcp srcipaddr='10.0.0.0' srcipmask='8' dstipaddr='$IP' dstportstart='80'
  dstportend='443' srcportstart='1024' srcportend='65535' dscp='0x0a'/></rule>
<rule action='accept' direction='in'><udp-ipv6 srcipfrom='fd00::1' srcipto='fd00::ff' dstipaddr='fd00::'
  dstipmask='64'/></rule>
<rule action='accept' direction='in'><ip protocol='udp' dstipfrom='10.0.0.1' dstipto='10.0.0.9'
  srcipmask='255.255.0.0'/></rule>
<rule action='drop' direction='in'><ip protocol='89'/></rule>
<rule action='drop' direction='in'><all comment='the rest'/></rule>
</filter>""",
)


def add_pools(host: RecordedHypervisor) -> RecordedHypervisor:
    """Give a host all of it, all running but the isolated network and the network file system."""
    host.facts = FACTS
    for xml in (NAT, ISOLATED, DEVICES, DIRECT, NAMED_ZERO):
        put_network(host, xml, active=xml is not ISOLATED)
    put_pool(host, DIRECTORY, VOLUMES)
    put_pool(host, ISCSI, None)
    put_pool(host, GROUP, ())
    put_pool(host, NFS, (), active=False)
    for xml in NODE_DEVICES:
        put_node_device(host, xml)
    for xml in FILTERS:
        put_filter(host, xml)
    return host


def put_network(host: RecordedHypervisor, xml: str, active: bool = True) -> Network:
    """Take in a network, in place of one of the same name."""
    return _put(host, "network", Network, host.inventory.held_networks, xml, active)


def put_pool(host: RecordedHypervisor, xml: str, volumes: Sequence[str] | None, active: bool = True) -> Pool:
    """Take in a storage pool with volumes, in place of one of the same name."""
    held = None if volumes is None else tuple(map(_volume, volumes))
    return _put(
        host, "pool", Pool, host.inventory.held_pools, xml, active, parts={} if held is None else {"volumes": held}
    )


def put_node_device(host: RecordedHypervisor, xml: str) -> NodeDevice:
    """Take in a device of the host."""
    return _put(host, "nodedev", NodeDevice, host.inventory.held_node_devices, xml, True)


def put_filter(host: RecordedHypervisor, xml: str) -> NWFilter:
    """Take in a network filter."""
    return _put(host, "nwfilter", NWFilter, host.inventory.held_filters, xml, True)


def _volume(xml: str) -> Volume:
    config = VolumeConfig.parse(xml)
    return Volume(config.name or "", config.key or "", Document(xml, VolumeConfig.parse))


def _put(
    host: RecordedHypervisor,
    kind: str,
    record_type: type[AnyRecord],
    held: list[AnyRecord],
    xml: str,
    active: bool,
    **extra: Any,
) -> AnyRecord:
    document = Document(xml, KINDS[kind].parse)
    config = KINDS[kind].parse(xml)
    attributes: dict[str, Any] = {
        "uri": host.uri,
        "name": config.name,
        "uuid": getattr(config, "uuid", None) or "",
        "active": active,
        "persistent": True,
        "autostart": active,
        "contact": True,
        "revision": next_revision(),
        "live_document": document if active else None,
        "defined_document": document,
        **extra,
    }
    record = record_type(**attributes)
    held[:] = sorted([*(other for other in held if other.name != record.name), record], key=lambda each: each.name)
    host.inventory.revision = record.revision
    return record

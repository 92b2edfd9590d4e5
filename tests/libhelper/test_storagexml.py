"""Storage pools, volumes, node devices and what hypervisors tell of their abilities, read from XML."""

from __future__ import annotations

import pytest

from virtcim.libhelper.documents.capabilities import (
    DomainCapabilities,
    HostCapabilities,
    StoragePoolCapabilities,
    parsed,
)
from virtcim.libhelper.documents.network import NetworkConfig
from virtcim.libhelper.documents.nodedevice import NodeDeviceConfig
from virtcim.libhelper.documents.storage import PoolConfig, VolumeConfig


def test_storage_pool() -> None:
    pool = PoolConfig.parse(
        "<pool type='netfs'><name>p</name><capacity unit='KiB'>3</capacity><allocation unit='bytes'>5</allocation>"
        "<available>7</available><source><host name='one'/><host name='two'/><device path='/dev/a'/>"
        "<device path='/dev/b'/><dir path='/export'/><adapter name='host0' wwnn='1' wwpn='2'/><name>vg</name>"
        "<format type='nfs'/></source><target><path>/mnt</path></target></pool>"
    )
    assert (pool.type, pool.name, pool.capacity, pool.allocation, pool.available) == ("netfs", "p", 3072, 5, 7)
    assert (pool.source_host_names, pool.source_device_paths) == (("one", "two"), ("/dev/a", "/dev/b"))
    assert (pool.source_dir_path, pool.source_name, pool.source_format_type) == ("/export", "vg", "nfs")
    assert (pool.source_adapter_name, pool.source_adapter_wwnn, pool.source_adapter_wwpn) == ("host0", "1", "2")
    assert pool.target_path == "/mnt"


def test_volume() -> None:
    volume = VolumeConfig.parse(
        "<volume type='file'><name>v</name><key>/p/v</key><capacity unit='G'>1</capacity><allocation>5</allocation>"
        "<physical unit='bytes'>6</physical><target><path>/p/v</path><format type='qcow2'/></target>"
        "<backingStore><path>/p/base</path></backingStore></volume>"
    )
    assert (volume.capacity, volume.allocation, volume.physical) == (1 << 30, 5, 6)
    assert (volume.key, volume.target_path, volume.target_format_type) == ("/p/v", "/p/v", "qcow2")
    assert volume.backing_store_path == "/p/base"
    assert VolumeConfig.parse("<volume><capacity>many</capacity></volume>").capacity is None


def test_node_device() -> None:
    disk = NodeDeviceConfig.parse(
        "<device><name>block_sda</name><devnode type='dev'>/dev/sda</devnode><devnode type='link'>/dev/disk/x</devnode>"
        "<capability type='storage'><block>/dev/sda</block><drive_type>disk</drive_type><size>1000</size>"
        "<logical_block_size>512</logical_block_size></capability></device>"
    )
    assert disk.devnodes == ("/dev/sda", "/dev/disk/x")
    assert (disk.storage_block, disk.storage_size, disk.storage_logical_block_size) == ("/dev/sda", 1000, 512)
    assert disk.net_interface is None
    port = NodeDeviceConfig.parse(
        "<device><name>n</name><parent>computer</parent><capability type='net'><interface>eth0</interface>"
        "<link speed='1000' state='up'/><capability type='80203'/></capability></device>"
    )
    assert (port.net_interface, port.net_link_speed, port.net_link_state, port.net_kind) == (
        "eth0", 1000, "up", "80203")  # fmt: skip
    assert port.storage_block is None


@pytest.mark.parametrize(("xml", "mode", "interfaces"), [
    ("<network/>", "isolated", set()),
    ("<network><forward/><bridge name='b'/></network>", "nat", {"b"}),
    ("<network><forward mode='bridge' dev='e'><interface dev='e'/><interface dev='f'/></forward></network>", "bridge",
     {"e", "f"}),
    ("<network><forward mode='hostdev'><pf dev='p'/></forward></network>", "hostdev", {"p"}),
])  # fmt: skip
def test_network_mode(xml: str, mode: str, interfaces: set[str]) -> None:
    network = NetworkConfig.parse(xml)
    assert network.mode == mode
    assert network.host_interfaces == interfaces


def test_capabilities() -> None:
    host = HostCapabilities.parse(
        "<capabilities><host><topology><cells><cell id='0'><memory unit='KiB'>5</memory><cpus>"
        "<cpu id='0'/><cpu/></cpus></cell><cell id='1'/></cells></topology></host></capabilities>"
    )
    assert host.memory is None
    assert [cpu.id for cpu in host.processors] == [0]
    assert HostCapabilities().processors == ()
    domain = DomainCapabilities.parse(
        "<domainCapabilities><vcpu max='8'/><devices><disk><enum name='diskDevice'><value>disk</value></enum>"
        "<enum name='bus'><value>ide</value><value>scsi</value></enum></disk></devices></domainCapabilities>"
    )
    assert (domain.vcpu_max, domain.disk_devices, domain.disk_buses) == (8, ("disk",), ("ide", "scsi"))
    assert domain.graphics_types == ()
    storage = StoragePoolCapabilities.parse(
        "<storagepoolCapabilities><pool type='dir' supported='yes'><volOptions><defaultFormat type='raw'/>"
        "<enum name='targetFormatType'><value>raw</value></enum></volOptions></pool></storagepoolCapabilities>"
    )
    (kind,) = storage.pools
    assert (kind.type, kind.supported, kind.default_format, kind.formats) == ("dir", True, "raw", ("raw",))


def test_parsed_capabilities_are_kept() -> None:
    xml = "<domainCapabilities><vcpu max='8'/></domainCapabilities>"
    assert parsed(DomainCapabilities, xml) is parsed(DomainCapabilities, xml)
    assert parsed(DomainCapabilities, "").vcpu_max is None
    assert parsed(DomainCapabilities, "<broken").vcpu_max is None

"""Pools as clients see them: on libvirt's test driver, and on QEMU with a directory of volumes and a NAT network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.bed import Libvirtd, Server, baseline_xml, wait_until
from tests.bed.views import instance_path
from tests.conftest import Guests
from tests.test_clients import path_text, read_by_wbemcli

NODE = """\
<node>
  <cpu><mhz>2000</mhz><model>x86_64</model><active>2</active><nodes>1</nodes><sockets>1</sockets><cores>2</cores>
    <threads>1</threads><memory>8388608</memory></cpu>
  <domain type='test'>
    <name>user</name>
    <uuid>00000000-0000-4000-8000-000000000001</uuid>
    <memory unit='MiB'>64</memory>
    <vcpu>2</vcpu>
    <os><type>hvm</type></os>
    <devices>
      <disk type='file' device='disk'><source file='/images/one'/><target dev='vda' bus='virtio'/></disk>
      <interface type='network'><mac address='52:54:00:00:00:01'/><source network='outer'/></interface>
      <input type='tablet' bus='usb'/>
      <graphics type='vnc' port='5901' autoport='no'/>
      <controller type='scsi' index='0'/>
    </devices>
  </domain>
  <network>
    <name>outer</name>
    <uuid>00000000-0000-4000-8000-000000000002</uuid>
    <forward mode='nat'/>
    <bridge name='vcbr9'/>
    <ip address='192.168.122.1' netmask='255.255.255.0'/>
  </network>
  <pool type='dir'>
    <name>images</name>
    <uuid>00000000-0000-4000-8000-000000000003</uuid>
    <target><path>/images</path></target>
    <volume type='file'>
      <name>one</name>
      <capacity unit='bytes'>1048576</capacity>
      <allocation unit='bytes'>4096</allocation>
      <target><path>/images/one</path><format type='qcow2'/></target>
    </volume>
  </pool>
  <device>
    <name>net_vcbr9</name>
    <parent>computer</parent>
    <capability type='net'>
      <interface>vcbr9</interface><address>52:54:00:00:00:09</address><capability type='80203'/>
    </capability>
  </device>
  <device>
    <name>block_sda</name>
    <parent>computer</parent>
    <capability type='storage'>
      <block>/dev/sda</block><bus>ata</bus><drive_type>disk</drive_type><model>Disk</model><size>1000000</size>
    </capability>
  </device>
</node>
"""

BASES = [
    "ProcessorPool",
    "MemoryPool",
    "NetworkPool",
    "DiskPool",
    "GraphicsPool",
    "InputPool",
    "ControllerPool",
    "AllocationCapabilities",
    "HostProcessor",
    "HostMemory",
    "HostNetworkPort",
    "HostDisk",
    "StorageVolume",
    "HostSystemDevice",
    "HostedResourcePool",
    "ConcreteComponent",
    "ElementAllocatedFromPool",
    "ResourceAllocationFromPool",
    "ElementCapabilities",
    "SettingsDefineCapabilities",
]

ASSOCIATIONS = BASES[13:]

NETWORK = """\
<network>
  <name>vcnat</name>
  <forward mode='nat'/>
  <bridge name='vcbr7' stp='on' delay='0'/>
  <ip address='192.168.247.1' netmask='255.255.255.0'/>
</network>
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a node with a network, a storage pool and devices."""
    node = tmp_path_factory.mktemp("node") / "node.xml"
    node.write_text(NODE)
    with Server(f"test://{node}") as running:
        wait_until(lambda: len(names(running, "Test_StorageVolume")) == 1)
        yield running


def names(server: Server, class_name: str) -> list[Any]:
    with server.pywbem() as connection:
        return list(connection.EnumerateInstanceNames(class_name))


def pool(server: Server, instance_id: str, prefix: str = "KVM") -> dict[str, Any]:
    """The properties of a pool."""
    class_name = f"{prefix}_{instance_id.partition('/')[0]}"
    with server.pywbem() as connection:
        return dict(connection.GetInstance(instance_path({"InstanceID": instance_id}, class_name)))


@pytest.mark.parametrize("base", BASES)
def test_names_instances_and_get_agree(server: Server, base: str) -> None:
    with server.pywbem() as connection:
        paths = connection.EnumerateInstanceNames(f"Test_{base}")
        instances = connection.EnumerateInstances(f"Test_{base}")
        assert paths
        assert [instance.path for instance in instances] == paths
        for path, instance in zip(paths, instances, strict=True):
            assert connection.GetInstance(path).items() == instance.items()


@pytest.mark.parametrize("base", BASES)
def test_wbemcli_reads(server: Server, base: str) -> None:
    read_by_wbemcli(server, f"Test_{base}")


def check_graph(server: Server, prefix: str) -> Counter[str]:
    """Follow the associations of pools from every end; each reference resolves, each link is found from both ends."""
    found: Counter[str] = Counter()
    with server.pywbem() as connection:
        for base in ASSOCIATIONS:
            class_name = f"{prefix}_{base}"
            ends: dict[str, Any] = {}
            links: dict[str, set[str]] = {}
            for link in connection.EnumerateInstances(class_name):
                one, other = link.path.keybindings.values()
                found[base] += 1
                for end, far in ((one, other), (other, one)):
                    ends[path_text(end)] = end
                    links.setdefault(path_text(end), set()).add(path_text(far))
            for text, end in ends.items():
                instance = connection.GetInstance(end)
                assert path_text(instance.path) == text
                assert all(instance[name] == value for name, value in end.keybindings.items())
                reached = connection.AssociatorNames(end, AssocClass=class_name)
                assert set(map(path_text, reached)) == links[text], (class_name, text)
                references = connection.ReferenceNames(end, ResultClass=class_name)
                assert len(references) == len(reached)
    return found


def test_graph_on_the_test_driver(server: Server) -> None:
    graph = check_graph(server, "Test")
    # The other associations of pools are shared with services and settings, and grow with these.
    assert {base: graph[base] for base in ("HostSystemDevice", "HostedResourcePool", "ConcreteComponent")} == {
        "HostSystemDevice": 6,
        "HostedResourcePool": 9,
        "ConcreteComponent": 7,
    }
    assert graph["ElementAllocatedFromPool"] == 10
    pools = len(names(server, "Test_AllocationCapabilities"))
    assert pools == len(names(server, "CIM_ResourcePool"))
    assert graph["ElementCapabilities"] >= 2 * pools  # each pool's, and the host's


def test_superclasses_and_templates(server: Server) -> None:
    assert len(names(server, "CIM_ResourcePool")) == 9
    assert len(names(server, "Virt_DiskPool")) == 2
    assert names(server, "Xen_DiskPool") == []
    with server.pywbem() as connection:
        path = instance_path({"InstanceID": "MemoryPool/0"}, "Test_AllocationCapabilities")
        (maximum,) = (
            template
            for template in connection.Associators(path, AssocClass="CIM_SettingsDefineCapabilities")
            if template["InstanceID"].endswith("/Maximum")
        )
        assert maximum["VirtualQuantity"] == pool(server, "MemoryPool/0", "Test")["Capacity"]
        listed = connection.EnumerateInstanceNames("Test_MemResourceAllocationSettingData")
        assert [path["InstanceID"] for path in listed] == ["user/mem"]
        settings = connection.References(maximum.path)
        assert [(one.classname, int(one["ValueRange"])) for one in settings] == [("Test_SettingsDefineCapabilities", 2)]


@pytest.fixture
def storage(libvirtd: Libvirtd) -> Iterator[Libvirtd]:
    """The daemon with a directory of two volumes and a NAT network that runs where the machine allows it."""
    target = libvirtd.directory / "pool"
    target.mkdir(exist_ok=True)
    libvirtd.virsh("pool-define-as", "images", "dir", "--target", str(target))
    libvirtd.virsh("pool-start", "images")
    libvirtd.virsh("vol-create-as", "images", "raw", "1MiB", "--format", "raw")
    libvirtd.virsh("vol-create-as", "images", "thin", "1GiB", "--format", "qcow2")
    connection = libvirtd.connect()
    network = connection.networkDefineXML(NETWORK)
    yield libvirtd
    if network.isActive():
        network.destroy()
    network.undefine()
    for name in ("raw", "thin", "more"):
        (target / name).unlink(missing_ok=True)
    found = connection.storagePoolLookupByName("images")
    if found.isActive():
        found.destroy()
    found.undefine()
    connection.close()


def test_pools_of_a_qemu_host(serve: Callable[..., Server], storage: Libvirtd, guests: Guests) -> None:
    disk = (
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{storage.directory}/pool/thin'/><target dev='vdz'/></disk>"
    )
    nic = "<interface type='network'><mac address='52:54:00:00:07:01'/><source network='vcnat'/></interface>"
    xml = baseline_xml("pooled", storage.new_image())
    storage.define(xml.replace("</devices>", f"{disk}{nic}</devices>"))
    server = serve(storage.uri())
    wait_until(lambda: len(names(server, "KVM_StorageVolume")) == 2)

    images = pool(server, "DiskPool/images")
    assert (images["ResourceSubType"], images["OperationalStatus"], images["Primordial"]) == ("dir", [2], False)
    assert images["CurrentlyConsumedResource"] == (1 << 20) + (1 << 30)
    connection = storage.connect()
    _, capacity, _, _ = connection.storagePoolLookupByName("images").info()
    processors = connection.getInfo()[2]
    connection.close()
    assert images["Capacity"] == capacity
    assert images["AllocationUnits"] == "byte"
    network = pool(server, "NetworkPool/vcnat")
    assert (network["Caption"], network["ResourceSubType"]) == ("Bridge: vcbr7", "nat")
    assert network["OperationalStatus"] == [10]
    assert pool(server, "ProcessorPool/0")["Capacity"] == processors
    assert pool(server, "MemoryPool/0")["Reserved"] == 0

    with server.pywbem() as client:
        path = instance_path({"InstanceID": "DiskPool/images"}, "KVM_DiskPool")
        volumes = client.AssociatorNames(path, AssocClass="CIM_ConcreteComponent", ResultClass="CIM_StorageVolume")
        assert sorted(volume["DeviceID"] for volume in volumes) == ["images/raw", "images/thin"]
        devices = client.AssociatorNames(path, AssocClass="CIM_ElementAllocatedFromPool", ResultRole="Dependent")
        assert [device["DeviceID"] for device in devices] == ["pooled/vdz"]
        (parent,) = client.AssociatorNames(path, AssocClass="CIM_ElementAllocatedFromPool", ResultRole="Antecedent")
        assert parent["InstanceID"] == "DiskPool/0"
        setting = instance_path({"InstanceID": "pooled/vdz"}, "KVM_DiskResourceAllocationSettingData")
        assert client.GetInstance(setting)["PoolID"] == "DiskPool/images"
        assert client.GetInstance(setting)["VirtualQuantity"] == 1 << 30
        maximum = instance_path({"InstanceID": "ProcessorPool/0/Maximum"}, "KVM_ProcResourceAllocationSettingData")
        assert client.GetInstance(maximum)["VirtualQuantity"] > processors
    graph = check_graph(server, "KVM")
    assert all(graph[base] for base in ASSOCIATIONS)


def test_pools_follow_libvirt(serve: Callable[..., Server], storage: Libvirtd) -> None:
    server = serve(storage.uri())
    wait_until(lambda: len(names(server, "KVM_StorageVolume")) == 2)
    storage.virsh("vol-create-as", "images", "more", "2MiB", "--format", "raw")
    storage.virsh("pool-refresh", "images")
    wait_until(lambda: len(names(server, "KVM_StorageVolume")) == 3)
    assert pool(server, "DiskPool/images")["CurrentlyConsumedResource"] == (3 << 20) + (1 << 30)
    storage.virsh("pool-destroy", "images")
    wait_until(lambda: pool(server, "DiskPool/images")["OperationalStatus"] == [10])
    assert pool(server, "DiskPool/images")["Capacity"] is None
    assert names(server, "KVM_StorageVolume") == []


def test_a_network_that_runs(serve: Callable[..., Server], storage: Libvirtd) -> None:
    connection = storage.connect()
    try:
        connection.networkLookupByName("vcnat").create()
    except Exception as error:
        pytest.skip(f"this machine starts no NAT network: {error}")
    finally:
        connection.close()
    server = serve(storage.uri())
    wait_until(lambda: pool(server, "NetworkPool/vcnat")["OperationalStatus"] == [2])
    storage.virsh("net-destroy", "vcnat")
    wait_until(lambda: pool(server, "NetworkPool/vcnat")["OperationalStatus"] == [10])

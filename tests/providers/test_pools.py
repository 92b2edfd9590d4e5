"""Pools, what they consist of, who takes from them, and what they can give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.providers.poolhost import DIRECTORY, FACTS, ISOLATED, VOLUMES, add_pools, put_network, put_pool
from tests.providers.recorded import (
    CONTEXT,
    RecordedHypervisor,
    Served,
    domain_xml,
    hypervisor,
    next_revision,
    platform,
    served,
)
from virtcim.libhelper.documents.network import NetworkConfig
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.host import HostFacts
from virtcim.libhelper.inventory.records import Document, Volume
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import CIMError, Instance, Status
from virtcim.providers.Virt_DevicePool import pools_of
from virtcim.providers.Virt_HostSystem import hosts_of

NICS = """<interface type='network'><mac address='52:54:00:00:00:0a'/><source network='default'/></interface>
<interface type='bridge'><mac address='52:54:00:00:00:0b'/><source bridge='virbr0'/></interface>
<interface type='network'><mac address='52:54:00:00:00:0c'/><source network='whole'/></interface>
<interface type='network'><mac address='52:54:00:00:00:0d'/><source network='vanished'/></interface>
<interface type='bridge'><mac address='52:54:00:00:00:0e'/><source bridge='br0'/></interface>
<interface type='network'><mac address='52:54:00:00:00:0f'/><source network='0'/></interface>"""
DISKS = """
<disk type='file' device='disk'><source file='/srv/images/root.qcow2'/><target dev='vda' bus='virtio'/></disk>
<disk type='volume' device='disk'><source pool='images' volume='odd'/><target dev='vdb' bus='virtio'/></disk>
<disk type='file' device='disk'><source file='/elsewhere/x.img'/><target dev='vdc' bus='virtio'/></disk>"""
OTHERS = """<graphics type='vnc' port='5900'/><input type='tablet' bus='usb'/><input type='mouse' bus='ps2'/>
<controller type='usb' index='0'/><console type='pty'/><sound model='ich9'/>"""
GUEST = domain_xml("busy", NICS + DISKS + OTHERS).replace("<vcpu>1<", "<vcpu current='3'>4<")
IDLE = domain_xml("idle", OTHERS)


@pytest.fixture
def host() -> RecordedHypervisor:
    made = add_pools(hypervisor("KVM"))
    made.put(GUEST, active=True)
    made.put(IDLE)
    return made


@pytest.fixture
def site(host: RecordedHypervisor) -> Served:
    return Served([(platform("KVM"), host)])


def pool(site: Served, instance_id: str, prefix: str = "KVM") -> dict[str, Any]:
    """The properties of a pool."""
    return dict(site.get(f"{prefix}_{instance_id.partition('/')[0]}", InstanceID=instance_id).properties())


def relation(site: Served, base: str) -> Relation:
    """The association of this class that pools have a part in."""
    ours = {"ElementCapabilities": "KVM_DiskPool", "SettingsDefineCapabilities": "KVM_AllocationCapabilities"}
    return next(
        found
        for found in site.catalog.associations["root/virt"]
        if isinstance(found, Relation)
        and found.base == base
        and (base not in ours or ours[base] in found.left.class_names)
    )


def associated(site: Served, base: str, source: Instance) -> tuple[list[Any], list[Any]]:
    """What stands to the left and to the right of an instance, by identity."""
    found = relation(site, base)
    left = [each.identity for each in found.to_left(source, CONTEXT)]
    right = [each.identity for each in found.to_right(source, CONTEXT)]
    return left, right


def test_pools_are_listed_in_order_with_the_primordial_last(site: Served) -> None:
    assert site.identifiers("KVM_ProcessorPool") == ["ProcessorPool/0"]
    assert site.identifiers("KVM_NetworkPool") == [
        "NetworkPool/0#2",
        "NetworkPool/default",
        "NetworkPool/lab",
        "NetworkPool/outside",
        "NetworkPool/whole",
        "NetworkPool/0",
    ]
    assert site.identifiers("KVM_DiskPool") == [
        "DiskPool/images",
        "DiskPool/san",
        "DiskPool/shared",
        "DiskPool/vg0",
        "DiskPool/0",
    ]
    assert site.identifiers("Xen_DiskPool") == []


def test_processors_and_memory(site: Served, host: RecordedHypervisor) -> None:
    processors = pool(site, "ProcessorPool/0")
    assert (processors["Capacity"], processors["Reserved"], processors["CurrentlyConsumedResource"]) == (3, 0, 3)
    assert processors["AllocationUnits"] == processors["ConsumedResourceUnits"] == "count"
    assert processors["Primordial"] is True
    memory = pool(site, "MemoryPool/0")
    assert memory["Capacity"] == 8388304
    assert memory["Reserved"] == memory["CurrentlyConsumedResource"] == 65536
    assert memory["AllocationUnits"] == "byte*2^10"
    host.put(IDLE, active=True)
    assert pool(site, "MemoryPool/0")["Reserved"] == 131072
    host.facts = HostFacts()
    assert "Capacity" not in pool(site, "MemoryPool/0")
    assert "Capacity" not in pool(site, "ProcessorPool/0")


def test_a_host_that_tells_of_other_memory_than_its_nodes(host: RecordedHypervisor, site: Served) -> None:
    host.facts = HostFacts(node=FACTS.node.__class__(memory=3145728), capabilities_xml=FACTS.capabilities_xml)
    assert pool(site, "MemoryPool/0")["Capacity"] == 3145728


def test_networks(site: Served) -> None:
    default = pool(site, "NetworkPool/default")
    assert default["Caption"] == "Bridge: virbr0"
    assert default["ResourceSubType"] == "nat"
    assert default["Description"] == "for guests"
    assert default["ElementName"] == "default"
    assert default["PoolID"] == default["InstanceID"]
    assert (default["Primordial"], default["OperationalStatus"]) == (False, [2])
    assert default["CurrentlyConsumedResource"] == 2
    assert "Capacity" not in default
    lab = pool(site, "NetworkPool/lab")
    assert (lab["ResourceSubType"], lab["OperationalStatus"], lab["OperatingStatus"]) == ("isolated", [10], 5)
    assert lab["Description"] == "no way out"
    whole = pool(site, "NetworkPool/whole")
    assert whole["ResourceSubType"] == "hostdev"
    assert whole["Caption"] == "Network: whole"
    assert (whole["Capacity"], whole["MaxConsumableResource"], whole["Reserved"]) == (2, 2, 1)
    assert pool(site, "NetworkPool/0")["CurrentlyConsumedResource"] == 4
    assert pool(site, "NetworkPool/0#2")["ElementName"] == "0"


def test_storage(site: Served) -> None:
    images = pool(site, "DiskPool/images")
    assert images["AllocationUnits"] == images["ConsumedResourceUnits"] == "byte"
    assert (images["Capacity"], images["Reserved"]) == (107374182401, 1073741825)
    assert images["CurrentlyConsumedResource"] == 10737418240 + 1000 + 1048576
    assert "MaxConsumableResource" not in images
    assert (images["ResourceSubType"], images["OtherResourceType"], images["Path"]) == ("dir", "dir", "/srv/images")
    assert (images["Autostart"], images["Caption"]) == (1, "images")
    san = pool(site, "DiskPool/san")
    assert san["Capacity"] == san["MaxConsumableResource"] == 1 << 30
    assert san["Host"] == "san.example.org"
    assert "CurrentlyConsumedResource" not in san
    shared = pool(site, "DiskPool/shared")
    assert shared["OperationalStatus"] == [10]
    assert not {"Capacity", "Reserved", "CurrentlyConsumedResource"} & set(shared)
    assert (shared["Host"], shared["SourceDirectory"], shared["Autostart"]) == ("nas.example.org", "/export", 0)
    assert "Capacity" not in pool(site, "DiskPool/0")


def test_what_is_made_up_for_guests_is_counted(site: Served) -> None:
    assert pool(site, "GraphicsPool/0")["CurrentlyConsumedResource"] == 2  # a pty console is listed as one
    assert pool(site, "InputPool/0")["CurrentlyConsumedResource"] == 2
    controllers = pool(site, "ControllerPool/0")
    assert (controllers["ResourceType"], controllers["OtherResourceType"]) == (1, "controller")
    assert controllers["CurrentlyConsumedResource"] == 1


def test_lost_contact(host: RecordedHypervisor, site: Served) -> None:
    before = site.get("KVM_DiskPool", InstanceID="DiskPool/images").revision
    host.connected = False
    told = site.get("KVM_DiskPool", InstanceID="DiskPool/images").properties()
    assert told["OperationalStatus"] != [12], "as its record says, which is told of when the connection is lost already"
    lost = [replace(each, contact=False, revision=next_revision()) for each in host.inventory.held_pools]
    host.inventory.held_pools, host.inventory.revision = lost, lost[-1].revision
    for base in ("MemoryPool", "DiskPool", "HostProcessor", "HostNetworkPort", "StorageVolume"):
        for instance in site.instances(f"KVM_{base}"):
            assert instance.properties()["OperationalStatus"] == [12]
            assert instance.properties()["HealthState"] == 0
    assert site.get("KVM_DiskPool", InstanceID="DiskPool/images").revision != before
    assert site.get("KVM_MemoryPool", InstanceID="MemoryPool/0").properties()["OperatingStatus"] == 0


@pytest.mark.parametrize(
    ("class_name", "keys", "status", "text"),
    [
        ("KVM_DiskPool", {}, Status.FAILED, "Missing InstanceID"),
        (
            "KVM_DiskPool",
            {"InstanceID": "NetworkPool/default"},
            Status.NOT_FOUND,
            "No such instance (NetworkPool/default) - resource pool type mismatch",
        ),
        ("KVM_DiskPool", {"InstanceID": "x"}, Status.NOT_FOUND, "No such instance (x) - resource pool type mismatch"),
        ("KVM_DiskPool", {"InstanceID": "DiskPool/x"}, Status.NOT_FOUND, "No such instance (x)"),
        ("KVM_MemoryPool", {"InstanceID": "MemoryPool/1"}, Status.NOT_FOUND, "No such instance (1)"),
        ("KVM_MemoryPool", {"InstanceID": "MemoryPool"}, Status.NOT_FOUND, "No such instance ()"),
        ("Xen_DiskPool", {"InstanceID": "DiskPool/0"}, Status.NOT_FOUND, "No such instance"),
        ("KVM_AllocationCapabilities", {}, Status.FAILED, "Missing InstanceID"),
        ("KVM_AllocationCapabilities", {"InstanceID": "DiskPool/x"}, Status.NOT_FOUND, "Instance not found."),
        (
            "KVM_DiskPoolResourceAllocationSettingData",
            {"InstanceID": "DiskPool/0/x"},
            Status.NOT_FOUND,
            "No such instance (DiskPool/0/x)",
        ),
        (
            "KVM_MemResourceAllocationSettingData",
            {"InstanceID": "ProcessorPool/0/Minimum"},
            Status.NOT_FOUND,
            "No such instance (ProcessorPool/0/Minimum): "
            "Domain not found: no domain with matching name 'ProcessorPool'",
        ),
        (
            "KVM_StorageVolume",
            {"DeviceID": "images/none"},
            Status.NOT_FOUND,
            "No such instance (no device images/none)",
        ),
        (
            "KVM_StorageVolume",
            {"DeviceID": "images/odd"},
            Status.NOT_FOUND,
            "No such instance (SystemCreationClassName)",
        ),
        ("KVM_HostDisk", {"DeviceID": "block_sdz"}, Status.NOT_FOUND, "No such instance (no device block_sdz)"),
        (
            "KVM_HostDisk",
            {
                "DeviceID": "block_sda",
                "SystemName": "other",
                "CreationClassName": "KVM_HostDisk",
                "SystemCreationClassName": "KVM_HostSystem",
            },
            Status.NOT_FOUND,
            "No such instance (SystemName)",
        ),
    ],
)
def test_refused(site: Served, class_name: str, keys: dict[str, Any], status: Status, text: str) -> None:
    with pytest.raises(CIMError) as caught:
        site.get(class_name, **keys)
    assert (caught.value.status, caught.value.description) == (status, text)


def test_the_kind_of_a_pool_in_any_case(site: Served) -> None:
    assert site.get("KVM_DiskPool", instanceid="diskpool/images").identity == "DiskPool/images"


def test_two_hypervisors_of_one_platform(host: RecordedHypervisor) -> None:
    other = hypervisor("KVM", "session")
    other.fqdn = "other.example.org"
    put_pool(other, DIRECTORY, VOLUMES)
    other.put(domain_xml("far", DISKS), active=True)
    site = Served([(platform("KVM"), host), (platform("KVM"), other)])
    assert site.identifiers("KVM_MemoryPool") == ["MemoryPool/0", "MemoryPool/0#2"]
    assert "DiskPool/images#2" in site.identifiers("KVM_DiskPool")
    assert "images#2/odd" in site.identifiers("KVM_StorageVolume")
    far = site.get("KVM_DiskPool", InstanceID="DiskPool/images#2")
    assert associated(site, "ElementAllocatedFromPool", far) == (["DiskPool/0#2"], ["far/vda", "far/vdb"])
    assert associated(site, "HostedResourcePool", far) == (["other.example.org"], [])
    assert pool(site, "MemoryPool/0#2")["Reserved"] == 65536


def test_allocated_from(site: Served) -> None:
    for instance_id, expected in {
        "NetworkPool/default": ["busy/52:54:00:00:00:0a", "busy/52:54:00:00:00:0b"],
        "NetworkPool/whole": ["busy/52:54:00:00:00:0c"],
        "NetworkPool/0#2": ["busy/52:54:00:00:00:0f"],
        "NetworkPool/lab": [],
        "DiskPool/images": ["busy/vda", "busy/vdb"],
    }.items():
        source = site.get(f"KVM_{instance_id.partition('/')[0]}", InstanceID=instance_id)
        parent = [f"{instance_id.partition('/')[0]}/0"]
        assert associated(site, "ElementAllocatedFromPool", source) == (parent, expected)
        assert associated(site, "ResourceAllocationFromPool", source)[1] == expected
    primordial = site.get("KVM_NetworkPool", InstanceID="NetworkPool/0")
    assert associated(site, "ElementAllocatedFromPool", primordial) == (
        [],
        ["NetworkPool/0#2", "NetworkPool/default", "NetworkPool/lab", "NetworkPool/outside", "NetworkPool/whole"],
    )
    processors = site.get("KVM_ProcessorPool", InstanceID="ProcessorPool/0")
    assert associated(site, "ElementAllocatedFromPool", processors)[1] == [
        "busy/0",
        "busy/1",
        "busy/2",
        "busy/3",
        "idle/0",
    ]
    assert associated(site, "ResourceAllocationFromPool", processors)[1] == ["busy/proc", "idle/proc"]


def test_pool_ids_of_settings_are_the_pools_they_are_associated_with(site: Served) -> None:
    checked = 0
    found = relation(site, "ResourceAllocationFromPool")
    for class_name in sorted(found.right.class_names):
        for setting in site.instances(class_name):
            pools = [each.identity for each in found.to_left(setting, CONTEXT)]
            if pools:
                checked += 1
                assert setting.properties()["PoolID"] == pools[0]
    assert checked == 20


def test_parts_of_pools(site: Served) -> None:
    for instance_id, expected in {
        "ProcessorPool/0": ["processor:0", "processor:2", "processor:1"],
        "MemoryPool/0": ["memory"],
        "NetworkPool/0": ["net_eth0", "net_virbr0", "net_wlan0"],
        "NetworkPool/default": ["net_virbr0"],
        "NetworkPool/outside": ["net_eth0"],
        "NetworkPool/lab": [],
        "DiskPool/0": ["block_sda", "block_sdb"],
        "DiskPool/vg0": ["block_sda"],
        "DiskPool/images": ["images/root.qcow2", "images/odd", "images/cd.iso", "images/sub"],
        "DiskPool/shared": [],
        "GraphicsPool/0": [],
    }.items():
        source = site.get(f"KVM_{instance_id.partition('/')[0]}", InstanceID=instance_id)
        found = [each.keys()["DeviceID"] for each in relation(site, "ConcreteComponent").to_right(source, CONTEXT)]
        assert found == expected, instance_id


def test_devices_of_the_host(site: Served) -> None:
    keys = {"SystemCreationClassName": "KVM_HostSystem", "SystemName": "node.example.org"}

    def device(base: str, device_id: str) -> dict[str, Any]:
        name = f"KVM_{base}"
        return dict(site.get(name, **keys, CreationClassName=name, DeviceID=device_id).properties())

    processor = device("HostProcessor", "processor:2")
    assert processor["Caption"] == "socket 0 die 0 core 0"
    assert processor["OtherFamilyDescription"] == "AMD EPYC-Milan"
    assert processor["Characteristics"] == [2, 4, 5]
    assert (processor["CurrentClockSpeed"], processor["AddressWidth"], processor["Family"]) == (2600, 64, 1)
    assert device("HostProcessor", "processor:1")["Characteristics"] == [2, 4]
    memory = device("HostMemory", "memory")
    assert memory["BlockSize"] * memory["NumberOfBlocks"] == 8388304 * 1024
    port = device("HostNetworkPort", "net_eth0")
    assert (port["ElementName"], port["Speed"], port["LinkTechnology"]) == ("eth0", 10**10, 2)
    assert port["NetworkAddresses"] == ["52:54:00:00:00:01"]
    assert (port["EnabledState"], port["OperationalStatus"]) == (2, [2])
    down = device("HostNetworkPort", "net_virbr0")
    assert (down["EnabledState"], down["OperationalStatus"]) == (6, [10])
    wireless = device("HostNetworkPort", "net_wlan0")
    assert wireless["LinkTechnology"] == 11
    assert "Speed" not in wireless
    disk = device("HostDisk", "block_sda")
    assert (disk["Name"], disk["MaxMediaSize"], disk["DefaultBlockSize"]) == ("/dev/sda", 1000204886, 512)
    assert disk["OtherIdentifyingInfo"] == ["S1", "Maker", "Big Disk"]
    assert disk["IdentifyingDescriptions"] == ["Serial Number", "Vendor", "Model"]
    assert (disk["InterconnectType"], disk["Caption"]) == (3, "Big Disk")
    other = device("HostDisk", "block_sdb")
    assert (other["InterconnectType"], other["OtherInterconnectType"]) == (1, "usb")
    assert "OtherIdentifyingInfo" not in other
    volume = device("StorageVolume", "images/root.qcow2")
    assert (volume["BlockSize"], volume["NumberOfBlocks"], volume["ThinlyProvisioned"]) == (512, 20971520, True)
    assert (volume["Name"], volume["Caption"]) == ("/srv/images/root.qcow2", "qcow2")
    odd = device("StorageVolume", "images/odd")
    assert (odd["BlockSize"], odd["NumberOfBlocks"], odd["ThinlyProvisioned"]) == (1, 1000, False)
    assert "DataOrganization" not in device("StorageVolume", "images/sub")


def test_a_host_that_does_not_tell_of_its_processors() -> None:
    host = hypervisor("Xen")
    host.facts = HostFacts(node=FACTS.node)
    site = Served([(platform("Xen"), host)])
    assert [each.keys()["DeviceID"] for each in site.instances("Xen_HostProcessor")] == [
        "processor:0",
        "processor:1",
        "processor:2",
    ]
    values = site.instances("Xen_HostProcessor")[0].properties()
    assert values["Family"] == 2
    assert not {"Caption", "Characteristics", "AddressWidth", "OtherFamilyDescription"} & set(values)


def test_devices_stay_the_same_until_they_change(host: RecordedHypervisor, site: Served) -> None:
    def found() -> list[int]:
        bases = ("HostDisk", "HostProcessor", "StorageVolume", "NetworkPool", "AllocationCapabilities")
        return [id(instance) for base in bases for instance in site.instances(f"KVM_{base}")]

    before = found()
    host.put(IDLE)
    assert found() == before
    put_network(host, ISOLATED)
    assert len(set(found()) - set(before)) == 2


def templates(site: Served, instance_id: str, prefix: str = "KVM") -> dict[str, dict[str, Any]]:
    """The templates of a pool by the end of their InstanceID, with their class and what the association says."""
    capabilities = site.get(f"{prefix}_AllocationCapabilities", InstanceID=instance_id)
    found = relation(site, "SettingsDefineCapabilities")
    shown = {}
    for template in found.to_right(capabilities, CONTEXT):
        values: dict[str, Any] = dict(template.properties())
        assert values["PoolID"] == instance_id
        assert site.get(template.class_name, InstanceID=values["InstanceID"]) is template
        assert [each.identity for each in found.to_left(template, CONTEXT)] == [instance_id]
        assert template not in site.instances(template.class_name)
        shown[values["InstanceID"][len(instance_id) + 1 :]] = {
            **values,
            **found.properties(capabilities, template),
            "class": template.class_name.partition("_")[2],
        }
    return shown


def quantities(shown: dict[str, dict[str, Any]]) -> list[Any]:
    return [shown[word].get("VirtualQuantity") for word in ("Minimum", "Maximum", "Default", "Increment")]


def test_templates_of_processors_and_memory(site: Served, host: RecordedHypervisor) -> None:
    processors = templates(site, "ProcessorPool/0")
    assert quantities(processors) == [1, 255, 1, 1]
    assert [each["Weight"] for each in processors.values()] == [1, 10000, 100, 1]
    assert [(each["ValueRole"], each["ValueRange"], each["PropertyPolicy"]) for each in processors.values()] == [
        (3, 1, 0),
        (3, 2, 0),
        (0, 0, 0),
        (3, 3, 0),
    ]
    memory = templates(site, "MemoryPool/0")
    assert quantities(memory) == [1024, 8388304, 262144, 1024]
    assert {each["AllocationUnits"] for each in memory.values()} == {"byte*2^10"}
    host.facts = HostFacts(max_vcpus=16)
    processors = templates(site, "ProcessorPool/0")
    assert quantities(processors) == [1, 16, 1, 1]
    assert "Weight" not in processors["Default"]


def test_templates_of_networks(site: Served, host: RecordedHypervisor) -> None:
    shown = templates(site, "NetworkPool/default")
    assert quantities(shown) == [0, 8, 1, 1]
    assert (shown["Default"]["NetworkName"], shown["Default"]["ResourceSubType"]) == ("default", "virtio")
    new = templates(site, "NetworkPool/0")
    assert {name: each["ForwardMode"] for name, each in new.items()} == {
        "Default": 1,
        "Point/none": 0,
        "Point/nat": 1,
        "Point/route": 2,
    }
    assert {each["class"] for each in new.values()} == {"NetPoolResourceAllocationSettingData"}
    assert (new["Default"]["Address"], new["Default"]["Netmask"]) == ("192.168.124.1", "255.255.255.0")
    assert (new["Default"]["IPRangeStart"], new["Default"]["IPRangeEnd"]) == ("192.168.124.2", "192.168.124.254")
    assert new["Point/nat"]["PropertyPolicy"] == 1
    put_network(host, "<network><name>all</name><uuid>n9</uuid><ip address='192.168.0.1' prefix='16'/></network>")
    put_network(host, "<network><name>odd</name><uuid>n8</uuid><ip address='what' prefix='16'/></network>")
    assert "Address" not in templates(site, "NetworkPool/0")["Default"]


def test_templates_of_disks(site: Served) -> None:
    shown = templates(site, "DiskPool/images")
    assert quantities(shown) == [512, 106300440576, 10737418240, 512]
    default = shown["Default"]
    assert (default["BusType"], default["VirtualDevice"], default["EmulatedType"]) == ("virtio", "vda", 0)
    assert default["Address"] == "/srv/images/root.qcow2"
    volume = shown["Point/volume/root.qcow2"]
    assert (volume["Address"], volume["VirtualQuantity"]) == ("/srv/images/root.qcow2", 10737418240)
    assert (volume["DriverType"], volume["PropertyPolicy"]) == ("qcow2", 1)
    assert shown["Point/volume/cd.iso"]["EmulatedType"] == 1
    assert (shown["Point/cdrom"]["EmulatedType"], shown["Point/cdrom"]["readonly"]) == (1, True)
    assert shown["Point/floppy"]["EmulatedType"] == 2
    new = {name: each for name, each in shown.items() if each["class"].startswith("StorageVolume")}
    assert {each["FormatType"] for each in new.values()} == {1, 2}
    assert new["Maximum/New Storage Volume qcow2"]["AllocationQuantity"] == 106300440576
    assert [each["Capacity"] for each in new.values()] == [
        512,
        512,
        106300440576,
        106300440576,
        *[8 << 30] * 2,
        512,
        512,
    ]
    assert {each["AllocationUnits"] for each in new.values()} == {"byte"}
    group = templates(site, "DiskPool/vg0")
    assert group["Maximum/New Storage Volume raw"]["Capacity"] == 4194304
    assert not any("New Storage Volume" in name for name in templates(site, "DiskPool/san"))
    assert not any("New Storage Volume" in name for name in templates(site, "DiskPool/shared"))
    pools = templates(site, "DiskPool/0")
    assert {name: each["Type"] for name, each in pools.items()} == {
        "Default": 1,
        "Point/dir": 1,
        "Point/logical": 6,
        "Point/mpath": 0,
    }


def test_templates_of_what_is_made_up_for_guests(site: Served) -> None:
    graphics = templates(site, "GraphicsPool/0")
    assert quantities(graphics) == [0, 3, 1, 1]
    assert (graphics["Default"]["ResourceSubType"], graphics["Default"]["Address"]) == ("vnc", "127.0.0.1:-1")
    assert "Address" not in graphics["Point/sdl"]
    inputs = templates(site, "InputPool/0")
    assert (inputs["Default"]["ResourceSubType"], inputs["Default"]["BusType"]) == ("mouse", "ps2")
    assert inputs["Point/tablet:usb"]["BusType"] == "usb"
    controllers = templates(site, "ControllerPool/0")
    assert [name for name in controllers if name.startswith("Point")] == ["Point/ide", "Point/scsi", "Point/usb"]
    assert controllers["Default"]["OtherResourceType"] == "controller"


def test_templates_of_other_platforms() -> None:
    container = Served([(platform("LXC"), add_pools(hypervisor("LXC")))])
    assert templates_for(container, "LXC", "GraphicsPool/0") == {}
    assert templates_for(container, "LXC", "InputPool/0") == {}
    assert templates_for(container, "LXC", "ControllerPool/0") == {}
    disks = templates_for(container, "LXC", "DiskPool/images")
    assert disks["Default"]["EmulatedType"] == 3
    assert "Point/cdrom" not in disks
    xen = Served([(platform("Xen"), add_pools(hypervisor("Xen")))])
    assert templates_for(xen, "Xen", "ProcessorPool/0")["Maximum"]["Weight"] == 65535
    assert templates_for(xen, "Xen", "InputPool/0")["Default"]["BusType"] == "xen"


def templates_for(site: Served, prefix: str, instance_id: str) -> dict[str, dict[str, Any]]:
    return templates(site, instance_id, prefix)


def test_a_guest_named_like_a_pool(host: RecordedHypervisor, site: Served) -> None:
    host.put(domain_xml("MemoryPool"))
    assert site.get("KVM_MemResourceAllocationSettingData", InstanceID="MemoryPool/mem").identity == "MemoryPool/mem"
    name = "MemoryPool/0/Maximum"
    assert site.get("KVM_MemResourceAllocationSettingData", InstanceID=name).identity == name


def test_capabilities(site: Served) -> None:
    def capabilities(instance_id: str, of: Served = site, prefix: str = "KVM") -> dict[str, Any]:
        return dict(of.get(f"{prefix}_AllocationCapabilities", InstanceID=instance_id).properties())

    disk = capabilities("DiskPool/images")
    assert (disk["RequestTypesSupported"], disk["SharingMode"]) == (2, 2)
    assert (disk["SupportedAddStates"], disk["SupportedRemoveStates"]) == ([2, 3, 11], [2, 3])
    assert (disk["ResourceType"], disk["ResourceSubType"], disk["ElementName"]) == (17, "dir", "images")
    assert capabilities("GraphicsPool/0")["SupportedAddStates"] == [3]
    assert capabilities("NetworkPool/0")["SupportedAddStates"] == [5]
    assert capabilities("ControllerPool/0")["OtherResourceType"] == "controller"
    container = served("LXC")
    assert capabilities("ProcessorPool/0", container, "LXC")["SupportedAddStates"] == [3]
    assert capabilities("MemoryPool/0", container, "LXC")["SupportedAddStates"] == [2, 3, 11]
    images = site.get("KVM_DiskPool", InstanceID="DiskPool/images")
    assert associated(site, "ElementCapabilities", images) == ([], ["DiskPool/images"])
    found = relation(site, "ElementCapabilities")
    own = site.get("KVM_AllocationCapabilities", InstanceID="DiskPool/images")
    ends = list(found.to_left(own, CONTEXT))
    assert [end.class_name for end in ends] == ["KVM_DiskPool", "KVM_HostSystem"]
    assert [found.properties(end, own)["Characteristics"] for end in ends] == [(2, 3), (2,)]
    assert len(list(found.to_right(ends[1], CONTEXT))) == 16


def test_broken_xml_spoils_nothing_else(host: RecordedHypervisor, site: Served) -> None:
    broken = Document("<broken", NetworkConfig.parse)
    network = replace(put_network(host, ISOLATED), live_document=broken, defined_document=broken)
    host.inventory.held_networks[:] = [
        network if other.name == network.name else other for other in host.inventory.held_networks
    ]
    storage = put_pool(host, DIRECTORY, VOLUMES)
    volume = Volume("bad", "/srv/images/bad", Document("<broken", VolumeConfig.parse))
    host.inventory.held_pools[:] = [
        replace(other, parts={"volumes": (*(other.volumes or ()), volume)}) if other.name == storage.name else other
        for other in host.inventory.held_pools
    ]
    values = pool(site, "NetworkPool/lab")
    assert (values["Caption"], values.get("ResourceSubType"), values["ElementName"]) == ("Network: lab", None, "lab")
    assert pool(site, "DiskPool/images")["CurrentlyConsumedResource"] == 10737418240 + 1000 + 1048576
    bad = [each for each in site.instances("KVM_StorageVolume") if each.identity == "images/bad"]
    assert [each.properties()["Name"] for each in bad] == ["/srv/images/bad"]
    assert len(templates(site, "DiskPool/images")) > 5


def test_the_revision_of_a_pool_changes_with_its_properties_and_with_nothing_else() -> None:
    """A guest that is defined takes nothing from a pool; one that runs does."""
    host = add_pools(hypervisor("KVM"))
    served = Served([(platform("KVM"), host)])

    def shown() -> dict[object, tuple[object, object]]:
        elements = [*pools_of(served.site, platform("KVM")), *hosts_of(served.site, platform("KVM"))]
        return {each.identity: (each.revision, each.properties()) for each in elements}

    before = shown()
    host.put(IDLE)
    assert shown() == before
    host.put(GUEST, active=True)
    after = shown()
    changed = {name for name, (revision, _) in after.items() if revision != before[name][0]}
    assert changed == {name for name, (_, properties) in after.items() if properties != before[name][1]}
    assert {"ProcessorPool/0", "MemoryPool/0", "NetworkPool/0", "NetworkPool/default"} <= changed
    assert not any(str(name).startswith("DiskPool") for name in changed)


def test_every_instance_knows_its_namespace(everything: list[Instance]) -> None:
    for instance in everything:
        home = "root/interop" if instance.class_name.endswith("RegisteredProfile") else "root/virt"
        assert (instance.namespace, instance.path().namespace) == (home, home)

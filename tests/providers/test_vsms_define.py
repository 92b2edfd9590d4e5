"""DefineSystem, DestroySystem and changes of guests on libvirt's test driver: what is made, refused and left alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.providers.outcome import Outcome, outcome
from tests.providers.recorded import CONTEXT, Served, platform
from virtcim.libhelper.documents.domain import Controller, Disk, DomainConfig, Graphics, Interface
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Status
from virtcim.providers.Virt_RASD import settings_of

SERVICE = "Test_VirtualSystemManagementService"
NODE = """<node><domain type='test'><name>guest</name><uuid>00000000-0000-4000-8000-000000000001</uuid>
<memory>65536</memory><vcpu>2</vcpu><os><type>hvm</type><boot dev='hd'/></os><devices>
<disk type='file' device='disk'><source file='/a'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>
<graphics type='vnc' port='-1' passwd='secret'/></devices></domain>
<network><name>default</name><bridge name='virbr0'/><forward/>
<ip address='192.168.122.1' netmask='255.255.255.0'/></network>
<pool type='dir'><name>images</name><target><path>/images</path></target></pool></node>"""
INVALID_STATE = 5
VALID, INVALID = 2, 3


def setting(class_name: str, **properties: Any) -> EmbeddedInstance:
    return EmbeddedInstance(f"Test_{class_name}", properties)


def resource(kind: str, **properties: Any) -> EmbeddedInstance:
    return setting(f"{kind}ResourceAllocationSettingData", **properties)


def system(name: str | None = "new", **properties: Any) -> EmbeddedInstance:
    named = {} if name is None else {"VirtualSystemIdentifier": name}
    return setting("VirtualSystemSettingData", **named, **properties)


def configuration(instance_id: str) -> InstancePath:
    return InstancePath("Test_VirtualSystemSettingData", {"InstanceID": instance_id})


class Node(Served):
    """A site on a node of the test driver, with the service's methods."""

    def __init__(self, uri: str, read_only: bool = False) -> None:
        self.hypervisor = Hypervisor(uri, HypervisorSettings(read_only=read_only, interval=0.5))
        self.hypervisor.start()
        assert self.hypervisor.wait_ready(60)
        super().__init__([(platform("Test"), self.hypervisor)])
        assert self.hypervisor.inventory.wait_for(lambda inventory: bool(inventory.networks()), 60)

    def call(self, method: str, **parameters: Any) -> Outcome:
        return outcome(self.providers[SERVICE].invoke_method(SERVICE, None, method, parameters, CONTEXT))

    def define(self, *resources: EmbeddedInstance, **more: Any) -> DomainConfig:
        """Define a guest called new, and what became of it."""
        parameters: dict[str, Any] = {"SystemSettings": system(), **more}
        if resources:
            parameters["ResourceSettings"] = list(resources)
        result = self.call("DefineSystem", **parameters)
        assert result.return_value == 0
        return self.config(result.out["ResultingSystem"].keys["Name"])

    def config(self, name: str) -> DomainConfig:
        """The definition, as libvirt has it."""
        return DomainConfig.parse(self.xml(name))

    def xml(self, name: str) -> str:
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
        with self.hypervisor.domains.handle(name) as domain:
            return str(domain.XMLDesc(flags))

    def refusal(self, method: str, **parameters: Any) -> CIMError:
        with pytest.raises(CIMError) as caught:
            self.call(method, **parameters)
        return caught.value

    def act(self, action: Callable[[libvirt.virDomain], Any], name: str = "guest") -> None:
        with self.hypervisor.domains.handle(name) as domain:
            action(domain)
        self.hypervisor.inventory.refresh("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def node_file(tmp_path: Path) -> str:
    file = tmp_path / "node.xml"
    file.write_text(NODE)
    return f"test://{file}"


@pytest.fixture
def node(node_file: str) -> Iterator[Node]:
    made = Node(node_file)
    made.act(lambda domain: domain.destroy())
    yield made
    made.hypervisor.stop()


MEMORY = resource("Mem", VirtualQuantity=64, AllocationUnits="MegaBytes")
PROCESSORS = resource("Proc", VirtualQuantity=2)
DISK = resource("Disk", VirtualDevice="vda", Address="/images/a.img", BusType="virtio")
PORT = resource("Net", NetworkType="network", PoolID="NetworkPool/default")


def test_a_network_may_come_later(node: Node) -> None:
    """libvirt takes a name that means nothing yet."""
    names = [{"PoolID": "NetworkPool/later"}, {"NetworkName": "later"}]
    config = node.define(MEMORY, *(resource("Net", NetworkType="network", **each) for each in names))
    ports = [device for device in config.devices if isinstance(device, Interface)]
    assert [port.source_network for port in ports] == ["later", "later"]


@pytest.mark.parametrize("pool_id", ["None", "images", "DiskPool/none", "DiskPool/images", "DiskPool/0", ""])
@pytest.mark.parametrize("address", ["/elsewhere/a.img", "rbd://ceph/p/a"])
def test_a_path_says_by_itself_where_a_disk_is(node: Node, pool_id: str, address: str) -> None:
    """Scripts write what they have into PoolID, also into that of a guest that is there."""
    given = {"VirtualDevice": "vda", "Address": address, "PoolID": pool_id}
    config = node.define(MEMORY, resource("Disk", **given))
    (disk,) = (device for device in config.devices if isinstance(device, Disk))
    assert disk.source_file == address or (disk.source_protocol, disk.source_name) == ("rbd", "p/a")
    changed = resource("Disk", InstanceID="new/vda", **{**given, "DriverCache": "none"})
    assert node.call("ModifyResourceSettings", ResourceSettings=[changed]).return_value == 0
    assert "cache='none'" in node.xml("new").replace('"', "'")


def test_a_guest_with_nothing_said_has_defaults(node: Node) -> None:
    result = node.call("DefineSystem")
    name = result.out["ResultingSystem"].keys["Name"]
    config = node.config(name)
    assert (config.memory, config.vcpu, config.type) == (262144, 1, "test")
    assert [device.type for device in config.devices if isinstance(device, Graphics)] == ["vnc"]
    assert node.guest(name, "Test")["EnabledState"] == 3


def test_what_was_asked_for_is_made(node: Node) -> None:
    config = node.define(
        MEMORY,
        PROCESSORS,
        DISK,
        PORT,
        SystemSettings=system(
            UUID="12345678-1234-4234-8234-123456789ABC",
            AutomaticShutdownAction=3,
            EnablePAE=True,
            ClockOffset=1,
            BootDevices=["network", "hd"],
            Description="of a test",
            AutoStart=0,
        ),
    )
    assert config.uuid == "12345678-1234-4234-8234-123456789abc"
    assert (config.memory, config.vcpu, config.on_poweroff, config.clock_offset) == (65536, 2, "restart", "localtime")
    assert config.features_pae
    assert config.os_boot_devs == ("network", "hd")
    (disk,) = (device for device in config.devices if isinstance(device, Disk))
    assert (disk.source_file, disk.target_dev, disk.device) == ("/images/a.img", "vda", "disk")
    (port,) = (device for device in config.devices if isinstance(device, Interface))
    assert port.source_network == "default"
    assert port.mac_address is not None
    assert port.mac_address.startswith("52:54:00:")
    assert node.vssd("new", "Test")["Description"] == "of a test"


@pytest.mark.parametrize(
    ("units", "kibibytes"),
    [
        (None, 64),
        ("Bytes", 64),
        ("bytes", 64),
        ("KiloBytes", 65536),
        ("kilobytes", 65536),
        ("byte*2^10", 65536),
        ("bytes * 1024", 65536),
        ("KiB", 65536),
        ("1024*byte", 65536),
        ("byte*10^3", 64000),
        ("KB", 64000),
    ],
)
def test_units_of_memory(node: Node, units: str | None, kibibytes: int) -> None:
    given = {"VirtualQuantity": 65536} | ({} if units is None else {"AllocationUnits": units})
    assert node.define(resource("Mem", **given)).memory == kibibytes


def test_a_guest_like_another(node: Node) -> None:
    config = node.define(
        resource("Disk", VirtualDevice="vdb", Address="/images/b.img", BusType="virtio"),
        ReferenceConfiguration=configuration("Test:guest"),
    )
    assert (config.name, config.memory) == ("new", 65536)
    assert config.uuid != "00000000-0000-4000-8000-000000000001"
    assert [device.target_dev for device in config.devices if isinstance(device, Disk)] == ["vda", "vdb", "hdc"]
    (port,) = (device for device in config.devices if isinstance(device, Interface))
    assert port.mac_address != "52:54:00:00:00:01"
    assert "passwd='secret'" in node.xml("new")


@pytest.mark.parametrize("left_out", [(), ("InstanceID",)])
def test_a_guest_like_another_with_all_its_settings(node: Node, left_out: tuple[str, ...]) -> None:
    """Sent along with the reference, they make no second device of each."""
    node.act(lambda domain: domain.create())
    state = next(iter(all_guests(node.site, platform("Test")))).state
    assert state is not None
    resources = [
        EmbeddedInstance(each.class_name, {k: v for k, v in each.properties().items() if k not in left_out})
        for each in settings_of(state)
    ]
    whole = dict(node.vssd("guest", "Test")) | {"VirtualSystemIdentifier": "new"}
    config = node.define(
        *resources,
        resource("Net", NetworkType="user"),
        SystemSettings=setting("VirtualSystemSettingData", **whole),
        ReferenceConfiguration=configuration("Test:guest"),
    )
    before = node.config("guest")
    assert (config.name, config.memory, config.vcpu) == ("new", before.memory, before.vcpu)
    assert config.uuid != before.uuid
    tags = Counter(device.tag for device in before.devices) + Counter(["interface"])
    assert Counter(device.tag for device in config.devices) == tags
    macs = {device.mac_address for device in (*before.devices, *config.devices) if isinstance(device, Interface)}
    assert len(macs) == 3, "nobody shares a MAC address"


def test_numbers_and_identifiers_of_a_virtual_port_in_other_spellings(node: Node) -> None:
    station = {"VSIType": "802.1Qbg", "VSIManagerID": "12", "VSITypeID": "0x12345", "VSITypeIDVersion": "0x1"}
    instance_id = "09B11C538B5C4EEB8F00D84EAA0AAA4F"
    port = resource(
        "Net", NetworkType="direct", SourceDevice="eth1", NetworkMode="vepa", VSIInstanceID=instance_id, **station
    )
    config = node.define(port)
    (made,) = (device for device in config.devices if isinstance(device, Interface))
    assert made.virtualport_parameters_typeid == "74565"
    assert made.virtualport_parameters_typeidversion == "1"
    assert made.virtualport_parameters_instanceid == "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"


def test_settings_of_the_reference_in_the_name_of_the_new_guest(node: Node) -> None:
    """So the scripts of libvirt-cim name what they ask for."""
    controller = resource("Controller", InstanceID="new/controller:ide:0", ResourceSubType="ide", Index=0)
    config = node.define(controller, ReferenceConfiguration=configuration("Test:guest"))
    assert [device.type for device in config.devices if isinstance(device, Controller)] == ["ide"]


def test_a_display_of_the_type_that_the_reference_has(node: Node) -> None:
    display = resource("Graphics", InstanceID="new/graphics", ResourceSubType="vnc", Address="127.0.0.1:-1")
    config = node.define(display, ReferenceConfiguration=configuration("Test:guest"))
    assert [device.type for device in config.devices if isinstance(device, Graphics)] == ["vnc"]


def test_settings_that_are_not_as_in_the_reference(node: Node) -> None:
    """They are resources of their own; two that are the same are two."""
    same = resource("Net", InstanceID="guest/52:54:00:00:00:01", NetworkType="network", NetworkName="default")
    config = node.define(same, same, ReferenceConfiguration=configuration("Test:guest"))
    assert sum(isinstance(device, Interface) for device in config.devices) == 2
    refusal = node.refusal(
        "DefineSystem",
        SystemSettings=system("other"),
        ResourceSettings=[resource("Disk", InstanceID="guest/vda", VirtualDevice="vda", Address="/images/b.img")],
        ReferenceConfiguration=configuration("Test:guest"),
    )
    assert "must be unique" in refusal.description


@pytest.mark.parametrize(
    "variables", ["<nvram>/guest.fd</nvram>", "<nvram type='file'><source file='/guest.fd'/></nvram>"]
)
def test_firmware_variables_are_nobody_elses(node: Node, variables: str) -> None:
    loader = "<loader readonly='yes' type='pflash'>/code.fd</loader>"
    text = node.xml("guest").replace("<boot dev", f"{loader}{variables}<boot dev")
    node.act(lambda domain: domain.connect().defineXML(text))
    whole = dict(node.vssd("guest", "Test")) | {"VirtualSystemIdentifier": "new"}
    assert "/guest.fd" in str(whole)
    config = node.define(
        SystemSettings=setting("VirtualSystemSettingData", **whole),
        ReferenceConfiguration=configuration("Test:guest"),
    )
    assert config.os_loader == "/code.fd"
    assert (config.os_nvram, config.os_nvram_source_file) == (None, None)


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        ([], "No resources specified"),
        ([system()], "Unable to determine resource type"),
        ([EmbeddedInstance("KVM_MemResourceAllocationSettingData", {})], "Unable to determine resource type"),
        ([resource("NetPool")], "Resource type not supported on this platform"),
        ([resource("", ResourceType=1, OtherResourceType="warp drive")], "Resource type not supported"),
        ([resource("Net")], "No Network Type specified"),
        ([resource("Net", NetworkType="carrier pigeon")], "Invalid Network Type specified"),
        ([resource("Net", NetworkType="bridge")], "No Network bridge name specified"),
        ([resource("Net", NetworkType="bridge", NetworkName="")], "Bridge name is empty"),
        ([resource("Net", NetworkType="direct")], "No Source Device specified"),
        ([resource("Net", NetworkType="direct", SourceDevice="")], "Source Device is empty"),
        ([resource("Net", NetworkType="network", PoolID="default")], "PoolID specified is not formatted properly"),
        ([resource("Net", NetworkType="user", Address="no MAC")], "Address: no MAC is not the MAC address"),
        (
            [
                resource("Net", NetworkType="user", Address="52:54:00:00:00:09"),
                resource("Net", NetworkType="user", Address="52:54:00:00:00:09"),
            ],
            "another interface of the guest",
        ),
        (
            [resource("Net", NetworkType="user", AddressProperties=["type"])],
            "AddressProperties not matching AddressValues",
        ),
        ([resource("Disk", Address="/a")], "Missing `VirtualDevice' property"),
        ([resource("Disk", VirtualDevice="vda")], "Can't get a valid disk type, Device vda, Address /dev/null"),
        ([DISK, DISK], "VirtualDevice property must be unique"),
        ([resource("Disk", VirtualDevice="vda", Address="/a", EmulatedType=9)], "Invalid value for EmulatedType"),
        ([resource("Disk", VirtualDevice="vda", Address="x", PoolID="DiskPool/none")], "there is no storage pool none"),
        ([resource("Disk", VirtualDevice="vda", Address="x", PoolID="none")], "PoolID specified is not formatted"),
        ([resource("Disk", VirtualDevice="vda", Address="x", PoolID="DiskPool/images")], "there is no volume x"),
        ([resource("Mem")], "Missing `VirtualQuantity' field in Memory RASD"),
        ([resource("Mem", VirtualQuantity=1, AllocationUnits="parsecs")], "Unknown AllocationUnits in Memory RASD"),
        ([resource("Mem", VirtualQuantity=1, AllocationUnits="exabytes")], "more than the host has"),
        ([resource("Proc")], "Missing `VirtualQuantity' field in Processor RASD"),
        ([resource("Proc", VirtualQuantity=100000)], "more than a guest can have here"),
        ([resource("Proc", VirtualQuantity=0)], "at least one processor"),
        ([resource("Graphics", ResourceSubType="hologram")], "Unsupported graphics type: hologram"),
        ([resource("Graphics", ResourceSubType="vnc", Address="here")], "GraphicsRASD field Address not valid"),
        ([resource("Graphics", ResourceSubType="sdl", Address="here")], "GraphicsRASD sdl Address not valid"),
        ([resource("Console")], "ConsoleRASD: SourceType field not specified."),
        ([resource("Console", SourceType=99)], "ConsoleRASD: Invalid SourceType value"),
        ([resource("Console", SourceType=11)], "ConsoleRASD: nmdm needs both SourcePath and PeerPath"),
        ([resource("Console", SourceType=4)], "ConsoleRASD: SourcePath not specified"),
        ([resource("Console", SourceType=9)], "ConsoleRASD: unix needs either"),
        ([resource("Console", SourceType=8, BindURL="raw://host")], "ConsoleRASD: port not specified"),
        ([resource("Console", SourceType=7, BindURL="udp://h:1")], "ConsoleRASD: udp needs both"),
        ([resource("Controller")], "ControllerRASD ResourceSubType field not valid"),
        (
            [
                resource("Controller", ResourceSubType="scsi", Index=0),
                resource("Controller", ResourceSubType="scsi", Index=0),
            ],
            "the guest has a controller scsi 0 already",
        ),
        ([resource("Input")], "InputRASD ResourceSubType field not valid"),
    ],
)
def test_resources_that_cannot_be_had(node: Node, resources: list[EmbeddedInstance], text: str) -> None:
    error = node.refusal("DefineSystem", SystemSettings=system(), ResourceSettings=resources)
    assert error.status is Status.FAILED
    assert error.description.startswith("ResourceSettings Error: ")
    assert text in error.description
    assert node.hypervisor.inventory.domain("new") is None


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"ClockOffset": 7}, "Invalid value for ClockOffset"),
        ({"AutomaticShutdownAction": 99}, "Invalid value for AutomaticShutdownAction"),
        ({"UUID": "none"}, "Invalid value for UUID"),
        ({"BootDevices": ["tape"]}, "Invalid value for BootDevices"),
        ({"AutoStart": 1, "AutomaticStartupAction": 2}, "AutoStart and AutomaticStartupAction contradict"),
        ({"ClockOffset": 0, "ClockTimezone": "Asia/Tokyo"}, "ClockOffset and ClockTimezone contradict"),
        ({"SecureBoot": True}, "SecureBoot needs the firmware efi"),
        ({"DomainType": "kvm"}, "DomainType: the host has no kvm"),
        ({"Arch": "vax"}, "Arch: the host has no guests"),
        ({"Title": "\x00"}, "title"),
    ],
)
def test_systems_that_cannot_be_had(node: Node, properties: dict[str, Any], text: str) -> None:
    error = node.refusal("DefineSystem", SystemSettings=system(**properties))
    assert error.status is Status.FAILED
    assert error.description.startswith("SystemSettings Error")
    assert text in error.description
    assert node.hypervisor.inventory.domain("new") is None


def test_names_and_uuids_that_are_taken(node: Node) -> None:
    before = node.xml("guest")
    error = node.refusal("DefineSystem", SystemSettings=system("guest"))
    assert (error.status, "already exists" in error.description) == (Status.FAILED, True)
    taken = "00000000-0000-4000-8000-000000000001"
    error = node.refusal("DefineSystem", SystemSettings=system("other", UUID=taken))
    assert error.description == f"Guest 'guest' is already defined with UUID {taken}"
    assert node.xml("guest") == before


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        (
            InstancePath("KVM_VirtualSystemSettingData", {"InstanceID": "KVM:guest"}),
            Status.INVALID_CLASS,
            "ReferenceConfiguration domain is not compatible",
        ),
        (InstancePath("Test_VirtualSystemSettingData", {}), Status.INVALID_PARAMETER, "Missing `InstanceID'"),
        (configuration("guest"), Status.INVALID_PARAMETER, "Invalid `InstanceID'"),
        (configuration("Test:nobody"), Status.NOT_FOUND, "Referenced domain `nobody' does not exist"),
    ],
)
def test_references_that_lead_nowhere(node: Node, path: InstancePath, status: Status, text: str) -> None:
    error = node.refusal("DefineSystem", SystemSettings=system(), ReferenceConfiguration=path)
    assert error.status is status
    assert text in error.description


def test_a_dry_run_tells_all_that_is_wrong(node: Node) -> None:
    result = node.call(
        "ValidateSystemSettings",
        SystemSettings=system("guest", ClockOffset=9),
        ResourceSettings=[resource("Mem"), DISK, DISK],
    )
    assert result.return_value == 0
    assert result.out["Verdict"] == INVALID
    assert len(result.out["Messages"]) == 4
    fine = node.call("ValidateSystemSettings", SystemSettings=system(), ResourceSettings=[MEMORY, DISK])
    assert (fine.out["Verdict"], fine.out["Messages"]) == (VALID, [])
    assert "<name>new</name>" in fine.out["DomainXML"]
    assert node.hypervisor.inventory.domain("new") is None
    like = node.call(
        "ValidateSystemSettings", SystemSettings=system(), ReferenceConfiguration=configuration("Test:guest")
    )
    assert "secret" not in like.out["DomainXML"]


@pytest.mark.parametrize(
    "prepare",
    [
        lambda domain: None,
        lambda domain: domain.create(),
        lambda domain: (domain.create(), domain.managedSave(0)),
        lambda domain: domain.snapshotCreateXML("<domainsnapshot/>"),
        lambda domain: (domain.create(), domain.suspend()),
    ],
    ids=["stopped", "running", "saved", "snapshot", "paused"],
)
def test_a_guest_is_removed(node: Node, prepare: Callable[[libvirt.virDomain], Any]) -> None:
    node.act(prepare)
    path = InstancePath("Test_ComputerSystem", {"CreationClassName": "Test_ComputerSystem", "Name": "guest"})
    assert node.call("DestroySystem", AffectedSystem=path).return_value == 0
    assert node.hypervisor.inventory.domain("guest") is None
    assert node.refusal("DestroySystem", AffectedSystem=path).status is Status.NOT_FOUND


def test_nothing_of_another_platform_is_removed(node: Node) -> None:
    path = InstancePath("KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem", "Name": "guest"})
    assert node.refusal("DestroySystem", AffectedSystem=path).status is Status.INVALID_PARAMETER
    error = node.refusal("DestroySystem", AffectedSystem=InstancePath("Test_ComputerSystem", {}))
    assert error.description == "Unable to retrieve domain name: Error 0"
    assert node.hypervisor.inventory.domain("guest") is not None


def test_resources_are_added_changed_and_removed(node: Node) -> None:
    added = node.call(
        "AddResourceSettings",
        AffectedConfiguration=configuration("Test:guest"),
        ResourceSettings=[
            resource("Disk", VirtualDevice="vdb", Address="/b", BusType="virtio"),
            resource("Net", NetworkType="bridge", NetworkName="br0"),
            resource("Input", ResourceSubType="tablet"),
            resource("Controller", ResourceSubType="scsi", Model="virtio-scsi"),
            resource("", ResourceType=21),
        ],
    )
    ids = [path.keys["InstanceID"] for path in added.out["ResultingResourceSettings"]]
    mac = next(
        device.mac_address
        for device in node.config("guest").devices
        if isinstance(device, Interface) and device.type == "bridge"
    )
    assert ids == ["guest/vdb", f"guest/{mac}", "guest/tablet:usb", "guest/controller:scsi:0", "guest/serial:0"]
    for path in added.out["ResultingResourceSettings"]:
        assert node.get(path.class_name, **path.keys)
    changed = node.call(
        "ModifyResourceSettings",
        ResourceSettings=[
            resource("Disk", InstanceID="guest/vdb", VirtualDevice="vdc", readonly=True, DriverCache="none"),
            resource("Mem", InstanceID="guest/mem", VirtualQuantity=131072, AllocationUnits="KiloBytes"),
            resource("Proc", InstanceID="guest/proc", VirtualQuantity=1),
            resource("Graphics", InstanceID="guest/vnc", Password="********", KeyMap="de"),
            resource("Disk", InstanceID="guest/hdc", Address="/images/cd.iso"),
        ],
    )
    assert [path.keys["InstanceID"] for path in changed.out["ResultingResourceSettings"]] == [
        "guest/vdc",
        "guest/mem",
        "guest/proc",
        "guest/vnc",
        "guest/hdc",
    ]
    config = node.config("guest")
    assert (config.memory, config.current_memory, config.vcpu, config.vcpu_current) == (131072, 131072, 2, 1)
    assert "passwd='secret'" in node.xml("guest")
    paths = [
        InstancePath("Test_DiskResourceAllocationSettingData", {"InstanceID": "guest/vdc"}),
        InstancePath("Test_NetResourceAllocationSettingData", {"InstanceID": f"guest/{mac}"}),
    ]
    assert node.call("RemoveResourceSettings", ResourceSettings=paths).return_value == 0
    left = node.config("guest").devices
    assert [device.target_dev for device in left if isinstance(device, Disk)] == ["vda", "hdc"]
    assert [device.mac_address for device in left if isinstance(device, Interface)] == ["52:54:00:00:00:01"]


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        (
            {"InstanceID": "guest/vda", "BusType": "virtio", "Address": "/x", "HostResource": ["file:///y"]},
            "different sources",
        ),
        ({"InstanceID": "guest/vda", "VirtualDevice": "hdc"}, "VirtualDevice property must be unique"),
        ({"InstanceID": "guest/vda", "AccessMode": "mapped"}, "AccessMode does not apply"),
        ({"InstanceID": "guest/vda", "rawio": "perhaps"}, "Invalid value for rawio"),
    ],
)
def test_a_change_that_cannot_be_had_changes_nothing(node: Node, properties: dict[str, Any], text: str) -> None:
    before = node.xml("guest")
    fine = resource("Mem", InstanceID="guest/mem", VirtualQuantity=1024)
    error = node.refusal("ModifyResourceSettings", ResourceSettings=[fine, resource("Disk", **properties)])
    assert error.status is Status.FAILED
    assert error.description.startswith("Modify resource failed: ")
    assert text in error.description
    assert node.xml("guest") == before


def test_errors_of_libvirt_cim(node: Node) -> None:
    def refusal(method: str, **parameters: Any) -> tuple[Status, str]:
        error = node.refusal(method, **parameters)
        return error.status, error.description

    assert refusal("ModifyResourceSettings", ResourceSettings=[resource("Mem")]) == (
        Status.INVALID_PARAMETER,
        "Missing InstanceID in RASD",
    )
    assert refusal("ModifyResourceSettings", ResourceSettings=[resource("Mem", InstanceID="mem")]) == (
        Status.INVALID_PARAMETER,
        "Invalid InstanceID `mem'",
    )
    assert refusal("ModifyResourceSettings", ResourceSettings=[resource("Mem", InstanceID="no/mem")]) == (
        Status.NOT_FOUND,
        "No such instance (no/mem)",
    )
    assert refusal(
        "AddResourceSettings", AffectedConfiguration=configuration("Test:guest"), ResourceSettings=[MEMORY]
    ) == (Status.FAILED, "Cannot add resources of type 4")
    assert refusal("AddResourceSettings", AffectedConfiguration=configuration("guest"), ResourceSettings=[DISK]) == (
        Status.INVALID_PARAMETER,
        "AffectedConfiguration has invalid InstanceID",
    )
    assert refusal("AddResourceSettings", ResourceSettings=[DISK]) == (
        Status.INVALID_PARAMETER,
        "Missing AffectedConfiguration parameter",
    )
    gone = InstancePath("Test_ProcResourceAllocationSettingData", {"InstanceID": "guest/proc"})
    assert refusal("RemoveResourceSettings", ResourceSettings=[gone]) == (
        Status.FAILED,
        "Cannot delete resources of type 3",
    )
    assert refusal("ModifySystemSettings", SystemSettings=setting("VirtualSystemSettingData")) == (
        Status.NO_SUCH_PROPERTY,
        "Missing VirtualSystemIdentifier",
    )
    assert refusal("ModifySystemSettings", SystemSettings=system("nobody"))[0] is Status.NOT_FOUND
    assert refusal("ModifySystemSettings") == (Status.FAILED, "Missing SystemSettings")
    uuid = "00000000-0000-4000-8000-000000000001"
    other = "00000000-0000-4000-8000-000000000002"
    assert refusal("ModifySystemSettings", SystemSettings=system("guest", UUID=other)) == (
        Status.FAILED,
        f"guest is already defined with UUID {uuid} - cannot change UUID to the UUID specified {other}",
    )


def test_settings_of_the_whole_are_changed(node: Node) -> None:
    before = node.config("guest")
    result = node.call(
        "ModifySystemSettings",
        SystemSettings=system("guest", Title="A title", EnableACPI=True, AutomaticRecoveryAction=123),
    )
    assert result.return_value == 0
    config = node.config("guest")
    assert (config.title, config.features_acpi, config.on_crash) == ("A title", True, "preserve")
    assert config.devices == before.devices
    assert node.vssd("guest", "Test")["Title"] == "A title"


def test_a_guest_is_renamed(node: Node) -> None:
    renamed = setting("VirtualSystemSettingData", InstanceID="Test:guest", VirtualSystemIdentifier="other")
    result = node.call("ModifySystemSettings", SystemSettings=renamed)
    assert result.return_value == 0
    assert node.guest("other", "Test")["UUID"] == "00000000-0000-4000-8000-000000000001"
    assert node.hypervisor.inventory.domain("guest") is None
    node.act(lambda domain: domain.create(), "other")
    for wrong in (".", "..", "a/b", "a\tb", "x" * 201):
        again = setting("VirtualSystemSettingData", InstanceID="Test:other", VirtualSystemIdentifier=wrong)
        error = node.refusal("ModifySystemSettings", SystemSettings=again)
        assert "cannot be the name of a guest" in error.description, wrong
    back = setting("VirtualSystemSettingData", InstanceID="Test:other", ElementName="guest")
    assert node.call("ModifySystemSettings", SystemSettings=back).return_value == INVALID_STATE


def test_memory_and_processors_of_a_running_guest(node: Node) -> None:
    node.act(lambda domain: domain.create())
    result = node.call(
        "ModifyResourceSettings",
        ResourceSettings=[
            resource("Mem", InstanceID="guest/mem", VirtualQuantity=32768, AllocationUnits="KiB"),
            resource("Proc", InstanceID="guest/proc", VirtualQuantity=1),
        ],
    )
    assert result.return_value == 0
    with node.hypervisor.domains.handle("guest") as domain:
        assert domain.info()[2] == 32768
        assert domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE) == 1
    assert (node.config("guest").current_memory, node.config("guest").vcpu_current) == (32768, 1)
    assert node.setting("Mem", "guest", "mem", "Test")["VirtualQuantity"] == 32768


def test_two_clients_lose_nothing(node: Node) -> None:
    """Two clients that each add disks to one guest."""
    failures: list[Exception] = []

    def add(letters: str) -> None:
        try:
            for letter in letters:
                node.call(
                    "AddResourceSettings",
                    AffectedConfiguration=configuration("Test:guest"),
                    ResourceSettings=[
                        resource("Disk", VirtualDevice=f"sd{letter}", Address=f"/{letter}", BusType="scsi")
                    ],
                )
        except CIMError as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(letters,)) for letters in ("abcdef", "ghijkl", "mnopqr")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    targets = {device.target_dev for device in node.config("guest").devices if isinstance(device, Disk)}
    assert targets >= {f"sd{letter}" for letter in "abcdefghijklmnopqr"}


def test_a_read_only_connection_changes_nothing(node_file: str) -> None:
    node = Node(node_file, read_only=True)
    try:
        parameters: dict[str, dict[str, Any]] = {
            "DefineSystem": {"SystemSettings": system()},
            "DestroySystem": {"AffectedSystem": InstancePath("Test_ComputerSystem", {"Name": "guest"})},
            "ModifySystemSettings": {"SystemSettings": system("guest", Title="x")},
            "AddResourceSettings": {"AffectedConfiguration": configuration("Test:guest"), "ResourceSettings": [DISK]},
            "ModifyResourceSettings": {"ResourceSettings": [resource("Mem", InstanceID="guest/mem", Limit=1)]},
            "RemoveResourceSettings": {
                "ResourceSettings": [
                    InstancePath("Test_DiskResourceAllocationSettingData", {"InstanceID": "guest/vda"})
                ]
            },
        }
        for method, given in parameters.items():
            assert node.refusal(method, **given).status is Status.ACCESS_DENIED, method
        result = node.call("ValidateSystemSettings", SystemSettings=system())
        assert "read-only" in result.out["Messages"][0]
    finally:
        node.hypervisor.stop()


def test_a_guest_that_vanishes(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The inventory still has it, libvirt does not."""
    refresh = node.hypervisor.inventory.refresh
    monkeypatch.setattr(node.hypervisor.inventory, "refresh", lambda *_args, **_more: None)
    with node.hypervisor.domains.handle("guest") as domain:
        domain.undefine()
    error = node.refusal("ModifySystemSettings", SystemSettings=system("guest", Title="x"))
    assert error.status is Status.NOT_FOUND
    monkeypatch.setattr(node.hypervisor.inventory, "refresh", refresh)
    with pytest.raises(LibvirtError), node.hypervisor.domains.handle("guest"):
        pass

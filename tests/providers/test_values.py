"""What properties hold, for guests that are known in every detail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.poolhost import NAT, put_network
from tests.providers.recorded import RecordedHypervisor, Served, domain_xml, hypervisor, platform, served
from virtcim.libhelper.host import HostFacts
from virtcim.libhelper.states import DomainState

DEVICES = """
<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><source file='/images/a.qcow2'/>
  <target dev='sda' bus='scsi'/><address type='drive' controller='0' bus='0' target='0' unit='3'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
<disk type='block' device='lun' rawio='yes' sgio='filtered'>
  <source dev='/dev/mapper/x y'/><target dev='sdb' bus='scsi'/>
  <shareable/></disk>
<disk type='network' device='disk'><source protocol='rbd' name='pool/image'><host name='fe80::1' port='6789'/></source>
  <target dev='vdb' bus='virtio'/></disk>
<disk type='volume' device='disk'><source pool='store' volume='v1'/><target dev='vdc' bus='virtio'/></disk>
<filesystem type='mount' accessmode='passthrough'><source dir='/srv/x'/><target dir='mem'/></filesystem>
<controller type='scsi' index='0' model='virtio-scsi'/>
<controller type='virtio-serial' index='0' ports='31' vectors='4'/>
<controller type='xenbus' index='0'/>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><model type='virtio'/>
  <bandwidth><inbound average='128' peak='256'/></bandwidth><filterref filter='clean-traffic'/>
  <link state='down'/></interface>
<interface type='direct'><mac address='52:54:00:00:00:02'/><source dev='eth1' mode='vepa'/>
  <virtualport type='802.1Qbh'><parameters profileid='p'/></virtualport></interface>
<interface type='user'><mac address='52:54:00:00:00:02'/></interface>
<graphics type='vnc' port='5901' autoport='no' listen='::1' keymap='de' passwd='secret'/>
<graphics type='spice' autoport='yes'/>
<graphics type='vnc' port='-1' autoport='yes'/>
<graphics type='sdl' display=':0.0'/>
<input type='mouse' bus='ps2'/><input type='keyboard' bus='ps2'/><input type='tablet' bus='usb'/>
<input type='tablet' bus='usb'/>
<console type='pty'><source path='/dev/pts/3'/><target type='serial' port='0'/></console>
<console type='udp'>
  <source mode='bind' host='0.0.0.0' service='4001'/><source mode='connect' host='::1' service='4000'/>
  <target type='virtio' port='1'/></console>
<console type='unix'><source mode='bind' path='/run/a socket'/><target type='virtio' port='2'/></console>
<hostdev mode='subsystem' type='pci' managed='yes'>
  <source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source></hostdev>
<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>
<video><model type='qxl'/></video>
<newfangled model='x1'><thing/></newfangled>
<memballoon model='none'/><audio id='1' type='none'/>
"""

GUEST = domain_xml(
    "web",
    DEVICES,
    rest="<title>The web server</title><description>Serves pages</description>"
    "<currentMemory unit='KiB'>32768</currentMemory>"
    "<cputune><shares>2048</shares><period>100000</period><quota>50000</quota></cputune>"
    "<features><acpi/><pae/></features><clock offset='localtime'/>"
    "<on_poweroff>preserve</on_poweroff><on_crash>coredump-restart</on_crash>",
).replace("<vcpu>1</vcpu>", "<vcpu current='2'>4</vcpu>")


@pytest.fixture
def host() -> RecordedHypervisor:
    made = hypervisor()
    made.put(GUEST, active=True, autostart=True)
    put_network(made, NAT)
    return made


@pytest.fixture
def web(host: RecordedHypervisor) -> Served:
    return Served([(platform("KVM"), host)])


def has(values: dict[str, Any], **expected: Any) -> None:
    """Compare some properties; None stands for NULL."""
    assert {name: values.get(name) for name in expected} == expected


def test_computer_system(web: Served) -> None:
    has(
        web.guest("web"),
        Name="web",
        ElementName="web",
        CreationClassName="KVM_ComputerSystem",
        NameFormat="Other",
        Caption="Virtual System (Console on vnc://node:5901)",
        Description="Serves pages",
        EnabledState=2,
        RequestedState=0,
        EnabledDefault=2,
        HealthState=5,
        OperationalStatus=[2],
        OperatingStatus=16,
        TransitioningToState=5,
        AvailableRequestedStates=[3, 4, 6, 9, 10, 11],
        TimeOfLastStateChange=None,
    )
    values = web.guest("web")
    identities = dict(zip(values["IdentifyingDescriptions"], values["OtherIdentifyingInfo"], strict=True))
    assert identities == {
        "Type": "Virtual System",
        "Model": "KVM Virtual System",
        "UUID": values["UUID"],
        "Title": "The web server",
    }


def test_captions_fit_their_property(host: RecordedHypervisor, web: Served) -> None:
    host.hostname = "n" * 80
    assert len(web.guest("web")["Caption"]) == 64
    host.put(domain_xml("bare", rest=f"<title>{'t' * 300}</title>"))
    assert web.guest("bare")["Caption"] == "Virtual System (No console)"
    assert len(web.vssd("bare")["Caption"]) == 64
    assert len(web.guest("bare")["OtherIdentifyingInfo"][3]) == 256


def test_console_of_a_stopped_guest_has_no_port_yet(host: RecordedHypervisor, web: Served) -> None:
    host.put(domain_xml("off", "<graphics type='vnc' port='-1' autoport='yes'/>"))
    assert web.guest("off")["Caption"] == "Virtual System (Console on vnc://node)"


def test_host_system(host: RecordedHypervisor, web: Served) -> None:
    host.facts = HostFacts(
        driver="QEMU",
        host_uuid="abc",
        sysinfo_xml="<sysinfo><system><entry name='manufacturer'>M</entry><entry name='serial'>S</entry></system>"
        "</sysinfo>",
    )
    (instance,) = web.instances("KVM_HostSystem")
    has(
        dict(instance.properties()),
        Name="node.example.org",
        ElementName="node.example.org",
        NameFormat="IP",
        Dedicated=(0,),
        EnabledState=2,
        OperationalStatus=[2],
        HealthState=5,
        OtherIdentifyingInfo=["abc", "S", "M"],
        IdentifyingDescriptions=["UUID", "Serial Number", "Vendor"],
    )
    host.facts = HostFacts(sysinfo_xml="<broken")
    before = instance.revision
    host.connected = False
    host.inventory.revision += 1
    assert instance.revision != before
    has(
        dict(instance.properties()),
        EnabledState=0,
        OperationalStatus=[12],
        HealthState=0,
        OperatingStatus=0,
        OtherIdentifyingInfo=None,
    )


def test_setting_data(web: Served) -> None:
    has(
        web.vssd("web"),
        InstanceID="KVM:web",
        VirtualSystemIdentifier="web",
        VirtualSystemType="KVM",
        ElementName="web",
        Caption="The web server",
        Description="Serves pages",
        Notes=["Serves pages"],
        AutoStart=1,
        AutomaticStartupAction=4,
        AutomaticShutdownAction=123,
        AutomaticRecoveryAction=3,
        EnableACPI=True,
        EnableAPIC=False,
        EnablePAE=True,
        ClockOffset=1,
        IsFullVirt=True,
        Arch="x86_64",
        Machine="pc",
        BootDevices=None,
        ChangeableType=1,
    )


def test_boot_order_of_devices_becomes_boot_devices() -> None:
    guest = served(
        "KVM",
        domain_xml(
            "ordered",
            """
        <disk type='file' device='disk'><target dev='vda'/><boot order='2'/></disk>
        <disk type='file' device='cdrom'><target dev='sda'/><boot order='1'/></disk>
        <interface type='user'><mac address='52:54:00:00:00:01'/><boot order='3'/></interface>""",
        ),
    )
    assert guest.vssd("ordered")["BootDevices"] == ["cdrom", "hd", "network"]


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("", None),
        ("<clock offset='utc'/>", 0),
        ("<clock offset='localtime'/>", 1),
        ("<clock offset='variable' adjustment='5' basis='localtime'/>", 1),
        ("<clock offset='timezone' timezone='Europe/Berlin'/>", None),
    ],
)
def test_clock_offset(clock: str, expected: int | None) -> None:
    assert served("KVM", domain_xml("c", rest=clock)).vssd("c").get("ClockOffset") == expected


def test_paravirtual_xen_and_container(corpus: Served) -> None:
    by_name = {
        v["ElementName"]: v
        for v in (
            dict(i.properties())
            for prefix in ("Xen", "LXC")
            for i in corpus.instances(f"{prefix}_VirtualSystemSettingData")
        )
    }
    assert {name: values.get("IsFullVirt") for name, values in by_name.items()} == {
        "xen-hvm": True,
        "xen-pv": False,
        "lxc-application": None,
        "lxc-system": None,
    }
    assert by_name["lxc-system"]["InitPath"]
    assert by_name["xen-pv"]["VirtualSystemType"] == "Xen"


def test_network_port(web: Served) -> None:
    has(
        web.device("NetworkPort", "web", "52:54:00:00:00:01"),
        LinkTechnology=2,
        NetworkAddresses=["52:54:00:00:00:01"],
        PermanentAddress="525400000001",
        EnabledState=6,
        OperationalStatus=[10],
        HealthState=5,
        RequestedState=12,
    )
    has(web.device("NetworkPort", "web", "52:54:00:00:00:02"), LinkTechnology=0, EnabledState=2)


def test_two_of_the_same_are_told_apart(web: Served) -> None:
    assert web.identifiers("KVM_NetworkPort") == [
        "web/52:54:00:00:00:01",
        "web/52:54:00:00:00:02",
        "web/52:54:00:00:00:02#2",
    ]
    assert web.identifiers("KVM_DisplayController") == [
        "web/vnc",
        "web/spice",
        "web/vnc#2",
        "web/sdl::0.0",
        "web/console:0",
    ]
    assert web.identifiers("KVM_PointingDevice") == [
        "web/mouse:ps2",
        "web/keyboard:ps2",
        "web/tablet:usb",
        "web/tablet:usb#2",
    ]
    assert web.setting("Net", "web", "52:54:00:00:00:02#2")["NetworkType"] == "user"
    assert web.identifiers("KVM_ConsoleDisplayController") == [
        "web/charconsole:0",
        "web/charconsole:1",
        "web/charconsole:2",
    ]


def test_a_file_system_named_like_the_memory(web: Served) -> None:
    has(
        web.setting("Disk", "web", "mem#2"),
        EmulatedType=3,
        AccessMode="passthrough",
        MountPoint="mem",
        Address="/srv/x",
        VirtualDevice="mem",
    )
    has(web.setting("Mem", "web", "mem"), VirtualQuantity=32768)


def test_logical_disk(host: RecordedHypervisor, web: Served) -> None:
    has(web.device("LogicalDisk", "web", "sda"), Name="sda", NumberOfBlocks=None, Access=3, EnabledState=2)
    has(web.device("LogicalDisk", "web", "hdc"), Access=1, Caption="CD-ROM")
    instance = next(i for i in web.instances("KVM_LogicalDisk") if i.identity == "web/sda")
    before = instance.revision
    host.put_pool("images", "/images", [("a.qcow2", 4096)])
    assert instance.revision != before
    has(web.device("LogicalDisk", "web", "sda"), BlockSize=512, NumberOfBlocks=8, ConsumableBlocks=8)


def test_memory_and_processors(web: Served) -> None:
    has(web.device("Memory", "web", "mem"), BlockSize=4096, NumberOfBlocks=16384, ConsumableBlocks=8192)
    processors = web.instances("KVM_Processor")
    assert [p.keys()["DeviceID"] for p in processors] == ["web/0", "web/1", "web/2", "web/3"]
    assert [p.properties()["EnabledState"] for p in processors] == [2, 2, 3, 3]


def test_processors_that_are_listed_one_by_one() -> None:
    xml = domain_xml(
        "v", rest="<vcpus><vcpu id='0' enabled='yes'/><vcpu id='1' enabled='no'/><vcpu id='2' enabled='yes'/></vcpus>"
    ).replace("<vcpu>1<", "<vcpu current='2'>3<")
    processors = served("KVM", xml, active=True).instances("KVM_Processor")
    assert [p.properties()["EnabledState"] for p in processors] == [2, 3, 2]


def test_a_wrong_number_of_processors_does_not_fill_the_memory() -> None:
    xml = domain_xml("many").replace("<vcpu>1<", "<vcpu>4000000000<")
    assert len(served("KVM", xml).instances("KVM_Processor")) == 4096


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        (DomainState.PAUSED, {}, (9, [2], 5)),
        (DomainState.SHUTOFF, {"active": False}, (3, [10], 5)),
        (DomainState.SHUTOFF, {"active": False, "has_managed_save": True}, (6, [15], 5)),
        (DomainState.RUNNING, {"contact": False}, (0, [12], 0)),
        (DomainState.SHUTDOWN, {}, (2, [2], 5)),
    ],
)
def test_devices_follow_their_guest(state: DomainState, changes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    guest = served("KVM", GUEST, **{"active": True, "state": state, **changes})
    values = guest.device("LogicalDisk", "web", "sda")
    assert (values["EnabledState"], values["OperationalStatus"], values["HealthState"]) == expected


def test_displays_and_pointing_devices(web: Served) -> None:
    assert web.device("DisplayController", "web", "vnc")["VideoProcessor"] == "vnc/[::1]:5901"
    assert web.device("DisplayController", "web", "vnc#2")["VideoProcessor"] == "vnc/127.0.0.1:-1"
    assert web.device("DisplayController", "web", "sdl::0.0")["VideoProcessor"] == "sdl"
    assert web.device("DisplayController", "web", "console:0")["VideoProcessor"] == "console//dev/pts/3:0"
    assert web.device("ConsoleDisplayController", "web", "charconsole:2")["VideoProcessor"] == "unix"
    has(web.device("PointingDevice", "web", "tablet:usb"), PointingType=3, Caption="USB Tablet")
    has(web.device("PointingDevice", "web", "keyboard:ps2"), PointingType=2, Caption="PS2 Keyboard")


def test_controllers(web: Served) -> None:
    has(web.device("Controller", "web", "controller:scsi:0"), ProtocolSupported=9, ProtocolDescription="virtio-scsi")
    has(
        web.device("Controller", "web", "controller:virtio-serial:0"),
        ProtocolSupported=1,
        ProtocolDescription="virtio-serial",
        MaxNumberControlled=31,
    )
    has(web.device("Controller", "web", "controller:xenbus:0"), ProtocolSupported=1, ProtocolDescription="xenbus")
    has(
        web.setting("Controller", "web", "controller:virtio-serial:0"),
        ResourceType=1,
        OtherResourceType="controller",
        ResourceSubType="virtio-serial",
        Index=0,
        Ports="31",
        Vectors="4",
    )


def test_processor_and_memory_settings(web: Served) -> None:
    has(
        web.setting("Proc", "web", "proc"),
        ResourceType=3,
        VirtualQuantity=2,
        VirtualQuantityUnits="count",
        Weight=2048,
        Limit=100,
        AllocationUnits="percent",
        Reservation=None,
        PoolID="ProcessorPool/0",
    )
    has(
        web.setting("Mem", "web", "mem"),
        ResourceType=4,
        VirtualQuantity=32768,
        Reservation=32768,
        Limit=65536,
        AllocationUnits="byte*2^10",
        VirtualQuantityUnits="byte*2^10",
        dumpCore=None,
    )
    bare = served("KVM", domain_xml("bare")).setting("Proc", "bare", "proc")
    has(bare, Weight=None, Limit=None, AllocationUnits=None, VirtualQuantity=1)


def test_disk_settings(host: RecordedHypervisor, web: Served) -> None:
    has(
        web.setting("Disk", "web", "sda"),
        ResourceType=17,
        Address="/images/a.qcow2",
        HostResource=["file:///images/a.qcow2"],
        VirtualDevice="sda",
        BusType="scsi",
        DriverName="qemu",
        DriverType="qcow2",
        DriverCache="none",
        EmulatedType=0,
        readonly=None,
        shareable=None,
        PoolID=None,
        VirtualQuantity=None,
        AllocationUnits="byte",
        AddressOnParent="0:0:3",
        Parent='/root/virt:KVM_ControllerResourceAllocationSettingData.InstanceID="web/controller:scsi:0"',
        AddressProperties=["type", "controller", "bus", "target", "unit"],
        AddressValues=["drive", "0", "0", "0", "3"],
        AutomaticAllocation=True,
    )
    has(web.setting("Disk", "web", "hdc"), EmulatedType=1, Address="", readonly=True, AutomaticAllocation=False)
    has(
        web.setting("Disk", "web", "sdb"),
        EmulatedType=4,
        rawio="yes",
        sgio="filtered",
        shareable=True,
        ConsumerVisibility=2,
        HostResource=["file:///dev/mapper/x%20y"],
    )
    has(
        web.setting("Disk", "web", "vdb"),
        Address="rbd://[fe80::1]:6789/pool/image",
        HostResource=["rbd://[fe80::1]:6789/pool/image"],
    )
    has(web.setting("Disk", "web", "vdc"), Address="store/v1", PoolID=None, HostResource=None)
    host.put_pool("store", "/vols", [("v1", 1 << 20)])
    host.put_pool("images", "/images", None)
    has(web.setting("Disk", "web", "vdc"), Address="/vols/v1", VirtualQuantity=1 << 20)
    has(web.setting("Disk", "web", "sda"), PoolID="DiskPool/images", VirtualQuantity=None)


def test_network_settings(web: Served) -> None:
    has(
        web.setting("Net", "web", "52:54:00:00:00:01"),
        ResourceType=10,
        Address="52:54:00:00:00:01",
        NetworkType="network",
        NetworkName="default",
        ResourceSubType="virtio",
        PoolID="NetworkPool/default",
        Reservation=128,
        Limit=256,
        AllocationUnits="byte*10^3/second",
        FilterRef="clean-traffic",
        Connection=["default"],
        SourceDevice=None,
    )
    has(
        web.setting("Net", "web", "52:54:00:00:00:02"),
        NetworkType="direct",
        NetworkName="eth1",
        SourceDevice="eth1",
        NetworkMode="vepa",
        VSIType="802.1Qbh",
        ProfileID="p",
        VSIManagerID=None,
        PoolID=None,
        Reservation=None,
        Limit=None,
        AllocationUnits=None,
    )


def test_graphics_settings(web: Served) -> None:
    has(
        web.setting("Graphics", "web", "vnc"),
        ResourceType=24,
        ResourceSubType="vnc",
        Address="[::1]:5901",
        KeyMap="de",
        Password="********",
        IsIPv6Only=True,
    )
    has(web.setting("Graphics", "web", "spice"), ResourceSubType="spice", Address="127.0.0.1:-1", Password=None)
    has(web.setting("Graphics", "web", "sdl::0.0"), Address="sdl", IsIPv6Only=None)
    has(web.setting("Graphics", "web", "console:0"), ResourceSubType="console", Address="/dev/pts/3:0")
    assert "secret" not in repr([dict(instance.properties()) for instance in web.everything()])


def test_console_settings(web: Served) -> None:
    has(
        web.setting("Console", "web", "charconsole:0"),
        ResourceType=1,
        OtherResourceType="console",
        SourceType=2,
        SourcePath="/dev/pts/3",
        TargetType="serial",
        BindURL=None,
    )
    has(
        web.setting("Console", "web", "charconsole:1"),
        SourceType=7,
        BindURL="udp://0.0.0.0:4001",
        ConnectURL="udp://[::1]:4000",
    )
    has(web.setting("Console", "web", "charconsole:2"), SourceType=9, BindURL="file:///run/a%20socket", SourcePath=None)


def test_settings_of_all_other_devices(web: Served) -> None:
    has(
        web.setting("HostDevice", "web", "hostdev:0"),
        ResourceType=13,
        ResourceSubType="pci",
        Address="0000:06:12.5",
        ConsumerVisibility=2,
        MappingBehavior=3,
    )
    has(web.setting("TPM", "web", "tpm:0"), ResourceType=1, OtherResourceType="tpm", ResourceSubType="tpm-tis")
    has(web.setting("Video", "web", "video:0"), ResourceType=24, OtherResourceType=None, ResourceSubType="qxl")
    has(web.setting("", "web", "newfangled:0"), ResourceType=1, OtherResourceType="newfangled", ResourceSubType="x1")
    assert web.identifiers("KVM_AudioResourceAllocationSettingData") == ["web/audio:1"]
    assert web.identifiers("KVM_ResourceAllocationSettingData") == ["web/newfangled:0"]


def test_input_settings(web: Served) -> None:
    has(
        web.setting("Input", "web", "tablet:usb#2"),
        ResourceType=13,
        ResourceSubType="tablet",
        BusType="usb",
        Caption="USB Tablet",
        PoolID="InputPool/0",
    )

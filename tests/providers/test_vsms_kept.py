"""A 0 is true: after a change libvirt with QEMU has what was asked for, else the guest is as it was before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Self

import pytest
from lxml import etree

from tests.bed import Libvirtd
from tests.providers.lateevents import hold_events_back
from tests.providers.outcome import outcome
from tests.providers.recorded import CONTEXT, Served, platform
from tests.xpath import nodes
from virtcim.libhelper.documents.domain import DomainConfig, Graphics
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath
from virtcim.providers.Virt_RASD import settings_of
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

NAME = "kept"
DISABLED = 3
SERVICE = "KVM_VirtualSystemManagementService"
RASD = "ResourceAllocationSettingData"


class Stopped(Served):
    """A site on a private libvirtd, with a stopped guest; left as a context manager, it is served no more."""

    def __init__(self, daemon: Libvirtd) -> None:
        self.daemon = daemon
        self.hypervisor = Hypervisor(daemon.uri(), HypervisorSettings(interval=60))
        self.hypervisor.start()
        assert self.hypervisor.wait_ready(60)
        super().__init__([(platform("KVM"), self.hypervisor)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.hypervisor.stop()
        self.daemon.remove_domains()

    def put(
        self,
        devices: str = "",
        rest: str = "",
        processors: str = "<vcpu>2</vcpu>",
        kind: str = "qemu",
        memory: str = "<memory>65536</memory>",
    ) -> None:
        """Define the guest anew."""
        self.daemon.remove_domains()
        self.daemon.define(
            f"<domain type='{kind}'><name>{NAME}</name>{memory}{processors}"
            f"<os><type arch='x86_64' machine='pc'>hvm</type></os>{rest}<devices>{devices}</devices></domain>"
        )
        self.hypervisor.inventory.refresh(self.uuid)

    @property
    def uuid(self) -> str:
        return self.daemon.virsh("domuuid", NAME).strip()

    @property
    def text(self) -> str:
        return self.daemon.virsh("dumpxml", "--inactive", "--security-info", NAME)

    def find(self, path: str) -> list[Any]:
        """What an XPath gives in the definition."""
        return nodes(etree.fromstring(self.text.encode()), path)

    def call(self, method: str, **parameters: Any) -> int:
        self.result = outcome(self.providers[SERVICE].invoke_method(SERVICE, None, method, parameters, CONTEXT))
        return int(self.result.return_value)

    def modify(self, kind: str, identifier: str, **properties: Any) -> int:
        wanted = EmbeddedInstance(f"KVM_{kind}{RASD}", {"InstanceID": f"{NAME}/{identifier}", **properties})
        return self.call("ModifyResourceSettings", ResourceSettings=[wanted])

    def modify_system(self, **properties: Any) -> int:
        wanted = EmbeddedInstance("KVM_VirtualSystemSettingData", {"InstanceID": f"KVM:{NAME}", **properties})
        return self.call("ModifySystemSettings", SystemSettings=wanted)

    def add(self, kind: str, **properties: Any) -> int:
        path = InstancePath("KVM_VirtualSystemSettingData", {"InstanceID": f"KVM:{NAME}"})
        wanted = EmbeddedInstance(f"KVM_{kind}{RASD}", properties)
        return self.call("AddResourceSettings", AffectedConfiguration=path, ResourceSettings=[wanted])

    def remove(self, kind: str, *identifiers: str) -> int:
        paths = [InstancePath(f"KVM_{kind}{RASD}", {"InstanceID": f"{NAME}/{each}"}) for each in identifiers]
        return self.call("RemoveResourceSettings", ResourceSettings=paths)

    def start(self) -> None:
        """Start the guest, as far as that is good for."""
        self.daemon.virsh("start", NAME, "--paused")
        self.hypervisor.inventory.refresh(self.uuid)

    def running(self, path: str) -> list[Any]:
        """What an XPath gives in the running guest."""
        return nodes(etree.fromstring(self.daemon.virsh("dumpxml", NAME).encode()), path)

    def refusal(self, method: Any, *values: Any, **properties: Any) -> str:
        """The text with which a change is refused, which changed nothing."""
        before = self.text
        with pytest.raises(CIMError) as caught:
            method(*values, **properties)
        assert self.text == before
        return caught.value.description


@pytest.fixture(scope="module")
def site(libvirtd: Libvirtd) -> Iterator[Stopped]:
    with Stopped(libvirtd) as made:
        yield made


def test_the_first_console_and_its_serial_port_are_changed_together(site: Stopped) -> None:
    site.put("<serial type='pty'/><console type='pty'/>")
    assert site.modify("Console", "charconsole:0", SourceType=4, SourcePath="/tmp/console.log") == 0
    assert site.find("//console/@type | //serial/@type") == ["file", "file"]
    assert site.find("//console/source/@path | //serial/source/@path") == ["/tmp/console.log"] * 2


def test_an_address_for_a_console_that_has_none_is_refused(site: Stopped) -> None:
    site.put("<serial type='tcp'><source mode='bind' host='127.0.0.1' service='5601'/></serial>")
    refusal = site.refusal(site.modify, "Console", "charconsole:0", SourceType=0, BindURL="raw://127.0.0.1:5604")
    assert "BindURL means nothing" in refusal
    assert site.modify("Console", "charconsole:0", SourceType=0) == 0
    assert site.find("//console/@type | //serial/@type") == ["null", "null"]


def test_what_was_refused_leaves_the_ports_of_the_consoles(site: Stopped) -> None:
    site.put("<serial type='pty'/><console type='pty'><target type='virtio'/></console>")
    assert site.find("//console/target/@port") == ["0", "0"]
    assert "TargetType" in site.refusal(site.modify, "Console", "charconsole:0", TargetType="virtio")
    assert "PinnedTo" in site.refusal(site.modify, "Proc", "proc", PinnedTo=["7:0"])


@pytest.mark.parametrize(("kind", "identifier"), [("Console", "charconsole:0"), ("", "serial:0")])
def test_the_first_console_and_its_serial_port_are_removed_together(site: Stopped, kind: str, identifier: str) -> None:
    site.put("<serial type='pty'/><console type='pty'/>")
    assert site.remove(kind, identifier) == 0
    assert site.find("//console | //serial") == []


def test_both_names_of_a_console_can_be_removed_in_one_call(site: Stopped) -> None:
    site.put("<serial type='pty'/><console type='pty'/>")
    assert site.remove("Console", "charconsole:0", "serial:0") == 0
    assert site.find("//console | //serial") == []


def test_a_memory_balloon_is_removed(site: Stopped) -> None:
    site.put()
    assert site.remove("", "memballoon:0") == 0
    assert site.find("//memballoon/@model") == ["none"]
    assert site.modify("", "memballoon:0", ResourceSubType="virtio") == 0
    assert site.remove("", "memballoon:0") == 0
    assert site.add("", ResourceType=1, OtherResourceType="memballoon") == 0
    assert site.find("//memballoon/@model") == ["virtio"]


def test_companions_of_a_usb_controller_are_told_apart(site: Stopped) -> None:
    site.put(
        "<controller type='usb' index='1' model='ich9-ehci1'/>"
        "<controller type='usb' index='1' model='ich9-uhci1'><master startport='0'/></controller>"
        "<controller type='usb' index='1' model='ich9-uhci2'><master startport='2'/></controller>"
    )
    before = site.find("//controller[@model='ich9-uhci2']/address/@slot")
    assert site.modify("Controller", "controller:usb:1#3", Ports="4") == 0
    assert [path.keys["InstanceID"] for path in site.result.out["ResultingResourceSettings"]] == [
        f"{NAME}/controller:usb:1#3"
    ]
    assert site.find("//controller[@ports='4']/@model") == ["ich9-uhci2"]
    assert site.find("//controller[@model='ich9-uhci2']/address/@slot") == before


def test_a_size_without_units_is_in_those_that_it_is_shown_in(site: Stopped) -> None:
    site.put("<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>")
    assert site.modify("", "shmem:0", VirtualQuantity=8 << 20) == 0
    assert site.find("//shmem/size/text()") == ["8"]


@pytest.mark.parametrize("identifier", ["controller:usb:0", "controller:pci:0"])
def test_a_controller_that_comes_back_is_not_removed(site: Stopped, identifier: str) -> None:
    site.put()
    assert identifier in site.refusal(site.remove, "Controller", identifier)


def test_a_controller_in_use_is_not_removed(site: Stopped) -> None:
    site.put(
        "<controller type='scsi' index='0' model='virtio-scsi'/>"
        "<disk type='file' device='disk'><source file='/a.img'/><target dev='sda' bus='scsi'/></disk>"
    )
    assert "controller:scsi:0" in site.refusal(site.remove, "Controller", "controller:scsi:0")


def test_a_network_interface_named_like_libvirts_own(site: Stopped) -> None:
    site.put("<interface type='user'><mac address='52:54:00:00:00:01'/></interface>")
    refusal = site.refusal(site.modify, "Net", "52:54:00:00:00:01", VirtualDevice="vnet5")
    assert "VirtualDevice" in refusal


def test_a_processor_that_is_not_there_is_not_pinned(site: Stopped) -> None:
    site.put()
    assert "PinnedTo" in site.refusal(site.modify, "Proc", "proc", PinnedTo=["7:0"])
    assert site.modify("Proc", "proc", PinnedTo=["0:0,1,2-3,^2"]) == 0
    assert site.find("//vcpupin/@cpuset") == ["0-1,3"]


def test_the_last_spice_console_takes_along_its_sound(site: Stopped) -> None:
    site.put("<graphics type='spice'/>")
    assert site.find("//audio/@type") == ["spice"]
    assert site.remove("Graphics", "spice") == 0
    assert "spice" not in site.find("//audio/@type")


def test_another_console_takes_along_the_sound_of_spice(site: Stopped) -> None:
    site.put("<graphics type='spice'/><sound model='ich6'><audio id='1'/></sound>")
    assert site.modify("Graphics", "spice", ResourceSubType="vnc") == 0
    assert site.find("//graphics/@type") == ["vnc"]
    assert site.find("//audio/@type") == ["none"]


@pytest.mark.parametrize(("units", "factor"), [("KiloBytes", 1), ("byte*2^10", 1), ("MegaBytes", 1024), ("Bytes", 0)])
def test_what_is_sent_back_in_other_units_is_no_wish(site: Stopped, units: str, factor: int) -> None:
    site.put(memory="<memory unit='KiB'>131072</memory>")
    amounts = {
        name: value // factor if factor else value * 1024
        for name, value in {"VirtualQuantity": 65536, "Reservation": 131072, "Limit": 131072}.items()
    }
    assert site.modify("Mem", "mem", AllocationUnits=units, **amounts) == 0
    assert site.find("//memory/text() | //currentMemory/text()") == ["131072", "65536"]


def test_sound_through_spice_needs_a_display_of_it(site: Stopped) -> None:
    site.put("<graphics type='vnc'/><audio id='1' type='none'/>")
    refusal = site.refusal(site.modify, "Audio", "audio:1", ResourceSubType="spice")
    assert "audio:1: ResourceSubType" in refusal
    assert "expected a guest that has one" in refusal


def test_sound_and_its_display_change_together(site: Stopped) -> None:
    site.put("<graphics type='vnc'/><audio id='1' type='none'/>")
    wanted = [
        EmbeddedInstance(f"KVM_{kind}{RASD}", {"InstanceID": f"{NAME}/{identifier}", "ResourceSubType": "spice"})
        for kind, identifier in (("Audio", "audio:1"), ("Graphics", "vnc"))
    ]
    assert site.call("ModifyResourceSettings", ResourceSettings=wanted) == 0
    assert site.find("//audio/@type | //graphics/@type") == ["spice", "spice"]


def test_another_architecture_takes_along_the_emulator_of_the_old_one(site: Stopped) -> None:
    site.put()
    before = site.find("//emulator/text()")
    assert site.modify_system(Arch="i686") == 0
    capabilities = etree.fromstring(site.daemon.virsh("capabilities").encode())
    named = nodes(capabilities, "//guest/arch[@name='i686']/emulator/text()")
    assert site.find("//emulator/text()") == named != before


@pytest.mark.parametrize("before", ["host-passthrough", "host-model", "maximum"])
@pytest.mark.parametrize("after", ["host-passthrough", "host-model", "maximum"])
def test_another_processor_takes_along_what_the_old_one_was(site: Stopped, before: str, after: str) -> None:
    site.put(rest=f"<cpu mode='{before}'/>")
    assert site.modify_system(CPUMode=after) == 0
    assert site.find("//cpu/@mode") == [after]


def test_a_named_model_and_back(site: Stopped) -> None:
    site.put(rest="<cpu mode='maximum'/>")
    assert site.modify_system(CPUMode="custom", CPUModel="qemu64") == 0
    assert site.find("//cpu/model/text()") == ["qemu64"]
    assert site.modify_system(CPUMode="maximum") == 0
    assert site.find("//cpu/model") == []


def test_more_processors_take_more_sockets(site: Stopped) -> None:
    site.put(rest="<cpu><topology sockets='1' cores='4' threads='1'/></cpu>", processors="<vcpu>4</vcpu>")
    assert site.modify("Proc", "proc", VirtualQuantity=8) == 0
    assert site.find("//topology/@sockets | //topology/@cores") == ["2", "4"]
    assert "multiple of 4" in site.refusal(site.modify, "Proc", "proc", VirtualQuantity=9)


def test_a_topology_brings_its_processors(site: Stopped) -> None:
    site.put(rest="<cpu><topology sockets='1' cores='4' threads='1'/></cpu>", processors="<vcpu>4</vcpu>")
    assert site.modify_system(CPUCores=8) == 0
    assert site.find("//vcpu[not(parent::vcpus)]/text() | //topology/@cores") == ["8", "8"]
    assert site.find("/domain/vcpu/@current") == ["4"]
    assert site.modify_system(CPUCores=2) == 0
    assert site.find("//topology/@sockets | //topology/@cores") == ["4", "2"]
    assert "CPUSockets" in site.refusal(site.modify_system, CPUSockets=1)


def test_no_topology(site: Stopped) -> None:
    site.put(rest="<cpu><topology sockets='1' dies='1' cores='4' threads='1'/></cpu>", processors="<vcpu>4</vcpu>")
    assert site.modify_system(CPUSockets=0, CPUDies=0, CPUCores=0, CPUThreads=0) == 0
    assert site.find("//topology") == []


def test_fewer_processors_lose_their_list_and_pins(site: Stopped) -> None:
    site.put(
        processors="<vcpu current='2'>4</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/>"
        "<vcpu id='1' enabled='yes' hotpluggable='yes'/><vcpu id='2' enabled='no' hotpluggable='yes'/>"
        "<vcpu id='3' enabled='no' hotpluggable='yes'/></vcpus>"
        "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='3' cpuset='0'/></cputune>"
    )
    assert site.modify("Proc", "proc", MaxVirtualQuantity=2) == 0
    assert site.find("/domain/vcpu/text()") == ["2"]
    assert site.find("//vcpupin/@vcpu") == ["0"]


def test_memory_is_shared_out_to_numa_cells(site: Stopped) -> None:
    site.put(
        rest="<cpu><numa><cell id='0' cpus='0' memory='16384'/><cell id='1' cpus='1' memory='49152'/></numa></cpu>"
    )
    assert site.modify("Mem", "mem", Limit=131072, VirtualQuantity=131072) == 0
    assert site.find("//cell/@memory") == ["32768", "98304"]
    assert site.find("/domain/memory/text()") == ["131072"]


def test_a_guest_larger_than_its_host_can_be_made_smaller(site: Stopped) -> None:
    site.put(memory="<memory unit='TiB'>64</memory>")
    assert site.modify("Mem", "mem", Limit=1 << 35, VirtualQuantity=1 << 35) == 0
    assert site.modify("Proc", "proc", VirtualQuantity=1) == 0
    assert "host" in site.refusal(site.modify, "Mem", "mem", Limit=1 << 36, VirtualQuantity=1 << 36)


def test_another_bus_takes_along_what_the_old_one_had(site: Stopped) -> None:
    site.put(
        "<disk type='file' device='disk'><driver name='qemu' type='raw' queues='2' iommu='on'/>"
        "<source file='/a.img'/><target dev='vda' bus='virtio'/></disk>"
    )
    assert site.modify("Disk", "vda", BusType="sata") == 0
    assert site.find("//disk/target/@bus | //disk/address/@type") == ["sata", "drive"]
    assert site.find("//disk/driver/@queues | //disk/driver/@iommu") == []


def test_another_adapter_takes_along_the_memory_of_the_old_one(site: Stopped) -> None:
    site.put("<graphics type='vnc'/><video><model type='qxl' ram='65536' vram='65536' vgamem='16384'/></video>")
    assert site.modify("", "video:0", ResourceSubType="virtio") == 0
    assert site.find("//video/model/@type | //video/model/@ram | //video/model/@vgamem") == ["virtio"]


def test_another_model_of_shared_memory_takes_along_the_size_or_the_server(site: Stopped) -> None:
    site.put("<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>")
    assert site.modify("", "shmem:0", ResourceSubType="ivshmem-doorbell", InterruptVectors=3) == 0
    assert (len(site.find("//shmem/server")), site.find("//shmem/msi/@vectors"), site.find("//shmem/size")) == (
        1,
        ["3"],
        [],
    )
    assert site.modify("", "shmem:0", ResourceSubType="ivshmem-plain", VirtualQuantity=8 << 20) == 0
    assert site.find("//shmem/server | //shmem/msi") == []
    assert site.find("//shmem/size/text()") == ["8"]


@pytest.mark.parametrize("kind", ["vnc", "spice"])
@pytest.mark.parametrize(
    ("address", "listens"),
    [
        ("127.0.0.3:5999", ["127.0.0.2"]),
        ("127.0.0.2:5999", ["127.0.0.1", "127.0.0.2"]),
        ("[::1]:5999", ["127.0.0.2"]),
        ("127.0.0.2:5999", [""]),
        ("127.0.0.2:5999", ["none"]),
        ("127.0.0.2:5999", ["unix:///s.sock"]),
        ("/other.sock", ["unix:///s.sock"]),
    ],
)
def test_an_address_that_is_not_where_a_console_listens(
    site: Stopped, kind: str, address: str, listens: list[str]
) -> None:
    contradiction = "Address and ListenAddresses contradict each other"
    site.put()
    refusal = site.refusal(site.add, "Graphics", ResourceSubType=kind, Address=address, ListenAddresses=listens)
    assert contradiction in refusal
    if address.startswith("/"):
        return
    site.put(f"<graphics type='{kind}' port='5998' listen='127.0.0.1'/>")
    assert contradiction in site.refusal(site.modify, "Graphics", kind, Address=address, ListenAddresses=listens)


@pytest.mark.parametrize(
    ("address", "listens"),
    [
        ("127.0.0.2:5999", ["127.0.0.2", "127.0.0.3"]),
        ("[::1]:5999", ["::1"]),
        ("127.0.0.1:5999", [""]),
        ("/s.sock", ["unix:///s.sock"]),
        ("/s.sock", ["unix:"]),
        ("127.0.0.9:-1", ["network:default"]),
    ],
)
def test_an_address_that_says_where_a_console_listens(site: Stopped, address: str, listens: list[str]) -> None:
    site.put()
    assert site.add("Graphics", ResourceSubType="vnc", Address=address, ListenAddresses=listens) == 0
    assert len(site.find("//graphics/listen")) == len(listens)


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        (None, ["org.qemu.guest_agent.0"]),
        ("unix", ["org.qemu.guest_agent.0"]),
        ("spicevmc", ["com.redhat.spice.0"]),
        ("pty", []),
    ],
)
def test_what_a_new_channel_is_called(site: Stopped, backend: str | None, name: list[str]) -> None:
    site.put("<graphics type='spice'/>")
    given = {} if backend is None else {"BackendType": backend}
    assert site.add("", ResourceType=1, OtherResourceType="channel", **given) == 0
    assert site.find("//channel/target/@name") == name
    assert site.add("", ResourceType=1, OtherResourceType="channel", TargetName="", **given) == 0
    assert site.find("//channel[2]/target/@type | //channel[2]/target/@name") == ["virtio"]


SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
ADDRESS = "52:54:00:00:00:01"
TAP = (
    f"<interface type='bridge'><mac address='{ADDRESS}'/><source bridge='br0'/><model type='virtio'/><mtu size='1500'/>"
    "<coalesce><rx><frames max='7'/></rx></coalesce></interface>"
)
OF_USER = (
    f"<interface type='user'><mac address='{ADDRESS}'/><ip family='ipv4' address='172.17.2.0' prefix='24'/></interface>"
)
CARD = (
    f"<interface type='hostdev' managed='yes'><mac address='{ADDRESS}'/><source><address type='pci' domain='0' bus='1' "
    "slot='0' function='2'/></source><teaming type='transient' persistent='ua-x'/></interface>"
)
LUN = (
    "<disk type='block' device='lun' sgio='filtered' rawio='no'><driver name='qemu' type='raw'/><source dev='/dev/sdx'>"
    "<reservations managed='yes'/></source><target dev='sda' bus='scsi'/></disk>"
)
OPEN_TRAY = "<disk type='file' device='cdrom'><source file='/a.iso'/><target dev='hdc' bus='ide' tray='open'/></disk>"
PLATTER = (
    "<disk type='file' device='disk'><source file='/a.img'/><target dev='sda' bus='sata' rotation_rate='7200'/></disk>"
)
CACHED = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' io='native'/><source file='/a.img'/>"
    "<target dev='vda' bus='virtio'/></disk>"
)
FOLDER = (
    "<disk type='dir' device='disk'><driver name='qemu' type='fat'/><source dir='/d'/><target dev='vda' bus='virtio'/>"
    "<readonly/></disk>"
)
DATAGRAMS = (
    "<rng model='virtio'><backend model='egd' type='udp'><source mode='bind' service='1234'/>"
    "<source mode='connect' host='1.2.3.4' service='1234'/></backend></rng>"
)
SOCKET = (
    "<rng model='virtio'><backend model='egd' type='unix'><source mode='connect' path='/egd.sock'>"
    "<reconnect enabled='yes' timeout='3'/></source></backend></rng>"
)
MAPPED = (
    "<filesystem type='mount' accessmode='mapped' fmode='0644' dmode='0755' multidevs='remap' model='virtio'>"
    "<driver type='path' wrpolicy='immediate'/><source dir='/srv'/><target dir='share'/></filesystem>"
)
PULSE = (
    "<audio id='1' type='pulseaudio' serverName='/run/pulse'><input name='i' streamName='s' latency='5'/>"
    "<output name='o'/></audio>"
)


@pytest.mark.parametrize(
    ("device", "kind", "identifier", "change", "path", "found"),
    [
        (LUN, "Disk", "sda", {"EmulatedType": 0}, "//disk/@device | //reservations | //disk/@sgio", ["disk"]),
        (OPEN_TRAY, "Disk", "hdc", {"EmulatedType": 0}, "//disk/@device | //disk/readonly | //@tray", ["disk"]),
        (PLATTER, "Disk", "sda", {"EmulatedType": 1}, "//disk/@device | //@rotation_rate", ["cdrom"]),
        (
            CACHED,
            "Disk",
            "vda",
            {"HostResource": ["unix:///v.sock"]},
            "//disk/@type | //disk/driver/@cache",
            ["vhostuser"],
        ),
        (
            FOLDER,
            "Disk",
            "vda",
            {"HostResource": ["nbd://h:10809/x"]},
            "//disk/@type | //driver/@type",
            ["network", "raw"],
        ),
        (
            OF_USER,
            "Net",
            ADDRESS,
            {"NetworkType": "bridge", "NetworkName": "br1"},
            "//interface/@type | //ip",
            ["bridge"],
        ),
        (TAP, "Net", ADDRESS, {"NetworkType": "user"}, "//interface/@type | //mtu | //coalesce", ["user"]),
        (
            TAP,
            "Net",
            ADDRESS,
            {"NetworkType": "ethernet"},
            "//interface/@type | //mtu/@size | //coalesce",
            ["ethernet", "1500"],
        ),
        (CARD, "Net", ADDRESS, {"NetworkType": "user"}, "//interface/@type | //teaming", ["user"]),
        (
            "<input type='tablet' bus='usb'/>",
            "Input",
            "tablet:usb",
            {"ResourceSubType": "evdev", "Address": "/dev/input/event5"},
            "//input[source]/@type | //input[source]/@bus | //input/source/@dev",
            ["evdev", "/dev/input/event5"],
        ),
        (
            "<input type='evdev'><source dev='/dev/input/event0' grab='all'/></input>",
            "Input",
            "evdev:/dev/input/event0",
            {"ResourceSubType": "tablet", "BusType": "usb"},
            "//input[@type='tablet']/@bus | //input/source",
            ["usb"],
        ),
        (
            SOCKET,
            "RNG",
            "rng:0",
            {"BackendType": "random", "Address": "/dev/hwrng"},
            "//backend/text() | //rng//source",
            ["/dev/hwrng"],
        ),
        (SOCKET, "RNG", "rng:0", {"SourceMode": "bind"}, "//backend/source/@mode | //reconnect", ["bind"]),
        (DATAGRAMS, "RNG", "rng:0", {"Address": "file:///e.sock"}, "//backend/source/@path | //@service", ["/e.sock"]),
        (
            PULSE,
            "Audio",
            "audio:1",
            {"ResourceSubType": "none"},
            "//audio/@type | //audio/@serverName | //audio/*",
            ["none"],
        ),
        (MAPPED, "Disk", "share", {"DriverType": "virtiofs"}, "//driver/@type | //@fmode | //@wrpolicy", ["virtiofs"]),
        (MAPPED, "Disk", "share", {"AccessMode": "passthrough"}, "//@accessmode | //@fmode", ["passthrough"]),
    ],
)
def test_another_kind_takes_along_what_only_the_old_one_had(
    site: Stopped, device: str, kind: str, identifier: str, change: dict[str, Any], path: str, found: list[str]
) -> None:
    site.put(device, rest=SHARED)
    assert site.modify(kind, identifier, **change) == 0
    assert site.find(path) == found


def test_a_share_that_is_not_to_be_written_stays_so(site: Stopped) -> None:
    site.put(MAPPED.replace("</filesystem>", "<readonly/></filesystem>"), rest=SHARED)
    assert "read-only" in site.refusal(site.modify, "Disk", "share", DriverType="virtiofs")


MODULE = (
    "<memory model='dimm' discard='yes'><source><pagesize unit='KiB'>4</pagesize></source>"
    "<target><size unit='KiB'>524288</size><node>0</node></target></memory>"
)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"ResourceSubType": "nvdimm", "Address": "/n"}, ["nvdimm", "/n", "0"]),
        ({"ResourceSubType": "virtio-pmem", "Address": "/p"}, ["virtio-pmem", "/p"]),
        ({"ResourceSubType": "virtio-mem", "RequestedSize": 131072, "ModuleBlockSize": 2048}, ["virtio-mem", "0"]),
    ],
)
def test_another_module_of_memory_takes_along_what_the_old_one_had(
    site: Stopped, change: dict[str, Any], found: list[str]
) -> None:
    site.put(
        MODULE,
        rest="<cpu><numa><cell id='0' cpus='0-1' memory='1048576' unit='KiB'/></numa></cpu>",
        memory="<maxMemory slots='16' unit='KiB'>8388608</maxMemory><memory unit='KiB'>1572864</memory>",
    )
    assert site.modify("MemoryModule", "memory:0", **change) == 0
    assert site.find("//memory/@model | //memory/source/path/text() | //memory/target/node/text()") == found
    assert site.find("//memory/@discard") == []


SWITCH = (
    f"<interface type='bridge'><mac address='{ADDRESS}'/><source bridge='ovs0'/>"
    "<virtualport type='openvswitch'><parameters interfaceid='00000000-0000-4000-8000-00000000000a' profileid='p'/>"
    "</virtualport><vlan trunk='yes'><tag id='5' nativeMode='untagged'/></vlan></interface>"
)


def test_a_network_port_without_its_parts_has_no_empty_ones(site: Stopped) -> None:
    site.put(SWITCH)
    assert site.modify("Net", ADDRESS, VLANTags=[]) == 0
    assert site.find("//vlan") == []
    assert site.modify("Net", ADDRESS, VSIType="") == 0
    assert site.find("//virtualport") == []


REMOTE = (
    "<disk type='network' device='disk'><auth username='u'><secret type='ceph' usage='s'/></auth>"
    "<source protocol='rbd' name='pool/image'><host name='one' port='6789'/></source><target dev='vda' bus='virtio'/>"
    "<boot order='1'/></disk>"
)
ENCRYPTED = (
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/e.qcow2'>"
    "<encryption format='luks'><secret type='passphrase' usage='e'/></encryption></source>"
    "<target dev='vda' bus='virtio'/></disk>"
)
INITIATED = (
    "<disk type='network' device='disk'><source protocol='iscsi' name='iqn.2026-01.org.example:d/1'>"
    "<host name='h' port='3260'/><initiator><iqn name='iqn.2026-01.org.example:c'/></initiator></source>"
    "<target dev='vda' bus='virtio'/></disk>"
)


@pytest.mark.parametrize(
    ("device", "kind", "identifier", "change", "gone"),
    [
        (REMOTE, "Disk", "vda", {"BootOrder": 0}, "//disk/boot"),
        (REMOTE, "Disk", "vda", {"UserName": ""}, "//auth"),
        (ENCRYPTED, "Disk", "vda", {"EncryptionFormat": ""}, "//encryption"),
        (INITIATED, "Disk", "vda", {"InitiatorName": ""}, "//initiator"),
        ("<sound model='ich6'><audio id='1'/></sound>", "Audio", "sound:0", {"AudioID": 0}, "//sound/audio"),
        ("<graphics type='vnc'><audio id='1'/></graphics>", "Graphics", "vnc", {"AudioID": 0}, "//graphics/audio"),
    ],
)
def test_what_is_taken_away_leaves_no_part_of_it(
    site: Stopped, device: str, kind: str, identifier: str, change: dict[str, Any], gone: str
) -> None:
    site.put(device + "<audio id='1' type='none'/>")
    assert site.find(gone)
    assert site.modify(kind, identifier, **change) == 0
    assert site.find(gone) == []


def test_the_empty_text_takes_a_setting_away(site: Stopped) -> None:
    site.put(rest="<cpu mode='host-passthrough'/>")
    assert site.modify_system(CPUMode="") == 0
    assert site.find("//cpu/@mode") == ["custom"]


def test_another_machine_has_buses_of_its_own(site: Stopped) -> None:
    site.put(
        "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
        f"<interface type='user'><mac address='{ADDRESS}'/><model type='virtio'/></interface><input type='tablet'/>"
        "<graphics type='vnc'/><video><model type='vga'/></video><controller type='ide' index='0'/>"
    )
    for machine, root, other in (("q35", "pcie-root", "pci-root"), ("pc", "pci-root", "pcie-root")):
        assert site.modify_system(Machine=machine) == 0
        assert root in site.find("//controller[@type='pci']/@model")
        assert other not in site.find("//controller[@type='pci']/@model")
        assert len(site.find("//controller[@type='sata']/address | //interface/address | //video/address")) == 3
        site.start()
        site.daemon.virsh("destroy", NAME)
        site.hypervisor.inventory.refresh(site.uuid)


def test_a_disk_on_a_bus_that_the_new_machine_has_not_is_not_moved(site: Stopped) -> None:
    site.put("<disk type='file' device='disk'><source file='/a.img'/><target dev='hda' bus='ide'/></disk>")
    assert "IDE" in site.refusal(site.modify_system, Machine="q35")


def test_firmware_of_its_own_comes_and_goes(site: Stopped) -> None:
    site.put(rest="<features><acpi/></features>")
    assert site.modify_system(FirmwareLoader="/usr/share/OVMF/OVMF_CODE.fd", FirmwareLoaderType="pflash") == 0
    assert len(site.find("//os/loader | //os/nvram")) == 2
    assert site.modify_system(FirmwareLoader="") == 0
    assert site.find("//os/loader | //os/nvram") == []


def test_no_nodes_of_the_host(site: Stopped) -> None:
    site.put(rest="<numatune><memory mode='strict' nodeset='0'/></numatune>")
    assert site.modify("Mem", "mem", NUMANodes="") == 0
    assert site.find("//numatune/memory") == []


def test_another_kind_of_network_takes_along_the_source_of_the_old_one(site: Stopped) -> None:
    site.put(
        "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>"
        "<virtualport type='openvswitch'><parameters interfaceid='00000000-0000-4000-8000-000000000009'/></virtualport>"
        "<vlan><tag id='42'/></vlan></interface>"
    )
    assert site.modify("Net", "52:54:00:00:00:01", NetworkType="user") == 0
    assert site.find("//interface/@type") == ["user"]
    assert site.find("//interface/source | //interface/virtualport | //interface/vlan") == []


def test_another_model_of_a_controller_takes_along_the_options_of_the_old_one(site: Stopped) -> None:
    site.put("<controller type='scsi' index='0' model='virtio-scsi'><driver queues='4' iommu='on'/></controller>")
    assert site.modify("Controller", "controller:scsi:0", Model="lsilogic") == 0
    assert site.find("//controller[@type='scsi']/@model") == ["lsilogic"]
    assert site.find("//controller[@type='scsi']/driver") == []


def test_another_kind_of_console_takes_along_the_source_of_the_old_one(site: Stopped) -> None:
    site.put(
        "<console type='unix'><source mode='connect' path='/c.sock'><reconnect enabled='no'/></source>"
        "<target type='virtio' port='0'/></console>"
    )
    assert site.modify("Console", "charconsole:0", SourceType=2) == 0
    assert site.find("//console/@type") == ["pty"]
    assert site.find("//console/source") == []


ONE_OF_EACH = (
    "<disk type='file' device='disk'><source file='/a.img'/><target dev='vda' bus='virtio'/></disk>"
    "<filesystem type='mount'><source dir='/srv'/><target dir='share'/></filesystem>"
    "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
    "<graphics type='vnc' passwd='secret'/><graphics type='spice' autoport='yes'/><video><model type='qxl'/></video>"
    "<serial type='pty'/><console type='pty'/><console type='pty'><target type='virtio' port='1'/></console>"
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel><parallel type='null'/>"
    "<controller type='scsi' index='0' model='virtio-scsi'/><input type='tablet' bus='usb'/><sound model='ich6'/>"
    "<watchdog model='i6300esb' action='reset'/>"
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
    "<vsock model='virtio'><cid auto='yes'/></vsock><panic model='isa'/>"
)
LIKE = InstancePath("KVM_VirtualSystemSettingData", {"InstanceID": f"KVM:{NAME}"})


def described(site: Stopped) -> list[EmbeddedInstance]:
    """All settings of the resources of the guest, as a client has got them."""
    (guest,) = all_guests(site.site, platform("KVM"))
    assert guest.state is not None
    return [EmbeddedInstance(each.class_name, dict(each.properties())) for each in settings_of(guest.state)]


@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_a_guest_like_another_has_the_same_devices(site: Stopped, runs: bool) -> None:
    """The controllers and all else that libvirt adds is among the settings that a client sends back."""
    devices = ONE_OF_EACH if not runs else "<graphics type='vnc'/><serial type='pty'/><input type='tablet' bus='usb'/>"
    site.put(devices)
    before = DomainConfig.parse(site.text)
    if runs:
        site.start()
    whole = EmbeddedInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": "like"})
    resources = described(site)
    assert len(resources) > 8
    assert site.call("DefineSystem", SystemSettings=whole, ResourceSettings=resources, ReferenceConfiguration=LIKE) == 0
    made = DomainConfig.parse(site.daemon.virsh("dumpxml", "--inactive", "--security-info", "like"))
    assert Counter(each.tag for each in made.devices) == Counter(each.tag for each in before.devices)
    passwords = [each.passwd_set for each in before.devices if isinstance(each, Graphics)]
    assert [each.passwd_set for each in made.devices if isinstance(each, Graphics)] == passwords


RARE = (
    "<cpu><numa><cell id='0' cpus='0-1' memory='65536'><cache level='1' associativity='direct' policy='writeback'>"
    "<size value='10' unit='KiB'/><line value='8' unit='B'/></cache></cell><interconnects>"
    "<latency initiator='0' target='0' cache='1' type='access' value='5'/>"
    "<bandwidth initiator='0' target='0' type='access' value='204800' unit='KiB'/></interconnects></numa></cpu>"
    "<sysinfo type='smbios'><baseBoard><entry name='manufacturer'>One</entry></baseBoard>"
    "<baseBoard><entry name='manufacturer'>Two</entry><entry name='serial'>2</entry></baseBoard></sysinfo>",
    "<memballoon model='none'/><graphics type='vnc'/><redirdev bus='usb' type='tcp'>"
    "<source mode='connect' host='h' service='4000'/></redirdev><redirfilter>"
    "<usbdev class='0x08' vendor='0x15E1' product='0x2007' version='1.10' allow='yes'/><usbdev allow='no'/>"
    "</redirfilter>",
)


def test_a_guest_is_made_again_of_what_is_read(site: Stopped) -> None:
    rest, devices = RARE
    site.put(devices, rest)
    (guest,) = all_guests(site.site, platform("KVM"))
    assert guest.state is not None
    read = dict(VirtualSystemSettingData(guest.state).properties())
    own = {"InstanceID": None, "UUID": None, "ElementName": None, "VirtualSystemIdentifier": "again"}
    whole = EmbeddedInstance("KVM_VirtualSystemSettingData", {**read, **own})
    assert site.call("DefineSystem", SystemSettings=whole, ResourceSettings=described(site)) == 0
    again = etree.fromstring(site.daemon.virsh("dumpxml", "--inactive", "again").encode())
    for path in ("//cpu", "//sysinfo", "//memballoon", "//redirfilter"):
        before, after = (
            [etree.tostring(each, with_tail=False) for each in where] for where in (site.find(path), nodes(again, path))
        )
        assert before == after
        assert before


@pytest.mark.parametrize(
    ("kind", "properties", "name"),
    [
        ("Net", {"NetworkType": "user", "VirtualDevice": "vnet5"}, "VirtualDevice"),
        ("Proc", {"VirtualQuantity": 2, "PinnedTo": ["7:0"]}, "PinnedTo"),
        ("Input", {"ResourceSubType": "mouse", "BusType": "ps2", "Repeat": True}, "Repeat"),
    ],
)
def test_what_libvirt_would_not_keep_is_not_defined(
    site: Stopped, kind: str, properties: dict[str, Any], name: str
) -> None:
    site.daemon.remove_domains()
    whole = EmbeddedInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": "new", "DomainType": "qemu"})
    resources = [
        EmbeddedInstance(f"KVM_Mem{RASD}", {"VirtualQuantity": 64 << 20}),
        EmbeddedInstance(f"KVM_{kind}{RASD}", properties),
    ]
    with pytest.raises(CIMError, match=f"{name}: libvirt does not keep"):
        site.call("DefineSystem", SystemSettings=whole, ResourceSettings=resources)
    assert site.daemon.list_all() == {}
    kept = {each: value for each, value in properties.items() if each != name}
    resources[1] = EmbeddedInstance(f"KVM_{kind}{RASD}", kept)
    assert site.call("DefineSystem", SystemSettings=whole, ResourceSettings=resources) == 0


def test_the_name_of_a_guest_that_is_gone_can_be_taken_before_its_end_is_told(
    site: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put()
    uuid = site.uuid
    hold_events_back(site.hypervisor, monkeypatch)
    site.daemon.remove_domains()
    whole = {"VirtualSystemIdentifier": NAME, "UUID": uuid, "DomainType": "qemu"}
    system = EmbeddedInstance("KVM_VirtualSystemSettingData", whole)
    memory = EmbeddedInstance(f"KVM_Mem{RASD}", {"VirtualQuantity": 64 << 20})
    assert site.call("DefineSystem", SystemSettings=system, ResourceSettings=[memory]) == 0
    with pytest.raises(CIMError, match="already"):
        site.call("DefineSystem", SystemSettings=system, ResourceSettings=[memory])


def test_a_state_that_libvirt_refuses_leaves_the_one_that_is_there_to_be_seen(
    site: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put()
    site.start()
    hold_events_back(site.hypervisor, monkeypatch)
    site.daemon.virsh("destroy", NAME)
    system, running = "KVM_ComputerSystem", 2
    assert site.guest(NAME)["EnabledState"] != DISABLED
    keys = {"CreationClassName": system, "Name": NAME}
    answer = site.providers[system].invoke_method(
        system, keys, "RequestStateChange", {"RequestedState": running}, CONTEXT
    )
    assert outcome(answer).return_value != 0
    assert site.guest(NAME)["EnabledState"] == DISABLED


def test_a_definition_that_libvirt_does_not_read_again_is_none(site: Stopped) -> None:
    """It would be gone at the next start of libvirt, which puts a USB controller beside one that says there is none."""
    site.put("<controller type='usb' index='0' model='none'/>")
    assert "USB is disabled" in site.refusal(site.modify, "Controller", "controller:usb:0", Index=2)
    site.daemon.remove_domains()
    whole = EmbeddedInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": "new", "DomainType": "qemu"})
    resources = [
        EmbeddedInstance(f"KVM_Mem{RASD}", {"VirtualQuantity": 64 << 20}),
        EmbeddedInstance(f"KVM_Controller{RASD}", {"ResourceSubType": "usb", "Model": "none", "Index": 2}),
    ]
    with pytest.raises(CIMError, match="USB is disabled"):
        site.call("DefineSystem", SystemSettings=whole, ResourceSettings=resources)
    assert site.daemon.list_all() == {}


NUMA = "<cpu><numa><cell id='0' cpus='0-1' memory='33333'/><cell id='1' memory='32203'/></numa></cpu>"
MAC = "<mac address='52:54:00:00:00:01'/>"
PAIR = (
    f"<interface type='user'>{MAC}<model type='virtio'/><teaming type='persistent'/><alias name='ua-first'/>"
    "</interface>"
    f"<interface type='hostdev' managed='yes'>{MAC}<source><address type='pci' domain='0' bus='1' slot='2' "
    "function='3'/></source><teaming type='transient' persistent='ua-first'/></interface>"
)
CHANNEL = "<channel type='udp'><source mode='connect' service='5678'/><target type='virtio' name='one.way'/></channel>"
VHOST = (
    "<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/><source type='unix' path='/v.sock'>"
    "<reconnect enabled='yes' timeout='10'/></source><target dev='vda' bus='virtio'/></disk>"
)
PLAYED = (
    "<audio id='1' type='file' path='/a.wav'><input mixingEngine='yes' fixedSettings='yes' voices='2'>"
    "<settings frequency='44100' channels='2' format='s16'/></input></audio>"
    "<sound model='ich6'><codec type='micro'/><audio id='1'/></sound>"
)
MEDIATED = (
    "<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='on' ramfb='on'>"
    "<source><address uuid='4b20d080-1b54-4048-85b3-a6a62d165c01'/></source></hostdev><graphics type='vnc'/>"
)
DRIVE = "<disk type='block' device='cdrom'><source dev='/dev/nowhere'/><target dev='hdc' bus='ide'/></disk>"
PAGES = (
    "<memoryBacking><hugepages><page size='2048' unit='KiB' nodeset='0'/></hugepages>"
    "<allocation mode='immediate'/></memoryBacking><numatune><memory mode='strict' nodeset='0'/>"
    "<memnode cellid='0' mode='strict' nodeset='0'/></numatune>"
)
TUNED = (
    "<features><acpi/><apic eoi='on'/><hyperv mode='custom'><relaxed state='on'/>"
    "<spinlocks state='on' retries='4096'/><vendor_id state='on' value='nobody'/></hyperv></features>"
    "<cpu mode='custom' match='exact' check='partial'><model fallback='forbid'>qemu64</model>"
    "<feature policy='force' name='vmx'/></cpu>"
    "<pm><suspend-to-disk enabled='no'/></pm><perf><event name='cpu_cycles' enabled='yes'/></perf>"
)
PLUGGED = "<vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/><vcpu id='1' enabled='yes' " + (
    "hotpluggable='yes' order='2'/></vcpus>"
)
ENCRYPTED = (
    "<disk type='network' device='disk'><source protocol='nbd' name='x'><host name='h'/></source><encryption "
    "format='luks'><secret type='passphrase' usage='u'/></encryption><target dev='vda' bus='virtio'/></disk>"
)
TWICE = "<secret type='passphrase' uuid='6f1d7c3e-0a52-4b8b-9d10-0000000a0018'/><secret type='passphrase' usage='v'/>"
SERVERS = (
    "<disk type='network' device='disk'><source protocol='gluster' name='v/i'><host name='one' port='24007'/>"
    "<host name='two' port='7' transport='rdma'/><host transport='unix' socket='/run/g'/></source>"
    "<target dev='vda' bus='virtio'/></disk>"
)
RESERVED = (
    "<disk type='network' device='lun'><driver name='qemu' type='raw'/>"
    "<source protocol='iscsi' name='iqn.2026-01.a:b/1'>"
    "<host name='h'/><reservations managed='no'><source type='unix' path='/r.sock' mode='client'/></reservations>"
    "</source><target dev='sda' bus='scsi'/></disk>"
)
VOLUME = "<disk type='volume' device='disk'><source pool='nowhere' volume='x'/><target dev='vda' bus='virtio'/></disk>"
UNIT = (
    "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"
    "<address bus='0' target='0' unit='1074872354'/></source></hostdev>"
)
GUARDED = "<graphics type='vnc' port='5999' listen='::' passwd='x' passwdValidTo='2030-01-01T00:00:00'/>"
TABLES = (
    "<uuid>6f1d7c3e-0a52-4b8b-9d10-0000000a0018</uuid><sysinfo type='smbios'><system><entry name='product'>Box</entry>"
    "<entry name='uuid'>6f1d7c3e-0a52-4b8b-9d10-0000000a0018</entry></system></sysinfo>"
)
SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"


@pytest.mark.parametrize(
    ("devices", "rest", "paths"),
    [
        ("", NUMA, "//cell/@cpus | //cell/@memory"),
        ("", NUMA.replace("cpus='0-1'", "cpus='0,1'").replace("33333", "33792"), "//cell/@cpus | //cell/@memory"),
        (
            "<memory model='dimm'><target><size unit='KiB'>131072</size><node>0</node></target></memory>",
            f"<maxMemory slots='4' unit='KiB'>1048576</maxMemory>{NUMA}",
            "/domain/memory/text() | //cell/@memory | //memory/target/size/text()",
        ),
        ("", "<numatune><memory mode='strict' placement='auto'/></numatune>", "//numatune/memory/@*"),
        ("", "<numatune><memory mode='preferred' nodeset='0'/></numatune>", "//numatune/memory/@*"),
        (PAIR, "", "//interface/mac/@address | //teaming/@type"),
        (CHANNEL, "", "//channel/source/@*"),
        ("<channel type='unix'><target type='virtio'/></channel>", "", "//channel/@type | //channel/target/@*"),
        ("<channel type='pty'><target type='virtio'/></channel>", "", "//channel/@type | //channel/target/@*"),
        (
            "<shmem name='s'><model type='ivshmem-doorbell'/><server/><msi vectors='2'/></shmem>",
            "",
            "//shmem/@name | //shmem/model/@* | //shmem[server]/msi/@vectors",
        ),
        (
            "<rng model='virtio'><backend model='egd' type='dev'><source path='/dev/null'/></backend></rng>",
            "",
            "//backend/@* | //backend/source/@path",
        ),
        (VHOST, SHARED, "//reconnect/@*"),
        (PLAYED, "", "//audio//@* | //sound/codec/@type"),
        (MEDIATED, "", "//hostdev/@*"),
        (ENCRYPTED, "", "//encryption/@format | //secret/@*"),
        (ENCRYPTED.replace("</encryption>", f"{TWICE}</encryption>"), "", "//secret/@uuid | //secret/@usage"),
        (SERVERS, "", "//source/host/@*"),
        (RESERVED, "", "//reservations//@*"),
        (VOLUME, "", "//disk/@type | //disk/source/@*"),
        (UNIT, "", "//hostdev/source/address/@*"),
        (GUARDED, "", "//graphics/@listen"),
        ("", TABLES, "//sysinfo//entry[@name='product']/text()"),
        (DRIVE, "", "//disk/@type | //source/@dev"),
        ("", NUMA + PAGES, "//page/@* | //allocation/@* | //memnode/@*"),
        ("", TUNED, "//apic/@* | //hyperv//@* | /domain/cpu//@* | //pm/*/@* | //event/@*"),
        ("", PLUGGED + "<cputune><emulatorpin cpuset='0'/></cputune>", "//vcpus/vcpu/@* | //emulatorpin/@*"),
        ("", "<clock offset='variable' adjustment='-3600' basis='localtime'/>", "//clock/@*"),
        ("", "<clock offset='absolute' start='1234567890'/>", "//clock/@*"),
    ],
)
def test_what_is_read_makes_another_guest_like_it(site: Stopped, devices: str, rest: str, paths: str) -> None:
    """As libvirt's own test documents have it."""
    site.put(devices, rest)
    before = site.find(paths)
    assert before
    (guest,) = all_guests(site.site, platform("KVM"))
    assert guest.state is not None
    whole = VirtualSystemSettingData(guest.state).properties()
    kept = {name: value for name, value in whole.items() if name not in ("UUID", "ElementName")}
    system = EmbeddedInstance("KVM_VirtualSystemSettingData", {**kept, "VirtualSystemIdentifier": "like"})
    assert site.call("DefineSystem", SystemSettings=system, ResourceSettings=described(site)) == 0
    made = etree.fromstring(site.daemon.virsh("dumpxml", "--inactive", "like").encode())
    assert nodes(made, paths) == before


def test_a_flash_of_the_host_is_not_written_by_the_guest(site: Stopped) -> None:
    site.put(rest="<features><acpi/></features>")
    assert site.modify_system(FirmwareLoader="/usr/share/flash.fd", FirmwareLoaderType="pflash") == 0
    assert site.find("//loader/@readonly") == ["yes"]


def test_a_new_spice_console_whose_port_libvirt_chooses(site: Stopped) -> None:
    site.put()
    assert site.add("Graphics", ResourceSubType="spice", Address="127.0.0.1:-1") == 0
    assert site.find("//graphics/@autoport") == ["yes"]


def test_all_limits_of_a_disk_are_in_force_at_once(site: Stopped) -> None:
    image = site.daemon.new_image()
    site.put(
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    site.start()
    limits: dict[str, Any] = {"Bytes": 1 << 20, "BytesPeak": 1 << 21, "BytesPeakLength": 3}
    asked = {name.replace("Bytes", "ReadBytesPerSecond"): value for name, value in limits.items()}
    assert site.modify("Disk", "vda", **asked, ReadOperationsPerSecond=100, OperationSize=4096, LimitGroup="group") == 0
    path = "//disk/iotune/*[starts-with(name(), 'read') or name() = 'group_name' or name() = 'size_iops_sec']/text()"
    said = {"1048576", "2097152", "3", "100", "4096", "group"}
    assert set(site.running(path)) == set(site.find(path)) == said
    assert site.modify("Disk", "vda", ReadBytesPerSecondPeak=0, ReadBytesPerSecondPeakLength=0) == 0
    assert "2097152" not in (*site.running(path), *site.find(path))


def test_a_running_guest_that_is_not_as_asked_is_as_before(site: Stopped) -> None:
    """Of four processors two are plugged in: the third cannot be pinned before the next start."""
    site.put("<serial type='pty'/><console type='pty'/>", processors="<vcpu current='2'>4</vcpu>")
    site.start()
    assert site.modify("Proc", "proc", PinnedTo=["0:0", "2:0"]) == 0
    assert site.running("//vcpupin[@vcpu='0']/@cpuset") == ["0"]
    assert site.find("//vcpupin/@vcpu") == ["0", "2"]
    refusal = site.refusal(site.modify, "Console", "charconsole:0", ConnectURL="file:///s")
    assert "ConnectURL means nothing" in refusal
    before = site.running("//cputune")
    refusal = site.refusal(site.modify, "Proc", "proc", PinnedTo=["0:0", "3:0"])
    assert "PinnedTo: libvirt does not keep the value" in refusal
    assert [etree.tostring(each) for each in site.running("//cputune")] == [etree.tostring(each) for each in before]


def test_a_share_that_is_taken_away_counts_from_the_next_start(site: Stopped) -> None:
    site.put("", "<cputune><shares>333</shares></cputune>")
    site.start()
    assert site.modify("Proc", "proc", Weight=0) == 0
    assert (site.running("//shares/text()"), site.find("//shares/text()")) == (["333"], [])


def test_another_guest_is_made_of_the_settings_of_a_running_one(site: Stopped) -> None:
    """What libvirt chose for the one that runs is not asked of the other one, which runs beside it."""
    channel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    site.put(f"<serial type='pty'/><console type='pty'/><graphics type='vnc' autoport='yes'/>{channel}")
    site.start()
    assert site.running("//channel/source/@path")
    (guest,) = all_guests(site.site, platform("KVM"))
    assert guest.state is not None
    described = [EmbeddedInstance(each.class_name, each.properties()) for each in settings_of(guest.state)]
    whole = VirtualSystemSettingData(guest.state).properties()
    kept = {name: value for name, value in whole.items() if name not in ("UUID", "ElementName")}
    system = EmbeddedInstance("KVM_VirtualSystemSettingData", {**kept, "VirtualSystemIdentifier": "beside"})
    assert site.call("DefineSystem", SystemSettings=system, ResourceSettings=described) == 0
    made = etree.fromstring(site.daemon.virsh("dumpxml", "--inactive", "beside").encode())
    assert nodes(made, "//channel/source/@path | //serial/source/@path") == []
    assert nodes(made, "//graphics/@port | //graphics/@autoport") == ["-1", "yes"]
    assert nodes(made, "//channel/target/@name") == ["org.qemu.guest_agent.0"]
    site.daemon.virsh("start", "beside", "--paused")


def test_what_is_said_of_processors_that_go_goes_with_them(site: Stopped) -> None:
    site.put(
        rest="<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='3' cpuset='0'/>"
        "<vcpusched vcpus='0-3' scheduler='rr' priority='1'/></cputune>",
        processors="<vcpu>4</vcpu>",
    )
    assert site.modify("Proc", "proc", MaxVirtualQuantity=2) == 0
    assert site.find("//vcpupin/@vcpu") == ["0"]
    assert site.find("//vcpusched/@vcpus") == ["0", "1"]


def test_a_smaller_topology_takes_along_what_is_said_of_its_processors(site: Stopped) -> None:
    site.put(
        rest="<cputune><vcpupin vcpu='3' cpuset='0'/><vcpusched vcpus='3' scheduler='rr' priority='1'/></cputune>"
        "<cpu mode='maximum'><topology sockets='2' cores='2' threads='1'/></cpu>",
        processors="<vcpu current='2'>4</vcpu>",
    )
    assert site.modify_system(CPUSockets=1) == 0
    assert site.find("/domain/vcpu/text()") == ["2"]
    assert site.find("//vcpupin | //vcpusched") == []


def test_what_is_said_of_threads_that_go_goes_with_them(site: Stopped) -> None:
    site.put(
        rest="<iothreads>4</iothreads><iothreadids><iothread id='7' thread_pool_max='3'/><iothread id='9'/>"
        "</iothreadids><cputune><iothreadpin iothread='9' cpuset='0'/><iothreadpin iothread='7' cpuset='0'/>"
        "<iothreadsched iothreads='1,7' scheduler='fifo' priority='1'/></cputune>",
    )
    assert site.modify("Proc", "proc", IOThreads=1) == 0
    assert site.find("/domain/iothreads/text()") == ["1"]
    assert site.find("//iothreadids/iothread/@id") == ["7"]
    assert site.find("//iothreadpin/@iothread | //iothreadsched/@iothreads") == ["7", "7"]


CELLS = (
    "<numatune><memory mode='strict' nodeset='0'/><memnode cellid='1' mode='strict' nodeset='0'/></numatune>"
    "<cpu mode='maximum'><numa>"
    "<cell id='0' cpus='0' memory='32768'><distances><sibling id='0' value='10'/><sibling id='1' value='21'/>"
    "</distances></cell>"
    "<cell id='1' cpus='1' memory='32768'><distances><sibling id='0' value='21'/><sibling id='1' value='10'/>"
    "</distances></cell>"
    "<interconnects><latency initiator='0' target='1' type='access' value='5'/>"
    "<bandwidth initiator='0' target='0' type='access' value='204800' unit='KiB'/></interconnects></numa></cpu>"
)


def test_what_is_said_of_numa_cells_that_go_goes_with_them(site: Stopped) -> None:
    """libvirt 9.0 itself ends at the distance to a cell that is not there."""
    site.put(rest=CELLS)
    assert site.modify_system(NUMACells=["0-1:65536"]) == 0
    assert site.find("//cell/@cpus") == ["0-1"]
    assert site.find("//sibling/@id | //bandwidth/@target") == ["0", "0"]
    assert site.find("//memnode | //latency") == []
    assert site.modify_system(NUMACells=[]) == 0
    assert site.find("//numa") == []


def test_a_drive_with_a_medium_in_the_network_is_emptied(site: Stopped) -> None:
    site.put(
        "<disk type='network' device='cdrom'><driver name='qemu' type='raw'/><source protocol='https' name='x.iso'>"
        "<host name='h' port='443'/></source><target dev='sda' bus='sata'/><readonly/></disk>"
    )
    assert site.modify("Disk", "sda", Address="") == 0
    assert site.find("//disk/@type | //disk/source") == ["file"]
    assert site.modify("Disk", "sda", Address="https://h/y.iso") == 0
    assert site.find("//disk/@type | //disk/source/@name") == ["network", "y.iso"]


def test_a_guest_without_a_kernel_has_nothing_for_one(site: Stopped) -> None:
    site.put()
    assert site.modify_system(Kernel="/vmlinuz", Ramdisk="/initrd", CommandLine="quiet") == 0
    assert site.find("//os/initrd/text() | //os/cmdline/text()") == ["/initrd", "quiet"]
    assert site.modify_system(Kernel="") == 0
    assert site.find("//os/kernel | //os/initrd | //os/cmdline") == []


def test_a_device_of_somebody_else_is_that_of_one_kind_of_interface(site: Stopped) -> None:
    site.put(
        "<interface type='ethernet'><mac address='52:54:00:00:00:01'/><target dev='tap1' managed='no'/></interface>"
    )
    assert site.modify("Net", "52:54:00:00:00:01", NetworkType="user") == 0
    assert site.find("//interface/@type | //interface/target/@managed") == ["user"]


def test_a_peak_goes_with_its_limit(site: Stopped) -> None:
    site.put(
        "<disk type='file' device='disk'><source file='/a.img'/><target dev='vda'/><iotune>"
        "<total_bytes_sec>1000</total_bytes_sec><total_bytes_sec_max>2000</total_bytes_sec_max>"
        "<total_bytes_sec_max_length>5</total_bytes_sec_max_length><read_iops_sec>10</read_iops_sec></iotune></disk>"
    )
    assert "TotalBytesPerSecondPeak" in site.refusal(site.modify, "Disk", "vda", TotalBytesPerSecond=3000)
    assert "ReadOperationsPerSecondPeakLength" in site.refusal(
        site.modify, "Disk", "vda", ReadOperationsPerSecondPeakLength=3
    )
    assert "needs WriteBytesPerSecond" in site.refusal(site.modify, "Disk", "vda", WriteBytesPerSecondPeak=9)
    assert site.modify("Disk", "vda", TotalBytesPerSecond=3000, TotalBytesPerSecondPeak=4000) == 0
    assert site.find("//iotune/*/text()") == ["3000", "10", "4000", "5"]
    assert site.modify("Disk", "vda", TotalBytesPerSecond=0) == 0
    assert site.find("//iotune/*/text()") == ["10"]


def test_the_size_of_an_operation_goes_with_the_last_limit_that_counts_them(site: Stopped) -> None:
    site.put(
        "<disk type='file' device='disk'><source file='/a.img'/><target dev='vda'/><iotune>"
        "<read_iops_sec>10</read_iops_sec><write_iops_sec>10</write_iops_sec><size_iops_sec>4096</size_iops_sec>"
        "</iotune></disk>"
    )
    assert site.modify("Disk", "vda", ReadOperationsPerSecond=0) == 0
    assert site.find("//iotune/*/text()") == ["10", "4096"]
    assert site.modify("Disk", "vda", WriteOperationsPerSecond=0) == 0
    assert site.find("//iotune") == []
    assert "OperationSize" in site.refusal(site.modify, "Disk", "vda", OperationSize=4096)
    assert site.modify("Disk", "vda", OperationSize=4096, TotalOperationsPerSecond=5) == 0


def test_options_that_are_taken_away_leave_nothing_empty(site: Stopped) -> None:
    site.put(
        rest="<cputune><emulatorpin cpuset='0'/><emulatorsched scheduler='rr' priority='1'/>"
        "<vcpupin vcpu='0' cpuset='0'/></cputune>"
    )
    assert site.modify("Proc", "proc", Options=[]) == 0
    assert site.find("//emulatorpin | //emulatorsched") == []
    assert site.find("//vcpupin/@vcpu") == ["0"]


def test_a_disk_keeps_a_name(site: Stopped) -> None:
    """libvirt 9.0 itself ends at a disk without one."""
    site.put("<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/><readonly/></disk>")
    assert "VirtualDevice" in site.refusal(site.modify, "Disk", "sda", VirtualDevice="")
    assert "does not apply" in site.refusal(site.modify, "Disk", "sda", MountPoint="")
    site.put("<filesystem type='mount'><source dir='/srv'/><target dir='share'/></filesystem>")
    assert "MountPoint" in site.refusal(site.modify, "Disk", "share", MountPoint="")


def test_features_go_with_the_processor_that_has_them(site: Stopped) -> None:
    site.put(rest="<cpu mode='host-passthrough'><feature policy='disable' name='lahf_lm'/></cpu>")
    assert site.modify_system(CPUMode="") == 0
    assert site.find("//cpu/feature") == []


FEATURED = "<cpu mode='{}' match='exact'>{}<feature policy='disable' name='lahf_lm'/></cpu>"


@pytest.mark.parametrize(
    ("processor", "change", "words"),
    [
        (FEATURED.format("custom", "<model>qemu64</model>"), {"CPUModel": ""}, "CPUModel: CPUFeatures needs"),
        (FEATURED.format("maximum", ""), {"CPUMode": "custom"}, "CPUMode: CPUFeatures needs"),
    ],
)
def test_features_need_a_processor(site: Stopped, processor: str, change: dict[str, Any], words: str) -> None:
    site.put(rest=processor)
    refusal = site.refusal(site.modify_system, **change)
    assert refusal.startswith(words)
    assert refusal.endswith("expected one that has them, or CPUFeatures empty")


def test_a_model_has_the_features_of_the_mode_before(site: Stopped) -> None:
    site.put(rest=FEATURED.format("maximum", ""))
    assert site.modify_system(CPUMode="custom", CPUModel="qemu64") == 0
    assert site.find("//cpu/model/text() | //cpu/feature/@name") == ["qemu64", "lahf_lm"]


@pytest.mark.parametrize("size", [(4 << 20) - 1, (4 << 20) + 1])
def test_a_size_that_libvirt_cannot_have_is_refused(site: Stopped, size: int) -> None:
    site.put("<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>")
    assert "VirtualQuantity" in site.refusal(site.modify, "", "shmem:0", VirtualQuantity=size, AllocationUnits="byte")
    assert "VirtualQuantity" in site.refusal(site.modify, "Mem", "mem", VirtualQuantity=size, AllocationUnits="byte")


def test_keys_that_nobody_asked_for_are_not_asked_of_the_firmware(site: Stopped) -> None:
    site.put()
    system = EmbeddedInstance(
        "KVM_VirtualSystemSettingData",
        {"VirtualSystemIdentifier": "secure", "Machine": "q35", "Firmware": "efi", "SecureBoot": True},
    )
    assert site.call("DefineSystem", SystemSettings=system) == 0
    features = nodes(etree.fromstring(site.daemon.virsh("dumpxml", "secure").encode()), "//os/firmware/feature/@name")
    assert features == ["secure-boot"]


@pytest.mark.parametrize("place", ["source", "disk"])
def test_the_secrets_of_an_image_change_one_by_one(site: Stopped, place: str) -> None:
    encryption = f"<encryption format='luks'>{TWICE}</encryption>"
    inside, beside = (encryption, "") if place == "source" else ("", encryption)
    site.put(
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/a.raw'>{inside}</source>"
        f"{beside}<target dev='vda' bus='virtio'/></disk>"
    )
    found = f"//{place}/encryption/secret/@uuid | //{place}/encryption/secret/@usage"
    (first, second) = site.find(found)
    assert second == "v"
    assert site.modify("Disk", "vda", FurtherEncryptionSecrets=["usage=w", f"uuid={first}"]) == 0
    assert site.find(found) == [first, "w", first]
    assert site.modify("Disk", "vda", EncryptionSecret="", EncryptionSecretUsage="u") == 0
    assert site.find(found) == ["u", "w", first]
    assert site.modify("Disk", "vda", FurtherEncryptionSecrets=[]) == 0
    assert site.find(found) == ["u"]
    for wrong in ("w", "usage=", "key=w"):
        refusal = site.refusal(site.modify, "Disk", "vda", FurtherEncryptionSecrets=[wrong])
        assert f"FurtherEncryptionSecrets: {wrong} is none" in refusal
    assert site.modify("Disk", "vda", EncryptionFormat="") == 0
    assert site.find("//encryption") == []
    assert "needs EncryptionSecret" in site.refusal(site.modify, "Disk", "vda", FurtherEncryptionSecrets=["usage=w"])


def test_who_logs_in_is_said_where_it_stands(site: Stopped) -> None:
    site.put(
        "<disk type='network' device='disk'><source protocol='rbd' name='p/i'><host name='h'/></source>"
        "<auth username='one'><secret type='ceph' usage='u'/></auth><target dev='vda' bus='virtio'/></disk>"
    )
    uuid = "6f1d7c3e-0a52-4b8b-9d10-0000000a0018"
    assert site.modify("Disk", "vda", SecretUUID=uuid, SecretUsage="") == 0
    assert site.find("//disk/auth/secret/@uuid | //auth/secret/@usage | //source/auth") == [uuid]


def test_a_description_can_be_emptied_where_there_is_none(site: Stopped) -> None:
    """A text of ours is shown in its place."""
    site.put(rest="<description>of a test</description>")
    for _ in range(2):
        assert site.modify_system(Description="") == 0
        assert site.find("//description") == []

"""Each line of the table in docs/indications.md, carried out by virsh and by CIM: exactly what it names is told."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, Server
from tests.bed.listener import Listener, subscribed
from tests.bed.server import ROOT
from tests.bed.views import DISABLED, ENABLED, OFFLINE, QUIESCE, SHUTTING_DOWN, request_state
from tests.conftest import Guests
from tests.indications.story import EVERYTHING, Moment, Story, created, deleted, modified, thing

STARTING = 10

#: libvirt says so between QEMU's word and its end, to who looks then.
GOING = Moment(enabled=SHUTTING_DOWN)

#: The classes of all that belongs to a guest.
BASES = (
    "KVM_ComputerSystem", "CIM_LogicalDevice", "CIM_SettingData", "KVM_EnabledLogicalElementCapabilities",
    "KVM_KVMRedirectionSAP", "KVM_TextRedirectionSAP", "KVM_VirtualSystemSnapshotCapabilities",
)  # fmt: skip

#: What a guest of the test bed consists of; the processors are one now, and up to four.
CURRENT = [
    "LogicalDisk vda", "Memory mem", "Processor 0", "DisplayController console:0", "DisplayController vnc",
    "PointingDevice mouse:ps2", "PointingDevice keyboard:ps2", "ConsoleDisplayController charconsole:0",
    "Controller controller:usb:0", "Controller controller:pci:0",
]  # fmt: skip
DEVICES = [*CURRENT[:3], "Processor 1", "Processor 2", "Processor 3", *CURRENT[3:]]
RESOURCES = [
    "DiskRASD vda", "MemRASD mem", "ProcRASD proc", "GraphicsRASD console:0", "GraphicsRASD vnc",
    "InputRASD mouse:ps2", "InputRASD keyboard:ps2", "ConsoleRASD charconsole:0", "ControllerRASD controller:usb:0",
    "ControllerRASD controller:pci:0", "PortRASD serial:0", "VideoRASD video:0", "AudioRASD audio:1",
    "BalloonRASD memballoon:0",
]  # fmt: skip
SETTINGS = ["VSSD", *RESOURCES]
TEXT = "TextRedirectionSAP charconsole:0"
CAPABILITIES = ["EnabledLogicalElementCapabilities", "VirtualSystemSnapshotCapabilities"]
WHOLE = ["ComputerSystem", *DEVICES, *SETTINGS, *CAPABILITIES, "KVMRedirectionSAP -1:-1", TEXT]
MEASURED = ["LogicalDisk vda", "DiskRASD vda"]
OPENED = [*deleted("KVMRedirectionSAP -1:-1"), *created("KVMRedirectionSAP PORT:0")]
CLOSED = [*deleted("KVMRedirectionSAP PORT:0"), *created("KVMRedirectionSAP -1:-1")]


def next_start(*resources: str) -> list[str]:
    """The settings of the next start."""
    return ["VSSD defined", *(f"{kind} defined/{key}" for kind, key in map(str.split, resources))]


BEGUN = [*modified(*CURRENT, *SETTINGS, CAPABILITIES[1]), *OPENED, *modified(TEXT)]
ENDED = [*modified(*CURRENT, *SETTINGS, CAPABILITIES[1]), *CLOSED, *modified(TEXT)]


@pytest.fixture
def served(libvirtd: Libvirtd) -> Iterator[tuple[Server, Listener]]:
    libvirtd.remove_domains()
    with (
        Server(libvirtd.uri(), within=str(libvirtd.namespace)) as server,
        Listener() as listener,
        subscribed(server, listener, *EVERYTHING),
    ):
        yield server, listener


def lines_of_the_table() -> set[str]:
    """What the page says that may happen."""
    page = (ROOT / "docs" / "indications.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"\| What happens \|.*?\n\n", page, re.DOTALL)
    return {line.split("|")[1].strip() for line in table.splitlines()[2:] if line}


#: Each line of the table, and where it is carried out.
CARRIED_OUT = {
    "a guest is defined": "here",
    "it is started": "here",
    "it is paused or resumed": "here",
    "it is saved": "here",
    "it is started from what was saved": "here",
    "it is shut down, destroyed, or crashes": "here",
    "a device is attached to it or detached while it runs": "here",
    "its definition is changed while it is off (`virsh edit`, autostart, a title)": "here, test_lifecycle",
    "its definition is changed while it runs": "here",
    "a medium is changed": "test_lifecycle",
    "it is undefined": "here",
    "a state is requested by CIM": "here",
    "a pool, network or network filter is defined, started, stopped, removed": "here",
    "a volume is made or removed": "here",
    "a snapshot of it is taken, removed, described otherwise, by whomever": "test_snapshots_qemu",
    "a device of the host comes, goes or changes": "tests of the inventory",
    "a job begins, comes on by a percent, ends, is removed": "tests of jobs",
    "guests take from what their host has, or give it back": "test_lifecycle",
    "a hypervisor is lost or found again": "test_nodes_real",
    "a node is added, changed, lost, found again, removed, by whomever": "test_nodes, test_nodes_real",
    "a template or an image is added, changed, removed": "test_nodes",
    "an appliance is in the catalogues since they were fetched again (`RefreshCatalogs`), or is so no more, or"
    " otherwise": "test_appliances_served",
}


def test_every_line_of_the_table_is_carried_out() -> None:
    assert lines_of_the_table() == CARRIED_OUT.keys()


def test_the_life_of_a_guest_by_virsh(served: tuple[Server, Listener], libvirtd: Libvirtd, guests: Guests) -> None:
    _, listener = served
    name = "storied-by-virsh"
    story, virsh = Story(listener, name), libvirtd.virsh
    guests.boot_sector(name)
    story.expect("define", Moment(created(*WHOLE)))
    story.expect_sizes(*MEASURED)
    story.knows(DISABLED)
    virsh("start", name)
    story.expect("start", Moment(enabled=STARTING), Moment(BEGUN, ENABLED))
    virsh("suspend", name)
    story.expect("suspend", Moment(modified(*CURRENT), QUIESCE))
    virsh("resume", name)
    story.expect("resume", Moment(modified(*CURRENT), ENABLED))
    virsh("attach-disk", name, str(libvirtd.new_image()), "vdb", "--subdriver", "qcow2", "--live")
    new = ["LogicalDisk vdb", "VSSD defined", "DiskRASD vdb", *next_start(*RESOURCES)[1:]]
    story.expect("attach a disk", Moment(created(*new)))
    story.expect_sizes("LogicalDisk vdb", "DiskRASD vdb")
    virsh("detach-disk", name, "vdb", "--live")
    story.expect("detach a disk", Moment(deleted(*new)))
    virsh("desc", name, "--title", "Other", "--config")
    story.expect("a title for the next start", Moment(created(*next_start(*RESOURCES))))
    virsh("desc", name, "--title", "Other", "--live")
    story.expect("the same title now", Moment(_mixed("VSSD", deleted(*next_start(*RESOURCES))), system=True))
    virsh("managedsave", name)
    story.expect("save", Moment(modified(*CURRENT), QUIESCE), GOING, Moment(ENDED, OFFLINE))
    virsh("start", name)
    story.expect("restore", Moment(enabled=STARTING), Moment(BEGUN, QUIESCE), Moment(modified(*CURRENT), ENABLED))
    virsh("shutdown", name)
    story.expect("shut down", GOING, Moment(ENDED, DISABLED))
    virsh("autostart", name)
    story.expect("autostart", Moment(modified("VSSD"), system=True))
    virsh("setvcpus", name, "2", "--config")
    story.expect("another processor", Moment(modified("ProcRASD proc")))
    virsh("setvcpus", name, "1", "--config")
    story.expect("one processor less", Moment(modified("ProcRASD proc")))
    virsh("start", name)
    story.expect("start again", Moment(enabled=STARTING), Moment(BEGUN, ENABLED))
    virsh("destroy", name)
    story.expect("destroy", GOING, Moment(ENDED, DISABLED))
    virsh("start", name)
    story.expect("start once more", Moment(enabled=STARTING), Moment(BEGUN, ENABLED))
    os.kill(emulator_of(libvirtd, name), signal.SIGKILL)
    story.expect("crash", Moment(ENDED, DISABLED))
    virsh("undefine", name)
    story.expect("undefine", Moment(deleted(*WHOLE)))
    story.check()


def _mixed(changed: str, gone: list[str]) -> list[str]:
    """The settings as a whole that are modified, before those of the next start that go."""
    return [*modified(changed), *gone]


def emulator_of(libvirtd: Libvirtd, name: str) -> int:
    """The process of a running guest."""
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if f"guest={name},".encode() in command:
                return int(process.name)
    raise AssertionError(f"{name} does not run")


def test_the_life_of_a_guest_by_cim(served: tuple[Server, Listener], libvirtd: Libvirtd, guests: Guests) -> None:
    server, listener = served
    name = "storied-by-cim"
    story = Story(listener, name)
    with server.pywbem() as wbem:
        (service,) = wbem.EnumerateInstanceNames("KVM_VirtualSystemManagementService")

        def call(method: str, **parameters: Any) -> dict[str, Any]:
            code, out = wbem.InvokeMethod(method, service, **parameters)
            assert code == 0, method
            return dict(out)

        def request(state: int) -> None:
            assert request_state(server, name, state, "KVM_ComputerSystem") == 0

        disk = setting("Disk", VirtualDevice="vda", Address=str(libvirtd.new_image()), DriverType="qcow2")
        memory = setting("Mem", VirtualQuantity=pywbem.Uint64(64), AllocationUnits="MegaBytes")
        system = pywbem.CIMInstance(
            "KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": name, "DomainType": "qemu"}
        )
        call("DefineSystem", SystemSettings=system, ResourceSettings=[memory, disk])
        whole = story.begins(
            {thing(name, each) for base in BASES for each in wbem.EnumerateInstances(base) if name in str(each.path)}
        )
        assert {"ComputerSystem", "LogicalDisk vda", "Memory mem", "Processor 0", "VSSD", "DiskRASD vda"} <= {*whole}
        story.expect_sizes(*MEASURED)
        story.knows(DISABLED)
        devices = whole[1 : whole.index("VSSD")]
        settings = whole[whole.index("VSSD") : whole.index("EnabledLogicalElementCapabilities")]
        changed = modified(*devices, *settings, CAPABILITIES[1])
        text = modified(*(each for each in whole if each == TEXT))
        begun, ended = [*changed, *OPENED, *text], [*changed, *CLOSED, *text]
        starting = Moment(enabled=STARTING)
        request(2)
        story.expect("start", starting, Moment(begun, ENABLED), Moment(requested=2))
        request(9)
        story.expect("pause", Moment(modified(*devices), QUIESCE), Moment(requested=9))
        request(2)
        story.expect("resume", Moment(modified(*devices), ENABLED), Moment(requested=2))
        path = pywbem.CIMInstanceName("KVM_VirtualSystemSettingData", {"InstanceID": f"KVM:{name}"})
        another = setting("Disk", VirtualDevice="vdb", Address=str(libvirtd.new_image()), DriverType="qcow2")
        out = call("AddResourceSettings", AffectedConfiguration=path, ResourceSettings=[another])
        new = ["LogicalDisk vdb", "DiskRASD vdb"]
        between = next_start(*settings[1:])
        between.insert(2, "DiskRASD defined/vdb")
        story.expect(
            "attach a disk",
            Moment(created(*between)),
            Moment([*created(new[0]), *deleted(*between[:3]), *created(new[1]), *deleted(*between[3:])]),
        )
        story.expect_sizes(*new)
        call("RemoveResourceSettings", ResourceSettings=list(out["ResultingResourceSettings"]))
        between.remove("DiskRASD defined/vdb")
        story.expect(
            "detach a disk",
            Moment(created(*between)),
            Moment([*deleted(new[0]), *deleted(between[0]), *deleted(new[1], *between[1:])]),
        )
        request(6)
        story.expect("save", Moment(modified(*devices), QUIESCE), GOING, Moment(ended, OFFLINE), Moment(requested=6))
        libvirtd.virsh("managedsave-remove", name)
        story.expect("forget what was saved", Moment(modified(*devices), DISABLED))
        request(2)
        story.expect("start again", starting, Moment(begun, ENABLED), Moment(requested=2))
        request(3)
        story.expect("destroy", GOING, Moment(ended, DISABLED), Moment(requested=3))
        changed = pywbem.CIMInstance(
            "KVM_VirtualSystemSettingData",
            {"InstanceID": f"KVM:{name}", "Notes": ["Other"], "AutoStart": pywbem.Uint16(1)},
        )
        call("ModifySystemSettings", SystemSettings=changed)
        story.expect("other settings", Moment(modified("VSSD"), system=True))
        guest = pywbem.CIMInstanceName("KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem", "Name": name})
        guest.namespace = "root/virt"
        call("DestroySystem", AffectedSystem=guest)
        story.expect("undefine", Moment(deleted(*whole)))
    story.check()


def setting(kind: str, **properties: Any) -> pywbem.CIMInstance:
    """The settings of a resource."""
    return pywbem.CIMInstance(f"KVM_{kind}ResourceAllocationSettingData", properties)


def test_pools_networks_and_filters(often_served: tuple[Server, Listener], libvirtd: Libvirtd) -> None:
    _, listener = often_served
    virsh = libvirtd.virsh
    directory = libvirtd.directory / "lib/storied-pool"
    directory.mkdir(exist_ok=True)
    pool = Story(listener, "storied-pool")
    virsh("pool-define-as", "storied-pool", "dir", "--target", str(directory))
    pool.expect("define a pool", Moment(created("DiskPool", "AllocationCapabilities")))
    virsh("pool-start", "storied-pool")
    pool.expect("start a pool", Moment(modified("DiskPool")))
    virsh("vol-create-as", "storied-pool", "one", "1M")
    pool.expect("make a volume", Moment([*modified("DiskPool"), *created("StorageVolume one")]))
    virsh("vol-delete", "one", "--pool", "storied-pool")
    pool.expect("remove a volume", Moment([*modified("DiskPool"), *deleted("StorageVolume one")]))
    virsh("pool-destroy", "storied-pool")
    pool.expect("stop a pool", Moment(modified("DiskPool")))
    virsh("pool-undefine", "storied-pool")
    pool.expect("remove a pool", Moment(deleted("DiskPool", "AllocationCapabilities")))
    file = directory / "definition.xml"
    file.write_text(f"<network><name>storied-net</name><bridge name='story{os.getpid()}'/></network>")
    network = Story(listener, "storied-net")
    virsh("net-define", str(file))
    network.expect("define a network", Moment(created("NetworkPool", "AllocationCapabilities")))
    virsh("net-start", "storied-net")
    network.expect("start a network", Moment(modified("NetworkPool")))
    virsh("net-destroy", "storied-net")
    network.expect("stop a network", Moment(modified("NetworkPool")))
    virsh("net-undefine", "storied-net")
    network.expect("remove a network", Moment(deleted("NetworkPool", "AllocationCapabilities")))
    rule = "<rule action='drop' direction='in' priority='500'><ip/></rule>"
    uuid = "11111111-2222-3333-4444-555555555555"
    file.write_text(f"<filter name='storied-filter' chain='root'><uuid>{uuid}</uuid>{rule}</filter>")
    selected = Story(listener, "storied-filter")
    virsh("nwfilter-define", str(file))
    selected.expect("define a filter", Moment(created(f"FilterList {uuid}", "IPHeadersFilter :0")))
    virsh("nwfilter-undefine", "storied-filter")
    selected.expect("remove a filter", Moment(deleted(f"FilterList {uuid}", "IPHeadersFilter :0")))
    pool.check(network, selected)

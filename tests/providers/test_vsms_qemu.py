"""Guests that are defined and changed by real clients, on a real libvirtd with QEMU; each step confirmed with virsh."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem
from lxml import etree

from tests.bed import Libvirtd, Server, wait_until
from tests.providers.recorded import CONTEXT, Served, platform
from tests.xpath import nodes
from virtcim.libhelper.domains import live
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.providers.interface import InstancePath

KVM = "KVM_VirtualSystemManagementService"
NAME = "vsms-guest"
VALID, INVALID = 2, 3


class Client:
    """pywbem, and virsh to check what it was told."""

    def __init__(self, daemon: Libvirtd, server: Server) -> None:
        self.daemon = daemon
        self.server = server
        self.wbem = server.pywbem()
        (self.service,) = self.wbem.EnumerateInstanceNames(KVM)

    def call(self, method: str, **parameters: Any) -> tuple[int, dict[str, Any]]:
        code, out = self.wbem.InvokeMethod(method, self.service, **parameters)
        return int(code), dict(out)

    def done(self, method: str, **parameters: Any) -> dict[str, Any]:
        code, out = self.call(method, **parameters)
        assert code == 0, (method, code)
        return out

    def xml(self, *options: str, name: str = NAME) -> etree._Element:
        return etree.fromstring(self.daemon.virsh("dumpxml", name, *options).encode())

    def both(self, path: str, name: str = NAME) -> list[Any]:
        """What an XPath gives in the running guest and in its definition."""
        return [self.xml(name=name).xpath(path), self.xml("--inactive", name=name).xpath(path)]


def setting(kind: str, **properties: Any) -> pywbem.CIMInstance:
    """The settings of a resource."""
    sized = {name: UNSIGNED.get(name, lambda value: value)(value) for name, value in properties.items()}
    return pywbem.CIMInstance(f"KVM_{kind}ResourceAllocationSettingData", sized)


UNSIGNED: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("VirtualQuantity", "Limit", "Reservation", "MaxVirtualQuantity", "Index"), pywbem.Uint64),
    **dict.fromkeys(("ReadBytesPerSecond", "TotalBytesPerSecond"), pywbem.Uint64),
    **dict.fromkeys(("EmulatedType", "ResourceType", "SourceType"), pywbem.Uint16),
    **dict.fromkeys(("Weight", "BootOrder"), pywbem.Uint32),
}


def system(**properties: Any) -> pywbem.CIMInstance:
    """The settings of the whole."""
    return pywbem.CIMInstance("KVM_VirtualSystemSettingData", properties)


def configuration(instance_id: str) -> pywbem.CIMInstanceName:
    return pywbem.CIMInstanceName("KVM_VirtualSystemSettingData", {"InstanceID": instance_id}, namespace="root/virt")


def resource_path(kind: str, identifier: str) -> pywbem.CIMInstanceName:
    class_name = f"KVM_{kind}ResourceAllocationSettingData"
    return pywbem.CIMInstanceName(class_name, {"InstanceID": f"{NAME}/{identifier}"}, namespace="root/virt")


def guest_path(name: str = NAME) -> pywbem.CIMInstanceName:
    return pywbem.CIMInstanceName(
        "KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem", "Name": name}, namespace="root/virt"
    )


@pytest.fixture
def client(libvirtd: Libvirtd, serve: Callable[..., Server]) -> Iterator[Client]:
    yield Client(libvirtd, serve(libvirtd.uri()))
    libvirtd.remove_domains()


def new_disk(directory: Path, name: str) -> str:
    path = directory / name
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "16M"], check=True)
    return str(path)


def layered_disk(directory: Path) -> str:
    """An image over another one."""
    path = directory / "layered.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", new_disk(directory, "below.qcow2")]
    subprocess.run([*command, str(path)], check=True)
    return str(path)


def images(disk: etree._Element) -> list[tuple[str, str]]:
    """The images of a disk as its XML has them, the top first, each with its format."""
    return list(
        zip(
            nodes(disk, "source/@file | .//backingStore/source/@file"),
            nodes(disk, "driver/@type | .//backingStore/format/@type"),
            strict=True,
        )
    )


def images_on_disk(image: str) -> list[tuple[str, str]]:
    """The same, as the headers of the images have it."""
    told = subprocess.run(
        ["qemu-img", "info", "--force-share", "--backing-chain", "--output=json", image],
        check=True,
        capture_output=True,
    )
    return [(each["filename"], each["format"]) for each in json.loads(told.stdout)]


def define(client: Client, **more: Any) -> None:
    """A guest that boots the boot sector."""
    resources = [
        setting("Mem", VirtualQuantity=64, AllocationUnits="MegaBytes"),
        setting("Proc", VirtualQuantity=1, MaxVirtualQuantity=4, Weight=512),
        setting("Disk", VirtualDevice="vda", Address=str(client.daemon.new_image()), DriverType="qcow2"),
        setting("Net", NetworkType="user"),
        setting("Disk", VirtualDevice="hdc", EmulatedType=1, Address=""),
        setting("Console", SourceType=2),
    ]
    settings = system(VirtualSystemIdentifier=NAME, DomainType="qemu", **more)
    checked = client.done("ValidateSystemSettings", SystemSettings=settings, ResourceSettings=resources)
    assert (checked["Verdict"], list(checked["Messages"])) == (VALID, [])
    out = client.done("DefineSystem", SystemSettings=settings, ResourceSettings=resources)
    made = client.wbem.GetInstance(out["ResultingSystem"])
    assert (made["Name"], made["EnabledState"]) == (NAME, 3)


def start(client: Client) -> None:
    code, _ = client.wbem.InvokeMethod("RequestStateChange", guest_path(), RequestedState=pywbem.Uint16(2))
    assert code == 0
    time.sleep(0.5)  # until the boot sector listens


def test_a_guest_from_definition_to_removal(client: Client, tmp_path: Path) -> None:
    define(client)
    start(client)
    assert client.daemon.list_all()[NAME] == "running"
    ids = [each.path["InstanceID"] for each in client.wbem.EnumerateInstances("KVM_VirtualSystemSettingData")]
    assert ids == [f"KVM:{NAME}"], "the running guest is as it is defined"

    disk, mac = new_disk(tmp_path, "extra.qcow2"), "52:54:00:12:34:56"
    out = client.done(
        "AddResourceSettings",
        AffectedConfiguration=configuration(f"KVM:{NAME}"),
        ResourceSettings=[
            setting("Disk", VirtualDevice="vdb", Address=disk, DriverType="qcow2"),
            setting("Net", NetworkType="user", Address=mac),
        ],
    )
    assert [path["InstanceID"] for path in out["ResultingResourceSettings"]] == [f"{NAME}/vdb", f"{NAME}/{mac}"]
    assert client.both("//disk[target/@dev='vdb']/source/@file") == [[disk], [disk]]
    assert client.both(f"//interface[mac/@address='{mac}']/model/@type") == [["virtio"], ["virtio"]]
    places = client.both("//disk[target/@dev='vdb']/address/@slot")
    assert places[0] == places[1]

    client.done(
        "ModifyResourceSettings",
        ResourceSettings=[setting("Disk", InstanceID=f"{NAME}/vdb", ReadBytesPerSecond=1 << 20)],
    )
    assert client.both("//disk[target/@dev='vdb']/iotune/read_bytes_sec/text()") == [["1048576"], ["1048576"]]
    assert "read_bytes_sec : 1048576" in " ".join(client.daemon.virsh("blkdeviotune", NAME, "vdb").split())

    client.done(
        "ModifyResourceSettings", ResourceSettings=[setting("Net", InstanceID=f"{NAME}/{mac}", LinkState="down")]
    )
    assert client.both(f"//interface[mac/@address='{mac}']/link/@state") == [["down"], ["down"]]

    cd = new_disk(tmp_path, "cd.iso")
    client.done("ModifyResourceSettings", ResourceSettings=[setting("Disk", InstanceID=f"{NAME}/hdc", Address=cd)])
    assert client.both("//disk[@device='cdrom']/source/@file") == [[cd], [cd]]
    client.done("ModifyResourceSettings", ResourceSettings=[setting("Disk", InstanceID=f"{NAME}/hdc", Address="")])
    assert client.both("//disk[@device='cdrom']/source/@file") == [[], []]

    paths = [
        pywbem.CIMInstanceName("KVM_DiskResourceAllocationSettingData", {"InstanceID": f"{NAME}/vdb"}),
        pywbem.CIMInstanceName("KVM_NetResourceAllocationSettingData", {"InstanceID": f"{NAME}/{mac}"}),
    ]
    client.done("RemoveResourceSettings", ResourceSettings=paths)
    assert client.both("count(//disk) + count(//interface)") == [3.0, 3.0]

    client.done("DestroySystem", AffectedSystem=guest_path())
    assert NAME not in client.daemon.list_all()
    assert Path(disk).exists()


def test_a_disk_has_the_chain_of_its_image(client: Client, tmp_path: Path) -> None:
    """libvirt writes the chain of a snapshot into the definition, and would lay another image over the old base."""
    define(client)
    start(client)
    (base,) = nodes(client.xml(), "//disk[target/@dev='vda']/source/@file")
    client.daemon.virsh("snapshot-create-as", NAME, "s", "--disk-only", "--no-metadata")
    client.daemon.virsh("destroy", NAME)
    (disk,) = nodes(client.xml("--inactive"), "//disk[target/@dev='vda']")
    (snapshot, _), _ = images(disk)

    for image in (new_disk(tmp_path, "other.qcow2"), layered_disk(tmp_path), snapshot, base):
        client.done(
            "ModifyResourceSettings", ResourceSettings=[setting("Disk", InstanceID=f"{NAME}/vda", Address=image)]
        )
        start(client)
        (disk,) = nodes(client.xml(), "//disk[target/@dev='vda']")
        assert images(disk) == images_on_disk(image)
        assert nodes(client.xml("--inactive"), "//disk/backingStore") == [], "left to the headers of the images"
        ids = [each["InstanceID"] for each in client.wbem.EnumerateInstanceNames("KVM_VirtualSystemSettingData")]
        assert ids == [f"KVM:{NAME}"], "the running guest is as it is defined"
        client.daemon.virsh("destroy", NAME)


def test_a_medium_of_a_running_guest_has_the_chain_of_its_image(client: Client, tmp_path: Path) -> None:
    define(client)
    plain, layered = new_disk(tmp_path, "plain.qcow2"), layered_disk(tmp_path)
    drive = f"{NAME}/hdc"
    client.done(
        "ModifyResourceSettings",
        ResourceSettings=[setting("Disk", InstanceID=drive, Address=plain, DriverType="qcow2")],
    )
    start(client)
    client.done("ModifyResourceSettings", ResourceSettings=[setting("Disk", InstanceID=drive, Address=layered)])
    running, defined = client.both("//disk[target/@dev='hdc']")
    assert images(running[0]) == images_on_disk(layered)
    assert images(defined[0]) == [(layered, "qcow2")]
    client.done("ModifyResourceSettings", ResourceSettings=[setting("Disk", InstanceID=drive, Address="")])
    assert client.both("//disk[@device='cdrom']/source/@file | //disk[@device='cdrom']/backingStore") == [[], []]


def test_another_volume_is_read_in_its_own_format(client: Client, tmp_path: Path) -> None:
    """As raw data, the guest would overwrite the header of a qcow2 image."""
    pool = tmp_path / "pool"
    pool.mkdir()
    image, medium, iso = new_disk(pool, "image.qcow2"), new_disk(pool, "medium.qcow2"), pool / "cd.iso"
    iso.write_bytes(bytes(0x8001) + b"CD001" + bytes(0x8000))
    raw = tmp_path / "raw.img"
    raw.write_bytes(bytes(1 << 20))

    def change(device: str, **values: Any) -> None:
        resource = setting("Disk", InstanceID=f"{NAME}/{device}", **values)
        client.done("ModifyResourceSettings", ResourceSettings=[resource])

    define(client)
    client.daemon.virsh("pool-create-as", "formats", "dir", "--target", str(pool))
    try:
        wait_until(lambda: "DiskPool/formats" in str(client.wbem.EnumerateInstanceNames("KVM_DiskPool")))
        change("vda", Address=str(raw), DriverType="raw")
        change("vda", Address="formats/image.qcow2")
        (disk,) = nodes(client.xml(), "//disk[target/@dev='vda']")
        assert images(disk) == [(image, "qcow2")]
        change("vda", Address=str(raw), DriverType="raw")
        told_back = client.wbem.GetInstance(resource_path("Disk", "vda"))
        told_back["Address"] = image
        assert (told_back["DriverType"], told_back["HostResource"]) == ("raw", [f"file://{raw}"])
        client.done("ModifyResourceSettings", ResourceSettings=[told_back])
        start(client)
        (disk,) = nodes(client.xml(), "//disk[target/@dev='vda']")
        assert images(disk) == images_on_disk(image) == [(image, "qcow2")]
        for path, form in ((medium, "qcow2"), (str(iso), "raw"), (medium, "qcow2")):
            change("hdc", Address=path)
            assert client.both("//disk[target/@dev='hdc']/driver/@type") == [[form], [form]]
            assert f"{path} ({form}," in client.daemon.virsh("qemu-monitor-command", NAME, "--hmp", "info block")
        change("hdc", Address="")
        assert client.both("//disk[target/@dev='hdc']/driver/@type") == [["raw"], ["raw"]]
        change("hdc", Address=str(raw))
        assert client.both("//disk[target/@dev='hdc']/driver/@type") == [["raw"], ["raw"]]
    finally:
        client.daemon.virsh("pool-destroy", "formats")


def test_memory_processors_and_shares_of_a_running_guest(client: Client) -> None:
    define(client)
    start(client)
    client.done(
        "ModifyResourceSettings",
        ResourceSettings=[setting("Proc", InstanceID=f"{NAME}/proc", VirtualQuantity=2, Weight=2048, Limit=50)],
    )
    assert client.both("//vcpu/@current") == [["2"], ["2"]]
    assert client.both("//cputune/shares/text()") == [["2048"], ["2048"]]
    assert client.both("//cputune/quota/text()") == [["25000"], ["25000"]]
    shares = dict(line.split(":") for line in client.daemon.virsh("schedinfo", NAME).replace(" ", "").splitlines())
    assert (shares["cpu_shares"], shares["vcpu_quota"]) == ("2048", "25000")
    assert (
        client.wbem.GetInstance(
            pywbem.CIMInstanceName("KVM_ProcResourceAllocationSettingData", {"InstanceID": f"{NAME}/proc"})
        )["Limit"]
        == 50
    )

    client.done(
        "ModifyResourceSettings",
        ResourceSettings=[setting("Mem", InstanceID=f"{NAME}/mem", VirtualQuantity=48, AllocationUnits="byte*2^20")],
    )
    # The boot sector has no balloon driver, so only libvirt's wish can be seen: in the definition.
    assert nodes(client.xml("--inactive"), "//currentMemory/text()") == ["49152"]
    check_one_configuration(client, 48)
    with pytest.raises(pywbem.CIMError, match="more than Limit"):
        client.call(
            "ModifyResourceSettings",
            ResourceSettings=[setting("Mem", InstanceID=f"{NAME}/mem", VirtualQuantity=1 << 20)],
        )


def check_one_configuration(client: Client, mebibytes: int) -> None:
    """A guest that has not let go of the memory that it is to give is as it is defined, and changed as a whole."""
    assert nodes(client.xml(), "//currentMemory/text()") == ["65536"]
    ids = [each["InstanceID"] for each in client.wbem.EnumerateInstanceNames("KVM_VirtualSystemSettingData")]
    assert ids == [f"KVM:{NAME}"]
    (memory,) = client.wbem.EnumerateInstances("KVM_MemResourceAllocationSettingData")
    assert memory["VirtualQuantity"] == mebibytes << 10
    (device,) = client.wbem.EnumerateInstances("KVM_Memory")
    assert device["ConsumableBlocks"] * device["BlockSize"] == 64 << 20
    client.done("ModifySystemSettings", SystemSettings=system(InstanceID=f"KVM:{NAME}", Title="of both"))
    assert client.both("/domain/title/text()") == [["of both"], ["of both"]]
    client.done("ModifyResourceSettings", ResourceSettings=[memory])
    assert client.both("//currentMemory/text()") == [["65536"], [str(mebibytes << 10)]]


def test_a_guest_that_is_started_with_less_than_it_can_have(client: Client) -> None:
    """The boot sector has no driver for the balloon, and so keeps all of its memory."""
    define(client)
    client.done(
        "ModifyResourceSettings",
        ResourceSettings=[setting("Mem", InstanceID=f"{NAME}/mem", VirtualQuantity=40, AllocationUnits="byte*2^20")],
    )
    start(client)
    check_one_configuration(client, 40)
    client.done(
        "ModifyResourceSettings",
        ResourceSettings=[
            setting("Mem", InstanceID=f"{NAME}/defined/mem", VirtualQuantity=44, AllocationUnits="byte*2^20")
        ],
    )
    ids = [each["InstanceID"] for each in client.wbem.EnumerateInstanceNames("KVM_VirtualSystemSettingData")]
    assert ids == [f"KVM:{NAME}", f"KVM:{NAME}/defined"], "the next start is to have another size"
    sizes = {each["VirtualQuantity"] for each in client.wbem.EnumerateInstances("KVM_MemResourceAllocationSettingData")}
    assert sizes == {40 << 10, 44 << 10}


def test_what_waits_for_the_next_start(client: Client) -> None:
    """A change of what cannot be changed now makes of one configuration two, each with settings of its own."""
    define(client)
    start(client)
    client.done(
        "ModifySystemSettings",
        SystemSettings=system(InstanceID=f"KVM:{NAME}", CPUMode="custom", CPUModel="Haswell", Title="both"),
    )
    assert client.both("/domain/title/text()") == [["both"], ["both"]]
    assert client.both("/domain/cpu/model/text()")[1] == ["Haswell"]
    found = {each["InstanceID"]: each for each in client.wbem.EnumerateInstances("KVM_VirtualSystemSettingData")}
    assert set(found) == {f"KVM:{NAME}", f"KVM:{NAME}/defined"}
    assert found[f"KVM:{NAME}/defined"]["CPUModel"] == "Haswell"

    code, _ = client.call("ModifySystemSettings", SystemSettings=system(InstanceID=f"KVM:{NAME}", CPUModel="qemu32"))
    assert code == 5, "the running guest alone was meant, and its processors cannot be changed"
    client.done("ModifySystemSettings", SystemSettings=system(InstanceID=f"KVM:{NAME}/defined", Title="next"))
    assert client.both("/domain/title/text()") == [["both"], ["next"]]
    mac = "52:54:00:12:34:57"
    out = client.done(
        "AddResourceSettings",
        AffectedConfiguration=configuration(f"KVM:{NAME}/defined"),
        ResourceSettings=[setting("Net", NetworkType="user", Address=mac)],
    )
    assert out["ResultingResourceSettings"][0]["InstanceID"] == f"{NAME}/defined/{mac}"
    assert [len(found) for found in client.both(f"//mac[@address='{mac}']")] == [0, 1]
    code, _ = client.call(
        "ModifySystemSettings", SystemSettings=system(InstanceID=f"KVM:{NAME}", VirtualSystemIdentifier="other")
    )
    assert code == 5


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_of_a_directory_harms_no_guest(client: Client, name: str) -> None:
    """libvirt 9.0 refuses it only after it has removed what it knows of all guests' snapshots."""
    define(client)
    client.daemon.virsh("snapshot-create-as", NAME, "kept", "--disk-only")
    kept = list((client.daemon.directory / "lib/qemu/snapshot").rglob("*"))
    assert kept
    for method, more in (("DefineSystem", {}), ("ModifySystemSettings", {"InstanceID": f"KVM:{NAME}"})):
        with pytest.raises(pywbem.CIMError, match="cannot be the name of a guest"):
            client.call(method, SystemSettings=system(VirtualSystemIdentifier=name, **more))
    assert list((client.daemon.directory / "lib/qemu/snapshot").rglob("*")) == kept


def test_a_failure_changes_nothing(client: Client, tmp_path: Path) -> None:
    """The second of two disks does not exist when QEMU opens it: the first one goes again."""
    define(client)
    start(client)
    before = [client.daemon.virsh("dumpxml", NAME, *options) for options in ((), ("--inactive",))]
    fine, broken = new_disk(tmp_path, "fine.qcow2"), tmp_path / "broken.qcow2"
    broken.write_text("this is no image")
    with pytest.raises(pywbem.CIMError, match="Add resource failed"):
        client.call(
            "AddResourceSettings",
            AffectedConfiguration=configuration(f"KVM:{NAME}"),
            ResourceSettings=[
                setting("Disk", VirtualDevice="vdb", Address=fine, DriverType="qcow2"),
                setting("Disk", VirtualDevice="vdc", Address=str(broken), DriverType="qcow2"),
            ],
        )
    after = [client.daemon.virsh("dumpxml", NAME, *options) for options in ((), ("--inactive",))]
    assert after == before


def test_a_guest_with_all_that_libvirt_keeps_is_removed(client: Client) -> None:
    define(client)
    start(client)
    client.daemon.virsh("checkpoint-create-as", NAME, "c")
    client.daemon.virsh("snapshot-create", NAME)
    client.daemon.virsh("managedsave", NAME)
    client.done("DestroySystem", AffectedSystem=guest_path())
    assert NAME not in client.daemon.list_all()
    with pytest.raises(pywbem.CIMError) as caught:
        client.call("DestroySystem", AffectedSystem=guest_path())
    assert caught.value.status_code == pywbem.CIM_ERR_NOT_FOUND


def test_a_guest_is_renamed_while_it_is_off(client: Client) -> None:
    define(client)
    uuid = client.xml("--inactive").findtext("uuid")
    client.done(
        "ModifySystemSettings",
        SystemSettings=system(InstanceID=f"KVM:{NAME}", ElementName="renamed", AutoStart=pywbem.Uint16(1)),
    )
    assert client.xml("--inactive", name="renamed").findtext("uuid") == uuid
    assert client.wbem.GetInstance(guest_path("renamed"))["UUID"] == uuid
    assert client.wbem.GetInstance(configuration("KVM:renamed").copy())["AutoStart"] == 1


def test_the_dry_run_says_what_libvirt_would(client: Client) -> None:
    out = client.done(
        "ValidateSystemSettings",
        SystemSettings=system(VirtualSystemIdentifier=NAME, DomainType="qemu", Machine="pdp-11"),
    )
    assert out["Verdict"] == INVALID
    assert "pdp-11" in out["Messages"][0]
    assert NAME not in client.daemon.list_all()
    with pytest.raises(pywbem.CIMError, match="SystemSettings Error: Machine"):
        client.call(
            "DefineSystem", SystemSettings=system(VirtualSystemIdentifier=NAME, DomainType="qemu", Machine="pdp-11")
        )


def test_wbemcli_defines_a_guest_in_mof(client: Client) -> None:
    """As libvirt-cim's own scripts do: the settings as MOF in plain strings.  wbemcli itself escapes nothing."""
    path = (
        f'{KVM}.SystemCreationClassName="KVM_HostSystem",SystemName="{client.service["SystemName"]}",'
        f'CreationClassName="{KVM}",Name="Management Service"'
    )
    whole = f'instance of KVM_VirtualSystemSettingData {{ VirtualSystemIdentifier = "{NAME}"; DomainType = "qemu"; }};'
    memory = 'instance of KVM_MemResourceAllocationSettingData { VirtualQuantity = 65536; AllocationUnits = "KiB"; };'
    given = {"SystemSettings": whole, "ResourceSettings": memory}
    quoted = ",".join(f'{name}="{text.replace(chr(34), "&quot;")}"' for name, text in given.items())
    client.server.wbemcli("cm", path, f"DefineSystem.{quoted}")
    assert wait_until(lambda: client.daemon.list_all().get(NAME)) == "shut off"
    assert nodes(client.xml("--inactive"), "//memory/text()") == ["65536"]
    client.done("DestroySystem", AffectedSystem=guest_path())


def test_memory_that_was_asked_for_is_so_over_a_restart_of_the_server(client: Client) -> None:
    """What was kept is forgotten with the guest, also one that goes while no server is there."""
    define(client)
    smaller = setting("Mem", InstanceID=f"{NAME}/mem", VirtualQuantity=40, AllocationUnits="byte*2^20")
    client.done("ModifyResourceSettings", ResourceSettings=[smaller])
    start(client)
    wait_until(lambda: client.server.kept("asked memory"))
    client.server.stop(signal.SIGKILL)
    client.server.start()
    client.wbem = client.server.pywbem()
    wait_until(lambda: client.wbem.EnumerateInstanceNames("KVM_ComputerSystem"))
    check_one_configuration(client, 40)
    client.server.stop()
    client.daemon.remove_domains()
    client.server.start()
    client.wbem = client.server.pywbem()
    wait_until(lambda: not client.server.kept("asked memory"))


def test_a_memory_module_and_other_devices_come_and_go(client: Client, guests: Any) -> None:
    """One configuration before, in between and after."""
    guests.boot_sector("modules")
    wait_until(lambda: client.wbem.EnumerateInstanceNames("KVM_ComputerSystem"))
    code, _ = client.wbem.InvokeMethod("RequestStateChange", guest_path("modules"), RequestedState=pywbem.Uint16(2))
    assert code == 0
    time.sleep(0.5)
    wanted = [
        setting("", ResourceType=4, ResourceSubType="dimm", VirtualQuantity=128, AllocationUnits="MegaBytes"),
        setting("", ResourceType=1, OtherResourceType="rng"),
        setting("Controller", ResourceSubType="scsi", Model="virtio-scsi"),
    ]
    for each in wanted:
        out = client.done(
            "AddResourceSettings", AffectedConfiguration=configuration("KVM:modules"), ResourceSettings=[each]
        )
        (path,) = out["ResultingResourceSettings"]
        assert client.wbem.GetInstance(path)["InstanceID"] == path["InstanceID"]
        assert len(client.wbem.EnumerateInstanceNames("KVM_VirtualSystemSettingData")) == 1
        if each["ResourceSubType" if "ResourceSubType" in each else "OtherResourceType"] == "dimm":
            assert client.both("count(//devices/memory)", "modules") == [1.0, 1.0]
        client.done("RemoveResourceSettings", ResourceSettings=[path])
        assert len(client.wbem.EnumerateInstanceNames("KVM_VirtualSystemSettingData")) == 1
    assert client.both("count(//devices/memory|//rng|//controller[@type='scsi'])", "modules") == [0.0, 0.0]


def test_an_instance_is_got_changed_and_sent_back(client: Client) -> None:
    """Clients send back all that they got, with one property changed."""
    define(client)
    start(client)
    for kind, name, value in (
        ("Net", "LinkState", "down"),
        ("Disk", "WriteBytesPerSecond", pywbem.Uint64(1 << 20)),
        ("Proc", "Weight", pywbem.Uint32(333)),
    ):
        (instance, *_) = client.wbem.EnumerateInstances(f"KVM_{kind}ResourceAllocationSettingData")
        instance[name] = value
        client.done("ModifyResourceSettings", ResourceSettings=[instance])
        assert client.wbem.GetInstance(instance.path)[name] == value
    assert client.both("//cputune/shares/text()") == [["333"], ["333"]]
    whole = client.wbem.GetInstance(configuration(f"KVM:{NAME}"))
    whole["AutomaticRecoveryAction"] = pywbem.Uint16(3)
    client.done("ModifySystemSettings", SystemSettings=whole)
    assert client.both("/domain/on_crash/text()") == [["restart"], ["restart"]]


WHOLE = """<domain type='qemu'><name>whole</name><memory>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file' device='disk'>
<driver name='qemu' type='qcow2'/><source file='{}'/><target dev='vda' bus='virtio'/>
</disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
<interface type='user'><mac address='52:54:00:00:00:01'/></interface>
<serial type='pty'/><console type='pty'/><console type='pty'><target type='virtio'/></console>
<input type='tablet' bus='usb'/><graphics type='vnc' listen='127.0.0.1'/><video><model type='vga'/></video>
<sound model='ich6'/><watchdog model='i6300esb'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
</devices></domain>"""


def until_known(client: Client, name: str) -> None:
    wait_until(
        lambda: name in [each["Name"] for each in client.wbem.EnumerateInstanceNames("KVM_ComputerSystem")],
    )


@pytest.mark.parametrize("runs", [False, True])
def test_all_that_is_shown_of_a_guest_makes_another_one(client: Client, tmp_path: Path, runs: bool) -> None:
    """Without a reference: what is listed as text console, as graphical one and as serial port is one device."""
    client.daemon.define(WHOLE.format(new_disk(tmp_path, "whole.qcow2")))
    until_known(client, "whole")
    console = pywbem.CIMInstanceName("KVM_GraphicsResourceAllocationSettingData", {"InstanceID": "whole/console:0"})
    if runs:
        client.daemon.virsh("start", "whole")
        wait_until(lambda: str(client.wbem.GetInstance(console)["Address"]).startswith("/dev/pts/"))
    shown = [
        each
        for each in client.wbem.EnumerateInstances("CIM_ResourceAllocationSettingData")
        if each["InstanceID"].startswith("whole/")
    ]
    client.done("DefineSystem", SystemSettings=system(VirtualSystemIdentifier=NAME), ResourceSettings=shown)

    def devices(name: str) -> Counter[tuple[str, str]]:
        found = client.xml("--inactive", name=name).find("devices")
        assert found is not None
        return Counter((str(each.tag), each.get("type", "")) for each in found)

    assert devices(NAME) == devices("whole")
    assert nodes(client.xml("--inactive"), "devices/console/target/@type") == ["serial", "virtio"]


def test_a_pseudo_terminal_is_added_once(client: Client) -> None:
    """Under each name that it is listed by."""
    client.daemon.define(WHOLE.format("/nonexistent").replace("whole", NAME))
    until_known(client, NAME)
    count = len(client.xml("--inactive").findall("devices/console"))
    out = client.done(
        "AddResourceSettings",
        AffectedConfiguration=configuration(f"KVM:{NAME}"),
        ResourceSettings=[
            setting("Graphics", ResourceSubType="console", Address=":2"),
            setting("Console", SourceType=2, TargetType="virtio"),
        ],
    )
    assert [each["InstanceID"] for each in out["ResultingResourceSettings"]] == [
        f"{NAME}/console:2",
        f"{NAME}/charconsole:2",
    ]
    added = f"devices/console[position() > {count}]"
    assert nodes(client.xml("--inactive"), f"{added}/@type | {added}/target/@*") == ["pty", "virtio", "2"]


def test_a_device_that_the_guest_keeps(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A paused guest lets go of nothing: the definition keeps the device, too."""
    define(client)
    start(client)
    client.done(
        "AddResourceSettings",
        AffectedConfiguration=configuration(f"KVM:{NAME}"),
        ResourceSettings=[
            setting("Disk", VirtualDevice="vdb", Address=new_disk(tmp_path, "kept.qcow2"), DriverType="qcow2")
        ],
    )
    client.daemon.virsh("suspend", NAME)
    monkeypatch.setattr(live, "_DETACH_TIMEOUT", 1.0)
    hypervisor = Hypervisor(client.daemon.uri(), HypervisorSettings())
    hypervisor.start()
    assert hypervisor.wait_ready(60)
    try:
        served = Served([(platform("KVM"), hypervisor)])
        path = InstancePath("KVM_DiskResourceAllocationSettingData", {"InstanceID": f"{NAME}/vdb"})
        result = served.providers[KVM].invoke_method(
            KVM, None, "RemoveResourceSettings", {"ResourceSettings": [path]}, CONTEXT
        )
    finally:
        hypervisor.stop()
    assert result.return_value == 3
    assert client.both("count(//disk[target/@dev='vdb'])") == [1.0, 1.0]

"""What libvirt with QEMU defines and does not start: a change that leads there is refused, and no other is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Libvirtd
from tests.providers.test_vsms_kept import NAME, Stopped
from virtcim.immutable import immutable


@pytest.fixture(scope="module")
def site(libvirtd: Libvirtd) -> Iterator[Stopped]:
    with Stopped(libvirtd) as made:
        yield made


@immutable
class Guest:
    """What is defined of a guest."""

    devices: str = ""
    rest: str = ""
    memory: str = "<memory>65536</memory>"

    def put(self, site: Stopped) -> None:
        site.put(self.devices, self.rest, memory=self.memory)

    def without(self, text: str) -> Guest:
        """The same guest without a part of its XML."""
        return Guest(self.devices.replace(text, ""), self.rest.replace(text, ""), self.memory)


@immutable
class Obstacle:
    """A change after which a guest would not start.

    Attributes:
        guest: as it is then.
        part: of its XML, without which it starts.
        change: what leads there from the guest without that part.
        words: what it is refused with.
    """

    guest: Guest
    part: str
    change: Callable[[Stopped], int]
    words: str


def modify_system(**properties: Any) -> Callable[[Stopped], int]:
    return lambda site: site.modify_system(**properties)


def modify(kind: str, identifier: str, **properties: Any) -> Callable[[Stopped], int]:
    return lambda site: site.modify(kind, identifier, **properties)


def add(kind: str, **properties: Any) -> Callable[[Stopped], int]:
    return lambda site: site.add(kind, **properties)


VNC, SPICE = "<graphics type='vnc' port='-1'/>", "<graphics type='spice' port='-1'/>"
GERMAN = "<graphics type='vnc' port='-1' keymap='de'/>"
PORT = "<{} type='null'><target port='{}'/></{}>"
CHANNEL = "<channel type='{}'><target type='virtio' name='org.example'/></channel>"


def ports(tag: str, count: int) -> str:
    return "".join(PORT.format(tag, number, tag) for number in range(count))


ONE_TOO_MANY = {
    "displays of VNC": Obstacle(
        Guest(VNC + GERMAN),
        GERMAN,
        add("Graphics", ResourceSubType="vnc"),
        "ResourceSubType: QEMU has one display of type vnc",
    ),
    "displays of SPICE": Obstacle(
        Guest(SPICE + SPICE.replace("'-1'", "'5999'")),
        SPICE.replace("'-1'", "'5999'"),
        add("Graphics", ResourceSubType="spice"),
        "ResourceSubType: QEMU has one display of type spice",
    ),
    "parallel ports": Obstacle(
        Guest(ports("parallel", 4)),
        PORT.format("parallel", 3, "parallel"),
        add("", ResourceType=22, BackendType="null"),
        "ResourceType: QEMU has 3 parallel ports",
    ),
    "channels of a name": Obstacle(
        Guest(CHANNEL.format("null") + CHANNEL.format("pty")),
        CHANNEL.format("pty"),
        add("", ResourceType=1, OtherResourceType="channel", BackendType="pty", TargetName="org.example"),
        "TargetName: another channel has the name org.example",
    ),
}

DISK = (
    "<disk type='file'><driver name='qemu' type='raw'{}/><source file='{}'/><target dev='vda' bus='virtio'/>{}</disk>"
)
DIRECTORY = "<filesystem type='mount' accessmode='squash'><source dir='/tmp'/><target dir='{}'/></filesystem>"
CELLS = "<cpu><numa><cell id='0' cpus='0' memory='65536'/><cell id='1' cpus='1' memory='0'/></numa></cpu>"


def beyond(xml: str, part: str, change: Callable[[Stopped], int], words: str) -> Obstacle:
    return Obstacle(Guest(xml.format(part)), part, change, words)


VALUES_BEYOND: dict[str, tuple[str, dict[str, Any], str]] = {
    "blocks that are no power of two": (
        "<blockio logical_block_size='1000' physical_block_size='1000'/>",
        {"LogicalBlockSize": 1000, "PhysicalBlockSize": 1000},
        "LogicalBlockSize: QEMU takes no 1000; expected a power of two from 512 to 2097152",
    ),
    "blocks that are too small": (
        "<blockio physical_block_size='256'/>",
        {"PhysicalBlockSize": 256},
        "PhysicalBlockSize: QEMU takes no 256",
    ),
    "queues": (" queues='1025'", {"QueueCount": 1025}, "QueueCount: QEMU takes no 1025; expected 1 to 1024"),
    "places in a queue": (
        " queue_size='100'",
        {"Options": ["driver/@queue_size=100"]},
        "Options: driver/@queue_size: QEMU takes no 100; expected a power of two from 4 to 1024",
    ),
}
OTHER_VALUES_BEYOND = {
    "queues of SCSI": beyond(
        "<controller type='scsi' index='0' model='virtio-scsi'>{}</controller>",
        "<driver queues='1023'/>",
        modify("Controller", "controller:scsi:0", Queues="1023"),
        "Queues: QEMU takes no 1023; expected 1 to 1022",
    ),
    "ports of a controller": beyond(
        "<controller type='virtio-serial' index='0'{}/>",
        " ports='512'",
        modify("Controller", "controller:virtio-serial:0", Ports="512"),
        "Ports: QEMU takes no 512; expected 1 to 511",
    ),
    "heads": beyond(
        f"{VNC}<video><model type='virtio'{{}}/></video>",
        " heads='17'",
        modify("Video", "video:0", Heads=17),
        "Heads: QEMU takes no 17; expected 1 to 16",
    ),
    "memory of an adapter": beyond(
        f"{VNC}<video><model type='bochs'{{}}/></video>",
        " vram='2048'",
        modify("Video", "video:0", VideoMemory=2048),
        "VideoMemory: QEMU takes no 2048; expected 4096 to 262144",
    ),
    "a name of a directory": beyond(
        DIRECTORY.replace("{}", "share{}"),
        "x" * 27,
        modify("Disk", "share", MountPoint=f"share{'x' * 27}"),
        f"MountPoint: share{'x' * 27} has 32 bytes; expected 31 at most",
    ),
    "a port of two displays": beyond(
        "<graphics type='vnc' port='5998'/>{}",
        "<graphics type='spice' port='5998'/>",
        add("Graphics", ResourceSubType="spice", Address="127.0.0.1:5998"),
        "Address: port 5998 is that of another display",
    ),
}


def check_obstacle(site: Stopped, obstacle: Obstacle) -> None:
    """QEMU does not start what a change would lead to; that change is refused, and another one of that guest is not."""
    obstacle.guest.put(site)
    with pytest.raises(subprocess.CalledProcessError):
        site.start()
    assert site.modify_system(Title="another title") == 0
    obstacle.guest.without(obstacle.part).put(site)
    assert obstacle.words in site.refusal(obstacle.change, site)
    site.start()


def test_tables_of_the_firmware_need_what_they_are_to_say(site: Stopped) -> None:
    site.put()
    assert "SMBIOSMode: sysinfo" in site.refusal(site.modify_system, SMBIOSMode="sysinfo")
    said = ["sysinfo/@type=smbios", "sysinfo/system/entry[1]/@name=serial", "sysinfo/system/entry[1]=4711"]
    assert site.modify_system(SMBIOSMode="sysinfo", Options=said) == 0
    assert "SMBIOSMode: sysinfo" in site.refusal(site.modify_system, Options=[])
    site.start()
    assert site.daemon.list_all()[NAME] == "paused"


@pytest.mark.parametrize("name", ONE_TOO_MANY)
def test_there_are_no_more_devices_of_a_kind_than_can_be(site: Stopped, name: str) -> None:
    check_obstacle(site, ONE_TOO_MANY[name])


def test_there_is_no_fifth_serial_port(site: Stopped) -> None:
    """With which libvirt defines a guest once, and takes no other change of it afterwards."""
    site.put(ports("serial", 4))
    fifth = {"ResourceType": 21, "ResourceSubType": "isa-serial", "BackendType": "null"}
    assert "ResourceSubType: QEMU has 4 ports of type isa-serial" in site.refusal(site.add, "", **fifth)
    assert site.add("", **{**fifth, "ResourceSubType": "pci-serial"}) == 0
    site.start()


def test_a_display_becomes_no_second_one_of_a_type(site: Stopped) -> None:
    site.put(VNC + SPICE)
    assert "ResourceSubType" in site.refusal(site.modify, "Graphics", "spice", ResourceSubType="vnc")
    site.start()


CHANGES_ON_THE_WAY = {
    "the host's own processor": modify_system(CPUMode="host-passthrough"),
    "processors known to Hyper-V": modify_system(HyperVFeatures=["vpindex"]),
    "blocks": modify("Disk", "vda", LogicalBlockSize=4096),
    "translated addresses": modify("Disk", "vda", Options=["driver/@iommu=on"]),
}


@pytest.mark.parametrize("name", CHANGES_ON_THE_WAY)
def test_what_another_change_can_make_right_is_not_refused(site: Stopped, name: str) -> None:
    site.put(DISK.format("", "/images/one", ""))
    assert CHANGES_ON_THE_WAY[name](site) == 0


def test_two_disks_can_have_one_image(site: Stopped, tmp_path: Path) -> None:
    """Until the first one is removed, say."""
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    site.put(DISK.format("", image, ""))
    assert site.add("Disk", VirtualDevice="vdb", Address=str(image), DriverType="raw") == 0


@pytest.mark.parametrize("name", VALUES_BEYOND)
def test_a_disk_has_what_qemu_takes(site: Stopped, tmp_path: Path, name: str) -> None:
    part, change, words = VALUES_BEYOND[name]
    image = tmp_path / "image"
    image.write_bytes(bytes(4 << 20))
    disk = DISK.format("", image, part) if part.startswith("<") else DISK.format(part, image, "")
    check_obstacle(site, Obstacle(Guest(disk), part, modify("Disk", "vda", **change), words))


@pytest.mark.parametrize("name", OTHER_VALUES_BEYOND)
def test_a_device_has_what_qemu_takes(site: Stopped, name: str) -> None:
    check_obstacle(site, OTHER_VALUES_BEYOND[name])


def test_each_node_of_a_guest_has_memory(site: Stopped) -> None:
    Guest(rest=CELLS).put(site)
    with pytest.raises(subprocess.CalledProcessError):
        site.start()
    site.put()
    assert "NUMACells: a cell has no memory" in site.refusal(site.modify_system, NUMACells=["0:65536", "1:0"])


@pytest.mark.parametrize(("bus", "name", "place"), [("sata", "sda", ("0", "9")), ("ide", "hda", ("5", "0"))])
def test_a_disk_is_at_a_place_that_its_controller_has(
    site: Stopped, tmp_path: Path, bus: str, name: str, place: tuple[str, str]
) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    address = f"<address type='drive' controller='0' bus='{place[0]}' target='0' unit='{place[1]}'/>"
    disk = f"<disk type='file'><source file='{image}'/><target dev='{name}' bus='{bus}'/>{address}</disk>"
    names = ["type", "controller", "bus", "target", "unit"]
    change = modify("Disk", name, AddressProperties=names, AddressValues=["drive", "0", place[0], "0", place[1]])
    words = f"AddressValues: a controller of {bus} has no bus {place[0]} with a unit {place[1]}"
    check_obstacle(site, Obstacle(Guest(disk), address, change, words))


@pytest.mark.parametrize(("bus", "name"), [("xen", "xvda"), ("uml", "ubda"), ("sd", "sda")])
def test_a_disk_is_on_a_bus_that_the_machine_has(site: Stopped, tmp_path: Path, bus: str, name: str) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    disk = f"<disk type='file'><source file='{image}'/><target dev='{name}' bus='{bus}'/></disk>"
    change = add("Disk", VirtualDevice=name, Address=str(image), DriverType="raw", BusType=bus)
    check_obstacle(site, Obstacle(Guest(disk), disk, change, f"BusType: the guest's machine has no bus {bus}"))


@pytest.mark.parametrize("cells", [[":32768", "0-1:32768"], ["0:32768", ":16384", "1:16384"]])
def test_a_node_of_memory_only_is_one_of_the_last(site: Stopped, cells: list[str]) -> None:
    """The others are not started here: libvirt 9.0 ends with that."""
    site.put()
    words = "NUMACells: a cell without processors stands before one with some"
    assert words in site.refusal(site.modify_system, NUMACells=cells)
    assert site.modify_system(NUMACells=sorted(cells, key=lambda cell: cell.startswith(":"))) == 0
    site.start()


FEATURE = "<feature policy='require' name='telepathy'/>"
MODEL = "<cpu mode='custom' match='exact'><model>{}</model>{}</cpu>"


@pytest.mark.parametrize(
    ("guest", "part", "change", "words"),
    [
        (MODEL.format("abacus", ""), MODEL.format("abacus", ""), {"CPUModel": "abacus"}, "CPUModel: internal error"),
        (
            MODEL.format("qemu64", FEATURE),
            FEATURE,
            {"CPUFeatures": ["require:telepathy"]},
            "CPUFeatures: internal error",
        ),
        (
            f"<cpu mode='maximum'>{FEATURE}</cpu>",
            FEATURE,
            {"CPUFeatures": ["require:telepathy"]},
            "CPUFeatures: internal error",
        ),
    ],
)
def test_a_processor_is_one_that_is_known(
    site: Stopped, guest: str, part: str, change: dict[str, Any], words: str
) -> None:
    check_obstacle(site, Obstacle(Guest(rest=guest), part, modify_system(**change), words))


def test_a_known_processor_is_taken(site: Stopped) -> None:
    site.put()
    assert site.modify_system(CPUModel="Skylake-Client", CPUFeatures=["disable:pcid", "optional:vmx"]) == 0
    assert site.find("//cpu/model/text()") == ["Skylake-Client"]


def test_a_medium_may_be_in_two_drives(site: Stopped, tmp_path: Path) -> None:
    medium = tmp_path / "medium.iso"
    medium.write_bytes(bytes(1 << 20))
    site.put(f"<disk type='file' device='cdrom'><source file='{medium}'/><target dev='hda' bus='ide'/></disk>")
    assert site.add("Disk", VirtualDevice="hdb", EmulatedType=1, Address=str(medium), BusType="ide") == 0
    site.start()


def test_a_directory_of_virtiofs_has_a_longer_name(site: Stopped) -> None:
    shared = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    directory = (
        "<filesystem type='mount'><driver type='virtiofs'/><source dir='/tmp'/><target dir='share'/></filesystem>"
    )
    site.put(directory, shared)
    assert site.modify("Disk", "share", MountPoint="x" * 36) == 0
    assert "has 37 bytes; expected 36" in site.refusal(site.modify, "Disk", "x" * 36, MountPoint="x" * 37)

"""Appliances become guests on a real QEMU."""

from __future__ import annotations

import gzip
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from tests.bed import Libvirtd
from tests.images.appliances import DISK_SIZE, descriptor, envelope, image, item, system, vmdk, write_archive
from tests.images.host import ORDER, POOL, Host, compare, running_host
from tests.images.provisioningbed import seed_of
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.exporting import ExportOrder
from virtcim.images.appliances.images import STREAM_OPTIMIZED
from virtcim.libhelper.documents.domain import Controller, Disk, Interface
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work, WorkCancelledError


@pytest.fixture(scope="module")
def host(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running_host(libvirtd, tmp_path_factory.mktemp("appliances")) as made:
        yield made


@pytest.fixture(autouse=True)
def clean(host: Host) -> Iterator[None]:
    yield
    host.empty()


def wanted(directory: Path, content: bytes) -> Path:
    """A raw disk with what a disk is to hold."""
    made = directory / "wanted.raw"
    made.write_bytes(content.ljust(DISK_SIZE, b"\0"))
    return made


def test_a_system_becomes_a_guest(host: Host, tmp_path: Path) -> None:
    package = write_archive(
        tmp_path / "guest.ova", {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path, b"what is on the disk")}
    )
    made = host.take(package)
    config = host.config("guest")
    assert made.guests == (config.uuid,)
    assert (config.vcpu, config.memory) == (2, 64 * 1024)
    (scsi,) = (each for each in config.devices if isinstance(each, Controller) and each.type == "scsi")
    assert scsi.model == "vmpvscsi"
    hard, drive = (each for each in config.devices if isinstance(each, Disk))
    assert (hard.target_bus, hard.driver_type, hard.device) == ("scsi", "qcow2", "disk")
    assert (drive.target_bus, drive.source_file, drive.device) == ("ide", None, "cdrom")
    (port,) = (each for each in config.devices if isinstance(each, Interface))
    assert (port.type, port.model_type) == ("user", "e1000")
    assert hard.source_file is not None
    compare(Path(hard.source_file), "qcow2", wanted(tmp_path, b"what is on the disk"), "raw")


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ("qcow2", "http://www.gnome.org/~markmc/qcow-image-format.html"),
        ("vpc", "http://go.microsoft.com/fwlink/?LinkId=137171"),
        ("raw", "http://www.gnome.org/~markmc/raw"),
    ],
)
def test_each_format_is_converted(host: Host, tmp_path: Path, kind: str, uri: str) -> None:
    options = ("-o", "subformat=dynamic,force_size=on") if kind == "vpc" else ()
    files = {"guest.ovf": descriptor("disk.img", uri), "disk.img": image(tmp_path, kind, b"as it was", *options)}
    host.take(write_archive(tmp_path / "guest.ova", files))
    compare(host.pool / "guest-1.qcow2", "qcow2", wanted(tmp_path, b"as it was"), "raw")


def test_a_packed_disk_in_parts_is_put_together(host: Host, tmp_path: Path) -> None:
    packed = gzip.compress(vmdk(tmp_path, b"what was packed"))
    size = len(packed) // 2
    more = f'ovf:compression="gzip" ovf:chunkSize="{size}" ovf:size="{len(packed)}"'
    parts = {
        f"disk.vmdk.gz.{number:09d}": packed[begin : begin + size]
        for number, begin in enumerate(range(0, len(packed), size))
    }
    package = {"guest.ovf": descriptor("disk.vmdk.gz", more=more), **parts}
    host.take(write_archive(tmp_path / "guest.ova", package))
    compare(host.pool / "guest-1.qcow2", "qcow2", wanted(tmp_path, b"what was packed"), "raw")


def deltas(directory: Path, kind: str) -> tuple[bytes, bytes]:
    """A whole image, which holds `base` at the start and `stays` in its second half, and one of differences to it.

    The second one names, as its parent, a file that nobody may open in its place.
    """
    half = DISK_SIZE // 2
    base, delta = directory / f"base.{kind}", directory / f"delta.{kind}"
    base.write_bytes(image(directory, kind, b"base".ljust(half, b"\0") + b"stays"))
    (directory / "content").write_bytes(b"delta".ljust(512, b"\0"))
    make = ["qemu-img", "create", "-q", "-f", kind, "-b", base.name, "-F", kind, delta.name]
    write = ["qemu-io", "-f", kind, "-c", "write -s content 0 512", delta.name]
    for command in (make, write):
        subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=60)
    named = delta.read_bytes()
    hidden = named.replace(base.name.encode(), b"x" * len(base.name))
    assert hidden != named
    return base.read_bytes(), hidden


FORMATS = {"vmdk": STREAM_OPTIMIZED, "qcow2": "http://www.gnome.org/~markmc/qcow-image-format.html"}


def layered(kind: str) -> bytes:
    """A descriptor of a system with a disk of three layers, the middle one of which has no file."""
    uri = FORMATS[kind]
    return envelope(f"""<References><File ovf:id="f1" ovf:href="base.{kind}"/>
<File ovf:id="f2" ovf:href="delta.{kind}"/></References><DiskSection><Info/>
<Disk ovf:diskId="d3" ovf:parentRef="d2" ovf:fileRef="f2" ovf:capacity="{DISK_SIZE}" ovf:format="{uri}"/>
<Disk ovf:diskId="d2" ovf:parentRef="d1" ovf:capacity="{DISK_SIZE}"/>
<Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="{DISK_SIZE}" ovf:format="{uri}"/></DiskSection>
{
        system(
            item(HostResource="ovf:/disk/d3", InstanceID=5, ResourceType=17)
            + item(HostResource="ovf:/disk/d2", InstanceID=6, ResourceType=17)
        )
    }""")


@pytest.mark.parametrize("kind", FORMATS)
def test_disks_of_differences_are_put_together(host: Host, tmp_path: Path, kind: str) -> None:
    base, delta = deltas(tmp_path, kind)
    files = {"guest.ovf": layered(kind), f"base.{kind}": base, f"delta.{kind}": delta}
    host.take(write_archive(tmp_path / "guest.ova", files))
    half = DISK_SIZE // 2
    for number, content in ((1, b"delta"), (2, b"base")):
        expected = wanted(tmp_path, content.ljust(half, b"\0") + b"stays")
        compare(host.pool / f"guest-{number}.qcow2", "qcow2", expected, "raw")


@pytest.mark.parametrize(
    ("kind", "base", "complaint"),
    [
        ("vmdk", "another", "holds differences to another disk than 'base.vmdk'"),
        ("vmdk", "delta", "holds differences to another image"),
        ("qcow2", "delta", "has its data in another file"),
    ],
)
def test_differences_to_another_disk_are_refused(
    host: Host, tmp_path: Path, kind: str, base: str, complaint: str
) -> None:
    _, delta = deltas(tmp_path, kind)
    parent = delta if base == "delta" else image(tmp_path, kind, b"other")
    files = {"guest.ovf": layered(kind), f"base.{kind}": parent, f"delta.{kind}": delta}
    with pytest.raises(ApplianceError, match=complaint):
        host.take(write_archive(tmp_path / "guest.ova", files))
    assert host.volumes() == []


def test_differences_in_a_format_that_has_none_are_refused(host: Host, tmp_path: Path) -> None:
    text = layered("qcow2").replace(FORMATS["qcow2"].encode(), b"http://example.com/raw")
    files = {"guest.ovf": text, "base.qcow2": b"", "delta.qcow2": b""}
    with pytest.raises(ApplianceError, match="is of the format raw over raw; expected"):
        host.take(write_archive(tmp_path / "guest.ova", files))


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a\nb", pytest.param("ü" * 101, id="long")])
def test_a_name_that_no_guest_can_have_is_refused(host: Host, tmp_path: Path, name: str) -> None:
    package = write_archive(tmp_path / "guest.ova", {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path)})
    with pytest.raises(ApplianceError, match="cannot be the name of a guest"):
        host.take(package, replace(ORDER, name=name))
    assert host.volumes() == []


def test_names_that_lead_nowhere_are_refused(host: Host, tmp_path: Path) -> None:
    package = write_archive(tmp_path / "guest.ova", {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path)})
    with pytest.raises(ApplianceError, match="goes to 'bridge:'"):
        host.take(package, replace(ORDER, networks={"LAN": "bridge:"}))
    host.take(package)
    with pytest.raises(ApplianceError, match="is no name"):
        host.give("guest", ExportOrder(tmp_path / "line\nbreak.ova"))


def test_what_fails_leaves_nothing(host: Host, tmp_path: Path) -> None:
    files = {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path)}
    package = write_archive(tmp_path / "guest.ova", files)
    with pytest.raises(LibvirtError, match="absent0"):
        host.take(package, replace(ORDER, networks={"LAN": "bridge:absent0"}, starts=True))
    assert host.volumes() == []
    assert host.hypervisor.inventory.domains() == []


class MeddledWork(Work):
    """Work in whose middle somebody else does something."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        super().__init__()
        self.meddle: Callable[[], object] = meddle

    def report(self, done: int, total: int) -> None:
        super().report(done, total)
        if self.percent > 50:
            meddle, self.meddle = self.meddle, lambda: None
            meddle()


def test_a_name_that_is_taken_while_disks_are_copied_stays_whose_it_is(host: Host, tmp_path: Path) -> None:
    package = write_archive(tmp_path / "guest.ova", {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path)})
    theirs = "<domain type='qemu'><name>guest</name><memory>32768</memory><os><type>hvm</type></os></domain>"
    made = []
    with pytest.raises(LibvirtError, match="guest"):
        host.take(package, work=MeddledWork(lambda: made.append(host.daemon.define(theirs))))
    assert host.volumes() == []
    assert host.daemon.virsh("domuuid", "guest").strip() == made[0]


def test_a_volume_of_the_same_name_that_somebody_makes_meanwhile_stays(host: Host, tmp_path: Path) -> None:
    package = write_archive(tmp_path / "guest.ova", {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path)})

    def make() -> None:
        host.daemon.virsh("vol-create-as", POOL, "guest-1.qcow2", "1M", "--format", "qcow2")

    with pytest.raises(LibvirtError, match=r"guest-1\.qcow2"):
        host.take(package, work=MeddledWork(make))
    assert host.volumes() == ["guest-1.qcow2"]
    assert host.hypervisor.inventory.domains() == []


def test_of_two_imports_of_one_name_one_is_whole_and_the_other_leaves_nothing(host: Host, tmp_path: Path) -> None:
    content = b"one of two"
    package = write_archive(tmp_path / "guest.ova", {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path, content)})
    together = threading.Barrier(2, timeout=60)

    def take(_: int) -> bool:
        try:
            host.take(package, work=MeddledWork(together.wait))
        except (ApplianceError, LibvirtError):
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(take, range(2))) == [False, True]
    assert host.volumes() == ["guest-1.qcow2"]
    compare(host.pool / "guest-1.qcow2", "qcow2", wanted(tmp_path, content), "raw")
    host.daemon.virsh("start", "guest")


def test_replicas_and_disks_without_a_file_become_guests(host: Host, tmp_path: Path) -> None:
    empty = item(InstanceID=9, ResourceType=17, VirtualQuantity=3, AllocationUnits="byte * 2^20")
    section = '<ScaleOutSection ovf:id="web"><Info/><InstanceCount ovf:default="2"/></ScaleOutSection>'
    members = f"{section}{system(empty, identity='web')}"
    text = envelope(f'<VirtualSystemCollection ovf:id="all"><Info/>{members}</VirtualSystemCollection>', 2)
    made = host.take(write_archive(tmp_path / "all.ova", {"all.ovf": text}))
    assert len(made.guests) == 2
    assert host.volumes() == ["web-1-1.qcow2", "web-2-1.qcow2"]
    (disk,) = (each for each in host.config("web-2").devices if isinstance(each, Disk))
    assert disk.source_file == str(host.pool / "web-2-1.qcow2")


def test_a_guest_is_told_its_properties_on_a_disc(host: Host, tmp_path: Path) -> None:
    section = """<ProductSection ovf:class="app"><Info/><Product>App</Product>
<Property ovf:key="port" ovf:type="uint16" ovf:value="80" ovf:userConfigurable="true"/>
<Property ovf:key="motto" ovf:type="string" ovf:userConfigurable="true"/></ProductSection>"""
    package = write_archive(tmp_path / "guest.ova", {"guest.ovf": envelope(system(sections=section))})
    with pytest.raises(ApplianceError, match="port"):
        host.take(package, replace(ORDER, properties={"app.port": "many"}))
    host.take(package, replace(ORDER, properties={"app.motto": '<a> & "b" ]]>'}))
    (drive,) = (each for each in host.config("guest").devices if isinstance(each, Disk))
    assert drive.device == "cdrom"
    assert drive.source_file is not None
    told = etree.fromstring(seed_of(Path(drive.source_file))["ovf-env.xml"])
    space = "{http://schemas.dmtf.org/ovf/environment/1}"
    found = {each.get(f"{space}key"): each.get(f"{space}value") for each in told.iter(f"{space}Property")}
    assert found == {"app.port": "80", "app.motto": '<a> & "b" ]]>'}


def test_a_licence_is_accepted_or_nothing_is_done(host: Host, tmp_path: Path) -> None:
    sections = "<EulaSection><Info/><License>Do no harm.</License></EulaSection>"
    files = {"guest.ovf": descriptor(sections=sections), "disk.vmdk": vmdk(tmp_path)}
    package = write_archive(tmp_path / "guest.ova", files)
    with pytest.raises(ApplianceError, match="has a licence"):
        host.take(package)
    assert host.volumes() == []
    host.take(package, replace(ORDER, accepts_licences=True))
    assert host.config("guest").name == "guest"


class EndedWork(Work):
    """Work that is asked to stop at one of the points where it asks."""

    def __init__(self, point: int) -> None:
        super().__init__()
        self.left_to_go = point

    def checkpoint(self) -> None:
        self.left_to_go -= 1
        if self.left_to_go == 0:
            raise WorkCancelledError


def test_an_import_that_is_ended_leaves_nothing_wherever_it_is(host: Host, tmp_path: Path) -> None:
    package = write_archive(tmp_path / "guest.ova", {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path)})
    whole = EndedWork(0)
    host.take(package, work=whole)
    host.empty()
    assert whole.left_to_go < -2
    for point in range(1, 1 - whole.left_to_go):
        with pytest.raises(WorkCancelledError):
            host.take(package, work=EndedWork(point))
        assert host.volumes() == []
        assert host.hypervisor.inventory.domains() == []

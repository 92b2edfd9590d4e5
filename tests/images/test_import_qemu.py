"""Appliances become guests on a real QEMU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bed import Libvirtd
from tests.images.appliances import DISK_SIZE, descriptor, image, vmdk, write_archive
from tests.images.host import ORDER, Host, compare, running_host
from virtcim.images.appliances.errors import ApplianceError
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


def test_what_fails_leaves_nothing(host: Host, tmp_path: Path) -> None:
    files = {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path)}
    package = write_archive(tmp_path / "guest.ova", files)
    with pytest.raises(LibvirtError, match="absent0"):
        host.take(package, replace(ORDER, networks={"LAN": "bridge:absent0"}, starts=True))
    assert host.volumes() == []
    assert host.hypervisor.inventory.domains() == []


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

"""Appliances become guests on a real QEMU."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.bed import Libvirtd
from tests.images.appliances import DISK_SIZE, descriptor, image, vmdk, write_archive
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.importing import Imported, ImportOrder, import_appliance
from virtcim.images.appliances.package import open_package
from virtcim.libhelper.documents.domain import Controller, Disk, DomainConfig, Interface
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.libhelper.work import Work
from virtcim.platforms.kvm import PLATFORM

POOL = "appliances"
ORDER = ImportOrder(pool=POOL, networks={"LAN": "user"})


@dataclass
class Host:
    """A host with a storage pool."""

    daemon: Libvirtd
    hypervisor: Hypervisor
    directory: Path

    def take(self, package: Path, order: ImportOrder = ORDER, work: Work | None = None) -> Imported:
        """Import an appliance."""
        opened = open_package(package)
        return import_appliance(opened, order, self.hypervisor, PLATFORM, work or Work(), self.directory)

    def config(self, name: str) -> DomainConfig:
        """A guest as libvirt keeps it."""
        return DomainConfig.parse(self.hypervisor.domains.xml(name))

    def volumes(self) -> list[str]:
        """The names of what is in the pool."""
        return sorted(path.name for path in self.directory.joinpath("pool").iterdir())


@pytest.fixture(scope="module")
def host(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    directory = tmp_path_factory.mktemp("appliances")
    (directory / "pool").mkdir()
    libvirtd.virsh("pool-create-as", POOL, "dir", "--target", str(directory / "pool"))
    hypervisor = Hypervisor(libvirtd.uri(), HypervisorSettings(interval=0.5))
    hypervisor.start()
    assert hypervisor.wait_ready(60)
    assert hypervisor.inventory.wait_for(lambda found: found.find_by_name("pool", POOL) is not None, 60)
    yield Host(libvirtd, hypervisor, directory)
    hypervisor.stop()
    libvirtd.virsh("pool-destroy", POOL)


@pytest.fixture(autouse=True)
def clean(host: Host) -> Iterator[None]:
    yield
    host.daemon.remove_domains()
    for path in host.directory.joinpath("pool").iterdir():
        path.unlink()
    host.hypervisor.storage.refresh_pool(POOL)
    assert host.hypervisor.inventory.wait_for(lambda found: not found.domains(), 60)


def compare(disk: Path, kind: str, content: bytes, scratch: Path) -> None:
    """Hold what a disk holds against what it is to hold."""
    wanted = scratch / "wanted.raw"
    wanted.write_bytes(content.ljust(DISK_SIZE, b"\0"))
    done = subprocess.run(
        ["qemu-img", "compare", "-f", kind, "-F", "raw", str(disk), str(wanted)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


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
    compare(Path(hard.source_file), "qcow2", b"what is on the disk", tmp_path)


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
    compare(host.directory / "pool" / "guest-1.qcow2", "qcow2", b"as it was", tmp_path)


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

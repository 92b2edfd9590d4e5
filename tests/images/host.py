"""A host that appliances are imported to and exported from: a private libvirtd with QEMU, and a storage pool."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bed import Libvirtd
from virtcim.images.appliances.exporting import Exported, ExportOrder, export_guest
from virtcim.images.appliances.importing import Imported, ImportOrder, import_appliance
from virtcim.images.appliances.package import open_package
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.libhelper.work import Work
from virtcim.platforms.kvm import PLATFORM

__all__ = ["ORDER", "POOL", "Host", "compare", "running_host"]

POOL = "appliances"
ORDER = ImportOrder(pool=POOL, networks={"LAN": "user"})


@dataclass
class Host:
    """A host with a storage pool.

    Attributes:
        directory: with room for what is to be thrown away.
        pool: the directory of the pool.
    """

    daemon: Libvirtd
    hypervisor: Hypervisor
    directory: Path
    pool: Path

    def take(self, package: Path, order: ImportOrder = ORDER, work: Work | None = None) -> Imported:
        """Import an appliance."""
        opened = open_package(package)
        return import_appliance(opened, order, self.hypervisor, PLATFORM, work or Work(), self.directory)

    def give(self, guest: str, order: ExportOrder, work: Work | None = None) -> Exported:
        """Export a guest."""
        return export_guest(guest, order, self.hypervisor, work or Work(), self.directory)

    def config(self, name: str) -> DomainConfig:
        """A guest as libvirt keeps it."""
        return DomainConfig.parse(self.hypervisor.domains.xml(name))

    def define(self, xml: str) -> None:
        """Define a guest."""
        self.hypervisor.domains.define(xml)

    def volumes(self) -> list[str]:
        """The names of what is in the pool."""
        return sorted(path.name for path in self.pool.iterdir())

    def empty(self) -> None:
        """Remove all guests, and all that is in the pool."""
        self.daemon.remove_domains()
        for path in self.pool.iterdir():
            path.unlink()
        self.hypervisor.storage.refresh_pool(POOL)
        assert self.hypervisor.inventory.wait_for(lambda found: not found.domains(), 60)


@contextmanager
def running_host(daemon: Libvirtd, directory: Path) -> Iterator[Host]:
    """A host for the length of a block."""
    pool = directory / "pool"
    pool.mkdir()
    daemon.remove_domains()
    daemon.virsh("pool-create-as", POOL, "dir", "--target", str(pool))
    hypervisor = Hypervisor(daemon.uri(), HypervisorSettings(interval=0.5))
    hypervisor.start()
    try:
        assert hypervisor.wait_ready(60)
        assert hypervisor.inventory.wait_for(lambda found: found.find_by_name("pool", POOL) is not None, 60)
        yield Host(daemon, hypervisor, directory, pool)
    finally:
        hypervisor.stop()
        daemon.remove_domains()
        daemon.virsh("pool-destroy", POOL)


def compare(one: Path, kind: str, other: Path, other_kind: str) -> None:
    """Hold what two disks hold against each other."""
    command = ["qemu-img", "compare", "-f", kind, "-F", other_kind, str(one), str(other)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr

"""What the tests of cloning do again and again."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.images.provisioningbed import COMPLETED, FINAL, PATIENCE, SERVICE, setting_path

POOL = "templates"
FULL_COPY, OVERLAY = 2, 3
ENABLED = 2
SIZE = 3 << 20


class Cloner:
    """A client of a server, and virsh and qemu-img to see what came of it."""

    def __init__(self, daemon: Libvirtd, server: Server, pool: Path) -> None:
        self.daemon, self.server, self.pool = daemon, server, pool
        self.wbem = server.pywbem()
        (self.service,) = self.wbem.EnumerateInstanceNames(SERVICE)

    def guest(self, name: str, *, running: bool = False) -> Path:
        """A guest with a disk with something on it, a network port and a drive; the disk."""
        disk = self.pool / f"{name}.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), str(SIZE)], check=True)
        self.write(disk, 0x5A)
        self.daemon.virsh("pool-refresh", POOL)
        self.daemon.define(
            f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>"
            "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>"
            f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/>"
            "<target dev='vda' bus='virtio'/></disk>"
            "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>"
            "<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>"
            "</devices></domain>"
        )
        if running:
            self.daemon.virsh("start", name)
        wait_until(lambda: self.shown(name) and (self.runs(name) or not running), PATIENCE)
        return disk

    @staticmethod
    def write(disk: Path, byte: int) -> None:
        """Fill the first 64 KiB of a disk that nobody has open."""
        command = ["qemu-io", "-f", "qcow2", "-c", f"write -P {byte} 0 64k", str(disk)]
        subprocess.run(command, check=True, capture_output=True)

    @staticmethod
    def holds(disk: Path, byte: int) -> bool:
        """Whether the first 64 KiB of a disk are of one byte."""
        command = ["qemu-io", "-r", "-U", "-f", "qcow2", "-c", f"read -P {byte} 0 64k", str(disk)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def shown(self, name: str) -> Any:
        try:
            return self.wbem.GetInstance(setting_path(f"KVM:{name}"))
        except pywbem.CIMError:
            return None

    def runs(self, name: str) -> bool:
        """Whether a guest runs, as the server knows."""
        keys = {"CreationClassName": "KVM_ComputerSystem", "Name": name}
        path = pywbem.CIMInstanceName("KVM_ComputerSystem", keys, namespace="root/virt")
        return bool(self.wbem.GetInstance(path)["EnabledState"] == ENABLED)

    def clone(self, name: str, new: str, mode: int) -> Any:
        """DefineSystem after a guest, until it is done: the job."""
        code, out = self.wbem.InvokeMethod(
            "DefineSystem",
            self.service,
            SystemSettings=pywbem.CIMInstance(
                "KVM_VirtualSystemSettingData",
                {"VirtualSystemIdentifier": new, "CloneMode": pywbem.Uint16(mode)},
            ),
            ReferenceConfiguration=setting_path(f"KVM:{name}"),
        )
        assert code == 4096
        return wait_until(lambda: (job := self.wbem.GetInstance(out["Job"]))["JobState"] in FINAL and job, PATIENCE)

    def disk_of(self, name: str) -> str:
        """What virsh says is in the first drive of a guest."""
        lines = self.daemon.virsh("domblklist", name).splitlines()
        (path,) = [line.split()[1] for line in lines if line.split()[:1] == ["vda"]]
        return path

    def files(self) -> set[str]:
        return {path.name for path in self.pool.iterdir()}


def see_copied(bed: Cloner, running: bool) -> None:
    """See that a copy of a guest is a guest of its own, and the other one as it was."""
    name = "lively" if running else "still"
    disk = bed.guest(name, running=running)
    before = bed.files()
    job = bed.clone(name, f"{name}-2", FULL_COPY)
    assert job["JobState"] == COMPLETED, job["ErrorDescription"]
    assert job.classname == "KVM_ProvisioningJob"
    assert bed.files() - before == {f"{name}-2.qcow2"}
    states = bed.daemon.list_all()
    assert (states[name], states[f"{name}-2"]) == ("running" if running else "shut off", "shut off")
    assert bed.disk_of(name) == str(disk)
    assert f"<source file='{disk}'" in bed.daemon.virsh("dumpxml", "--inactive", name)
    copy = Path(bed.disk_of(f"{name}-2"))
    assert copy == bed.pool / f"{name}-2.qcow2"
    assert bed.holds(copy, 0x5A)
    assert "52:54:00:11:22:33" not in bed.daemon.virsh("dumpxml", f"{name}-2")
    assert bed.daemon.virsh("domuuid", name) != bed.daemon.virsh("domuuid", f"{name}-2")
    bed.write(copy, 0x33)
    assert bed.holds(disk, 0x5A)

"""What the management service does to a running guest, as Linux in the guest and the host's control groups see it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.linux import COMMAND_LINE, LinuxGuest, seen
from tests.conftest import missing
from tests.providers.test_vsms_qemu import (
    NAME,
    Client,
    configuration,
    define,
    guest_path,
    new_disk,
    setting,
    start,
    system,
)

MAC, MORE = "52:54:00:00:0c:01", "52:54:00:00:0c:02"
PATIENCE = 120.0
"""Seconds for what the guest does: it is emulated, on a machine that may be loaded."""


@pytest.fixture
def client(libvirtd: Libvirtd, serve: Callable[..., Server]) -> Iterator[Client]:
    yield Client(libvirtd, serve(libvirtd.uri()))
    libvirtd.remove_domains()


class Groups:
    """The control groups of a guest, of either version."""

    def __init__(self, daemon: Libvirtd, name: str) -> None:
        pid = (daemon.directory / f"run/libvirt/qemu/{name}.pid").read_text().strip()
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if "cpu" in controllers.split(",") or (not controllers and ".libvirt-qemu" in path):
                root = Path("/sys/fs/cgroup") / ("cpu" if controllers else "")
                self.version = 1 if controllers else 2
                self.top = root / path.removeprefix("/").removesuffix("/emulator").removesuffix("/libvirt")
                break
        else:
            missing("QEMU is in no control group of processors")
        self.pid = pid
        if not self.top.is_dir():
            missing(f"{self.top} is not mounted here")

    def shares(self) -> int:
        """The weight of the guest's processors."""
        return int((self.top / ("cpu.shares" if self.version == 1 else "cpu.weight")).read_text())

    def quota(self, processor: int) -> int:
        """Microseconds of each period that a processor may use; -1 for as many as it likes."""
        base = self.top if self.version == 1 else self.top / "libvirt"
        file = base / f"vcpu{processor}" / ("cpu.cfs_quota_us" if self.version == 1 else "cpu.max")
        word = file.read_text().split()[0]
        return -1 if word == "max" else int(word)


def modify(client: Client, kind: str, identifier: str, **properties: Any) -> None:
    given = setting(kind, InstanceID=f"{NAME}/{identifier}", **properties)
    client.done("ModifyResourceSettings", ResourceSettings=[given])


def test_weights_and_limits_are_in_the_control_groups(client: Client) -> None:
    define(client)
    start(client)
    groups = Groups(client.daemon, NAME)
    assert (groups.shares(), groups.quota(0)) == (512, -1)
    modify(client, "Proc", "proc", Weight=2048, Limit=50)
    assert (groups.shares(), groups.quota(0)) == (2048, 50000)
    modify(client, "Proc", "proc", VirtualQuantity=2, Limit=40)
    assert groups.quota(1) == groups.quota(0) < 50000
    client.done("ModifyResourceSettings", ResourceSettings=[setting("Proc", InstanceID=f"{NAME}/proc", Weight=100)])
    assert groups.shares() == 100
    client.done("DestroySystem", AffectedSystem=guest_path())
    wait_until(lambda: not groups.top.exists())


@pytest.mark.slow
def test_linux_sees_what_is_changed(client: Client, linux: LinuxGuest, tmp_path: Path) -> None:
    console = tmp_path / "console"

    def sees(word: str, value: str) -> None:
        wait_until(lambda: seen(console).get(word) == value, PATIENCE)

    client.done(
        "DefineSystem",
        SystemSettings=system(
            VirtualSystemIdentifier=NAME,
            DomainType="qemu",
            Kernel=str(linux.kernel),
            Ramdisk=str(linux.ramdisk),
            CommandLine=COMMAND_LINE,
        ),
        ResourceSettings=[
            setting("Mem", VirtualQuantity=256, AllocationUnits="byte*2^20"),
            setting("Proc", VirtualQuantity=1, MaxVirtualQuantity=2),
            setting("Disk", VirtualDevice="hdc", EmulatedType=1, Address=""),
            setting("Net", NetworkType="user", Address=MAC),
            setting("Console", SourceType=4, SourcePath=str(console)),
        ],
    )
    code, _ = client.wbem.InvokeMethod("RequestStateChange", guest_path(), RequestedState=pywbem.Uint16(2))
    assert code == 0
    sees("interfaces", f"{MAC},")
    first = seen(console)
    assert (first["cpus"], first["disks"], first["cd"]) == ("1", "", "none")

    disk = new_disk(tmp_path, "extra.qcow2")
    out = client.done(
        "AddResourceSettings",
        AffectedConfiguration=configuration(f"KVM:{NAME}"),
        ResourceSettings=[
            setting("Disk", VirtualDevice="vda", Address=disk, DriverType="qcow2"),
            setting("Net", NetworkType="user", Address=MORE),
        ],
    )
    sees("disks", f"vda:{(16 << 20) // 512},")
    sees("interfaces", f"{MAC},{MORE},")
    assert client.both(f"count(//mac[@address='{MORE}']) + count(//disk[target/@dev='vda'])") == [2.0, 2.0]
    client.done("RemoveResourceSettings", ResourceSettings=out["ResultingResourceSettings"])
    sees("disks", "")
    sees("interfaces", f"{MAC},")
    assert client.both(f"count(//mac[@address='{MORE}']) + count(//disk[target/@dev='vda'])") == [0.0, 0.0]

    modify(client, "Mem", "mem", VirtualQuantity=160, AllocationUnits="byte*2^20")
    less = str(int(first["memory"]) - 96 * 1024)
    sees("memory", less)
    wait_until(lambda: client.both("//currentMemory/text()") == [["163840"], ["163840"]], PATIENCE)
    modify(client, "Mem", "mem", VirtualQuantity=256, AllocationUnits="byte*2^20")
    sees("memory", first["memory"])
    wait_until(lambda: client.both("//currentMemory/text()") == [["262144"], ["262144"]], PATIENCE)

    modify(client, "Proc", "proc", VirtualQuantity=2)
    sees("cpus", "2")
    assert client.both("//vcpu/@current") in ([["2"], ["2"]], [[], []])

    cd = tmp_path / "cd.iso"
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", str(cd), "6M"], check=True)
    modify(client, "Disk", "hdc", Address=str(cd))
    sees("cd", str(6 << 20))
    modify(client, "Disk", "hdc", Address="")
    sees("cd", "none")

    groups = Groups(client.daemon, NAME)
    modify(client, "Proc", "proc", Weight=333)
    assert groups.shares() == 333
    ids = [each["InstanceID"] for each in client.wbem.EnumerateInstanceNames("KVM_VirtualSystemSettingData")]
    assert ids == [f"KVM:{NAME}"], "after all of that the guest is still as it is defined"
    client.done("DestroySystem", AffectedSystem=guest_path())
    assert NAME not in client.daemon.list_all()
    assert not Path(f"/proc/{groups.pid}").exists()

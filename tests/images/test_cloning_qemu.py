"""Clones of guests on real QEMU, running and not: their disks are their own, and the other guest is as it was."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.images.cloningbed import FULL_COPY, OVERLAY, POOL, SIZE, Cloner, see_copied
from tests.images.provisioningbed import COMPLETED, FAILED, PATIENCE
from virtcim.app.main import main

pytestmark = pytest.mark.slow  # one of them stands in test_provisioning_qemu, too


@pytest.fixture(scope="module")
def bed(libvirtd: Libvirtd, pool: Path) -> Iterator[Cloner]:
    with Server(libvirtd.uri()) as server:
        yield Cloner(libvirtd, server, pool)
    libvirtd.remove_domains()


@pytest.mark.parametrize("running", [False, True], ids=["off", "running"])
def test_a_copy_is_a_guest_of_its_own(bed: Cloner, running: bool) -> None:
    see_copied(bed, running)


@pytest.mark.parametrize("running", [False, True], ids=["off", "running"])
def test_overlays_leave_what_both_lie_over_alone(bed: Cloner, running: bool) -> None:
    name = "under-lively" if running else "under-still"
    disk = bed.guest(name, running=running)
    job = bed.clone(name, f"{name}-2", OVERLAY)
    assert job["JobState"] == COMPLETED, job["ErrorDescription"]
    mine, other = Path(bed.disk_of(name)), Path(bed.disk_of(f"{name}-2"))
    assert len({disk, mine, other}) == 3
    assert str(mine) in bed.daemon.virsh("dumpxml", "--inactive", name)
    assert bed.holds(other, 0x5A)
    bed.write(other, 0x44)
    assert bed.holds(disk, 0x5A)
    bed.daemon.virsh("start", f"{name}-2")
    if not running:
        bed.daemon.virsh("start", name)


def test_a_clone_that_fails_leaves_all_as_it_was(bed: Cloner) -> None:
    still, lively = bed.guest("whole"), bed.guest("going", running=True)
    (bed.pool / "taken.qcow2").touch()
    bed.daemon.virsh("pool-refresh", POOL)
    before = bed.files()
    for name, disk in (("whole", still), ("going", lively)):
        for mode in (FULL_COPY, OVERLAY):
            job = bed.clone(name, "taken", mode)
            assert job["JobState"] == FAILED
            assert "taken.qcow2: exists already" in job["ErrorDescription"]
            assert "stands" not in job["ErrorDescription"]
            assert bed.disk_of(name) == str(disk)
            assert str(disk) in bed.daemon.virsh("dumpxml", "--inactive", name)
            assert (bed.files(), "taken" in bed.daemon.list_all()) == (before, False)
            assert bed.daemon.list_all()[name] == ("running" if name == "going" else "shut off")


def test_what_cannot_be_cloned_is_refused_at_once(bed: Cloner, tmp_path: Path) -> None:
    bed.guest("usual")
    with pytest.raises(pywbem.CIMError, match="expected 2"):
        bed.clone("usual", "other", 9)
    with pytest.raises(pywbem.CIMError, match="already exists"):
        bed.clone("usual", "usual", FULL_COPY)
    outside = tmp_path / "outside.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(outside), str(SIZE)], check=True)
    disk = "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
    bed.daemon.define(
        "<domain type='qemu'><name>outside</name><memory unit='MiB'>32</memory><os><type>hvm</type></os><devices>"
        f"{disk}<source file='{outside}'/><target dev='vda' bus='virtio'/></disk></devices></domain>"
    )
    wait_until(lambda: bed.shown("outside"), PATIENCE)
    with pytest.raises(pywbem.CIMError, match="disk vda: is in no storage pool"):
        bed.clone("outside", "other", FULL_COPY)


def test_what_a_raw_disk_begins_with_leads_nowhere(bed: Cloner, tmp_path: Path) -> None:
    """A guest can write the header of an image over another file onto its disk, and storage pools believe it."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"of the host" * 10_000)
    image, disk = tmp_path / "header.qcow2", bed.pool / "sly.raw"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(image)]
    subprocess.run(command, check=True)
    disk.write_bytes(image.read_bytes().ljust(1 << 20, b"\0"))
    bed.daemon.virsh("pool-refresh", POOL)
    bed.daemon.define(
        "<domain type='qemu'><name>sly</name><memory unit='MiB'>32</memory><os><type>hvm</type></os><devices>"
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>"
        "<target dev='vda' bus='virtio'/></disk></devices></domain>"
    )
    wait_until(lambda: bed.shown("sly"), PATIENCE)
    job = bed.clone("sly", "sly-2", FULL_COPY)
    assert job["JobState"] == COMPLETED, job["ErrorDescription"]
    assert (bed.pool / "sly-2.raw").read_bytes() == disk.read_bytes()
    assert "type='raw'" in bed.daemon.virsh("dumpxml", "sly-2")


def test_the_command_line_clones_and_starts(
    bed: Cloner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bed.guest("shell")
    monkeypatch.setenv("VIRTCIM_PASSWORD", bed.server.password or "")
    given = ["guest", "clone", "shell", "shell-2", "--overlay", "--start"]
    assert main([*given, "--url", bed.server.url, "--user", bed.server.user or ""]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "guest shell-2: made"
    assert bed.daemon.list_all()["shell-2"] == "running"

"""A server that dies in the middle of provisioning: nothing is left that the job does not name, and all goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.images.appliances import descriptor, vmdk, write_archive
from tests.images.conftest import POOL
from tests.images.imagehost import ImageHost
from tests.images.provisioningbed import FAILED, PATIENCE, TEMPLATE, TERMINATED, Provisioner

#: Runs the server, which ends itself by SIGKILL in a step: after it was carried out, or where its volume is half full.
DYING = """
import io, os, signal, sys
from dataclasses import replace
from virtcim.images import provisioning

def dying(steps, work, saved=lambda: None, real=provisioning.carry_out):
    def run(step):
        def end(part):
            step.run(part)
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(step, run=end) if step.name == {step!r} else step
    real([run(step) for step in steps], work, saved)

provisioning.carry_out = dying
if {half}:
    from virtcim.libhelper.storage import Storage
    def upload(self, pool, name, data, offset, length, work, real=Storage.upload):
        real(self, pool, name, io.BytesIO(data.read(length // 2)), offset, length // 2, work)
        os.kill(os.getpid(), signal.SIGKILL)
    Storage.upload = upload
from virtcim.app.main import main
sys.exit(main())
"""

#: Runs the server, to which somebody else's volume of the same name comes before each that it makes.
MEDDLED = """
import sys
from virtcim.libhelper.storage import Storage
def create(self, pool, xml, name, work, real=Storage.create_volume):
    if name.startswith("contested"):
        real(self, pool, xml, name, work)
    real(self, pool, xml, name, work)
def convert(self, pool, xml, name, source, work, real=Storage.convert_volume):
    if name.startswith("contested"):
        real(self, pool, xml, name, source, work)
    real(self, pool, xml, name, source, work)
Storage.create_volume, Storage.convert_volume = create, convert
from virtcim.app.main import main
sys.exit(main())
"""

#: Runs the server, where the guest `after-STEP` stands still after that step until its job is asked to end.
ENDING = """
import sys, time
from dataclasses import replace
from virtcim.images import provisioning

def ending(steps, work, saved=lambda: None, real=provisioning.carry_out):
    def run(step):
        def stand(part):
            step.run(part)
            while True:
                part.checkpoint()
                time.sleep(0.02)
        return replace(step, run=stand) if work.figures["guest"] == "after-" + step.name else step
    real([run(step) for step in steps], work, saved)

provisioning.carry_out = ending
from virtcim.app.main import main
sys.exit(main())
"""

#: Runs the server, which ends itself by SIGKILL where the first volume of an import is half full.
IMPORTING = """
import io, os, signal, sys
from virtcim.libhelper.storage import Storage
def upload(self, pool, name, data, offset, length, work, real=Storage.upload):
    real(self, pool, name, io.BytesIO(data.read(length // 2)), offset, length // 2, work)
    os.kill(os.getpid(), signal.SIGKILL)
Storage.upload = upload
from virtcim.app.main import main
sys.exit(main())
"""

STEPS = (
    "fetch the image",
    "copy the image into the pool",
    "make the system disk",
    "make a disk",
    "write the seed",
    "prepare",
    "define the guest",
    "start the guest",
    "finish",
)

#: With all steps that there are.
MORTAL = (
    TEMPLATE.replace("[image]", 'provisioner = "/bin/true"\n\n[image]', 1)
    + '\n[[disks]]\nsize = "1 MiB"\nbus = "ide"\n'
)


@pytest.fixture
def bed(libvirtd: Libvirtd, pool: Path, images: ImageHost) -> Iterator[Provisioner]:
    config = f'[images]\npool = "{POOL}"\nhosts = ["127.0.0.1"]\n[providers.jobs]\ngrace = 0\n'
    with Server(libvirtd.uri(), config=config, guarded=False) as server:
        yield Provisioner(libvirtd, server, pool, images)
    libvirtd.remove_domains()
    for path in pool.iterdir():
        path.unlink()
    libvirtd.virsh("pool-refresh", POOL)


def die(bed: Provisioner, step: str, half: bool) -> None:
    """Have a server die in a step, and start another one in its place."""
    template = bed.template("mortal", MORTAL)
    before = bed.files()
    server = bed.server
    usual = list(server.command)
    server.stop()
    server.command[2] = DYING.format(step=step, half=half)
    server.start()
    again = Provisioner(bed.daemon, server, bed.pool, bed.images)
    # Held until the client has its answer, lest the server be gone before.
    bed.images.gate.clear()
    try:
        job = again.define(template, "mortal")
    finally:
        bed.images.gate.set()
    assert server.process is not None
    server.process.wait(PATIENCE)
    server.process = None
    server.command[:] = usual
    server.start()
    after = Provisioner(bed.daemon, server, bed.pool, bed.images)
    shown = after.wbem.GetInstance(job)
    assert shown["JobState"] == FAILED
    told = shown["ErrorDescription"]
    base = f"virtcim-mortal-{after.sha256[:12]}.qcow2"
    left = after.files() - before - {base}
    assert [name for name in left if name not in told] == []
    assert ("mortal" in after.daemon.list_all()) <= ("guest 'mortal'" in told)
    wait_until(lambda: after.found(template), PATIENCE)
    after.provision(template, "next")
    assert after.daemon.list_all()["next"] == "running"
    assert (after.pool / base).read_bytes() == after.image


def test_a_server_that_dies_when_the_guest_is_defined(bed: Provisioner) -> None:
    die(bed, "define the guest", False)


@pytest.mark.slow
def test_an_image_that_is_half_in_the_pool_is_copied_anew(bed: Provisioner) -> None:
    die(bed, "", True)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_server_that_dies_in_each_step(bed: Provisioner, step: str) -> None:
    die(bed, step, False)


@pytest.mark.slow
def test_a_volume_that_somebody_else_makes_meanwhile_stays(bed: Provisioner) -> None:
    template = bed.template("first")
    bed.server.stop()
    bed.server.command[2] = MEDDLED
    bed.server.start()
    again = Provisioner(bed.daemon, bed.server, bed.pool, bed.images)
    job = again.over(again.define(template, "contested"))
    assert job["JobState"] == FAILED
    assert "contested.qcow2" in job["ErrorDescription"]
    assert "contested.qcow2" in again.files()
    assert "contested" not in bed.daemon.list_all()


@pytest.mark.slow
def test_a_copy_that_somebody_else_makes_meanwhile_stays(bed: Provisioner) -> None:
    bed.provision(bed.template("first"), "contested", "start=no")
    bed.server.stop()
    bed.server.command[2] = MEDDLED
    bed.server.start()
    again = Provisioner(bed.daemon, bed.server, bed.pool, bed.images)
    (store,) = again.interop.EnumerateInstanceNames("Virt_ImageStore")
    (guest,) = again.wbem.EnumerateInstanceNames("KVM_ComputerSystem")
    try:
        _, out = again.interop.InvokeMethod("CreateTemplateFromSystem", store, System=guest, TemplateID="taken")
        told = again.over(out["Job"])["ErrorDescription"]
    except pywbem.CIMError as error:
        told = error.status_description
    assert "'contested-template.qcow2' already in use" in told
    assert "contested-template.qcow2" in again.files()


@pytest.mark.slow
def test_a_job_that_is_ended_in_each_step_leaves_nothing(bed: Provisioner) -> None:
    template = bed.template("mortal", MORTAL)
    bed.server.stop()
    bed.server.command[2] = ENDING
    bed.server.start()
    again = Provisioner(bed.daemon, bed.server, bed.pool, bed.images)
    again.provision(template, "before", "start=no")
    before = again.files()

    def is_at(job: pywbem.CIMInstanceName, number: int) -> bool:
        return bool(again.wbem.GetInstance(job)["StepNumber"] == number)

    for number, step in enumerate(STEPS, start=1):
        name = f"after-{step}"
        job = again.define(template, name)
        wait_until(partial(is_at, job, number), PATIENCE)
        again.wbem.InvokeMethod("RequestStateChange", job, RequestedState=pywbem.Uint16(4))
        assert again.over(job)["JobState"] == TERMINATED, step
        assert (again.files(), name in bed.daemon.list_all()) == (before, False), step


@pytest.mark.slow
def test_a_server_that_dies_over_an_import_names_what_stands(libvirtd: Libvirtd, pool: Path, tmp_path: Path) -> None:
    files = {"guest.ovf": descriptor(), "disk.vmdk": vmdk(tmp_path, b"content")}
    write_archive(tmp_path / "guest.ova", files)
    config = f'[appliances]\ndirectory = "{tmp_path}"\n[providers.jobs]\ngrace = 0\n'
    given = {
        "Source": "guest.ova",
        "Pool": pywbem.CIMInstanceName("KVM_DiskPool", {"InstanceID": f"DiskPool/{POOL}"}, namespace="root/virt"),
        "Networks": ["LAN=user"],
    }
    with Server(libvirtd.uri(), config=config, guarded=False) as server:
        usual = list(server.command)
        server.stop()
        server.command[2] = IMPORTING
        server.start()
        interop = server.pywbem("root/interop")
        wait_until(lambda: server.pywbem().EnumerateInstanceNames("KVM_DiskPool"), PATIENCE)
        (catalog,) = interop.EnumerateInstanceNames("Virt_ApplianceCatalog")
        # It may be gone before it has answered.
        with suppress(pywbem.ConnectionError):
            interop.InvokeMethod("ImportAppliance", catalog, **given)
        assert server.process is not None
        server.process.wait(PATIENCE)
        server.process = None
        scratch = server.state_dir / "appliances"
        assert list(scratch.iterdir()) != []
        server.command[:] = usual
        server.start()
        (job,) = [each for each in server.pywbem().EnumerateInstances("KVM_ConcreteJob") if "Import" in each["Name"]]
        assert job["JobState"] == FAILED
        assert "guest-1.qcow2" in job["ErrorDescription"]
        assert {path.name for path in pool.iterdir()} == {"guest-1.qcow2"}
        assert "guest" not in libvirtd.list_all()
        assert list(scratch.iterdir()) == []
    (pool / "guest-1.qcow2").unlink()
    libvirtd.virsh("pool-refresh", POOL)

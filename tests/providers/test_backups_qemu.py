"""BackupService on a real libvirtd with QEMU."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, Server, boot_sector_xml, wait_until
from tests.conftest import Guests
from tests.providers.outcome import Outcome, outcome
from tests.providers.poolservice import HASTY
from tests.providers.recorded import CONTEXT
from tests.providers.snapshotservice import COMPLETED, DISK, FULL, INVALID_STATE, MEMORY, NOT_SUPPORTED, SnapshotService
from virtcim.libhelper.domains.backups import BackupPlan
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work
from virtcim.providers.backupsettings import BackupSettings
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Status
from virtcim.providers.settings import ProviderSettings

PULL = 3
JOB_COMPLETED, JOB_TERMINATED, JOB_EXCEPTION = 7, 8, 10
PATIENCE = 60.0
AT, LENGTH = 65536, 65536
"""What is written to a disk between two backups."""


class BackupService(SnapshotService):
    """A site with one hypervisor, and its service for backups."""

    def back_up(self, method: str, **parameters: Any) -> Outcome:
        """Invoke a method of the service."""
        name = self.name_of("BackupService")
        (service,) = self.instances(name)
        given = {key: value for key, value in parameters.items() if value is not None}
        return outcome(self.providers[name].invoke_method(name, service.keys(), method, given, CONTEXT))

    def how(self, **properties: Any) -> EmbeddedInstance:
        """BackupSettings."""
        return EmbeddedInstance(self.name_of("BackupSettingData"), properties)

    def checkpoint(self, guest: str, name: str) -> InstancePath:
        """The path of a checkpoint."""
        keys = {"InstanceID": f"{self.prefix}:{guest}/checkpoint/{name}"}
        return InstancePath(self.name_of("Checkpoint"), keys, "root/virt")

    def chain(self, guest: str) -> dict[str, list[str]]:
        """The checkpoints of a guest, each with those that follow it."""
        names = [each.rpartition("/")[2] for each in self.linked("CheckpointOfVirtualSystem", self.system(guest))]
        return {
            name: [
                each.rpartition("/")[2] for each in self.linked("CheckpointDependency", self.checkpoint(guest, name))
            ]
            for name in names
        }


@pytest.fixture
def pool(libvirtd: Libvirtd, tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "backups"
    directory.mkdir()
    libvirtd.virsh("pool-create-as", "backups", "dir", "--target", str(directory))
    yield directory
    libvirtd.virsh("pool-destroy", "backups")


@pytest.fixture
def service(libvirtd: Libvirtd, guests: Guests, pool: Path) -> Iterator[BackupService]:
    made = BackupService(libvirtd.uri(), "KVM")
    yield made
    made.close()


@pytest.fixture
def hasty(libvirtd: Libvirtd, guests: Guests, pool: Path, tmp_path: Path) -> Iterator[BackupService]:
    """All work becomes a job, and backups can be read through Unix sockets."""
    settings = ProviderSettings(jobs=HASTY, backup=BackupSettings(socket_directory=libvirtd.directory))
    made = BackupService(libvirtd.uri(), "KVM", settings=settings)
    yield made
    made.close()


def started(service: BackupService, daemon: Libvirtd, name: str) -> str:
    daemon.define(boot_sector_xml(name, daemon.new_image()))
    daemon.virsh("start", name)
    wait_until(lambda: (found := service.hypervisor.inventory.domain(name)) is not None and found.active, PATIENCE)
    return name


def write(daemon: Libvirtd, guest: str, pattern: int, at: int = AT) -> None:
    """Write to the first disk of a guest, as the guest would."""
    device = "/machine/peripheral/virtio-disk0/virtio-backend"
    command = f'qemu-io -d {device} "write -P {pattern} {at} {LENGTH}"'
    assert "rror" not in daemon.virsh("qemu-monitor-command", guest, "--hmp", command)


def data(image: str | Path) -> list[tuple[int, int]]:
    """What an image holds itself: where and how many bytes."""
    run = subprocess.run(["qemu-img", "map", "--output=json", str(image)], capture_output=True, text=True, check=True)
    return [(each["start"], each["length"]) for each in json.loads(run.stdout) if each["data"]]


def holds(image: str | Path, pattern: int) -> bool:
    """Whether an image holds the pattern where it was written."""
    command = ["qemu-io", "-r", "-c", f"read -P {pattern} {AT} {LENGTH}", str(image)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return "Pattern verification failed" not in run.stdout and run.returncode == 0


def test_what_was_written_between_two_backups_is_in_the_second(
    service: BackupService, libvirtd: Libvirtd, pool: Path
) -> None:
    name = started(service, libvirtd, "saved")
    target = service.pool("DiskPool", "backups")
    system = service.system(name)
    full = service.back_up(
        "StartBackup",
        AffectedSystem=system,
        TargetPool=target,
        BackupSettings=service.how(ElementName="full", CheckpointName="one", Description="monday"),
    )
    assert full.return_value == COMPLETED
    assert [path.keys["DeviceID"] for path in full.out["Volumes"]] == ["backups/saved-vda.full.qcow2"]
    assert full.out["Checkpoint"] == service.checkpoint(name, "one")
    shown = service.shown(full.out["Checkpoint"])
    assert (shown["ElementName"], shown["Description"], shown["Disks"]) == ("one", "monday", ["vda"])
    write(libvirtd, name, 0xA5)
    second = service.back_up(
        "StartBackup",
        AffectedSystem=system,
        TargetPool=target,
        BaseCheckpoint=full.out["Checkpoint"],
        BackupSettings=service.how(Disks=["vda"], VolumeNames=["second.qcow2"], CheckpointName="two"),
    )
    assert second.return_value == COMPLETED
    assert data(pool / "second.qcow2") == [(AT, LENGTH)]
    assert holds(pool / "second.qcow2", 0xA5)
    assert not holds(pool / "saved-vda.full.qcow2", 0xA5)
    assert service.chain(name) == {"one": ["two"], "two": []}
    listed = libvirtd.virsh("checkpoint-list", name, "--tree").split()
    assert [each for each in listed if each.isalnum()] == ["one", "two"]
    taken = service.back_up("DestroyCheckpoint", AffectedCheckpoint=service.checkpoint(name, "one"))
    assert taken.return_value == COMPLETED
    assert service.chain(name) == {"two": []}


def test_checkpoints_come_and_go(service: BackupService, libvirtd: Libvirtd) -> None:
    name = started(service, libvirtd, "marked")
    system = service.system(name)
    for each in ("a", "b", "c"):
        made = service.back_up(
            "CreateCheckpoint", AffectedSystem=system, CheckpointSettings=service.how(ElementName=each)
        )
        assert (made.return_value, made.out["Checkpoint"]) == (COMPLETED, service.checkpoint(name, each))
    assert service.chain(name) == {"a": ["b"], "b": ["c"], "c": []}
    again = {"AffectedSystem": system, "CheckpointSettings": service.how(ElementName="a")}
    with pytest.raises(CIMError) as refused:
        service.back_up("CreateCheckpoint", **again)
    assert refused.value.status is Status.ALREADY_EXISTS
    unnamed = [service.back_up("CreateCheckpoint", AffectedSystem=system).out["Checkpoint"] for _ in range(2)]
    for path in reversed(unnamed):
        assert service.back_up("DestroyCheckpoint", AffectedCheckpoint=path).return_value == COMPLETED
    path = service.checkpoint(name, "b")
    assert service.back_up("DestroyCheckpoint", AffectedCheckpoint=path, WithDescendants=True).return_value == COMPLETED
    assert service.chain(name) == {"a": []}
    libvirtd.virsh("checkpoint-delete", name, "a")
    wait_until(lambda: service.chain(name) == {}, PATIENCE)
    libvirtd.virsh("checkpoint-create-as", name, "others")
    wait_until(lambda: service.chain(name) == {"others": []}, PATIENCE)


def test_a_guest_with_checkpoints_keeps_its_name(service: BackupService, libvirtd: Libvirtd) -> None:
    """libvirt would lose them."""
    name = started(service, libvirtd, "named")
    libvirtd.virsh("checkpoint-create-as", name, "one")
    libvirtd.virsh("destroy", name)
    service.hypervisor.inventory.refresh(libvirtd.virsh("domuuid", name).strip())
    provider = "KVM_VirtualSystemManagementService"
    wanted = EmbeddedInstance("KVM_VirtualSystemSettingData", {"InstanceID": f"KVM:{name}", "ElementName": "another"})

    def rename() -> Any:
        given = {"SystemSettings": wanted}
        return outcome(
            service.providers[provider].invoke_method(provider, None, "ModifySystemSettings", given, CONTEXT)
        )

    assert rename().return_value == INVALID_STATE
    assert list(libvirtd.list_all()) == [name]
    libvirtd.virsh("checkpoint-delete", name, "one", "--metadata")
    assert rename().return_value == COMPLETED
    assert list(libvirtd.list_all()) == ["another"]


def test_what_cannot_be_backed_up_is_refused_and_leaves_nothing(
    service: BackupService, libvirtd: Libvirtd, pool: Path, guests: Guests
) -> None:
    off = guests.baseline("off")
    wait_until(lambda: service.hypervisor.inventory.domain(off), PATIENCE)
    target = service.pool("DiskPool", "backups")
    for method in ("CreateCheckpoint", "StartBackup", "EndBackup"):
        given = {"TargetPool": target} if method == "StartBackup" else {}
        assert service.back_up(method, AffectedSystem=service.system(off), **given).return_value == INVALID_STATE
    name = started(service, libvirtd, "refused")
    system = service.system(name)
    assert service.back_up("StartBackup", AffectedSystem=system, BackupMode=PULL).return_value == NOT_SUPPORTED
    quiet = service.how(Quiesce=True)
    assert (
        service.back_up("CreateCheckpoint", AffectedSystem=system, CheckpointSettings=quiet).return_value
        == INVALID_STATE
    )
    for wrong in (
        service.how(Disks=["vdz"]),
        service.how(Transport=9),
        service.how(ElementName="a/b"),
        service.how(VolumeNames=["x"]),
        service.how(Disks="vda"),
        EmbeddedInstance(service.name_of("MemResourceAllocationSettingData"), {}),
    ):
        with pytest.raises(CIMError) as refused:
            service.back_up("StartBackup", AffectedSystem=system, TargetPool=target, BackupSettings=wrong)
        assert refused.value.status is Status.INVALID_PARAMETER, wrong
    for wrong_name in ("a b", ".a", "a,b", "\N{LATIN SMALL LETTER U WITH DIAERESIS}", "x" * 201):
        with pytest.raises(CIMError, match="cannot be the name of") as refused:
            service.back_up(
                "CreateCheckpoint", AffectedSystem=system, CheckpointSettings=service.how(ElementName=wrong_name)
            )
        assert refused.value.status is Status.INVALID_PARAMETER
    # The bitmap that the second backup needs is gone behind libvirt's back: it fails when the volume exists already.
    service.back_up("CreateCheckpoint", AffectedSystem=system, CheckpointSettings=service.how(ElementName="lost"))
    node = json.dumps({"execute": "query-named-block-nodes"})
    nodes = json.loads(libvirtd.virsh("qemu-monitor-command", name, node))["return"]
    found = next(each["node-name"] for each in nodes if each.get("dirty-bitmaps"))
    remove = {"execute": "block-dirty-bitmap-remove", "arguments": {"node": found, "name": "lost"}}
    libvirtd.virsh("qemu-monitor-command", name, json.dumps(remove))
    with pytest.raises(CIMError, match="Unable to back up"):
        service.back_up(
            "StartBackup",
            AffectedSystem=system,
            TargetPool=target,
            BaseCheckpoint=service.checkpoint(name, "lost"),
        )
    assert list(pool.iterdir()) == []
    assert service.linked("CheckpointOfVirtualSystem", system) == [
        str(service.checkpoint(name, "lost").keys["InstanceID"])
    ]


def test_a_backup_is_read_through_a_socket_until_it_is_ended(hasty: BackupService, libvirtd: Libvirtd) -> None:
    name = started(hasty, libvirtd, "read")
    write(libvirtd, name, 0x11)
    result = hasty.back_up("StartBackup", AffectedSystem=hasty.system(name), BackupMode=PULL)
    assert result.return_value == 4096
    job = result.out["Job"]
    shown = hasty.until(job, lambda shown: bool(shown.get("Exports")))
    assert (shown["VirtualSystemName"], shown["BackupMode"]) == (name, PULL)
    write(libvirtd, name, 0x22)
    (export,) = shown["Exports"]
    assert holds(export, 0x11)
    # libvirt would have this wait for 30 s, and then refuse it.
    snapshot = hasty.take(name)
    assert hasty.end_of(snapshot.out["Job"])["JobState"] == JOB_EXCEPTION
    ended = hasty.back_up("EndBackup", AffectedSystem=hasty.system(name))
    assert hasty.end_of(ended.out["Job"])["JobState"] == JOB_COMPLETED
    assert hasty.shown(job)["JobState"] == JOB_COMPLETED
    assert not list(libvirtd.images.glob("*.scratch"))
    assert not holds(export, 0x11)


def test_the_checkpoint_of_a_backup_is_shown_while_that_goes_on(hasty: BackupService, libvirtd: Libvirtd) -> None:
    name = started(hasty, libvirtd, "marked")
    settings = hasty.how(CheckpointName="begun")
    given = {"AffectedSystem": hasty.system(name), "BackupMode": PULL, "BackupSettings": settings}
    job = hasty.back_up("StartBackup", **given).out["Job"]
    hasty.until(job, lambda shown: bool(shown.get("Exports")))
    assert hasty.chain(name) == {"begun": []}
    ended = hasty.back_up("EndBackup", AffectedSystem=hasty.system(name))
    assert hasty.end_of(ended.out["Job"])["JobState"] == JOB_COMPLETED
    assert hasty.end_of(job)["JobState"] == JOB_COMPLETED


def test_the_socket_of_a_backup_goes_with_its_guest(hasty: BackupService, libvirtd: Libvirtd) -> None:
    name = started(hasty, libvirtd, "gone")
    job = hasty.back_up("StartBackup", AffectedSystem=hasty.system(name), BackupMode=PULL).out["Job"]
    (export,) = hasty.until(job, lambda shown: bool(shown.get("Exports")))["Exports"]
    socket = Path(export.rpartition("=")[2])
    assert socket.is_socket()
    libvirtd.virsh("destroy", name)
    hasty.end_of(job)
    assert not socket.exists()


def test_a_backup_that_is_ended_leaves_no_volume(hasty: BackupService, libvirtd: Libvirtd, pool: Path) -> None:
    name = "slow"
    image = libvirtd.new_image()
    subprocess.run(["qemu-img", "resize", str(image), "512M"], check=True, capture_output=True)
    subprocess.run(["qemu-io", "-c", "write -P 7 1M 500M", str(image)], check=True, capture_output=True)
    xml = boot_sector_xml(name, image).replace(
        "</disk>", "<iotune><total_bytes_sec>1000000</total_bytes_sec></iotune></disk>", 1
    )
    libvirtd.define(xml)
    libvirtd.virsh("start", name)
    wait_until(lambda: (found := hasty.hypervisor.inventory.domain(name)) is not None and found.active, PATIENCE)
    result = hasty.back_up(
        "StartBackup",
        AffectedSystem=hasty.system(name),
        TargetPool=hasty.pool("DiskPool", "backups"),
        BackupSettings=hasty.how(CheckpointName="with-it"),
    )
    job = result.out["Job"]
    hasty.until(job, lambda shown: shown.get("DiskTotal") or shown["JobState"] != 4)
    assert hasty.job(job, "RequestStateChange", RequestedState=4).return_value in (0, 4096)
    assert hasty.end_of(job)["JobState"] == JOB_TERMINATED
    assert list(pool.iterdir()) == []
    assert hasty.chain(name) == {}


@pytest.mark.slow
def test_snapshots_are_taken_beside_checkpoints_and_refused_beside_copies(
    service: BackupService, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    name = started(service, libvirtd, "marked")
    system = service.system(name)
    made = service.back_up("CreateCheckpoint", AffectedSystem=system, CheckpointSettings=service.how(ElementName="c"))
    assert made.return_value == COMPLETED
    for kind, snapshot in ((FULL, "inner"), (DISK, "outer")):
        assert service.take(name, kind, ElementName=snapshot).return_value == COMPLETED
    assert service.tree(name) == {"inner": None, "outer": "inner"}
    assert service.chain(name) == {"c": []}
    copy = tmp_path / "copy.qcow2"
    libvirtd.virsh("blockcopy", name, "vda", str(copy), "--transient-job", "--bytes", "1024")
    before = libvirtd.virsh("domblklist", name)
    with pytest.raises(CIMError, match=r"Unable to create snapshot: .*block copy still active"):
        service.take(name, DISK, ElementName="third")
    assert libvirtd.virsh("domblklist", name) == before
    assert service.tree(name) == {"inner": None, "outer": "inner"}
    libvirtd.virsh("blockjob", name, "vda", "--abort")
    assert service.take(name, DISK, ElementName="third").return_value == COMPLETED


@pytest.mark.slow
def test_where_there_is_no_room_nothing_stays(new_libvirtd: Callable[[], Libvirtd], tmp_path: Path) -> None:
    """Neither of a backup nor of a snapshot with the memory in a file; the guest runs on."""
    narrow = tmp_path / "narrow"
    narrow.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(narrow)], check=True)
    try:
        daemon = new_libvirtd()
        daemon.virsh("pool-create-as", "narrow", "dir", "--target", str(narrow))
        image = daemon.new_image()
        subprocess.run(["qemu-img", "resize", str(image), "64M"], check=True, capture_output=True)
        subprocess.run(["qemu-io", "-c", "write -P 7 1M 8M", str(image)], check=True, capture_output=True)
        daemon.define(boot_sector_xml("full", image))
        daemon.virsh("start", "full")
        service = BackupService(daemon.uri(), "KVM")
        try:
            system = service.system("full")
            wait_until(lambda: service.hypervisor.inventory.keys("pool"), PATIENCE)
            with pytest.raises(CIMError, match=r"Unable to back up: .*[Nn]o space") as refused:
                service.back_up(
                    "StartBackup",
                    AffectedSystem=system,
                    TargetPool=service.pool("DiskPool", "narrow"),
                    BackupSettings=service.how(CheckpointName="c"),
                )
            print(refused.value.description)
            assert list(narrow.iterdir()) == []
            assert service.chain("full") == {}
            with pytest.raises(CIMError, match="Unable to create snapshot") as refused:
                service.take("full", MEMORY, ElementName="m", OverlayDirectory=str(narrow))
            print(refused.value.description)
            assert list(narrow.iterdir()) == []
            assert service.tree("full") == {}
            assert daemon.list_all() == {"full": "running"}
        finally:
            service.close()
    finally:
        subprocess.run(["umount", "--lazy", str(narrow)], check=True)


def test_a_backup_that_was_not_begun_is_not_taken_for_the_one_before(
    service: BackupService, libvirtd: Libvirtd, pool: Path
) -> None:
    """libvirt keeps how the last backup ended, and the server is killed before it has begun the next."""
    name = started(service, libvirtd, "twice")
    done = service.back_up(
        "StartBackup", AffectedSystem=service.system(name), TargetPool=service.pool("DiskPool", "backups")
    )
    assert done.return_value == COMPLETED
    record = service.hypervisor.inventory.domain(name)
    assert record is not None
    backups, target = service.hypervisor.backups, libvirtd.virsh("pool-uuid", "backups").strip()
    of_others = pool / "planned.qcow2"
    of_others.write_bytes(b"of somebody else")
    libvirtd.virsh("pool-refresh", "backups")
    with pytest.raises(LibvirtError, match="the server ended before it had begun"):
        backups.resume_push(record.uuid, target, ["planned.qcow2"], None, Work())
    assert of_others.exists()
    begun = Work()
    with pytest.raises(LibvirtError, match="storage volume"):
        backups.push(record.uuid, BackupPlan(("vda",)), target, {"vda": "planned.qcow2"}, begun)
    with pytest.raises(LibvirtError, match="ended by others"):
        backups.resume_push(record.uuid, target, ["unmade.qcow2"], None, begun)


def test_a_backup_is_found_again_when_the_server_was_killed(
    libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]
) -> None:
    name = guests.boot_sector("kept")
    libvirtd.virsh("start", name)
    config = f'[providers.backup]\nsocket_directory = "{libvirtd.directory}"\n[providers.jobs]\ngrace = 0\n'
    server = serve(libvirtd.uri(), config=config)
    ask = server.pywbem()
    (system,) = wait_until(lambda: ask.EnumerateInstanceNames("KVM_ComputerSystem"), PATIENCE)
    wait_until(lambda: ask.GetInstance(system)["EnabledState"] == 2, PATIENCE)
    (service,) = ask.EnumerateInstanceNames("KVM_BackupService")
    code, out = ask.InvokeMethod("StartBackup", service, AffectedSystem=system, BackupMode=pywbem.Uint16(PULL))
    assert code == 4096
    job = out["Job"]
    (export,) = wait_until(lambda: ask.GetInstance(job)["Exports"], PATIENCE)
    server.stop(signal.SIGKILL)
    server.start()
    ask = server.pywbem()
    shown = ask.GetInstance(job)
    assert (shown["JobState"], shown["Exports"]) == (4, [export])
    assert holds(export, 0)
    assert ask.InvokeMethod("EndBackup", service, AffectedSystem=system)[0] in (0, 4096)
    wait_until(lambda: ask.GetInstance(job)["JobState"] == JOB_COMPLETED, PATIENCE)

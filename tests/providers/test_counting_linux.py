"""A Linux guest that counts on its console: what snapshots, migrations and backups do to it, as it sees that itself."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import wait_until, why_unavailable
from tests.bed.linux import AGENT, COUNTS, LinuxGuest, counted
from tests.conftest import missing
from tests.providers.migrationbed import COMPLETED, EXCEPTION, HERE, LONG, TwoHosts
from virtcim.libhelper.domains import freezing
from virtcim.schema.classes import ClassStore

NAME = "counter"
FULL, DISK = pywbem.Uint16(2), pywbem.Uint16(3)
IMAGES = "/var/lib/libvirt/images"
"""Where each of the two daemons has a directory of its own."""

SETTINGS = {
    "SnapshotSettings": "VirtualSystemSnapshotSettingData",
    "CheckpointSettings": "BackupSettingData",
}
"""The classes of embedded instances, by parameter."""

pytestmark = pytest.mark.slow


class Counter:
    """The guest, on the first of two hosts.

    Parameters:
        words: more of the kernel's command line.
        devices: more of them, as XML.

    Attributes:
        hosts: both.
        console: what it has said; a host that it comes to adds to that.
    """

    def __init__(self, hosts: TwoHosts, linux: LinuxGuest, console: Path, words: str = "", devices: str = "") -> None:
        self.hosts, self.console = hosts, console
        image = hosts.daemons[HERE].new_image()
        subprocess.run(["qemu-img", "resize", str(image), "32M"], check=True, capture_output=True)
        path = f"{IMAGES}/{image.name}"
        hosts.daemons[HERE].define(linux.domain_xml(NAME, f"{COUNTS} {words}", path, console, devices))
        wait_until(lambda: hosts.hypervisors[HERE].inventory.domain(NAME), LONG)
        hosts.start(NAME)
        self.await_number(5)

    @property
    def numbers(self) -> list[int]:
        """What it has counted."""
        return counted(self.console)

    def await_number(self, number: int) -> None:
        """Wait until it has said a number last that is at least this one."""
        wait_until(lambda: max(self.numbers[-1:], default=0) >= number, LONG)

    def await_more(self) -> int:
        """Wait until it has gone on counting; the number that it has come to."""
        self.await_number(self.numbers[-1] + 4)
        return self.numbers[-1]

    def call(self, service: str, method: str, namespace: str = HERE, **parameters: Any) -> Any:
        """Have a service of a host do something as a job; the job, as it ended well."""
        connection = self.hosts.connection
        (path,) = connection.EnumerateInstanceNames(f"KVM_{service}", namespace)
        code, out = connection.InvokeMethod(method, path, **parameters)
        assert code == 4096
        shown = self.hosts.end_of(out["Job"])
        assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
        return shown


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, classes: ClassStore) -> Iterator[TwoHosts]:
    if (reason := why_unavailable()) is not None:
        missing(reason)
    made = TwoHosts(tmp_path_factory.mktemp("c"), classes)
    for daemon in made.daemons.values():
        daemon.virsh("pool-create-as", "images", "dir", "--target", IMAGES)
    yield made
    made.close()


@pytest.fixture
def counter(hosts: TwoHosts, linux: LinuxGuest, tmp_path: Path) -> Iterator[Counter]:
    yield Counter(hosts, linux, tmp_path / "console")
    hosts.clear()


def test_the_count_goes_back_to_the_snapshot(counter: Counter) -> None:
    system = counter.hosts.system(NAME)
    before = counter.numbers[-1]
    taken = counter.call("VirtualSystemSnapshotService", "CreateSnapshot", AffectedSystem=system, SnapshotType=FULL)
    after = counter.numbers[-1]
    snapshot = pywbem.CIMInstanceName.from_wbem_uri(taken["JobOutParameters"]["ResultingSnapshot"])
    highest = counter.await_more()
    counter.call("VirtualSystemSnapshotService", "ApplySnapshot", Snapshot=snapshot)
    wait_until(lambda: counter.numbers[-1] < highest, LONG)
    counter.await_more()
    numbers = counter.numbers
    steps = [(one, other) for one, other in pairwise(numbers) if other != one + 1]
    assert len(steps) == 1, steps
    ((last, first),) = steps
    assert last >= highest
    assert before <= first - 1 <= after + 1


@pytest.mark.parametrize("delay", [0, 12])
def test_a_guest_is_thawed_though_its_agent_comes_late(
    hosts: TwoHosts, linux: LinuxGuest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delay: int
) -> None:
    """It stands still while it is frozen, as it writes down what it counts."""
    monkeypatch.setattr(freezing, "_AGENT_PATIENCE", 4)
    channel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    counter = Counter(hosts, linux, tmp_path / "console", f"{AGENT}{delay}", channel)
    try:
        keys = {"InstanceID": NAME}
        path = pywbem.CIMInstanceName("KVM_VirtualSystemSnapshotCapabilities", keys, namespace=HERE)
        wait_until(lambda: hosts.connection.GetInstance(path)["GuestOSNotificationEnabled"], LONG)
        values = {"ElementName": "quiet", "Quiesce": True, "OverlayDirectory": str(tmp_path)}
        (service,) = hosts.connection.EnumerateInstanceNames("KVM_VirtualSystemSnapshotService", HERE)
        code, out = hosts.connection.InvokeMethod(
            "CreateSnapshot",
            service,
            AffectedSystem=hosts.system(NAME),
            SnapshotType=DISK,
            SnapshotSettings=pywbem.CIMInstance("KVM_VirtualSystemSnapshotSettingData", values),
        )
        assert code == 4096
        shown = hosts.end_of(out["Job"])
        assert shown["JobState"] == (EXCEPTION if delay else COMPLETED), shown["ErrorDescription"]
        assert hosts.daemons[HERE].virsh("snapshot-list", NAME, "--name").split() == ([] if delay else ["quiet"])
        said = wait_until(lambda: re.findall("FROZEN|THAWED", counter.console.read_text(errors="replace"))[1:], LONG)
        assert said[-1] == "THAWED"
        counter.await_more()
        assert [each.name for each in tmp_path.glob("*.quiet")] == ([] if delay else [f"{NAME}-vda.quiet"])
    finally:
        hosts.clear()


def test_a_guest_that_somebody_else_has_frozen_stays_so(hosts: TwoHosts, linux: LinuxGuest, tmp_path: Path) -> None:
    """Nothing that needs it frozen is done meanwhile, and it is thawed by nobody but who froze it."""
    channel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    counter = Counter(hosts, linux, tmp_path / "console", f"{AGENT}0", channel)
    daemon, ask = hosts.daemons[HERE], hosts.connection

    def words() -> list[str]:
        return re.findall("FROZEN|THAWED", counter.console.read_text(errors="replace"))

    def end_of(base: str, method: str, setting: str, **parameters: Any) -> pywbem.CIMInstance:
        (service,) = ask.EnumerateInstanceNames(f"KVM_{base}", HERE)
        values = {"ElementName": "quiet", "Quiesce": True}
        given = {setting: pywbem.CIMInstance(f"KVM_{SETTINGS[setting]}", values), **parameters}
        code, out = ask.InvokeMethod(method, service, AffectedSystem=hosts.system(NAME), **given)
        assert code == 4096
        return hosts.end_of(out["Job"])

    snapshot = "VirtualSystemSnapshotService", "CreateSnapshot", "SnapshotSettings"
    try:
        path = pywbem.CIMInstanceName("KVM_VirtualSystemSnapshotCapabilities", {"InstanceID": NAME}, namespace=HERE)
        wait_until(lambda: ask.GetInstance(path)["GuestOSNotificationEnabled"], LONG)
        wait_until(lambda: counter.numbers, LONG)
        daemon.virsh("domfsfreeze", NAME)
        wait_until(lambda: words()[-1:] == ["FROZEN"], LONG)
        before = words()
        for shown in (
            end_of(*snapshot, SnapshotType=DISK),
            end_of("BackupService", "CreateCheckpoint", "CheckpointSettings"),
        ):
            assert shown["JobState"] == EXCEPTION
            assert "its agent refuses to freeze its file systems" in shown["ErrorDescription"]
        assert words() == before
        assert daemon.virsh("snapshot-list", NAME, "--name").split() == []
        assert daemon.virsh("checkpoint-list", NAME, "--name").split() == []
        daemon.virsh("domfsthaw", NAME)
        wait_until(lambda: words()[-1:] == ["THAWED"], LONG)
        assert end_of(*snapshot, SnapshotType=DISK)["JobState"] == COMPLETED
        wait_until(lambda: words()[-2:] == ["FROZEN", "THAWED"], LONG)
        counter.await_more()
    finally:
        hosts.clear()


def test_an_agent_tells_name_address_and_file_system(hosts: TwoHosts, linux: LinuxGuest, tmp_path: Path) -> None:
    devices = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    devices += "<interface type='user'><mac address='52:54:00:00:00:77'/><model type='virtio'/></interface>"
    Counter(hosts, linux, tmp_path / "console", f"{AGENT}0", devices)
    ask = hosts.connection
    try:
        [address] = wait_until(lambda: ask.EnumerateInstances("KVM_IPProtocolEndpoint", HERE), LONG)
        assert (address["IPv4Address"], address["PrefixLength"], address["SystemName"]) == ("192.0.2.77", 24, NAME)
        virsh = hosts.daemons[HERE].virsh("domifaddr", NAME, "--source", "agent")
        assert f"{address['IPv4Address']}/{address['PrefixLength']}" in virsh
        [port] = ask.Associators(address.path, AssocClass="KVM_PortImplementsEndpoint")
        assert port["PermanentAddress"] == "525400000077"
        points = ask.AssociatorNames(hosts.system(NAME), AssocClass="KVM_HostedAccessPoint")
        for each in points:
            each.host = None  # names of enumerated instances have none
        assert address.path in points
        [service] = ask.EnumerateInstanceNames("KVM_VirtualSystemManagementService", HERE)
        _, out = ask.InvokeMethod("GetSummary", service, Systems=[hosts.system(NAME)])
        [summary] = out["Summaries"]
        assert summary["OperatingSystem"] == "BusyBox of the bed"
        told = hosts.daemons[HERE].virsh("guestinfo", NAME, "--hostname")
        assert told.split(":")[1].strip() == summary["HostName"]
        assert summary["Addresses"] == ["192.0.2.77"]
        [system] = ask.Associators(hosts.system(NAME), AssocClass="KVM_RunningOS")
        assert (system["OSType"], system["OtherTypeDescription"]) == (1, "BusyBox of the bed")
        [file_system] = ask.Associators(hosts.system(NAME), AssocClass="KVM_HostedFileSystem")
        assert (file_system["Root"], file_system["FileSystemType"]) == ("/disk", "ext4")
        told = hosts.daemons[HERE].virsh("guestinfo", NAME, "--filesystem")
        [size] = re.findall(r"fs.0.total-bytes *: (\d+)", told)
        assert file_system["FileSystemSize"] == int(size)
        assert 0 < file_system["AvailableSpace"] < file_system["FileSystemSize"] <= 32 << 20
        [disk] = ask.Associators(file_system.path, AssocClass="KVM_ResidesOnExtent")
        assert (disk["Name"], disk["SystemName"]) == ("vda", NAME)
    finally:
        hosts.clear()


def test_the_count_goes_on_at_the_new_place_of_guest_and_disk(counter: Counter) -> None:
    shown = counter.hosts.end_of(counter.hosts.migrate(NAME, CopyStorage=True))
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert counter.hosts.states() == [{}, {NAME: "running"}]
    last = counter.await_more()
    assert counter.numbers[:last] == list(range(1, last + 1))


def test_a_file_written_between_two_backups_is_in_the_second_alone(counter: Counter, tmp_path: Path) -> None:
    hosts = counter.hosts
    pool = pywbem.CIMInstanceName("KVM_DiskPool", {"InstanceID": "DiskPool/images"}, namespace=HERE)
    where = {"AffectedSystem": hosts.system(NAME), "TargetPool": pool}

    def back_up(name: str, **further: Any) -> bytes:
        settings = {"Disks": ["vda"], "VolumeNames": [f"{name}.qcow2"], "CheckpointName": name}
        given = pywbem.CIMInstance("KVM_BackupSettingData", settings)
        counter.call("BackupService", "StartBackup", **where, BackupSettings=given, **further)
        raw = tmp_path / f"{name}.raw"
        command = ["qemu-img", "convert", "-O", "raw", str(hosts.daemons[HERE].images / f"{name}.qcow2"), str(raw)]
        subprocess.run(command, check=True, capture_output=True)
        return raw.read_bytes()

    early = counter.numbers[-1]
    full = back_up("full")
    between = counter.await_more()
    keys = {"InstanceID": f"KVM:{NAME}/checkpoint/full"}
    base = pywbem.CIMInstanceName("KVM_Checkpoint", keys, namespace=HERE)
    incremental = back_up("incremental", BaseCheckpoint=base)
    assert f"FILE {early} END".encode() in full
    assert f"FILE {between} END".encode() not in full
    assert f"FILE {between} END".encode() in incremental

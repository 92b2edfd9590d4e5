"""VirtualSystemSnapshotService on a real libvirtd with QEMU."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import libvirt
import pytest
import pywbem

from tests.bed import Libvirtd, Server, boot_sector_xml, wait_until
from tests.bed.listener import Listener, subscribed
from tests.conftest import Guests
from tests.providers.snapshotmodel import SnapshotModel, read_tree
from tests.providers.snapshotservice import (
    COMPLETED,
    DISK,
    FULL,
    INVALID_STATE,
    MEMORY,
    MEMORY_AND_STOP,
    NOT_SUPPORTED,
    SnapshotService,
)
from virtcim.libhelper.documents.snapshot import SnapshotDocument
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory.inventory import Inventory
from virtcim.libhelper.inventory.records import Domain
from virtcim.libhelper.inventory.watch import xml_directories
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.providers.interface import CIMError, Status

PATIENCE = 60.0
ENABLED, DISABLED, QUIESCE = 2, 3, 9


@pytest.fixture
def service(libvirtd: Libvirtd, guests: Guests) -> Iterator[SnapshotService]:
    made = SnapshotService(libvirtd.uri(), "KVM")
    yield made
    made.close()


def virsh_names(daemon: Libvirtd, guest: str) -> list[str]:
    return daemon.virsh("snapshot-list", guest, "--name").split()


def ids(paths: list[Any]) -> list[str]:
    return [path["InstanceID"] for path in paths]


def test_a_snapshot_lives_its_life_over_the_wire(
    guests: Guests, libvirtd: Libvirtd, serve: Callable[..., Server]
) -> None:
    name = guests.baseline("wired")
    client: Any = serve(libvirtd.uri()).pywbem()
    (service,) = client.EnumerateInstanceNames("KVM_VirtualSystemSnapshotService")
    (system,) = client.EnumerateInstanceNames("KVM_ComputerSystem")
    wishes = pywbem.CIMInstance(
        "KVM_VirtualSystemSnapshotSettingData", {"ElementName": "clean", "Description": "as it was installed"}
    )
    value, out = client.InvokeMethod(
        "CreateSnapshot",
        service,
        AffectedSystem=system,
        SnapshotSettings=wishes,
        SnapshotType=pywbem.Uint16(FULL),
    )
    assert value == 0
    path = out["ResultingSnapshot"]
    assert path["InstanceID"] == f"KVM:{name}/snapshot/clean"
    shown = client.GetInstance(path)
    assert (shown["ElementName"], shown["ConfigurationName"], shown["Notes"]) == (
        "clean",
        "clean",
        ["as it was installed"],
    )
    assert (shown["SnapshotType"], shown["SnapshotState"], shown["ChangeableType"]) == (FULL, DISABLED, 0)
    assert virsh_names(libvirtd, name) == ["clean"]
    for association in ("SnapshotOfVirtualSystem", "MostCurrentSnapshotInBranch"):
        assert ids(client.AssociatorNames(system, AssocClass=f"KVM_{association}")) == [path["InstanceID"]]
    parts = client.AssociatorNames(path, AssocClass="KVM_VirtualSystemSettingDataComponent")
    assert f"{name}/snapshot/clean/vda" in ids(parts)
    disk = next(part for part in parts if part["InstanceID"].endswith("/vda"))
    assert client.GetInstance(disk)["ChangeableType"] == 0
    assert client.InvokeMethod("ApplySnapshot", service, Snapshot=path)[0] == 0
    assert ids(client.AssociatorNames(system, AssocClass="KVM_LastAppliedSnapshot")) == [path["InstanceID"]]
    assert client.InvokeMethod("DestroySnapshot", service, AffectedSnapshot=path)[0] == 0
    assert virsh_names(libvirtd, name) == []
    with pytest.raises(pywbem.CIMError):
        client.GetInstance(path)


def random_sequence(service: SnapshotService, daemon: Libvirtd, guest: str, random: Random, most: int) -> None:
    """At most so many operations on the snapshots of a guest, each followed by a look at what there is then."""
    model = SnapshotModel()
    names = iter(f"s{number}" for number in range(100))
    for _ in range(random.randint(most // 2, most)):
        there = sorted(model.parents)
        operation = random.choice(["create", "create", "create", "apply", "destroy", "tree"]) if there else "create"
        if operation == "create":
            name = next(names)
            result = service.take(guest, ElementName=name)
            model.create(name)
        else:
            name = random.choice(there)
            path = service.snapshot(guest, name)
            if operation == "apply":
                result = service.call("ApplySnapshot", Snapshot=path)
                model.apply(name)
            elif operation == "destroy":
                result = service.call("DestroySnapshot", AffectedSnapshot=path)
                model.destroy(name)
            else:
                result = service.call("DestroySnapshotTree", AffectedSnapshot=path)
                model.destroy_tree(name)
        assert result.return_value == COMPLETED, (operation, name)
        assert service.tree(guest) == model.parents == read_tree(daemon.virsh("snapshot-list", guest, "--tree"))
        assert service.current(guest) == model.current
        if model.applied is not None:
            # Of one that is gone, nothing tells libvirt's next snapshot from one that was applied.
            assert service.applied(guest) == model.applied, operation
        shown = {str(each.identity) for each in service.instances("KVM_VirtualSystemSettingData")}
        assert shown == {f"KVM:{guest}", *(f"KVM:{guest}/snapshot/{each}" for each in model.parents)}
    for name in [name for name, parent in model.parents.items() if parent is None]:
        service.call("DestroySnapshotTree", AffectedSnapshot=service.snapshot(guest, name))
    assert service.tree(guest) == {}


def run_sequences(service: SnapshotService, daemon: Libvirtd, guests: Guests, seeds: Iterable[int], most: int) -> None:
    guest = guests.baseline("tree")
    service.hypervisor.inventory.wait_for(lambda now: now.domain(guest) is not None, PATIENCE)
    for seed in seeds:
        try:
            random_sequence(service, daemon, guest, Random(seed), most)
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise


def test_random_sequences_agree_with_a_model(service: SnapshotService, libvirtd: Libvirtd, guests: Guests) -> None:
    run_sequences(service, libvirtd, guests, range(20), 4)


@pytest.mark.slow
def test_many_random_sequences_agree_with_a_model(service: SnapshotService, libvirtd: Libvirtd, guests: Guests) -> None:
    run_sequences(service, libvirtd, guests, range(20, 220), 8)


def test_clients_who_come_at_once_all_have_their_snapshot(
    service: SnapshotService, libvirtd: Libvirtd, guests: Guests
) -> None:
    """Those who name none get different names; of those who name the same one, all but the first are told so."""
    name = guests.baseline("shared")
    await_guest(service, name, lambda _: True)

    def take(wanted: str | None) -> str:
        wishes = service.wishes(ElementName=wanted) if wanted else None
        try:
            result = service.call(
                "CreateSnapshot", AffectedSystem=service.system(name), SnapshotType=FULL, SnapshotSettings=wishes
            )
        except CIMError as error:
            return error.status.name
        return str(result.return_value)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(take, [None] * 4)) == ["0"] * 4
        assert sorted(threads.map(take, ["same"] * 4)) == ["0", *["ALREADY_EXISTS"] * 3]
    assert len(virsh_names(libvirtd, name)) == 5


def test_a_tree_is_removed_with_branches_in_it(service: SnapshotService, libvirtd: Libvirtd, guests: Guests) -> None:
    """libvirtd 9.0 itself crashes over one that has a younger brother without followers."""
    name = guests.baseline("branches")
    await_guest(service, name, lambda _: True)
    for snapshot in ("root", "top", "older", None, "younger", "last"):
        if snapshot is None:
            result = service.call("ApplySnapshot", Snapshot=service.snapshot(name, "top"))
        else:
            result = service.take(name, ElementName=snapshot)
        assert result.return_value == COMPLETED, snapshot
    assert service.tree(name) == {"root": None, "top": "root", "older": "top", "younger": "top", "last": "younger"}
    result = service.call("DestroySnapshotTree", AffectedSnapshot=service.snapshot(name, "top"))
    assert result.return_value == COMPLETED
    assert service.tree(name) == read_tree(libvirtd.virsh("snapshot-list", name, "--tree")) == {"root": None}
    assert service.current(name) == "root"


def started(service: SnapshotService, daemon: Libvirtd, guest: str) -> str:
    daemon.virsh("start", guest)
    await_guest(service, guest, lambda record: record.active)
    return guest


def await_guest(service: SnapshotService, guest: str, condition: Callable[[Domain], bool]) -> None:
    def holds(inventory: Inventory) -> bool:
        record = inventory.domain(guest)
        return record is not None and condition(record)

    assert service.hypervisor.inventory.wait_for(holds, PATIENCE)


def state_of(daemon: Libvirtd, guest: str) -> str:
    return daemon.virsh("domstate", guest).strip()


def test_a_running_guest_is_put_back_into_each_state(
    service: SnapshotService, libvirtd: Libvirtd, guests: Guests
) -> None:
    name = guests.boot_sector("running")
    await_guest(service, name, lambda _: True)
    assert service.take(name, ElementName="off").return_value == COMPLETED
    started(service, libvirtd, name)
    assert service.take(name, ElementName="on").return_value == COMPLETED
    shown = service.shown(service.snapshot(name, "on"))
    assert (shown["SnapshotType"], shown["SnapshotState"]) == (FULL, ENABLED)
    assert state_of(libvirtd, name) == "running"
    steps: list[tuple[str, int | None, str]] = [
        ("on", QUIESCE, "paused"),
        ("on", None, "running"),
        ("off", None, "shut off"),
        ("on", None, "running"),
        ("on", DISABLED, "shut off"),
        ("off", ENABLED, "running"),
    ]
    for snapshot, requested, expected in steps:
        method = "ApplySnapshot" if requested is None else "ApplySnapshotInState"
        result = service.call(method, Snapshot=service.snapshot(name, snapshot), RequestedState=requested)
        assert result.return_value == COMPLETED, (snapshot, requested)
        assert state_of(libvirtd, name) == expected
        assert service.linked("LastAppliedSnapshot", service.snapshot(name, snapshot)) == [name]
    assert service.take(name, ElementName="halted", Halt=True).return_value == COMPLETED
    assert state_of(libvirtd, name) == "shut off"
    assert read_tree(libvirtd.virsh("snapshot-list", name, "--tree")) == {"off": None, "on": "off", "halted": "off"}


def test_memory_is_saved_and_the_guest_goes_on_from_there(
    service: SnapshotService, libvirtd: Libvirtd, guests: Guests
) -> None:
    name = started(service, libvirtd, guests.boot_sector("saved"))
    result = service.take(name, MEMORY_AND_STOP)
    assert (result.return_value, result.out["ResultingSnapshot"]) == (COMPLETED, service.vssd_path(name))
    assert state_of(libvirtd, name) == "shut off"
    assert service.call("ApplySnapshot", Snapshot=service.vssd_path(name)).return_value == COMPLETED
    assert state_of(libvirtd, name) == "running"


def with_raw_disk(daemon: Libvirtd, name: str, directory: Path) -> str:
    image = directory / "raw.img"
    image.write_bytes(bytes(1 << 20))
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/>"
        "<target dev='vdb' bus='virtio'/></disk></devices>"
    )
    daemon.define(boot_sector_xml(name, daemon.new_image()).replace("</devices>", disk))
    return name


@pytest.mark.parametrize("is_running", [False, True])
def test_disks_go_on_in_overlays(
    service: SnapshotService, libvirtd: Libvirtd, tmp_path: Path, is_running: bool
) -> None:
    name = with_raw_disk(libvirtd, "raw", tmp_path)
    await_guest(service, name, lambda _: True)
    if is_running:
        started(service, libvirtd, name)
    assert service.take(name, FULL).return_value == NOT_SUPPORTED
    reasons = service.get("KVM_VirtualSystemSnapshotCapabilities", InstanceID=name).properties()["Obstacles"]
    assert "2: disk vdb is raw; expected qcow2, or type 3" in reasons  # type: ignore[operator]
    overlays = tmp_path / "overlays"
    overlays.mkdir()
    result = service.take(name, DISK, ElementName="d", Disks=["vdb"], OverlayDirectory=str(overlays))
    assert result.return_value == COMPLETED
    assert [each.name for each in overlays.iterdir()] == ["raw-vdb.d"]
    shown = service.shown(service.snapshot(name, "d"))
    assert (shown["SnapshotType"], shown["SnapshotDisks"]) == (DISK, ["vdb"])
    assert shown["Overlays"] == [str(overlays / "raw-vdb.d")]
    assert str(overlays / "raw-vdb.d") in libvirtd.virsh("domblklist", name)
    assert service.call("ApplySnapshot", Snapshot=service.snapshot(name, "d")).return_value == NOT_SUPPORTED
    assert service.call("DestroySnapshot", AffectedSnapshot=service.snapshot(name, "d")).return_value == COMPLETED
    assert list(overlays.iterdir()) == []
    assert str(tmp_path / "raw.img") in libvirtd.virsh("domblklist", name)
    assert service.tree(name) == {}


def test_no_snapshot_is_lost_with_the_images_of_another(
    service: SnapshotService, libvirtd: Libvirtd, guests: Guests
) -> None:
    """libvirt 9.0 would do both: it leaves overlays that fit nothing, or removes what the snapshots are in."""
    name = guests.boot_sector("mixed")
    await_guest(service, name, lambda _: True)
    for snapshot, kind in (("inner", FULL), ("outer", DISK), ("last", FULL)):
        assert service.take(name, kind, ElementName=snapshot).return_value == COMPLETED
    before = libvirtd.virsh("domblklist", name)
    refused = [("ApplySnapshot", "Snapshot", "inner"), ("DestroySnapshot", "AffectedSnapshot", "outer")]
    for method, parameter, snapshot in refused:
        result = service.call(method, **{parameter: service.snapshot(name, snapshot)})
        assert result.return_value == INVALID_STATE, method
    assert service.call("ApplySnapshot", Snapshot=service.snapshot(name, "last")).return_value == COMPLETED
    assert libvirtd.virsh("domblklist", name) == before
    assert service.tree(name) == {"inner": None, "outer": "inner", "last": "outer"}


def qemu_img_names(image: Path) -> list[str]:
    """The snapshots that an image holds."""
    told = subprocess.run(["qemu-img", "info", "-U", "--output=json", str(image)], check=True, capture_output=True)
    return [each["name"] for each in json.loads(told.stdout).get("snapshots", [])]


@pytest.mark.parametrize("is_running", [False, True])
def test_names_mean_one_snapshot_and_no_other(
    service: SnapshotService, libvirtd: Libvirtd, guests: Guests, is_running: bool
) -> None:
    """Those that libvirt or QEMU would take for something else are refused, and nothing is left of them."""
    name = guests.boot_sector("named")
    await_guest(service, name, lambda _: True)
    if is_running:
        started(service, libvirtd, name)
    image = libvirtd.images / Path(libvirtd.virsh("domblklist", name).split()[-1]).name
    for wrong in ('"', "\\", "a,b", "1", "007", "\N{CJK UNIFIED IDEOGRAPH-65E5}" * 67, "x" * 201):
        for kind in (FULL, DISK):
            with pytest.raises(CIMError, match="cannot be the name of a snapshot") as refused:
                service.take(name, kind, ElementName=wrong)
            assert refused.value.status is Status.INVALID_PARAMETER
    assert qemu_img_names(image) == []
    for right in ("\N{LATIN SMALL LETTER U WITH DIAERESIS}", "a b & c's", "1st", "\N{CJK UNIFIED IDEOGRAPH-65E5}" * 66):
        assert service.take(name, FULL, ElementName=right).return_value == COMPLETED
        assert qemu_img_names(image) == [right]
        path = service.snapshot(name, right)
        assert service.call("ApplySnapshot", Snapshot=path).return_value == COMPLETED, right
        assert service.call("DestroySnapshot", AffectedSnapshot=path).return_value == COMPLETED, right
        assert service.take(name, DISK, ElementName=right).return_value == COMPLETED
        assert service.call("DestroySnapshot", AffectedSnapshot=path).return_value == COMPLETED, right


def test_no_guest_is_put_back_to_another_snapshot_than_it_is_told(
    service: SnapshotService, libvirtd: Libvirtd, guests: Guests
) -> None:
    """QEMU would take the name that somebody else has given it for the number of the first one."""
    name = guests.boot_sector("numbered")
    image = libvirtd.images / Path(libvirtd.virsh("domblklist", name).split()[-1]).name

    def write(pattern: int) -> None:
        subprocess.run(["qemu-io", "-c", f"write -P {pattern} 512k 64k", str(image)], check=True, capture_output=True)

    for pattern, snapshot in ((1, "first"), (2, "1"), (3, "third")):
        write(pattern)
        libvirtd.virsh("snapshot-create-as", name, snapshot)
    write(4)
    wait_until(lambda: set(service.tree(name)) == {"first", "1", "third"}, PATIENCE)
    assert service.call("ApplySnapshot", Snapshot=service.snapshot(name, "1")).return_value == INVALID_STATE
    command = ["qemu-io", "-r", "-c", "read -P 4 512k 64k", str(image)]
    assert "failed" not in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert service.call("DestroySnapshot", AffectedSnapshot=service.snapshot(name, "1")).return_value == COMPLETED
    assert qemu_img_names(image) == ["first", "third"]


def test_no_guest_loses_its_disk_to_a_comma(
    service: SnapshotService, libvirtd: Libvirtd, guests: Guests, tmp_path: Path
) -> None:
    """libvirt makes the overlay of a guest that is off under another name than it has the guest look for."""
    name = guests.boot_sector("one,two")
    await_guest(service, name, lambda _: True)
    before = libvirtd.virsh("domblklist", name)
    overlays = tmp_path / "a,b"
    overlays.mkdir()
    for wrong in ({"OverlayDirectory": str(overlays)}, {"Disks": ["vda"], "Overlays": [str(overlays / "o")]}):
        with pytest.raises(CIMError, match="without comma"):
            service.take(name, DISK, **wrong)
    assert libvirtd.virsh("domblklist", name) == before
    assert service.take(name, DISK, ElementName="off", OverlayDirectory=str(tmp_path)).return_value == COMPLETED
    assert (tmp_path / "one_two-vda.off").exists()
    started(service, libvirtd, name)
    assert service.take(name, DISK, ElementName="on", OverlayDirectory=str(overlays)).return_value == COMPLETED
    assert (overlays / "one_two-vda.on").exists()
    libvirtd.virsh("destroy", name)
    await_guest(service, name, lambda record: not record.active)
    assert service.take(name, DISK, ElementName="again").return_value == INVALID_STATE
    libvirtd.virsh("start", name)


def read_as_it_is(daemon: Libvirtd, guest: str) -> list[int]:
    """What the disk of a guest that is off holds in each place that `test_one_of_several_overlays_goes` writes to."""
    top = daemon.virsh("domblklist", guest).split()[-1]
    command = ["nsenter", f"--mount={daemon.namespace}", "qemu-io", "-r"]
    found = []
    for place in range(4):
        done = subprocess.run(
            [*command, "-c", f"read -P {place + 1} {place}M 64k", top], capture_output=True, text=True, check=True
        )
        found.append(0 if "verification failed" in done.stdout else place + 1)
    return found


@pytest.mark.parametrize("victim", ["a", "b", "c"])
@pytest.mark.parametrize("has_run", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_one_of_several_overlays_goes(
    service: SnapshotService, libvirtd: Libvirtd, guests: Guests, has_run: bool, victim: str
) -> None:
    """Whichever it is, the guest has all that was written, the other snapshots stay, and can be removed."""
    name = guests.boot_sector("stacked")
    image = libvirtd.images / Path(libvirtd.virsh("domblklist", name).split()[-1]).name
    subprocess.run(["qemu-img", "resize", str(image), "8M"], check=True, capture_output=True)
    await_guest(service, name, lambda _: True)

    def write(place: int) -> None:
        top = libvirtd.virsh("domblklist", name).split()[-1]
        command = ["nsenter", f"--mount={libvirtd.namespace}", "qemu-io"]
        subprocess.run([*command, "-c", f"write -P {place + 1} {place}M 64k", top], check=True, capture_output=True)

    for place, snapshot in enumerate("abc", start=1):
        write(place - 1)
        assert service.take(name, DISK, ElementName=snapshot).return_value == COMPLETED
    write(3)
    if has_run:
        started(service, libvirtd, name)
        libvirtd.virsh("destroy", name)
        await_guest(service, name, lambda record: not record.active)
    left = [each for each in "abc" if each != victim]
    for snapshot in (victim, *left):
        result = service.call("DestroySnapshot", AffectedSnapshot=service.snapshot(name, snapshot))
        assert result.return_value == COMPLETED, snapshot
        assert state_of(libvirtd, name) == "shut off"
        assert read_as_it_is(libvirtd, name) == [1, 2, 3, 4], snapshot
    assert service.tree(name) == {}
    assert Path(libvirtd.virsh("domblklist", name).split()[-1]).name == image.name


def test_a_guest_that_is_started_for_its_disks_is_off_once_nobody_works_on_them(
    libvirtd: Libvirtd, guests: Guests
) -> None:
    """Also where the process that does so is killed."""
    name = guests.boot_sector("opened")
    script = (
        "import libvirt, sys, time\n"
        "from virtcim.libhelper.domains.handle import kept_open\n"
        "domain = libvirt.open(sys.argv[1]).lookupByName(sys.argv[2])\n"
        "with kept_open(domain):\n"
        "    print(flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, libvirtd.uri(), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert state_of(libvirtd, name) == "paused"
        process.kill()
    wait_until(lambda: state_of(libvirtd, name) == "shut off", PATIENCE)


@pytest.mark.parametrize("is_running", [False, True])
def test_a_snapshot_that_its_image_has_lost_is_told(
    service: SnapshotService, libvirtd: Libvirtd, guests: Guests, is_running: bool
) -> None:
    """QEMU ends a running guest then, which is said; the snapshot can be removed."""
    name = guests.boot_sector("forgetful")
    await_guest(service, name, lambda _: True)
    image = libvirtd.images / Path(libvirtd.virsh("domblklist", name).split()[-1]).name
    if is_running:
        started(service, libvirtd, name)
    assert service.take(name, FULL, ElementName="lost").return_value == COMPLETED
    if is_running:
        libvirtd.virsh("qemu-monitor-command", name, "--hmp", "delvm lost")
    else:
        subprocess.run(["qemu-img", "snapshot", "-d", "lost", str(image)], check=True)
    text = service.refused("ApplySnapshot", Snapshot=service.snapshot(name, "lost"))
    assert text.startswith("FAILED Unable to apply snapshot: ")
    assert text.endswith("; the guest is off") == is_running
    assert state_of(libvirtd, name) == "shut off"
    assert service.tree(name) == {"lost": None}
    path = service.snapshot(name, "lost")
    assert service.call("DestroySnapshot", AffectedSnapshot=path).return_value == COMPLETED
    libvirtd.virsh("start", name)


def test_memory_goes_into_a_file(service: SnapshotService, libvirtd: Libvirtd, guests: Guests, tmp_path: Path) -> None:
    name = started(service, libvirtd, guests.boot_sector("filed"))
    result = service.take(name, MEMORY, ElementName="m", OverlayDirectory=str(tmp_path))
    memory = f"{libvirtd.virsh('domuuid', name).strip()}.m.memory"
    assert result.return_value == COMPLETED
    assert state_of(libvirtd, name) == "running"
    shown = service.shown(service.snapshot(name, "m"))
    assert (shown["SnapshotType"], shown["MemoryFile"]) == (MEMORY, str(tmp_path / memory))
    assert {each.name for each in tmp_path.iterdir()} == {"filed-vda.m", memory}
    assert service.call("ApplySnapshot", Snapshot=service.snapshot(name, "m")).return_value == NOT_SUPPORTED
    assert service.call("DestroySnapshot", AffectedSnapshot=service.snapshot(name, "m")).return_value == COMPLETED
    assert list(tmp_path.iterdir()) == []
    assert state_of(libvirtd, name) == "running"


def test_a_refusal_leaves_nothing(service: SnapshotService, libvirtd: Libvirtd, guests: Guests, tmp_path: Path) -> None:
    name = started(service, libvirtd, guests.boot_sector("refused"))
    before = libvirtd.virsh("domblklist", name)
    for kind in (DISK, MEMORY):
        text = service.refused(
            "CreateSnapshot",
            AffectedSystem=service.system(name),
            SnapshotType=kind,
            SnapshotSettings=service.wishes(OverlayDirectory=str(tmp_path / "none")),
        )
        assert text.startswith("FAILED Unable to create snapshot: ")
    assert service.take(name, DISK, Quiesce=True).return_value == INVALID_STATE
    assert libvirtd.virsh("domblklist", name) == before
    assert state_of(libvirtd, name) == "running"
    assert service.tree(name) == {}
    there = tmp_path / "there"
    there.write_text("kept")
    service.refused(
        "CreateSnapshot",
        AffectedSystem=service.system(name),
        SnapshotType=DISK,
        SnapshotSettings=service.wishes(Disks=["vda"], Overlays=[str(there)]),
    )
    assert there.read_text() == "kept"


def test_a_transient_guest_has_none(service: SnapshotService, libvirtd: Libvirtd, guests: Guests) -> None:
    name = started(service, libvirtd, guests.boot_sector("passing"))
    libvirtd.virsh("undefine", name)
    await_guest(service, name, lambda record: not record.persistent)
    for kind in (FULL, DISK, MEMORY, MEMORY_AND_STOP):
        assert service.take(name, kind).return_value == NOT_SUPPORTED
    assert virsh_names(libvirtd, name) == []


def test_what_others_do_is_seen_in_the_directory_of_libvirt(libvirtd: Libvirtd, guests: Guests) -> None:
    """Where that can be watched, the round has nothing to do with it."""
    name = guests.baseline("watched")
    directories = xml_directories(
        "qemu", libvirtd.directory / "etc", libvirtd.directory / "run/libvirt", libvirtd.directory / "lib"
    )
    hypervisor = Hypervisor(libvirtd.uri(), HypervisorSettings(interval=3600.0, watch_directories=directories))
    hypervisor.start()
    try:
        assert hypervisor.wait_ready(PATIENCE)

        def await_names(expected: list[str], current: str | None) -> None:
            def holds(inventory: Inventory) -> bool:
                record = inventory.domain(name)
                found = () if record is None else record.snapshots or ()
                now = next((each.name for each in found if each.is_current), None)
                return [each.name for each in found] == expected and now == current

            assert hypervisor.inventory.wait_for(holds, PATIENCE)

        for snapshot in ("a", "b"):
            libvirtd.virsh("snapshot-create-as", name, snapshot)
        await_names(["a", "b"], "b")
        libvirtd.virsh("snapshot-revert", name, "a")
        await_names(["a", "b"], "a")
        libvirtd.virsh("snapshot-delete", name, "a")
        await_names(["b"], None)
        libvirtd.virsh("snapshot-delete", name, "b")
        await_names([], None)
    finally:
        hypervisor.stop()


def redefine(daemon: Libvirtd, guest: str, name: str, description: str) -> None:
    """Give a snapshot another description, as `virsh snapshot-edit` does."""
    connection = daemon.connect()
    try:
        domain = connection.lookupByName(guest)
        document = SnapshotDocument(
            domain.snapshotLookupByName(name).getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        )
        document.set({"description": description})
        domain.snapshotCreateXML(document.tostring(), libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
    finally:
        connection.close()


def test_who_follows_is_told(libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]) -> None:
    """Of snapshots, of the settings of their resources and of what connects them, whoever made them."""
    name = guests.baseline("followed")
    server = serve(libvirtd.uri(), config="[inventory]\ninterval = 1\nvolume_interval = 1\n")
    filters = [
        f"SELECT * FROM {kind} WHERE SourceInstance ISA {wanted}"
        for kind in ("CIM_InstCreation", "CIM_InstModification", "CIM_InstDeletion")
        for wanted in ("KVM_VirtualSystemSettingData", "KVM_DiskResourceAllocationSettingData")
    ]
    links = [
        f"SELECT * FROM {kind} WHERE SourceInstance ISA KVM_SnapshotOfVirtualSystem"
        for kind in ("CIM_InstCreation", "CIM_InstDeletion")
    ]
    with Listener() as listener, subscribed(server, listener, *filters, *links):

        def told(kind: str, class_name: str, text: str) -> Any:
            names = {
                f"CIM_Inst{kind}",
                f"KVM_ResourceAllocationSettingData{kind.removesuffix('ion')}edIndication",
            }

            def matches(each: Any) -> bool:
                is_about = each["SourceInstance"].classname == class_name and text in each["SourceInstanceModelPath"]
                return each.classname in names and is_about

            return listener.wait(matches)["SourceInstance"]

        one = f"{name}/snapshot/one"
        libvirtd.virsh("snapshot-create-as", name, "one", "--description", "first")
        made = told("Creation", "KVM_VirtualSystemSettingData", f"KVM:{one}")
        assert (made["ElementName"], made["Notes"]) == ("one", ["first"])
        told("Creation", "KVM_DiskResourceAllocationSettingData", f"{one}/vda")
        told("Creation", "KVM_SnapshotOfVirtualSystem", one)
        redefine(libvirtd, name, "one", "other words")
        changed = told("Modification", "KVM_VirtualSystemSettingData", f"KVM:{one}")
        assert changed["Notes"] == ["other words"]
        client: Any = server.pywbem()
        (service,) = client.EnumerateInstanceNames("KVM_VirtualSystemSnapshotService")
        path = next(each for each in client.EnumerateInstanceNames("KVM_VirtualSystemSettingData") if one in str(each))
        assert client.InvokeMethod("DestroySnapshot", service, AffectedSnapshot=path)[0] == 0
        told("Deletion", "KVM_VirtualSystemSettingData", f"KVM:{one}")
        told("Deletion", "KVM_DiskResourceAllocationSettingData", f"{one}/vda")
        told("Deletion", "KVM_SnapshotOfVirtualSystem", one)


def test_wbemcli_takes_a_snapshot_and_applies_it(
    libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]
) -> None:
    """It sends what stands behind a reference as keys of that: the reference is the last parameter."""
    name = guests.baseline("plain")
    server = serve(libvirtd.uri())
    ask: Any = server.pywbem()
    wait_until(lambda: ask.EnumerateInstanceNames("KVM_ComputerSystem"), PATIENCE)
    (service,) = ask.EnumerateInstanceNames("KVM_VirtualSystemSnapshotService")
    path = "KVM_VirtualSystemSnapshotService." + ",".join(
        f'{key}="{service[key]}"' for key in ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    )
    system = f'KVM_ComputerSystem.CreationClassName="KVM_ComputerSystem",Name="{name}"'
    lines = server.wbemcli("cm", path, f"CreateSnapshot.SnapshotType=2,AffectedSystem={system}")
    (taken,) = virsh_names(libvirtd, name)
    assert f"{name}/snapshot/{taken}" in "".join(lines)
    snapshot = f'KVM_VirtualSystemSettingData.InstanceID="KVM:{name}/snapshot/{taken}"'
    assert server.wbemcli("cm", path, f"ApplySnapshot.Snapshot={snapshot}")
    (applied,) = ask.AssociatorNames(
        ask.EnumerateInstanceNames("KVM_ComputerSystem")[0], AssocClass="KVM_LastAppliedSnapshot"
    )
    assert applied["InstanceID"] == f"KVM:{name}/snapshot/{taken}"

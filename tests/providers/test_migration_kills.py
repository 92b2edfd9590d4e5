"""Daemons and the server killed at five moments of a migration: the guest runs exactly once, and the job says where."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.providers.migrationbed import COMPLETED, EXCEPTION, LONG, RESTART, begin_migration, guest_xml

OVER = (COMPLETED, 8, EXCEPTION)
START, SUSPEND = 2, 3
"""RequestedState."""

MOMENTS: dict[str, Callable[[Any], bool]] = {
    "begun": lambda shown: True,
    "prepared": lambda shown: shown["DataTotal"] is not None,
    "first data": lambda shown: bool(shown["DataProcessed"]),
    "a third": lambda shown: (shown["PercentComplete"] or 0) >= 30,
    "nearly done": lambda shown: (shown["PercentComplete"] or 0) >= 85,
}
"""When something is killed, by what the job shows then; a migration that is over sooner counts as well."""


class Bed:
    """Two daemons, one server, and a guest that takes its time."""

    def __init__(self, here: Libvirtd, there: Libvirtd, server: Server, filling: Path) -> None:
        self.here, self.there, self.server, self.filling = here, there, server, filling

    def connect(self) -> Any:
        return self.server.pywbem()

    def begin(self, **settings: Any) -> Any:
        """Start the guest anew on the first daemon, begin to move it, and return the path of the job."""
        for daemon in (self.here, self.there):
            daemon.remove_domains()
        ask = self.connect()
        wait_until(lambda: not ask.EnumerateInstanceNames("KVM_ComputerSystem"), LONG)
        self.here.define(guest_xml("mover", "", "", self.filling))
        self.here.virsh("autostart", "mover")
        self.here.virsh("start", "mover")
        wait_until(lambda: [each["EnabledState"] for each in ask.EnumerateInstances("KVM_ComputerSystem")] == [2], LONG)
        return begin_migration(ask, "mover", self.there, 3, **settings)

    def running_at(self) -> list[Libvirtd]:
        """The daemons whose guest runs."""
        return [each for each in (self.here, self.there) if each.list_all().get("mover") == "running"]


@pytest.fixture
def bed(new_libvirtd: Callable[[], Libvirtd], serve: Callable[..., Server], tmp_path: Path) -> Bed:
    here, there = new_libvirtd(), new_libvirtd()
    filling = tmp_path / "filling"
    filling.write_bytes(os.urandom(24 << 20))
    config = f'[providers.migration]\nsocket_directory = "{here.directory}"\n[providers.jobs]\ngrace = 0\n'
    return Bed(here, there, serve(here.uri(), there.uri(), config=config), filling)


def kill(bed: Bed, victim: str) -> None:
    if victim == "server":
        bed.server.stop(signal.SIGKILL)
        bed.server.start()
    else:
        daemon = bed.here if victim == "source" else bed.there
        daemon.kill()
        daemon.start()


def comes_or_is_over(ask: Any, job: Any, has_come: Callable[[Any], bool]) -> bool:
    shown = ask.GetInstance(job)
    return bool(has_come(shown) or shown["JobState"] in OVER)


def shown_when_over(ask: Any, job: Any) -> Any:
    shown = ask.GetInstance(job)
    return shown if shown["JobState"] in OVER else None


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["source", "target", "server"])
def test_whatever_is_killed_the_guest_runs_once_and_the_job_says_where(bed: Bed, victim: str) -> None:
    for moment, has_come in MOMENTS.items():
        try:
            job = bed.begin()
            ask = bed.connect()
            wait_until(partial(comes_or_is_over, ask, job, has_come), LONG)
            kill(bed, victim)
            ask = bed.connect()
            shown = wait_until(partial(shown_when_over, ask, job), LONG)
            (where,) = wait_until(bed.running_at, LONG)
            assert (shown["JobState"] == COMPLETED) == (where is bed.there), shown["ErrorDescription"]
            if shown["JobState"] != COMPLETED:
                said = shown["ErrorDescription"]
                assert "the guest runs on " in said or said.startswith("mover cannot be migrated to "), said
            other = bed.here if where is bed.there else bed.there
            assert other.list_all() == {}
        except Exception as error:
            error.add_note(f"{victim} was killed at {moment!r}")
            raise


def begin_postcopy(bed: Bed) -> Any:
    """Begin to move the guest, and have it go on at its new place before its memory is there; the path of the job."""
    job = bed.begin(PostCopy=True, PostCopyAfter=pywbem.Uint32(100), PostCopyBandwidth=pywbem.Uint32(2))
    ask = bed.connect()
    wait_until(lambda: ask.GetInstance(job)["DataProcessed"], LONG)
    changed = pywbem.CIMInstance(job.classname, {"InPostCopy": True}, path=job)
    ask.ModifyInstance(changed, PropertyList=["InPostCopy"])
    wait_until(lambda: ask.GetInstance(job)["InPostCopy"], LONG)
    return job


def request(bed: Bed, job: Any, state: int) -> int:
    """Ask a job for a state; the return code."""
    return int(bed.connect().InvokeMethod("RequestStateChange", job, RequestedState=pywbem.Uint16(state))[0])


def assert_has_come(bed: Bed, job: Any) -> None:
    """The job is completed, and the guest runs at its new place alone, and will after a start of that host."""
    shown = wait_until(partial(shown_when_over, bed.connect(), job), LONG)
    assert shown["ErrorDescription"] is None
    assert shown["JobState"] == COMPLETED
    assert bed.running_at() == [bed.there]
    assert bed.here.list_all() == {}
    assert "mover" in bed.there.virsh("list", "--all", "--autostart")


@pytest.mark.slow
@pytest.mark.parametrize("is_suspended", [False, True])
def test_memory_that_follows_a_guest_comes_though_the_server_is_killed(bed: Bed, is_suspended: bool) -> None:
    job = begin_postcopy(bed)
    if is_suspended:
        assert request(bed, job, SUSPEND) == 0
    kill(bed, "server")
    assert_has_come(bed, job)


@pytest.mark.slow
def test_a_server_that_found_a_migration_holds_it_and_goes_on(bed: Bed) -> None:
    job = begin_postcopy(bed)
    kill(bed, "server")
    wait_until(lambda: request(bed, job, SUSPEND) == 0, LONG)
    wait_until(lambda: "post-copy failed" in bed.here.virsh("domstate", "--reason", "mover"), LONG)
    assert request(bed, job, START) == 0
    assert_has_come(bed, job)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["source", "target"])
def test_memory_that_follows_a_guest_comes_though_a_daemon_is_killed(bed: Bed, victim: str) -> None:
    job = begin_postcopy(bed)
    wait_until(lambda: "running" in bed.there.virsh("domstate", "mover"), LONG)
    kill(bed, victim)
    assert_has_come(bed, job)


@pytest.mark.slow
@pytest.mark.parametrize("is_served", [True, False])
def test_a_guest_whose_memory_cannot_come_any_more_is_not_told_as_moved(bed: Bed, is_served: bool) -> None:
    job = begin_postcopy(bed)
    wait_until(lambda: "running" in bed.there.virsh("domstate", "mover"), LONG)
    emulator = int((bed.here.directory / "run/libvirt/qemu/mover.pid").read_text())
    if not is_served:
        bed.server.stop(signal.SIGKILL)
    os.kill(emulator, signal.SIGKILL)
    if not is_served:
        wait_until(lambda: "failed" in bed.there.virsh("domstate", "--reason", "mover"), LONG)
        bed.server.start()
    shown = wait_until(partial(shown_when_over, bed.connect(), job), LONG)
    assert shown["JobState"] == EXCEPTION
    assert "without the rest of its memory" in shown["ErrorDescription"]
    assert list(bed.here.list_all()) == list(bed.there.list_all()) == ["mover"]


@pytest.mark.slow
def test_a_migration_is_held_once_the_guest_runs_at_its_new_place(bed: Bed) -> None:
    """A moment before, the daemon there would end it, and the old place has no way back."""
    job = bed.begin(PostCopy=True, PostCopyAfter=pywbem.Uint32(100), PostCopyBandwidth=pywbem.Uint32(1))
    ask = bed.connect()
    wait_until(lambda: ask.GetInstance(job)["DataProcessed"], LONG)
    daemon = bed.there.pid
    assert daemon is not None
    os.kill(daemon, signal.SIGSTOP)
    try:
        changed = pywbem.CIMInstance(job.classname, {"InPostCopy": True}, path=job)
        ask.ModifyInstance(changed, PropertyList=["InPostCopy"])
        wait_until(lambda: "(post-copy" in bed.here.virsh("domstate", "--reason", "mover"), LONG)
        codes: list[int] = []
        asking = threading.Thread(target=lambda: codes.append(request(bed, job, SUSPEND)))
        asking.start()
        asking.join(3)
    finally:
        os.kill(daemon, signal.SIGCONT)
    asking.join(LONG)
    wait_until(lambda: codes == [0] or request(bed, job, SUSPEND) == 0, LONG)
    assert "running" in bed.there.virsh("domstate", "mover")
    assert request(bed, job, START) == 0
    assert_has_come(bed, job)


@pytest.mark.slow
def test_a_guest_that_was_shutting_down_to_be_moved_runs_again(bed: Bed) -> None:
    """Nobody is left to start it at its new place."""
    job = bed.begin(MigrationType=pywbem.Uint16(RESTART))
    kept = bed.server.state_dir
    wait_until(lambda: any(b"shutdown_timeout" in each.read_bytes() for each in kept.glob("*.sqlite*")), LONG)
    bed.server.stop(signal.SIGKILL)
    bed.here.virsh("destroy", "mover")
    bed.server.start()
    shown = wait_until(partial(shown_when_over, bed.connect(), job), LONG)
    assert shown["JobState"] == EXCEPTION
    assert "; the guest runs on " in shown["ErrorDescription"]
    assert bed.running_at() == [bed.here]
    assert bed.there.list_all() == {}

"""A server that is killed while its listener is away: nothing is lost, and the gap is told."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.listener import Listener, new_manager, subscribe
from tests.bed.views import DISABLED, ENABLED, QUIESCE
from tests.conftest import Guests

QUERIES = (
    "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ComputerSystem",
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem",
    "SELECT * FROM CIM_InstDeletion WHERE SourceInstance ISA CIM_ComputerSystem",
    "SELECT * FROM CIM_AlertIndication",
)
CHANGES = ("CIM_InstCreation", "CIM_InstModification", "CIM_InstDeletion")
GAP = "VIRT0012"
COMPLETED = 7
RETENTION = 5
"""Seconds from the end of a job to its removal."""


def queued(server: Server) -> int:
    """How many indications wait in the journal."""
    return sum(len(each["numbers"]) for each in server.kept("receivers of queued indication"))


def short(indication: Any) -> tuple[Any, ...]:
    """What an indication tells, in short."""
    if indication.classname == "CIM_AlertIndication":
        return (indication["MessageID"],)
    source = indication["SourceInstance"]
    return indication.classname, source["Name"], source["EnabledState"]


def test_what_was_queued_comes_first_and_then_the_difference(
    libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]
) -> None:
    for name in ("kept", "gone", "same"):
        guests.boot_sector(name)
    libvirtd.virsh("start", "kept")
    server = serve(libvirtd.uri())
    with Listener() as listener:
        subscribe(new_manager(), server, listener.url, QUERIES)
        listener.stop()
        # One after the other, as two changes of which the server hears at once are told as one.
        for number, change in enumerate(("suspend", "resume"), 1):
            libvirtd.virsh(change, "kept")
            wait_until(lambda number=number: queued(server) == number)  # type: ignore[misc]
        server.stop(signal.SIGKILL)
        libvirtd.virsh("suspend", "kept")
        libvirtd.virsh("undefine", "gone")
        guests.boot_sector("new")
        assert queued(server) == 2
        server.start()
        wait_until(lambda: queued(server) >= 6)
        listener.start()
        told = [short(each) for each in listener.wait_for(6)]
        received = list(listener.received)
        # Nothing is told of what stayed as it was, and nothing twice: what happens now follows at once.
        libvirtd.virsh("resume", "kept")
        last = listener.wait(lambda each: each is listener.received[-1] and len(listener.received) > 6)
    modified, created, deleted = (f"KVM_ComputerSystem{each}Indication" for each in ("Modified", "Created", "Deleted"))
    assert told[:3] == [(modified, "kept", QUIESCE), (modified, "kept", ENABLED), (GAP,)]
    assert sorted(told[3:]) == sorted(
        [(modified, "kept", QUIESCE), (deleted, "gone", DISABLED), (created, "new", DISABLED)]
    )
    assert short(last) == (modified, "kept", ENABLED)
    contexts = [each["SequenceContext"] for each in received]
    assert len(set(contexts[:2])) == len(set(contexts[2:])) == 1
    assert contexts[0] != contexts[2]
    assert [each["SequenceNumber"] for each in received] == [0, 1, 0, 1, 2, 3]
    difference = next(each for each in received[3:] if short(each)[:2] == (modified, "kept"))
    assert difference["PreviousInstance"]["EnabledState"] == ENABLED


def test_the_end_of_a_job_while_no_server_is_there(
    libvirtd: Libvirtd, serve: Callable[..., Server], tmp_path: Path
) -> None:
    """Its time comes before the next start, or the first look at it: it was removed all the same."""
    server = serve(libvirtd.uri(), config=f"[providers.jobs]\ngrace = 0\nretention = {RETENTION}\n")
    with Listener() as listener, server.pywbem() as connection:
        jobs = [f"SELECT * FROM {each} WHERE SourceInstance ISA CIM_ConcreteJob" for each in CHANGES]
        subscribe(new_manager(), server, listener.url, jobs)
        (service,) = connection.EnumerateInstanceNames("KVM_ResourcePoolConfigurationService")
        setting = pywbem.CIMInstance(
            "KVM_DiskPoolResourceAllocationSettingData", {"Type": pywbem.Uint16(1), "Path": str(tmp_path)}
        )
        connection.InvokeMethod("CreateChildResourcePool", service, ElementName="ended", Settings=[setting])
        listener.wait(lambda each: each["SourceInstance"]["JobState"] == COMPLETED)
        libvirtd.virsh("pool-destroy", "ended")
        libvirtd.virsh("pool-undefine", "ended")
        wait_until(lambda: [each["state"] for each in server.kept("job")] == [COMPLETED])
        server.stop(signal.SIGKILL)
        time.sleep(RETENTION)
        server.start()
        listener.wait(lambda each: "Deletion" in each.classname)

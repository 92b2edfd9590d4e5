"""Backups that clients read while a guest runs: begun, read, ended, given up."""

from __future__ import annotations

import subprocess
from typing import Any

import pywbem

from tests.sequences.client import Answer, by_id, system
from tests.sequences.facts import Facts
from tests.sequences.invariants import PULL, RUNNING
from tests.sequences.rules import BACKUPS, Rule, Step, World, wrong

UNIX_SOCKET = 2
TERMINATE = 4


def pull(world: World) -> Step | None:
    """StartBackup to be read through a socket, perhaps from a checkpoint on, and with a new one."""
    if (found := world.pick(lambda guest: guest.running)) is None:
        return None
    name, guest = found
    wishes = pywbem.CIMInstance("KVM_BackupSettingData", {"Transport": pywbem.Uint16(UNIX_SOCKET)})
    given: dict[str, Any] = {}
    new = world.new_name("p") if world.dice.random() < 0.3 else ""
    if new:
        wishes["CheckpointName"] = new
    if guest.checkpoints and world.dice.random() < 0.5:
        base = world.dice.choice(sorted(guest.checkpoints))
        given["BaseCheckpoint"] = by_id("Checkpoint", f"KVM:{name}/checkpoint/{base}")
    exports: list[str] = []

    def is_open(_connection: Any, job: Any) -> bool:
        exports.extend(job["Exports"] or ())
        return bool(exports)

    def act() -> Answer:
        return world.client.call(
            BACKUPS,
            "StartBackup",
            meanwhile=is_open,
            AffectedSystem=system(name),
            BackupMode=pywbem.Uint16(PULL),
            BackupSettings=wishes,
            **given,
        )

    def holds(facts: Facts) -> str:
        after = facts.guests[name]
        if not after.pulled:
            return "there is no backup"
        checkpoints = guest.checkpoints | {new} if new else guest.checkpoints
        return wrong(after.checkpoints, checkpoints) or "; ".join(filter(None, map(unreadable, exports)))

    return Step(f"pull {name} {dict(wishes.items())} {list(given)}", act, holds)


def unreadable(export: str) -> str:
    """Why a disk cannot be read that is said to be readable; "" where it can."""
    run = subprocess.run(["qemu-io", "-r", "-c", "read 0 512", export], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else f"{export}: {run.stderr or run.stdout}"


def end_pull(world: World) -> Step | None:
    """EndBackup, or the end of its job."""
    if (found := world.pick(lambda guest: guest.pulled)) is None:
        return None
    name = found[0]

    def holds(facts: Facts) -> str:
        return wrong(facts.guests[name].pulled, "")

    if world.dice.random() < 0.5:
        return Step(
            f"end backup of {name}", lambda: world.client.call(BACKUPS, "EndBackup", AffectedSystem=system(name)), holds
        )
    jobs = [
        str(each["properties"]["InstanceID"])
        for each in world.client.everything()
        if each["class"] == "KVM_BackupJob"
        and (each["properties"]["VirtualSystemName"], each["properties"]["JobState"]) == (name, RUNNING)
    ]
    if not jobs:
        return None
    job = by_id("BackupJob", jobs[0])
    return Step(
        f"end the job of the backup of {name}",
        lambda: world.client.call(job, "RequestStateChange", RequestedState=pywbem.Uint16(TERMINATE)),
        holds,
    )


WEIGHTS: dict[Rule, int] = {pull: 4, end_pull: 5}

"""What two clients ask for at one moment, of which only one can be done, or both have to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pywbem

from tests.sequences.client import Answer, configuration, setting, system, system_setting
from tests.sequences.facts import Facts
from tests.sequences.rules import (
    BACKUPS,
    FULL,
    GUESTS,
    MANAGEMENT,
    MOST,
    SNAPSHOTS,
    Rule,
    Step,
    World,
    autostart,
    switch,
    wrong,
)


def at_once(acts: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Do some things at one moment."""
    with ThreadPoolExecutor(len(acts)) as threads:
        return [each.result() for each in [threads.submit(act) for act in acts]]


def contest(steps: Sequence[Step], holds: Callable[[Facts, list[Answer]], str]) -> Step:
    """Some steps at one moment: done where any was.

    Parameters:
        holds: what is wrong of what libvirt has, by the answers.
    """
    answers: list[Answer] = []

    def act() -> Answer:
        answers.extend(at_once([each.act for each in steps]))
        said = "; ".join(f"{each.done} {each.reason[:150]}" for each in answers)
        if any(each.done is None for each in answers):
            return Answer(None, said)
        return Answer(any(each.done for each in answers), said)

    return Step(" | ".join(each.what for each in steps), act, lambda facts: holds(facts, answers))


def only_one(step: Step) -> Step:
    """The same from two clients, of which one is to be refused."""

    def holds(facts: Facts, answers: list[Answer]) -> str:
        return step.holds(facts) or wrong(sum(bool(each.done) for each in answers), 1, "done")

    return contest([step, step], holds)


def same_name(world: World) -> Step | None:
    """Two clients make, or call, something by one name."""
    if (found := world.pick()) is None:
        return None
    name, guest = found
    client, new = world.client, world.new_name("x")
    choices: list[Step] = []
    free = world.fresh(GUESTS)
    if free is not None and len(world.facts.guests) < MOST:
        wish = system_setting(VirtualSystemIdentifier=free, DomainType="qemu")
        memory = setting("Mem", VirtualQuantity=pywbem.Uint64(32), AllocationUnits="MegaBytes")
        choices.append(
            Step(
                f"define {free}",
                lambda: client.call(MANAGEMENT, "DefineSystem", SystemSettings=wish, ResourceSettings=[memory]),
                lambda facts: "" if free in facts.guests else "it is not there",
            )
        )
    snapshot = pywbem.CIMInstance("KVM_VirtualSystemSnapshotSettingData", {"ElementName": new})
    choices.append(
        Step(
            f"snapshot {new} of {name}",
            lambda: client.call(
                SNAPSHOTS,
                "CreateSnapshot",
                AffectedSystem=system(name),
                SnapshotSettings=snapshot,
                SnapshotType=pywbem.Uint16(FULL),
            ),
            lambda facts: wrong(facts.guests[name].parents, {**guest.parents, new: guest.current}),
        )
    )
    if guest.running:
        checkpoint = pywbem.CIMInstance("KVM_BackupSettingData", {"ElementName": new})
        choices.append(
            Step(
                f"checkpoint {new} of {name}",
                lambda: client.call(
                    BACKUPS, "CreateCheckpoint", AffectedSystem=system(name), CheckpointSettings=checkpoint
                ),
                lambda facts: wrong(facts.guests[name].checkpoints, guest.checkpoints | {new}),
            )
        )
    if not guest.find("devices/disk/target[@dev='vdd']") and not guest.find_running("devices/disk/target[@dev='vdd']"):
        disk = setting("Disk", VirtualDevice="vdd", Address=str(world.image()))
        choices.append(
            Step(
                f"add vdd to {name}",
                lambda: client.call(
                    MANAGEMENT,
                    "AddResourceSettings",
                    AffectedConfiguration=configuration(name),
                    ResourceSettings=[disk],
                ),
                lambda facts: wrong(len(facts.guests[name].find_running("devices/disk/target[@dev='vdd']")), 1),
            )
        )
    return only_one(world.dice.choice(choices))


def two_renames(world: World) -> Step | None:
    """Two guests called by one name."""
    free = world.fresh(GUESTS)
    if free is None or len(world.facts.guests) < 2:
        return None
    one, other = world.dice.sample(sorted(world.facts.guests), 2)

    def step(name: str) -> Step:
        wish = system_setting(InstanceID=f"KVM:{name}", ElementName=free)
        return Step(
            f"rename {name} to {free}",
            lambda: world.client.call(MANAGEMENT, "ModifySystemSettings", SystemSettings=wish),
        )

    def holds(facts: Facts, answers: list[Answer]) -> str:
        left = {name for name, answer in zip((one, other), answers, strict=True) if not answer.done}
        return wrong(len(left), 1, "refused") or wrong({one, other, free} & set(facts.guests), left | {free})

    return contest([step(one), step(other)], holds)


def each_for_itself(world: World) -> Step | None:
    """Changes of one guest that leave each other alone: none undoes another one."""
    if (found := world.pick()) is None:
        return None
    name, guest = found
    part, number = "/defined" if guest.running else "", 1000 + next(world.numbers)
    alone = replace(world, facts=replace(world.facts, guests={name: guest}))

    def defined(method: str, argument: str, wish: Any, path: str) -> Step:
        def holds(facts: Facts) -> str:
            after = facts.guests[name]
            # Of a guest that has begun to run meanwhile, and not as it is defined, this means what runs.
            found = [] if guest.running else after.find_running(path)
            return "" if found == [str(number)] else wrong(after.find(path), [str(number)], path)

        return Step(
            f"{method} of {name} {number}", lambda: world.client.call(MANAGEMENT, method, **{argument: wish}), holds
        )

    def resource(kind: str, identifier: str, path: str, **properties: Any) -> Step:
        wish = setting(kind, InstanceID=f"{name}{part}/{identifier}", **properties)
        return defined("ModifyResourceSettings", "ResourceSettings", [wish], path)

    description = system_setting(InstanceID=f"KVM:{name}{part}", Description=str(number))
    steps = [
        defined("ModifySystemSettings", "SystemSettings", description, "description/text()"),
        resource("Proc", "proc", "cputune/shares/text()", Weight=pywbem.Uint32(number)),
        autostart(alone),
        *([switch(alone)] if not guest.running else []),
    ]
    if guest.find("devices/disk/target[@dev='vda']"):
        path = "devices/disk[target/@dev='vda']/iotune/read_iops_sec/text()"
        steps.append(resource("Disk", "vda", path, ReadOperationsPerSecond=pywbem.Uint64(number)))
    chosen = [each for each in world.dice.sample(steps, world.dice.choice((2, 3))) if each is not None]

    def holds(facts: Facts, answers: list[Answer]) -> str:
        done = [step for step, answer in zip(chosen, answers, strict=True) if answer.done]
        return "; ".join(fault for each in done if (fault := each.holds(facts)))

    return contest(chosen, holds)


WEIGHTS: dict[Rule, int] = {same_name: 3, two_renames: 1, each_for_itself: 4}

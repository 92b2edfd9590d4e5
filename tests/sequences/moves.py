"""Guests that go to another host and come back, are held up there, or are called back on the way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pywbem

from tests.providers.migrationbed import IPC, LIVE, OFFLINE, RESTART, RESUME
from tests.sequences.client import SPACE, Answer, system
from tests.sequences.facts import DISABLED, ENABLED, Facts, Guest
from tests.sequences.rules import MIGRATIONS, Rule, Step, World, wrong

THERE = "root/virt/there"
TERMINATE = pywbem.Uint16(4)
LOCAL = "qemu:///system"
SLOW = 1
"""MiB per second, where something is to happen on the way."""


def go(world: World) -> Step | None:
    """MigrateVirtualSystemToHost, to the other host."""
    if (found := world.pick()) is None:
        return None
    return move(world, *found, SPACE)


def come_back(world: World) -> Step | None:
    """MigrateVirtualSystemToHost, from there."""
    if not world.facts.away:
        return None
    return move(world, *world.dice.choice(sorted(world.facts.away.items())), THERE)


def move(world: World, name: str, guest: Guest, origin: str) -> Step:
    """A migration in some way, with something that happens on its way, or nothing."""
    kind = world.dice.choice([LIVE, LIVE, RESUME, RESTART]) if guest.running else OFFLINE
    kind = world.dice.choice([kind] * 9 + [LIVE, OFFLINE])
    wishes: dict[str, Any] = {"MigrationType": pywbem.Uint16(kind), "TransportType": pywbem.Uint16(IPC)}
    if origin == SPACE and world.dice.random() < 0.3:  # from there that URI means another daemon
        wishes["PeerToPeer"] = True
    hap = world.dice.choice(["", "", "", "ended", "destination killed", "source killed", "stopped"])
    if hap:
        wishes["Bandwidth"] = pywbem.Uint64(SLOW)
    daemon = world.there if origin == SPACE else world.daemon
    share = world.dice.choice([0, 1, 20])
    happened: list[str] = []

    def meanwhile(connection: Any, job: Any) -> bool:
        if hap and not happened and (job["PercentComplete"] or 0) >= share:
            happened.append(hap)
            haps[hap](connection, job)
        return False

    def kill(which: Any) -> None:
        which.kill()
        which.start()

    def end(connection: Any, job: Any) -> None:
        with suppress(pywbem.CIMError):  # it is over, or cannot be ended any more
            connection.InvokeMethod("RequestStateChange", job.path, RequestedState=TERMINATE)

    other = world.daemon if origin == SPACE else world.there
    haps: dict[str, Callable[[Any, Any], object]] = {
        "ended": end,
        "destination killed": lambda _connection, _job: kill(daemon),
        "source killed": lambda _connection, _job: kill(other),
        "stopped": lambda _connection, _job: other.virsh("destroy", name),
    }

    def act() -> Answer:
        return world.client.at(origin).call(
            MIGRATIONS,
            "MigrateVirtualSystemToHost",
            meanwhile=meanwhile,
            ComputerSystem=system(name, origin),
            DestinationHost="there" if origin == SPACE else LOCAL,
            MigrationSettingData=pywbem.CIMInstance("KVM_VirtualSystemMigrationSettingData", wishes),
        )

    def holds(facts: Facts) -> str:
        source, target = (facts.guests, facts.away) if origin == SPACE else (facts.away, facts.guests)
        if name in source or name not in target:
            return f"there are {sorted(facts.guests)} here and {sorted(facts.away)} there"
        after = target[name]
        state = {OFFLINE: DISABLED, RESTART: ENABLED}.get(kind, guest.enabled)
        return (
            wrong(after.uuid, guest.uuid)
            or wrong(after.autostart, guest.autostart)
            or ("" if happened == ["stopped"] else wrong(after.enabled, state))
        )

    def stays(facts: Facts) -> str:
        places = [name in facts.guests, name in facts.away]
        return "" if sum(places) == 1 else f"it is here, and there: {places}"

    return Step(f"move {name} from {origin} {kind} {wishes} {hap} at {share} %", act, holds, stays)


WEIGHTS: dict[Rule, int] = {go: 3, come_back: 3}

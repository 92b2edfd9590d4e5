"""What clients ask for: each rule chooses a request by what there is, and says what libvirt then has to have."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pywbem

from tests.bed import Libvirtd
from tests.images.imagehost import ImageHost
from tests.providers.recorded import platform, served
from tests.providers.test_vsms_edits import declared_classes
from tests.providers.test_vsms_truth import IDENTITY, is_said, value_of
from tests.sequences.client import Answer, Client, by_id, configuration, setting, system, system_setting
from tests.sequences.facts import DISABLED, ENABLED, OFFLINE, QUIESCE, Facts, Guest, found_in
from tests.sequences.invariants import REQUESTED, listed
from virtcim.providers.base import Element
from virtcim.providers.drafts import same
from virtcim.providers.guests import all_guests
from virtcim.providers.Virt_RASD import settings_of
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

GUESTS = ("alpha", "beta", "gamma", "delta", "epsilon")
MOST = 4
"""Guests there are at most."""
POOLS = ("one", "two")
NETWORKS = ("inner", "outer")
MIB = 1 << 20
PLACE = {"AddressProperties", "AddressValues"}
"""One of them is refused without the other."""
SHUT_DOWN, REBOOT, RESET = 4, 10, 11
FULL, DISK, MEMORY, MEMORY_AND_STOP = 2, 3, 32768, 32769
MANAGEMENT = "KVM_VirtualSystemManagementService"
SNAPSHOTS = "KVM_VirtualSystemSnapshotService"
BACKUPS = "KVM_BackupService"
MIGRATIONS = "KVM_VirtualSystemMigrationService"
POOL_SERVICE = "KVM_ResourcePoolConfigurationService"


@dataclass(frozen=True)
class Step:
    """Something that is done.

    Attributes:
        what: it is, in words.
        act: does it.
        holds: what is wrong of what libvirt has after it was done; "" where nothing is.
        stays: what is wrong of what libvirt has after it was refused; None: whatever is not as it was before.
    """

    what: str
    act: Callable[[], Answer]
    holds: Callable[[Facts], str] = lambda _: ""
    stays: Callable[[Facts], str] | None = None


@dataclass
class World:
    """What a rule chooses from.

    Attributes:
        there: the daemon of the other host.
        images: where images of templates are fetched from.
    """

    daemon: Libvirtd
    there: Libvirtd
    client: Client
    images: ImageHost
    facts: Facts
    dice: Random
    numbers: itertools.count[int]

    def pick(self, condition: Callable[[Guest], Any] = lambda _: True) -> tuple[str, Guest] | None:
        """A guest of which something holds."""
        found = [each for each in sorted(self.facts.guests.items()) if condition(each[1])]
        return self.dice.choice(found) if found else None

    def fresh(self, names: Iterable[str]) -> str | None:
        """A name that no guest has."""
        free = [name for name in names if name not in self.facts.guests and name not in self.facts.away]
        return self.dice.choice(free) if free else None

    def target(self, name: str) -> tuple[str, bool]:
        """Of which configuration of a guest to speak, as a part of its path, and whether it is the one that runs alone.

        What is asked of a guest that runs as it is defined is for its definition, and for what runs where that can be.
        """
        guest = self.facts.guests[name]
        if not guest.running:
            return "", False
        if self.dice.random() < 0.4:
            return "/defined", False
        shown = listed(self.client.everything())["settings"]
        return "", f"KVM:{name}/defined" in shown

    def new_name(self, prefix: str) -> str:
        """A name that was never used."""
        return f"{prefix}{next(self.numbers)}"

    def image(self) -> Path:
        """A raw file of a MiB."""
        path = self.daemon.images / self.new_name("disk-")
        path.touch()
        os.truncate(path, MIB)
        return path


Rule = Callable[[World], Step | None]


def wrong(found: object, expected: object, what: str = "") -> str:
    """What to say of a value, where it is not the one that was expected."""
    return "" if found == expected else f"{what} {found!r}, not {expected!r}".lstrip()


def define(world: World) -> Step | None:
    """DefineSystem, of settings or as another one is."""
    name = world.fresh(GUESTS)
    if name is None or len(world.facts.guests) >= MOST:
        return None
    image = str(world.daemon.new_image())
    given: dict[str, Any] = {
        "SystemSettings": system_setting(VirtualSystemIdentifier=name, ElementName=name, DomainType="qemu")
    }
    like = world.pick()
    if like is not None and world.dice.random() < 0.5:
        given["ReferenceConfiguration"] = configuration(like[0])
        what = f"define {name} like {like[0]}"
    else:
        what = f"define {name}"
        given["ResourceSettings"] = [
            setting("Mem", VirtualQuantity=pywbem.Uint64(32), AllocationUnits="MegaBytes"),
            setting("Proc", VirtualQuantity=pywbem.Uint64(2)),
            setting("Disk", VirtualDevice="vda", Address=image, DriverType="qcow2"),
            *([setting("Net", NetworkType="user")] if world.dice.random() < 0.5 else []),
            *([setting("Graphics", ResourceSubType="vnc")] if world.dice.random() < 0.5 else []),
        ]

    def holds(facts: Facts) -> str:
        guest = facts.guests.get(name)
        if guest is None:
            return "it is not there"
        if "like" in what:
            return wrong(guest.running, "")
        return wrong(guest.find("devices/disk/source/@file"), [image])

    return Step(what, lambda: world.client.call(MANAGEMENT, "DefineSystem", **given), holds)


def destroy(world: World) -> Step | None:
    """DestroySystem."""
    if (found := world.pick()) is None or len(world.facts.guests) < 2:
        return None
    name, _ = found

    def act() -> Answer:
        return world.client.call(MANAGEMENT, "DestroySystem", AffectedSystem=system(name))

    return Step(f"destroy {name}", act, lambda facts: "it is there" if name in facts.guests else "")


def rename(world: World) -> Step | None:
    """ModifySystemSettings of ElementName."""
    new = world.fresh(GUESTS)
    if new is None or (found := world.pick()) is None:
        return None
    name, before = found

    def act() -> Answer:
        wanted = system_setting(InstanceID=f"KVM:{name}", ElementName=new)
        return world.client.call(MANAGEMENT, "ModifySystemSettings", SystemSettings=wanted)

    def holds(facts: Facts) -> str:
        if name in facts.guests or new not in facts.guests:
            return f"there are {sorted(facts.guests)}"
        return wrong(facts.guests[new].uuid, before.uuid)

    return Step(f"rename {name} to {new}", act, holds)


def autostart(world: World) -> Step | None:
    """ModifySystemSettings of AutoStart."""
    if (found := world.pick()) is None:
        return None
    name, wanted = found[0], world.dice.random() < 0.5

    def act() -> Answer:
        wish = system_setting(InstanceID=f"KVM:{name}", AutoStart=pywbem.Uint16(int(wanted)))
        return world.client.call(MANAGEMENT, "ModifySystemSettings", SystemSettings=wish)

    return Step(f"autostart {name} {wanted}", act, lambda facts: wrong(facts.guests[name].autostart, wanted))


def elements(xml: str) -> list[Element]:
    """The settings of a guest as a server shows them that reads this XML alone."""
    (guest,) = all_guests(served("KVM", xml).site, platform("KVM"))
    assert guest.state is not None
    return [VirtualSystemSettingData(guest.state), *settings_of(guest.state)]


def typed(class_name: str, name: str, value: Any) -> pywbem.CIMProperty:
    """A property with a value for pywbem, of the type that its class declares."""
    declared = declared_classes()[class_name].properties[name.lower()]
    return pywbem.CIMProperty(name, value, type=declared.type, is_array=declared.is_array)


def change(world: World, choose: Callable[[Element, list[str], Mapping[str, Any]], dict[str, Any]]) -> Step | None:
    """ModifySystemSettings or ModifyResourceSettings of any element, of what runs or of the next start.

    Parameters:
        choose: from an element, the names of what can be written, and the values that it has, what is asked for.
    """
    if (found := world.pick()) is None:
        return None
    name, guest = found
    part, is_running = world.target(name)
    element = world.dice.choice(elements(guest.running if is_running else guest.defined))
    left_out = IDENTITY | REQUESTED if element.class_name.endswith("_MemResourceAllocationSettingData") else IDENTITY
    now = dict(element.properties())
    names = [each.name for each in element.table.values() if each.writable and each.name not in left_out]
    if not (asked := choose(element, names, now)):
        return None
    is_system = isinstance(element, VirtualSystemSettingData)
    identifier = "" if is_system else f"/{element.entry.identifier}"  # type: ignore[attr-defined]
    instance_id = f"KVM:{name}{part}" if is_system else f"{name}{part}{identifier}"
    wish = pywbem.CIMInstance(element.class_name, {"InstanceID": instance_id})
    for each, value in asked.items():
        wish[each] = typed(element.class_name, each, value)
    resulting: list[str] = []

    def act() -> Answer:
        if is_system:
            return world.client.call(MANAGEMENT, "ModifySystemSettings", SystemSettings=wish)
        answer = world.client.call(MANAGEMENT, "ModifyResourceSettings", ResourceSettings=[wish])
        resulting.extend(each["InstanceID"] for each in answer.out.get("ResultingResourceSettings") or ())
        return answer

    def said(xml: str, what: str) -> str:
        shown = {str(each.properties()["InstanceID"]): dict(each.properties()) for each in elements(xml)}
        path = (resulting[0] if resulting else instance_id).replace("/defined", "", 1)
        if path not in shown:
            return "" if "none" in asked.values() else f"{path} is not {what}: {sorted(shown)}"
        return "; ".join(
            f"{what} {each} {shown[path].get(each)!r}, was {now.get(each)!r}"
            for each, value in asked.items()
            if not is_kept(each, value, shown[path].get(each), now.get(each))
        )

    def holds(facts: Facts) -> str:
        after = facts.guests[name]
        return said(after.running, "in force") if is_running else said(after.defined, "defined")

    return Step(f"modify {element.class_name} {instance_id} {asked}", act, holds)


def is_kept(name: str, asked: Any, said: Any, before: Any) -> bool:
    """Whether a property says what was asked; NULL asks for nothing."""
    return same(said, before) if asked is None else is_said(name, asked, said, before)


def modify(world: World) -> Step | None:
    """Another value of a property."""

    def choose(element: Element, names: list[str], now: Mapping[str, Any]) -> dict[str, Any]:
        if not names:
            return {}
        name = world.dice.choice(names)
        asked = value_of(world.dice, element.class_name, name, now.get(name))
        return {} if same(asked, now.get(name)) else {name: asked}

    return change(world, choose)


def empty(world: World) -> Step | None:
    """Up to three properties that have a value emptied, or sent as NULL."""

    def choose(element: Element, names: list[str], now: Mapping[str, Any]) -> dict[str, Any]:
        filled = [each for each in names if now.get(each) not in (None, "", [], ())]
        chosen = world.dice.sample(filled, min(len(filled), world.dice.choice((1, 1, 2, 3))))
        asked = {each: emptied(world.dice, now[each]) for each in chosen}
        if asked.keys() & PLACE:
            asked |= {each: [] for each in PLACE}
        return asked

    return change(world, choose)


def emptied(dice: Random, value: Any) -> Any:
    """Nothing in the place of a value; a number and a switch can only be left alone."""
    if dice.random() < 0.25 or isinstance(value, bool | int):
        return None
    return "" if isinstance(value, str) else []


def add(world: World) -> Step | None:
    """AddResourceSettings of a disk, an interface or another device."""
    if (found := world.pick()) is None:
        return None
    name, guest = found
    part, is_running = world.target(name)
    mac = f"52:54:00:00:00:{next(world.numbers) % 256:02x}"
    volumes = [path for pool in world.facts.pools.values() for path in pool.volumes]
    image = world.dice.choice(volumes) if volumes and world.dice.random() < 0.3 else str(world.image())
    target = world.dice.choice(["vdb", "vdc", "sda", "sdb"])
    choices = [
        (setting("Net", NetworkType="user", Address=mac), f"devices/interface/mac[@address='{mac}']"),
        (
            setting("Disk", VirtualDevice=target, Address=image),
            f"devices/disk[target/@dev='{target}']/source[@file='{image}']",
        ),
        (setting("RNG", BackendType="random"), "devices/rng"),
        (setting("Input", ResourceSubType="tablet", BusType="usb"), "devices/input[@type='tablet']"),
        (setting("Audio", OtherResourceType="sound", ResourceSubType="ich6"), "devices/sound[@model='ich6']"),
        (setting("Controller", ResourceSubType="scsi", Model="virtio-scsi"), "devices/controller[@type='scsi']"),
        (
            setting("Port", OtherResourceType="channel", BackendType="unix", TargetName="org.example.added"),
            "devices/channel/target[@name='org.example.added']",
        ),
    ]
    singles = [
        (setting("Graphics", ResourceSubType="vnc"), "devices/graphics[@type='vnc']"),
        (setting("Watchdog", ResourceSubType="i6300esb"), "devices/watchdog"),
    ]
    # With two of these a guest is defined, and does not start.
    choices += [each for each in singles if not guest.find(each[1]) and not guest.find_running(each[1])]
    wish, path = world.dice.choice(choices)

    def act() -> Answer:
        return world.client.call(
            MANAGEMENT,
            "AddResourceSettings",
            AffectedConfiguration=configuration(name, part.removeprefix("/")),
            ResourceSettings=[wish],
        )

    def holds(facts: Facts) -> str:
        after = facts.guests[name]
        where = after.find_running(path) if is_running else after.find(path)
        return "" if where else f"{path} is not there"

    return Step(f"add {wish.classname} {dict(wish.items())} to {name} {part}", act, holds)


def remove(world: World) -> Step | None:
    """RemoveResourceSettings of any one."""
    if (found := world.pick()) is None:
        return None
    name, guest = found
    part, is_running = world.target(name)
    xml = guest.running if is_running else guest.defined
    removable = [each for each in elements(xml)[1:] if each.entry.identifier not in ("mem", "proc", "vda")]  # type: ignore[attr-defined]
    if not removable:
        return None
    element = world.dice.choice(removable)
    identifier = element.entry.identifier  # type: ignore[attr-defined]
    path = by_id(element.class_name.removeprefix("KVM_"), f"{name}{part}/{identifier}")

    def act() -> Answer:
        return world.client.call(MANAGEMENT, "RemoveResourceSettings", ResourceSettings=[path])

    def holds(facts: Facts) -> str:
        after = facts.guests[name]
        now = after.running if is_running else after.defined
        if "/memballoon" in path["InstanceID"]:  # a guest without one has a setting that says so
            return wrong(found_in(now, "devices/memballoon/@model"), ["none"])
        return "" if len(elements(now)) < len(elements(xml)) else f"there are {len(elements(now))} settings as before"

    return Step(f"remove {path['InstanceID']}", act, holds)


def switch(world: World) -> Step | None:
    """RequestStateChange of a guest."""
    if (found := world.pick()) is None:
        return None
    name, guest = found
    if guest.running:
        states = [DISABLED, DISABLED, SHUT_DOWN, OFFLINE, QUIESCE, ENABLED, REBOOT, RESET]
    else:
        states = [ENABLED, ENABLED, ENABLED, ENABLED, QUIESCE, DISABLED, RESET]
    state = world.dice.choice(states)
    expected = {SHUT_DOWN: DISABLED, REBOOT: ENABLED, RESET: ENABLED}.get(state, state)

    def act() -> Answer:
        return world.client.call(system(name), "RequestStateChange", RequestedState=pywbem.Uint16(state))

    def holds(facts: Facts) -> str:
        enabled = facts.guests[name].enabled
        if state in (REBOOT, RESET) and enabled == DISABLED and guest.find_running("on_reboot[.='destroy']"):
            return ""
        return wrong(enabled, expected)

    return Step(f"request state {state} of {name}", act, holds)


def snapshot(world: World) -> Step | None:
    """CreateSnapshot."""
    if (found := world.pick(lambda guest: len(guest.parents) < 6)) is None:
        return None
    name, guest = found
    kind = world.dice.choice([FULL, FULL, DISK, MEMORY, MEMORY_AND_STOP])
    new = world.new_name("s")
    wishes = pywbem.CIMInstance("KVM_VirtualSystemSnapshotSettingData", {"ElementName": new})
    if world.dice.random() < 0.2:
        wishes["Halt"] = True

    def act() -> Answer:
        return world.client.call(
            SNAPSHOTS,
            "CreateSnapshot",
            AffectedSystem=system(name),
            SnapshotSettings=wishes,
            SnapshotType=pywbem.Uint16(kind),
        )

    def holds(facts: Facts) -> str:
        after = facts.guests[name]
        if kind == MEMORY_AND_STOP:
            return wrong(after.enabled, OFFLINE)
        return wrong(after.parents, {**guest.parents, new: guest.current}) or wrong(after.current, new)

    return Step(f"snapshot {kind} {new} of {name} {dict(wishes.items())}", act, holds)


def apply(world: World) -> Step | None:
    """ApplySnapshot, or ApplySnapshotInState."""
    if (found := world.pick(lambda guest: guest.parents)) is None:
        return None
    name, guest = found
    which = world.dice.choice(sorted(guest.parents))
    given: dict[str, Any] = {"Snapshot": configuration(name, f"snapshot/{which}")}
    state = world.dice.choice([None, None, ENABLED, DISABLED, QUIESCE])
    if state is not None:
        given |= {"RequestedState": pywbem.Uint16(state)}
        if world.dice.random() < 0.5:
            given |= {"Force": True}
    method = "ApplySnapshot" if state is None else "ApplySnapshotInState"

    def holds(facts: Facts) -> str:
        after = facts.guests[name]
        return (
            wrong(after.parents, guest.parents)
            or wrong(after.current, which)
            or ("" if state is None else wrong(after.enabled, state))
        )

    return Step(f"{method} {name}/{which} {state or ''}", lambda: world.client.call(SNAPSHOTS, method, **given), holds)


def drop_snapshot(world: World) -> Step | None:
    """DestroySnapshot, or DestroySnapshotTree."""
    if (found := world.pick(lambda guest: guest.parents)) is None:
        return None
    name, guest = found
    which = world.dice.choice(sorted(guest.parents))
    method = world.dice.choice(["DestroySnapshot", "DestroySnapshot", "DestroySnapshotTree"])

    def act() -> Answer:
        return world.client.call(SNAPSHOTS, method, AffectedSnapshot=configuration(name, f"snapshot/{which}"))

    def holds(facts: Facts) -> str:
        after = facts.guests[name]
        if which in after.parents:
            return "it is there"
        lost = guest.parents.keys() - after.parents.keys() - {which}
        return f"others are gone: {lost}" if method == "DestroySnapshot" and lost else ""

    return Step(f"{method} {name}/{which}", act, holds)


def checkpoint(world: World) -> Step | None:
    """CreateCheckpoint, or DestroyCheckpoint."""
    if (found := world.pick(lambda guest: guest.running)) is None:
        return None
    name, guest = found
    if guest.checkpoints and world.dice.random() < 0.5:
        which = world.dice.choice(sorted(guest.checkpoints))
        path = by_id("Checkpoint", f"KVM:{name}/checkpoint/{which}")
        return Step(
            f"destroy checkpoint {name}/{which}",
            lambda: world.client.call(BACKUPS, "DestroyCheckpoint", AffectedCheckpoint=path),
            lambda facts: wrong(facts.guests[name].checkpoints, guest.checkpoints - {which}),
        )
    new = world.new_name("c")
    wishes = pywbem.CIMInstance("KVM_BackupSettingData", {"ElementName": new})
    return Step(
        f"checkpoint {new} of {name}",
        lambda: world.client.call(BACKUPS, "CreateCheckpoint", AffectedSystem=system(name), CheckpointSettings=wishes),
        lambda facts: wrong(facts.guests[name].checkpoints, guest.checkpoints | {new}),
    )


def back_up(world: World) -> Step | None:
    """StartBackup into volumes."""
    pools = [name for name, pool in sorted(world.facts.pools.items()) if pool.active]
    if not pools or (found := world.pick(lambda guest: guest.running)) is None:
        return None
    name, guest = found
    new, pool = world.new_name("b"), world.dice.choice(pools)
    wishes = pywbem.CIMInstance("KVM_BackupSettingData", {"ElementName": new})
    given: dict[str, Any] = {"AffectedSystem": system(name), "TargetPool": by_id("DiskPool", f"DiskPool/{pool}")}
    if world.dice.random() < 0.3:
        wishes["CheckpointName"] = new
    if guest.checkpoints and world.dice.random() < 0.5:
        given["BaseCheckpoint"] = by_id(
            "Checkpoint", f"KVM:{name}/checkpoint/{world.dice.choice(sorted(guest.checkpoints))}"
        )

    def holds(facts: Facts) -> str:
        before = world.facts.pools[pool].volumes.keys()
        made = [path for path in facts.pools[pool].volumes if path not in before and f".{new}." in path]
        return "" if made else f"no volume of it in {sorted(facts.pools[pool].volumes)}"

    return Step(
        f"back up {name} into {pool} as {new} {dict(wishes.items())}",
        lambda: world.client.call(BACKUPS, "StartBackup", BackupSettings=wishes, **given),
        holds,
    )


def pool(world: World) -> Step | None:
    """CreateChildResourcePool, or DeleteResourcePool, of a directory."""
    name = world.dice.choice(POOLS)
    if name in world.facts.pools:
        if world.dice.random() < 0.7:
            return None
        path = by_id("DiskPool", f"DiskPool/{name}")
        return Step(
            f"delete pool {name}",
            lambda: world.client.call(POOL_SERVICE, "DeleteResourcePool", Pool=path),
            lambda facts: "it is there" if name in facts.pools else "",
        )
    wish = setting("DiskPool", Type=pywbem.Uint16(1), Path=str(world.daemon.directory / f"pool-{name}"))
    return Step(
        f"create pool {name}",
        lambda: world.client.call(POOL_SERVICE, "CreateChildResourcePool", ElementName=name, Settings=[wish]),
        lambda facts: "" if name in facts.pools and facts.pools[name].active else "it is not there",
    )


def volume(world: World) -> Step | None:
    """CreateResourceInPool, DeleteResourceInPool, ResizeVolume, WipeVolume, RefreshResourcesInPool."""
    pools = [name for name, pool in sorted(world.facts.pools.items()) if pool.active]
    if not pools:
        return None
    name = world.dice.choice(pools)
    there, path = world.facts.pools[name], by_id("DiskPool", f"DiskPool/{name}")
    if not there.volumes or world.dice.random() < 0.4:
        new = world.new_name("v")
        given: dict[str, Any] = {"VolumeName": new}
        sources = sorted(path for pool in world.facts.pools.values() for path in pool.volumes)
        if sources and world.dice.random() < 0.4:
            given["HostResource"] = [world.dice.choice(sources)]
        else:
            given |= {"Capacity": pywbem.Uint64(MIB), "FormatType": pywbem.Uint16(world.dice.choice([1, 2]))}
        wish = setting("StorageVolume", **given)
        return Step(
            f"create volume {given} in {name}",
            lambda: world.client.call(POOL_SERVICE, "CreateResourceInPool", Settings=wish, Pool=path),
            lambda facts: "" if f"{there.directory}/{new}" in facts.pools[name].volumes else "it is not there",
        )
    file = world.dice.choice(sorted(there.volumes))
    wish = setting("StorageVolume", InstanceID=file, Address=file)
    action = world.dice.choice(["delete", "delete", "resize", "wipe", "refresh"])
    if action == "delete":
        return Step(
            f"delete volume {file}",
            lambda: world.client.call(
                POOL_SERVICE, "DeleteResourceInPool", Resource=setting("Disk", Address=file), Pool=path
            ),
            lambda facts: "it is there" if file in facts.pools[name].volumes or Path(file).exists() else "",
        )
    if action == "refresh":
        return Step(
            f"refresh pool {name}",
            lambda: world.client.call(POOL_SERVICE, "RefreshResourcesInPool", Pool=path),
        )
    reference = by_id("StorageVolumeResourceAllocationSettingData", file)
    if action == "wipe":
        return Step(f"wipe volume {file}", lambda: world.client.call(POOL_SERVICE, "WipeVolume", Volume=reference))
    size = world.dice.choice([1, 2, 3]) * MIB
    return Step(
        f"resize volume {file} to {size}",
        lambda: world.client.call(POOL_SERVICE, "ResizeVolume", Volume=reference, Capacity=pywbem.Uint64(size)),
        lambda facts: wrong(facts.pools[name].volumes.get(file), size),
    )


def network(world: World) -> Step | None:
    """DeleteResourcePool of a network."""
    name = world.dice.choice(NETWORKS)
    if name not in world.facts.networks:
        return None
    path = by_id("NetworkPool", f"NetworkPool/{name}")
    return Step(
        f"delete network {name}",
        lambda: world.client.call(POOL_SERVICE, "DeleteResourcePool", Pool=path),
        lambda facts: "it is there" if name in facts.networks else "",
    )


WEIGHTS: dict[Rule, int] = {
    define: 5,
    destroy: 3,
    rename: 2,
    autostart: 1,
    modify: 14,
    empty: 8,
    add: 7,
    remove: 6,
    switch: 12,
    snapshot: 7,
    apply: 4,
    drop_snapshot: 4,
    checkpoint: 3,
    back_up: 3,
    pool: 2,
    volume: 6,
    network: 1,
}

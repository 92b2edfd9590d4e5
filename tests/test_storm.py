"""A storm: many clients manage the same guests at the same time, and at the end everything is as the answers said.

Each client owns properties and devices of its own in guests that all of them share, so that what a guest must look like
follows from the answers alone: what was accepted is there, what was refused is not, and nobody's change has undone
another one's.  Guests of the first kind are changed as they run, and must be the same in both their configurations; of
the second kind only the next start is changed, in whatever state they are; guests of the third kind come and go.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pywbem
from lxml import etree

from tests.bed import Libvirtd, Server, boot_sector_xml, wait_until
from tests.providers.test_rpcs_qemu import remove_all

CLIENTS = 16
RUNNING = [f"storm-running-{number}" for number in range(6)]
WAITING = [f"storm-waiting-{number}" for number in range(8)]
PASSING = [f"storm-passing-{number}" for number in range(6)]
ENABLED, DISABLED, OFFLINE, QUIESCE = 2, 3, 6, 9
SUCCESS, STARTED = 0, 4096
ACCEPTED_JOB, OVER = 7, (7, 8, 9, 10)
TERMINATE = 4
#: Seconds that the boot sector is given to listen to requests for its devices, on a loaded machine.
BOOT = 4.0
MIB = 1 << 20
STORED = "KVM_StorageVolumeResourceAllocationSettingData"
SLOW_SECONDS = float(os.environ.get("VIRTCIM_STORM_SECONDS", "600"))


def number(values: list[Any]) -> int | None:
    """An XPath's only value as a number."""
    return int(values[0]) if values else None


def words(values: list[Any]) -> str | None:
    """An XPath's only value."""
    return str(values[0]) if values else None


@dataclass(frozen=True)
class Knob:
    """A property that one client turns.

    Attributes:
        kind: "" for the guest as a whole, else the kind and identifier of a resource: "Proc/proc".
        name: of the property.
        path: where it is in the domain XML.
        values: from what is written to what is then there.
        live: whether a running guest takes it.
    """

    kind: str
    name: str
    path: str
    values: dict[Any, Any]
    live: bool
    read: Callable[[list[Any]], Any] = words


def sized(sort: Any, numbers: Iterable[int]) -> dict[Any, int]:
    return {sort(each): each for each in numbers}


ACTIONS = {pywbem.Uint16(2): "destroy", pywbem.Uint16(3): "restart"}
TEXTS = {text: text for text in ("calm", "<wind> & rain", "гроза")}

#: The client of that number owns it.
KNOBS = [
    Knob("", "Title", "title/text()", TEXTS, True),
    Knob("", "Description", "description/text()", TEXTS, True),
    Knob("", "AutomaticRecoveryAction", "on_crash/text()", ACTIONS, True),
    Knob("Proc/proc", "Weight", "cputune/shares/text()", sized(pywbem.Uint32, range(100, 2000, 100)), True, number),
    Knob("Mem/mem", "VirtualQuantity", "currentMemory/text()", {}, False, number),
    Knob("Proc/proc", "VirtualQuantity", "vcpu/@current", sized(pywbem.Uint64, (1, 2, 3)), False, number),
    Knob("Proc/proc", "HostProcessors", "vcpu/@cpuset", {each: each for each in ("0", "0-1")}, False),
    Knob("", "BootMenu", "os/bootmenu/@enable", {True: "yes", False: "no"}, False),
    Knob("", "CPUModel", "cpu/model/text()", {each: each for each in ("qemu64", "Haswell", "Nehalem")}, False),
    Knob("", "AutomaticRebootAction", "on_reboot/text()", ACTIONS, True),
    Knob("", "ClockOffset", "clock/@offset", {pywbem.Uint16(0): "utc", pywbem.Uint16(1): "localtime"}, False),
    Knob("Proc/proc", "IOThreads", "iothreads/text()", sized(pywbem.Uint32, (1, 2, 3)), False, number),
    Knob("Disk/vda", "DriverCache", "devices/disk[target/@dev='vda']/driver/@cache", {}, False),
    Knob("", "IOWeight", "blkiotune/weight/text()", sized(pywbem.Uint32, (100, 500, 900)), False, number),
    Knob("", "EnablePMU", "features/pmu/@state", {True: "on", False: "off"}, False),
    Knob("", "HideHypervisor", "features/kvm/hidden/@state", {True: "on", False: "off"}, False),
]
KNOBS[4].values.update({pywbem.Uint64(each): each * 1024 for each in (16, 24, 32)})
KNOBS[12].values.update({each: each for each in ("none", "writeback", "directsync")})


class Ledger:
    """What must be there: by key, the values that the answers allow; one, unless an answer was lost.

    A key is owned by one client, so its changes have an order.
    """

    def __init__(self) -> None:
        self.allowed: dict[tuple[str, ...], set[Any]] = {}
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.lost: list[str] = []
        self.astray: set[str] = set()
        self.begun: dict[str, float] = {}
        self.lock = threading.Lock()

    def did(self, what: str) -> None:
        with self.lock:
            self.accepted[what] += 1

    def was_refused(self, what: str, why: str) -> None:
        with self.lock:
            self.refused[f"{what}: {why}"] += 1


@dataclass
class Client:
    """One of the clients."""

    number: int
    server: Server
    daemon: Libvirtd
    ledger: Ledger
    pools: Path
    dice: random.Random
    volumes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.wbem = self.server.pywbem()
        (self.service,) = self.wbem.EnumerateInstanceNames("KVM_VirtualSystemManagementService")
        (self.pool_service,) = self.wbem.EnumerateInstanceNames("KVM_ResourcePoolConfigurationService")
        self.knob = KNOBS[self.number]
        self.pool = f"storm-pool-{self.number}"

    def invoke(self, what: str, target: Any, method: str, **parameters: Any) -> tuple[bool | None, dict[str, Any]]:
        """Invoke a method; whether it was accepted and done: None where nobody knows."""
        try:
            code, out = self.wbem.InvokeMethod(method, target, **parameters)
        except pywbem.CIMError as error:
            self.ledger.was_refused(what, f"{error.status_code_name} {error.status_description}")
            return False, {}
        except pywbem.Error as error:
            self.ledger.lost.append(f"{what}: {error!r}")
            return None, {}
        if code == STARTED:
            return self.job_done(what, out["Job"]), out
        if code != SUCCESS:
            self.ledger.was_refused(what, f"returned {code}")
        else:
            self.ledger.did(what)
        return code == SUCCESS, out

    def job_done(self, what: str, path: Any) -> bool | None:
        """Wait for a job, which is sometimes ended, and sometimes removed."""
        if self.dice.random() < 0.2:
            self.invoke("end a job", path, "RequestStateChange", RequestedState=pywbem.Uint16(TERMINATE))
        deadline = time.monotonic() + 60
        while (shown := self.wbem.GetInstance(path))["JobState"] not in OVER:
            if time.monotonic() > deadline:
                self.ledger.lost.append(f"{what}: the job does not end: {shown.items()}")
                return None
            time.sleep(0.05)
        done = bool(shown["JobState"] == ACCEPTED_JOB)
        if done:
            self.ledger.did(f"{what} (job)")
        else:
            self.ledger.was_refused(f"{what} (job)", f"{shown['JobState']} {shown['ErrorDescription']}")
        if self.dice.random() < 0.5:
            self.wbem.DeleteInstance(path)
        return done

    def note(self, key: tuple[str, ...], value: Any, outcome: bool | None) -> None:
        """Take an answer down."""
        if outcome:
            self.ledger.allowed[key] = {value}
        elif outcome is None:
            self.ledger.allowed.setdefault(key, {None}).add(value)

    def run(self, until: float) -> None:
        """Do one thing after the other."""
        actions = [self.turn] * 6 + [self.plug] * 5 + [self.switch] * 2 + [self.pass_by] * 2 + [self.store] * 3
        while time.monotonic() < until:
            self.dice.choice(actions)()

    def turn(self) -> None:
        """ModifySystemSettings or ModifyResourceSettings of the property of one's own."""
        knob = self.knob
        guest = self.dice.choice(RUNNING + WAITING if knob.live else WAITING)
        given = self.dice.choice(list(knob.values))
        defined = "/defined" if guest in WAITING else ""
        what = f"modify {knob.name}"
        if knob.kind:
            kind, _, identifier = knob.kind.partition("/")
            setting = resource(kind, InstanceID=f"{guest}{defined}/{identifier}", **{knob.name: given})
            if knob.name == "VirtualQuantity" and kind == "Mem":
                setting["AllocationUnits"] = "byte*2^20"
            done, _ = self.invoke(what, self.service, "ModifyResourceSettings", ResourceSettings=[setting])
        else:
            system = pywbem.CIMInstance(
                "KVM_VirtualSystemSettingData", {"InstanceID": f"KVM:{guest}{defined}", knob.name: given}
            )
            done, _ = self.invoke(what, self.service, "ModifySystemSettings", SystemSettings=system)
        self.note((guest, knob.path), knob.values[given], done)

    def plug(self) -> None:
        """AddResourceSettings, ModifyResourceSettings or RemoveResourceSettings of a device of one's own."""
        guest = self.dice.choice(RUNNING + WAITING)
        defined = "/defined" if guest in WAITING else ""
        kind, identifier, presence, setting, path = self.device(guest)
        allowed = self.ledger.allowed
        present = allowed.get((guest, presence), {0})
        if len(present) > 1:
            return
        if 0 in present:
            configuration = pywbem.CIMInstanceName(
                "KVM_VirtualSystemSettingData", {"InstanceID": f"KVM:{guest}{defined}"}, namespace="root/virt"
            )
            done, _ = self.invoke(
                f"add {kind}",
                self.service,
                "AddResourceSettings",
                AffectedConfiguration=configuration,
                ResourceSettings=[setting],
            )
            self.note((guest, presence), 1, done)
            return
        instance_id = f"{guest}{defined}/{identifier}"
        if self.dice.random() < 0.5:
            if kind == "Net":
                given: Any = self.dice.choice(["up", "down"])
                changed, there = resource(kind, InstanceID=instance_id, LinkState=given), given
            else:
                given = self.dice.choice([1, 2, 3]) * MIB
                changed = resource(kind, InstanceID=instance_id, ReadBytesPerSecond=pywbem.Uint64(given))
                there = str(given)
            done, _ = self.invoke(f"modify {kind}", self.service, "ModifyResourceSettings", ResourceSettings=[changed])
            self.note((guest, path), there, done)
            return
        if guest in RUNNING and time.monotonic() - self.ledger.begun.get(guest, 0.0) < BOOT:
            return
        reference = pywbem.CIMInstanceName(changed_class(kind), {"InstanceID": instance_id}, namespace="root/virt")
        done, _ = self.invoke(f"remove {kind}", self.service, "RemoveResourceSettings", ResourceSettings=[reference])
        self.note((guest, presence), 0, done)
        if done:
            allowed.pop((guest, path), None)
        elif done is False and guest in RUNNING:
            self.ledger.astray.add(guest)

    def device(self, guest: str) -> tuple[str, str, str, pywbem.CIMInstance, str]:
        """Kind and identifier of a device of one's own, how to count it, how to add it, and where its value is."""
        place = int(guest.rpartition("-")[2]) + (16 if guest in WAITING else 0)
        if self.number % 2:
            mac = f"52:54:00:00:{place:02x}:{self.number:02x}"
            element = f"devices/interface[mac/@address='{mac}']"
            setting = resource("Net", NetworkType="user", Address=mac)
            return "Net", mac, f"count({element})", setting, f"{element}/link/@state"
        target = f"vd{chr(ord('b') + self.number)}"
        image = self.daemon.images / f"{guest}-{target}"
        image.touch()
        os.truncate(image, MIB)
        element = f"devices/disk[target/@dev='{target}']"
        setting = resource("Disk", VirtualDevice=target, Address=str(image), DriverType="raw")
        return "Disk", target, f"count({element})", setting, f"{element}/iotune/read_bytes_sec/text()"

    def switch(self) -> None:
        """RequestStateChange of any guest."""
        guest = self.dice.choice(RUNNING + WAITING)
        states = [ENABLED, ENABLED, DISABLED] + ([] if guest in RUNNING else [OFFLINE, QUIESCE])
        state = self.dice.choice(states)
        if state == ENABLED:
            self.ledger.begun[guest] = time.monotonic() + 1
        self.request(guest, state)

    def request(self, guest: str, state: int) -> bool | None:
        done, _ = self.invoke(
            f"request state {state}", guest_path(guest), "RequestStateChange", RequestedState=pywbem.Uint16(state)
        )
        if state == ENABLED and done:
            self.ledger.begun[guest] = time.monotonic()
        return done

    def pass_by(self) -> None:
        """Define, rename, start and destroy a guest of one's own."""
        if self.number >= len(PASSING):
            return
        first, second = PASSING[self.number], f"{PASSING[self.number]}-renamed"
        allowed = self.ledger.allowed
        name = next((each for each in (first, second) if allowed.get((each, "exists")) == {True}), None)
        if name is None:
            resources = [
                resource("Mem", VirtualQuantity=pywbem.Uint64(32), AllocationUnits="MegaBytes"),
                resource("Proc", VirtualQuantity=pywbem.Uint64(1)),
                resource("Net", NetworkType="user"),
            ]
            system = pywbem.CIMInstance(
                "KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": first, "DomainType": "qemu"}
            )
            done, _ = self.invoke(
                "define", self.service, "DefineSystem", SystemSettings=system, ResourceSettings=resources
            )
            self.note((first, "exists"), True, done)
            return
        match self.dice.choice(["rename", "start", "save", "stop", "destroy", "destroy"]):
            case "rename":
                other = second if name == first else first
                system = pywbem.CIMInstance(
                    "KVM_VirtualSystemSettingData", {"InstanceID": f"KVM:{name}", "ElementName": other}
                )
                done, _ = self.invoke("rename", self.service, "ModifySystemSettings", SystemSettings=system)
                self.note((name, "exists"), False, done)
                self.note((other, "exists"), True, done)
            case "start":
                self.request(name, ENABLED)
            case "save":
                self.request(name, OFFLINE)
            case "stop":
                self.request(name, DISABLED)
            case _:
                done, _ = self.invoke("destroy", self.service, "DestroySystem", AffectedSystem=guest_path(name))
                self.note((name, "exists"), False, done)

    def store(self) -> None:
        """Make and remove a pool of one's own, and volumes in it and in the one that all share."""
        allowed = self.ledger.allowed
        mine = allowed.get(("pool", self.pool), {False})
        if mine == {False}:
            directory = self.pools / self.pool
            setting = pywbem.CIMInstance(
                "KVM_DiskPoolResourceAllocationSettingData", {"Type": pywbem.Uint16(1), "Path": str(directory)}
            )
            done, _ = self.invoke(
                "create pool",
                self.pool_service,
                "CreateChildResourcePool",
                ElementName=self.pool,
                Settings=[setting],
            )
            self.note(("pool", self.pool), True, done)
            return
        if mine == {True} and self.dice.random() < 0.15:
            done, _ = self.invoke("delete pool", self.pool_service, "DeleteResourcePool", Pool=pool_path(self.pool))
            self.note(("pool", self.pool), False, done)
            return
        pool = self.dice.choice([self.pool, "storm-common"])
        volume = f"volume-{self.number}-{self.dice.randrange(3)}"
        path = str(self.pools / pool / volume)
        if allowed.get(("volume", path), {False}) == {False}:
            given: dict[str, Any] = {"VolumeName": volume}
            if self.dice.random() < 0.3:
                given["HostResource"] = [str(self.pools / "storm-common" / "source")]
            else:
                given |= {"Capacity": pywbem.Uint64(MIB), "FormatType": pywbem.Uint16(self.dice.choice([1, 2]))}
            done, _ = self.invoke(
                "create volume",
                self.pool_service,
                "CreateResourceInPool",
                Settings=pywbem.CIMInstance(STORED, given),
                Pool=pool_path(pool),
            )
            self.note(("volume", path), True, done)
        elif self.dice.random() < 0.2:
            self.invoke("refresh pool", self.pool_service, "RefreshResourcesInPool", Pool=pool_path(pool))
        else:
            done, _ = self.invoke(
                "delete volume",
                self.pool_service,
                "DeleteResourceInPool",
                Resource=resource("Disk", Address=path),
                Pool=pool_path(pool),
            )
            self.note(("volume", path), False, done)


def changed_class(kind: str) -> str:
    return f"KVM_{kind}ResourceAllocationSettingData"


def resource(kind: str, **properties: Any) -> pywbem.CIMInstance:
    return pywbem.CIMInstance(changed_class(kind), properties)


def guest_path(name: str) -> pywbem.CIMInstanceName:
    keys = {"CreationClassName": "KVM_ComputerSystem", "Name": name}
    return pywbem.CIMInstanceName("KVM_ComputerSystem", keys, namespace="root/virt")


def pool_path(name: str) -> pywbem.CIMInstanceName:
    return pywbem.CIMInstanceName("KVM_DiskPool", {"InstanceID": f"DiskPool/{name}"}, namespace="root/virt")


@pytest.fixture
def daemon(new_libvirtd: Callable[[], Libvirtd]) -> Iterator[Libvirtd]:
    """A daemon of its own with the guests that are shared."""
    made = new_libvirtd()
    for name in RUNNING + WAITING:
        made.define(boot_sector_xml(name, made.new_image()))
    yield made
    made.remove_domains()
    remove_all(made)


@pytest.mark.parametrize(
    "seconds", [pytest.param(10.0, id="short"), pytest.param(SLOW_SECONDS, id="long", marks=pytest.mark.slow)]
)
def test_what_was_accepted_is_there(
    daemon: Libvirtd, serve: Callable[..., Server], tmp_path: Path, seconds: float
) -> None:
    server = serve(daemon.uri(), config="[providers.jobs]\ngrace = 0.02\n")
    ledger = Ledger()
    pools = tmp_path / "pools"
    common = pools / "storm-common"
    common.mkdir(parents=True)
    (common / "source").write_bytes(bytes(4 * MIB))
    daemon.virsh("pool-define-as", "storm-common", "dir", "--target", str(common))
    daemon.virsh("pool-start", "storm-common")
    wait_until(lambda: shown(server, "KVM_DiskPool", "InstanceID") >= {"DiskPool/storm-common"})
    wait_until(lambda: shown(server, "KVM_ComputerSystem", "Name") >= {*RUNNING, *WAITING})
    seed = random.randrange(1 << 32)
    clients = [Client(number, server, daemon, ledger, pools, random.Random(seed + number)) for number in range(CLIENTS)]
    before = {name: definition(daemon, name) for name in RUNNING + WAITING}
    blow(clients, seconds)
    print(f"seed {seed}, {seconds:.0f} s: {ledger.accepted.total()} accepted, {ledger.refused.total()} refused")
    for text, count in [*ledger.accepted.most_common(), *ledger.refused.most_common(60)]:
        print(f"{count:6} {text}")
    print("astray:", sorted(ledger.astray), "lost answers:", ledger.lost)
    assert "Traceback" not in server.errors, server.errors[-6000:]
    assert ledger.lost == []
    check_guests(daemon, ledger, before)
    check_left(daemon, server, ledger, pools)


def blow(clients: list[Client], seconds: float) -> None:
    """Let all clients work for some seconds; AssertionError for the first that failed."""
    failures: list[BaseException] = []
    until = time.monotonic() + seconds

    def work(client: Client) -> None:
        try:
            client.run(until)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def shown(server: Server, class_name: str, name: str) -> set[Any]:
    """The values of a property of all instances."""
    with server.pywbem() as connection:
        return {each[name] for each in connection.EnumerateInstances(class_name)}


def definition(daemon: Libvirtd, name: str, *options: str) -> etree._Element:
    return etree.fromstring(daemon.virsh("dumpxml", name, *(options or ("--inactive",))).encode())


def value_of(domain: etree._Element, path: str) -> Any:
    """What is at a path of the ledger: a number for a count, a property as its knob reads it."""
    found = domain.xpath(path)
    if isinstance(found, float):
        return int(found)
    knob = next((each for each in KNOBS if each.path == path), None)
    assert isinstance(found, list)
    return words(found) if knob is None else knob.read(found)


def check_guests(daemon: Libvirtd, ledger: Ledger, before: dict[str, etree._Element]) -> None:
    """Whether every guest is what the answers make of it, in its definition and, where it was changed, running."""
    states = daemon.list_all()
    wrong = []
    for name, first in before.items():
        configurations = {"defined": definition(daemon, name)}
        if name in RUNNING and states[name] == "running" and name not in ledger.astray:
            configurations["running"] = definition(daemon, name, "--security-info")
        for word, domain in configurations.items():
            mine = {key[1]: allowed for key, allowed in ledger.allowed.items() if key[0] == name}
            for knob in KNOBS:
                mine.setdefault(knob.path, {value_of(first, knob.path)})
            wrong += [
                f"{name} {word}: {path} is {value_of(domain, path)!r}, not {allowed!r}"
                for path, allowed in mine.items()
                if value_of(domain, path) not in allowed and (word == "defined" or is_live(path))
            ]
            for tag in ("interface", "disk"):
                count = 1 if tag == "disk" else 0
                count += sum(value_of(domain, path) for path in mine if path.startswith(f"count(devices/{tag}["))
                if len(domain.findall(f"devices/{tag}")) != count:
                    wrong.append(f"{name} {word}: a {tag} that nobody added")
    assert wrong == [], "\n".join(wrong)


def is_live(path: str) -> bool:
    return all(knob.live for knob in KNOBS if knob.path == path)


def check_left(daemon: Libvirtd, server: Server, ledger: Ledger, pools: Path) -> None:
    """Whether there is nothing that should not be: guests, files, pools, volumes, jobs."""
    guests = {*RUNNING, *WAITING} | {
        key[0] for key, known in ledger.allowed.items() if known == {True} and key[1] == "exists"
    }
    states = daemon.list_all()
    assert set(states) == guests
    assert shown(server, "KVM_ComputerSystem", "Name") == guests
    assert {path.stem for path in daemon.xml_directory.glob("*.xml")} == guests
    library = daemon.directory / "lib/qemu"
    saved = {path.stem for path in (library / "save").glob("*.save")}
    assert saved <= {name for name, state in states.items() if state == "shut off"}
    running = {name for name, state in states.items() if state != "shut off"}
    kept = {path.stem for path in (daemon.directory / "run/libvirt/qemu").glob("*.xml")}
    assert kept == running
    assert list((library / "nvram").glob("*")) == []
    expected = {key[1] for key, known in ledger.allowed.items() if key[0] == "pool" and known == {True}}
    assert set(daemon.virsh("pool-list", "--all", "--name").split()) == expected | {"storm-common"}
    files = {str(path) for path in pools.glob("*/*")} - {str(pools / "storm-common/source")}
    assert files == {key[1] for key, known in ledger.allowed.items() if key[0] == "volume" and known == {True}}
    assert shown(server, "KVM_ConcreteJob", "JobState") <= set(OVER)
    settings = shown(server, "KVM_VirtualSystemSettingData", "InstanceID")
    assert settings >= {f"KVM:{name}" for name in guests}
    assert not settings & {f"KVM:{name}/defined" for name in RUNNING if name not in ledger.astray}
    for name in guests:
        spaces = {etree.QName(each).namespace for each in definition(daemon, name).iterfind("metadata/*")}
        assert len(spaces) <= 1, spaces

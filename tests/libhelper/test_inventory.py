"""The inventory on libvirt's test driver, and its parts alone."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import libvirt
import pytest

from virtcim.libhelper import connections
from virtcim.libhelper.connections import Connections, is_local, is_single_node, scheme_driver
from virtcim.libhelper.detect import detect
from virtcim.libhelper.domains.change import DomainChange
from virtcim.libhelper.errors import LibvirtError, translated
from virtcim.libhelper.events import Event
from virtcim.libhelper.host import qualified_name
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory import readers as readers_module
from virtcim.libhelper.inventory.inventory import Inventory
from virtcim.libhelper.inventory.journal import LENGTH, Journal
from virtcim.libhelper.inventory.kinds import DOMAIN, NO_TEXTS, Texts
from virtcim.libhelper.inventory.parts import PartKind
from virtcim.libhelper.inventory.readers import Key, Readers, Task
from virtcim.libhelper.inventory.records import Change, ChangeKind, Document, Domain, Part, Record
from virtcim.libhelper.inventory.watch import DirectoryWatch, default_directories
from virtcim.libhelper.states import DomainState
from virtcim.precedence import Precedence

PATIENCE = 60.0
ODD_NAMES = ('it\'s "quoted"', "R&D <1>", "guest 🦊", "ünïcode", "..", "-rf", "x" * 200)


def node_file(path: Path, names: list[str]) -> str:
    """A test driver's node with running domains of these names; the URI."""
    domains = "".join(
        f"<domain type='test'><name>{escape(name)}</name><memory>65536</memory><vcpu>2</vcpu>"
        "<os><type>hvm</type></os></domain>"
        for name in names
    )
    path.write_text(f"<node>{domains}</node>")
    return f"test://{path}"


@pytest.fixture
def node(tmp_path: Path, started: Callable[..., Hypervisor]) -> Hypervisor:
    """A node of three domains that nobody else sees."""
    return started(node_file(tmp_path / "node.xml", ["one", "three", "two"]))


def state_is(name: str, state: DomainState) -> Callable[[Any], bool]:
    """A predicate for `wait_for`."""

    def holds(inventory: Any) -> bool:
        domain = inventory.domain(name)
        return domain is not None and domain.state is state

    return holds


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the calls with which libvirt is asked about domains, as they are made."""
    calls: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        call = getattr(libvirt.virDomain, name)

        def count(self: libvirt.virDomain, *arguments: Any) -> Any:
            calls.append(name)
            return call(self, *arguments)

        return count

    for name in (
        "XMLDesc",
        "autostart",
        "hasManagedSaveImage",
        "isPersistent",
        "listAllCheckpoints",
        "snapshotNum",
        "state",
    ):
        monkeypatch.setattr(libvirt.virDomain, name, counted(name))
    return calls


def test_what_a_change_leaves_as_it_was_is_not_asked_for(
    tmp_path: Path, started: Callable[..., Hypervisor], asked: list[str]
) -> None:
    """Whoever is told of a change within milliseconds does not wait for the rest."""
    node = started(node_file(tmp_path / "node.xml", ["one", "two"]), interval=3600.0)
    before = node.inventory.domain("one")
    assert before is not None

    def change(call: str, state: DomainState) -> set[str]:
        asked.clear()
        node.ask(call, lambda connection: getattr(connection.lookupByName("one"), call)(), PATIENCE)
        assert node.inventory.wait_for(state_is("one", state), PATIENCE)
        return set(asked)

    assert change("suspend", DomainState.PAUSED) == {"state"}
    assert change("resume", DomainState.RUNNING) == {"state"}
    after = node.inventory.domain("one")
    assert after is not None
    assert after.live_document is before.live_document
    assert change("destroy", DomainState.SHUTOFF) == {"state"}
    stopped = node.inventory.domain("one")
    assert stopped is not None
    assert (stopped.live_document, stopped.defined_document) == (None, before.defined_document)
    assert change("create", DomainState.RUNNING) == {"state", "XMLDesc"}
    running = node.inventory.domain("one")
    assert running is not None
    assert running.live is not None
    assert running.defined_document is before.defined_document
    assert "hasManagedSaveImage" in change("managedSave", DomainState.SHUTOFF)
    assert node.inventory.wait_for(lambda now: is_saved(now, "one"), PATIENCE)
    change("create", DomainState.RUNNING)
    assert not is_saved(node.inventory, "one")


def test_of_a_new_domain_is_asked_what_it_can_have(
    tmp_path: Path, started: Callable[..., Hypervisor], asked: list[str]
) -> None:
    node = started(node_file(tmp_path / "node.xml", ["one"]), interval=3600.0)
    (xml,) = (domain.xml for domain in node.inventory.domains())
    known = DOMAIN.facts_of(node.inventory.domains()[0])
    asked.clear()
    new = xml.replace("<name>one</name>", "<name>new</name>").replace(str(known[1]), str(uuid.uuid4()))
    node.ask("define", lambda connection: connection.defineXML(new), PATIENCE)
    assert node.inventory.wait_for(lambda now: now.domain("new") is not None, PATIENCE)
    assert set(asked) == {"state", "XMLDesc"}
    found = node.inventory.domain("new")
    assert found is not None
    assert node.inventory.refresh(found.uuid) is found
    assert {"autostart", "isPersistent", "snapshotNum"} <= set(asked)


def is_saved(inventory: Inventory, name: str) -> bool:
    """Whether the domain has a saved state."""
    found = inventory.domain(name)
    return found is not None and found.has_managed_save


def test_default_node(started: Callable[..., Hypervisor]) -> None:
    hypervisor = started("test:///default")
    assert hypervisor.connected
    assert hypervisor.driver == "TEST"
    assert hypervisor.libvirt_version >= (9, 0, 0)
    assert hypervisor.node.cpus == 16
    assert hypervisor.node.memory == 3145728
    assert hypervisor.facts.capabilities_xml.startswith("<capabilities>")
    assert not hypervisor.fqdn.startswith("localhost")
    domain = hypervisor.inventory.domain("test")
    assert domain is not None
    assert domain is hypervisor.inventory.domain_by_uuid(domain.uuid)
    assert (domain.state, domain.active, domain.persistent, domain.contact) == (DomainState.RUNNING, True, True, True)
    assert domain.state_changed is None
    assert domain.config is domain.live
    assert domain.config is not None
    assert domain.config.name == "test"
    assert domain.defined is not None
    assert domain.xml.startswith("<domain")


def test_other_kinds(started: Callable[..., Hypervisor]) -> None:
    inventory = started("test:///default").inventory
    assert inventory.wait_for(
        lambda now: bool(now.networks() and now.pools() and now.node_devices() and now.interfaces()), PATIENCE
    )
    network = inventory.find_by_name("network", "default")
    assert network is not None
    assert network.active
    assert "<network" in network.xml
    assert inventory.find("network", network.key) is not None
    assert inventory.nwfilters() == []
    assert inventory.wait_for(lambda now: now.pools()[0].volumes is not None, PATIENCE)


def test_volumes_are_seen_without_an_event(started: Callable[..., Hypervisor]) -> None:
    hypervisor = started("test:///default", interval=2.0)
    inventory = hypervisor.inventory
    assert inventory.wait_for(lambda now: bool(now.pools() and now.pools()[0].volumes is not None), PATIENCE)
    with hypervisor.connections.connection() as connection:
        pool = connection.listAllStoragePools(0)[0]
        volume = pool.createXML("<volume><name>v1</name><capacity>1024</capacity></volume>", 0)
        assert inventory.wait_for(lambda now: [v.name for v in now.pools()[0].volumes or ()] == ["v1"], PATIENCE)
        assert "<name>v1</name>" in (inventory.pools()[0].volumes or ())[0].xml
        volume.delete(0)
        assert inventory.wait_for(lambda now: now.pools()[0].volumes == (), PATIENCE)


def test_domains_are_sorted_and_found(node: Hypervisor) -> None:
    assert [domain.name for domain in node.inventory.domains()] == ["one", "three", "two"]
    assert node.inventory.domain("nobody") is None
    assert node.inventory.domain_by_uuid("nobody") is None


def test_records_are_replaced_and_snapshots_stay(node: Hypervisor) -> None:
    inventory = node.inventory
    before, snapshot, revision = inventory.domain("one"), inventory.domains(), inventory.revision
    assert before is not None
    node.domains.suspend("one")
    assert inventory.wait_for(state_is("one", DomainState.PAUSED), PATIENCE)
    after = inventory.domain("one")
    assert after is not None
    assert after is not before
    assert after.revision > before.revision
    assert inventory.revision > revision
    assert after.state_changed is not None
    assert after.live_document is before.live_document
    assert before.state is DomainState.RUNNING
    assert snapshot[0] is before
    assert inventory.domains()[0] is after
    with pytest.raises(AttributeError):
        after.state = DomainState.RUNNING  # type: ignore[misc]


def test_every_operation(node: Hypervisor) -> None:
    domains, inventory = node.domains, node.inventory
    steps: list[tuple[Callable[[str], Any], DomainState]] = [
        (domains.suspend, DomainState.PAUSED),
        (domains.resume, DomainState.RUNNING),
        (domains.shutdown, DomainState.SHUTOFF),
        (domains.start, DomainState.RUNNING),
        (domains.managed_save, DomainState.SHUTOFF),
        (domains.start, DomainState.RUNNING),
        (domains.destroy, DomainState.SHUTOFF),
    ]
    for operation, state in steps:
        operation("two")
        assert inventory.wait_for(state_is("two", state), PATIENCE), operation
    domain = inventory.domain("two")
    assert domain is not None
    assert domain.id is None
    assert domain.live is None
    assert domain.config is domain.defined
    with pytest.raises(LibvirtError) as caught:
        domains.start(domain.uuid, paused=True)
    assert caught.value.is_unsupported
    domains.start(domain.uuid)
    with domains.event_wait("two", "reboot") as rebooted:
        domains.reboot("two")
        assert rebooted.wait(PATIENCE)


def test_managed_save_is_known(node: Hypervisor) -> None:
    node.domains.managed_save("one")
    assert node.inventory.wait_for(state_is("one", DomainState.SHUTOFF), PATIENCE)
    uuid = node.inventory.domains()[0].uuid
    assert node.inventory.refresh(uuid) is node.inventory.domain("one")
    assert node.inventory.domains()[0].has_managed_save
    node.domains.managed_save_remove("one")
    node.inventory.refresh(uuid)
    assert not node.inventory.domains()[0].has_managed_save


def test_errors_are_ours(node: Hypervisor) -> None:
    with pytest.raises(LibvirtError) as caught:
        node.domains.start("nobody")
    assert caught.value.is_no_domain
    assert caught.value.is_gone
    with pytest.raises(LibvirtError) as caught:
        node.domains.pm_wakeup("one")
    assert caught.value.is_unsupported
    assert "virDomainPMWakeup" in caught.value.message
    with pytest.raises(LibvirtError), translated():
        raise libvirt.libvirtError("nothing more is known")


def test_define_undefine_rename(node: Hypervisor) -> None:
    inventory = node.inventory
    changes: list[Change] = []
    inventory.listeners.append(changes.append)
    with node.connections.connection() as connection:
        domain = connection.defineXML(
            "<domain type='test'><name>new</name><memory>1024</memory><os><type>hvm</type></os></domain>"
        )
        assert inventory.wait_for(lambda now: now.domain("new") is not None, PATIENCE)
        record = inventory.domain("new")
        assert record is not None
        assert not record.active
        assert record.state_changed is not None
        domain.undefine()
        assert inventory.wait_for(lambda now: now.domain("new") is None, PATIENCE)
    changes = [change for change in changes if isinstance(change.after or change.before, Domain)]
    kinds = [change.kind for change in changes]
    assert (kinds[0], kinds[-1]) == (ChangeKind.ADDED, ChangeKind.REMOVED)
    assert changes[0].event is not None
    assert changes[0].event.name == "lifecycle"
    assert changes[-1].before is record


def test_a_domain_that_moves_is_shown_at_one_place(started: Callable[..., Hypervisor], tmp_path: Path) -> None:
    """At its old one, which libvirt may have forgotten already, until the move has ended, and then at its new one."""
    source, target = (started(node_file(tmp_path / f"{place}.xml", [place])) for place in ("old", "new"))
    inventories = source.inventory, target.inventory
    uuid = "00000000-0000-4000-8000-000000000001"
    keys = f"<name>mover</name><uuid>{uuid}</uuid>"
    xml = f"<domain type='test'>{keys}<memory>1024</memory><os><type>hvm</type></os></domain>"
    places: list[list[bool]] = []

    def look(*_: Any) -> Any:
        found = [each.domain_by_uuid(uuid) is not None for each in inventories]
        places.append(found)
        return found

    with source.connections.connection() as here, target.connections.connection() as there:
        here.defineXML(xml)
        assert source.inventory.wait_for(lambda now: now.domain("mover") is not None, PATIENCE)
        for each in inventories:
            each.listeners.append(look)
        for moves in (False, True):
            target.inventory.withhold(uuid)
            source.inventory.set_relocating(uuid)
            there.defineXML(xml)
            target.inventory.refresh(uuid)
            (here if moves else there).lookupByUUIDString(uuid).undefine()
            for each in inventories:
                each.refresh(uuid)
            record = source.inventory.domain("mover")
            assert record is not None
            assert record.relocating
            source.inventory.hand_over(uuid, target.inventory)
            assert look() == [not moves, moves]
    assert places == sorted(places, reverse=True)
    assert [False, False] not in places
    assert [True, True] not in places


def test_a_failing_listener_harms_nobody(node: Hypervisor, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Change] = []

    def fail(_change: Change) -> None:
        raise ValueError("no")

    node.inventory.listeners.extend([fail, heard.append])
    node.domains.suspend("one")
    assert node.inventory.wait_for(state_is("one", DomainState.PAUSED), PATIENCE)
    wait_until(lambda: bool(heard))


def test_changes_without_an_event(started: Callable[..., Hypervisor], tmp_path: Path) -> None:
    hypervisor = started(node_file(tmp_path / "node.xml", ["one", "two"]), interval=3.0)
    with hypervisor.connections.connection() as connection:
        connection.lookupByName("one").setAutostart(1)
        connection.lookupByName("two").setVcpusFlags(1, libvirt.VIR_DOMAIN_AFFECT_CONFIG)

    def seen(inventory: Any) -> bool:
        return bool(inventory.domain("one").autostart and inventory.domain("two").defined.vcpu_current == 1)

    assert hypervisor.inventory.wait_for(seen, PATIENCE)


def test_nothing_changes_on_a_quiet_host(started: Callable[..., Hypervisor], tmp_path: Path) -> None:
    hypervisor = started(node_file(tmp_path / "node.xml", [f"d{number}" for number in range(20)]), interval=2.0)
    inventory = hypervisor.inventory
    wait_until(lambda: len(inventory.domains()) == 20)
    revision = inventory.revision
    assert not inventory.wait_for(lambda now: now.revision != revision, 5.0)


def test_refresh_shows_own_writes(started: Callable[..., Hypervisor], tmp_path: Path) -> None:
    hypervisor = started(node_file(tmp_path / "node.xml", ["one"]), interval=3600.0)
    uuid = hypervisor.inventory.domains()[0].uuid
    with hypervisor.connections.connection() as connection:
        for value in (True, False, True, False):
            connection.lookupByName("one").setAutostart(int(value))
            record = hypervisor.inventory.refresh(uuid)
            assert record is not None
            assert record.autostart is value
    assert hypervisor.inventory.refresh("nobody") is None


def test_odd_names(started: Callable[..., Hypervisor], tmp_path: Path) -> None:
    hypervisor = started(node_file(tmp_path / "node.xml", list(ODD_NAMES)))
    assert {domain.name for domain in hypervisor.inventory.domains()} == set(ODD_NAMES)
    for name in ODD_NAMES:
        domain = hypervisor.inventory.domain(name)
        assert domain is not None
        assert domain.config is not None
        assert domain.config.name == name
        hypervisor.domains.suspend(name)
        assert hypervisor.inventory.wait_for(state_is(name, DomainState.PAUSED), PATIENCE)


def test_thousand_domains(started: Callable[..., Hypervisor], tmp_path: Path) -> None:
    hypervisor = started(node_file(tmp_path / "node.xml", [f"d{number:04}" for number in range(1000)]))
    assert len(hypervisor.inventory.domains()) == 1000
    assert hypervisor.inventory.domain("d0999") is not None


def test_a_stuck_object_delays_the_first_reading_a_little(
    started: Callable[..., Hypervisor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, read = threading.Event(), DOMAIN.texts

    def texts(handle: Any, facts: tuple[Any, ...], read_only: bool, kept: Texts = NO_TEXTS) -> Any:
        if handle.name() == "d05":
            gate.wait(3 * PATIENCE)
        return read(handle, facts, read_only, kept)

    monkeypatch.setattr(DOMAIN, "texts", texts)
    uri = node_file(tmp_path / "node.xml", [f"d{number:02}" for number in range(20)])
    hypervisor = started(uri, call_budget=0.5)
    assert hypervisor.connected
    assert {domain.name for domain in hypervisor.inventory.domains()} == {f"d{n:02}" for n in range(20) if n != 5}
    hypervisor.domains.suspend("d07")
    assert hypervisor.inventory.wait_for(state_is("d07", DomainState.PAUSED), PATIENCE)
    gate.set()
    assert hypervisor.inventory.wait_for(lambda now: now.domain("d05") is not None, PATIENCE)


def test_stop_ends_threads(tmp_path: Path) -> None:
    def ours() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("libvirt-")]

    uri = node_file(tmp_path / "node.xml", ["one"])
    before = ours()
    hypervisor = Hypervisor(uri)
    hypervisor.start()
    assert hypervisor.wait_ready(PATIENCE)
    hypervisor.stop()
    # These two are everybody's.
    expected = sorted({*before, "libvirt-events", "libvirt-keeper"})
    wait_until(lambda: sorted(ours()) == expected)
    Hypervisor(uri).stop()


def test_absent_hypervisor_answers_empty(started: Callable[..., Hypervisor], tmp_path: Path) -> None:
    hypervisor = started(f"qemu+unix:///system?socket={tmp_path}/none")
    assert not hypervisor.connected
    assert hypervisor.inventory.domains() == []
    assert hypervisor.inventory.refresh("nobody") is None
    with pytest.raises(LibvirtError):
        hypervisor.domains.start("nobody")


def test_absent_hypervisor_is_tried_after_pauses_that_grow(
    started: Callable[..., Hypervisor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of each attempt is told to who waits for the next one, whose time that does not shorten."""
    attempts: list[float] = []
    really = connections.open_connection

    def noted(*given: Any, **named: Any) -> libvirt.virConnect:
        attempts.append(time.monotonic())
        return really(*given, **named)

    monkeypatch.setattr(connections, "open_connection", noted)
    started(f"qemu+unix:///system?socket={tmp_path}/none")
    wait_until(lambda: len(attempts) >= 4)
    pauses = [later - before for before, later in pairwise(attempts)]
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.2
    assert pauses[2] >= 0.4


def hypervisor_has_answered(hypervisor: Hypervisor, what: str) -> Callable[[], bool]:
    """Whether a question of this name can be asked again."""

    def answered() -> bool:
        try:
            return hypervisor.ask(what, lambda _connection: True, PATIENCE)
        except LibvirtError:
            return False

    return answered


def test_questions_have_a_time_budget(started: Callable[..., Hypervisor]) -> None:
    hypervisor = started("test:///default")
    assert hypervisor.ask("free memory", lambda connection: connection.getFreeMemory(), PATIENCE) > 0
    gate = threading.Event()
    with pytest.raises(LibvirtError, match="no answer in") as caught:
        hypervisor.ask("slow", lambda _connection: gate.wait(PATIENCE), 0.05)
    assert caught.value.is_timeout
    with pytest.raises(LibvirtError, match="still no answer"):
        hypervisor.ask("slow", lambda _connection: None, 0.05)
    assert hypervisor.ask("another", lambda _connection: 1, PATIENCE) == 1
    gate.set()
    wait_until(hypervisor_has_answered(hypervisor, "slow"))
    with pytest.raises(LibvirtError) as caught:
        hypervisor.ask("missing", lambda connection: connection.lookupByName("nobody"), PATIENCE)
    assert caught.value.is_no_domain
    hypervisor.stop()
    with pytest.raises(LibvirtError, match="no connection"):
        hypervisor.ask("late", lambda _connection: None, PATIENCE)


def test_detect(tmp_path: Path) -> None:
    absent = f"qemu+unix:///system?socket={tmp_path}/none"
    found = detect([absent, "test:///default", "nonsense", "test:///default"])
    assert [hypervisor.uri for hypervisor in found] == ["test:///default"]
    assert found[0].facts.driver == "TEST"
    assert not found[0].read_only
    assert detect(["test:///default"], read_only=True)[0].read_only
    assert detect([]) == []


def test_uris() -> None:
    assert scheme_driver("qemu+ssh://host/system") == "qemu"
    assert is_local("qemu:///system")
    assert not is_local("qemu+tls://host/system")
    assert is_single_node("test:///some/node.xml")
    assert is_single_node("vmwarews:///session")
    assert not is_single_node("test:///default")
    assert not is_single_node("qemu:///system")
    assert default_directories("qemu:///system")[Path("/etc/libvirt/qemu")] == "domain"
    assert default_directories("lxc:///")[Path("/etc/libvirt/lxc")] == "domain"
    assert default_directories("qemu+unix:///system?socket=/elsewhere") == {}
    assert default_directories("qemu+ssh://host/system") == {}
    assert default_directories("test:///default") == {}


def test_single_node_is_one_connection(tmp_path: Path) -> None:
    connections = Connections(node_file(tmp_path / "node.xml", ["one"]))
    first, second = connections.open(), connections.open()
    assert first is second
    connections.release(first)
    assert second.isAlive()
    connections.release(second)


def test_qualified_name() -> None:
    assert qualified_name("certainly-no-such-host") == "certainly-no-such-host"
    assert qualified_name("host.example.org") == "host.example.org"


def test_document_keeps_no_password() -> None:
    text = "<domain><devices><graphics type='vnc' passwd='s3cret' port='1'/><graphics passwd=\"x\"/></devices></domain>"
    document: Document[str] = Document(text, str.upper)
    assert "s3cret" not in document.text
    assert document.text.count("passwd=") == 2
    assert document.digest == Document.digest_of(text)
    assert document.parsed() is document.parsed()


def test_document_that_cannot_be_parsed(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_text: str) -> None:
        raise ValueError("broken")

    document: Document[None] = Document("<domain>", fail)
    with caplog.at_level(logging.WARNING):
        assert document.parsed() is None
        assert document.parsed() is None
    assert len([record for record in caplog.records if "broken" in record.getMessage()]) == 1


def test_unknown_state_is_no_state() -> None:
    assert DomainState(99) is DomainState.NOSTATE


class FakeConnections:
    """Connections to nothing."""

    uri = "fake:///"

    class Connection:
        alive = 1

        def isAlive(self) -> int:
            return self.alive

    def __init__(self) -> None:
        self.opened = 0

    def open(self) -> Any:
        self.opened += 1
        return self.Connection()

    def release(self, _connection: Any) -> None:
        self.opened -= 1


@pytest.fixture
def readers() -> Iterator[Callable[..., Readers]]:
    """Makes readers that are stopped at the end."""
    made: list[Readers] = []

    def make(
        fetch: Callable[..., None], budget: float = 60.0, connections: Any = None, first: Precedence | None = None
    ) -> Readers:
        held: Any = connections or FakeConnections()
        new = Readers(held, 4, budget, fetch, lambda _reason: None, first=first or Precedence())
        made.append(new)
        new.resume()
        return new

    yield make
    for each in made:
        each.stop(2.0)


def wait_until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_older_answer_never_replaces_a_newer_one(readers: Callable[..., Readers]) -> None:
    truth = dict.fromkeys("abc", 0)
    shown: dict[str, list[int]] = {name: [] for name in truth}

    def fetch(_connection: Any, key: Key, _task: Task, _generation: int) -> None:
        value = truth[key[1]]
        time.sleep(0.0005 * (value % 5))
        shown[key[1]].append(value)

    queue = readers(fetch)
    for value in range(1, 400):
        for name in truth:
            truth[name] = value
            queue.mark(("domain", name))
        if value % 20 == 0:
            time.sleep(0.002)
    wait_until(lambda: all(values and values[-1] == 399 for values in shown.values()))
    for values in shown.values():
        assert values == sorted(values)


def test_marks_coalesce_and_keep_their_events(readers: Callable[..., Readers]) -> None:
    gate, fetched = threading.Event(), []

    def fetch(_connection: Any, _key: Key, task: Task, _generation: int) -> None:
        gate.wait(PATIENCE)
        fetched.append(len(task.events))

    queue = readers(fetch)
    event = Event("domain", "lifecycle", "a", "a")
    for _ in range(1000):
        queue.mark(("domain", "a"), event)
    gate.set()
    wait_until(lambda: sum(fetched) == 1000)
    assert len(fetched) <= 2


def test_a_stuck_object_stalls_nobody(readers: Callable[..., Readers], caplog: pytest.LogCaptureFixture) -> None:
    gate, fetched = threading.Event(), []

    def fetch(_connection: Any, key: Key, _task: Task, _generation: int) -> None:
        if key[1].startswith("stuck"):
            gate.wait(PATIENCE)
        fetched.append(key[1])

    connections = FakeConnections()
    queue = readers(fetch, 0.1, connections)
    for number in range(4):
        queue.mark(("domain", f"stuck{number}"))
        queue.mark(("domain", f"stuck{number}"))
    time.sleep(0.2)
    with caplog.at_level(logging.WARNING):
        queue.check_stuck()
        queue.check_stuck()
    assert len([record for record in caplog.records if "no answer" in record.getMessage()]) == 4
    for number in range(20):
        queue.mark(("domain", f"quick{number}"))
    wait_until(lambda: len(fetched) == 20)
    assert not any(name.startswith("stuck") for name in fetched)
    gate.set()
    wait_until(lambda: len(fetched) >= 24)
    wait_until(lambda: connections.opened <= 4)


def test_what_can_wait_is_fetched_by_one_reader_at_a_time(readers: Callable[..., Readers]) -> None:
    gate, begun, fetched = threading.Event(), [], []

    def fetch(_connection: Any, key: Key, _task: Task, _generation: int) -> None:
        begun.append(key[1])
        if key[0] == "capacities":
            gate.wait(PATIENCE)
        fetched.append(key[1])

    queue = readers(fetch, 0.1)
    queue.mark_later([("capacities", f"disk{number}") for number in range(4)])
    wait_until(lambda: begun == ["disk0"])
    for number in range(8):
        queue.mark(("domain", f"guest{number}"))
    wait_until(lambda: len(fetched) == 8)
    assert begun[0] == "disk0"
    assert sorted(begun[1:]) == sorted(fetched)

    def next_is_begun() -> bool:
        queue.check_stuck()  # one that does not answer keeps nobody from the next
        return "disk1" in begun

    wait_until(next_is_begun)
    gate.set()
    wait_until(lambda: len(fetched) == 12)


def test_what_can_wait_is_put_off(readers: Callable[..., Readers]) -> None:
    fetched: list[str] = []
    queue = readers(lambda _connection, key, _task, _generation: fetched.append(key[1]))
    queue.put_off()
    queue.mark_later([("capacities", "disk")])
    for name in "abc":
        queue.mark(("domain", name))
    wait_until(lambda: sorted(fetched) == ["a", "b", "c"])
    queue.mark(("domain", "d"))
    wait_until(lambda: fetched[3:] == ["d"])
    queue.catch_up()
    wait_until(lambda: fetched[4:] == ["disk"])


def test_what_can_wait_gives_way_to_answers(readers: Callable[..., Readers]) -> None:
    fetched: list[str] = []
    first = Precedence(pause=3600.0)
    queue = readers(lambda _connection, key, _task, _generation: fetched.append(key[1]), first=first)
    with first:
        queue.mark_later([("capacities", f"disk{number}") for number in range(20)])
        wait_until(lambda: fetched == ["disk0"])
        for name in "abc":
            queue.mark(("domain", name))
        wait_until(lambda: sorted(fetched[1:]) == ["a", "b", "c"])
        with first:
            pass
        time.sleep(0.1)
        assert len(fetched) == 4
    wait_until(lambda: len(fetched) == 23)


def test_what_can_wait_is_done_even_if_answers_never_end(readers: Callable[..., Readers]) -> None:
    fetched: list[str] = []
    first = Precedence(pause=0.001)
    names = [f"disk{number}" for number in range(30)]
    with first:
        queues = [
            readers(lambda _connection, key, _task, _generation: fetched.append(key[1]), first=first) for _ in range(3)
        ]
        for queue in queues:
            queue.mark_later([("capacities", name) for name in names])
        wait_until(lambda: sorted(fetched) == sorted(names * 3))


def test_a_fetch_that_is_due_or_under_way_is_waited_for(readers: Callable[..., Readers]) -> None:
    gate, begun = threading.Event(), threading.Event()

    def fetch(_connection: Any, key: Key, _task: Task, _generation: int) -> None:
        if key[1] == "slow":
            begun.set()
            gate.wait(PATIENCE)

    queue = readers(fetch)
    slow, event = ("domain", "slow"), Event("domain", "lifecycle", "slow", "slow", (0, 0))
    under_way, due = threading.Event(), threading.Event()
    assert not queue.join(slow, under_way)
    queue.mark(slow, event)
    assert begun.wait(PATIENCE)
    assert queue.join(slow, under_way)
    queue.mark(slow, event)
    assert queue.join(slow, due)
    assert not queue.join(("domain", "other"), threading.Event())
    assert not under_way.is_set()
    begun.clear()
    gate.set()
    assert under_way.wait(PATIENCE)
    assert due.wait(PATIENCE)
    assert begun.is_set()
    wait_until(lambda: not queue.join(slow, threading.Event()))


def test_what_is_defined_is_there_whoever_had_its_name_or_uuid(
    tmp_path: Path, started: Callable[..., Hypervisor]
) -> None:
    node = started(node_file(tmp_path / "node.xml", ["one"]), interval=3600.0)
    xml = "<domain type='test'><name>{}</name><uuid>{}</uuid><memory>{}</memory><os><type>hvm</type></os></domain>"
    known = str(uuid.uuid4())
    for turn in range(1, 20):
        name = f"guest{turn % 3}"
        size = 65536 + 1024 * turn
        assert node.domains.define(xml.format(name, known, size)) == known
        found = node.inventory.domain(name)
        assert found is not None
        assert found.defined is not None
        assert found.defined.memory == size
        # Others take it away, which an event tells in its own time.
        node.ask("undefine", lambda connection: connection.lookupByUUIDString(known).undefine(), PATIENCE)


def test_what_can_wait_is_delayed(readers: Callable[..., Readers], monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    delays: list[float] = []
    begin: list[Callable[[], None]] = []

    def call_later(seconds: float, call: Callable[[], None]) -> None:
        delays.append(seconds)
        begin.append(call)

    monkeypatch.setattr(readers_module, "call_later", call_later)
    queue = readers(lambda _connection, key, _task, _generation: fetched.append(key[1]))
    queue.mark_later([("capacities", "a")], 0.5)
    queue.mark_later([("capacities", "b"), ("capacities", "a")], 0.5)
    queue.mark(("domain", "guest"))
    wait_until(lambda: fetched == ["guest"])
    assert delays == [0.5]
    begin.pop()()
    wait_until(lambda: sorted(fetched[1:]) == ["a", "b"])
    # What was to wait for a connection that is lost is not fetched over the next one.
    queue.mark_later([("capacities", "c")], 0.5)
    queue.pause()
    queue.resume()
    begin.pop()()
    queue.mark(("domain", "another"))
    wait_until(lambda: fetched[3:] == ["another"])


def test_domains_that_are_there_at_first_are_compacted_afterwards(tmp_path: Path) -> None:
    hypervisor = Hypervisor(node_file(tmp_path / "node.xml", ["one", "two"]))

    def plain() -> list[bool]:
        documents = (each.defined_document for each in hypervisor.inventory.domains())
        return [each is not None and each._plain is not None for each in documents]

    hypervisor.put_off()
    hypervisor.start()
    try:
        assert hypervisor.wait_ready(30)
        assert plain() == [True, True]
        hypervisor.catch_up()
        wait_until(lambda: plain() == [False, False])
        hypervisor.domains.define(
            "<domain type='test'><name>three</name><memory>1</memory><os><type>hvm</type></os></domain>"
        )
        assert plain() == [False, False, False]
    finally:
        hypervisor.stop()


def test_a_claimed_object_waits(readers: Callable[..., Readers]) -> None:
    fetched: list[str] = []
    queue = readers(lambda _connection, key, _task, _generation: fetched.append(key[1]))
    assert queue.claim([("domain", "a")], queue.generation) == {("domain", "a")}
    assert queue.claim([("domain", "a")], queue.generation) == set()
    queue.mark(("domain", "a"))
    queue.mark(("domain", "b"))
    wait_until(lambda: fetched == ["b"])
    queue.release(("domain", "a"), queue.generation)
    wait_until(lambda: fetched == ["b", "a"])
    assert queue.claim([("domain", "a")], queue.generation - 1) == set()


def test_a_pause_ends_the_generation(readers: Callable[..., Readers]) -> None:
    connections = FakeConnections()
    queue = readers(lambda *_: None, connections=connections)
    waiter = threading.Event()
    queue.claim([("domain", "a")], queue.generation)
    queue.mark(("domain", "a"), waiter=waiter)
    generation = queue.generation
    queue.pause()
    assert waiter.is_set()
    assert queue.generation > generation
    assert queue.submit("anything", lambda _connection: None).cancelled()
    wait_until(lambda: connections.opened == 0)
    queue.resume()
    assert queue.submit("anything", lambda _connection: 7).result(PATIENCE) == 7


def test_work_on_a_broken_connection_is_done_again(readers: Callable[..., Readers]) -> None:
    attempts: list[Any] = []

    def break_once(connection: Any) -> str:
        attempts.append(connection)
        if len(attempts) == 1:
            connection.alive = 0
            raise libvirt.libvirtError("broken")
        return "done"

    queue = readers(lambda *_: None)
    assert queue.submit("work", break_once).result(PATIENCE) == "done"
    assert attempts[0] is not attempts[1]


def test_directory_watch(tmp_path: Path) -> None:
    (tmp_path / "old.xml").write_text("1")
    watch = DirectoryWatch({tmp_path: "domain", tmp_path / "missing": "network"})
    assert watch.changed() == []
    (tmp_path / "ignored.txt").write_text("1")
    (tmp_path / "new.tmp").write_text("1")
    (tmp_path / "new.tmp").rename(tmp_path / "new.xml")
    assert [change[:2] for change in watch.changed()] == [("domain", "new")]
    (tmp_path / "new.tmp").write_text("22")
    (tmp_path / "new.tmp").rename(tmp_path / "new.xml")
    assert [change[:2] for change in watch.changed()] == [("domain", "new")]
    (tmp_path / "old.xml").unlink()
    assert [change[:2] for change in watch.changed()] == [("domain", "old")]
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing" / "net.xml").symlink_to("nowhere")
    assert [change[:2] for change in watch.changed()] == [("network", "net")]
    assert watch.changed() == []


def is_chain(changes: list[Change]) -> bool:
    """Whether each change of an object begins with the record that the one before it ended with."""
    last: dict[tuple[type, str], object] = {}
    for change in changes:
        record = change.after or change.before
        assert isinstance(record, Record)
        key = type(record), record.key
        if key in last and last[key] is not change.before:
            return False
        last[key] = change.after
    return True


def give_title(change: DomainChange, text: str) -> None:
    assert change.defined is not None
    change.defined.set(change.defined.config, {"title": text})


def test_a_volume_is_gone_when_it_was_deleted(node: Hypervisor) -> None:
    """Whoever deletes one; no event need tell of it."""

    def names() -> list[str]:
        (pool,) = node.inventory.pools()
        return [each.name for each in pool.volumes or ()]

    with node.connections.connection() as connection:
        pool = connection.storagePoolDefineXML(
            "<pool type='dir'><name>p</name><target><path>/p</path></target></pool>", 0
        )
        pool.create(0)
        for name in ("one", "other"):
            pool.createXML(f"<volume><name>{name}</name><capacity>1024</capacity></volume>", 0)
        key = pool.UUIDString()
    node.storage.refresh_pool(key)
    assert names() == ["one", "other"]
    node.storage.delete_volume(key, "one")
    assert names() == ["other"]


def test_the_changes_of_an_object_follow_each_other(node: Hypervisor) -> None:
    """State, definition, sizes of disks, volumes and the connection are written by different threads."""
    changes: list[Change] = []
    node.inventory.listeners.append(changes.append)
    with node.connections.connection() as connection:
        pool = connection.storagePoolDefineXML(
            "<pool type='dir'><name>p</name><target><path>/p</path></target></pool>", 0
        )
        pool.create(0)

        def store() -> None:
            for number in range(30):
                pool.createXML(f"<volume><name>v{number}</name><capacity>1024</capacity></volume>", 0)
                node.inventory.refresh_parts("volumes", pool.UUIDString())
                node.inventory.refresh(pool.UUIDString(), kind="pool")

        def live(name: str) -> None:
            for _ in range(30):
                node.domains.suspend(name)
                node.domains.resume(name)

        def change(name: str) -> None:
            for number in range(30):
                node.domains.change(name, partial(give_title, text=f"title {number}"))

        threads = [threading.Thread(target=store)]
        threads += [threading.Thread(target=work, args=(name,)) for work in (live, change) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert node.inventory.wait_for(
            lambda now: [len(pool.volumes or ()) for pool in now.pools()[:1]] == [30], PATIENCE
        )
    changes = [change for change in changes if isinstance(change.after or change.before, Record)]
    assert len(changes) > 100
    assert is_chain(changes)
    revisions = [change.after.revision for change in changes if isinstance(change.after, Record)]
    assert revisions == sorted(revisions)
    assert not is_chain([changes[0], *reversed(changes)])


SNAPSHOTS = PartKind(
    name="snapshots",
    record=Part,
    parse=str.upper,
    exists=lambda record: isinstance(record, Domain) and record.has_snapshots,
    handles=lambda connection, key: connection.lookupByUUIDString(key).listAllSnapshots(),
    identify=lambda snapshot: (snapshot.getName(), snapshot.getName()),
    text=lambda snapshot: snapshot.getXMLDesc(0),
    interval=lambda settings: settings.volume_interval,
)


def test_another_kind_of_parts_is_one_declaration(
    tmp_path: Path, started: Callable[..., Hypervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DOMAIN, "parts", (SNAPSHOTS,))
    node = started(node_file(tmp_path / "node.xml", ["one"]), interval=2.0)
    inventory = node.inventory

    def names() -> list[str] | None:
        record = inventory.domain("one")
        assert record is not None
        parts = record.parts.get("snapshots")
        return None if parts is None else [part.name for part in parts]

    assert inventory.wait_for(lambda _now: names() == [], PATIENCE)
    changes: list[Change] = []
    inventory.listeners.append(changes.append)
    with node.domains.handle("one") as target:
        target.snapshotCreateXML("<domainsnapshot><name>b</name></domainsnapshot>", 0)
        target.snapshotCreateXML("<domainsnapshot><name>a</name></domainsnapshot>", 0)
        assert inventory.wait_for(lambda _now: names() == ["a", "b"], PATIENCE)
        one = inventory.domain("one")
        assert one is not None
        assert "<NAME>a</NAME>".upper() in str(one.parts["snapshots"][0].config)
        target.snapshotLookupByName("a").delete(0)
        inventory.refresh_parts("snapshots", one.uuid)
        assert names() == ["b"]
    seen = [(old and old.name, new and new.name) for change in changes for old, new in change.parts("snapshots")]
    assert sorted(map(str, seen)) == sorted(map(str, [(None, "a"), (None, "b"), ("a", None)]))
    node.domains.remove(one.uuid)
    assert inventory.wait_for(lambda now: now.domain("one") is None, PATIENCE)
    assert not any(key[1] == one.uuid for key in inventory._parts_read)


def test_only_who_comes_or_goes_changes_what_there_is_to_go_round(node: Hypervisor) -> None:
    inventory = node.inventory
    before, networks = (inventory.membership_revision_of(kind) for kind in ("domain", "network"))
    node.domains.suspend("one")
    assert inventory.wait_for(state_is("one", DomainState.PAUSED), PATIENCE)
    assert inventory.membership_revision_of("domain") == before
    node.domains.destroy("two")
    with translated():
        node.connections.open().lookupByName("two").undefine()
    assert inventory.wait_for(lambda now: now.domain("two") is None, PATIENCE)
    assert inventory.membership_revision_of("domain") > before
    assert inventory.membership_revision_of("network") == networks


def test_it_is_known_which_domains_changed_last(node: Hypervisor) -> None:
    inventory = node.inventory
    revision = inventory.revision
    assert inventory.domains_changed_since(revision) == set()
    node.domains.suspend("one")
    assert inventory.wait_for(state_is("one", DomainState.PAUSED), PATIENCE)
    assert inventory.domains_changed_since(revision) == {"one"}
    node.domains.destroy("two")
    assert inventory.wait_for(state_is("two", DomainState.SHUTOFF), PATIENCE)
    revision = inventory.revision
    with translated():
        node.connections.open().lookupByName("two").rename("four")
    assert inventory.wait_for(lambda now: now.domain("four") is not None, PATIENCE)
    assert inventory.domains_changed_since(revision) == {"two", "four"}
    assert inventory.domains_changed_since(0) == {"one", "two", "three", "four"}


def test_who_arrives_has_changed_when_it_is_shown(started: Callable[..., Hypervisor], tmp_path: Path) -> None:
    source, target = (started(node_file(tmp_path / f"{place}.xml", [place])) for place in ("old", "new"))
    uuid = "00000000-0000-4000-8000-000000000001"
    keys = f"<name>mover</name><uuid>{uuid}</uuid>"
    xml = f"<domain type='test'>{keys}<memory>1024</memory><os><type>hvm</type></os></domain>"
    target.inventory.withhold(uuid)
    with target.connections.connection() as there:
        there.defineXML(xml)
    target.inventory.refresh(uuid)
    target.domains.suspend("new")
    assert target.inventory.wait_for(state_is("new", DomainState.PAUSED), PATIENCE)
    revision = target.inventory.revision
    source.inventory.hand_over(uuid, target.inventory)
    assert target.inventory.domain("mover") is not None
    assert target.inventory.domains_changed_since(revision) == {"mover"}


def test_what_changed_long_ago_is_not_known() -> None:
    journal = Journal()
    for revision in range(1, LENGTH + 3):
        journal.note(revision, f"guest {revision}")
    assert journal.since(1) is None
    assert journal.since(2) == {f"guest {revision}" for revision in range(3, LENGTH + 3)}
    assert journal.since(LENGTH + 2) == set()

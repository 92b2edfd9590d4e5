"""The threads that many share: as many as are wanted, and whoever hangs keeps one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import libvirt
import pytest

from tests.libhelper.test_inventory import wait_until
from virtcim.libhelper.hypervisor import Hypervisor, longest_pause
from virtcim.libhelper.inventory.inventory import Inventory
from virtcim.libhelper.inventory.reconcile import Reconciler
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.libhelper.threads import Threads

PATIENCE = 60.0


class Crowd:
    """Work that goes on until it is let go, and who does it."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.begun: list[str] = []

    def work(self, name: str) -> None:
        self.begun.append(name)
        self.let_go.wait(PATIENCE)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    made = Crowd()
    yield made
    made.let_go.set()


def put(threads: Threads, crowd: Crowd, *names: str) -> list[Future[None]]:
    """Have work done for each of these owners."""
    return [threads.submit(name, partial(crowd.work, name)) for name in names]


def test_no_more_work_at_a_time_than_they_are(crowd: Crowd) -> None:
    threads = Threads(3, 3)
    done = put(threads, crowd, *"abcde")
    wait_until(lambda: len(crowd.begun) == 3)
    threads.relieve(0.0)
    assert threads.is_contended
    assert crowd.begun == ["a", "b", "c"]
    crowd.let_go.set()
    for each in done:
        each.result(PATIENCE)
    assert crowd.begun[3:] == ["d", "e"]


def test_who_hangs_is_made_good_up_to_the_most(crowd: Crowd) -> None:
    threads = Threads(2, 5)
    put(threads, crowd, *"abcdefgh")

    def all_are_in_place() -> bool:
        threads.relieve(0.0)
        return len(crowd.begun) == 5

    wait_until(all_are_in_place)
    threads.relieve(0.0)
    assert len(crowd.begun) == 5


def test_in_a_crowd_each_owner_has_one(crowd: Crowd) -> None:
    threads = Threads(4, 4, crowd=2)
    put(threads, crowd, "hangs", "hangs")
    wait_until(lambda: crowd.begun == ["hangs", "hangs"])
    put(threads, crowd, "hangs", "hangs")
    answered = threads.submit("answers", lambda: "yes")
    assert answered.result(PATIENCE) == "yes"
    assert crowd.begun == ["hangs", "hangs"]


def test_who_hangs_keeps_a_few_until_it_answers(crowd: Crowd) -> None:
    threads = Threads(16, 32, crowd=16)
    done = put(threads, crowd, *["hangs"] * 6)
    wait_until(lambda: len(crowd.begun) == 6)
    assert not threads.hangs("hangs")
    threads.relieve(0.0)
    assert threads.hangs("hangs")
    waiting = threads.submit("hangs", lambda: "at last")
    assert threads.submit("answers", lambda: "yes").result(PATIENCE) == "yes"
    assert not waiting.done()
    crowd.let_go.set()
    for each in done:
        each.result(PATIENCE)
    assert waiting.result(PATIENCE) == "at last"
    assert not threads.hangs("hangs")


def test_who_hangs_keeps_one_where_many_do(crowd: Crowd) -> None:
    threads = Threads(8, 8, crowd=8)
    put(threads, crowd, "a", "b")
    wait_until(lambda: len(crowd.begun) == 2)
    threads.relieve(0.0)
    assert threads.hangs("a")
    assert threads.hangs("b")
    assert not threads.hangs("c")


def test_who_has_more_time_hangs_later(crowd: Crowd) -> None:
    threads = Threads(4, 4, crowd=4)
    threads.relieve(3600.0, "slow")
    put(threads, crowd, "slow", "hangs")
    wait_until(lambda: len(crowd.begun) == 2)
    threads.relieve(0.0, "hangs")
    assert threads.hangs("hangs")
    assert not threads.hangs("slow")
    threads.leave("slow")
    threads.relieve(0.0, "hangs")
    assert threads.hangs("slow")


def test_a_host_that_needs_long_gets_more_time_with_each_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = libvirt.virConnect.listAllDomains

    def slow(self: libvirt.virConnect, flags: int = 0) -> list[libvirt.virDomain]:
        time.sleep(0.15)  # several times for a first list
        return listed(self, flags)

    monkeypatch.setattr(libvirt.virConnect, "listAllDomains", slow)
    threads = Threads(2, 4, crowd=2)
    hypervisor = Hypervisor("test:///default", HypervisorSettings(call_budget=0.3), threads)
    hypervisor.start()
    try:
        wait_until(lambda: hypervisor.connected)
    finally:
        hypervisor.stop()
        threads.stop(PATIENCE)


def test_a_node_that_takes_long_to_make_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened, let_go = [], threading.Event()
    really_open = libvirt.openAuth

    def slow(uri: str, *how: object) -> libvirt.virConnect:
        opened.append(uri)
        let_go.wait(PATIENCE)
        return really_open(uri, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(libvirt, "openAuth", slow)
    file = tmp_path / "node.xml"
    file.write_text("<node/>")
    hypervisor = Hypervisor(f"test://{file}", HypervisorSettings(open_timeout=0.1))
    attempts: list[str] = []
    hypervisor.unreached = lambda: attempts.append(hypervisor.trouble)
    hypervisor.start()
    try:
        wait_until(lambda: len(attempts) >= 2)
        let_go.set()
        wait_until(lambda: hypervisor.connected)
        assert len(opened) == 1
        assert "no answer within" in attempts[0]
    finally:
        hypervisor.stop()


@pytest.mark.parametrize(("down", "seconds"), [(None, 0.5), (1, 2.5), (100, 2.5), (1000, 25.0)])
def test_however_many_are_down_attempts_are_few(down: int | None, seconds: float) -> None:
    assert longest_pause(down, is_here=True) == seconds


def test_who_is_down_is_known_until_it_is_up_or_leaves(tmp_path: Path) -> None:
    threads = Threads(4, 8, 2)
    files = [tmp_path / f"{name}.xml" for name in ("there", "late", "never")]
    files[0].write_text("<node/>")
    hypervisors = [Hypervisor(f"test://{file}", HypervisorSettings(), threads) for file in files]
    for each in hypervisors:
        each.start()
    try:
        wait_until(lambda: hypervisors[0].connected and threads.down == 2)
        files[1].write_text("<node/>")
        wait_until(lambda: hypervisors[1].connected and threads.down == 1)
        hypervisors[2].end()
        hypervisors[2].join(PATIENCE)
        assert threads.down == 0
    finally:
        for each in hypervisors:
            each.stop()
        threads.stop(PATIENCE)


def test_who_has_threads_of_his_own_never_hangs(crowd: Crowd) -> None:
    threads = Threads(8, 8)
    put(threads, crowd, *["a"] * 8)
    wait_until(lambda: len(crowd.begun) == 8)
    threads.relieve(0.0)
    assert not threads.hangs("a")


def test_they_end(crowd: Crowd) -> None:
    threads = Threads(2, 4)
    (hanging,) = put(threads, crowd, "hangs")
    wait_until(lambda: bool(crowd.begun))
    waiting = threads.submit("b", lambda: 1)
    threads.stop(0.05)
    assert waiting.result(PATIENCE) == 1
    assert threads.submit("c", lambda: 1).cancelled()
    crowd.let_go.set()
    hanging.result(PATIENCE)
    threads.stop(PATIENCE)


def test_what_fails_is_told_and_harms_nobody() -> None:
    threads = Threads(1, 1)
    failing = threads.submit("a", lambda: 1 // 0)
    assert isinstance(failing.exception(PATIENCE), ZeroDivisionError)
    assert threads.submit("a", lambda: 2).result(PATIENCE) == 2
    threads.stop(PATIENCE)


class Notes:
    """Notes what readers are asked for, and does nothing of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def submit(self, what: str, _run: object) -> Future[None]:
        self.asked.append(what)
        done: Future[None] = Future()
        done.set_result(None)
        return done


@pytest.mark.parametrize(("users", "rounds"), [(1, 10), (2, 9), (50, 3), (200, 1)])
def test_where_many_share_the_threads_each_is_compared_less_hastily(users: int, rounds: int) -> None:
    settings = HypervisorSettings(watch_directories={})
    notes = Notes()
    inventory = Inventory("test:///default", settings)
    reconciler = Reconciler(inventory, notes, settings, "test:///default", lambda: users)  # type: ignore[arg-type]
    for tick in range(1, 81):
        reconciler.turn(1000 + tick / 4)
    assert notes.asked.count("list of domains") == rounds

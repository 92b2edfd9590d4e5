"""The threads that many share: as many as are wanted, and whoever hangs keeps one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial

import pytest

from tests.libhelper.test_inventory import wait_until
from virtcim.libhelper.threads import Threads

PATIENCE = 20.0


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

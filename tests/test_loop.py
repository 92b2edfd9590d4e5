"""The event loop: the watch that a server keeps over it, and the guard that tests put beside it."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import libvirt
import pytest

from tests.bed import Server, loopguard
from virtcim.app.loopwatch import DAY, LoopSettings, LoopWatch, ShortCollections, current_frame, freeze_loaded, stack_of
from virtcim.providers.interface import Association, Instance


def pause(seconds: float) -> None:
    """Hold up the loop, in a function that its stack shows."""
    time.sleep(seconds)


def watched(work: Callable[[], Any], longest_pause: float = 0.2) -> LoopWatch:
    """Run `work` in a loop that is watched."""

    async def story() -> LoopWatch:
        watch = LoopWatch(asyncio.get_running_loop(), longest_pause)
        watch.start()
        await asyncio.sleep(0.3)
        work()
        await asyncio.sleep(0.5)
        watch.stop()
        return watch

    return asyncio.run(story())


def test_a_thread_that_goes_on_while_it_is_looked_at_has_no_stack() -> None:
    """Python 3.11 then gives for a caller whatever is there."""
    gone_on: Any = SimpleNamespace(f_lineno=1, f_code=stack_of.__code__, f_globals={}, f_lasti=0, f_back=stack_of)
    assert stack_of(gone_on) == "(its thread has gone on)"
    assert "in test_a_thread_that_goes_on" in stack_of(sys._getframe())


def test_a_pause_is_measured_and_reported_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    watch = watched(lambda: pause(1.5))
    assert watch.longest > 1.0
    (message,) = [each.getMessage() for each in caplog.records if "has not answered" in each.getMessage()]
    assert "in pause" in message
    assert "time.sleep(seconds)" in message
    assert "answers again after" in caplog.text


def test_a_loop_that_is_slow_all_the_time_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        watch = LoopWatch(asyncio.get_running_loop(), 0.05)
        watch.start()
        for _ in range(8):
            pause(0.3)
            await asyncio.sleep(0)
        watch.stop()

    asyncio.run(story())
    assert caplog.text.count("has not answered") == 1


def test_the_watch_ends_with_its_loop() -> None:
    watched(lambda: None)
    deadline = time.monotonic() + 20
    while any(each.name == "loop-watch" for each in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_settings_that_make_no_sense_are_refused() -> None:
    values: list[dict[str, Any]] = [{"switch_interval": 0.0}, {"switch_interval": 2.0}, {"longest_pause": 0.0}]
    for wrong in values:
        with pytest.raises(ValueError, match="expected"):
            LoopSettings(**wrong)


class Thing(Instance):
    """Provider code that should not be in the loop."""

    def keys(self) -> dict[str, Any]:
        return {}

    def properties(self) -> dict[str, Any]:
        return {}


class Link(Association):
    """An association whose end is found by a generator."""

    def to_right(self, left: Any, context: Any) -> Iterator[Instance]:
        yield Thing()

    def to_left(self, right: Any, context: Any) -> Iterator[Instance]:
        return iter(())

    def sources(self, class_name: str, context: Any) -> Iterator[Instance]:
        return iter(())

    def class_name(self, left: Any, right: Any) -> str:
        return ""


def compute() -> None:
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass


@pytest.fixture(scope="module")
def heap() -> list[list[int]]:
    """What a collection of garbage has to go through."""
    return [[number] for number in range(200_000)]


def collect() -> None:
    """Collections of garbage that take longer than a callback may."""
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        gc.collect()


def query_sqlite(path: Path) -> None:
    sqlite3.connect(path).close()


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (compute, "of processor time"),
        (lambda: Thing().properties(), "Thing.properties in the event loop"),
        (lambda: list(Link().to_right(None, None)), "Link.to_right in the event loop"),
        (lambda: libvirt.open("test:///default").listAllDomains(), "libvirt's virConnectListAllDomains"),
        (lambda: query_sqlite(Path(":memory:")), "sqlite3.connect"),
        (lambda: Path("/etc/hostname").read_bytes(), "opening /etc/hostname"),
        (lambda: Link().to_right(None, None), None),  # nothing runs before somebody asks for the first
        (lambda: time.sleep(0.2), None),  # other processes may take the processor as long
        (collect, None),
    ],
)
def test_the_guard_finds_what_does_not_belong_into_the_loop(
    work: Callable[[], Any], expected: str | None, heap: list[list[int]]
) -> None:
    loop = asyncio.new_event_loop()
    loopguard.watch(loop)
    loopguard._guard_class(Thing, ("keys", "properties"))
    loopguard._guard_class(Link, ("to_right",))
    work()  # outside of a loop it is nobody's business

    async def story() -> None:
        work()

    loop.run_until_complete(story())
    found = loopguard.violations(loop)
    loop.close()
    if expected is None:
        assert not found
    else:
        assert expected in "\n".join(found)


def test_no_collection_begins_while_a_thread_is_looked_at() -> None:
    """A callback of the collector would let threads run that end, and they would wait for each other for ever."""
    inside: list[str | None] = []
    looking = current_frame.__code__

    def note(_phase: str, _info: dict[str, int]) -> None:
        caller = sys._getframe(1)
        inside.append("looking" if caller.f_code is looking else None)

    usual = gc.get_threshold()
    gc.callbacks.append(note)
    gc.set_threshold(1)
    try:
        for _ in range(50):
            assert current_frame(threading.get_ident()) is not None
    finally:
        gc.set_threshold(*usual)
        gc.callbacks.remove(note)
    assert inside
    assert "looking" not in inside
    assert gc.isenabled()


class Circle:
    """Garbage that only a collection finds, once nobody else refers to it."""

    def __init__(self) -> None:
        self.itself = self


def test_a_full_collection_does_not_walk_again_what_took_long() -> None:
    collections = ShortCollections(long=0.0)
    collections.start()
    try:
        gc.collect()
        frozen = gc.get_freeze_count()
        held = [[number] for number in range(100_000)]
        gc.collect()
        assert gc.get_freeze_count() >= frozen + 100_000
        assert len(gc.get_objects()) < 100_000
        del held[:]  # what nobody refers to any more goes all the same
        assert gc.get_freeze_count() < frozen + 50_000
        collections.long = 1000.0
        frozen = gc.get_freeze_count()
        gc.collect()
        assert gc.get_freeze_count() <= frozen
    finally:
        collections.stop()
        gc.unfreeze()


def test_full_collections_have_little_to_walk() -> None:
    """By Python's own thresholds one walks 85,000 new objects, and all others wait for it."""
    walked: list[int] = []

    def look(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            walked.append(len(gc.get_objects()))

    collections = ShortCollections(long=0.0)
    gc.freeze()
    gc.collect()  # the next full one comes when there is a quarter more than this one has left
    gc.callbacks.append(look)
    collections.start()
    try:
        held = [[number] for number in range(200_000)]
        assert walked
        assert max(walked) < 30_000
        assert len(held) == 200_000
    finally:
        collections.stop()
        gc.callbacks.remove(look)
        gc.unfreeze()


def test_once_a_day_a_collection_walks_everything() -> None:
    collections = ShortCollections(long=0.0)
    collections.start()
    try:
        circle = weakref.ref(Circle())
        gc.freeze()
        gc.collect()
        assert circle() is not None
        collections.thawed -= DAY
        gc.collect()
        assert circle() is None
    finally:
        collections.stop()
        gc.unfreeze()


def test_what_is_loaded_is_frozen_without_being_walked() -> None:
    """As long as nothing is collected everything is young: to walk it would take longer than the rest of a start."""
    collected: list[int] = []

    def note(_phase: str, info: dict[str, int]) -> None:
        collected.append(info["generation"])

    gc.disable()
    gc.callbacks.append(note)
    try:
        freeze_loaded()
        assert not collected
        gc.enable()
        freeze_loaded()
        assert collected
        assert gc.get_freeze_count() > 1000
    finally:
        gc.callbacks.remove(note)
        gc.enable()
        gc.unfreeze()


def test_garbage_is_collected_once_everything_is_loaded() -> None:
    """While it is loaded, none is: that a server goes on so would be seen after days."""
    server = Server("test:///default", guarded=False)
    say = "import atexit, gc, sys; atexit.register(lambda: print('collects:', gc.isenabled(), file=sys.stderr)); "
    server.command[2] = say + server.command[2]
    server.start()
    try:
        server.stop()
        assert "collects: True" in server.errors
    finally:
        server.close()

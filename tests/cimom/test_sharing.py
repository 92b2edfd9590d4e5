"""How what is limited is shared: threads, memory, connections; and how answers take turns in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from virtcim import starter
from virtcim.app.inthread import in_thread
from virtcim.frontends.http.admission import AnswerSizes, Memory, OverloadError, connections_to_close
from virtcim.frontends.http.sending import CHUNK, COUNTED, Outgoing
from virtcim.frontends.http.workers import PoolFullError, WorkerPool

MIB = 1 << 20
ANN = ("user", "ann"), ("address", "10.0.0.1")
BOB = ("user", "bob"), ("address", "10.0.0.2")


def test_one_user_cannot_take_all_the_memory() -> None:
    memory = Memory(100 * MIB, 0.5)
    with memory.request(ANN) as first, memory.request(ANN) as second, memory.request(BOB) as other:
        first(40 * MIB)
        with pytest.raises(OverloadError):
            second(20 * MIB)
        second(1000)  # what is small still goes
        other(40 * MIB)
        assert memory.taken == 80 * MIB + 1000
    assert memory.taken == 0
    assert not memory._held


def test_an_address_has_a_share_too() -> None:
    memory = Memory(100 * MIB, 0.5)
    with memory.request(ANN) as first, memory.request((("user", "eve"), ANN[1])) as second:
        first(40 * MIB)
        with pytest.raises(OverloadError):
            second(20 * MIB)


def test_a_single_request_gets_what_it_needs() -> None:
    memory = Memory(100 * MIB, 0.5)
    with memory.request(ANN) as take:
        take(MIB)
        take(300 * MIB)
        with memory.request(BOB) as other, pytest.raises(OverloadError):
            other(MIB)


def test_a_large_answer_goes_where_others_have_little() -> None:
    """Each request that waits has a body, and so nobody is ever alone among many."""
    memory = Memory(100 * MIB, 0.5)
    with memory.request(ANN) as large, memory.request(ANN) as small, memory.request(BOB) as other:
        small(1000)
        other(1000)
        large(300 * MIB)


def test_who_waits_for_room_gets_it_in_turn() -> None:
    async def story() -> None:
        memory, got = Memory(100 * MIB, 0.5), []

        async def ask(name: str, holders: tuple[tuple[str, str], ...], size: int) -> None:
            with memory.request(holders) as claim:
                await claim.reserve(size, 30)
                got.append(name)
                await asyncio.sleep(0.001)

        with memory.request(ANN) as first:
            first(45 * MIB)
            large = asyncio.create_task(ask("ann's large one", ANN, 20 * MIB))
            await asyncio.sleep(0)
            fits = asyncio.create_task(ask("ann's that would fit", ANN, MIB))
            await asyncio.sleep(0)
            await ask("bob's", BOB, 20 * MIB)
            assert got == ["bob's"]
        await asyncio.gather(large, fits)
        assert got == ["bob's", "ann's large one", "ann's that would fit"]
        assert memory.taken == 0
        assert not memory._waiting

    asyncio.run(story())


def test_who_gives_up_waiting_lets_others_go_on() -> None:
    async def story() -> None:
        memory = Memory(100 * MIB, 0.5)
        with memory.request(ANN) as first, memory.request(ANN) as second, memory.request(ANN) as third:
            first(45 * MIB)
            waiting = asyncio.create_task(second.reserve(20 * MIB, 30))
            await asyncio.sleep(0)
            behind = asyncio.create_task(third.reserve(MIB, 30))
            await asyncio.sleep(0)
            assert not behind.done()
            waiting.cancel()
            await behind
            with pytest.raises(OverloadError):
                await second.reserve(20 * MIB, 0.01)
        assert memory.taken == 0
        assert not memory._waiting

    asyncio.run(story())


def test_one_finds_out_how_large_an_answer_is() -> None:
    async def story() -> None:
        sizes = AnswerSizes(limit=2)
        assert await sizes.expected("a") is None
        others = [asyncio.create_task(sizes.expected("a")) for _ in range(2)]
        await asyncio.sleep(0)
        sizes.give_up("a")  # it failed: the next one finds out
        done, _ = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        assert [await each for each in done] == [None]
        sizes.note("a", 5)
        assert sorted([await each or 0 for each in others]) == [0, 5]
        assert await sizes.expected("a") == 5
        for name in "bc":
            sizes.note(name, 1)
        assert await sizes.expected("a") is None  # forgotten
        assert list(sizes._first) == ["a"]

    asyncio.run(story())


class Gate:
    """Work that waits until it may go on."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun: list[str] = []

    def work(self, name: str) -> Callable[[], str]:
        def wait() -> str:
            self.begun.append(name)
            assert self.open.wait(60)
            return name

        return wait


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def test_the_last_thread_is_not_for_one_who_has_all_others() -> None:
    async def story() -> None:
        gate, pool = Gate(), WorkerPool(3, "test")
        ann = [asyncio.create_task(pool.run(gate.work(f"ann{number}"), "ann")) for number in range(5)]
        await until(lambda: len(gate.begun) == 2)
        bob = asyncio.create_task(pool.run(gate.work("bob"), "bob"))
        await until(lambda: "bob" in gate.begun)
        assert len(gate.begun) == 3
        gate.open.set()
        assert await asyncio.gather(*ann) == [f"ann{number}" for number in range(5)]
        assert await bob == "bob"
        await until(lambda: len(pool) == 0)
        pool.close()

    asyncio.run(story())


def test_holders_take_turns() -> None:
    async def story() -> None:
        gate, pool = Gate(), WorkerPool(1, "test")
        first = asyncio.create_task(pool.run(gate.work("first"), "ann"))
        await until(lambda: gate.begun == ["first"])
        names = [("ann", number) for number in range(20)] + [("bob", 0), ("eve", 0)]
        rest = [asyncio.create_task(pool.run(gate.work(f"{name}{number}"), name)) for name, number in names]
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(first, *rest)
        assert {"bob0", "eve0"} <= set(gate.begun[1:5])
        pool.close()

    asyncio.run(story())


def test_who_has_most_makes_room() -> None:
    async def story() -> None:
        gate, pool = Gate(), WorkerPool(1, "test", max_waiting=4)
        ann = [asyncio.create_task(pool.run(gate.work(f"ann{number}"), "ann")) for number in range(4)]
        await until(lambda: len(gate.begun) == 1)
        with pytest.raises(PoolFullError):
            await pool.run(gate.work("ann4"), "ann")
        bob = asyncio.create_task(pool.run(gate.work("bob"), "bob"))
        with pytest.raises(PoolFullError):
            await ann[3]
        gate.open.set()
        assert await asyncio.gather(*ann[:3], bob) == ["ann0", "ann1", "ann2", "bob"]
        pool.close()

    asyncio.run(story())


def test_all_threads_are_used_and_results_and_errors_come_back() -> None:
    async def story() -> None:
        pool = WorkerPool(8, "test")
        barrier = threading.Barrier(8)
        await asyncio.gather(*(pool.run(lambda: barrier.wait(60), each) for each in range(8)))

        def fail() -> None:
            raise KeyError("x")

        for _ in range(200):
            results: list[Any] = await asyncio.gather(
                *(pool.run(fail if number % 3 == 0 else lambda: 1) for number in range(16)), return_exceptions=True
            )
            assert [isinstance(each, KeyError) for each in results] == [number % 3 == 0 for number in range(16)]
        await until(lambda: len(pool) == 0)
        pool.close()

    asyncio.run(story())


def test_work_that_nobody_waits_for_any_more_is_left_out() -> None:
    async def story() -> None:
        gate, pool = Gate(), WorkerPool(1, "test")
        first = asyncio.create_task(pool.run(gate.work("first")))
        await until(lambda: gate.begun == ["first"])
        second = asyncio.create_task(pool.run(gate.work("second")))
        await asyncio.sleep(0)
        second.cancel()
        gate.open.set()
        await first
        await until(lambda: len(pool) == 0)
        assert gate.begun == ["first"]
        pool.close()

    asyncio.run(story())


def test_an_event_loop_does_not_wait_for_a_thread_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many threads compute, a new one comes late to its turn."""
    may_run = threading.Event()

    class Slow(threading.Thread):
        def start(self) -> None:
            assert may_run.wait(10)
            super().start()

    async def story() -> None:
        pool = WorkerPool(2, "test")
        waiting = [asyncio.ensure_future(pool.run(lambda: "done")), in_thread(lambda: "done")]
        await asyncio.sleep(0.05)  # the loop goes round
        assert not any(each.done() for each in waiting)
        may_run.set()
        assert await asyncio.gather(*waiting) == ["done", "done"]
        pool.close()

    starter._starter()
    monkeypatch.setattr(threading, "Thread", Slow)
    asyncio.run(story())


def test_a_thread_that_the_system_refuses_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "AGAIN", 0.01)
    refusals = [3]

    class Refused(threading.Thread):
        def start(self) -> None:
            refusals[0] -= 1
            if refusals[0] >= 0:
                raise RuntimeError("can't start new thread")
            super().start()

    async def story() -> None:
        pool = WorkerPool(1, "test")
        assert await pool.run(lambda: "done") == "done"
        await until(lambda: len(pool) == 0)
        pool.close()

    starter._starter()
    monkeypatch.setattr(threading, "Thread", Refused)
    asyncio.run(story())
    assert refusals == [-1]


@dataclass(eq=False)
class Connected:
    address: str
    used: float
    is_known: bool = False
    is_idle: bool = True


NEWCOMER = Connected("10.9.9.9", 1000.0)


def test_idle_strangers_of_the_address_with_most_go_first() -> None:
    crowd = [Connected("10.6.6.6", number) for number in range(94)]
    known = [Connected("10.0.0.1", number, is_known=True) for number in range(3)]
    others = [Connected("10.0.0.2", 0.0), Connected("10.0.0.3", 0.0)]
    everybody = [*known, *others, *crowd]
    assert connections_to_close(everybody, NEWCOMER, 100, 0.5) == []
    assert connections_to_close(everybody, NEWCOMER, 99, 0.5) == crowd[:5]  # one that must, and 4 in advance
    # Nobody who has logged in is closed in advance.
    assert connections_to_close(known, NEWCOMER, 3, 0.5) == known[:1]


def test_where_none_is_idle_an_address_gives_up_what_is_over_its_share() -> None:
    crowd = [Connected("10.6.6.6", number, is_idle=False) for number in range(7)]
    others = [Connected("10.0.0.1", 0.0, is_idle=False), Connected("10.0.0.2", 0.0, is_idle=False)]
    assert connections_to_close([*others, *crowd], NEWCOMER, 9, 0.5) == crowd[:1]
    assert connections_to_close([*others, *crowd], NEWCOMER, 9, 1.0) == [NEWCOMER]
    again = Connected("10.6.6.6", 1000.0)
    assert connections_to_close([*others, *crowd], again, 9, 0.5) == [again]


class _Watched(list[bytes]):
    """Pieces that take down how many of them were handed out at once."""

    most = 0

    def __iter__(self) -> Iterator[bytes]:
        self.most = max(self.most, len(self))
        return super().__iter__()

    def __getitem__(self, which: Any) -> Any:
        found = super().__getitem__(which)
        self.most = max(self.most, len(found))
        return found


def test_what_waits_to_be_sent_is_not_walked_by_collections() -> None:
    """There may be a million pieces, and a full collection holds up everybody."""
    outgoing = Outgoing([b"%d" % number for number in range(3 * COUNTED)])
    gc.collect()
    (chunks,) = (each for each in gc.get_referents(outgoing) if isinstance(each, deque))
    reached = gc.get_referents(chunks)
    assert sum(map(len, reached)) >= 3 * COUNTED
    assert not any(map(gc.is_tracked, reached))


def test_sizes_of_many_pieces_are_added_up_in_turns() -> None:
    """In one go they would hold the interpreter's lock for tens of milliseconds."""
    pieces = _Watched([b"%d" % number for number in range(2 * COUNTED + 5)] + [b""])
    outgoing = Outgoing(pieces)
    assert pieces.most == COUNTED
    assert outgoing.size == sum(map(len, list(pieces)))
    assert b"".join(outgoing.take()) == b"".join(list(pieces))
    assert not outgoing
    assert Outgoing([b"", b""]).size == 0


@pytest.mark.parametrize(
    "sizes",
    [[], [0], [5], [CHUNK], [CHUNK + 1], [10] * 100_000, [CHUNK // 2 + 1] * 5, [3 * CHUNK + 7, 1, 1, CHUNK, 0, 9]],
)
def test_chunks_are_bounded_and_whole(sizes: list[int]) -> None:
    pieces = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    outgoing = Outgoing(pieces)
    assert outgoing.size == sum(sizes)
    assert bool(outgoing) == (outgoing.size > 0)
    chunks = [bytes(each) for each in outgoing.take()]
    assert b"".join(chunks) == b"".join(pieces)
    assert not outgoing
    assert all(0 < len(each) <= CHUNK for each in chunks)


class Tree:
    """Something large."""


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing is collected: what is freed goes with its last reference."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
def test_what_failed_keeps_nothing() -> None:
    """Neither the error nor the functions that it came through hold what these worked at."""
    trees: list[weakref.ref[Tree]] = []

    def read(given: Tree) -> None:
        tree = Tree()
        trees.extend((weakref.ref(given), weakref.ref(tree)))
        try:
            raise KeyError("cannot be read")
        except KeyError as error:
            fault = ValueError("is refused")
            raise fault from error

    async def story() -> None:
        pool = WorkerPool(1, "test")
        for _ in range(3):
            with contextlib.suppress(ValueError):
                await pool.run(partial(read, Tree()))
        await pool.run(lambda: None)  # the thread has let go of what was before
        pool.close()

    asyncio.run(story())
    assert [each() for each in trees] == [None] * 6

"""Streams of events: what the loop that sends them may wait for, and what a client gets while others put and drop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from virtcim.cimom.indications.filters import FilterCompiler
from virtcim.cimom.indications.journal import Body
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.indications.streams import EventStream, EventStreams
from virtcim.cimom.principals import NOBODY
from virtcim.frontends.rest.events import WOKEN, Events, News, Turns
from virtcim.schema.classes import ClassStore

NAMESPACE = "root/virt"
SIZE = 1000
KEPT = 5
BODY = Body("CIM_AlertIndication", {}, SIZE)
PATIENCE = 60
OPENED = 20


@pytest.fixture
def streams(schema_classes: ClassStore) -> EventStreams:
    """Streams for which a few events are kept."""
    compiler = FilterCompiler(schema_classes, {}, {}, [NAMESPACE])
    return EventStreams(compiler, IndicationSettings(stream_bytes=KEPT * SIZE))


def open_stream(streams: EventStreams) -> EventStream:
    """Open a stream that selects nothing by itself: the tests say what it is told."""
    return streams.open([], [], NOBODY)


@contextmanager
def locked(streams: EventStreams) -> Iterator[Callable[[], bool]]:
    """Have another thread hold the lock; gives whether it still does."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with streams._lock:
            held.set()
            over.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(PATIENCE)
        yield holder.is_alive
    finally:
        over.set()
        holder.join()


class Collecting:
    """A client that takes everything at once."""

    def __init__(self) -> None:
        self.taken = b""

    async def send(self, data: bytes) -> None:
        self.taken += data

    async def receive(self) -> bytes | None:
        return None

    async def refuse(self, reason: str) -> None:
        raise AssertionError(reason)


def test_the_loop_waits_for_nobody_who_has_the_lock(streams: EventStreams, schema_classes: ClassStore) -> None:
    """A provider's thread that has it may be waiting for the interpreter, behind all others that compute."""
    opened = [open_stream(streams) for _ in range(OPENED)]
    streams.put(opened, NAMESPACE, BODY)

    async def story() -> None:
        events = Events(streams, schema_classes, Turns(asyncio.get_running_loop()))
        clients = [Collecting() for _ in opened]
        sending = [
            asyncio.create_task(events.send(stream, 0, False, client))
            for stream, client in zip(opened, clients, strict=True)
        ]
        while not all(b"event: alert" in each.taken for each in clients):
            await asyncio.sleep(0)
        for each in opened:
            events.stop(each)
        await asyncio.gather(*sending)

    with locked(streams) as is_held:
        asyncio.run(story())
        assert is_held(), "the loop has waited until the lock was given back"
    assert all(each.wake is None for each in opened)


def test_whoever_is_told_nothing_any_more_is_forgotten_later(streams: EventStreams) -> None:
    stopped, other = open_stream(streams), open_stream(streams)
    streams.stop(stopped)
    streams.put([stopped, other], NAMESPACE, BODY)
    assert streams.take(stopped, 10) == ([], False)
    assert len(streams.take(other, 10)[0]) == 1
    assert streams.find(stopped.key, NOBODY) is None
    assert streams.find(other.key, NOBODY) is other
    streams.sweep()
    assert len(streams) == 1


def test_what_is_dropped_while_it_is_taken_is_told_as_missing(streams: EventStreams) -> None:
    stream, over = open_stream(streams), threading.Event()

    def put() -> None:
        while not over.is_set():
            streams.put([stream], NAMESPACE, BODY)

    putting = threading.Thread(target=put)
    putting.start()
    try:
        last = gaps = taken = 0
        while not (gaps and taken > 1_000):
            events, is_missing = streams.take(stream, 3)
            numbers = [last, *(each.number for each in events)]
            assert all(after > before for before, after in pairwise(numbers))
            if any(after > before + 1 for before, after in pairwise(numbers)):
                assert is_missing
                gaps += 1
            last, taken = numbers[-1], taken + len(events)
    finally:
        over.set()
        putting.join()


def test_a_client_that_comes_back_goes_on_where_it_was(streams: EventStreams) -> None:
    stream, other = open_stream(streams), open_stream(streams)
    for _ in range(KEPT):
        streams.put([stream], NAMESPACE, BODY)
    assert [each.number for each in streams.take(stream, 3)[0]] == [1, 2, 3]
    streams.attach(stream, 1, lambda: None)
    events, is_missing = streams.take(stream, 10)
    assert ([each.number for each in events], is_missing) == ([2, 3, 4, 5], False)
    streams.put([other], NAMESPACE, BODY)
    streams.attach(stream, 0, lambda: None)
    events, is_missing = streams.take(stream, 10)
    assert ([each.number for each in events], is_missing) == ([2, 3, 4, 5], True)


def test_those_who_wait_are_woken_in_turns() -> None:
    """A hundred streams would otherwise send what is news for all of them before anybody else is answered."""

    async def story() -> list[int]:
        turns, waiting = Turns(asyncio.get_running_loop()), [News() for _ in range(5 * WOKEN + 1)]

        def tell() -> None:
            for each in [*waiting, *waiting]:
                turns.wake(each)

        await asyncio.to_thread(tell)
        woken = [sum(each.come.is_set() for each in waiting)]
        while woken[-1] < len(waiting):
            await asyncio.sleep(0)
            woken.append(sum(each.come.is_set() for each in waiting))
        return woken

    woken = asyncio.run(story())
    assert max(after - before for before, after in pairwise([0, *woken])) == WOKEN


def test_who_is_told_again_is_woken_again() -> None:
    async def story() -> None:
        turns, news = Turns(asyncio.get_running_loop()), News()
        for _ in range(20):
            await asyncio.to_thread(turns.wake, news)
            async with asyncio.timeout(PATIENCE):
                await news.come.wait()
            news.come.clear()

    asyncio.run(story())

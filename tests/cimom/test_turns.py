"""Large answers to many readers: they leave chunk by chunk, in turns with all else that the event loop has to do."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiohttp import web

from tests.cimom.harness import RawClient, RunningServer, class_name, extrinsic, http_request, intrinsic, system, value
from tests.cimom.toy import Toy
from virtcim.app import serve
from virtcim.app.config import Settings
from virtcim.frontends.cimxml import frontend
from virtcim.frontends.cimxml.decode import decode_request
from virtcim.frontends.cimxml.frontend import CIMXML
from virtcim.frontends.http import exchange
from virtcim.frontends.http import server as http_server
from virtcim.frontends.http.connections import READ_AT_ONCE, Connection
from virtcim.frontends.http.selector import LEAVING_AT_ONCE, LeavingLast
from virtcim.frontends.http.sending import CHUNK
from virtcim.frontends.reading.raw import RawRequest

READERS = 40

SYSTEMS = intrinsic("EnumerateInstances", ClassName=class_name("Toy_System"))
ONE = intrinsic("GetInstance", InstanceName=system("plain"))


class Turns:
    """Counts the turns of a server's event loop, and the chunks of each answer that leave in one.

    Attributes:
        chunks: how many there were, by answer and turn.
    """

    def __init__(self, server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chunks: Counter[tuple[web.StreamResponse, int]] = Counter()
        self._loop = server.loop
        self._turn = 0
        self._ended = False
        write = web.StreamResponse.write

        async def observed(response: web.StreamResponse, data: Any) -> None:
            self.chunks[response, self._turn] += 1
            await write(response, data)

        monkeypatch.setattr(web.StreamResponse, "write", observed)
        self._loop.call_soon_threadsafe(self._count)

    def _count(self) -> None:
        self._turn += 1
        if not self._ended:
            self._loop.call_soon(self._count)

    def end(self) -> None:
        """Stop counting."""
        self._ended = True


def test_large_answers_take_turns(
    make_server: Callable[..., RunningServer], toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer leaves two chunks without letting the others go on, however fast its client reads."""
    for number in range(500):
        toy.provider.add("Toy_System", Name=f"guest{number}", Caption="x" * 2000)
    server = make_server()
    turns = Turns(server, monkeypatch)
    health = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    alive = 0

    def read(_: int) -> int:
        with RawClient(server.port, timeout=120) as client:
            answer = client.post(SYSTEMS)
            assert answer.status == 200
            return len(answer.body)

    with ThreadPoolExecutor(READERS) as pool:
        readers = [pool.submit(read, number) for number in range(READERS)]
        while True:
            health.request("GET", "/health")
            response = health.getresponse()
            response.read()
            assert response.status == 200
            alive += 1
            if all(each.done() for each in readers):
                break
        sizes = {each.result() for each in readers}
    turns.end()
    health.close()
    assert len(sizes) == 1
    assert sizes.pop() > 4 * CHUNK
    assert alive > 1
    assert sum(turns.chunks.values()) > 4 * READERS
    assert max(turns.chunks.values()) == 1


def test_the_sweep_holds_nobody_up(make_server: Callable[..., RunningServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a lock that the sweep takes may be waiting for the interpreter."""
    monkeypatch.setattr(http_server, "SWEEP_INTERVAL", 0.01)
    server = make_server()
    (cache,) = [each.cache for each in server.server.frontends if isinstance(each, CIMXML)]
    sweep, sweeping = cache.sweep, threading.Event()

    def observed() -> None:
        sweeping.set()
        sweep()

    health = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(health), cache._lock:
        monkeypatch.setattr(cache, "sweep", observed)
        assert sweeping.wait(60)
        health.request("GET", "/health")
        assert health.getresponse().status == 200


class Reads:
    """Where requests are decoded.

    Attributes:
        threads: by the length of the body: the names of the threads.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: dict[int, str] = {}

        def observed(body: bytes, max_elements: int) -> RawRequest:
            self.threads[len(body)] = threading.current_thread().name.partition("-")[0]
            return decode_request(body, max_elements)

        monkeypatch.setattr(frontend, "decode_request", observed)


def test_only_short_requests_to_read_are_decoded_in_the_loop(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(monkeypatch)
    bodies = {
        ONE: "server",
        ONE + " " * exchange.INLINE_BODY: "get",
        ONE + " " * exchange.FEW_BYTES: "read",
        extrinsic("Change", system("plain"), State=value(2)): "method",
        intrinsic("DeleteInstance", InstanceName=system("none")): "method",
    }
    with RawClient(server.port) as client:
        for body in bodies:
            assert client.post(body).status == 200
    assert reads.threads == {len(body): thread for body, thread in bodies.items()}


def test_nothing_is_enumerated_in_the_loop(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither are classes: with the names of all of them, it takes 2 ms."""
    threads: dict[str, str] = {}
    answer = server.cimxml.answer

    def observed(raw: RawRequest, *arguments: Any) -> Any:
        threads[raw.operation] = threading.current_thread().name.partition("-")[0]
        return answer(raw, *arguments)

    monkeypatch.setattr(server.cimxml, "answer", observed)
    with RawClient(server.port) as client:
        assert client.post(intrinsic("GetClass", ClassName=class_name("Toy_System"))).cim_status == 0
        for name in ("EnumerateClassNames", "EnumerateClasses", "EnumerateQualifiers"):
            assert client.post(intrinsic(name)).cim_status == 0
    assert threads.pop("GetClass") == "server"
    assert set(threads.values()) == {"read"}


def test_little_is_read_of_a_connection_at_once(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of chunks of a byte each is 40 ms of work in every 256 KiB."""
    sizes: list[int] = []
    received = Connection.data_received

    def observed(connection: Connection, data: bytes) -> None:
        sizes.append(len(data))
        received(connection, data)

    monkeypatch.setattr(Connection, "data_received", observed)
    request = http_request(ONE.encode(), {"Content-Length": None, "Transfer-Encoding": "chunked"})
    sent = request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    sent += b"1\r\n \r\n" * 100_000 + f"{len(ONE):x}\r\n{ONE}\r\n0\r\n\r\n".encode()
    with RawClient(server.port) as client:
        client.send(sent)
        assert client.receive().cim_status == 0
    assert sum(sizes) >= len(sent)
    assert max(sizes) <= READ_AT_ONCE


def test_who_leaves_waits_for_those_who_ask() -> None:
    with LeavingLast() as selector, contextlib.ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(5 * LEAVING_AT_ONCE)]
        for here, there in pairs:
            stack.enter_context(here)
            stack.enter_context(there)
            selector.register(here, select.EPOLLIN)
        for _, there in pairs[1:]:
            there.close()
        pairs[0][1].sendall(b"GET")
        turns = 0
        while len(selector.get_map()) > 1:
            found = [key.fileobj for key, events in selector.select(60) if events == select.EPOLLIN]
            assert pairs[0][0] in found
            assert len(found) <= 1 + LEAVING_AT_ONCE
            for each in found:
                if each is not pairs[0][0]:
                    selector.unregister(each)
            turns += 1
        assert turns == 5
        assert [key.fileobj for key, _ in selector.select(60)] == [pairs[0][0]]
        pairs[0][0].recv(3)
        assert selector.select(0) == []


def test_the_server_turns_to_its_clients_in_that_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*_: Any) -> int:
        return int(isinstance(asyncio.get_running_loop()._selector, LeavingLast))  # type: ignore[attr-defined]

    monkeypatch.setattr(serve, "_run", run)
    assert serve.serve(Settings(), False, False) == 1

"""Clients that hang up, stall or come in crowds; stopping while answers are under way."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.cimom.harness import RawClient, RunningServer, class_name, extrinsic, http_request, intrinsic, system, value
from tests.cimom.toy import Toy
from virtcim.frontends.http.auth import BasicAuthenticator, Verifier
from virtcim.providers.interface import Instance, MethodResult, RequestContext

PATIENCE = 60.0
"""Seconds for what happens at once, on a machine that does much else."""
SYSTEMS = intrinsic("EnumerateInstances", ClassName=class_name("Toy_System"))
ONE = intrinsic("GetInstance", InstanceName=system("plain"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def connections(server: RunningServer) -> int:
    return server.server.connections


def fill(toy: Toy, count: int) -> None:
    for number in range(count):
        toy.provider.add("Toy_System", Name=f"guest{number}", Caption="x" * 2000)


def test_idle_connections_are_closed(make_server: Callable[..., RunningServer]) -> None:
    server = make_server(idle_timeout=1.0)
    before = descriptors()
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(500)]
    for each in idle[::5]:
        each.sendall(b"POST /cimom HTTP/1.1\r\nHost: ")
    with RawClient(server.port) as client:
        assert client.post(ONE).status == 200
    for each in idle:  # on a busy machine the first are closed before the last are open
        each.settimeout(PATIENCE)
        assert each.recv(1) == b""
        each.close()
    eventually(lambda: connections(server) == 0)
    eventually(lambda: descriptors() <= before)


def test_connection_limit(make_server: Callable[..., RunningServer]) -> None:
    """Idle connections make room, those without a login first, and the longest unused of them."""
    server = make_server(max_connections=10)
    known = RawClient(server.port)
    assert known.post(ONE).status == 200
    idle = []
    for _ in range(9):
        idle.append(RawClient(server.port))
        eventually(lambda: connections(server) == len(idle) + 1)
    with RawClient(server.port) as client:
        assert client.post(ONE).status == 200
    assert idle[0].is_closed()
    assert known.post(ONE).status == 200
    for each in (known, *idle):
        each.socket.close()


def test_who_asks_whether_it_is_well_is_not_closed_as_unused(
    make_server: Callable[..., RunningServer], caplog: pytest.LogCaptureFixture
) -> None:
    """Monitoring does not log in, and comes again and again on a connection that is older than those of an attacker."""
    server = make_server(max_connections=10)
    ask = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    monitoring = RawClient(server.port)
    idle = []
    for number in range(20):
        idle.append(RawClient(server.port))
        eventually(lambda: connections(server) == min(len(idle) + 1, 10))
        monitoring.send(ask)
        assert monitoring.receive().status == 200, number
    assert idle[0].is_closed()
    crowded = [each.getMessage() for each in caplog.records if "connections" in each.getMessage()]
    assert crowded == ["More than 10 connections: 1 are closed"], "an attacker fills the log"
    for each in (monitoring, *idle):
        each.socket.close()


def test_connections_in_use_stay(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    slow = Slow(toy)
    server = make_server(max_connections=2, user_share=1.0)
    busy = [RawClient(server.port) for _ in range(2)]
    for each in busy:
        each.send(http_request(CHANGE.encode()))
        assert slow.started.acquire(timeout=PATIENCE)
    with RawClient(server.port) as client:
        assert client.is_closed()
    slow.go_on.set()
    for each in busy:
        assert each.receive().cim_status == 0
        each.socket.close()


def faults_logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What an administrator would take for a fault of the server: clients that go away are none."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("read", [0, 1, 100_000])
def test_hanging_up_mid_answer(
    make_server: Callable[..., RunningServer], toy: Toy, read: int, caplog: pytest.LogCaptureFixture
) -> None:
    fill(toy, 1000)
    server = make_server()
    before = descriptors()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(http_request(SYSTEMS.encode()))
            left = read
            while left > 0 and (data := client.recv(left)):
                left -= len(data)
    eventually(lambda: connections(server) == 0)
    eventually(lambda: descriptors() <= before)
    with RawClient(server.port) as client:
        assert client.post(ONE).status == 200
    assert faults_logged(caplog) == []


def test_hanging_up_mid_request(server: RunningServer) -> None:
    request = http_request(SYSTEMS.encode())
    for size in (1, 30, len(request) - 1):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(request[:size])
    eventually(lambda: connections(server) == 0)


def test_slow_bodies_time_out(make_server: Callable[..., RunningServer]) -> None:
    server = make_server(body_timeout=0.3)
    with RawClient(server.port) as client:
        client.send(http_request(ONE.encode())[:-10])
        assert client.receive().status == 408
        assert client.is_closed()


def test_stalled_reader_is_cut_off(
    make_server: Callable[..., RunningServer], toy: Toy, caplog: pytest.LogCaptureFixture
) -> None:
    fill(toy, 5000)
    server = make_server(send_timeout=0.5)
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", server.port))
        stalled.sendall(http_request(SYSTEMS.encode()))
        eventually(lambda: connections(server) == 1)
        with RawClient(server.port) as client:
            assert client.post(ONE).status == 200
        eventually(lambda: connections(server) == 0)
    assert faults_logged(caplog) == []


def test_stalled_pipeline_is_cut_off(make_server: Callable[..., RunningServer]) -> None:
    server = make_server(send_timeout=0.5)
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", server.port))
        stalled.settimeout(5)
        with contextlib.suppress(ConnectionError):
            for _ in range(3000):
                stalled.sendall(http_request(ONE.encode()))
        eventually(lambda: connections(server) == 0)


def test_overload_is_answered_and_recovered_from(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    fill(toy, 300)
    server = make_server(max_waiting=3, read_threads=1)
    statuses: list[int] = []

    def work() -> None:
        with RawClient(server.port, timeout=60) as client:
            for _ in range(5):
                response = client.post(SYSTEMS)
                statuses.append(response.status)
                if response.status == 503:
                    assert response.headers["retry-after"] == "1"
                    # What needs no thread is answered all the same.
                    assert client.post(CLASS).status == 200

    with ThreadPoolExecutor(20) as pool:
        for done in [pool.submit(work) for _ in range(20)]:
            done.result()
    assert set(statuses) == {200, 503}
    assert len(statuses) == 100
    with RawClient(server.port) as client:
        assert client.post(SYSTEMS).status == 200


def test_memory_of_answers_is_limited(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    """Clients that do not read take it up; others are told to come back, and can."""
    fill(toy, 5000)
    server = make_server(max_in_flight=20 << 20, room_timeout=0.2, send_timeout=600.0)
    with RawClient(server.port) as client, socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", server.port))
        stalled.sendall(http_request(SYSTEMS.encode()))
        eventually(lambda: server.server._handler._memory.taken > 10 << 20)
        busy = client.post(SYSTEMS)
        assert (busy.status, busy.headers["retry-after"]) == (503, "1")
        assert client.post(ONE).status == 200
        stalled.close()
        eventually(lambda: server.server._handler._memory.taken == 0)
        assert client.post(SYSTEMS).status == 200
    eventually(lambda: server.server._handler._memory.taken == 0)


def test_large_answers_wait_for_room_before_they_are_made(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    """Made first and refused then, two answers at a time would leave, and twenty be made for these two, time and again
    until the clients give up."""
    fill(toy, 3000)
    server = make_server(max_in_flight=20 << 20, room_timeout=600.0)
    made: list[str] = []
    instances = toy.provider.instances

    def counted(class_name: str, context: RequestContext) -> Iterable[Instance]:
        made.append(class_name)
        return instances(class_name, context)

    toy.provider.instances = counted  # type: ignore[method-assign]

    def read(_: int) -> int:
        with RawClient(server.port, timeout=60) as client:
            return client.post(SYSTEMS).status

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(read, range(20))) == [200] * 20
    assert made.count("Toy_System") == 20
    eventually(lambda: server.server._handler._memory.taken == 0)


class Everybody(Verifier):
    """Knows every user by one password."""

    def verify(self, user: str, password: str) -> bool:
        return password == "p"

    def stamp(self) -> object:
        return 0


def login(user: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:p'.encode()).decode()}"}


def test_who_does_not_read_keeps_nobody_else_out(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    """Clients of one user ask for more than there is room for, and read nothing of it."""
    fill(toy, 2000)
    server = make_server(BasicAuthenticator(Everybody()), max_in_flight=40 << 20, room_timeout=0.2, send_timeout=600.0)
    memory = server.server._handler._memory
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            stalled = stack.enter_context(socket.socket())
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect(("127.0.0.1", server.port))
            stalled.sendall(http_request(SYSTEMS.encode(), login("greedy")))
        eventually(lambda: memory.taken > 10 << 20 and server.server._handler.waiting == 0)
        assert memory._held["user", "greedy"] <= 20 << 20
        # The address is the same here, and so its share is taken; what is small goes all the same.
        with RawClient(server.port) as other:
            assert other.post(ONE, login("other")).status == 200
            assert other.post(SYSTEMS, login("greedy")).status == 503


def test_memory_of_requests_is_limited(make_server: Callable[..., RunningServer]) -> None:
    server = make_server(max_in_flight=1 << 20)
    large = http_request(ONE.encode() + b" " * (700 << 10))
    with RawClient(server.port) as first, RawClient(server.port) as second:
        first.send(large[:-10])
        eventually(lambda: server.server._handler._memory.taken > 600 << 10)
        second.send(large)
        assert second.receive().status == 503
        first.send(large[-10:])
        assert first.receive().status == 200
        second.send(large)
        assert second.receive().status == 200


class Slow:
    """Makes a method of the toy provider wait until it is told to go on."""

    def __init__(self, toy: Toy) -> None:
        self.go_on = threading.Event()
        self.started = threading.Semaphore(0)
        self._invoke = toy.provider.invoke_method
        toy.provider.invoke_method = self.invoke  # type: ignore[method-assign]

    def invoke(
        self, class_name: str, keys: Any, method: str, parameters: Mapping[str, Any], context: RequestContext
    ) -> MethodResult:
        self.started.release()
        assert self.go_on.wait(2 * PATIENCE)
        return self._invoke(class_name, keys, method, parameters, context)


CLASS = intrinsic("GetClass", ClassName=class_name("Toy_System"))
CHANGE = extrinsic("Change", system("plain"), State=value(2))


def test_slow_methods_hold_nobody_up(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    slow = Slow(toy)
    server = make_server(method_threads=2, max_waiting=4)
    clients = [RawClient(server.port) for _ in range(4)]
    for each in clients:
        each.send(http_request(CHANGE.encode()))
    assert slow.started.acquire(timeout=PATIENCE)
    with RawClient(server.port) as client:
        assert client.post(ONE).cim_status == 0
        eventually(lambda: server.server._handler.waiting == 4)
        busy = client.post(CHANGE)
        assert (busy.status, busy.headers["retry-after"]) == (503, "1")
        slow.go_on.set()
        assert [each.receive().cim_status for each in clients] == [0] * 4
        assert client.post(CHANGE).cim_status == 0
    for each in clients:
        each.socket.close()


def test_hanging_up_on_a_method(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    """A method that has begun is carried out to its end, and its place is free again."""
    slow = Slow(toy)
    server = make_server()
    with RawClient(server.port) as client:
        client.send(http_request(CHANGE.encode()))
        assert slow.started.acquire(timeout=PATIENCE)
    eventually(lambda: connections(server) == 0)
    slow.go_on.set()
    eventually(lambda: len(toy.provider.calls) == 1)
    eventually(lambda: server.server._handler.waiting == 0)


def test_stop_lets_answers_finish(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    slow = Slow(toy)
    server = make_server()
    idle = RawClient(server.port)
    with RawClient(server.port) as client, ThreadPoolExecutor(1) as pool:
        client.send(http_request(CHANGE.encode()))
        assert slow.started.acquire(timeout=PATIENCE)
        stopping = pool.submit(lambda: server.run(server.server.stop()))
        time.sleep(0.2)
        slow.go_on.set()
        assert client.receive().cim_status == 0
        stopping.result(PATIENCE)
        assert client.is_closed()
    assert idle.is_closed()
    idle.socket.close()
    with pytest.raises(ConnectionError):
        RawClient(server.port)


def test_stop_does_not_wait_for_ever(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    slow = Slow(toy)
    server = make_server(stop_timeout=0.5)
    with RawClient(server.port) as client:
        client.send(http_request(CHANGE.encode()))
        assert slow.started.acquire(timeout=PATIENCE)
        server.run(server.server.stop(), PATIENCE)
        assert toy.provider.calls == [], "it waited for the method"
        assert client.is_closed()
    slow.go_on.set()


def test_parallel_clients(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    fill(toy, 200)
    server = make_server()
    answers_before = server.answers

    def work(number: int) -> int:
        with RawClient(server.port) as client:
            for turn in range(20):
                body = (ONE, SYSTEMS, CHANGE)[(number + turn) % 3]
                assert client.post(body).cim_status == 0
        return 20

    def disturb() -> None:
        for turn in range(50):
            toy.provider.change("Toy_System", f"guest{turn}", Caption=str(turn))
            time.sleep(0.005)

    with ThreadPoolExecutor(9) as pool:
        disturbance = pool.submit(disturb)
        done = sum(pool.map(work, range(8)))
        disturbance.result()
    assert done == server.answers - answers_before


def test_memory_does_not_grow(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    """The same requests again and again leave nothing behind."""
    fill(toy, 300)
    server = make_server()

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4

    with RawClient(server.port) as client:
        for _ in range(20):
            client.post(SYSTEMS)
        before = resident()
        for _ in range(60):
            client.post(SYSTEMS)
            client.post("<CIM>")
            client.post(ONE)
        assert resident() - before < 20_000

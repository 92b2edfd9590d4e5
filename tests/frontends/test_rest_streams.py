"""A hundred streams of events, of one user and of ten, many of them never read: who is served, and what it takes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import bcrypt
import pytest

from tests.bed import Server
from tests.frontends.client import Client, Follower, basic

pytestmark = pytest.mark.slow

STREAMS, SHARE = 100, 50
USERS = tuple(f"user{number}" for number in range(10))
EVERYTHING = "/api/events?classes=CIM_Indication"
GUEST = "/api/namespaces/root%2Fvirt/instances/Test_ComputerSystem/CreationClassName=Test_ComputerSystem,Name=test"
RUN, OFF, PAUSE = 2, 3, 9

MIB = 1 << 20
KEPT = 4 * MIB
CHANGES = 150
"""Changes of the guest: what is told of them is more than is kept, and far more than a socket takes."""

GROWTH = 64 * MIB
"""What a hundred streams may take: what is kept, what waits in sockets, and what the allocator does not give back."""

UNREAD_BYTES = 4096
"""Of the socket of a client that does not read."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with ten users beside that of the bed, each of whom has the name as password."""
    config = f"[indications]\nstream_bytes = {KEPT}\n[roles]\nread = {list(USERS)}\nadminister = ['root', 'bed']\n"
    prepared = Server("test:///default", config=config)
    with (prepared.directory / "htpasswd").open("a") as passwords:
        for name in USERS:
            passwords.write(f"{name}:{bcrypt.hashpw(name.encode(), bcrypt.gensalt(4)).decode()}\n")
    with prepared as running:
        yield running


@pytest.fixture
def administrator(server: Server) -> Client:
    return Client(server.port, {"Authorization": basic(server.user or "", server.password)})


def open_unread(server: Server, name: str) -> tuple[socket.socket, int]:
    """Open a stream of which nothing is read but its status."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
    opened.settimeout(60)
    opened.connect(("127.0.0.1", server.port))
    request = f"GET {EVERYTHING} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {basic(name)}\r\n\r\n"
    opened.sendall(request.encode())
    return opened, int(opened.recv(15).split()[1])


def bring(client: Client, state: int) -> None:
    """Bring the guest into a state."""
    answer = client.ask("POST", f"{GUEST}/methods/RequestStateChange", {"parameters": {"RequestedState": state}})
    assert answer.json["ReturnValue"] == 0, answer.body


def change_often(client: Client) -> None:
    """Have more told than is kept."""
    for number in range(CHANGES):
        bring(client, (PAUSE, RUN)[number % 2])


def until_off(stream: Follower) -> None:
    """Follow until the guest is off."""
    for kind, data in stream:
        if kind == "modified" and data["class"] == "Test_ComputerSystem" and data["properties"]["EnabledState"] == OFF:
            return
    raise AssertionError("the stream has ended")


def memory(server: Server) -> int:
    """The resident memory of a server, in bytes."""
    (line,) = [
        each for each in Path(f"/proc/{server.pid}/status").read_text().splitlines() if each.startswith("VmRSS:")
    ]
    return int(line.split()[1]) * 1024


def test_one_user_gets_a_share_and_everybody_else_is_served(server: Server, administrator: Client) -> None:
    greedy = Client(server.port, {"Authorization": basic(USERS[0])})
    with ExitStack() as stack:
        for _ in range(SHARE):
            opened, status = open_unread(server, USERS[0])
            stack.callback(opened.close)
            assert status == 200
        for _ in range(STREAMS - SHARE):
            refused = greedy.ask("GET", EVERYTHING)
            assert refused.status == 503
            assert refused.json["message"].startswith(f"{SHARE} streams of events are followed by {USERS[0]}; expected")
        for name in USERS[1:]:
            other = Follower(Client(server.port, {"Authorization": basic(name)}), EVERYTHING)
            stack.callback(other.close)
            assert other.response.status == 200
        change_often(administrator)
        assert other.next()[0] == "modified"
        assert greedy.ask("GET", "/api/").status == 200
    own = Follower(greedy, EVERYTHING)
    assert own.response.status == 200
    own.close()


def test_ten_users_follow_by_a_hundred_streams_that_take_bounded_memory(server: Server, administrator: Client) -> None:
    before = memory(server)
    with ExitStack() as stack:
        read: list[Follower] = []
        for number in range(STREAMS):
            name = USERS[number % len(USERS)]
            if number < len(USERS):
                read.append(Follower(Client(server.port, {"Authorization": basic(name)}), EVERYTHING))
                stack.callback(read[-1].close)
            else:
                opened, status = open_unread(server, name)
                stack.callback(opened.close)
                assert status == 200
        refused = administrator.ask("GET", EVERYTHING)
        assert (refused.status, refused.json["name"]) == (503, "SERVER_LIMITS_EXCEEDED")
        assert "indications.max_streams)" in refused.json["message"]
        with ThreadPoolExecutor(len(read)) as pool:
            seen = [pool.submit(until_off, each) for each in read]
            change_often(administrator)
            bring(administrator, OFF)
            for each in seen:
                each.result()
        assert administrator.get(GUEST)["properties"]["EnabledState"] == OFF
        grown = memory(server) - before
        print(f"{STREAMS} streams: {grown / MIB:.0f} MiB more")
        assert grown < GROWTH

"""What the server holds of each guest, in bytes: many guests fit into what a machine has to spare for them."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from bench.measure import cpu_seconds, memory_mib, operations
from bench.node import guest_name
from bench.node import test_node as make_node
from tests.bed import RawClient, Server, wait_until
from virtcim.cimom.settings import ServerSettings

GUESTS = 400

#: Bytes of an encoded instance in the cache, what it takes beside its texts among them.
MOST_OF_AN_INSTANCE = 800

#: KiB of memory for each guest whose classes were all read.
MOST_OF_A_GUEST = 60

CONNECTIONS = 40

#: KiB of memory for each idle connection by TLS.
MOST_OF_A_CONNECTION = 160

#: The heaps of glibc's arenas begin at multiples of this.
HEAP = 64 << 20


#: Few guests, and four times as many; of both, what one guest alone takes is left out.
FEW, MANY = 250, 1000

#: A guest among many may cost so many times what it costs among few; four where it is held against all others.
MOST_AMONG_MANY = 2.0

#: Answers after the first one.
AGAIN = 5

#: Guests that fit into the cache as it is by default.
CACHED = 10_000


def await_guests(client: RawClient, guests: int) -> dict[str, tuple[str, list[str]]]:
    """Wait until all guests are shown; gives what can be asked."""
    asked = operations("Test", guest_name(0))
    operation, parameters = asked["EnumerateInstanceNames ComputerSystem"]
    wait_until(lambda: client.call(operation, *parameters).count(b"<INSTANCENAME ") == guests)
    return asked


def read_everything(client: RawClient, guests: int) -> None:
    for operation, parameters in await_guests(client, guests).values():
        client.call(operation, *parameters)


def arenas(pid: int) -> int:
    """Count the arenas that threads have of their own."""
    lines = (line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines())
    return sum(int(words[0].split("-")[0], 16) % HEAP == 0 for words in lines if len(words) == 5 and words[1] == "rw-p")


def test_guests_take_little_memory(tmp_path: Path) -> None:
    memory = {}
    for guests in (1, GUESTS):
        node = tmp_path / "node.xml"
        node.write_text(make_node(guests))
        with Server(f"test://{node}", guarded=False) as server, server.client() as client:
            read_everything(client, guests)
            memory[guests], _ = memory_mib(server.pid)
            of_an_instance = client.figure("cache_bytes") / client.figure("cache_entries")
            assert arenas(server.pid) <= 1
    assert of_an_instance < MOST_OF_AN_INSTANCE
    assert (memory[GUESTS] - memory[1]) * 1024 / GUESTS < MOST_OF_A_GUEST


def test_idle_connections_take_little_memory() -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    arguments = ["--listen-https", "127.0.0.1:0", "--tls", "self-signed"]
    with Server("test:///default", arguments=arguments, guarded=False) as server, ExitStack() as opened:

        def connect() -> None:
            plain = opened.enter_context(socket.create_connection(("127.0.0.1", server.https_port)))
            secured = opened.enter_context(context.wrap_socket(plain))
            secured.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert secured.recv(4096).startswith(b"HTTP/1.1 200 ")

        connect()
        before, _ = memory_mib(server.pid)
        for _ in range(CONNECTIONS):
            connect()
        after, _ = memory_mib(server.pid)
    assert (after - before) * 1024 / CONNECTIONS < MOST_OF_A_CONNECTION


class Cost:
    """Processor time that a server takes for a number of guests, with a cache that is large enough for them.

    Attributes:
        start: until all guests are shown.
        first: for the first answer with all their resource allocations.
        again: for a later one.
    """

    def __init__(self, directory: Path, guests: int) -> None:
        node = directory / f"node-{guests}.xml"
        node.write_text(make_node(guests))
        settings = f"[server]\ncache_bytes = {ServerSettings().cache_bytes * guests // CACHED}\n"
        with Server(f"test://{node}", config=settings, guarded=False) as server, server.client() as client:
            asked = await_guests(client, guests)
            self.start = cpu_seconds(server.pid)
            operation, parameters = asked["EnumerateInstances ResourceAllocationSettingData"]
            count = client.call(operation, *parameters).count(b"<VALUE.NAMEDINSTANCE>")
            assert count >= 10 * guests
            self.first = cpu_seconds(server.pid) - self.start
            marks = [cpu_seconds(server.pid)]
            for _ in range(AGAIN):
                client.call(operation, *parameters)
                marks.append(cpu_seconds(server.pid))
            # The least, since a server that has just begun has other things to do.
            assert client.figure("cache_entries") >= count
            self.again = min(after - before for before, after in pairwise(marks))


@pytest.mark.slow
def test_a_guest_costs_no_more_among_many(tmp_path: Path) -> None:
    for _ in range(3):  # the machine may be busy
        one, few, many = (Cost(tmp_path, guests) for guests in (1, FEW, MANY))
        grown = {
            name: ((getattr(many, name) - getattr(one, name)) / (getattr(few, name) - getattr(one, name)))
            / ((MANY - 1) / (FEW - 1))
            for name in vars(one)
        }
        if max(grown.values()) < MOST_AMONG_MANY:
            return
    raise AssertionError(f"a guest among {MANY} takes so many times what it takes among {FEW}: {grown}")

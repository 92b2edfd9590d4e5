"""What the server holds of each guest, in bytes: many guests fit into what a machine has to spare for them."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

from bench.measure import memory_mib, operations
from bench.node import guest_name
from bench.node import test_node as make_node
from tests.bed import RawClient, Server, wait_until

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


def read_everything(client: RawClient, guests: int) -> None:
    asked = operations("Test", guest_name(0))
    operation, parameters = asked["EnumerateInstanceNames ComputerSystem"]
    wait_until(lambda: client.call(operation, *parameters).count(b"<INSTANCENAME ") == guests)
    for operation, parameters in asked.values():
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

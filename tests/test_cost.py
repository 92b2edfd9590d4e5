"""What the server holds of each guest, in bytes: many guests fit into what a machine has to spare for them."""

from __future__ import annotations

import re
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

#: The heaps of glibc's arenas begin at multiples of this.
HEAP = 64 << 20


def read_everything(client: RawClient, guests: int) -> None:
    asked = operations("Test", guest_name(0))
    operation, parameters = asked["EnumerateInstanceNames ComputerSystem"]
    wait_until(lambda: client.call(operation, *parameters).count(b"<INSTANCENAME ") == guests)
    for operation, parameters in asked.values():
        client.call(operation, *parameters)


def figure(client: RawClient, name: str) -> float:
    client.connection.request("GET", "/metrics", headers=client.headers)
    text = client.connection.getresponse().read().decode()
    found = re.search(rf"^virtcim_{name} ([0-9.e+]+)$", text, re.MULTILINE)
    assert found is not None, text
    return float(found[1])


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
            of_an_instance = figure(client, "cache_bytes") / figure(client, "cache_entries")
            assert arenas(server.pid) <= 1
    assert of_an_instance < MOST_OF_AN_INSTANCE
    assert (memory[GUESTS] - memory[1]) * 1024 / GUESTS < MOST_OF_A_GUEST

"""How long the server is silent at the longest while it has much to do: `python -m bench.silence`.

A prober in a process of its own asks `/health` every 10 ms; each case says what the server does meanwhile.  Another one
asks a server that has nothing else to do, at the same time: how long that is silent is the floor of this machine, whose
processors the clients of the case keep busy as well.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import multiprocessing
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bench.measure import BareServer
from bench.node import guest_name, test_node
from tests.bed import RawClient, Server
from tests.bed.server import class_parameter, client_hello, instance_name, parameter, simple_request, text

#: Seconds between two questions.
INTERVAL = 0.01

#: Milliseconds of an answer that are counted.
SLOW = 20.0

#: Guests of the first case, and the size of the answers of the large reads.
GUESTS = 1500

#: Clients that read large answers at once, and how much each reads.
READERS = 40
BYTES_EACH = 100 << 20

#: Methods that wait while large reads compute.
METHODS = 16
LARGE_READS = 4

#: Connections of an attacker: answers that are asked for and not read, and such that ask for nothing.
UNREAD = 18
IDLE = 900

#: Connections that may be open, but for those of others than the attacker.
MOST_CONNECTIONS = 1900

#: Seconds for which an attacker goes on: a second would show a hundred answers of the prober only.
ATTACKED = 10.0

#: Characters of a line in the log, whatever was sent.
LONGEST_LINE = 20_000


@dataclass(frozen=True, slots=True)
class Silence:
    """What probers saw, in milliseconds.

    Attributes:
        longest, median: times of an answer.
        slow: answers that took more than `SLOW`.
        asked: answers in all.
        floor: the longest time of an answer of a server that had nothing else to do.
    """

    longest: float
    median: float
    slow: int
    asked: int
    floor: float

    def __str__(self) -> str:
        return (
            f"{self.longest:.0f} ms at the longest, median {self.median:.1f} ms, {self.slow} of {self.asked} above "
            f"{SLOW:.0f} ms; a server that has nothing to do: {self.floor:.0f} ms at the longest"
        )


def probe(host: str, port: int, control: Connection) -> None:
    """Ask `/health` until told to stop, then send how long each answer took."""
    connection = http.client.HTTPConnection(host, port, timeout=120)
    took: list[float] = []
    control.send("ready")
    while not control.poll(INTERVAL):
        began = time.perf_counter()
        connection.request("GET", "/health")
        connection.getresponse().read()
        took.append((time.perf_counter() - began) * 1000)
    control.send(took)


@contextlib.contextmanager
def probing(host: str, port: int, took: list[float]) -> Iterator[None]:
    """Ask a server for the length of a block; then `took` has the times of its answers, the shortest first."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=probe, args=(host, port, there))
    process.start()
    try:
        here.recv()
        yield
        here.send("stop")
        took += sorted(here.recv())
    finally:
        process.join(10)


@contextlib.contextmanager
def probed(server: Server, found: list[Silence]) -> Iterator[None]:
    """Probe a server for the length of a block, and beside it one that has nothing to do."""
    took: list[float] = []
    floor: list[float] = []
    with BareServer() as bare, probing("127.0.0.1", bare.port, floor), probing(server.host, server.port, took):
        yield
    slow = sum(each > SLOW for each in took)
    found.append(Silence(took[-1], took[len(took) // 2], slow, len(took), floor[-1]))


def first_looks(server: Server, silences: list[Silence]) -> None:
    """GetInstance of every class, for the first time."""
    with server.client() as client:
        answer = client.call("EnumerateClassNames", parameter("DeepInheritance", "<VALUE>TRUE</VALUE>"))
    classes = [part.partition(b'"')[0].decode() for part in answer.split(b'<CLASSNAME NAME="')[1:]]
    connection = server.pywbem()
    with probed(server, silences):
        for name in classes:
            if name.startswith("Test_"):
                for path in connection.EnumerateInstanceNames(name)[:1]:
                    connection.GetInstance(path)


def locked_database(server: Server, silences: list[Silence]) -> None:
    """Jobs, made and looked at while another process holds SQLite's lock."""
    connection = server.pywbem()
    (service,) = connection.EnumerateInstanceNames("Test_ResourcePoolConfigurationService")
    database = sqlite3.connect(server.state_dir / "state.sqlite", isolation_level=None)
    with contextlib.closing(database), probed(server, silences):
        database.execute("BEGIN IMMEDIATE")
        for _ in range(30):
            with contextlib.suppress(Exception):
                connection.InvokeMethod("CreateChildResourcePool", service, ElementName="silence")
            for path in connection.EnumerateInstanceNames("Test_ConcreteJob"):
                connection.GetInstance(path)
            time.sleep(0.1)
        database.execute("ROLLBACK")


def read_all(client: RawClient) -> int:
    """Read all instances that there are, or wait a little where the server has no room; the bytes that came."""
    status, _, answer = client.post(
        *client.prepared("EnumerateInstances", class_parameter("ClassName", "CIM_ManagedElement"))
    )
    if status == 503:
        time.sleep(0.2)
    return len(answer)


def many_readers(server: Server, silences: list[Silence], size: int) -> None:
    """Clients that read large answers as fast as they can."""

    def read(_: int) -> None:
        taken = 0
        with server.client() as client:
            while taken < size:
                taken += read_all(client)

    with probed(server, silences), ThreadPoolExecutor(READERS) as pool:
        list(pool.map(read, range(READERS)))


def methods_and_reads(server: Server, silences: list[Silence]) -> None:
    """Methods that wait, one for another, beside large reads."""
    names = [guest_name(number) for number in range(METHODS)]
    ends = time.monotonic() + 8

    def method(name: str) -> None:
        keys = {"CreationClassName": "Test_ComputerSystem", "Name": name}
        with server.client() as client:
            state = 9
            while time.monotonic() < ends:
                client.invoke("Test_ComputerSystem", keys, "RequestStateChange", {"RequestedState": str(state)})
                state = 11 - state

    def read(_: int) -> None:
        with server.client() as client:
            while time.monotonic() < ends:
                read_all(client)

    with probed(server, silences), ThreadPoolExecutor(METHODS + LARGE_READS) as pool:
        done = [
            *(pool.submit(method, each) for each in names),
            *(pool.submit(read, each) for each in range(LARGE_READS)),
        ]
        for each in done:
            each.result()


def unread(server: Server, request: bytes) -> socket.socket:
    """Ask for something large, and read nothing of it."""
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.connect((server.host, server.port))
    stalled.sendall(request)
    return stalled


def attacks(server: Server, silences: list[Silence]) -> None:
    """What stopped a server once, or filled or forged its log, from one address, while others ask for a guest."""
    keys = {"CreationClassName": "Test_ComputerSystem", "Name": guest_name(0)}
    query = f"SELECT * FROM Test_ComputerSystem WHERE OBJECTPATH('X.a=b<{' ' * 15_800}>\"') = OBJECTPATH('X.a=b')"
    language = parameter("QueryLanguage", "<VALUE>DMTF:CQL</VALUE>")
    forged = simple_request("GetClass&#10;2026-01-01 00:00:00 INFO virtcim.audit forged", ())
    with server.client() as client, server.client() as other, contextlib.ExitStack() as connections:
        large, headers = client.prepared("EnumerateInstances", class_parameter("ClassName", "CIM_ManagedElement"))
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**client.headers, **headers}.items())
        asked = client.prepared("ExecQuery", language, parameter("Query", f"<VALUE>{text(query)}</VALUE>"))
        asking = f"POST /cimom HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(large)}\r\n\r\n".encode() + large
        with probed(server, silences):
            for _ in range(IDLE):
                connections.enter_context(socket.create_connection((server.host, server.port)))
            for _ in range(UNREAD):
                connections.enter_context(unread(server, asking))
            ends = time.monotonic() + ATTACKED
            while time.monotonic() < ends:
                for count in (2_000, 20_000):
                    hostile = {"RequestedState": '<PROPERTY NAME="x ' * count}
                    client.invoke("Test_ComputerSystem", keys, "RequestStateChange", hostile)
                    look_at_guest(other)
                many = dict.fromkeys(map(str, range(20_000)), "")
                client.invoke("Test_ComputerSystem", keys, "RequestStateChange", many)
                look_at_guest(other)
                for each in (asked, (forged, None)):
                    client.post(*each)
                    look_at_guest(other)
    lines_written = server.errors.splitlines()
    wrong = [line[:200] for line in lines_written if line.startswith("2026-01-01") or len(line) > LONGEST_LINE]
    if wrong:
        raise RuntimeError(f"forged or too long lines in the log: {wrong}")


def attack(server: Server, silences: list[Silence], steps: Sequence[Callable[[RawClient], object]]) -> None:
    """Have each of some attackers do what it does again and again, while somebody asks for a guest."""
    with probed(server, silences), ThreadPoolExecutor(len(steps)) as pool, server.client() as other:
        ends = time.monotonic() + ATTACKED

        def go_on(step: Callable[[RawClient], object]) -> None:
            with server.client() as client:
                while time.monotonic() < ends:
                    step(client)

        attackers = [pool.submit(go_on, step) for step in steps]
        while time.monotonic() < ends:
            look_at_guest(other)
            time.sleep(0.1)
        for each in attackers:
            each.result()


def refused_requests(server: Server, silences: list[Silence]) -> None:
    """Requests of some MB that are read, and refused: of many elements, attributes, values, and names of keys."""
    keys = {"CreationClassName": "Test_ComputerSystem", "Name": guest_name(0)}
    path = instance_name("Test_ComputerSystem", {f"k{number}": "v" for number in range(10_000)})
    long = instance_name("Test_ComputerSystem", {**keys, "Name": "x" * 7_000_000})

    def post(inner: str) -> Callable[[RawClient], object]:
        return lambda client: client.post(*client.prepared("GetInstance", parameter("InstanceName", inner)))

    attack(
        server,
        silences,
        [
            post(path),
            post(long),
            post("<MULTIREQ>" + "<SIMPLEREQ></SIMPLEREQ>" * 24_000 + "</MULTIREQ>"),
            post("<V " + " ".join(f'a{number}=""' for number in range(500_000)) + "/>"),
            lambda client: client.invoke("Test_ComputerSystem", keys, "RequestStateChange", {"x": "9" * 7_000_000}),
        ],
    )


def expensive_queries(server: Server, silences: list[Silence]) -> None:
    """Queries of all that there is, with as many patterns and conditions as there may be."""
    patterns = " OR ".join(f"Caption LIKE '{'(a|b|.*)*' * 10}{number}'" for number in range(30))
    conditions = " OR ".join(f"Caption = 'x{number}'" for number in range(600))

    def ask(condition: str) -> Callable[[RawClient], object]:
        query = parameter("Query", f"<VALUE>SELECT * FROM CIM_ManagedElement WHERE {text(condition)}</VALUE>")
        language = parameter("QueryLanguage", "<VALUE>DMTF:CQL</VALUE>")
        return lambda client: client.post(*client.prepared("ExecQuery", language, query))

    attack(server, silences, [ask(patterns), ask(conditions), ask(patterns)])


def tiny_chunks(server: Server, silences: list[Silence]) -> None:
    """Bodies of chunks of a byte each, without a login."""
    head = b"POST /cimom HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    def send(_: RawClient) -> None:
        with socket.create_connection((server.host, server.port)) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(head + b"1\r\n \r\n" * 100_000)
            connection.recv(1024)

    attack(server, silences, [send] * 3)


def connections_that_end(server: Server, silences: list[Silence]) -> None:
    """As many connections as there may be, closed at one time."""

    def open_and_close(_: RawClient) -> None:
        with contextlib.ExitStack() as connections:
            for _number in range(MOST_CONNECTIONS):
                connections.enter_context(socket.create_connection((server.host, server.port)))
            time.sleep(0.5)

    attack(server, silences, [open_and_close])


def handshakes(server: Server, silences: list[Silence]) -> None:
    """TLS handshakes, hundreds of them begun at one time."""
    hello = client_hello()

    def begin(_: RawClient) -> None:
        with contextlib.ExitStack() as connections, contextlib.suppress(ConnectionError):
            address = server.host, server.https_port
            opened = [connections.enter_context(socket.create_connection(address)) for _ in range(200)]
            for each in opened:
                each.sendall(hello)
            time.sleep(0.3)

    attack(server, silences, [begin] * 2)


def look_at_guest(client: RawClient) -> None:
    """Ask for a guest, and see that it is answered, as to anybody else."""
    keys = {"CreationClassName": "Test_ComputerSystem", "Name": guest_name(1)}
    client.call("GetInstance", parameter("InstanceName", instance_name("Test_ComputerSystem", keys)))


def measure_silence(guests: int, size: int) -> dict[str, Silence]:
    """Run all cases, each on a server of its own.

    Parameters:
        guests: of the test driver.
        size: bytes that each reader of the third case reads.
    """
    cases: dict[str, Callable[[Server, list[Silence]], None]] = {
        f"GetInstance of every class for the first time, {guests} guests": first_looks,
        "jobs while the database is locked": locked_database,
        f"{READERS} clients read {size >> 20} MiB each": lambda server, found: many_readers(server, found, size),
        f"{METHODS} methods wait while {LARGE_READS} large reads compute": methods_and_reads,
        f"attacks, {UNREAD} answers that nobody reads and {IDLE} idle connections": attacks,
        "requests of some MB are refused": refused_requests,
        "queries are as expensive as can be": expensive_queries,
        "bodies come in chunks of a byte": tiny_chunks,
        f"{MOST_CONNECTIONS} connections end at one time": connections_that_end,
        "TLS handshakes are begun by hundreds": handshakes,
    }
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "node.xml")
        file.write_text(test_node(guests))
        for name, case in cases.items():
            found: list[Silence] = []
            tls = ("--listen-https", "127.0.0.1:0", "--tls", "self-signed")
            server = Server(f"test://{file}", arguments=tls, guarded=False)
            try:
                server.start()
                wait_for_guests(server, guests)
                case(server, found)
            finally:
                server.close()
            results[name] = found[0]
            print(f"  {name}: {found[0]}", flush=True)
    return results


def wait_for_guests(server: Server, guests: int) -> None:
    """Wait until all guests are shown."""
    deadline = time.monotonic() + 300
    with server.client() as client:
        names = class_parameter("ClassName", "Test_ComputerSystem")
        while client.call("EnumerateInstanceNames", names).count(b"<INSTANCENAME ") < guests:
            if time.monotonic() > deadline:
                raise RuntimeError(f"not all of {guests} guests are shown")
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.silence", description=__doc__.partition("\n")[0])
    parser.add_argument("--guests", type=int, default=GUESTS)
    parser.add_argument("--mib", type=int, default=BYTES_EACH >> 20, help="read by each of the readers")
    options = parser.parse_args()
    measure_silence(options.guests, options.mib << 20)


if __name__ == "__main__":
    main()

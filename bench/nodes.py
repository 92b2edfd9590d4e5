"""Many nodes in one server: its start, memory and answers, and what it means for others that half of them are lost.

The nodes are of libvirt's test driver.  Half of them live in the server itself, the others in a private libvirtd: they
are lost when that is killed.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import libvirt

from bench.measure import cpu_seconds, least_cpu, memory_mib
from bench.node import guest_name, test_node
from tests.bed import Libvirtd, RawClient, Server
from tests.bed.server import class_parameter, instance_name, parameter

NODES, GUESTS = 200, 50
"""Nodes, and guests of each."""

ABSENT = 1000
"""Nodes that are down, all there are."""

PATIENCE = 300.0
AT_REST = 0.6
"""Seconds of CPU time in a second, above which a server has something to do."""
REPEATS = 5
FLOOR = 10.0
"""Seconds for which figures are kept before they are sampled anew."""
LOOKS = 300
"""Requests of GetInstance for nodes that are not touched, before others are killed and while they are."""


INCLUDE_GUESTS = b'<PARAMVALUE NAME="IncludeGuests" PARAMTYPE="boolean"><VALUE>TRUE</VALUE></PARAMVALUE>'


class Nodes:
    """Files of nodes.

    Parameters:
        directory: for them.
        count: of nodes; every second one is far.
        daemon: has these.
    """

    def __init__(self, directory: Path, count: int, daemon: Libvirtd) -> None:
        self.names = [f"node{number:03}" for number in range(count)]
        self.far = self.names[1::2]
        self._directory = directory
        self._socket = daemon.directory / "run/libvirt/libvirt-sock"
        self.near = [name for name in self.names if name not in self.far]

    def config(self, guests: int) -> str:
        """Write the files of the nodes, and the settings that name them."""
        text = ""
        for name in self.names:
            file = self._directory / f"{name}.xml"
            file.write_text(test_node(guests))
            file.chmod(0o644)
            uri = f"test+unix://{file}?socket={self._socket}" if name in self.far else f"test://{file}"
            text += f"[node.{name}]\nuris = ['{uri}']\ngroups = ['all']\n"
        return text


def measure_nodes(nodes: int = NODES, guests: int = GUESTS) -> Iterator[tuple[str, str]]:
    """Measure a server of so many nodes with so many guests each, beside one with a single node.

    Yields:
        the name of each figure and the figure, for people, as soon as it is there.
    """
    with tempfile.TemporaryDirectory() as scratch, Libvirtd() as daemon:
        directory = Path(scratch)
        directory.chmod(0o755)
        total = nodes * guests
        one = _alone(directory, total, guests)
        yield f"one node with {total} guests", str(one)
        many = Nodes(directory, nodes, daemon)
        config = f"uris = ['test://{_empty(directory)}']\n[inventory]\nsample_floor = {FLOOR}\n{many.config(guests)}"
        with _served(config) as server:
            began = time.monotonic()
            server.start()
            _wait_for(server, many.names, guests)
            yield (
                "start to all guests of all nodes shown",
                f"{time.monotonic() - began:.1f} s, {cpu_seconds(server.pid):.1f} s of CPU time, of which the test "
                f"driver takes {_driver_seconds(directory, guests) * len(many.near):.1f} s for the guests",
            )
            pss, _ = memory_mib(server.pid)
            bare = _bare_memory(directory)
            yield "memory", f"{pss:.0f} MiB PSS"
            per_guest = 1024 / total
            yield (
                "memory per guest",
                f"{(pss - bare) * per_guest:.1f} KiB; with one node {(one.memory - bare) * per_guest:.1f} KiB",
            )
            yield "threads", str(len(list(Path(f"/proc/{server.pid}/task").iterdir())))
            _settle(server)
            yield (
                f"EnumerateInstances of {guests} guests in one namespace",
                f"{_enumeration(server, f'root/virt/{many.near[0]}')}; with one node {one.enumeration}",
            )
            yield "CIM_ComputerSystem in each namespace", _over_all(server, many.names)
            yield "CPU while nothing happens", f"{_quiet(server)}; with one node {one.quiet}"
            yield from _killed(server, many, guests, daemon)
            yield "summary of a group", _summary(server, total)
        yield from _absent(directory, ABSENT if nodes >= NODES else nodes)


@dataclass(frozen=True, slots=True)
class OneNode:
    """Figures of a server with one node.

    Attributes:
        started: seconds until all guests were shown, and those of CPU time.
        memory: MiB.
        quiet: CPU while nothing happens, for people.
        enumeration: of a few guests alone, for people.
    """

    started: tuple[float, float]
    memory: float
    quiet: str
    enumeration: str

    def __str__(self) -> str:
        seconds, cpu = self.started
        return f"shown after {seconds:.1f} s, {cpu:.1f} s of CPU time"


def _empty(directory: Path) -> Path:
    file = directory / "empty.xml"
    file.write_text(test_node(0))
    return file


@contextlib.contextmanager
def _served(config: str) -> Iterator[Server]:
    """A server that has compiled its classes before; not started."""
    server = Server(config="uris = ['test:///default']\n", guarded=False)
    try:
        server.start()
        server.stop()
        (server.directory / "virtcim.toml").write_text(config)
        yield server
    finally:
        server.close()


def _alone(directory: Path, total: int, guests: int) -> OneNode:
    """Measure a server with all guests on one node, and an enumeration where it has a few."""
    file = directory / "alone.xml"
    file.write_text(test_node(total))
    with _served(f"uris = ['test://{file}']\n") as server:
        began = time.monotonic()
        server.start()
        _wait_for(server, [""], total)
        started = time.monotonic() - began, cpu_seconds(server.pid)
        memory, _ = memory_mib(server.pid)
        quiet = _quiet(server)
    file.write_text(test_node(guests))
    with _served(f"uris = ['test://{file}']\n") as server:
        server.start()
        _wait_for(server, [""], guests)
        return OneNode(started, memory, quiet, _enumeration(server, "root/virt"))


def _driver_seconds(directory: Path, guests: int) -> float:
    """The CPU time that libvirt's test driver alone takes to make a node with so many guests."""
    file = directory / "driver.xml"
    file.write_text(test_node(guests))
    spent = []
    for _ in range(REPEATS):
        before = time.thread_time()
        libvirt.open(f"test://{file}").close()
        spent.append(time.thread_time() - before)
    return min(spent)


def _bare_memory(directory: Path) -> float:
    """The MiB of a server without guests."""
    with _served(f"uris = ['test://{_empty(directory)}']\n") as server:
        server.start()
        with server.client() as client:
            client.call("EnumerateInstanceNames", class_parameter("ClassName", "Test_ComputerSystem"))
        return memory_mib(server.pid)[0]


def _client(server: Server, namespace: str) -> RawClient:
    return RawClient(server.host, server.port, server.user, server.password, namespace)


def _wait_for(server: Server, names: list[str], guests: int) -> None:
    """Wait until all guests of these nodes are shown; "" is the local one."""
    deadline = time.monotonic() + PATIENCE
    asked = class_parameter("ClassName", "Test_ComputerSystem")
    for name in names:
        namespace = f"root/virt/{name}" if name else "root/virt"
        with _client(server, namespace) as client:
            # The class is there once its first node is.
            body, headers = client.prepared("EnumerateInstanceNames", asked)
            while client.post(body, headers)[2].count(b"<INSTANCENAME ") != guests:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{namespace}: its guests are not shown")
                time.sleep(0.05)


def _settle(server: Server) -> None:
    """Wait until what is read after the guests themselves, as the sizes of their disks, has been read."""
    deadline = time.monotonic() + PATIENCE
    spent = math.inf
    while spent > AT_REST and time.monotonic() < deadline:
        before = cpu_seconds(server.pid)
        time.sleep(1)
        spent = cpu_seconds(server.pid) - before


def _enumeration(server: Server, namespace: str) -> str:
    """The milliseconds of EnumerateInstances of all guests in a namespace, by the clock and of CPU time."""
    with _client(server, namespace) as client:
        body, headers = client.prepared("EnumerateInstances", class_parameter("ClassName", "Test_ComputerSystem"))
        took = statistics.median(_seconds(lambda: client.post(body, headers)) for _ in range(60)) * 1000
        return f"{took:.2f} ms, {least_cpu(server.pid, lambda: client.post(body, headers)):.2f} ms of CPU time"


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _over_all(server: Server, names: list[str]) -> str:
    """The guests in a second, by the clock and of CPU time, when CIM_ComputerSystem is asked for in each namespace, one
    after the other."""
    with _client(server, "root/virt") as client:
        asked = []
        for name in names:
            client.namespace = f"root/virt/{name}"
            asked.append(client.prepared("EnumerateInstances", class_parameter("ClassName", "CIM_ComputerSystem")))

        def ask() -> int:
            return sum(client.post(*each)[2].count(b'<INSTANCE CLASSNAME="Test_ComputerSystem"') for each in asked)

        found = ask()
        took, spent = [], []
        for _ in range(REPEATS):
            before = cpu_seconds(server.pid)
            took.append(_seconds(ask))
            spent.append(cpu_seconds(server.pid) - before)
        return f"{found / min(took):,.0f} guests/s, {found / min(spent):,.0f} guests in a second of CPU time"


def _summary(server: Server, total: int) -> str:
    """The summary of all guests of a group: its sums, and each guest."""
    ask = server.pywbem("root/interop")
    (group,) = ask.EnumerateInstanceNames("Virt_NodeGroup")
    (service,) = ask.EnumerateInstanceNames("Virt_AggregatedManagementService")
    method = "GetGroupSummary"
    sums = min(_seconds(lambda: ask.InvokeMethod(method, service, Group=group)) for _ in range(REPEATS))
    ask.debug = True
    ask.InvokeMethod(method, service, Group=group)
    headers = {"CIMMethod": method, "CIMObject": quote(service.to_wbem_uri(format="cimobject"), safe="")}
    request = ask.last_raw_request
    # What a client takes to read the answer does not count.
    body = request if isinstance(request, bytes) else request.encode()
    body = body.replace(b"</METHODCALL>", INCLUDE_GUESTS + b"</METHODCALL>")
    sizes, took, spent = [], [], []
    with _client(server, "root/interop") as client:
        time.sleep(FLOOR)
        for _ in range(1 + REPEATS):
            before = cpu_seconds(server.pid)
            took.append(_seconds(lambda: sizes.append(len(client.post(body, headers)[2]))))
            spent.append(cpu_seconds(server.pid) - before)
    return (
        f"sums {total / sums:,.0f} guests/s; of each guest {total / min(took[1:]):,.0f} guests/s and "
        f"{min(spent[1:]):.2f} s of CPU time, {total / took[0]:,.0f} guests/s and {spent[0]:.2f} s where figures are "
        f"sampled anew, {sizes[-1] / 1e6:.1f} MB"
    )


def _killed(server: Server, many: Nodes, guests: int, daemon: Libvirtd) -> Iterator[tuple[str, str]]:
    """Kill the far nodes and bring them back, and see how the near ones are served meanwhile."""
    before = _latencies(server, many, lambda: None)
    shown = _latencies(server, many, daemon.kill)
    lost = len(many.far)
    names = ("median", "95th percentile")
    yield (
        f"GetInstance on other nodes while {lost} are lost",
        "; ".join(
            f"{name} {new:.2f} ms, before {old:.2f} ms" for name, new, old in zip(names, shown, before, strict=True)
        ),
    )
    daemon.start()
    began = time.monotonic()
    _wait_for(server, many.far, guests)
    with _client(server, "root/virt") as client:
        while _connected(client, many) < len(many.names):
            if time.monotonic() - began > PATIENCE:
                raise RuntimeError("not all nodes came back")
            time.sleep(0.1)
    back = time.monotonic() - began
    yield f"{lost} nodes back", f"{back:.1f} s"


def _connected(client: RawClient, many: Nodes) -> int:
    client.namespace = "root/interop"
    answer = client.call("EnumerateInstances", class_parameter("ClassName", "Virt_ManagedNode"))
    return answer.count(b'<PROPERTY NAME="State" TYPE="uint16"><VALUE>2</VALUE>')


def _latencies(server: Server, many: Nodes, event: Callable[[], object]) -> tuple[float, float]:
    """The median and the 95th percentile of GetInstance on near nodes, in milliseconds; the event comes first."""
    name = "Test_ComputerSystem"
    path = instance_name(name, {"CreationClassName": name, "Name": guest_name(GUESTS // 2)})
    took = []
    with _client(server, "root/virt") as client:
        asked = []
        for near in many.near:
            client.namespace = f"root/virt/{near}"
            asked.append(client.prepared("GetInstance", parameter("InstanceName", path)))
        event()
        for number in range(LOOKS):
            took.append(_seconds(lambda number=number: client.post(*asked[number % len(asked)])) * 1000)  # type: ignore[misc]
            time.sleep(0.01)
    took.sort()
    return statistics.median(took), took[int(len(took) * 0.95)]


def _absent(directory: Path, count: int) -> Iterator[tuple[str, str]]:
    """Measure a server whose nodes are all down."""
    nodes = "".join(
        f"[node.absent{number}]\nuris = ['qemu+unix:///system?socket={directory}/absent{number}']\n"
        for number in range(count)
    )
    with _served(f"uris = ['test://{_empty(directory)}']\n{nodes}") as server:
        server.start()
        yield f"start with {count} nodes that are down", f"{server.start_seconds:.1f} s"
        quiet = _quiet(server)
        pss, _ = memory_mib(server.pid)
        threads = len(list(Path(f"/proc/{server.pid}/task").iterdir()))
        each = 1024 * (pss - _bare_memory(directory)) / count
        yield f"{count} nodes that are down", f"CPU {quiet}, {each:.0f} KiB for each, {threads} threads"


def _quiet(server: Server, seconds: float = 30.0) -> str:
    before = cpu_seconds(server.pid)
    time.sleep(seconds)
    return f"{(cpu_seconds(server.pid) - before) / seconds * 100:.1f} % of one core"


if __name__ == "__main__":
    for figure, text in measure_nodes(*map(int, sys.argv[1:])):
        print(f"{figure}: {text}", flush=True)

"""One measurement each: an operation, a rate, memory, the floor, and the way of an event."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import libvirt

from bench.load import WARM_UP
from tests.bed.server import RawClient, class_parameter, instance_name, parameter, simple_request

#: An operation is repeated so often, unless that takes longer than the seconds below.
REPETITIONS = 30
BUDGET = 4.0
LEAST_REPETITIONS = 5

#: What an answer is counted by: each object in it begins with one of these.
OBJECT_TAGS = (b"<VALUE.NAMEDINSTANCE", b"<VALUE.OBJECTWITHPATH", b"<OBJECTPATH", b"<INSTANCENAME", b"<INSTANCE ")


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one operation.

    Attributes:
        cpu: the server's own processor time, the least of all repetitions; None when it is not on this machine.
        first: likewise, of the first answer of all.
        bare: that of a server that has nothing to do but to send the same bytes (`bench.bare`).
    """

    name: str
    median: float
    least: float
    cpu: float | None
    objects: int
    size: int
    first: float | None = None
    bare: float | None = None


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process's threads have used so far, those that have ended among them."""
    # What clock_getcpuclockid(3) gives: the clock of a process by its number.
    return time.clock_gettime(~pid << 3 | 2)


def memory_mib(pid: int) -> tuple[float, float]:
    """PSS and RSS of a process, in MiB."""
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, *_ = line.split()
        sizes[name] = int(value) / 1024
    return sizes["Pss:"], sizes["Rss:"]


def operations(prefix: str, guest: str) -> dict[str, tuple[str, list[str]]]:
    """The operations of the baseline: a name for the table -> operation and its parameters."""
    path = instance_name(f"{prefix}_ComputerSystem", {"CreationClassName": f"{prefix}_ComputerSystem", "Name": guest})

    def enumerate_instances(class_name: str) -> tuple[str, list[str]]:
        return "EnumerateInstances", [class_parameter("ClassName", f"{prefix}_{class_name}")]

    return {
        "EnumerateInstances ComputerSystem": enumerate_instances("ComputerSystem"),
        "EnumerateInstanceNames ComputerSystem": (
            "EnumerateInstanceNames",
            [class_parameter("ClassName", f"{prefix}_ComputerSystem")],
        ),
        "EnumerateInstances Processor": enumerate_instances("Processor"),
        "EnumerateInstances LogicalDisk": enumerate_instances("LogicalDisk"),
        "EnumerateInstances ResourceAllocationSettingData": enumerate_instances("ResourceAllocationSettingData"),
        "EnumerateInstances VirtualSystemSettingData": enumerate_instances("VirtualSystemSettingData"),
        "Associators of one guest": ("Associators", [parameter("ObjectName", path)]),
        "GetInstance ComputerSystem": ("GetInstance", [parameter("InstanceName", path)]),
    }


def count_objects(answer: bytes) -> int:
    """How many objects an answer holds."""
    return next((found for tag in OBJECT_TAGS if (found := answer.count(tag))), 0)


def repeat(action: Callable[[], Any]) -> list[float]:
    """Milliseconds of each repetition, after one that does not count."""
    action()
    took: list[float] = []
    end = time.perf_counter() + BUDGET
    while len(took) < LEAST_REPETITIONS or (len(took) < REPETITIONS and time.perf_counter() < end):
        began = time.perf_counter()
        action()
        took.append((time.perf_counter() - began) * 1000)
    return took


class BareServer:
    """The floor: a server that sends bytes that it was given, and does nothing else.

    Attributes:
        port: of it, on 127.0.0.1.
    """

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory()
        self._file = Path(self._scratch.name, "answer")
        self._file.touch()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.bare", str(self._file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._scratch.cleanup()

    def cpu(self, answer: bytes, body: bytes, headers: Mapping[str, str]) -> float:
        """The milliseconds of processor time that sending this answer to this request takes, at least."""
        with self._client(answer) as client:
            client.post(body, headers)
            return least_cpu(self._process.pid, lambda: client.post(body, headers))

    def rate(self, answer: bytes, parameters: list[str], clients: int, seconds: float) -> dict[str, float]:
        """What `request_rate` gives of a server that sends this answer to everything."""
        with self._client(answer) as client:
            return request_rate(client, self._process.pid, parameters, clients, seconds)

    def _client(self, answer: bytes) -> RawClient:
        self._file.write_bytes(answer)
        return RawClient("127.0.0.1", self.port, None, None, "root/virt")


def least_cpu(pid: int, action: Callable[[], Any]) -> float:
    """The least milliseconds of a process's CPU time for an action.

    The kernel counts in ticks of the scheduler, and others take part of the machine's caches: so several actions are
    counted together, again and again, and the least is what counts.
    """
    began = time.perf_counter()
    action()
    together = max(1, min(50, int(0.02 / (time.perf_counter() - began))))
    least, end = float("inf"), time.perf_counter() + BUDGET / 2
    for _ in range(REPETITIONS):
        before = cpu_seconds(pid)
        for _ in range(together):
            action()
        least = min(least, (cpu_seconds(pid) - before) * 1000 / together)
        if time.perf_counter() > end:
            break
    return least


def time_operation(
    client: RawClient,
    pid: int | None,
    name: str,
    operation: str,
    parameters: list[str],
    bare: BareServer | None = None,
) -> Timing:
    """Time one operation over one keep-alive connection: the first answer, and then warm."""
    body, headers = client.prepared(operation, *parameters)
    before = cpu_seconds(pid) if pid is not None else 0.0
    answer = client.call(operation, *parameters)
    first = (cpu_seconds(pid) - before) * 1000 if pid is not None else None
    took = repeat(lambda: client.post(body, headers))
    cpu = least_cpu(pid, lambda: client.post(body, headers)) if pid is not None else None
    floor = bare.cpu(answer, body, headers) if bare is not None else None
    return Timing(name, statistics.median(took), min(took), cpu, count_objects(answer), len(answer), first, floor)


def request_rate(
    client: RawClient, pid: int, parameters: list[str], clients: int, seconds: float, https_port: int | None = None
) -> dict[str, float]:
    """GetInstance by `clients` keep-alive connections in a process of their own; over HTTPS when given its port."""
    body = simple_request("GetInstance", parameters, client.namespace)
    lines = [
        "POST /cimom HTTP/1.1",
        f"Host: {client.connection.host}:{client.connection.port}",
        *(f"{name}: {value}" for name, value in client.headers.items()),
        "CIMMethod: GetInstance",
        f"CIMObject: {quote(client.namespace, safe='')}",
        f"Content-Length: {len(body)}",
    ]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    before = cpu_seconds(pid)
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "bench.load", "https" if https_port else "http", client.connection.host),
            *(str(https_port or client.connection.port), str(clients), str(seconds)),
        ],
        input=request,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    result: dict[str, float] = json.loads(done.stdout)
    # The CPU time spans the warm-up, too: at the same rate it had so many requests more.
    result["cpu"] = (cpu_seconds(pid) - before) * 1000 / (result["rate"] * (seconds + WARM_UP))
    return result


def libvirt_floor(uri: str) -> list[Timing]:
    """What libvirt-python alone needs for what the server keeps: the list, the XML and the state of every domain."""
    connection = libvirt.open(uri)
    try:
        domains = connection.listAllDomains()
        xml_size = sum(len(domain.XMLDesc(0)) for domain in domains)

        def floor(name: str, action: Callable[[], Any], size: int = 0) -> Timing:
            took = repeat(action)
            return Timing(name, statistics.median(took), min(took), None, len(domains), size)

        return [
            floor("libvirt: listAllDomains", connection.listAllDomains),
            floor("libvirt: XMLDesc of all", lambda: [domain.XMLDesc(0) for domain in domains], xml_size),
            floor("libvirt: info of all", lambda: [domain.info() for domain in domains]),
        ]
    finally:
        connection.close()


def foreign_client(url: str) -> RawClient:
    """A client for another CIMOM: `http://[user:password@]host:port[/namespace]`."""
    parts = urlsplit(url)
    if parts.hostname is None:
        raise SystemExit(f"not a URL of a CIMOM: {url}")
    return RawClient(
        parts.hostname, parts.port or 5988, parts.username, parts.password, parts.path.strip("/") or "root/virt"
    )


def visible_after(action: Callable[[], Any], seen: Callable[[], bool], limit: float = 30.0) -> float:
    """Milliseconds from the return of `action` until `seen()`; 0 or little when the server knew before."""
    action()
    began = time.perf_counter()
    while not seen():
        if time.perf_counter() - began > limit:
            raise RuntimeError(f"a change was not visible within {limit} s")
    return (time.perf_counter() - began) * 1000

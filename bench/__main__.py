"""`python -m bench`: measure, print a table, write table, figures and plot into bench/results.

With VIRTCIM_BENCH_CIMOM set to the URL of another CIMOM (`http://user:password@host:port`) the same operations are
timed against it.  It should show as many guests; the table gives the number of objects of both.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import libvirt

from bench.bridge import measure_bridge
from bench.console import GUESTS as CONSOLE_GUESTS
from bench.console import measure_console, why_no_console
from bench.indications import Sizes, measure_indications
from bench.measure import (
    BareServer,
    cpu_seconds,
    foreign_client,
    libvirt_floor,
    memory_mib,
    operations,
    request_rate,
    time_operation,
    visible_after,
)
from bench.node import guest_name, test_node
from bench.nodes import NODES, measure_nodes
from bench.report import Run, machine, table, write
from bench.scrape import measure_scrape
from bench.silence import BYTES_EACH, GUESTS, measure_silence
from tests.bed import Libvirtd, Server, baseline_xml, boot_sector_xml, why_unavailable
from tests.bed.server import instance_name, parameter
from virtcim.libhelper.inventory.watch import xml_directories

SIZES = (1, 100, 1000, 10000)

#: Guests on QEMU; with fewer guests on the test driver, as many as those.
QEMU_GUESTS = 1000

#: Threads that define guests on the private libvirtd.
DEFINERS = 4

#: Seconds of load for each number of clients.
LOAD_SECONDS = 3.0
CLIENTS = (1, 4, 16)

#: Rounds of each change whose way to the client is timed.
ROUNDS = 20

#: How many indications are measured with as many guests; with fewer, the few that are the default.
LARGE = Sizes(QEMU_GUESTS, rounds=200, burst=2000)

#: Seconds of quiet over which the CPU use of server and libvirtd is taken, after so many that the first rounds take:
#: the lists that are made once a minute have to be in it.
QUIET_SECONDS = 60.0
SETTLING_SECONDS = 20.0

#: Seconds for which that server samples figures after somebody looked: by default these are more than it settles, and
#: what is measured then is no rest.
LINGER_SECONDS = 5.0


def say(text: str) -> None:
    print(text, flush=True)


def prefixed_guest(prefix: str, name: str) -> list[str]:
    """The parameter of GetInstance for a guest."""
    class_name = f"{prefix}_ComputerSystem"
    return [parameter("InstanceName", instance_name(class_name, {"CreationClassName": class_name, "Name": name}))]


@contextmanager
def warm_server(run: Run, uri: str, expected: int, prefix: str, config: str | None = None) -> Iterator[Server]:
    """A server that has compiled its classes before; its start is timed."""
    server = Server(
        uri,
        arguments=["--listen-https", "127.0.0.1:0", "--tls", "self-signed"],
        config=config,
        guarded=False,
        compiled=False,
    )
    try:
        server.start()
        first = server.start_seconds
        server.stop()
        server.start()
        run.figures["start to listening line"] = f"{server.start_seconds:.2f} s (first start: {first:.2f} s)"
        began = time.monotonic()
        names = operations(prefix, "")["EnumerateInstanceNames ComputerSystem"]
        with server.client() as client:
            while (shown := client.call(*flat(names)).count(b"<INSTANCENAME ")) < expected:
                if time.monotonic() - began > 120:
                    raise RuntimeError(f"{shown} of {expected} guests are shown")
                time.sleep(0.02)
        run.figures["start to all guests shown"] = (
            f"{server.start_seconds + time.monotonic() - began:.2f} s, {cpu_seconds(server.pid):.2f} s of CPU time"
        )
        yield server
    finally:
        server.close()


def flat(operation: tuple[str, list[str]]) -> Sequence[str]:
    return [operation[0], *operation[1]]


def measure(run: Run, server: Server, uri: str, prefix: str) -> None:
    """Everything that can be measured while nothing changes."""
    guest = guest_name(run.guests // 2)
    with server.client() as client, BareServer() as bare:
        for name, (operation, parameters) in operations(prefix, guest).items():
            run.timings.append(time_operation(client, server.pid, name, operation, parameters, bare))
        named = prefixed_guest(prefix, guest)
        answer = client.call("GetInstance", *named)
        for clients in CLIENTS:
            run.rates[f"bare  {clients:2}"] = bare.rate(answer, named, clients, LOAD_SECONDS)
            for scheme, port in (("http", None), ("https", server.https_port)):
                label = f"{scheme:5} {clients:2}"
                run.rates[label] = request_rate(client, server.pid, named, clients, LOAD_SECONDS, port)
    pss, rss = memory_mib(server.pid)
    run.figures["memory"] = f"{pss:.0f} MiB PSS, {rss:.0f} MiB RSS"
    run.floor = libvirt_floor(uri)


def measure_test_driver(size: int) -> Run:
    """`size` guests of the test driver, from a node file."""
    run = Run("test", size)
    with tempfile.TemporaryDirectory() as scratch:
        node = Path(scratch, "node.xml")
        node.write_text(test_node(size))
        uri = f"test://{node}"
        with warm_server(run, uri, size, "Test") as server:
            measure(run, server, uri, "Test")
            measure_scrape(run, server)
    return run


def define_guests(daemon: Libvirtd, size: int) -> None:
    """Define `size` inactive guests, in parallel."""

    def define(numbers: range) -> None:
        connection = libvirt.open(daemon.uri())
        try:
            for number in numbers:
                name = guest_name(number)
                connection.defineXML(baseline_xml(name, f"/var/lib/libvirt/images/{name}.qcow2"))
        finally:
            connection.close()

    with ThreadPoolExecutor(DEFINERS) as pool:
        for done in [pool.submit(define, range(first, size, DEFINERS)) for first in range(DEFINERS)]:
            done.result()


def measure_qemu(size: int) -> Run:
    """`size` inactive guests on a private libvirtd, and the way of events from it."""
    run = Run("QEMU", size)
    with Libvirtd() as daemon:
        began = time.monotonic()
        define_guests(daemon, size)
        say(f"  {size} guests defined in {time.monotonic() - began:.1f} s")
        directories = xml_directories("qemu", daemon.directory / "etc", daemon.directory / "run/libvirt")
        watched = "".join(f'"{path}" = "{kind}"\n' for path, kind in directories.items())
        config = f"[inventory]\nsample_linger = {LINGER_SECONDS}\n[inventory.watch_directories]\n{watched}"
        with warm_server(run, daemon.uri(), size, "KVM", config) as server:
            measure(run, server, daemon.uri(), "KVM")
            measure_events(run, server, daemon)
            measure_rest(run, server, daemon)
        run.figures.update(measure_indications(daemon, Sizes(size) if size < QEMU_GUESTS else LARGE))
        if url := os.environ.get("VIRTCIM_BENCH_CIMOM"):
            with foreign_client(url) as client:
                for name, (operation, parameters) in operations("KVM", guest_name(size // 2)).items():
                    run.foreign.append(time_operation(client, None, name, operation, parameters))
    return run


def measure_rest(run: Run, server: Server, daemon: Libvirtd) -> None:
    """What the server costs while nothing happens, in its own process and in the daemon's."""
    assert daemon.pid is not None
    time.sleep(SETTLING_SECONDS)
    pids = {"server": server.pid, "libvirtd": daemon.pid}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(QUIET_SECONDS)
    for name, pid in pids.items():
        share = (cpu_seconds(pid) - before[name]) / QUIET_SECONDS
        run.figures[f"CPU of {name} while nothing happens"] = f"{share * 100:.2f} % of one core"


def measure_events(run: Run, server: Server, daemon: Libvirtd) -> None:
    """From the return of a libvirt call until a client sees its effect."""
    connection = libvirt.open(daemon.uri())
    xml = boot_sector_xml("event-guest", daemon.new_image())
    with server.client() as client:
        body, headers = client.prepared("GetInstance", *prefixed_guest("KVM", "event-guest"))

        def shown() -> bytes:
            return client.post(body, headers)[2]

        def state(number: int) -> Callable[[], bool]:
            wanted = re.compile(rb'NAME="EnabledState"[^>]*>\s*<VALUE>%d</VALUE>' % number)
            return lambda: wanted.search(shown()) is not None

        def gone() -> bool:
            return b"<ERROR " in shown()

        def present() -> bool:
            return not gone()

        def series(name: str, *steps: tuple[Callable[[], Any], Callable[[], bool]]) -> None:
            took: list[list[float]] = [[] for _ in steps]
            for _ in range(ROUNDS):
                for (action, seen), times in zip(steps, took, strict=True):
                    times.append(visible_after(action, seen))
            words = name.split("/")
            for word, times in zip(words, took, strict=True):
                times.sort()
                run.figures[f"visible after {word}"] = (
                    f"median {statistics.median(times):.1f} ms, p95 {times[int(len(times) * 0.95) - 1]:.1f} ms"
                )

        try:
            series(
                "define/undefine",
                (lambda: connection.defineXML(xml), present),
                (lambda: connection.lookupByName("event-guest").undefine(), gone),
            )
            guest = connection.defineXML(xml)
            series("start/destroy", (guest.create, state(2)), (guest.destroy, state(3)))
            guest.create()
            series("suspend/resume", (guest.suspend, state(9)), (guest.resume, state(2)))
            guest.destroy()
            guest.undefine()
        finally:
            connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of guests")
    sizes = sorted(parser.parse_args().sizes)
    libvirt.registerErrorHandler(lambda *_: None, None)
    runs: list[Run] = []
    texts = [machine()]
    say(texts[0])

    def note(run: Run) -> None:
        runs.append(run)
        texts.append(table(run))
        say("\n" + texts[-1])

    for size in sizes:
        note(measure_test_driver(size))
    if (reason := why_unavailable()) is None:
        note(measure_qemu(min(QEMU_GUESTS, max(sizes))))
    else:
        texts.append(f"no QEMU guests: {reason}")
        say(texts[-1])
    say("\nthe longest silence of /health while")
    silences = measure_silence(min(GUESTS, max(sizes)), BYTES_EACH if max(sizes) >= GUESTS else 1 << 20)
    texts.append("\n".join(f"silence while {name}: {each}" for name, each in silences.items()))
    say("\nCPU time of an instance on its way through the CMPI bridge")
    bridge = measure_bridge(min(GUESTS, max(sizes)))
    texts.append("\n".join(f"bridge, {name}: {each}" for name, each in bridge.items()))
    say(texts[-1])
    say("\nthe console in a browser")
    if (reason := why_no_console()) is None:
        console = measure_console(min(CONSOLE_GUESTS, max(sizes)))
        texts.append("\n".join(f"console, {name}: {each}" for name, each in console.items()))
    else:
        texts.append(f"no console: {reason}")
    say(texts[-1])
    say("\nmany nodes in one server")
    if why_unavailable() is None:
        for name, each in measure_nodes(NODES if max(sizes) >= QEMU_GUESTS else 4):
            texts.append(f"nodes, {name}: {each}")
            say(texts[-1])
    plot = write(runs, "\n\n".join(texts))
    say(f"\nwritten: {plot} and, beside it, bench.txt and bench.json")


if __name__ == "__main__":
    main()

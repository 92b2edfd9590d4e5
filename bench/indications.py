"""The way of indications: from the change of a guest to a listener, many at once, and beside dead destinations.

`python -m bench.indications --guests 1000` measures this alone.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import libvirt

from bench.measure import cpu_seconds
from bench.node import guest_name
from tests.bed import Libvirtd, Server, baseline_xml, boot_sector_xml, why_unavailable
from tests.bed.quicklistener import QuickListener, subscribe_all

__all__ = ["Sizes", "measure_indications"]

QUERY = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA KVM_ComputerSystem"

#: Subscriptions of the latency, each with a destination of its own, and of the rate, all with one destination.
SUBSCRIPTIONS = 10

#: Destinations of the last figure, and how many of them are dead.
DESTINATIONS = 100
DEAD = 50

#: Turns of it, with dead ones and without: what else the machine does, both have their share of.
TURNS = 3

#: The rate that has to be kept up.
RATE = 1000

#: Threads that change guests for the rate: a change on a private libvirtd takes some milliseconds.
CHANGERS = 4

#: Seconds until everything has to be there.
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        guests: on the host.
        rounds: changes whose way is timed.
        burst: changes for the rate, and a quarter as many for each turn beside dead destinations.
    """

    guests: int = 20
    rounds: int = 20
    burst: int = 50


def measure_indications(daemon: Libvirtd, sizes: Sizes) -> dict[str, str]:
    """Take all figures of a libvirtd that has `sizes.guests` guests as `guest_name` names them.

    Returns:
        the figures, by what they say.
    """
    figures = {"indication at the listener after a change": _latency(daemon, sizes.rounds)}
    figures["indications to one keep-alive listener"] = _rate(daemon, sizes)
    figures[f"{DESTINATIONS - DEAD} destinations beside {DEAD} dead ones"] = _beside_dead(daemon, sizes)
    return figures


def _latency(daemon: Libvirtd, rounds: int) -> str:
    """From the return of a libvirt call that pauses a guest, or lets it go on, until each listener has it."""
    connection = libvirt.open(daemon.uri())
    took = []
    try:
        guest = connection.defineXML(boot_sector_xml("told-guest", daemon.new_image()))
        guest.create()
        paths = tuple(f"listener-{number}" for number in range(SUBSCRIPTIONS))
        with Server(daemon.uri(), guarded=False) as server, QuickListener(keep=False) as listener:
            subscribe_all(server, [listener.url(path) for path in paths], [QUERY])
            for number in range(rounds + 1):
                listener.clear()
                (guest.resume if number % 2 else guest.suspend)()
                returned = time.perf_counter()
                listener.wait(1, PATIENCE, paths)
                if number:  # the first one opens the connections
                    took += [(listener.arrivals[path][0].time - returned) * 1e3 for path in paths]
                time.sleep(0.05)
        guest.destroy()
        guest.undefine()
    finally:
        connection.close()
    took = sorted(max(0.0, each) for each in took)
    return (
        f"median {statistics.median(took):.1f} ms, p99 {took[min(len(took) - 1, int(len(took) * 0.99))]:.1f} ms"
        f" ({SUBSCRIPTIONS} subscriptions, {rounds} changes)"
    )


def _rate(daemon: Libvirtd, sizes: Sizes) -> str:
    """Indications a second at one listener, for as long as it takes to deliver those of a burst of changes."""
    with Server(daemon.uri(), guarded=False) as server, QuickListener(keep=False) as listener:
        subscribe_all(server, [listener.url("all")], [QUERY] * SUBSCRIPTIONS)
        rate = _burst(daemon, listener, ("all",), sizes.guests, sizes.burst, SUBSCRIPTIONS)
        return f"{rate:.0f}/s (wanted: {RATE}/s; {sizes.burst * SUBSCRIPTIONS} indications)"


def _beside_dead(daemon: Libvirtd, sizes: Sizes) -> str:
    """What dead destinations cost the living ones: medians of turns in alternation."""
    turns = [(_spread(daemon, sizes, 0), _spread(daemon, sizes, DEAD)) for _ in range(TURNS)]
    alone, beside = (
        _Spread(statistics.median(each.rate for each in several), statistics.median(each.cpu for each in several))
        for several in zip(*turns, strict=True)
    )
    return (
        f"{beside.rate:.0f} indications/s, alone {alone.rate:.0f}/s: {(alone.rate / beside.rate - 1) * 100:+.0f} %"
        f" time; {beside.cpu * 1e6:.0f} us of the server's CPU time for each, alone {alone.cpu * 1e6:.0f} us"
    )


@dataclass(frozen=True, slots=True)
class _Spread:
    """What living destinations were told.

    Attributes:
        rate: indications a second.
        cpu: seconds of the server's CPU time for each of them.
    """

    rate: float
    cpu: float


def _spread(daemon: Libvirtd, sizes: Sizes, dead: int) -> _Spread:
    """Tell living destinations beside dead ones, of which half refuse and half never answer."""
    paths = tuple(f"listener-{number}" for number in range(DESTINATIONS - DEAD))
    with _refusing() as refused, _silent() as silent, Server(daemon.uri(), guarded=False) as server:
        lost = [f"http://127.0.0.1:{silent if number % 2 else refused}/{number}" for number in range(dead)]
        with QuickListener(keep=False) as listener:
            subscribe_all(server, [*lost, *map(listener.url, paths)], [QUERY])
            # The first one opens the connections, and shows which destinations are dead.
            _burst(daemon, listener, paths, sizes.guests, 1, 1)
            listener.clear()
            before = cpu_seconds(server.pid)
            rate = _burst(daemon, listener, paths, sizes.guests, max(1, sizes.burst // 4), 1)
            told = sum(map(len, listener.arrivals.values()))
            return _Spread(rate, (cpu_seconds(server.pid) - before) / told)


def _burst(
    daemon: Libvirtd, listener: QuickListener, paths: Sequence[str], guests: int, changes: int, times: int
) -> float:
    """Change guests as fast as it goes, and wait until every destination has been told.

    Parameters:
        guests: how many there are to be changed in turn.
        changes: how many are made.
        times: how often each is told to each destination.

    Returns:
        indications a second, from the first change to the last arrival.
    """
    began = time.perf_counter()

    def change(first: int) -> None:
        connection = libvirt.open(daemon.uri())
        try:
            for number in range(first, changes, CHANGERS):
                guest = connection.lookupByName(guest_name(number % guests))
                text = f"change {number} at {began}"
                guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, text, None, None)
        finally:
            connection.close()

    with ThreadPoolExecutor(CHANGERS) as pool:
        list(pool.map(change, range(CHANGERS)))
    # Changes of one guest within a moment may have been told as one: what has come when nothing more comes counts.
    told = _settled(listener, changes * times * len(paths))
    last = max(each.time for path in paths for each in listener.arrivals[path])
    return told / (last - began)


def _settled(listener: QuickListener, most: int) -> int:
    """Wait until all indications have come, or for a second no further one has."""
    told, since, deadline = 0, time.monotonic(), time.monotonic() + PATIENCE
    while told < most and (told == 0 or time.monotonic() - since < 1) and time.monotonic() < deadline:
        time.sleep(0.01)
        now = sum(map(len, tuple(listener.arrivals.values())))
        if now != told:
            told, since = now, time.monotonic()
    if told == 0:
        raise RuntimeError("no indication has come")
    return told


@contextmanager
def _refusing() -> Iterator[int]:
    """A port where nobody listens, kept from everybody else."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def _silent() -> Iterator[int]:
    """A listener that takes connections and never answers."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:

        def take() -> None:
            while True:
                try:
                    taken.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for each in taken:
        each.close()


def main() -> None:
    few = Sizes()
    parser = argparse.ArgumentParser(prog="bench.indications", description=__doc__.partition("\n")[0])
    parser.add_argument("--guests", type=int, default=few.guests, help="number of guests on the host")
    parser.add_argument("--rounds", type=int, default=few.rounds, help="changes whose way is timed")
    parser.add_argument("--burst", type=int, default=few.burst, help="changes made as fast as it goes")
    arguments = parser.parse_args()
    libvirt.registerErrorHandler(lambda *_: None, None)
    if (reason := why_unavailable()) is not None:
        raise SystemExit(f"no QEMU guests: {reason}")
    with Libvirtd() as daemon:
        connection = libvirt.open(daemon.uri())
        for number in range(arguments.guests):
            name = guest_name(number)
            connection.defineXML(baseline_xml(name, f"/var/lib/libvirt/images/{name}.qcow2"))
        connection.close()
        sizes = Sizes(arguments.guests, arguments.rounds, arguments.burst)
        for name, figure in measure_indications(daemon, sizes).items():
            print(f"{name}: {figure}", flush=True)


if __name__ == "__main__":
    main()

"""What a scrape of `/metrics` costs: of the server, and of the text alone for guests that have all figures."""

from __future__ import annotations

import time
import urllib.request
from types import SimpleNamespace
from typing import Any

from bench.measure import cpu_seconds
from bench.report import Run
from tests.bed import Server
from tests.metrics.samples import sampled_twice
from tests.providers.recorded import domain_xml, hypervisor
from virtcim.libhelper.metrics.exposition import Sources, figures_text
from virtcim.libhelper.metrics.sampler import SampleRequest

__all__ = ["measure_scrape"]

DISKS, PORTS = ("vda", "vdb"), ("vnet0",)
DEVICES = "".join(
    f"<disk type='file'><source file='/{name}'/><target dev='{name}'/></disk>" for name in DISKS
) + "".join(f"<interface type='bridge'><source bridge='br0'/><target dev='{name}'/></interface>" for name in PORTS)
REPEATS = 5
FLOOR = 1.1
"""Seconds after which figures are sampled again, so that each scrape pays for a sampling."""


def measure_scrape(run: Run, server: Server) -> None:
    """Take down the CPU time of a scrape, where `run` has its guests on a running server.

    libvirt's test driver works within the server, and is asked guest by guest: its time is in the first figure.
    """
    request = urllib.request.Request(f"{server.url}/metrics")
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, server.url, server.user or "", server.password or "", is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    spent, size = [], 0
    for _ in range(REPEATS):
        time.sleep(FLOOR)
        before = cpu_seconds(server.pid)
        size = len(opener.open(request).read())
        spent.append(cpu_seconds(server.pid) - before)
    run.figures["scrape of /metrics"] = f"{1000 * min(spent):.0f} ms of CPU time, {size / 1024:.0f} KiB"
    run.figures["text of guests with two disks and a network port"] = f"{1000 * text_seconds(run.guests):.0f} ms"


def text_seconds(guests: int) -> float:
    """Give the CPU time that the text of so many guests takes which run on QEMU."""
    host = hypervisor()
    records = [host.put(domain_xml(f"guest{number}", DEVICES), active=True) for number in range(guests)]
    sample = sampled_twice({record.uuid: (DISKS, PORTS) for record in records})
    sample.clock = time.monotonic()
    quiet = SimpleNamespace(
        uri=host.uri, connected=True, inventory=SimpleNamespace(domains=lambda: records, pools=list)
    )
    sampled: Any = SimpleNamespace(
        **vars(quiet), metrics=SimpleNamespace(ask=lambda: SampleRequest(sample, True, 0.0), take=lambda *_: sample)
    )
    write = figures_text(lambda: [Sources([sampled])])
    spent = []
    for _ in range(REPEATS):
        began = time.thread_time()
        write(True)
        spent.append(time.thread_time() - began)
    return min(spent)

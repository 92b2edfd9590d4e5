"""Figures of guests of QEMU: as virsh has them, and of all but one that does not answer."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Libvirtd
from tests.bed.guests import boot_sector_xml
from tests.bed.server import wait_until
from tests.providers.recorded import Served, platform
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.metrics import Sample
from virtcim.libhelper.metrics.exposition import expose
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.providers.guests import all_guests
from virtcim.providers.Virt_BaseMetricValue import MetricValue, values_of
from virtcim.providers.Virt_ComputerSystem import system_of
from virtcim.providers.Virt_VirtualSystemManagementService.summary import summaries

NAMES = ("metrics-one", "metrics-two")
COUNTERS = {"CPUTime": "cpu.time", "ReadBytes:vda": "block.0.rd.bytes", "ReadRequests:vda": "block.0.rd.reqs"}


@pytest.fixture(scope="module")
def guests(libvirtd: Libvirtd) -> Iterator[dict[str, str]]:
    """Two guests that run, by name: their UUIDs."""
    uuids = {}
    for name in NAMES:
        image = libvirtd.new_image()
        uuids[name] = libvirtd.define(boot_sector_xml(name, image))
        libvirtd.virsh("start", name)
    yield uuids
    libvirtd.remove_domains()


@pytest.fixture
def served(libvirtd: Libvirtd, guests: dict[str, str]) -> Iterator[Served]:
    hypervisor = Hypervisor(libvirtd.uri(), HypervisorSettings(sample_floor=0.05, sample_patience=1.0))
    hypervisor.start()
    assert hypervisor.wait_ready(60)
    made = Served([(platform("KVM"), hypervisor)])
    yield made
    made.site.jobs.stop(5)
    hypervisor.stop()


def hypervisor_of(served: Served) -> Hypervisor:
    [hypervisor] = served.site.all_hypervisors()
    return hypervisor


def domstats(libvirtd: Libvirtd, name: str) -> dict[str, int]:
    text = libvirtd.virsh("domstats", name)
    return {key: int(number) for key, number in re.findall(r"^ +([\w.-]+)=(\d+)$", text, re.MULTILINE)}


def values(served: Served, uuid: str) -> dict[str, dict[str, Any]]:
    """The values of a guest by what follows the UUID in the key."""
    found = [each for each in served.instances("KVM_BaseMetricValue") if isinstance(each, MetricValue)]
    return {
        each.instance_id.split(":", 2)[2]: dict(each.properties())
        for each in found
        if each.instance_id.split(":", 2)[1] == uuid
    }


def test_counters_are_those_of_virsh(libvirtd: Libvirtd, guests: dict[str, str], served: Served) -> None:
    before = domstats(libvirtd, NAMES[0])
    shown = values(served, guests[NAMES[0]])
    after = domstats(libvirtd, NAMES[0])
    for metric, field in COUNTERS.items():
        assert before[field] <= int(shown[metric]["MetricValue"]) <= after[field], metric
    assert int(shown["MemoryResident:mem"]["MetricValue"]) > 1 << 20
    assert int(shown["DiskCapacity:vda"]["MetricValue"]) == after["block.0.capacity"]
    assert not [metric for metric in shown if metric.startswith("Received")], "a user network has no counters"


def test_rates_are_told_of_two_samples(guests: dict[str, str], served: Served) -> None:
    shown = wait_until(lambda: (found := values(served, guests[NAMES[0]])) and "CPULoad" in found and found)
    assert 0 <= float(shown["CPULoad"]["MetricValue"]) < 150
    assert shown["CPULoad"]["Duration"].total_seconds() > 0
    assert float(shown["ReadRate:vda"]["MetricValue"]) >= 0


def test_what_does_not_run_has_no_figures(libvirtd: Libvirtd, guests: dict[str, str], served: Served) -> None:
    """libvirt has some of it all the same, and so the association would lead to what nobody finds."""
    libvirtd.define(boot_sector_xml("metrics-off", libvirtd.new_image()))
    try:
        off = wait_until(
            lambda: next(
                (each for each in all_guests(served.site, platform("KVM")) if each.name == "metrics-off"), None
            ),
        )
        sample = wait_until(
            lambda: (found := hypervisor_of(served).metrics.look()) and off.domain.uuid in found.guests and found
        )
        assert "cpu.time" in domstats(libvirtd, "metrics-off")
        assert not any(name.startswith("cpu.") for name in sample.guests[off.domain.uuid].known.fields)
        wait_until(lambda: hypervisor_of(served).metrics.look() and len(hypervisor_of(served).metrics.history()) > 2)
        [summary] = summaries([off], with_history=True)
        assert "ProcessorLoadHistory" not in summary.properties
        assert not list(values_of(system_of(off)))
        assert not values(served, off.domain.uuid)
    finally:
        libvirtd.virsh("undefine", "metrics-off")


def process_of(libvirtd: Libvirtd, name: str) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if f"guest={name},".encode() in command and str(libvirtd.directory).encode() in command:
            return int(path.parent.name)
    raise AssertionError(f"no process of {name}")


def test_a_guest_that_does_not_answer_leaves_the_others_theirs(
    libvirtd: Libvirtd, guests: dict[str, str], served: Served
) -> None:
    hypervisor = hypervisor_of(served)
    stuck, well = guests[NAMES[1]], guests[NAMES[0]]
    wait_until(lambda: has_answered_twice(hypervisor.metrics.look(), stuck))
    process = process_of(libvirtd, NAMES[1])
    os.kill(process, signal.SIGSTOP)
    try:
        sample = wait_until(lambda: answer_without(hypervisor.metrics.look, stuck, well))
        assert sample.guests[well].fields["block.0.rd.bytes"] > 0
        known = sample.guests[stuck].known
        assert known.fields["balloon.rss"] > 0, "its last figures stay, with the time that they are of"
        assert known.time < sample.time
        earlier = sample.guests[stuck].earlier
        assert earlier is not None, "and those before them, for the rates of then"
        assert earlier.time < known.time
        page = expose([(hypervisor, sample, "")])
        assert f'libvirt_domain_timed_out{{domain="{NAMES[1]}"}} 1' in page
        assert f'libvirt_domain_info_state{{domain="{NAMES[1]}",state_desc="the domain is running"}} 1' in page
        assert f'libvirt_domain_info_cpu_time_seconds_total{{domain="{NAMES[0]}"}}' in page
    finally:
        os.kill(process, signal.SIGCONT)
    wait_until(lambda: (found := hypervisor.metrics.look()) and found.guests[stuck].answered)


def has_answered_twice(sample: Sample | None, uuid: str) -> bool:
    samples = (sample, sample.previous if sample is not None else None)
    return all(each is not None and each.guests[uuid].answered for each in samples)


def answer_without(look: Callable[[], Sample | None], stuck: str, well: str) -> Sample | None:
    """A sample with one guest and without another; anybody who asks the first for something holds it for a moment."""
    sample = look()
    time.sleep(0.1)
    return sample if sample and sample.guests[well].answered and not sample.guests[stuck].answered else None

"""Figures of a container: its driver has no call for all guests, and is asked guest by guest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bed import Libvirtd
from tests.bed.fullhost import start_container
from tests.bed.server import wait_until
from tests.providers.recorded import Served, platform
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.providers.Virt_BaseMetricValue import MetricValue

pytestmark = pytest.mark.lxc


@pytest.fixture
def served(libvirtd: Libvirtd) -> Iterator[Served]:
    if not start_container(libvirtd, "metrics-box"):
        pytest.skip("no container runs here")
    hypervisor = Hypervisor(libvirtd.uri("lxc"))
    hypervisor.start()
    assert hypervisor.wait_ready(60)
    made = Served([(platform("LXC"), hypervisor)])
    yield made
    made.site.jobs.stop(5)
    hypervisor.stop()
    libvirtd.remove_domains()


def test_a_container_is_asked_by_itself(served: Served, libvirtd: Libvirtd) -> None:
    def values() -> dict[str, str]:
        found = [each for each in served.instances("LXC_BaseMetricValue") if isinstance(each, MetricValue)]
        return {each.instance_id.split(":", 2)[2]: str(each.properties()["MetricValue"]) for each in found}

    shown = wait_until(lambda: (found := values()) and "CPUTime" in found and found)
    assert int(shown["CPUTime"]) > 0
    assert int(shown["MemoryMaximum:mem"]) == 128 << 20
    assert not [metric for metric in shown if metric.startswith("Processor")], "this driver has none of processors"
    [hypervisor] = served.site.all_hypervisors()
    assert hypervisor.metrics.latest is not None
    assert all(guest.answered for guest in hypervisor.metrics.latest.guests.values())

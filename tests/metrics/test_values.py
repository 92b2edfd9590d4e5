"""The values of all metrics: units, rates, and what there is no value for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.metrics.samples import fields, sampled_twice
from tests.providers.recorded import CONTEXT, RecordedHypervisor, Served, domain_xml, hypervisor, platform
from virtcim.libhelper.metrics import GuestSample, Sample
from virtcim.providers.guests import all_guests
from virtcim.providers.metrics import METRICS
from virtcim.providers.Virt_BaseMetricValue import MetricValue, measure_guest, measured_elements
from virtcim.providers.Virt_BaseMetricValue.measured import measure

DEVICES = (
    "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk>"
    "<disk type='file'><source file='/b'/><target dev='vdb' bus='virtio'/></disk>"
    "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/><target dev='vnet0'/></interface>"
)
#: What a metric is after 10 s in which the recorded guest and host did what `samples` says, where it is computed.
COMPUTED = {
    "CPULoad": "50.000",
    "ProcessorLoad:0": "40.000",
    "ReadRate:vda": "104857.600",
    "WriteRate:vda": "104857.600",
    "ReadRequestRate:vda": "1.000",
    "WriteRequestRate:vda": "0.000",
    "ReceiveRate:52:54:00:00:00:01": "1024.000",
    "SendRate:52:54:00:00:00:01": "2048.000",
    "HostCPULoad": "50.000",
}
SCALED = {"MemoryCurrent:mem": 64 << 20, "MemoryResident:mem": 46 << 20, "SwapIn:mem": 4096, "HostMemoryTotal": 8 << 30}


def host_of(*disks: str) -> tuple[RecordedHypervisor, str]:
    host = hypervisor()
    domain = host.put(domain_xml("busy", DEVICES).replace("<vcpu>1<", "<vcpu>2<"), active=True)
    host.metrics.latest = sampled_twice({domain.uuid: (disks or ("vda", "vdb"), ("vnet0",))})
    return host, domain.uuid


def values(host: RecordedHypervisor) -> dict[str, Mapping[str, Any]]:
    """The values by what follows guest or host in the key."""
    shown = Served([(platform("KVM"), host)]).instances("KVM_BaseMetricValue")
    return {each.instance_id.split(":", 2)[2]: each.properties() for each in shown if isinstance(each, MetricValue)}


def test_there_is_a_value_of_every_metric() -> None:
    host, _ = host_of()
    assert {key.partition(":")[0] for key in values(host)} == {metric.name for metric in METRICS}


@pytest.mark.parametrize(("key", "value"), [*COMPUTED.items(), *((key, str(size)) for key, size in SCALED.items())])
def test_units_and_rates(key: str, value: str) -> None:
    host, _ = host_of()
    shown = values(host)[key]
    assert shown["MetricValue"] == value
    assert (shown.get("Duration") is not None) == (key in COMPUTED)
    if key in COMPUTED:
        assert shown["Duration"].total_seconds() == 10


def test_each_device_has_its_own_figures() -> None:
    host, uuid = host_of("vdb")
    shown = values(host)
    assert "ReadBytes:vdb" in shown
    assert "ReadBytes:vda" not in shown, "libvirt has none of it"
    assert "ProcessorTime:1" not in shown, "it is not online"
    assert host.metrics.latest is not None
    assert host.metrics.latest.guests[uuid].fields["block.0.name"] == "vdb"


def test_a_counter_that_was_set_back_gives_no_rate() -> None:
    host, uuid = host_of()
    latest = host.metrics.latest
    assert latest is not None
    assert latest.previous is not None
    guest = latest.guests[uuid]
    latest.guests = {uuid: GuestSample({**guest.fields, "cpu.time": 0}, guest.time, guest.clock)}
    shown = values(host)
    assert "CPULoad" not in shown
    assert shown["CPUTime"]["MetricValue"] == "0"
    assert "ProcessorLoad:0" in shown


@pytest.mark.parametrize("disks", [("vda", "vdb"), ("vdb",)])
@pytest.mark.parametrize("known_before", [("vda", "vdb"), ("vdb", "vda"), ("vda",), ()])
def test_a_guest_as_a_whole_is_measured_as_each_of_its_elements(
    disks: tuple[str, ...], known_before: tuple[str, ...]
) -> None:
    host, uuid = host_of(*disks)
    assert host.metrics.latest is not None
    before = host.metrics.latest.previous
    assert before is not None
    guest = before.guests[uuid]
    before.guests = {uuid: GuestSample(fields(known_before, ("vnet0",)), guest.time, guest.clock)}
    [measured] = all_guests(Served([(platform("KVM"), host)]).site, platform("KVM"))
    names = frozenset(metric.name for metric in METRICS if metric.base != "Processor")
    by_element = [pair for element in measured_elements(measured) for pair in measure(element, names)]
    assert sorted(measure_guest(measured, names), key=str) == sorted(by_element, key=str)


def test_the_first_sample_gives_no_rates() -> None:
    host, _ = host_of()
    assert host.metrics.latest is not None
    host.metrics.latest.previous = None
    assert not values(host).keys() & COMPUTED.keys()


def test_a_guest_that_does_not_answer_keeps_its_figures_and_their_time() -> None:
    host, uuid = host_of()
    latest = host.metrics.latest
    assert latest is not None
    known = latest.guests[uuid]
    held = GuestSample({"state.state": 1}, known.time, known.clock + 10, answered=False, last=known)
    host.metrics.latest = Sample(3, latest.time, latest.clock + 10, {uuid: held}, latest.host, latest)
    shown = values(host)
    assert shown["CPUTime"]["MetricValue"] == str(fields(step=1)["cpu.time"])
    assert shown["CPUTime"]["TimeStamp"] == known.time
    assert "CPULoad" not in shown, "nothing is known of the time since"
    before = latest.previous
    assert before is not None
    held = GuestSample({"state.state": 1}, known.time, known.clock + 10, False, known, before.guests[uuid])
    host.metrics.latest = Sample(4, latest.time, latest.clock + 20, {uuid: held}, latest.host, None)
    assert values(host)["CPULoad"]["TimeStamp"] == known.time, "what was computed then stays, too"


def test_without_figures_there_are_no_values() -> None:
    host, _ = host_of()
    host.metrics.latest = None
    assert values(host) == {}


def test_nothing_is_measured_of_a_guest_that_is_off() -> None:
    host, _ = host_of()
    host.put(domain_xml("off", DEVICES))
    site = Served([(platform("KVM"), host)])
    [link] = [each for each in site.catalog.associations["root/virt"] if "KVM_MetricDefForME" in each.class_names]
    systems = {str(each.keys()["Name"]): each for each in site.instances("KVM_ComputerSystem")}
    found = {name: len(list(link.to_right(system, CONTEXT))) for name, system in systems.items()}
    assert found == {"busy": 4, "off": 0}
    definition = site.get("KVM_BaseMetricDefinition", Id="KVM:ReadBytes")
    assert [each.keys()["DeviceID"] for each in link.to_left(definition, CONTEXT)] == ["busy/vda", "busy/vdb"]

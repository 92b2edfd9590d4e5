"""What Prometheus reads: names, labels and values, for every guest, whatever libvirt can tell of it."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client import parser as text_format
from prometheus_client.openmetrics import parser as openmetrics

from tests.bed.server import Server
from tests.metrics.samples import SECONDS, START, sampled_twice
from tests.providers.recorded import RecordedHypervisor, domain_xml, hypervisor
from virtcim.libhelper.metrics import GuestSample, Sample
from virtcim.libhelper.metrics.exposition import Sources, expose, figures_text
from virtcim.libhelper.states import DomainState

DISK = "<disk type='file'><source file='/a \"b\"\\c'/><target dev='vda' bus='virtio'/></disk>"
PORT = (
    "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/><target dev='vnet0'/></interface>"
)

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: str) -> Figures:
    """Read a page as strictly as OpenMetrics has it."""
    families: Callable[[str], Iterable[Metric]] = openmetrics.text_string_to_metric_families
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families(text + "# EOF\n")
        for sample in family.samples
    }


def value(figures: Figures, name: str, **labels: str) -> float:
    return figures[name, frozenset(labels.items())]


def host_with(*names: str, **changes: Any) -> tuple[RecordedHypervisor, dict[str, str]]:
    host = hypervisor()
    uuids = {name: host.put(domain_xml(name, DISK + PORT), active=True, **changes).uuid for name in names}
    return host, uuids


def sample_of(uuids: dict[str, str]) -> Sample:
    return sampled_twice({uuid: (["vda"], ["vnet0"]) for uuid in uuids.values()})


def test_the_figures_of_a_guest() -> None:
    host, uuids = host_with("busy")
    figures = parse(expose([(host, sample_of(uuids), "")]))
    guest = {"domain": "busy"}
    assert value(figures, "libvirt_up") == 1
    assert value(figures, "libvirt_domains") == 1
    assert value(figures, "libvirt_domain_info_state", **guest, state_desc="the domain is running") == 1
    assert value(figures, "libvirt_domain_info_cpu_time_seconds_total", **guest) == pytest.approx(65)
    assert value(figures, "libvirt_domain_info_memory_usage_bytes", **guest) == 64 << 20
    assert value(figures, "libvirt_domain_memory_stats_rss_bytes", **guest) == 46 << 20
    assert value(figures, "libvirt_domain_vcpu_time_seconds_total", **guest, vcpu="0") == pytest.approx(54)
    assert value(figures, "libvirt_domain_block_stats_read_bytes_total", **guest, target_device="vda") == 2 << 20
    port = {**guest, "target_device": "vnet0"}
    assert value(figures, "libvirt_domain_interface_stats_transmit_bytes_total", **port) == 22_480
    assert not any(("vcpu", "1") in labels for _, labels in figures)


def test_what_a_guest_is_stands_in_series_of_their_own() -> None:
    host, uuids = host_with("busy")
    figures = parse(expose([(host, sample_of(uuids), "")]))
    [disk] = [dict(labels) for name, labels in figures if name == "libvirt_domain_block_stats_info"]
    assert disk["source_file"] == '/a "b"\\c'
    assert (disk["target_device"], disk["target_bus"]) == ("vda", "virtio")
    [port] = [dict(labels) for name, labels in figures if name == "libvirt_domain_interface_stats_info"]
    assert (port["source_bridge"], port["mac_address"]) == ("br0", "52:54:00:00:00:01")
    [info] = [dict(labels) for name, labels in figures if name == "libvirt_domain_info"]
    assert info["uuid"] == uuids["busy"]


def test_guests_without_figures_have_a_state() -> None:
    host, uuids = host_with("busy")
    host.put(domain_xml("off"))
    host.put(domain_xml("lost"), state=DomainState.CRASHED)
    for sample in (None, sample_of(uuids)):
        figures = parse(expose([(host, sample, "")]))
        states = {
            dict(labels)["domain"]: number for (name, labels), number in figures.items() if name.endswith("_state")
        }
        assert states == {"busy": 1, "off": 5, "lost": 6}
        for name in states:
            assert value(figures, "libvirt_domain_timed_out", domain=name) == (name == "busy" and sample is None)


def test_one_that_does_not_answer_never_drops_the_others() -> None:
    host, uuids = host_with("busy", "stuck")
    sample = sample_of(uuids)
    held = {"state.state": 1, "balloon.current": 65536, "balloon.maximum": 131072}
    answers = {**sample.guests, uuids["stuck"]: GuestSample(held, START, SECONDS, answered=False)}
    figures = parse(expose([(host, Sample(3, START, SECONDS, answers, sample.host), "")]))
    for name, timed_out in (("busy", 0), ("stuck", 1)):
        assert value(figures, "libvirt_domain_timed_out", domain=name) == timed_out
        assert value(figures, "libvirt_domain_memory_stats_actual_balloon_bytes", domain=name) == 64 << 20
    assert value(figures, "libvirt_domain_info_cpu_time_seconds_total", domain="busy") > 0
    assert ("libvirt_domain_info_cpu_time_seconds_total", frozenset({("domain", "stuck")})) not in figures


def test_names_that_would_break_the_page() -> None:
    name = 'a"b\\c\nd{e}'
    host, uuids = host_with("x")
    host.put(domain_xml("x").replace("<name>x</name>", "<name>a&quot;b\\c&#10;d{e}</name>"), uuid="1")
    figures = parse(expose([(host, sample_of(uuids), "")]))
    assert value(figures, "libvirt_domain_info_state", domain=name, state_desc="the domain is shut off") == 5


def test_hypervisors_are_told_apart_where_there_are_several() -> None:
    one, _ = host_with("busy")
    other = hypervisor("Xen")
    other.connected = False
    figures = parse(figures_text(lambda: [Sources([one, other])])(True).decode())
    assert value(figures, "libvirt_up", uri=one.uri) == 1
    assert value(figures, "libvirt_up", uri=other.uri) == 0
    assert value(figures, "libvirt_domains", uri=one.uri) == 1


def test_nodes_are_told_apart() -> None:
    local, _ = host_with("same")
    west, _ = host_with("same")
    lxc = hypervisor("Xen")
    lxc.connected = False
    page = figures_text(lambda: [Sources([local], "default"), Sources([west, lxc], "west", ("lab", "prod"))])(True)
    figures = parse(page.decode())
    assert value(figures, "libvirt_up", node="default") == 1
    assert value(figures, "libvirt_up", node="west", uri=lxc.uri) == 0
    assert value(figures, "libvirt_domains", node="west", uri=west.uri) == 1
    assert value(figures, "virtcim_node_group", node="west", group="prod") == 1
    states = [dict(labels)["node"] for name, labels in figures if name == "libvirt_domain_info_state"]
    assert states == ["default", "west"]


def test_a_page_is_written_anew_when_a_guest_changes() -> None:
    host, uuids = host_with("busy")
    host.metrics.latest = sample_of(uuids)
    host.metrics.latest.clock = time.monotonic()
    write = figures_text(lambda: [Sources([host])])
    first = write(True)
    assert write(True) == first
    host.put(domain_xml("busy", PORT), active=True, state=DomainState.PAUSED)
    host.put(domain_xml("new"))
    figures = parse(write(True).decode())
    assert value(figures, "libvirt_domain_info_state", domain="busy", state_desc="the domain is paused by user") == 3
    assert value(figures, "libvirt_domain_info_state", domain="new", state_desc="the domain is shut off") == 5
    assert not [name for name, _ in figures if name == "libvirt_domain_block_stats_info"]


def test_figures_that_are_old_are_left_out() -> None:
    host, uuids = host_with("busy")
    host.metrics.latest = sample_of(uuids)
    host.metrics.latest.clock = time.monotonic() - 1000
    figures = parse(figures_text(lambda: [Sources([host])])(True).decode())
    assert value(figures, "libvirt_domain_timed_out", domain="busy") == 1
    assert not [name for name, _ in figures if "cpu_time" in name]


def test_the_older_format_names_counters_whole() -> None:
    host, uuids = host_with("busy")
    page = expose([(host, sample_of(uuids), "")], openmetrics=False)
    assert "# TYPE libvirt_domain_info_cpu_time_seconds_total counter\n" in page
    kinds = {family.type for family in text_format.text_string_to_metric_families(page)}
    assert kinds == {"counter", "gauge"}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/openmetrics-text"),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", "application/openmetrics-text"),
        ("text/plain", "text/plain"),
    ],
)
def test_both_formats_are_served(server: Server, accept: str, media_type: str) -> None:
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as answer:
        page = answer.read().decode()
        assert answer.headers["Content-Type"].startswith(media_type)
    read = openmetrics if media_type.startswith("application") else text_format
    samples = {
        sample.name: sample.value for family in read.text_string_to_metric_families(page) for sample in family.samples
    }
    assert samples["libvirt_up"] == 1
    assert samples["libvirt_domain_info_cpu_time_seconds_total"] > 0
    assert samples["virtcim_connections"] == 1

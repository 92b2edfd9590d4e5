"""Figures of guests that are busy: what pywbem reads of them is what virsh tells, and what a scrape holds."""

from __future__ import annotations

import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.bed import Libvirtd, Server
from tests.bed.server import wait_until

pytestmark = [pytest.mark.root, pytest.mark.qemu]

READER = bytes.fromhex("31c0 8ed8 8ec0 be127c b442 b280 cd13 ebf5 00 1000 0100 0080 0000 0000000000000000")
"""A boot sector that reads a sector of its disk over and over again, by the BIOS's extended read."""

DISK = "<disk type='file'><driver name='qemu' type='raw'/><source file='{}'/><target dev='vda' bus='virtio'/></disk>"
MAC = "52:54:00:00:00:31"
TAP = f"<interface type='ethernet'><mac address='{MAC}'/><model type='virtio'/></interface>"
"""The network card's own program asks for an address in vain, again after each start of the machine, and so sends."""

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='{boot}'/>
<bios rebootTimeout='0'/></os>
<devices>{device}<controller type='usb' model='none'/></devices></domain>"""

COUNTERS = {
    "reads": {
        "CPUTime": "cpu.time", "ReadBytes:vda": "block.0.rd.bytes", "ReadRequests:vda": "block.0.rd.reqs",
        "ReadTime:vda": "block.0.rd.times",
    },
    "sends": {"CPUTime": "cpu.time", f"SentBytes:{MAC}": "net.0.tx.bytes", f"SentPackets:{MAC}": "net.0.tx.pkts"},
}  # fmt: skip
"""Of each guest, what follows its UUID in the key of a value, and virsh's word for it."""

RATES = {
    "reads": {"CPULoad": ("CPUTime", 1e7), "ReadRate:vda": ("ReadBytes:vda", 1)},
    "sends": {"CPULoad": ("CPUTime", 1e7), f"SendRate:{MAC}": (f"SentBytes:{MAC}", 1)},
}
"""Likewise of rates: what each is made of, and how much of that in a second is one of the rate."""


@pytest.fixture(scope="module")
def uuids(libvirtd: Libvirtd) -> Iterator[dict[str, str]]:
    """Two guests that are busy, by name: their UUIDs."""
    image = libvirtd.images / "reader.raw"
    image.write_bytes(READER.ljust(510, b"\0") + b"\x55\xaa" + bytes((1 << 20) - 512))
    devices = {"reads": ("hd", DISK.format(image)), "sends": ("network", TAP)}
    found = {}
    for name, (boot, device) in devices.items():
        found[name] = libvirtd.define(GUEST.format(name=name, boot=boot, device=device))
        libvirtd.virsh("start", name)
    yield found
    libvirtd.remove_domains()


@pytest.fixture(scope="module")
def server(libvirtd: Libvirtd, uuids: dict[str, str]) -> Iterator[Server]:
    """A server that samples only when it is asked."""
    config = "[inventory]\nsample_floor = 0.5\nsample_interval = 3600\nsample_patience = 60\n"
    with Server(libvirtd.uri(), config=config, auth="none") as running:
        yield running


def domstats(libvirtd: Libvirtd, name: str) -> dict[str, int]:
    text = libvirtd.virsh("domstats", name)
    return {key: int(number) for key, number in re.findall(r"^ +([\w.-]+)=(\d+)$", text, re.MULTILINE)}


def values(ask: Any, uuid: str) -> dict[str, Any]:
    """What is measured of a guest and of its devices in one sample, by what follows its UUID in the key."""
    prefix = f"KVM:{uuid}:"
    found = ask.EnumerateInstances("KVM_BaseMetricValue", "root/virt")
    return {each["InstanceID"].removeprefix(prefix): each for each in found if each["InstanceID"].startswith(prefix)}


@pytest.mark.parametrize("name", ["reads", "sends"])
def test_counters_and_rates_of_a_busy_guest_are_those_of_virsh(
    libvirtd: Libvirtd, server: Server, uuids: dict[str, str], name: str
) -> None:
    uuid, counters, rates = uuids[name], COUNTERS[name], RATES[name]
    busy = list(counters.values())[1]
    shown: list[dict[str, Any]] = []
    with server.pywbem() as ask:

        def look_again(used: int = 0) -> bool:
            """Keep what is shown, where that is a new sample; whether the guest had used more processor time."""
            found = values(ask, uuid)
            if "CPUTime" in found and (not shown or found["CPUTime"]["TimeStamp"] != shown[-1]["CPUTime"]["TimeStamp"]):
                shown.append(found)
            return bool(shown) and int(shown[-1]["CPUTime"]["MetricValue"]) > used

        wait_until(look_again)
        for _ in range(2):
            before = domstats(libvirtd, name)
            wait_until(lambda seen=before: domstats(libvirtd, name)[busy] > seen[busy], 120)  # type: ignore[misc]
            # One that was asked for earlier can come late, with figures from before these.
            wait_until(lambda used=before["cpu.time"]: look_again(used))  # type: ignore[misc]
            after = domstats(libvirtd, name)
            for metric, field in counters.items():
                assert before[field] <= int(shown[-1][metric]["MetricValue"]) <= after[field], metric
        seconds = (
            shown[-1]["CPUTime"]["TimeStamp"].datetime - shown[-2]["CPUTime"]["TimeStamp"].datetime
        ).total_seconds()
        for metric, (counter, unit) in rates.items():
            grown = int(shown[-1][counter]["MetricValue"]) - int(shown[-2][counter]["MetricValue"])
            assert grown > 0, counter
            assert shown[-1][metric]["Duration"].timedelta.total_seconds() == pytest.approx(seconds, rel=0.01)
            assert float(shown[-1][metric]["MetricValue"]) == pytest.approx(grown / unit / seconds, rel=0.02), metric
        [device] = [each for each in counters if ":" in each and "Bytes" in each]
        [of] = ask.AssociatorNames(shown[-1][device].path, AssocClass="CIM_MetricForME")
        assert of["SystemName"] == name


def test_a_page_of_busy_guests_is_right_for_prometheus(libvirtd: Libvirtd, server: Server) -> None:
    def scrape() -> str:
        request = urllib.request.Request(f"{server.url}/metrics", headers={"Accept": "text/plain"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())

    def used(page: str) -> dict[str, float]:
        found = re.findall(r'^libvirt_domain_info_cpu_time_seconds_total{domain="(\w+)"} (\S+)$', page, re.MULTILINE)
        return {name: float(seconds) * 1e9 for name, seconds in found}

    wait_until(lambda: used(scrape()).keys() == COUNTERS.keys())
    before = {name: domstats(libvirtd, name)["cpu.time"] for name in COUNTERS}
    # What is sampled from now on has other figures: both are busy.
    page = wait_until(lambda: (found := scrape()) and found * all(used(found)[name] > before[name] for name in before))
    for name in COUNTERS:
        assert used(page)[name] <= domstats(libvirtd, name)["cpu.time"] * 1.001
    assert {family.name for family in text_string_to_metric_families(page)} >= {"libvirt_domain_info_state"}
    if (promtool := shutil.which("promtool")) is not None:
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr

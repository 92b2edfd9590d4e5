"""How large guests can be: the limit is that of their domain type and machine, where libvirt tells it."""

from __future__ import annotations

import pytest

from tests.bed.daemon import Libvirtd
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.host import HostFacts, NodeInfo
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.limits import GuestLimits


def capabilities(*cells: int) -> str:
    texts = "".join(f"<cell id='{place}'><memory unit='KiB'>{size}</memory></cell>" for place, size in enumerate(cells))
    return f"<capabilities><host><topology><cells>{texts}</cells></topology></host></capabilities>"


@pytest.mark.parametrize(
    ("told", "xml", "memory"),
    [
        (4096, capabilities(2048, 2500), 4548),
        (4096, capabilities(2048), 4096),
        (4096, "", 4096),
        (0, "", None),
    ],
)
def test_memory_of_a_host(told: int, xml: str, memory: int | None) -> None:
    assert HostFacts(node=NodeInfo(memory=told), capabilities_xml=xml).memory == memory


def test_a_driver_without_such_capabilities() -> None:
    hypervisor = Hypervisor("test:///default")
    hypervisor.start()
    try:
        assert hypervisor.wait_ready(60)
        limits = hypervisor.guest_limits(DomainConfig(type="test"))
        assert limits == GuestLimits(hypervisor.facts.memory, hypervisor.facts.max_vcpus)
        assert limits.processors
    finally:
        hypervisor.stop()


def test_machines_differ(libvirtd: Libvirtd) -> None:
    hypervisor = Hypervisor(libvirtd.uri())
    hypervisor.start()
    try:
        assert hypervisor.wait_ready(60)
        machines = ("q35", "isapc")
        configs = {each: DomainConfig(type="qemu", os_type_arch="x86_64", os_type_machine=each) for each in machines}
        found = {machine: hypervisor.guest_limits(config).processors for machine, config in configs.items()}
        assert found["isapc"] == 1
        assert (found["q35"] or 0) > 1
    finally:
        hypervisor.stop()

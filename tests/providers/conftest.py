"""Fixtures of the provider tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bed.classes import class_store
from tests.metrics.samples import sampled_twice
from tests.providers.agents import told
from tests.providers.poolhost import add_pools
from tests.providers.rareguest import serve_rare_guest
from tests.providers.recorded import DOMAINS, PLATFORMS, Served, hypervisor, platform
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.inventory.records import Document
from virtcim.providers.interface import Instance
from virtcim.providers.Virt_AllocationCapabilities import templates_of
from virtcim.providers.Virt_DevicePool import pools_of
from virtcim.schema.classes import ClassStore

DEFINITIONS = DOMAINS.parent / "definitions"
PLATFORM_OF_TYPE = {kind: found.prefix for found in reversed([*PLATFORMS]) for kind in found.domain_types}


@pytest.fixture(scope="session")
def classes() -> ClassStore:
    """The class store with the classes of all platforms."""
    return class_store(PLATFORMS.prefixes)


@pytest.fixture(scope="session")
def corpus() -> Served:
    """All recorded domains, those called running as running ones, and a host with networks, storage and devices."""
    hosts = {found.prefix: hypervisor(found.prefix) for found in PLATFORMS if found.tried}
    for file in sorted(DOMAINS.glob("*.xml")):
        xml = file.read_text()
        kind = DomainConfig.parse(xml).type or ""
        hosts[PLATFORM_OF_TYPE[kind]].put(xml, active="running" in file.name)
    live, defined = ((DEFINITIONS / f"rich-{which}.xml").read_text() for which in ("live", "defined"))
    redefined = defined.replace("</devices>", "<hub type='usb'/></devices>").replace("current='1'>4", "current='2'>4")
    rich = hosts["KVM"].put(live, active=True, defined_document=Document(redefined, DomainConfig.parse))
    hosts["KVM"].metrics.latest = sampled_twice({rich.uuid: (["vda"], ["vnet0"])})
    talking = hosts["KVM"].inventory.domain("kvm-running")
    assert talking is not None
    hosts["KVM"].agents.told[talking.uuid] = told("52:54:00:4a:b1:02")
    add_pools(hosts["KVM"])
    hosts["KVM"].put_pool("guests", "/srv/guests", [("top.qcow2", 1 << 30)])
    return Served([(platform(prefix), host) for prefix, host in hosts.items()])


@pytest.fixture(scope="session")
def rare_guest() -> Iterator[Served]:
    """What the recorded domains do not have."""
    served = serve_rare_guest()
    yield served
    served.site.jobs.stop(5)


@pytest.fixture(scope="session")
def everything(corpus: Served, rare_guest: Served) -> list[Instance]:
    """All instances that recorded hosts show, and those that are reached by association only."""
    templates = [
        template for each in PLATFORMS for pool in pools_of(corpus.site, each) for template in templates_of(pool)
    ]
    return [*corpus.everything(), *rare_guest.everything(), *templates]

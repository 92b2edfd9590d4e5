"""The revision of a namespace tells of everything that its lasting instances are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.providers.recorded import Served, domain_xml, hypervisor, platform

FACTS = hypervisor().facts


def served() -> tuple[Any, Served]:
    """A host with a guest, and what shows them."""
    host = hypervisor()
    host.put(domain_xml("guest"), active=True)
    return host, Served([(platform("KVM"), host)])


@pytest.mark.parametrize(
    "change",
    [{"connected": False}, {"fqdn": "other.example.org"}, {"facts": replace(FACTS, hypervisor_version=(8, 0, 0))}],
    ids=["lost", "renamed", "updated"],
)
def test_it_tells_of_hosts(change: Mapping[str, Any]) -> None:
    host, site = served()
    revision, [before] = site.catalog.revision("root/virt"), site.instances("KVM_HostSystem")
    shown = before.keys(), before.properties()
    assert site.catalog.revision("root/virt") == revision
    for name, value in change.items():
        setattr(host, name, value)
    [after] = site.instances("KVM_HostSystem")
    assert site.catalog.revision("root/virt") != revision
    if "facts" not in change:
        assert (after.keys(), after.properties()) != shown


def test_what_a_class_promises_holds_for_its_instances() -> None:
    _, site = served()
    promised = {name for name, provider in site.providers.items() if provider.is_lasting(name)}
    assert {"KVM_ComputerSystem", "KVM_HostSystem", "Xen_ComputerSystem", "KVM_Processor"} <= promised
    assert not {"KVM_BaseMetricValue", "KVM_ConcreteJob"} & promised
    assert all(each.lasting for name in promised for each in site.instances(name))

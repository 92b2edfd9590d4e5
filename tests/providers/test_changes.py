"""What the change of a record means for instances follows from where elements say that they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest

from tests.providers.recorded import PLATFORMS, Served, hypervisor, platform
from virtcim.libhelper.inventory.kept import pack, unpack
from virtcim.libhelper.inventory.records import SNAPSHOTS, Domain, Record
from virtcim.libhelper.states import DomainState, PausedReason
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.changes import instance_changes
from virtcim.providers.interface import InstanceChange, Lifecycle
from virtcim.providers.kinds import KINDS
from virtcim.providers.lifecycle import LifecycleSources, own_indications
from virtcim.providers.lifecycle.lastknown import comparable, is_same
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.registration.catalog import build_catalog, element_types
from virtcim.registration.roles import method_roles

KVM = platform("KVM")


def types_of(served: Served) -> list[type[Element]]:
    providers = chain.from_iterable(served.catalog.namespaces.values())
    return [each for provider in providers if isinstance(provider, ElementProvider) for each in provider.types]


def records_of(served: Served) -> Iterator[Record]:
    for each in served.site.platforms:
        for host in served.site.hypervisors(each):
            inventory = host.inventory
            yield from (*inventory.domains(), *inventory.pools(), *inventory.networks(), *inventory.nwfilters())


def test_every_instance_that_records_stand_behind_is_found_from_its_record(corpus: Served) -> None:
    for element in types_of(corpus):
        for each in corpus.site.platforms:
            source = element.source
            if source.records:
                uris = {host.uri for host in corpus.site.hypervisors(each)}
                shown = {found.identity for found in element.all_of(corpus.site, each)}
                found = {
                    instance.identity
                    for record in records_of(corpus)
                    if isinstance(record, source.records) and record.uri in uris
                    for instance in source.instances_of(corpus.site, each, record, element)
                }
                primordial = {name for name in shown if re.fullmatch(r"\w+Pool/0", str(name))}
                assert shown - primordial == found, element


@pytest.fixture
def changed() -> tuple[Served, Domain, Domain]:
    """A guest before and after its disk was taken away and its network card got another model."""
    host = hypervisor("KVM")
    xml = (
        "<domain type='kvm'><name>web</name><uuid>c7a5fdbd-cdaf-9455-926a-d65c16db1809</uuid>"
        "<memory>1048576</memory><vcpu>2</vcpu><os><type>hvm</type></os><devices>{}"
        "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/>"
        "<model type='{}'/></interface></devices></domain>"
    )
    disk = "<disk type='file' device='disk'><source file='/a'/><target dev='vda' bus='virtio'/></disk>"
    host.put(xml.format(disk, "virtio"))
    served = Served([(KVM, host)])
    before = host.inventory.held[0]
    host.inventory.held.clear()
    host.put(xml.format("", "e1000"))
    return served, before, host.inventory.held[0]


def summaries(changes: Iterator[InstanceChange]) -> set[tuple[str, str, object]]:
    return {
        (change.kind.name, (change.after or change.before).class_name, (change.after or change.before).identity)  # type: ignore[union-attr]
        for change in changes
    }


def test_a_changed_guest_has_changed_deleted_and_equal_instances(changed: tuple[Served, Domain, Domain]) -> None:
    served, before, after = changed
    assert summaries(instance_changes(served.site, types_of(served), before, after)) == {
        ("DELETED", "KVM_LogicalDisk", "web/vda"),
        ("DELETED", "KVM_DiskResourceAllocationSettingData", "web/vda"),
        ("MODIFIED", "KVM_NetworkPort", "web/52:54:00:00:00:01"),
        ("MODIFIED", "KVM_NetResourceAllocationSettingData", "web/52:54:00:00:00:01"),
        ("MODIFIED", "KVM_VirtualSystemSnapshotCapabilities", "web"),  # it has no disk any more to be taken
    }


def test_a_new_guest_and_one_that_is_gone_have_all_their_instances(changed: tuple[Served, Domain, Domain]) -> None:
    served, _, after = changed
    created = summaries(instance_changes(served.site, types_of(served), None, after))
    deleted = summaries(instance_changes(served.site, types_of(served), after, None))
    assert {kind for kind, _, _ in created} == {Lifecycle.CREATED.name}
    assert {each[1:] for each in created} == {each[1:] for each in deleted}
    assert {"KVM_ComputerSystem", "KVM_Processor", "KVM_VirtualSystemSettingData"} <= {name for _, name, _ in created}
    assert not set(instance_changes(served.site, types_of(served), after, after))


def test_sites_share_what_they_have_alike() -> None:
    """Nine hundred classes with a thousand namespaces each would be millions of entries."""
    sites = [Site((), PLATFORMS, KINDS, ProviderSettings(namespace=f"root/virt/n{number}")) for number in range(3)]
    catalog = build_catalog(*sites)
    sources = LifecycleSources(sites, element_types(catalog), None, catalog.associations)
    homes = {id(each): each for each in sources.class_names.values()}
    assert list(homes.values()) == [frozenset(site.namespace for site in sites)]
    assert sources.class_names.keys() >= {"KVM_ComputerSystem", "KVM_SystemDevice"}
    assert own_indications(sites[0], (ComputerSystem,)) is own_indications(sites[1], (ComputerSystem,))
    roles = method_roles(catalog)
    assert roles == method_roles(build_catalog(sites[0]))
    sources.follow(sites[:2], catalog.associations)
    assert set(sources.class_names.values()) == {frozenset(site.namespace for site in sites[:2])}


def test_a_record_is_compared_as_it_is_where_nothing_is_taken_over_from_the_older_one() -> None:
    """A copy of it would stay as what was told last: as many records again as there are guests."""
    host = hypervisor()
    before, after = (host.put("<domain type='kvm'><name>web</name></domain>", active=True) for _ in range(2))
    assert comparable(before, after)[1] is after
    changed = replace(before, state_changed=datetime.now(UTC))
    taken_over = comparable(changed, after)[1]
    assert taken_over is not after
    assert taken_over.state_changed == changed.state_changed


OTHER_VALUES: dict[str, Any] = {
    "name": "another",
    "uuid": "c7a5fdbd-cdaf-9455-926a-d65c16db1810",
    "active": False,
    "persistent": False,
    "autostart": True,
    "live_document": None,
    "defined_document": None,
    "parts": {SNAPSHOTS: ()},
    "id": 7,
    "state": DomainState.PAUSED,
    "reason": PausedReason.IOERROR,
    "has_managed_save": True,
    "has_snapshots": True,
    "has_checkpoints": True,
    "state_changed": datetime(2026, 1, 1, tzinfo=UTC),
    "capacities": {"vda": 1},
    "relocating": True,
}
OF_NO_INSTANCE = {"uri", "contact", "revision"}
"""Where a record comes from, whether it is true still, and which one it is."""


@pytest.mark.parametrize("name", sorted({each.name for each in fields(Domain)} - OF_NO_INSTANCE))
def test_what_a_guest_is_shown_by_is_told_when_it_changes_and_kept(name: str) -> None:
    """Else the next change of it begins with what nobody was told."""
    before = hypervisor().put("<domain type='kvm'><name>web</name></domain>", active=True)
    after = replace(before, **{name: OTHER_VALUES[name]})
    assert not is_same(before, after)
    assert is_same(after, unpack(pack(after)))

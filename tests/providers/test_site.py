"""Several hypervisors, absent ones, changes, and guests that are broken."""

from __future__ import annotations

import gc
import logging
import random
import uuid
from typing import Any

import pytest

from tests.providers.recorded import CONTEXT, PLATFORMS, Served, domain_xml, hypervisor, platform
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.inventory.journal import LENGTH
from virtcim.libhelper.inventory.records import Document
from virtcim.platforms.base import Platform
from virtcim.providers import guest
from virtcim.providers.guest import Guest
from virtcim.providers.guests import all_guests
from virtcim.providers.kinds import KINDS
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog


def site_of(*members: Any) -> Site:
    return Site(members, PLATFORMS, KINDS, ProviderSettings())


def test_absent_hypervisors_have_no_instances() -> None:
    site = Served([])
    assert site.everything() == []
    for association in site.catalog.associations["root/virt"]:
        for class_name in association.class_names:
            assert list(association.sources(class_name, CONTEXT)) == []


def test_a_hypervisor_that_never_answered_has_no_host() -> None:
    host = hypervisor()
    host.fqdn = host.hostname = ""
    host.connected = False
    shown = {type(each).__name__ for each in Served([(platform("KVM"), host)]).everything()}
    assert shown <= {"MetricDefinition", "SettingField", "MetaTemplate"}, "these are the platform's own"


def test_several_hypervisors_of_one_platform(caplog: pytest.LogCaptureFixture) -> None:
    one, two = hypervisor("KVM", "system"), hypervisor("KVM", "session")
    one.put(domain_xml("both", rest="<title>first</title>"))
    one.put(domain_xml("one"))
    two.put(domain_xml("both", rest="<title>second</title>"))
    two.put(domain_xml("two"))
    site = Served([(platform("KVM"), one), (platform("KVM"), two)])
    with caplog.at_level(logging.WARNING):
        assert sorted(site.identifiers("KVM_ComputerSystem")) == ["both", "one", "two"]
        two.put(domain_xml("three"))
        assert sorted(site.identifiers("KVM_ComputerSystem")) == ["both", "one", "three", "two"]
    assert [record.getMessage() for record in caplog.records] == [
        "guest 'both' of kvm:///session is not served: kvm:///system has one of that name, and both are of platform KVM"
    ]
    assert site.vssd("both")["Caption"] == "first"
    assert len(site.instances("KVM_HostSystem")) == 1


@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_guests_of_a_name_the_older_one_is_gone(is_first: bool, caplog: pytest.LogCaptureFixture) -> None:
    host = hypervisor()
    host.put(domain_xml("g", rest="<title>older</title>"))
    (older,) = host.inventory.held
    newer = host.put(domain_xml("g", rest="<title>newer</title>"), uuid="00000000-0000-4000-8000-000000000001")
    host.inventory.held = [older, newer] if is_first else [newer, older]
    site = Served([(platform("KVM"), host)])
    with caplog.at_level(logging.WARNING):
        assert site.identifiers("KVM_ComputerSystem") == ["g"]
    assert site.vssd("g")["Caption"] == "newer"
    assert not caplog.records


def test_hosts_of_different_hypervisors_keep_their_guests() -> None:
    near, far = hypervisor("KVM", "near"), hypervisor("KVM", "far")
    far.fqdn = "far.example.org"
    near.put(domain_xml("n"))
    far.put(domain_xml("f"))
    site = Served([(platform("KVM"), near), (platform("KVM"), far)])
    hosted = next(a for a in site.catalog.associations["root/virt"] if "KVM_HostedDependency" in a.class_names)
    assert (hosted.left.role, hosted.right.role) == ("Antecedent", "Dependent")
    pairs = {
        left.identity: [right.identity for right in hosted.to_right(left, CONTEXT)]
        for left in hosted.sources("KVM_HostedDependency", CONTEXT)
    }
    assert pairs == {"node.example.org": ["n"], "far.example.org": ["f"]}


def test_platforms_do_not_mix() -> None:
    kvm, xen = hypervisor("KVM"), hypervisor("Xen")
    kvm.put(domain_xml("same"))
    xen.put(domain_xml("same"))
    site = Served([(platform("KVM"), kvm), (platform("Xen"), xen)])
    assert site.guest("same", "Xen")["CreationClassName"] == "Xen_ComputerSystem"
    assert site.vssd("same", "KVM")["InstanceID"] == "KVM:same"
    for association in site.catalog.associations["root/virt"]:
        for class_name in association.class_names:
            for left in association.sources(class_name, CONTEXT):
                prefix = class_name.partition("_")[0]
                assert left.class_name.startswith(prefix)
                assert all(r.class_name.startswith(prefix) for r in association.to_right(left, CONTEXT))


def test_changes_show_and_leave_the_rest_alone() -> None:
    host = hypervisor()
    host.put(domain_xml("a"))
    host.put(domain_xml("b"))
    site = Served([(platform("KVM"), host)])
    a, b = site.instances("KVM_ComputerSystem")
    host.put(domain_xml("b"), active=True)
    same, changed = site.instances("KVM_ComputerSystem")
    assert same is a
    assert changed is not b
    assert (changed.identity, changed.revision != b.revision) == (b.identity, True)
    host.remove("a")
    host.remove("b")
    assert site.instances("KVM_ComputerSystem") == []


def test_a_guest_whose_xml_cannot_be_read_is_still_a_system() -> None:
    host = hypervisor()
    host.put(domain_xml("good"))
    host.put(domain_xml("bad"), defined_document=None)
    site = Served([(platform("KVM"), host)])
    assert sorted(site.identifiers("KVM_ComputerSystem")) == ["bad", "good"]
    assert site.guest("bad")["EnabledState"] == 3
    assert site.identifiers("KVM_VirtualSystemSettingData") == ["KVM:good"]
    assert site.identifiers("KVM_Memory") == ["good/mem"]


def test_a_guest_that_fails_is_left_out(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    host = hypervisor()
    for name in ("bad", "good"):
        host.put(domain_xml(name))
    site = Served([(platform("KVM"), host)])
    state = Guest.configurations.fget  # type: ignore[attr-defined]

    def broken(guest: Guest) -> object:
        if guest.name == "bad":
            raise ValueError("nothing fits")
        return state(guest)

    monkeypatch.setattr(Guest, "configurations", property(broken))
    assert site.identifiers("KVM_Memory") == ["good/mem"]
    assert site.identifiers("KVM_MemResourceAllocationSettingData") == ["good/mem"]
    assert "nothing fits" in caplog.text


def test_another_main_namespace() -> None:
    host = hypervisor()
    host.put(
        domain_xml(
            "g",
            "<controller type='scsi' index='0'/><disk type='file' device='disk'><target dev='sda' "
            "bus='scsi'/><address type='drive' controller='0' unit='0'/></disk>",
        )
    )
    site = Site([(platform("KVM"), host)], PLATFORMS, KINDS, ProviderSettings(namespace="root/node2"))  # type: ignore[list-item]
    catalog = build_catalog(site)
    assert set(catalog.namespaces) == {"root/node2", "root/interop", "root/cimv2"}
    provider = next(
        p for p in catalog.namespaces["root/node2"] if "KVM_DiskResourceAllocationSettingData" in p.class_names
    )
    (disk,) = provider.instances("KVM_DiskResourceAllocationSettingData", CONTEXT)
    assert disk.path().namespace == "root/node2"
    assert str(disk.properties()["Parent"]).startswith("/root/node2:KVM_Controller")


def test_guests_that_were_replaced_go_without_a_collection() -> None:
    """The server leaves what it has walked once to the references, and collects the rest once a day."""
    disk = "<disk type='file' device='disk'><source file='/images/d'/><target dev='vda'/></disk>"
    host = hypervisor()
    for name in ("stays", "changes"):
        host.put(domain_xml(name, disk))
    site = Served([(platform("KVM"), host)])
    site.everything()
    gc.collect()
    gc.disable()
    try:
        host.put(domain_xml("changes", disk, rest="<title>other</title>"))
        site.everything()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(each).__name__ for each in gc.garbage} & {
            "Guest",
            "Configuration",
            "LogicalDisk",
            "ComputerSystem",
        }
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left & {"Guest", "Configuration", "LogicalDisk", "ComputerSystem"}


def test_guests_that_stay_are_the_same_when_others_come_and_go() -> None:
    host = hypervisor()
    for name in ("b", "d"):
        host.put(domain_xml(name))
    served = platform("KVM")
    site = site_of((served, host))

    def shown() -> dict[str, Guest]:
        return {guest.name: guest for guest in all_guests(site, served)}

    first = shown()
    host.put(domain_xml("c"))
    host.put(domain_xml("a"))
    second = shown()
    assert list(second) == ["a", "b", "c", "d"]
    assert all(second[name] is guest for name, guest in first.items())
    host.remove("b")
    host.put(domain_xml("d", rest="<title>other</title>"))
    third = shown()
    assert list(third) == ["a", "c", "d"]
    assert third["a"] is second["a"]
    assert third["d"] is not second["d"]
    # From here on the name of one has a say in what belongs to another one.
    host.put(domain_xml("a/defined"))
    fourth = shown()
    assert list(fourth) == ["a", "a/defined", "c", "d"]
    assert fourth["a"].defined_word != third["a"].defined_word
    assert fourth["a/defined"].namesakes == (fourth["a"],)
    host.remove("a/defined")
    assert shown()["a"].defined_word == third["a"].defined_word


def test_after_a_change_only_what_changed_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    host, served = hypervisor(), platform("KVM")
    for name in ("a", "c", "d"):
        host.put(domain_xml(name))
    site = site_of((served, host))
    before = {guest.name: guest for guest in all_guests(site, served)}
    monkeypatch.setattr(host.inventory, "domains", lambda: pytest.fail("all of them are looked at"))
    host.put(domain_xml("b"))
    changed = host.put(domain_xml("c", rest="<title>other</title>"))
    host.remove("d")
    after = {guest.name: guest for guest in all_guests(site, served)}
    assert list(after) == ["a", "b", "c"]
    assert after["a"] is before["a"]
    assert after["c"].domain is changed


def test_guests_that_are_followed_are_those_that_there_are() -> None:
    host, served, chance = hypervisor(), platform("KVM"), random.Random(7)
    site = site_of((served, host))
    names = [*(f"g{number}" for number in range(30)), "g1/defined", "g2/x"]
    for _ in range(300):
        for name in chance.choices(names, k=chance.choice((0, 1, 1, 2, 5, LENGTH + 1))):
            if host.inventory.domain(name) is None or chance.random() < 0.5:
                host.put(domain_xml(name))
            else:
                host.remove(name)
        fresh = site_of((served, host))
        assert _described(site, served) == _described(fresh, served)


def test_another_hypervisor_has_guests_of_its_own() -> None:
    one, two, served = hypervisor("KVM", "one"), hypervisor("KVM", "two"), platform("KVM")
    one.put(domain_xml("a"))
    two.put(domain_xml("b"))
    site = site_of((served, one))
    assert [guest.name for guest in all_guests(site, served)] == ["a"]
    site.remove(one)  # type: ignore[arg-type]
    site.add(served, two)  # type: ignore[arg-type]
    assert [guest.name for guest in all_guests(site, served)] == ["b"]


def test_a_guest_that_runs_as_it_is_defined_is_not_compared_element_by_element(monkeypatch: pytest.MonkeyPatch) -> None:
    """That took a third of the first answer, where digests tell it."""
    compared: list[str] = []

    def note(live: str, _defined: str, _asked: int | None) -> bool:
        compared.append(live)
        return False

    monkeypatch.setattr(guest, "is_as_defined", note)
    host = hypervisor()
    title = uuid.uuid4()  # what was compared once is known for as long as the process goes on
    for name, defined in (("same", domain_xml("same")), ("other", domain_xml("other", rest=f"<title>{title}</title>"))):
        running = domain_xml(name).replace("<domain type='kvm'", "<domain type='kvm' id='7'", 1)
        host.put(running, active=True, defined_document=Document(defined, DomainConfig.parse))
    site = Served([(platform("KVM"), host)])
    same, other = sorted(all_guests(site.site, platform("KVM")), key=lambda each: each.name, reverse=True)
    assert len(same.configurations) == 1
    assert not compared
    assert len(other.configurations) == 2
    assert len(compared) == 1


def _described(site: Site, served: Platform) -> list[tuple[object, ...]]:
    """What makes the guests of a platform what they are."""
    return [
        (each.name, each.domain, each.defined_word, each.snapshot_word, [other.name for other in each.namesakes])
        for each in all_guests(site, served)
    ]

"""Guests that run in another configuration than the one they were defined in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.recorded import CONTEXT, PLATFORMS, Served, domain_xml, hypervisor, platform, served
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.inventory.records import Document
from virtcim.providers.associations.relation import Relation
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import Instance
from virtcim.providers.Virt_RASD.settings import setting_types

DISK = "<disk device='disk' type='file'><source file='/{0}'/><target dev='{0}'/></disk>"
NOW = domain_xml("g", DISK.format("vda") + DISK.format("vdb"))
NEXT = domain_xml("g", DISK.format("vda") + DISK.format("vdc"), rest="<title>next</title>")
VSSD = "KVM_VirtualSystemSettingData"
DISKS = "KVM_DiskResourceAllocationSettingData"


def running(*defined: str, **changes: Any) -> Served:
    """A site with the guest running, and defined in some way."""
    return served(
        "KVM",
        NOW,
        active=True,
        **{"defined_document": Document(defined[0], DomainConfig.parse) if defined else None, **changes},
    )


def relation(site: Served, base: str) -> Relation:
    found = [each for each in site.catalog.associations["root/virt"] if isinstance(each, Relation)]
    return next(each for each in found if each.base == base)


def marks(site: Served) -> dict[tuple[Any, Any], tuple[int, int, int]]:
    """IsCurrent, IsNext and IsDefault of each pair of ElementSettingData, without the resources but disks."""
    association = relation(site, "ElementSettingData")
    found = {}
    for left in association.sources("KVM_ElementSettingData", CONTEXT):
        for right in association.to_right(left, CONTEXT):
            if right.class_name in (VSSD, DISKS):
                shown: dict[str, Any] = dict(association.properties(left, right))
                found[left.identity, right.identity] = shown["IsCurrent"], shown["IsNext"], shown["IsDefault"]
    return found


def test_both_configurations_are_there() -> None:
    site = running(NEXT)
    assert site.identifiers(VSSD) == ["KVM:g", "KVM:g/defined"]
    assert site.identifiers(DISKS) == ["g/vda", "g/vdb", "g/defined/vda", "g/defined/vdc"]
    assert site.vssd("g")["Caption"] == "Virtual System"
    assert site.vssd("g/defined")["Caption"] == "next"
    assert [site.vssd(name)["ChangeableType"] for name in ("g", "g/defined")] == [1, 2]
    assert [site.setting("Disk", "g", name)["ChangeableType"] for name in ("vda", "defined/vda")] == [1, 2]
    assert site.setting("Disk", "g", "defined/vdc")["Address"] == "/vdc"
    assert len(site.instances("KVM_LogicalDisk")) == 2


def test_one_configuration_where_nothing_differs() -> None:
    for site in (running(NOW), running(), served("KVM", NOW)):
        assert site.identifiers(VSSD) == ["KVM:g"]


def test_the_settings_of_a_type_are_those_of_each_guest_in_turn(corpus: Served) -> None:
    found = 0
    for each in PLATFORMS:
        guests = list(all_guests(corpus.site, each))
        for setting in setting_types(corpus.site):
            shown = list(setting.all_of(corpus.site, each))
            assert shown == [own for guest in guests for own in setting.made_from(guest)]
            found += len(shown)
    assert found > len(setting_types(corpus.site))


def test_xml_of_a_definition_that_cannot_be_read() -> None:
    assert running("<domain").identifiers(VSSD) == ["KVM:g"]


def test_how_the_configurations_count() -> None:
    current, other, both, neither = (1, 2, 2), (2, 1, 1), (1, 1, 1), (1, 2, 2)
    assert marks(running(NEXT)) == {
        ("g", "KVM:g"): current,
        ("g", "KVM:g/defined"): other,
        ("KVM:g", "KVM:g/defined"): other,
        ("g/vda", "g/defined/vda"): other,
    }
    single = {("g", "KVM:g"), ("KVM:g", "KVM:g"), ("g/vda", "g/vda"), ("g/vdb", "g/vdb")}
    assert marks(running(NOW)) == dict.fromkeys(single, both)
    assert marks(served("KVM", NOW)) == dict.fromkeys(single, both)
    assert marks(running(persistent=False)) == dict.fromkeys(single, neither)
    assert marks(served("KVM", NOW, has_managed_save=True)) == dict.fromkeys(single, (1, 0, 1))


def test_ends_of_the_association() -> None:
    site = running(NEXT)
    association = relation(site, "ElementSettingData")

    def names(instances: Any) -> list[Any]:
        return [instance.identity for instance in instances]

    by_id: dict[Any, Instance] = {each.identity: each for each in site.everything()}
    assert names(association.to_left(by_id["KVM:g/defined"], CONTEXT)) == ["g", "KVM:g"]
    assert names(association.to_left(by_id["KVM:g"], CONTEXT)) == ["g"]
    assert names(association.to_right(by_id["KVM:g/defined"], CONTEXT)) == []
    assert names(association.to_left(by_id["g/defined/vdc"], CONTEXT)) == []
    assert names(association.to_right(by_id["g/vdb"], CONTEXT)) == []
    component = relation(site, "VirtualSystemSettingDataComponent")
    assert "g/defined/vdc" in names(component.to_right(by_id["KVM:g/defined"], CONTEXT))
    assert names(component.to_left(by_id["g/defined/vdc"], CONTEXT)) == ["KVM:g/defined"]
    state = relation(site, "SettingsDefineState")
    assert names(state.to_left(by_id["KVM:g/defined"], CONTEXT)) == []
    assert names(state.to_left(by_id["g/defined/vda"], CONTEXT)) == []
    assert names(state.to_left(by_id["g/vda"], CONTEXT)) == ["g/vda"]


@pytest.mark.parametrize(
    ("other", "identifiers"),
    [
        ("g/defined", ["KVM:g", "KVM:g/defined", "KVM:g/defined#2"]),
        ("g/defined/vda", ["KVM:g", "KVM:g/defined", "KVM:g/defined/vda"]),
    ],
)
def test_guests_whose_names_look_like_a_configuration(other: str, identifiers: list[str]) -> None:
    host = hypervisor()
    host.put(NOW, active=True, defined_document=Document(NEXT, DomainConfig.parse))
    site = Served([(platform("KVM"), host)])
    assert "KVM:g/defined" in site.identifiers(VSSD)
    host.put(domain_xml(other, "<filesystem><target dir='defined/mem'/></filesystem>" + DISK.format("vda")))
    assert sorted(site.identifiers(VSSD)) == identifiers
    everything = site.everything()
    settings = [each for each in everything if "ResourceAllocation" in each.class_name or each.class_name == VSSD]
    assert len({each.identity for each in settings}) == len(settings)
    for each in settings:
        assert site.get(each.class_name, **each.keys()) is each


def test_a_resource_that_looks_like_one_of_the_definition() -> None:
    odd = "<filesystem><target dir='defined/vda'/></filesystem>"
    host = hypervisor()
    host.put(
        NOW.replace("</devices>", f"{odd}</devices>"), active=True, defined_document=Document(NEXT, DomainConfig.parse)
    )
    site = Served([(platform("KVM"), host)])
    assert site.identifiers(DISKS) == ["g/vda", "g/vdb", "g/defined/vda", "g/defined/vda#2", "g/defined/vdc"]

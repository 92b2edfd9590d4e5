"""Network filters and their rules, as they are read, and what a client is told who gets it wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.poolhost import add_pools
from tests.providers.recorded import CONTEXT, Served, domain_xml, hypervisor, platform
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import CIMError, Instance, InstancePath, Status

GUEST = domain_xml(
    "g",
    """<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/>
<filterref filter='no-spoofing'/></interface><interface type='network'><mac address='52:54:00:00:00:02'/>
<source network='default'/><filterref filter='gone'/></interface>""",
)
PORT = {
    "SystemCreationClassName": "KVM_ComputerSystem",
    "SystemName": "g",
    "CreationClassName": "KVM_NetworkPort",
    "DeviceID": "g/52:54:00:00:00:01",
}


@pytest.fixture(scope="module")
def site() -> Served:
    host = add_pools(hypervisor())
    host.put(GUEST)
    return Served([(platform("KVM"), host)])


def keys(base: str, name: str) -> dict[str, Any]:
    return {
        "SystemCreationClassName": "KVM_HostSystem",
        "SystemName": "node.example.org",
        "CreationClassName": f"KVM_{base}",
        "Name": name,
    }


def values(site: Served, base: str, name: str) -> dict[str, Any]:
    """The properties of a filter or rule, without its keys."""
    instance = site.get(f"KVM_{base}", **keys(base, name))
    hidden = keys(base, name)
    assert instance.keys() == hidden
    found = instance.properties()
    assert found["ElementName"] == name
    return {key: value for key, value in found.items() if key not in hidden and key != "ElementName"}


def relation(site: Served, base: str) -> Relation:
    found = [each for each in site.catalog.associations["root/virt"] if isinstance(each, Relation)]
    return next(each for each in found if each.base == base)


def names(instances: Any) -> list[str]:
    return [instance.keys().get("Name") or instance.keys()["DeviceID"] for instance in instances]


def path(base: str, name: str) -> InstancePath:
    return InstancePath(f"KVM_{base}", keys(base, name))


def test_filters(site: Served) -> None:
    assert names(site.instances("KVM_FilterList")) == ["clean-traffic", "no-spoofing", "web"]
    assert values(site, "FilterList", "clean-traffic") == {
        "InstanceID": "f1",
        "Caption": "Network filter clean-traffic",
        "Direction": 0,
        "Priority": -10,
        "Description": "2 rules in chain root; filters no-spoofing, gone, no-spoofing",
    }
    assert "Priority" not in values(site, "FilterList", "web")
    assert site.instances("Xen_FilterList") == []


def test_each_class_has_its_own_rules(site: Served) -> None:
    assert names(site.instances("KVM_FilterEntry")) == ["clean-traffic:0", "clean-traffic:1"]
    assert names(site.instances("KVM_Hdr8021Filter")) == [f"no-spoofing:{number}" for number in range(4)]
    assert names(site.instances("KVM_IPHeadersFilter")) == [f"web:{number}" for number in range(5)]


def test_rules_without_a_known_protocol(site: Served) -> None:
    assert values(site, "FilterEntry", "clean-traffic:0") == {
        "Action": 2,
        "Direction": 3,
        "Priority": 500,
        "IsNegated": False,
        "Caption": "Rule for all traffic",
        "TrafficType": 4,
        "MatchConditionType": 13,
        "DefaultFilter": False,
    }
    assert values(site, "FilterEntry", "clean-traffic:1") == {
        "Direction": 1,
        "Priority": 500,
        "IsNegated": False,
        "Caption": "Rule for newfangled",
        "Description": "for tomorrow",
        "DefaultFilter": False,
        "TrafficType": 5,
        "OtherTrafficType": "newfangled",
        "MatchConditionType": 1,
        "OtherMatchConditionType": "newfangled",
    }


def test_rules_for_frames(site: Served) -> None:
    assert values(site, "Hdr8021Filter", "no-spoofing:0") == {
        "Action": 1,
        "Direction": 2,
        "Priority": -650,
        "IsNegated": False,
        "Caption": "Rule for mac",
        "HdrSrcMACAddr8021": list(b"$MAC"),
        "HdrProtocolID8021": 0x0800,
    }
    assert values(site, "Hdr8021Filter", "no-spoofing:1") == {
        "Action": 2,
        "Direction": 1,
        "Priority": 500,
        "IsNegated": True,
        "Caption": "Rule for mac",
        "Description": "not for us",
        "HdrSrcMACAddr8021": [1, 2, 3, 10, 11, 0xCC],
        "HdrSrcMACMask8021": [255, 255, 255, 0, 0, 0],
        "HdrDestMACAddr8021": [0x52, 0x54, 0, 0, 0, 1],
        "HdrDestMACMask8021": [255] * 6,
        "HdrProtocolID8021": 0x88A8,
    }
    arp = values(site, "Hdr8021Filter", "no-spoofing:2")
    assert (arp["Action"], arp["HdrProtocolID8021"], arp["HdrSrcMACAddr8021"][-1]) == (3, 0x0806, 2)
    vlan = values(site, "Hdr8021Filter", "no-spoofing:3")
    assert (vlan["Action"], vlan["HdrProtocolID8021"], vlan["HdrVLANID8021"]) == (5, 0x8100, 16)


def test_rules_for_packets(site: Served) -> None:
    assert values(site, "IPHeadersFilter", "web:0") == {
        "Action": 1,
        "Direction": 1,
        "Priority": 500,
        "IsNegated": False,
        "Caption": "Rule for tcp",
        "HdrIPVersion": 4,
        "HdrSrcAddress": [10, 0, 0, 0],
        "HdrSrcMask": [255, 0, 0, 0],
        "HdrDestAddress": list(b"$IP"),
        "HdrProtocolID": 6,
        "HdrSrcPortStart": 1024,
        "HdrSrcPortEnd": 65535,
        "HdrDestPortStart": 80,
        "HdrDestPortEnd": 443,
        "HdrDSCP": [10],
    }
    udp = values(site, "IPHeadersFilter", "web:1")
    assert (udp["HdrIPVersion"], udp["HdrProtocolID"]) == (6, 17)
    assert (udp["HdrSrcAddress"][-1], udp["HdrSrcAddressEndOfRange"][-1], len(udp["HdrSrcAddress"])) == (1, 255, 16)
    assert (udp["HdrDestAddress"][:2], udp["HdrDestMask"]) == ([0xFD, 0], [255] * 8 + [0] * 8)
    ip = values(site, "IPHeadersFilter", "web:2")
    assert (ip["HdrProtocolID"], ip["HdrDestAddressEndOfRange"], ip["HdrSrcMask"]) == (
        17,
        [10, 0, 0, 9],
        [255, 255, 0, 0],
    )
    assert values(site, "IPHeadersFilter", "web:3")["HdrProtocolID"] == 89
    assert "HdrProtocolID" not in values(site, "IPHeadersFilter", "web:4")


@pytest.mark.parametrize(
    ("base", "change", "status", "text"),
    [
        ("FilterList", {"Name": "x"}, Status.NOT_FOUND, "No such instance (x)"),
        ("FilterList", {"Name": None}, Status.FAILED, "Unable to get Name from reference"),
        ("FilterList", {"SystemName": "x"}, Status.NOT_FOUND, "No such instance (SystemName)"),
        ("FilterEntry", {"Name": None}, Status.FAILED, "Unable to get Name from reference"),
        ("FilterEntry", {"Name": "clean-traffic"}, Status.NOT_FOUND, "Could not parse filter name"),
        ("FilterEntry", {"Name": "clean-traffic:x"}, Status.NOT_FOUND, "Could not parse filter name"),
        ("FilterEntry", {"Name": "x:0"}, Status.NOT_FOUND, "Could not retrieve filter"),
        ("FilterEntry", {"Name": "clean-traffic:2"}, Status.NOT_FOUND, "Could not retrieve rule"),
        ("FilterEntry", {"Name": "clean-traffic:00"}, Status.NOT_FOUND, "Could not retrieve rule"),
        ("FilterEntry", {"Name": "no-spoofing:0"}, Status.NOT_FOUND, "No such instance (CreationClassName)"),
    ],
)
def test_keys(site: Served, base: str, change: dict[str, Any], status: Status, text: str) -> None:
    with pytest.raises(CIMError) as caught:
        site.get(f"KVM_{base}", **{**keys(base, "clean-traffic"), **change})
    assert (caught.value.status, caught.value.description) == (status, text)


def test_associations(site: Served) -> None:
    by_name: dict[str, Instance] = {str(each.keys()["Name"]): each for each in site.instances("KVM_FilterList")}
    clean, spoofing = by_name["clean-traffic"], by_name["no-spoofing"]
    assert names(relation(site, "HostedFilterList").to_left(clean, CONTEXT)) == ["node.example.org"]
    entries = list(relation(site, "EntriesInFilterList").to_right(clean, CONTEXT))
    assert names(entries) == ["clean-traffic:0", "clean-traffic:1"]
    assert names(relation(site, "EntriesInFilterList").to_left(entries[0], CONTEXT)) == ["clean-traffic"]
    nested = relation(site, "NestedFilterList")
    assert names(nested.to_right(clean, CONTEXT)) == ["no-spoofing"]
    assert names(nested.to_left(spoofing, CONTEXT)) == ["clean-traffic"]
    assert names(nested.to_left(clean, CONTEXT)) == []
    applied = relation(site, "AppliedFilterList")
    assert names(applied.to_left(spoofing, CONTEXT)) == ["g/52:54:00:00:00:01"]
    assert [names(applied.to_right(port, CONTEXT)) for port in site.instances("KVM_NetworkPort")] == [
        ["no-spoofing"],
        [],
    ]


@pytest.mark.parametrize(
    ("base", "properties", "text"),
    [
        ("AppliedFilterList", {}, "Unable to get Antecedent property"),
        (
            "AppliedFilterList",
            {"Antecedent": InstancePath("KVM_NetworkPort", {})},
            "Unable to get Antecedent.DeviceID property",
        ),
        (
            "AppliedFilterList",
            {"Antecedent": InstancePath("KVM_NetworkPort", PORT)},
            "Unable to get Dependent property",
        ),
        (
            "AppliedFilterList",
            {"Antecedent": InstancePath("KVM_NetworkPort", PORT), "Dependent": InstancePath("KVM_FilterList", {})},
            "Unable to get Dependent.Name property",
        ),
        (
            "AppliedFilterList",
            {"Antecedent": InstancePath("KVM_NetworkPort", PORT), "Dependent": path("FilterList", "x")},
            "Dependent.Name object does not exist",
        ),
        (
            "AppliedFilterList",
            {
                "Antecedent": InstancePath("KVM_NetworkPort", {**PORT, "DeviceID": "g/x"}),
                "Dependent": path("FilterList", "web"),
            },
            "Antecedent.Name object does not exist",
        ),
        (
            "AppliedFilterList",
            {
                "Antecedent": InstancePath("KVM_NetworkPort", {**PORT, "DeviceID": "odd"}),
                "Dependent": path("FilterList", "web"),
            },
            "Antecedent.Name object does not exist",
        ),
        ("NestedFilterList", {}, "Unable to get Antecedent property"),
        (
            "NestedFilterList",
            {"Antecedent": InstancePath("KVM_FilterList", {})},
            "Unable to get Antecedent.Name property",
        ),
        (
            "NestedFilterList",
            {"Antecedent": path("FilterList", "x"), "Dependent": path("FilterList", "web")},
            "Antecedent.Name object does not exist",
        ),
        (
            "NestedFilterList",
            {"Antecedent": path("FilterList", "web"), "Dependent": path("FilterList", "x")},
            "Dependent.Name object does not exist",
        ),
        (
            "NestedFilterList",
            {"Antecedent": path("FilterEntry", "web"), "Dependent": path("FilterList", "web")},
            "Antecedent.Name object does not exist",
        ),
    ],
)
def test_refused_associations(site: Served, base: str, properties: dict[str, Any], text: str) -> None:
    for work in (relation(site, base).create, relation(site, base).delete):
        with pytest.raises(CIMError) as caught:
            work(f"KVM_{base}", properties, CONTEXT)
        assert (caught.value.status, caught.value.description) == (Status.FAILED, text)


def test_refused_filters(site: Served) -> None:
    provider = site.providers["KVM_FilterList"]
    for properties, status, text in (
        ({}, Status.FAILED, "Unable to get Name property"),
        ({"Name": "web"}, Status.ALREADY_EXISTS, "Instance already exists"),
    ):
        with pytest.raises(CIMError) as caught:
            provider.create_instance("KVM_FilterList", properties, CONTEXT)
        assert (caught.value.status, caught.value.description) == (status, text)
    with pytest.raises(CIMError) as caught:
        provider.create_instance("Xen_FilterList", {"Name": "web"}, CONTEXT)
    assert caught.value.status is Status.FAILED
    with pytest.raises(CIMError) as caught:
        provider.delete_instance("KVM_FilterList", keys("FilterList", "x"), CONTEXT)
    assert (caught.value.status, caught.value.description) == (Status.NOT_FOUND, "Instance does not exist")


def test_associations_that_nobody_makes(site: Served) -> None:
    hosted = relation(site, "HostedFilterList")
    for work in (hosted.create, hosted.delete):
        with pytest.raises(CIMError) as caught:
            work("KVM_HostedFilterList", {}, CONTEXT)
        assert caught.value.status is Status.NOT_SUPPORTED


def test_nothing_is_changed_over_a_read_only_connection() -> None:
    host = add_pools(hypervisor())
    host.put(GUEST)
    host.read_only = True
    site = Served([(platform("KVM"), host)])
    port, web, spoofing = (
        InstancePath("KVM_NetworkPort", PORT),
        path("FilterList", "web"),
        path("FilterList", "no-spoofing"),
    )
    applied, nested = relation(site, "AppliedFilterList"), relation(site, "NestedFilterList")
    filters = site.providers["KVM_FilterList"]
    for work in (
        lambda: applied.create("KVM_AppliedFilterList", {"Antecedent": port, "Dependent": web}, CONTEXT),
        lambda: applied.delete("KVM_AppliedFilterList", {"Antecedent": port, "Dependent": spoofing}, CONTEXT),
        lambda: nested.create("KVM_NestedFilterList", {"Antecedent": web, "Dependent": spoofing}, CONTEXT),
        lambda: filters.create_instance("KVM_FilterList", {"Name": "new"}, CONTEXT),
        lambda: filters.delete_instance("KVM_FilterList", keys("FilterList", "web"), CONTEXT),
    ):
        with pytest.raises(CIMError) as caught:
            work()
        assert caught.value.status is Status.ACCESS_DENIED
    with pytest.raises(CIMError) as caught:
        applied.delete("KVM_AppliedFilterList", {"Antecedent": port, "Dependent": web}, CONTEXT)
    assert (caught.value.status, caught.value.description) == (Status.NOT_FOUND, "Instance does not exist")
    applied.create("KVM_AppliedFilterList", {"Antecedent": port, "Dependent": spoofing}, CONTEXT)

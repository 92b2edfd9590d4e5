"""Registered profiles: which there are, what follows them, and what refers to what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from tests.providers.outcome import outcome
from tests.providers.recorded import CONTEXT, Served, domain_xml, served
from virtcim.providers.base import Element
from virtcim.providers.interface import CIMError, Instance, Status
from virtcim.providers.Virt_HostSystem import HostSystem
from virtcim.providers.Virt_RegisteredProfile import Profiles, RegisteredProfile

SYSTEM = "KVM:DSP1042-SystemVirtualization-1.1.0"
OLD_SYSTEM = "CIM:DSP1042-SystemVirtualization-1.0.0"


@pytest.fixture(scope="module")
def site() -> Served:
    return served("KVM", domain_xml("one"), domain_xml("two"))


def profiles(site: Served) -> dict[str, RegisteredProfile]:
    (provider,) = site.catalog.namespaces["root/interop"]
    found = {}
    for profile in provider.instances("KVM_RegisteredProfile", CONTEXT):
        assert isinstance(profile, RegisteredProfile)
        found[profile.instance_id] = profile
    return found


def ends(site: Served, base: str, source: Instance, role: str) -> list[Instance]:
    """What an association leads to from the end that plays `role`."""
    relation = next(each for each in site.catalog.associations["root/interop"] if f"KVM_{base}" in each.class_names)
    if role == relation.left.role:
        return list(relation.to_right(source, CONTEXT))
    assert role == relation.right.role
    return list(relation.to_left(source, CONTEXT))


def identities(instances: Iterable[Instance]) -> list[tuple[str, object]]:
    return [(each.class_name, each.identity) for each in instances]


def test_both_sets_are_registered(site: Served) -> None:
    found = profiles(site)
    shown = [dict(each.properties()) for each in found.values()]
    names = {(each["RegisteredName"], each["RegisteredVersion"]) for each in shown}
    assert {
        ("System Virtualization", "1.0.0"),
        ("System Virtualization", "1.1.0"),
        ("Virtual System Profile", "1.0.0a"),
        ("Virtual System", "1.0.0"),
    } <= names
    assert {each["RegisteredOrganization"] for each in shown} == {2}
    assert {each["AdvertiseTypes"] for each in shown} == {(2,)}
    assert next(iter(found)) == OLD_SYSTEM


def test_a_platform_without_hypervisor_has_no_profiles(site: Served) -> None:
    (provider,) = site.catalog.namespaces["root/interop"]
    assert "Xen_RegisteredProfile" in provider.class_names
    assert list(provider.instances("Xen_RegisteredProfile", CONTEXT)) == []


def test_only_what_is_served_is_registered() -> None:
    host = served("KVM").site
    few = Profiles(host, [HostSystem])
    (platform,) = [each for each in host.platforms if each.prefix == "KVM"]
    assert [each.instance_id for each in few.registered(platform)] == [OLD_SYSTEM, SYSTEM]


def test_all_kinds_of_jobs_follow_job_control(site: Served) -> None:
    """Those of subclasses, too: they are served by types of their own."""
    relation = next(
        each for each in site.catalog.associations["root/interop"] if "KVM_ElementConformsToProfile" in each.class_names
    )
    jobs = {f"KVM_{kind}Job" for kind in ("Concrete", "Migration", "Provisioning", "Backup")}
    assert jobs <= relation.right.class_names


def test_each_profile_but_two_is_referred_to_once(site: Served) -> None:
    found = profiles(site)
    for instance_id, profile in found.items():
        referencing = ends(site, "ReferencedProfile", profile, "Antecedent")
        wanted = OLD_SYSTEM if instance_id.startswith("CIM:") else SYSTEM
        assert [each.identity for each in referencing] == ([] if instance_id == wanted else [wanted])
        for other in referencing:
            assert profile in ends(site, "ReferencedProfile", other, "Dependent")


def test_elements_and_profiles_lead_to_each_other(site: Served) -> None:
    counted: Counter[str] = Counter()
    for profile in profiles(site).values():
        for element in ends(site, "ElementConformsToProfile", profile, "ConformantStandard"):
            assert isinstance(element, Element)
            back = ends(site, "ElementConformsToProfile", element, "ManagedElement")
            assert profile in back
            counted[profile.instance_id] += 1
    assert counted[SYSTEM] == 1
    assert counted["KVM:DSP1057-VirtualSystem-1.0.0"] == counted["CIM:DSP1057-VirtualSystem-1.0.0a"] == 2


def test_old_profiles_lead_to_scoping_instances_first(site: Served) -> None:
    profile = profiles(site)["CIM:DSP1041-ResourceAllocation-1.1.0c_p"]
    found = ends(site, "ElementConformsToProfile", profile, "ConformantStandard")
    assert identities(found)[:2] == [("KVM_ComputerSystem", "one"), ("KVM_ComputerSystem", "two")]
    assert {each.class_name for each in found[2:]} == {"KVM_ProcessorPool"}


def test_central_instances(site: Served) -> None:
    (provider,) = site.catalog.namespaces["root/interop"]
    result = provider.invoke_method(
        "KVM_RegisteredProfile",
        {"InstanceID": "CIM:DSP1041-ResourceAllocation-1.1.0c_p"},
        "GetCentralInstances",
        {},
        CONTEXT,
    )
    assert result.return_value == 0
    assert {path.class_name for path in outcome(result).out["CentralInstances"]} == {"KVM_ProcessorPool"}
    assert {path.namespace for path in outcome(result).out["CentralInstances"]} == {"root/virt"}
    with pytest.raises(CIMError) as caught:
        provider.invoke_method("KVM_RegisteredProfile", {"InstanceID": SYSTEM}, "PullConformantInstances", {}, CONTEXT)
    assert caught.value.status == Status.METHOD_NOT_AVAILABLE


@pytest.mark.parametrize(
    ("keys", "status", "text"),
    [
        ({"InstanceID": "nothing"}, Status.NOT_FOUND, "No such instance (nothing)"),
        ({"InstanceID": OLD_SYSTEM.lower()}, Status.NOT_FOUND, f"No such instance ({OLD_SYSTEM.lower()})"),
        ({}, Status.FAILED, "No InstanceID specified"),
    ],
)
def test_keys(site: Served, keys: dict[str, str], status: Status, text: str) -> None:
    (provider,) = site.catalog.namespaces["root/interop"]
    with pytest.raises(CIMError) as caught:
        provider.get_instance("KVM_RegisteredProfile", keys, CONTEXT)
    assert (caught.value.status, caught.value.description) == (status, text)


def test_cimv2_shows_what_libvirt_cim_registered_there(site: Served) -> None:
    shown = {name for each in site.catalog.associations["root/cimv2"] for name in each.class_names}
    assert {"KVM_HostedDependency", "KVM_HostedResourcePool", "KVM_ElementConformsToProfile"} <= shown
    assert "KVM_SystemDevice" not in shown

"""Association traversal: four operations, their filters, instances of associations, class level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pywbem
from lxml import etree

from tests.cimom.harness import (
    RawClient,
    RunningServer,
    array,
    class_name,
    element,
    intrinsic,
    namespace_path,
    system,
    value,
)
from tests.cimom.harness import instance_name as name_of
from tests.cimom.toy import Toy
from virtcim.providers.interface import Status

PLAIN = system("plain")
SPECIAL = name_of("Toy_SpecialSystem", CreationClassName="Toy_SpecialSystem", Name="special")
DISK = name_of("Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda")


def found(raw: RawClient, operation: str, source: str, **filters: str) -> list[str]:
    """Class and last key of each result; for associations, class and both ends."""
    filters = {name: class_name(each) if name.endswith("Class") else value(each) for name, each in filters.items()}
    response = raw.post(intrinsic(operation, ObjectName=source, **filters))
    assert response.cim_status == 0, response.description
    results = []
    for path in response.xml.iterfind(".//IRETURNVALUE/*/INSTANCEPATH"):
        assert path.findtext(".//HOST") == "toyhost"
        name = path.find("INSTANCENAME")
        assert name is not None
        keys = [each.text or "" for each in name.iter("KEYVALUE")]
        results.append(f"{name.get('CLASSNAME')}:{'+'.join(keys[1::2])}")
    return sorted(results)


@pytest.mark.parametrize(
    ("source", "filters", "expected"),
    [
        (PLAIN, {}, ["Toy_Disk:plain|vda", "Toy_Disk:plain|vdb", "Toy_Remote:far", "Toy_SpecialSystem:special"]),
        (DISK, {}, ["Toy_System:plain"]),
        (SPECIAL, {}, ["Toy_Disk:special|vda", "Toy_System:plain"]),
        (system("self"), {}, ["Toy_Remote:far", "Toy_System:self"]),
        (system("a/b"), {}, ["Toy_Remote:far"]),
        (PLAIN, {"AssocClass": "toy_systemdevice"}, ["Toy_Disk:plain|vda", "Toy_Disk:plain|vdb"]),
        (PLAIN, {"AssocClass": "Toy_Dependency", "ResultClass": "Toy_System"}, ["Toy_SpecialSystem:special"]),
        (PLAIN, {"ResultClass": "Toy_SPECIALSystem"}, ["Toy_SpecialSystem:special"]),
        (
            PLAIN,
            {"ResultClass": "Toy_Element"},
            ["Toy_Disk:plain|vda", "Toy_Disk:plain|vdb", "Toy_Remote:far", "Toy_SpecialSystem:special"],
        ),
        (PLAIN, {"ResultClass": "Toy_Single"}, []),
        (PLAIN, {"AssocClass": "Toy_Disk"}, []),
        (PLAIN, {"Role": "ANTECEDENT"}, ["Toy_Disk:plain|vda", "Toy_Disk:plain|vdb", "Toy_Remote:far"]),
        (PLAIN, {"Role": "dependent"}, ["Toy_SpecialSystem:special"]),
        (PLAIN, {"ResultRole": "Antecedent"}, ["Toy_SpecialSystem:special"]),
        (PLAIN, {"ResultRole": "Dependent", "AssocClass": "Toy_Partner"}, []),
        (PLAIN, {"Role": "Antecedent", "ResultRole": "Antecedent"}, []),
        (PLAIN, {"Role": "Nonsense"}, []),
        (PLAIN, {"Role": "", "AssocClass": "Toy_Partner"}, ["Toy_SpecialSystem:special"]),
    ],
)
def test_associators(raw: RawClient, source: str, filters: dict[str, str], expected: list[str]) -> None:
    assert found(raw, "AssociatorNames", source, **filters) == expected
    assert found(raw, "Associators", source, **filters) == expected


@pytest.mark.parametrize(
    ("source", "filters", "expected"),
    [
        (DISK, {}, ["Toy_SystemDevice:plain+plain|vda"]),
        (SPECIAL, {}, ["Toy_Partner:special+plain", "Toy_SystemDevice:special+special|vda"]),
        (system("self"), {"ResultClass": "Toy_Partner"}, ["Toy_Partner:self+self"]),
        (PLAIN, {"ResultClass": "Toy_Dependency", "Role": "dependent"}, ["Toy_Partner:special+plain"]),
        (PLAIN, {"ResultClass": "Toy_Disk"}, []),
        (PLAIN, {"Role": "Nonsense"}, []),
    ],
)
def test_references(raw: RawClient, source: str, filters: dict[str, str], expected: list[str]) -> None:
    assert found(raw, "ReferenceNames", source, **filters) == expected
    assert found(raw, "References", source, **filters) == expected


@pytest.mark.parametrize("operation", ["Associators", "AssociatorNames", "References", "ReferenceNames"])
def test_errors(raw: RawClient, operation: str) -> None:
    def status(source: str, **filters: str) -> int:
        return raw.post(intrinsic(operation, ObjectName=source, **filters)).cim_status

    assert status(system("absent")) == Status.NOT_FOUND
    assert status(name_of("Toy_None", Name="x")) == Status.INVALID_PARAMETER
    assert status(name_of("Toy_Element", Name="x")) == Status.NOT_FOUND
    assert status(class_name("Toy_None")) == Status.INVALID_PARAMETER
    assert status(PLAIN, ResultClass=class_name("Toy_None")) == Status.INVALID_PARAMETER
    assert status(class_name("Toy_Disk"), ResultClass=class_name("Toy_None")) == Status.INVALID_PARAMETER
    assert status(value("x")) == Status.INVALID_PARAMETER
    if operation.startswith("Assoc"):
        assert status(PLAIN, AssocClass=class_name("Toy_None")) == Status.INVALID_PARAMETER
    else:
        assert status(PLAIN, AssocClass=class_name("Toy_Partner")) == Status.INVALID_PARAMETER


@pytest.mark.parametrize("operation", ["OpenAssociator", "OpenReference"])
@pytest.mark.parametrize("results", ["Instances", "InstancePaths"])
def test_opening_from_an_unknown_class(raw: RawClient, operation: str, results: str) -> None:
    response = raw.post(intrinsic(operation + results, InstanceName=name_of("Toy_None", Name="x")))
    assert response.cim_status == Status.INVALID_PARAMETER


def test_results_of_another_namespace(connection: pywbem.WBEMConnection) -> None:
    plain = pywbem.CIMInstanceName("Toy_System", {"CreationClassName": "Toy_System", "Name": "plain"})
    far = connection.AssociatorNames(plain, AssocClass="Toy_Elsewhere")
    assert [(each.namespace, each.host) for each in far] == [("root/far", "toyhost")]
    instance = connection.GetInstance(far[0])
    assert instance["Name"] == "far"
    back = connection.AssociatorNames(far[0])
    assert {(each.classname, each.namespace) for each in back} == {("Toy_System", "root/toy")}
    assert connection.GetInstance(back[0])["Name"] == back[0]["Name"]


def test_properties_of_results(connection: pywbem.WBEMConnection) -> None:
    disk = pywbem.CIMInstanceName("Toy_Disk", {"CreationClassName": "Toy_Disk", "Name": "plain|vda"})
    (link,) = connection.References(disk, PropertyList=["Slot", "ANTECEDENT"], IncludeClassOrigin=True)
    assert list(link.keys()) == ["Antecedent", "Slot"]
    assert link["Slot"] == 9
    assert link["Antecedent"]["Name"] == "plain"
    assert link.properties["Slot"].class_origin == "Toy_SystemDevice"
    (owner,) = connection.Associators(disk, PropertyList=["EnabledState"])
    assert dict(owner.items()) == {"EnabledState": 2}


def test_association_instances(connection: pywbem.WBEMConnection) -> None:
    everything = connection.EnumerateInstances("Toy_Dependency")
    paths = connection.EnumerateInstanceNames("Toy_Dependency")
    assert [each.path.keybindings for each in everything] == [each.keybindings for each in paths]
    counts = {name: sum(each.classname == name for each in everything) for name in ("Toy_SystemDevice", "Toy_Partner")}
    assert counts == {"Toy_SystemDevice": 3, "Toy_Partner": 2}
    for path in paths:
        instance = connection.GetInstance(path)
        assert instance["Antecedent"] == path["Antecedent"]
        assert path["Antecedent"].namespace == "root/toy"
        assert path["Antecedent"].host is None
        assert connection.GetInstance(path["Dependent"])


def partner(left: str, right: str, namespace: str = "root/toy", **more: str) -> str:
    def key(name: str, target: str) -> str:
        path = element("LOCALINSTANCEPATH", namespace_path(namespace), target)
        return element("KEYBINDING", element("VALUE.REFERENCE", path), NAME=name)

    others = "".join(key(name, target) for name, target in more.items())
    return element("INSTANCENAME", key("dependent", right), key("Antecedent", left), others, CLASSNAME="Toy_Partner")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (partner(SPECIAL, PLAIN), 0),
        (partner(SPECIAL, PLAIN, namespace="ROOT/toy"), 0),
        (partner(PLAIN, SPECIAL), Status.NOT_FOUND),
        (partner(SPECIAL, system("absent")), Status.NOT_FOUND),
        (partner(SPECIAL, name_of("Toy_None", Name="x")), Status.NOT_FOUND),
        (partner(SPECIAL, PLAIN, namespace="root/none"), Status.NOT_FOUND),
        (partner(SPECIAL, class_name("Toy_System")).replace("LOCALINSTANCEPATH", "LOCALCLASSPATH"), None),
        (partner(SPECIAL, PLAIN, Third=PLAIN), 0),
        (name_of("Toy_Partner", Antecedent="x", Dependent="y"), Status.INVALID_PARAMETER),
        (name_of("Toy_Partner"), Status.INVALID_PARAMETER),
    ],
)
def test_get_association(raw: RawClient, name: str, status: Status | int | None) -> None:
    response = raw.post(intrinsic("GetInstance", InstanceName=name))
    if status is None:
        assert response.status == 400 or response.cim_status == Status.INVALID_PARAMETER
        return
    assert response.cim_status == status
    trimmed = raw.post(intrinsic("GetInstance", InstanceName=name, PropertyList=array([])))
    assert not trimmed.xml.findall(".//IRETURNVALUE//VALUE")


def test_reference_without_namespace(raw: RawClient) -> None:
    keys = "".join(
        element("KEYBINDING", element("VALUE.REFERENCE", target), NAME=role)
        for role, target in (("Antecedent", SPECIAL), ("Dependent", PLAIN))
    )
    name = element("INSTANCENAME", keys, CLASSNAME="Toy_Partner")
    assert raw.post(intrinsic("GetInstance", InstanceName=name)).cim_status == 0


def test_instances_follow_their_ends(connection: pywbem.WBEMConnection, toy: Toy) -> None:
    del toy.provider.stores["Toy_Disk"]["plain|vda"]
    assert len(connection.EnumerateInstances("Toy_SystemDevice")) == 2
    toy.provider.change("Toy_System", "plain", Caption="a/b")
    paths = connection.EnumerateInstanceNames("Toy_Partner")
    assert ("plain", "a/b") in {(each["Antecedent"]["Name"], each["Dependent"]["Name"]) for each in paths}


def test_links_of_a_broken_end_are_left_out(connection: pywbem.WBEMConnection, toy: Toy) -> None:
    toy.provider.stores["Toy_Disk"]["plain|vdb"].values["Name"] = 5
    assert len(connection.EnumerateInstances("Toy_SystemDevice")) == 2


def test_undeclared_classes_are_left_out(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    near = toy.catalog.associations["root/toy"]
    near[0].class_names = ("Toy_Undeclared",)
    toy.remote.only.class_name = "Toy_Undeclared"
    with RawClient(make_server().port) as raw:
        assert found(raw, "Associators", PLAIN) == ["Toy_SpecialSystem:special"]
        assert found(raw, "AssociatorNames", PLAIN) == ["Toy_SpecialSystem:special"]


def classes(raw: RawClient, operation: str, source: str, **filters: Any) -> list[str]:
    response = raw.post(intrinsic(operation, ObjectName=class_name(source), **filters))
    assert response.cim_status == 0, response.description
    names = []
    for path in response.xml.iterfind(".//IRETURNVALUE/*/CLASSPATH"):
        assert path.findtext(".//HOST") == "toyhost"
        names.append(str(path[-1].get("NAME")))
    assert etree.tostring(response.xml).count(b"<CLASS ") == (0 if operation.endswith("Names") else len(names))
    return sorted(names)


@pytest.mark.parametrize("operation", ["References", "ReferenceNames"])
def test_class_references(raw: RawClient, operation: str) -> None:
    everything = ["Toy_Dependency", "Toy_Elsewhere", "Toy_Partner", "Toy_SystemDevice"]
    assert classes(raw, operation, "toy_disk") == everything
    assert classes(raw, operation, "Toy_Single") == []
    assert classes(raw, operation, "Toy_Disk", ResultClass=class_name("Toy_Partner")) == ["Toy_Partner"]
    assert classes(raw, operation, "Toy_Disk", Role=value("dependent")) == everything
    assert classes(raw, operation, "Toy_Disk", Role=value("nonsense")) == []


@pytest.mark.parametrize("operation", ["Associators", "AssociatorNames"])
def test_class_associators(raw: RawClient, operation: str) -> None:
    assert classes(raw, operation, "Toy_Disk") == ["Toy_Element"]
    assert classes(raw, operation, "Toy_Disk", AssocClass=class_name("Toy_Partner")) == ["Toy_Element"]
    assert classes(raw, operation, "Toy_Disk", ResultClass=class_name("Toy_Single")) == []
    assert classes(raw, operation, "Toy_Disk", Role=value("Antecedent"), ResultRole=value("Antecedent")) == []

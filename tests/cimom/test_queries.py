"""ExecQuery and OpenQueryInstances over HTTP; the languages themselves are tested in `tests/cimom/query`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import pywbem

from tests.cimom.harness import RawClient, RunningServer, intrinsic, value
from tests.cimom.test_pull import Broken, outputs, pull
from tests.cimom.toy import Toy
from virtcim.providers.interface import Status

DISKS = [
    ("DMTF:CQL", "SELECT * FROM Toy_Disk WHERE Size > 1", {"plain|vdb", "special|vda"}),
    ("WQL", "select * from toy_disk where Name like 'plain%'", {"plain|vda", "plain|vdb"}),
    ("CIM:CQL", "SELECT Name, Size FROM Toy_Disk", {"plain|vda", "plain|vdb", "special|vda"}),
    ("DMTF:CQL", "SELECT d.Name FROM Toy_Disk d WHERE d.Size = 100", set()),
]


def run(raw: RawClient, language: str, text: str) -> Any:
    return raw.post(intrinsic("ExecQuery", QueryLanguage=value(language), Query=value(text)))


@pytest.fixture
def puller(server: RunningServer) -> Iterable[pywbem.WBEMConnection]:
    client = pywbem.WBEMConnection(server.url, default_namespace="root/toy", use_pull_operations=True)
    yield client
    client.close()


@pytest.mark.parametrize(("language", "text", "expected"), DISKS)
def test_results(puller: pywbem.WBEMConnection, language: str, text: str, expected: set[str]) -> None:
    found = puller.ExecQuery(language, text)
    assert {each["Name"] for each in found} == expected
    for count in (1, 1000):
        pulled = puller.IterQueryInstances(language, text, MaxObjectCount=count)
        assert [dict(each) for each in pulled.generator] == [dict(each) for each in found]


def test_selected_properties(puller: pywbem.WBEMConnection) -> None:
    found = puller.ExecQuery("DMTF:CQL", "SELECT Name, CreationClassName FROM Toy_System WHERE EnabledState = 2")
    assert {frozenset(each.keys()) for each in found} == {frozenset({"Name", "CreationClassName"})}
    assert {each.classname for each in found} == {"Toy_System"}
    assert {each.path.keybindings["Name"] for each in found} == {each["Name"] for each in found}


def test_subclasses(puller: pywbem.WBEMConnection) -> None:
    everything = puller.ExecQuery("WQL", "SELECT * FROM Toy_Named")
    assert {each.classname for each in everything} == {"Toy_System", "Toy_SpecialSystem", "Toy_Disk"}
    special = puller.ExecQuery("DMTF:CQL", "SELECT * FROM Toy_Named WHERE Toy_Named ISA Toy_SpecialSystem")
    assert [each["Special"] for each in special] == ["yes"]


def test_result_class(puller: pywbem.WBEMConnection) -> None:
    result = puller.OpenQueryInstances(
        "DMTF:CQL", "SELECT Name FROM Toy_Disk", ReturnQueryResultClass=True, MaxObjectCount=1
    )
    assert result.query_result_class.classname == "Toy_Disk"
    assert list(result.query_result_class.properties) == ["Name"]
    assert not result.eos
    found = [each["Name"] for each in result.instances]
    result = puller.PullInstances(result.context, 100)
    assert result.eos
    assert found + [each["Name"] for each in result.instances] == ["plain|vda", "plain|vdb", "special|vda"]


KEYS = 'CreationClassName="Toy_System",Name="plain"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"ASSOCIATORS OF {{Toy_System.{KEYS}}} WHERE AssocClass = Toy_SystemDevice", {"plain|vda", "plain|vdb"}),
        (f"ASSOCIATORS OF {{toy_system.{KEYS}}} WHERE ResultClass = Toy_Remote", {"far"}),
        (f"ASSOCIATORS OF {{Toy_System.{KEYS}}} WHERE ResultClass = Toy_Disk KeysOnly", {"plain|vda", "plain|vdb"}),
    ],
)
def test_associators_of(puller: pywbem.WBEMConnection, text: str, expected: set[str]) -> None:
    found = puller.ExecQuery("WQL", text)
    assert {each["Name"] for each in found} == expected
    assert all(len(each) == 2 for each in found if "KeysOnly" in text)


def test_references_of(puller: pywbem.WBEMConnection) -> None:
    found = puller.ExecQuery("WQL", f"REFERENCES OF {{Toy_System.{KEYS}}} WHERE ResultClass = Toy_SystemDevice")
    assert {each["Dependent"]["Name"] for each in found} == {"plain|vda", "plain|vdb"}
    single = puller.ExecQuery("WQL", "ASSOCIATORS OF {Toy_Single=7}")
    assert single == []


def test_objects_on_the_wire(raw: RawClient) -> None:
    response = run(raw, "WQL", "SELECT * FROM Toy_Single")
    assert [each.tag for each in response.xml.findall(".//IRETURNVALUE/*")] == ["VALUE.OBJECTWITHPATH"]
    assert response.xml.findtext(".//INSTANCEPATH/INSTANCENAME/KEYBINDING/KEYVALUE") == "7"
    assert b"<IRETURNVALUE></IRETURNVALUE>" in run(raw, "WQL", "SELECT * FROM Toy_Single WHERE Number = 8").body


@pytest.mark.parametrize(
    ("language", "text", "status"),
    [
        ("SQL", "SELECT * FROM Toy_Disk", Status.QUERY_LANGUAGE_NOT_SUPPORTED),
        ("DMTF:FQL", "Size = 1", Status.QUERY_LANGUAGE_NOT_SUPPORTED),
        ("WQL", "SELECT FROM", Status.INVALID_QUERY),
        ("WQL", "", Status.INVALID_QUERY),
        ("DMTF:CQL", "SELECT * FROM Toy_None", Status.INVALID_CLASS),
        ("DMTF:CQL", "SELECT Nonsense FROM Toy_Disk", Status.INVALID_QUERY),
        ("DMTF:CQL", "SELECT * FROM Toy_Disk, Toy_System", Status.QUERY_FEATURE_NOT_SUPPORTED),
        ("WQL", "ASSOCIATORS OF {Toy_System.Name='x'}", Status.INVALID_PARAMETER),
        ("WQL", 'ASSOCIATORS OF {Toy_System="x"}', Status.INVALID_QUERY),
        ("WQL", 'ASSOCIATORS OF {Toy_System.CreationClassName="Toy_System",Name="absent"}', Status.NOT_FOUND),
        ("WQL", "ASSOCIATORS OF {Toy_None.Name='x'}", Status.INVALID_CLASS),
    ],
)
def test_refused(raw: RawClient, language: str, text: str, status: Status) -> None:
    response = run(raw, language, text)
    assert response.cim_status == status
    assert response.description
    opened = raw.post(intrinsic("OpenQueryInstances", FilterQueryLanguage=value(language), FilterQuery=value(text)))
    assert opened.cim_status == status


def test_parameters_are_needed(raw: RawClient) -> None:
    assert raw.post(intrinsic("ExecQuery", QueryLanguage=value("WQL"))).cim_status == Status.INVALID_PARAMETER
    response = raw.post(intrinsic("OpenQueryInstances", FilterQueryLanguage=value("WQL")))
    assert response.cim_status == Status.INVALID_PARAMETER


def test_result_class_of_an_association_query(raw: RawClient) -> None:
    parameters = {"FilterQueryLanguage": value("WQL"), "ReturnQueryResultClass": value("true")}
    text = f"ASSOCIATORS OF {{Toy_System.{KEYS}}}"
    response = raw.post(intrinsic("OpenQueryInstances", **parameters, FilterQuery=value(text)))
    assert response.cim_status == Status.QUERY_FEATURE_NOT_SUPPORTED
    text += " WHERE ResultClass = Toy_Disk"
    response = raw.post(intrinsic("OpenQueryInstances", **parameters, FilterQuery=value(text)))
    assert response.cim_status == 0


def test_broken_instances_are_left_out(raw: RawClient, toy: Toy) -> None:
    toy.provider.stores["Toy_System"]["a/b"] = Broken("a/b")
    response = run(raw, "WQL", "SELECT Name FROM Toy_System WHERE EnabledState = 2")
    assert len(response.xml.findall(".//INSTANCE")) == 10
    opened = raw.post(
        intrinsic(
            "OpenQueryInstances",
            FilterQueryLanguage=value("WQL"),
            FilterQuery=value("SELECT Name FROM Toy_System WHERE EnabledState = 2"),
            ContinueOnError=value("true"),
        )
    )
    _, context = outputs(opened)
    assert len(pull(raw, context or "", 100, "PullInstances").xml.findall(".//INSTANCE")) == 1
    assert pull(raw, context or "", 100, "PullInstances").cim_status == Status.FAILED
    assert len(pull(raw, context or "", 100, "PullInstances").xml.findall(".//INSTANCE")) == 9

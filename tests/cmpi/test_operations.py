"""Every operation through the library, compared with the embedded server's answer to the same request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.cimom.harness import RunningServer
from tests.cimom.toy import ODD_NAMES, Toy
from tests.cmpi.broker import Broker, instance, path, typed
from tests.cmpi.conftest import CLASSES, Bridge
from tests.cmpi.views import in_order, of_broker, of_client
from virtcim.cimom import audit
from virtcim.cimom.access import Access, Role, RoleSettings
from virtcim.frontends.cmpi import frontend
from virtcim.precedence import Precedence
from virtcim.providers.interface import RequestContext

CREATION_CLASSES = ("Toy_System", "Toy_SpecialSystem", "Toy_Disk", "Toy_Single")
ASSOCIATIONS = ("Toy_SystemDevice", "Toy_Partner", "Toy_Elsewhere")


def system(name: str, class_name: str = "Toy_System") -> tuple[Any, ...]:
    return path("root/toy", class_name, CreationClassName=class_name, Name=name)


@pytest.fixture
def client(toy: Toy) -> Iterator[pywbem.WBEMConnection]:
    """A client of the embedded server over the same catalog."""
    server = RunningServer(toy.catalog, CLASSES)
    connection = pywbem.WBEMConnection(server.url, default_namespace="root/toy")
    yield connection
    connection.close()
    server.stop()


@pytest.mark.parametrize("class_name", [*CREATION_CLASSES, *ASSOCIATIONS])
def test_enumerations_are_those_of_the_embedded_server(
    broker: Broker, client: pywbem.WBEMConnection, class_name: str
) -> None:
    provider = class_name if class_name in ASSOCIATIONS else "Toy"
    expected = [each for each in client.EnumerateInstances(class_name) if each.classname == class_name]
    assert expected
    found = broker.results("enumerate", provider, path("root/toy", class_name), None)
    assert [of_broker(each) for each in found] == [of_client(each) for each in expected]
    names = broker.results("names", provider, path("root/toy", class_name))
    assert [of_broker(each) for each in names] == [of_client(each.path) for each in expected]


def test_a_superclass_stands_for_all_that_the_provider_serves(broker: Broker, client: pywbem.WBEMConnection) -> None:
    expected = client.EnumerateInstances("Toy_Named")
    found = broker.results("enumerate", "Toy", path("root/toy", "Toy_Named"), None)
    assert [of_broker(each) for each in found] == [of_client(each) for each in expected]
    assert broker.results("names", "Another", path("root/toy", "Toy_Named")) == []


def test_what_can_wait_gives_way_while_an_answer_is_computed(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    first, passes, instances = Precedence(pause=3600.0), [], bridge.toy.provider.instances
    first.note_passed()
    monkeypatch.setattr(frontend, "answers", first)

    def look(class_name: str, context: RequestContext) -> Any:
        passes.append(first.lets_pass)
        return instances(class_name, context)

    monkeypatch.setattr(bridge.toy.provider, "instances", look)
    with Broker(bridge.socket) as broker:
        assert broker.results("enumerate", "Toy", path("root/toy", "Toy_System"), None)
    assert passes
    assert not any(passes)
    assert first.lets_pass


@pytest.mark.parametrize("name", [*ODD_NAMES, "typed"])
def test_get_instance(broker: Broker, client: pywbem.WBEMConnection, name: str) -> None:
    keys = {"CreationClassName": "Toy_System", "Name": name}
    expected = client.GetInstance(pywbem.CIMInstanceName("Toy_System", keys, namespace="root/toy"))
    expected.path = pywbem.CIMInstanceName("Toy_System", keys, namespace="root/toy")
    (found,) = broker.results("get", "Toy", system(name), None)
    assert of_broker(found) == of_client(expected)


def test_keys_of_other_types_are_read_by_the_class(broker: Broker) -> None:
    for key in (typed("uint32", 7), typed("sint64", 7), typed("uint8", 7)):
        (found,) = broker.results("get", "Toy", path("root/toy", "Toy_Single", Number=key), None)
        assert found["properties"]["Text"] == ["string", "seven"]


def test_a_property_list_is_passed_on(broker: Broker) -> None:
    (found,) = broker.results("get", "Toy", system("typed"), ("u8", "NOTES", "Unknown"))
    assert set(found["properties"]) == {"CreationClassName", "Name", "U8", "Notes"}
    found = broker.results("enumerate", "Toy", path("root/toy", "Toy_Disk"), ())
    assert [set(each["properties"]) for each in found] == [{"CreationClassName", "Name"}] * 3


def test_null_overrides_the_default_of_the_class(broker: Broker) -> None:
    (found,) = broker.results("get", "Toy", system("self"), None)
    assert found["properties"]["EnabledState"] == ["uint16", None]


@pytest.mark.parametrize("operation", ["associators", "references"])
@pytest.mark.parametrize("source", ["plain", "self", "special"])
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"AssocClass": "Toy_Dependency"},
        {"AssocClass": "Toy_Partner"},
        {"ResultClass": "Toy_System"},
        {"ResultClass": "Toy_Disk", "Role": "antecedent"},
        {"ResultRole": "Antecedent"},
        {"Role": "Nothing"},
    ],
)
def test_associations(
    bridge: Bridge, client: pywbem.WBEMConnection, operation: str, source: str, filters: dict[str, str]
) -> None:
    class_name = "Toy_SpecialSystem" if source == "special" else "Toy_System"
    name = pywbem.CIMInstanceName(class_name, {"CreationClassName": class_name, "Name": source}, namespace="root/toy")
    if operation == "associators":
        expected = client.Associators(name, **filters)
        expected_names = client.AssociatorNames(name, **filters)
        arguments = [filters.get(each) for each in ("AssocClass", "ResultClass", "Role", "ResultRole")]
    else:
        # ResultClass of References is the class of the association.
        result_class = filters.get("AssocClass")
        expected = client.References(name, ResultClass=result_class, Role=filters.get("Role"))
        expected_names = client.ReferenceNames(name, ResultClass=result_class, Role=filters.get("Role"))
        arguments = [result_class, filters.get("Role")]
    names = operation.removesuffix("s") + "-names"
    target = system(source, class_name)
    with Broker(bridge.socket, sanitized=False) as broker:
        # A CIM server asks the provider of each association class, and merges what they say.
        found = [
            of_broker(each)
            for provider in ASSOCIATIONS
            for each in broker.results(operation, provider, target, *arguments, None)
        ]
        found_names = [
            of_broker(each) for provider in ASSOCIATIONS for each in broker.results(names, provider, target, *arguments)
        ]
    assert in_order(_once(found)) == in_order([of_client(each) for each in expected])
    assert in_order(_once(found_names)) == in_order([of_client(each) for each in expected_names])


def _once(items: list[Any]) -> list[Any]:
    return [each for number, each in enumerate(items) if each not in items[:number]]


def test_association_operations_under_the_sanitizers(broker: Broker) -> None:
    target = system("plain")
    assert len(broker.results("associators", "Toy_SystemDevice", target, None, None, None, None, ("Size",))) == 2
    assert len(broker.results("associator-names", "Toy_SystemDevice", target, None, None, None, None)) == 2
    assert len(broker.results("references", "Toy_SystemDevice", target, None, None, ("Slot",))) == 2
    assert len(broker.results("reference-names", "Toy_SystemDevice", target, None, None)) == 2


def test_objects_of_others_have_no_associations_here(broker: Broker) -> None:
    other = path("root/toy", "Toy_Setting", InstanceID="1")
    assert broker.results("associators", "Toy_SystemDevice", other, None, None, None, None, None) == []


SETTING = instance("Toy_Setting", {"InstanceID": typed("string", "new"), "Weight": typed("uint32", 5)})


def test_invoke_method(broker: Broker, toy: Toy) -> None:
    broker.good("principal", "pegasus-user")
    answer = broker.good(
        "invoke", "Toy", system("plain"), "change",
        ("arg", "State", typed("uint16", 3)),
        ("arg", "Timeout", typed("datetime", "00000000000030.000000:000")),
        ("arg", "Force", typed("boolean", True)),
        ("arg", "Offset", typed("sint64", -5)),
        ("arg", "Words", typed("string", ["a", "", "c"])),
        ("arg", "Setting", typed("instance", SETTING)),
        ("arg", "Settings", typed("string", ["instance of Toy_Setting { InstanceID = \"mof\"; Weight = 9; };"])),
        ("arg", "Partner", typed("reference", system("a/b"))),
        ("arg", "Partners", typed("reference", [system("plain")])),
    )  # fmt: skip
    class_name, keys, method, given, principal = toy.provider.calls[-1]
    assert (class_name, method, principal) == ("Toy_System", "Change", "pegasus-user")
    assert keys == {"CreationClassName": "Toy_System", "Name": "plain"}
    assert (given["State"], given["Force"], given["Offset"], given["Words"]) == (3, True, -5, ["a", "", "c"])
    assert given["Timeout"].total_seconds() == 30
    assert given["Setting"].properties == {"InstanceID": "new", "Weight": 5}
    assert given["Settings"][0].properties["Weight"] == 9
    assert given["Partner"].keys["Name"] == "a/b"
    assert given["Partners"][0].keys["Name"] == "plain"
    assert answer["results"] == [["uint32", 0]]
    out = answer["out"]
    assert out["Numbers"] == ["uint16[]", [1, 2]]
    assert out["When"] == ["datetime", "20260228235958.123456-090"]
    assert out["Result"][1]["keys"]["Name"] == ["string", "plain"]
    assert out["Results"][1][0]["class"] == "Toy_System"
    assert out["NewSetting"][1]["properties"]["Weight"] == ["uint32", 5]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(("instance", SETTING), id="instance"),
        pytest.param(("string", 'instance of Toy_Setting { InstanceID = "new"; Weight = 5; };'), id="MOF"),
        pytest.param(
            (
                "string",
                '<INSTANCE CLASSNAME="Toy_Setting">'
                '<PROPERTY NAME="InstanceID" TYPE="string"><VALUE>new</VALUE></PROPERTY>'
                '<PROPERTY NAME="Weight" TYPE="uint32"><VALUE>5</VALUE></PROPERTY></INSTANCE>',
            ),
            id="CIM-XML",
        ),
    ],
)
def test_an_embedded_instance_comes_as_the_cim_server_hands_it_over(
    broker: Broker, toy: Toy, value: tuple[str, Any]
) -> None:
    """SFCB takes some of them only as the text that its client sends."""
    cim_type, given = value
    state = ("arg", "State", typed("uint16", 3))
    alone, several = ("arg", "Setting", typed(cim_type, given)), ("arg", "Settings", typed(cim_type, [given, given]))
    broker.good("invoke", "Toy", system("plain"), "Change", state, alone, several)
    arguments = toy.provider.calls[-1][3]
    for each in (arguments["Setting"], *arguments["Settings"]):
        assert (each.class_name, each.properties) == ("Toy_Setting", {"InstanceID": "new", "Weight": 5})
    assert len(arguments["Settings"]) == 2


def test_what_cim_servers_put_into_embedded_instances_does_not_count(broker: Broker, toy: Toy) -> None:
    disk = {"Name": typed("string", "d"), "Caption": typed("string", None), "Size": typed("uint64", 10)}
    setting = {"InstanceID": typed("string", "s"), "Weight": typed("uint32", None), "Words": ("array", "string", None)}
    state = ("arg", "State", typed("uint16", 3))
    given = ("arg", "Setting", typed("instance", instance("Toy_Setting", setting)))
    broker.good("invoke", "Toy", system("plain"), "Change", state, given)
    assert toy.provider.calls[-1][3]["Setting"].properties == {"InstanceID": "s", "Words": [None]}
    broker.good("create", "Toy", path("root/toy", "Toy_Disk"), instance("Toy_Disk", disk))
    values = toy.provider.stores["Toy_Disk"]["d"].values
    assert values == {"Name": "d", "Size": 10, "EnabledState": 5, "Interval": timedelta(minutes=5)}


def test_static_methods(broker: Broker) -> None:
    answer = broker.good("invoke", "Toy", path("root/toy", "Toy_System"), "Count")
    assert answer["results"] == [["uint32", 12]]


def test_keys_without_values_are_those_of_a_class(broker: Broker, toy: Toy) -> None:
    """OpenPegasus hands them over like that where a method is invoked on the class."""
    nothing = typed("string", None)
    on_class = path("root/toy", "Toy_System", CreationClassName=nothing, Name=nothing)
    answer = broker.good("invoke", "Toy", on_class, "Count")
    assert answer["results"] == [["uint32", 12]]
    assert toy.provider.calls[-1][1] is None
    half = path("root/toy", "Toy_System", CreationClassName="Toy_System", Name=nothing)
    answer = broker.do("invoke", "Toy", half, "Change", ("arg", "State", typed("uint16", 1)))
    assert answer["rc"] == 4
    assert "key Name is missing" in answer["message"]


@pytest.mark.parametrize("language", ["WQL", "DMTF:CQL", "CIM:CQL"])
def test_queries(broker: Broker, language: str) -> None:
    disks = path("root/toy", "Toy_Disk")
    found = broker.results("query", "Toy", disks, "SELECT * FROM Toy_Disk WHERE Size > 1", language)
    assert sorted(each["properties"]["Name"][1] for each in found) == ["plain|vdb", "special|vda"]
    # A CIM server asks for each class that is registered, with the query as it came.
    found = broker.results("query", "Toy", disks, "SELECT * FROM Toy_Named WHERE Name = 'plain|vda'", language)
    assert [each["path"]["class"] for each in found] == ["Toy_Disk"]
    assert broker.results("query", "Toy", path("root/toy", "Toy_Single"), "SELECT * FROM Toy_Disk", language) == []
    # SFCB then enumerates, selects and projects by itself; what a provider selects it does not project.
    some = "SELECT Name, Size FROM Toy_Disk WHERE Size > 1"
    assert broker.do("query", "Toy", disks, some, language)["rc"] == 7
    assert broker.do("query", "Toy", path("root/toy", "Toy_Named"), "SELECT * FROM Toy_Named", language)["rc"] == 7


def test_roles_are_those_of_the_embedded_server(
    toy: Toy, bridge: Bridge, socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    roles = RoleSettings(read=("reader", "operator"), operate=("operator",), administer=("root",))
    bridge.stop()
    bridge.start(access=Access(roles, {"Toy_System.Change": Role.OPERATE}, CLASSES.ancestors))
    change = ("invoke", "Toy", system("plain"), "Change", ("arg", "State", typed("uint16", 3)))
    delete = ("delete", "Toy", path("root/toy", "Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda"))
    read = ("enumerate", "Toy", path("root/toy", "Toy_System"), None)
    caplog.set_level(logging.INFO, audit.LOGGER.name)
    with Broker(socket) as broker:
        for principal, allowed in (("reader", 1), ("operator", 2), ("root", 3), ("stranger", 0), (None, 0)):
            broker.good("principal", principal)
            answers = [broker.do(*words)["rc"] for words in (read, change, delete)]
            assert answers == [0] * allowed + [2] * (3 - allowed)
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == audit.LOGGER.name]
    assert [(line["user"], line["operation"], line["result"] == "success") for line in lines] == [
        ("reader", "Change", False),
        ("reader", "DeleteInstance", False),
        ("operator", "Change", True),
        ("operator", "DeleteInstance", False),
        ("root", "Change", True),
        ("root", "DeleteInstance", True),
        ("stranger", "Change", False),
        ("stranger", "DeleteInstance", False),
        ("", "Change", False),
        ("", "DeleteInstance", False),
    ]
    assert lines[2]["by"] == "cmpi"
    assert lines[2]["parameters"] == {"State": 3}
    assert "plain" in lines[2]["target"]


def test_create_modify_delete(broker: Broker, toy: Toy) -> None:
    disk = instance(
        "Toy_Disk",
        {
            "CreationClassName": typed("string", "Toy_Disk"),
            "Name": typed("string", "new|vda"),
            "Size": typed("uint64", 2**40),
            "Caption": typed("string", None),
        },
    )
    target = path("root/toy", "Toy_Disk", CreationClassName="Toy_Disk", Name="new|vda")
    (made,) = broker.results("create", "Toy", path("root/toy", "Toy_Disk"), disk)
    assert made["keys"]["Name"] == ["string", "new|vda"]
    assert broker.do("create", "Toy", path("root/toy", "Toy_Disk"), disk)["rc"] == 11
    changed = instance("Toy_Disk", {"Size": typed("uint64", 7), "Caption": typed("string", "not asked for")})
    broker.good("modify", "Toy", target, changed, ("Size", "ElementName"))
    values = toy.provider.stores["Toy_Disk"]["new|vda"].values
    assert values["Size"] == 7
    assert "Caption" not in values
    assert values["ElementName"] is None
    broker.good("modify", "Toy", target, changed, None)
    assert toy.provider.stores["Toy_Disk"]["new|vda"].values["Caption"] == "not asked for"
    assert broker.do("modify", "Toy", target, changed, ("Nothing",))["rc"] == 12
    broker.good("delete", "Toy", target)
    assert broker.do("delete", "Toy", target)["rc"] == 6


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("get", "Toy", system("nobody"), None), 6, "No such instance (nobody)"),
        (("get", "Toy", path("root/toy", "Toy_System", Name="plain"), None), 4, "key CreationClassName is missing"),
        (("get", "Toy", path("root/toy", "Toy_Setting", InstanceID="x"), None), 6, "No instance of Toy_Setting"),
        (("enumerate", "Toy", path("root/nowhere", "Toy_System"), None), 3, "root/nowhere"),
        (("enumerate", "Toy", path("root/toy", "Toy_Nothing"), None), 5, "Toy_Nothing"),
        (("invoke", "Toy", system("plain"), "Nothing"), 17, "has no method"),
        (("invoke", "Toy", system("plain"), "Missing"), 16, "not available"),
        (("invoke", "Toy", system("plain"), "Change"), 4, "State is required"),
        (("invoke", "Toy", path("root/toy", "Toy_Setting"), "Change"), 17, "has no method"),
        (("query", "Toy", path("root/toy", "Toy_Disk"), "SELECT * FROM Toy_Nothing", "WQL"), 5, "Toy_Nothing"),
        (("query", "Toy", path("root/toy", "Toy_Disk"), "SELECT FROM", "WQL"), 15, "Syntax error"),
        (("query", "Toy", path("root/toy", "Toy_Disk"), "SELECT *", "SQL-92"), 14, "SQL-92"),
        (("authorize", "Toy", "root/toy", "Toy_System", "SELECT * FROM Toy_System"), 7, "no indications"),
    ],
)
def test_errors_are_those_of_the_embedded_server(bridge: Bridge, words: Any, status: int, text: str) -> None:
    with Broker(bridge.socket) as broker:
        answer = broker.do(*words)
    assert answer["rc"] == status
    assert text in answer["message"]


def test_a_broken_provider_is_one_error(broker: Broker, toy: Toy) -> None:
    toy.provider.failure = RuntimeError("a \0 fault \ud800")
    answer = broker.do("enumerate", "Toy", path("root/toy", "Toy_System"), None)
    assert answer["rc"] == 1
    assert "RuntimeError: a \ufffd fault ?" in answer["message"]


def test_a_broken_instance_is_left_out(broker: Broker, toy: Toy) -> None:
    toy.provider.add("Toy_Disk", Name="broken", Size="large")
    toy.provider.add("Toy_Disk", Name="huge", Caption="x" * 5_000_000)
    toy.provider.add("Toy_Disk", Name=None)
    found = broker.results("enumerate", "Toy", path("root/toy", "Toy_Disk"), None)
    assert [each["properties"]["Name"][1] for each in found] == ["plain|vda", "plain|vdb", "special|vda"]


def test_classes_that_the_cim_server_does_not_know(broker: Broker) -> None:
    broker.good("forget", "Toy_Disk")
    disk = path("root/toy", "Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda")
    answer = broker.do("get", "Toy", disk, None)
    assert answer["rc"] == 1
    assert "does not know the class Toy_Disk in root/toy" in answer["message"]
    assert "virtcim register" in answer["message"]
    found = broker.results("enumerate", "Toy", path("root/toy", "Toy_Named"), None)
    assert {each["path"]["class"] for each in found} == {"Toy_System", "Toy_SpecialSystem"}
    assert broker.results("associators", "Toy_SystemDevice", system("plain"), None, None, None, None, None) == []


def test_changes_are_seen_though_instances_are_cached(broker: Broker, toy: Toy) -> None:
    for size in (1, 2, 3):
        toy.provider.change("Toy_Disk", "plain|vda", Size=size)
        target = path("root/toy", "Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda")
        (found,) = broker.results("get", "Toy", target, None)
        assert found["properties"]["Size"] == ["uint64", size]


def test_large_enumerations_come_in_batches(broker: Broker, toy: Toy) -> None:
    for number in range(3000):
        toy.provider.add("Toy_Disk", Name=f"many|{number}", Size=number, ElementName="x" * 200)
    found = broker.results("enumerate", "Toy", path("root/toy", "Toy_Disk"), None)
    assert len(found) == 3003


def test_the_library_survives_an_unload(broker: Broker) -> None:
    for _ in range(3):
        assert broker.results("names", "Toy", path("root/toy", "Toy_Single"))
        answer = broker.good("reload")
        assert answer["never_unload"]
        assert answer["resident"]
    assert broker.good("status")["live"] == 0

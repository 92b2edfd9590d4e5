"""Reading instances and classes, as DSP0200 1.4 has it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
import pywbem

from tests.cimom.harness import (
    RawClient,
    RunningServer,
    array,
    class_name,
    extrinsic,
    instance_name,
    intrinsic,
    system,
    value,
)
from tests.cimom.toy import AGE, ALL_TYPES, ODD_NAMES, SINCE, Toy, ToyInstance
from tests.xpath import nodes
from virtcim.cimom.settings import ServerSettings
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Status


def names(instances: list[Any]) -> set[str]:
    return {each["Name"] for each in instances}


def status_of(raw: RawClient, operation: str, **parameters: str) -> Status | int:
    return raw.post(intrinsic(operation, **parameters)).cim_status


def test_all_types(connection: pywbem.WBEMConnection) -> None:
    path = pywbem.CIMInstanceName("Toy_System", {"CreationClassName": "Toy_System", "Name": "typed"})
    instance = connection.GetInstance(path)
    for name, expected in ALL_TYPES.items():
        got = instance[name]
        if name == "ElementName":
            assert got == expected.replace("\x01", "\ufffd")
        elif isinstance(expected, EmbeddedInstance):
            assert same_embedded(got, expected)
        elif name == "Settings":
            assert all(map(same_embedded, got, expected))
        elif name == "Since":
            assert got.datetime == SINCE
        elif name == "Age":
            assert got.timedelta == AGE
        elif name == "Times":
            assert [got[0].datetime, got[1].timedelta] == expected
        elif name == "Notes":
            assert got == ["one", "", "<three>", ""]
        elif isinstance(expected, (list, tuple)):
            assert got == list(expected)
        else:
            assert got == expected
    assert instance.properties["U8"].type == "uint8"
    assert instance.properties["Special" if "Special" in instance else "Letter"].type == "char16"


def same_embedded(got: pywbem.CIMInstance, expected: EmbeddedInstance) -> bool:
    assert got.classname == expected.class_name
    assert set(got.keys()) == set(expected.properties)
    for name, wanted in expected.properties.items():
        if isinstance(wanted, EmbeddedInstance):
            assert same_embedded(got[name], wanted)
        elif isinstance(wanted, InstancePath):
            assert got[name].keybindings == wanted.keys
            assert got[name].namespace == "root/toy"
            assert got[name].host is None
        elif name == "Since":
            assert got[name].datetime == wanted
        else:
            assert got[name] == wanted
    return True


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(connection: pywbem.WBEMConnection, name: str) -> None:
    found = [each for each in connection.EnumerateInstanceNames("Toy_System") if each["Name"] == name]
    assert len(found) == 1
    assert connection.GetInstance(found[0])["Name"] == name
    connection.Associators(found[0])
    connection.References(found[0])


def test_null_properties_are_there(raw: RawClient) -> None:
    response = raw.post(intrinsic("GetInstance", InstanceName=system("plain")))
    instance = response.xml.find(".//INSTANCE")
    assert instance is not None
    assert b'<PROPERTY NAME="Caption" TYPE="string"></PROPERTY>' in response.body
    assert b'<PROPERTY.ARRAY NAME="Codes" TYPE="uint16"></PROPERTY.ARRAY>' in response.body


def test_null_has_no_embedded_object(raw: RawClient) -> None:
    response = raw.post(intrinsic("EnumerateInstances", ClassName=class_name("Toy_System")))
    held = {
        (each.get("NAME"), each.get("EmbeddedObject"), len(each) > 0)
        for each in nodes(response.xml, "//IRETURNVALUE//INSTANCE/*")
        if each.get("NAME") in {"Setting", "Settings", "Anything"}
    }
    assert held == {
        *((name, None, False) for name in ("Setting", "Settings", "Anything")),
        ("Setting", "instance", True),
        ("Settings", "instance", True),
        ("Anything", "object", True),
    }


@pytest.mark.parametrize(
    ("operation", "parameter", "status"),
    [
        ("EnumerateInstances", "ClassName", Status.INVALID_CLASS),
        ("GetClass", "ClassName", Status.NOT_FOUND),
        ("OpenEnumerateInstances", "ClassName", Status.INVALID_CLASS),
        ("Associators", "ObjectName", Status.INVALID_PARAMETER),
    ],
)
def test_empty_class_names(raw: RawClient, operation: str, parameter: str, status: Status) -> None:
    response = raw.post(intrinsic(operation, **{parameter: class_name("")}))
    assert (response.cim_status, response.description) == (status, "The name of a class is empty")


def test_superclass_answers_for_all_subclasses(connection: pywbem.WBEMConnection) -> None:
    everything = connection.EnumerateInstances("Toy_Element")
    assert {each.classname for each in everything} == {"Toy_System", "Toy_SpecialSystem", "Toy_Disk"}
    assert names(connection.EnumerateInstances("toy_SYSTEM")) == {*ODD_NAMES, "typed", "self", "special"}
    paths = connection.EnumerateInstanceNames("Toy_Element")
    assert [each.path.keybindings for each in everything] == [each.keybindings for each in paths]


def test_deep_inheritance_trims_properties_only(connection: pywbem.WBEMConnection) -> None:
    deep = connection.EnumerateInstances("Toy_Named", DeepInheritance=True)
    flat = connection.EnumerateInstances("Toy_Named", DeepInheritance=False)
    assert len(deep) == len(flat)
    assert {frozenset(each.keys()) for each in flat} == {
        frozenset({"ElementName", "Caption", "CreationClassName", "Name", "EnabledState"})
    }
    special = connection.EnumerateInstances("Toy_System", DeepInheritance=False)
    assert all("Special" not in each and "U8" in each for each in special)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["name", "ELEMENTNAME", "Name", "Nonsense"], {"ElementName", "Name"}),
        ([], set()),
        (["Nonsense"], set()),
    ],
)
def test_property_list(connection: pywbem.WBEMConnection, wanted: list[str], expected: set[str]) -> None:
    for instance in connection.EnumerateInstances("Toy_System", PropertyList=wanted):
        assert set(instance.keys()) == expected
        assert set(connection.GetInstance(instance.path, PropertyList=wanted).keys()) == expected


@pytest.mark.parametrize("local_only", [True, False, None])
def test_local_only_has_no_effect_on_instances(connection: pywbem.WBEMConnection, local_only: bool | None) -> None:
    path = connection.EnumerateInstanceNames("Toy_Disk")[0]
    instance = connection.GetInstance(path, LocalOnly=local_only, IncludeQualifiers=True)
    assert "ElementName" in instance
    assert "EnabledState" in instance


def test_class_origin(connection: pywbem.WBEMConnection) -> None:
    path = connection.EnumerateInstanceNames("Toy_Disk")[0]
    with_origin = connection.GetInstance(path, IncludeClassOrigin=True)
    assert with_origin.properties["Size"].class_origin == "Toy_Disk"
    assert with_origin.properties["Name"].class_origin == "Toy_Named"
    assert connection.GetInstance(path).properties["Size"].class_origin is None


def test_changes_are_seen(connection: pywbem.WBEMConnection, toy: Toy) -> None:
    path = next(each for each in connection.EnumerateInstanceNames("Toy_System") if each["Name"] == "plain")
    assert connection.GetInstance(path)["EnabledState"] == 2
    toy.provider.change("Toy_System", "plain", EnabledState=3)
    assert connection.GetInstance(path)["EnabledState"] == 3
    assert {each["Name"]: each["EnabledState"] for each in connection.EnumerateInstances("Toy_System")}["plain"] == 3
    del toy.provider.stores["Toy_System"]["plain"]
    assert "plain" not in names(connection.EnumerateInstances("Toy_System"))
    with pytest.raises(pywbem.CIMError) as error:
        connection.GetInstance(path)
    assert error.value.status_code == Status.NOT_FOUND


@pytest.mark.parametrize("namespace", ["/root/toy/", "ROOT/Toy", "root/toy"])
def test_namespace_spellings(raw: RawClient, namespace: str) -> None:
    body = intrinsic("EnumerateInstanceNames", ClassName=class_name("Toy_Disk"))
    response = raw.post(body.replace('NAME="root"', f'NAME="{namespace.strip("/").split("/")[0]}"'))
    assert len(response.xml.findall(".//INSTANCENAME")) == 3


@pytest.mark.parametrize(
    ("operation", "parameters", "status"),
    [
        ("EnumerateInstances", {"ClassName": class_name("Toy_None")}, Status.INVALID_CLASS),
        ("EnumerateInstanceNames", {"ClassName": class_name("Toy_None")}, Status.INVALID_CLASS),
        ("GetClass", {"ClassName": class_name("Toy_None")}, Status.NOT_FOUND),
        ("EnumerateClasses", {"ClassName": class_name("Toy_None")}, Status.INVALID_CLASS),
        ("EnumerateClassNames", {"ClassName": class_name("Toy_None")}, Status.INVALID_CLASS),
        ("GetInstance", {"InstanceName": instance_name("Toy_None", Name="x")}, Status.INVALID_CLASS),
        ("GetInstance", {"InstanceName": instance_name("Toy_Element", Name="x")}, Status.NOT_FOUND),
        ("GetInstance", {"InstanceName": instance_name("Toy_Remote", Name="far")}, Status.NOT_FOUND),
        ("GetInstance", {"InstanceName": system("absent")}, Status.NOT_FOUND),
        ("GetInstance", {"InstanceName": instance_name("Toy_System", Name="plain")}, Status.INVALID_PARAMETER),
        ("GetInstance", {"InstanceName": instance_name("Toy_System", Nonsense="plain")}, Status.INVALID_PARAMETER),
        ("GetInstance", {"InstanceName": instance_name("Toy_System")}, Status.INVALID_PARAMETER),
        ("GetInstance", {"InstanceName": class_name("Toy_System")}, Status.INVALID_PARAMETER),
        ("GetInstance", {"InstanceName": value("Toy_System")}, Status.INVALID_PARAMETER),
        ("GetInstance", {"InstanceName": ""}, Status.INVALID_PARAMETER),
        ("GetInstance", {}, Status.INVALID_PARAMETER),
        ("EnumerateInstances", {}, Status.INVALID_PARAMETER),
        ("EnumerateInstances", {"ClassName": class_name("Toy_Disk"), "Nonsense": value(1)}, Status.INVALID_PARAMETER),
        (
            "EnumerateInstances",
            {"ClassName": class_name("Toy_Disk"), "className": class_name("Toy_Disk")},
            Status.INVALID_PARAMETER,
        ),
        (
            "EnumerateInstances",
            {"ClassName": class_name("Toy_Disk"), "DeepInheritance": value("maybe")},
            Status.INVALID_PARAMETER,
        ),
        (
            "EnumerateInstances",
            {"ClassName": class_name("Toy_Disk"), "DeepInheritance": array(["true"])},
            Status.INVALID_PARAMETER,
        ),
        (
            "EnumerateInstances",
            {"ClassName": class_name("Toy_Disk"), "PropertyList": class_name("x")},
            Status.INVALID_PARAMETER,
        ),
        ("GetProperty", {"InstanceName": system("plain"), "PropertyName": value("Nonsense")}, Status.NO_SUCH_PROPERTY),
        ("GetQualifier", {"QualifierName": value("Nonsense")}, Status.NOT_FOUND),
        ("CreateClass", {"NewClass": "<CLASS NAME='X'/>"}, Status.NOT_SUPPORTED),
        ("ModifyClass", {}, Status.NOT_SUPPORTED),
        ("DeleteClass", {"ClassName": class_name("Toy_Disk")}, Status.NOT_SUPPORTED),
        ("SetQualifier", {}, Status.NOT_SUPPORTED),
        ("DeleteQualifier", {}, Status.NOT_SUPPORTED),
        ("EnumerationCount", {"EnumerationContext": value("x")}, Status.NOT_SUPPORTED),
        ("CreateClass", {}, Status.NOT_SUPPORTED),
        ("Nonsense", {}, Status.NOT_SUPPORTED),
        ("__class__", {}, Status.NOT_SUPPORTED),
    ],
)
def test_errors(raw: RawClient, operation: str, parameters: dict[str, str], status: Status) -> None:
    response = raw.post(intrinsic(operation, **parameters))
    assert response.status == 200
    assert response.cim_status == status
    assert response.description


@pytest.mark.parametrize(
    ("operation", "parameter"),
    [("EnumerateInstances", "Toy_Disk"), ("GetClass", "Toy_Disk"), ("Nonsense", "Toy_Disk")],
)
def test_unknown_namespace(raw: RawClient, operation: str, parameter: str) -> None:
    body = intrinsic(operation, "root/none", ClassName=class_name(parameter))
    assert raw.post(body).cim_status == Status.INVALID_NAMESPACE


def test_null_parameters_take_the_default(raw: RawClient) -> None:
    body = intrinsic("EnumerateInstances", ClassName=class_name("Toy_Disk"), DeepInheritance="", PropertyList="")
    response = raw.post(body)
    assert response.cim_status == 0
    assert response.xml.find(".//PROPERTY[@NAME='Size']") is not None


@pytest.mark.parametrize(
    "keys",
    [
        '<KEYBINDING NAME="Number"><KEYVALUE VALUETYPE="numeric">7</KEYVALUE></KEYBINDING>',
        '<KEYBINDING NAME="NUMBER"><KEYVALUE VALUETYPE="numeric" TYPE="uint32">0x7</KEYVALUE></KEYBINDING>',
        '<KEYBINDING NAME="Number"><KEYVALUE VALUETYPE="numeric" TYPE="">7</KEYVALUE></KEYBINDING>',
        '<KEYVALUE VALUETYPE="numeric">7</KEYVALUE>',
        '<KEYVALUE TYPE="uint32">7</KEYVALUE>',
    ],
)
def test_key_forms(raw: RawClient, keys: str) -> None:
    body = intrinsic("GetInstance", InstanceName=f'<INSTANCENAME CLASSNAME="Toy_Single">{keys}</INSTANCENAME>')
    assert raw.post(body).cim_status == 0


@pytest.mark.parametrize(
    ("class_", "keys"),
    [
        ("Toy_System", "<KEYVALUE>plain</KEYVALUE>"),
        ("Toy_Single", '<KEYBINDING NAME="Number"><KEYVALUE>7</KEYVALUE></KEYBINDING>' * 2),
    ],
)
def test_faulty_keys(raw: RawClient, class_: str, keys: str) -> None:
    body = intrinsic("GetInstance", InstanceName=f'<INSTANCENAME CLASSNAME="{class_}">{keys}</INSTANCENAME>')
    assert raw.post(body).cim_status == Status.INVALID_PARAMETER


def keyed(**keys: str) -> dict[str, str]:
    return {"InstanceName": instance_name("Toy_System", **keys)}


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        ({}, "CreationClassName"),
        ({"Color": "red"}, "CreationClassName"),
        ({"CreationClassName": "Toy_System"}, "Name"),
        ({"NAME": "plain"}, "CreationClassName"),
    ],
)
@pytest.mark.parametrize("operation", ["GetInstance", "DeleteInstance", "GetProperty", "method"])
def test_incomplete_paths(raw: RawClient, operation: str, keys: dict[str, str], missing: str) -> None:
    """Without any key it is the class whose method is called, and the provider that refuses."""
    more = {"PropertyName": value("Name")} if operation == "GetProperty" else {}
    if operation == "method":
        response = raw.post(extrinsic("Change", instance_name("Toy_System", **keys), State=value(2)))
    else:
        response = raw.post(intrinsic(operation, **keyed(**keys), **more))
    assert response.cim_status == Status.INVALID_PARAMETER
    refusal = f"key {missing} is missing" if keys or operation != "method" else "Change needs an instance"
    assert refusal in response.description


@pytest.mark.parametrize("operation", ["GetInstance", "GetProperty", "DeleteInstance", "method", "Associators"])
def test_superfluous_keys(raw: RawClient, caplog: pytest.LogCaptureFixture, operation: str) -> None:
    caplog.set_level("DEBUG", "virtcim.cimom.keys")
    path = instance_name("Toy_Disk", virt="KVM", Name="plain|vda", creationclassname="Toy_Disk")
    if operation == "method":
        path = instance_name("Toy_System", virt="KVM", Name="plain", creationclassname="Toy_System")
        response = raw.post(extrinsic("Change", path, State=value(2)))
    else:
        parameter = "ObjectName" if operation == "Associators" else "InstanceName"
        more = {"PropertyName": value("Name")} if operation == "GetProperty" else {}
        response = raw.post(intrinsic(operation, **{parameter: path}, **more))
    assert response.cim_status == 0
    assert any("'virt'" in each.getMessage() for each in caplog.records)


def test_numeric_key_as_string_is_left_to_the_provider(raw: RawClient) -> None:
    assert status_of(raw, "GetInstance", InstanceName=instance_name("Toy_Single", Number="7")) == Status.NOT_FOUND


def test_get_property(raw: RawClient) -> None:
    def read(name: str) -> bytes:
        return raw.post(intrinsic("GetProperty", InstanceName=system("typed"), PropertyName=value(name))).body

    assert b"<IRETURNVALUE><VALUE>255</VALUE></IRETURNVALUE>" in read("u8")
    assert b"<VALUE.ARRAY><VALUE>1</VALUE><VALUE>2</VALUE>" in read("Codes")
    body = intrinsic("GetProperty", InstanceName=system("plain"), PropertyName=value("U8"))
    assert b"<IRETURNVALUE></IRETURNVALUE>" in raw.post(body).body


def test_empty_results(raw: RawClient) -> None:
    response = raw.post(intrinsic("EnumerateInstances", ClassName=class_name("Toy_Setting")))
    assert b"<IRETURNVALUE></IRETURNVALUE>" in response.body


def test_get_class(connection: pywbem.WBEMConnection) -> None:
    whole = connection.GetClass("toy_disk", LocalOnly=False, IncludeClassOrigin=True)
    assert whole.classname == "Toy_Disk"
    assert whole.superclass == "Toy_Named"
    assert whole.properties["Name"].class_origin == "Toy_Named"
    assert whole.properties["Name"].propagated
    assert whole.properties["Name"].qualifiers["Key"].value is True
    assert whole.properties["EnabledState"].value == 5
    assert whole.properties["EnabledState"].qualifiers["Values"].value == ["Enabled", "Disabled"]
    assert whole.properties["Size"].value == 10
    local = connection.GetClass("Toy_Disk", LocalOnly=True)
    assert list(local.properties) == ["Size", "Interval"]
    assert local.properties["Interval"].value.timedelta == timedelta(minutes=5)
    bare = connection.GetClass("Toy_System", LocalOnly=False, IncludeQualifiers=False, PropertyList=["u8", "name"])
    assert set(bare.properties) == {"U8", "Name"}
    assert not bare.qualifiers
    assert not bare.properties["Name"].qualifiers


def test_methods_and_parameters_of_a_class(connection: pywbem.WBEMConnection) -> None:
    change = connection.GetClass("Toy_SpecialSystem", LocalOnly=False).methods["Change"]
    assert change.return_type == "uint32"
    assert change.propagated
    assert change.parameters["Partner"].type == "reference"
    assert change.parameters["Partner"].reference_class == "Toy_System"
    assert change.parameters["Partners"].is_array
    assert change.parameters["Words"].is_array
    assert change.parameters["Setting"].qualifiers["EmbeddedInstance"].value == "Toy_Setting"


def test_restricted_qualifiers_stay(connection: pywbem.WBEMConnection) -> None:
    assert "Abstract" in connection.GetClass("Toy_Named", LocalOnly=False).qualifiers
    assert "Abstract" not in connection.GetClass("Toy_Disk", LocalOnly=False).qualifiers
    assert "Description" in connection.GetClass("Toy_Disk", LocalOnly=False).qualifiers


def test_enumerate_classes(connection: pywbem.WBEMConnection) -> None:
    top = connection.EnumerateClassNames()
    assert set(top) == {"Toy_Element", "Toy_Single", "Toy_Setting", "Toy_Dependency", "CIM_Error"}
    assert set(connection.EnumerateClassNames(ClassName="Toy_Named")) == {"Toy_System", "Toy_Disk", "Toy_Remote"}
    deep = connection.EnumerateClassNames(ClassName="Toy_Named", DeepInheritance=True)
    assert "Toy_SpecialSystem" in deep
    assert [each.classname for each in connection.EnumerateClasses(ClassName="Toy_Named", DeepInheritance=True)] == deep
    assert connection.EnumerateClassNames(ClassName="Toy_Disk") == []
    everything = connection.EnumerateClasses(DeepInheritance=True, LocalOnly=False, IncludeClassOrigin=True)
    assert len(everything) == 13


def test_qualifiers(connection: pywbem.WBEMConnection) -> None:
    declarations = {each.name: each for each in connection.EnumerateQualifiers()}
    assert declarations["Key"].scopes["PROPERTY"] is True
    assert declarations["ValueMap"].is_array
    assert declarations["Abstract"].tosubclass is False
    assert connection.GetQualifier("key") == declarations["Key"]


def test_broken_instance_is_left_out(
    connection: pywbem.WBEMConnection, toy: Toy, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(ToyInstance):
        def properties(self) -> Any:
            raise RuntimeError("broken")

    toy.provider.stores["Toy_Disk"]["b"] = Broken("Toy_Disk", {"Name": "b"})
    toy.provider.stores["Toy_Disk"]["k"] = ToyInstance("Toy_Disk", {"Name": None})
    toy.provider.stores["Toy_Disk"]["n"] = ToyInstance("Toy_Disk", {"Name": "n", "Size": "many"})
    with caplog.at_level(logging.WARNING):
        found = {each["Name"]: each["Size"] for each in connection.EnumerateInstances("Toy_Disk")}
    assert found == {"plain|vda": 1, "plain|vdb": 2, "special|vda": 3, "n": None}
    assert "Toy_Disk.Size" in caplog.text
    path = pywbem.CIMInstanceName("Toy_Disk", {"CreationClassName": "Toy_Disk", "Name": "b"})
    with pytest.raises(pywbem.CIMError) as error:
        connection.GetInstance(path)
    assert error.value.status_code == Status.FAILED


@pytest.mark.parametrize(
    ("failure", "status"),
    [(CIMError(Status.ACCESS_DENIED, "no <entry>\nhere"), Status.ACCESS_DENIED), (KeyError("x"), Status.FAILED)],
)
def test_failing_provider(raw: RawClient, toy: Toy, failure: Exception, status: Status) -> None:
    toy.provider.failure = failure
    assert raw.post(intrinsic("EnumerateInstances", ClassName=class_name("Toy_Single"))).cim_status == status
    response = raw.post(intrinsic("EnumerateInstances", ClassName=class_name("Toy_Element")))
    assert response.cim_status == 0


def modified(raw: RawClient, properties: str, **parameters: str) -> int:
    disk = instance_name("Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda")
    instance = f'<INSTANCE CLASSNAME="Toy_Disk">{properties}</INSTANCE>'
    named = f"<VALUE.NAMEDINSTANCE>{disk}{instance}</VALUE.NAMEDINSTANCE>"
    return raw.post(intrinsic("ModifyInstance", ModifiedInstance=named, **parameters)).cim_status


def one(name: str, text: str | None) -> str:
    return f'<PROPERTY NAME="{name}" TYPE="string">{"" if text is None else value(text)}</PROPERTY>'


@pytest.mark.parametrize(
    ("properties", "parameters", "status", "expected"),
    [
        (one("Name", "plain|vda") + one("size", "5"), {}, 0, {"Size": 5}),
        (one("Name", None) + one("Size", "5"), {}, 0, {"Size": 5}),
        (one("Name", "other") + one("Size", "5"), {}, Status.INVALID_PARAMETER, {}),
        (one("Size", None), {}, 0, {"Size": None}),
        (one("Size", "5") + one("Caption", "x"), {"PropertyList": array(["SIZE"])}, 0, {"Size": 5}),
        (one("Caption", "x"), {"PropertyList": array(["Size", "Name"])}, 0, {"Size": 10}),
        (one("Caption", "x"), {"PropertyList": array([])}, 0, {}),
        (one("Caption", "x"), {"PropertyList": array(["Nonsense"])}, Status.NO_SUCH_PROPERTY, {}),
        (one("Nonsense", "x"), {}, Status.NO_SUCH_PROPERTY, {}),
        (one("Size", "x"), {}, Status.INVALID_PARAMETER, {}),
    ],
)
def test_what_is_modified(
    raw: RawClient, toy: Toy, properties: str, parameters: dict[str, str], status: int, expected: dict[str, Any]
) -> None:
    before = dict(toy.provider.stores["Toy_Disk"]["plain|vda"].values)
    assert modified(raw, properties, **parameters) == status
    assert toy.provider.stores["Toy_Disk"]["plain|vda"].values == {**before, **expected}


def test_keys_cannot_be_set(raw: RawClient) -> None:
    disk = instance_name("Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda")
    parameters = {"InstanceName": disk, "PropertyName": value("name"), "NewValue": value("other")}
    assert status_of(raw, "SetProperty", **parameters) == Status.INVALID_PARAMETER


def test_defaults_of_new_instances(connection: pywbem.WBEMConnection, toy: Toy) -> None:
    connection.CreateInstance(pywbem.CIMInstance("Toy_Disk", {"Name": "first"}))
    connection.CreateInstance(pywbem.CIMInstance("Toy_Disk", {"Name": "second", "Size": pywbem.Uint64(1)}))
    disks = toy.provider.stores["Toy_Disk"]
    assert disks["first"].values == {"Name": "first", "EnabledState": 5, "Size": 10, "Interval": timedelta(minutes=5)}
    assert disks["second"].values["Size"] == 1


def test_create_modify_delete(connection: pywbem.WBEMConnection, toy: Toy) -> None:
    new = pywbem.CIMInstance(
        "Toy_Disk", {"CreationClassName": "Toy_Disk", "Name": "n&w", "Size": pywbem.Uint64(5), "Caption": "c"}
    )
    path = connection.CreateInstance(new)
    assert path["Name"] == "n&w"
    with pytest.raises(pywbem.CIMError) as error:
        connection.CreateInstance(new)
    assert error.value.status_code == Status.ALREADY_EXISTS
    instance = connection.GetInstance(path)
    assert instance["Size"] == 5
    instance["Size"] = pywbem.Uint64(6)
    instance["Caption"] = "other"
    connection.ModifyInstance(instance, PropertyList=["Size"])
    assert dict(connection.GetInstance(path).items())["Size"] == 6
    assert connection.GetInstance(path)["Caption"] == "c"
    connection.ModifyInstance(pywbem.CIMInstance("Toy_Disk", {"Caption": "third"}, path=path))
    assert (connection.GetInstance(path)["Size"], connection.GetInstance(path)["Caption"]) == (6, "third")
    connection.ModifyInstance(pywbem.CIMInstance("Toy_Disk", {}, path=path), PropertyList=["Size", "Interval"])
    assert connection.GetInstance(path)["Size"] == 10
    assert connection.GetInstance(path)["Interval"].timedelta == timedelta(minutes=5)
    connection.DeleteInstance(path)
    with pytest.raises(pywbem.CIMError) as error:
        connection.DeleteInstance(path)
    assert error.value.status_code == Status.NOT_FOUND


def test_void_operations(make_server: Any, toy: Toy) -> None:
    server: RunningServer = make_server()
    body = intrinsic(
        "DeleteInstance", InstanceName=instance_name("Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda")
    )
    with RawClient(server.port) as client:
        assert b"IRETURNVALUE" not in client.post(body).body
        toy.provider.add("Toy_Disk", Name="plain|vda")
        response = client.post(body.replace('"1001"', '"4711"'), {"User-Agent": None})
        assert b"<IRETURNVALUE></IRETURNVALUE>" in response.body


INSTANCE = '<INSTANCE CLASSNAME="{}">{}</INSTANCE>'


@pytest.mark.parametrize(
    ("instance", "status"),
    [
        (INSTANCE.format("Toy_None", ""), Status.INVALID_CLASS),
        (INSTANCE.format("Toy_Element", ""), Status.NOT_SUPPORTED),
        (INSTANCE.format("Toy_System", ""), Status.NOT_SUPPORTED),
        (INSTANCE.format("Toy_Disk", '<PROPERTY NAME="Nonsense" TYPE="string"/>'), Status.INVALID_PARAMETER),
        (
            INSTANCE.format("Toy_Disk", '<PROPERTY NAME="Size" TYPE="uint64"><VALUE>x</VALUE></PROPERTY>'),
            Status.INVALID_PARAMETER,
        ),
        (
            INSTANCE.format("Toy_Disk", '<PROPERTY NAME="Size" TYPE="uint64"/><PROPERTY NAME="size" TYPE="uint64"/>'),
            Status.INVALID_PARAMETER,
        ),
        (
            INSTANCE.format("Toy_Disk", '<PROPERTY.ARRAY NAME="Size" TYPE="uint64"><VALUE.ARRAY/></PROPERTY.ARRAY>'),
            Status.INVALID_PARAMETER,
        ),
    ],
)
def test_faulty_new_instances(raw: RawClient, instance: str, status: Status) -> None:
    assert status_of(raw, "CreateInstance", NewInstance=instance) == status


def test_new_instance_with_qualifiers(raw: RawClient) -> None:
    """wbemcli sends the qualifiers of the class along."""
    qualifier = '<QUALIFIER NAME="Key" TYPE="boolean"><VALUE>TRUE</VALUE></QUALIFIER>'
    properties = f'{qualifier}<PROPERTY NAME="name" TYPE="">{qualifier}<VALUE>q</VALUE></PROPERTY>'
    assert status_of(raw, "CreateInstance", NewInstance=INSTANCE.format("toy_disk", properties)) == 0


def test_set_property(raw: RawClient, toy: Toy) -> None:
    disk = instance_name("Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda")
    set_size = {"InstanceName": disk, "PropertyName": value("size")}
    assert status_of(raw, "SetProperty", **set_size, NewValue=value(77)) == 0
    assert toy.provider.stores["Toy_Disk"]["plain|vda"].values["Size"] == 77
    assert status_of(raw, "SetProperty", **set_size, NewValue=value("x")) == Status.TYPE_MISMATCH
    wrong = {**set_size, "PropertyName": value("Nonsense")}
    assert status_of(raw, "SetProperty", **wrong, NewValue=value(1)) == Status.NO_SUCH_PROPERTY


def test_settings_have_sane_defaults() -> None:
    settings = ServerSettings()
    assert settings.host == "127.0.0.1"
    assert settings.host_name

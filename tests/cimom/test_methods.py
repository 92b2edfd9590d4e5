"""Extrinsic methods: parameters of every type, errors, results."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.sax.saxutils import escape

import pytest
import pywbem

from tests.cimom.harness import (
    RawClient,
    array,
    class_name,
    element,
    extrinsic,
    instance_name,
    namespace_path,
    system,
    value,
)
from tests.cimom.toy import SINCE, Toy
from virtcim.providers.interface import EmbeddedInstance, InstancePath, Status

PLAIN = system("plain")
PLAIN_PATH = InstancePath("Toy_System", {"CreationClassName": "Toy_System", "Name": "plain"}, "root/toy")
PLAIN_KEYS = 'Toy_System.CreationClassName="Toy_System",Name="plain"'


def change(raw: RawClient, **parameters: str) -> int:
    return raw.post(extrinsic("Change", PLAIN, **{"State": value(2), **parameters})).cim_status


def given(toy: Toy) -> dict[str, Any]:
    return toy.provider.calls[-1][3]


def test_every_type_from_pywbem(connection: pywbem.WBEMConnection, toy: Toy) -> None:
    path = pywbem.CIMInstanceName("Toy_System", PLAIN_PATH.keys, namespace="root/toy")
    embedded = pywbem.CIMInstance("Toy_Setting", {"InstanceID": "a&b", "Weight": pywbem.Uint32(5), "Words": ["x", "<"]})
    code, out = connection.InvokeMethod(
        "change",
        path,
        state=pywbem.Uint16(3),
        Timeout=pywbem.CIMDateTime(timedelta(seconds=5)),
        Force=True,
        Offset=pywbem.Sint64(-5),
        Words=["a", ""],
        Setting=embedded,
        Settings=[embedded, embedded],
        Partner=path,
        Partners=[path],
    )
    setting = EmbeddedInstance("Toy_Setting", {"InstanceID": "a&b", "Weight": 5, "Words": ["x", "<"]})
    assert toy.provider.calls == [
        (
            "Toy_System",
            PLAIN_PATH.keys,
            "Change",
            {
                "State": 3,
                "Timeout": timedelta(seconds=5),
                "Force": True,
                "Offset": -5,
                "Words": ["a", ""],
                "Setting": setting,
                "Settings": [setting, setting],
                "Partner": PLAIN_PATH,
                "Partners": [PLAIN_PATH],
            },
            "",
        )
    ]
    assert code == 0
    assert out["Result"]["Name"] == "plain"
    assert (out["Result"].namespace, out["Result"].host) == ("root/toy", None)
    assert out["Results"] == [out["Result"]]
    assert out["Numbers"] == [1, 2]
    assert out["NewSetting"]["InstanceID"] == "a&b"
    assert out["When"].datetime == SINCE


def test_null_outputs_are_omitted(raw: RawClient) -> None:
    response = raw.post(extrinsic("Change", PLAIN, State=value(101)))
    assert b'<RETURNVALUE PARAMTYPE="uint32"><VALUE>4097</VALUE></RETURNVALUE>' in response.body
    assert b"NewSetting" not in response.body


def test_a_blank_is_no_reference(raw: RawClient, toy: Toy) -> None:
    """Clients of libvirt-cim send it where they have none."""
    assert change(raw, Partner=value(" ")) == 0
    assert "Partner" not in given(toy)


def test_null_inputs_are_left_out(raw: RawClient, toy: Toy) -> None:
    assert change(raw, Force="", Words="", Setting="", Result="") == 0
    assert given(toy) == {"State": 2}


@pytest.mark.parametrize(
    ("name", "xml", "expected"),
    [
        ("state", value("0x1F"), 31),
        ("State", value(" 7 "), 7),
        ("Force", value("tRUE"), True),
        ("Timeout", value("20260228235958.123456-090"), SINCE),
        ("Words", array(["a&b", ""]), ["a&b", ""]),
        ("Words", "<VALUE.ARRAY><VALUE.NULL/><VALUE>x</VALUE></VALUE.ARRAY>", [None, "x"]),
        ("Words", array([]), []),
        ("Partner", element("VALUE.REFERENCE", PLAIN), InstancePath(PLAIN_PATH.class_name, PLAIN_PATH.keys)),
        ("Partner", PLAIN, InstancePath(PLAIN_PATH.class_name, PLAIN_PATH.keys)),
        (
            "Partner",
            element(
                "VALUE.REFERENCE",
                element(
                    "INSTANCEPATH", element("NAMESPACEPATH", element("HOST", "x"), namespace_path("root/toy")), PLAIN
                ),
            ),
            PLAIN_PATH,
        ),
        (
            "Partners",
            element(
                "VALUE.REFARRAY",
                element("VALUE.REFERENCE", element("LOCALINSTANCEPATH", namespace_path("root/toy"), PLAIN)),
            ),
            [PLAIN_PATH],
        ),
        ("Partners", array([f"root/toy:{PLAIN_KEYS}"]), [PLAIN_PATH]),
        *(
            ("Partner", value(escape(text)), PLAIN_PATH)
            for text in (
                f"http://host:5988/root/toy:{PLAIN_KEYS}",
                f"https://[::1]:5989/root/toy:{PLAIN_KEYS}",
                f"//host/root/toy:{PLAIN_KEYS}",
                f"/root/toy:{PLAIN_KEYS}",
                f" root/toy:{PLAIN_KEYS.replace(',', ' , ')}\n",
                f"root/toy:{PLAIN_KEYS.replace('Toy_System.', 'toy_system.').replace('Name=', 'NAME=')}",
                f"\\\\host\\root\\toy:{PLAIN_KEYS}",
            )
        ),
        ("Partner", value(escape(PLAIN_KEYS)), InstancePath(PLAIN_PATH.class_name, PLAIN_PATH.keys)),
    ],
)
def test_parameter_forms(raw: RawClient, toy: Toy, name: str, xml: str, expected: Any) -> None:
    parameters = {name: xml} if name.lower() == "state" else {"State": value(2), name: xml}
    assert raw.post(extrinsic("Change", PLAIN, **parameters)).cim_status == 0
    assert given(toy)[name[0].upper() + name[1:]] == expected


SETTING = (
    '<INSTANCE CLASSNAME="toy_setting">'
    '<PROPERTY NAME="instanceid" TYPE="string"><VALUE>{}</VALUE></PROPERTY>{}</INSTANCE>'
)


@pytest.mark.parametrize(
    "xml",
    [
        value(SETTING.format("x &amp; y", "")),
        f"<VALUE><![CDATA[{SETTING.format('x &amp; y', '')}]]></VALUE>",
        value(f'<?xml version="1.0" encoding="utf-8" ?>\n{SETTING.format("x &amp; y", "")}\n'),
        SETTING.format("x &amp; y", ""),
        value('instance of Toy_Setting { InstanceID = "x & y"; };'),
        value('\n  INSTANCE OF toy_setting\n{\n  instanceid = "x & y";\n};\n'),
    ],
)
def test_embedded_instance_forms(raw: RawClient, toy: Toy, xml: str) -> None:
    assert change(raw, Setting=xml) == 0
    assert given(toy)["Setting"] == EmbeddedInstance("Toy_Setting", {"InstanceID": "x & y"})


def test_embedded_instance_values(raw: RawClient, toy: Toy) -> None:
    inner = escape(SETTING.format("inner", ""))
    owner = element("PROPERTY.REFERENCE", element("VALUE.REFERENCE", PLAIN), NAME="Owner")
    more = (
        '<PROPERTY NAME="Weight" TYPE=""><VALUE>0xa</VALUE></PROPERTY>'
        '<PROPERTY NAME="Since" TYPE="datetime"><VALUE>20260228235958.123456-090</VALUE></PROPERTY>'
        '<PROPERTY.ARRAY NAME="Words" TYPE="string"><VALUE.ARRAY><VALUE>a</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>'
        f'<PROPERTY NAME="Inner" TYPE="string" EMBEDDEDOBJECT="instance"><VALUE>{inner}</VALUE></PROPERTY>{owner}'
    )
    assert change(raw, Setting=value(SETTING.format("o", more))) == 0
    assert given(toy)["Setting"].properties == {
        "InstanceID": "o",
        "Weight": 10,
        "Since": SINCE,
        "Words": ["a"],
        "Inner": EmbeddedInstance("Toy_Setting", {"InstanceID": "inner"}),
        "Owner": InstancePath(PLAIN_PATH.class_name, PLAIN_PATH.keys),
    }


def test_mof_values(raw: RawClient, toy: Toy) -> None:
    text = (
        'instance of Toy_Setting { InstanceID = "q\\"t\\\\"; Weight = 12; Words = {"a", "b"}; '
        'Since = "20260228235958.123456-090"; Inner = "instance of Toy_Setting { Weight = 1; };"; };'
    )
    assert change(raw, Setting=value(text), Settings=array([text])) == 0
    assert given(toy)["Setting"].properties == {
        "InstanceID": 'q"t\\',
        "Weight": 12,
        "Words": ["a", "b"],
        "Since": SINCE,
        "Inner": EmbeddedInstance("Toy_Setting", {"Weight": 1}),
    }
    assert given(toy)["Settings"] == [given(toy)["Setting"]]


@pytest.mark.parametrize(
    "parameters",
    [
        {"State": ""},
        {"State": value(-1)},
        {"State": value(65536)},
        {"State": value("two")},
        {"State": value("")},
        {"State": array([2])},
        {"State": PLAIN},
        {"State": class_name("Toy_System")},
        {"Force": value("yes")},
        {"Timeout": value("now")},
        {"Offset": value("9223372036854775808")},
        {"Words": value("x")},
        {"Partner": value("x")},
        {"Partner": value('Toy_System.Name="plain')},
        {"Partner": class_name("Toy_System")},
        {"Partners": array(["x"])},
        {"Setting": value('<INSTANCE CLASSNAME="Toy_None"/>')},
        {"Setting": value('<INSTANCE CLASSNAME="Toy_Disk"/>')},
        {"Setting": value("instance of Toy_None { };")},
        {"Setting": value("instance of Toy_Setting { Weight = -1; };")},
        {"Nonsense": value(1)},
        {"State": value(2), "state": value(2)},
    ],
)
def test_faulty_parameters(raw: RawClient, toy: Toy, parameters: dict[str, str]) -> None:
    parameters = {"State": value(2), **parameters}
    response = raw.post(extrinsic("Change", PLAIN, **parameters))
    assert response.cim_status == Status.INVALID_PARAMETER
    assert response.description
    assert not toy.provider.calls


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "<INSTANCE>",
        "<CLASS NAME='x'/>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>",
        "instance of Toy_Setting {",
        "instance of Toy_Setting { Weight = 1; }; instance of Toy_Setting { Weight = 1; };",
        'instance of Toy_Setting { Weight = 1; };\n#pragma include ("/etc/passwd")\n',
        'instance of Toy_Setting { Weight = 1; };\n#pragma namespace ("root/x")\nclass X {};',
    ],
)
def test_what_is_no_embedded_instance(raw: RawClient, toy: Toy, text: str) -> None:
    for parameters in ({"Setting": value(text)}, {"Settings": array([text])}):
        response = raw.post(extrinsic("Change", PLAIN, State=value(2), **parameters))
        assert (response.cim_status, response.description) == (Status.FAILED, "Unable to parse embedded object")
    assert not toy.provider.calls


UNKNOWN = '<PROPERTY NAME="Wieght" TYPE="uint8"><VALUE>1</VALUE></PROPERTY>'


@pytest.mark.parametrize(
    "xml",
    [
        value(SETTING.format("x &amp; y", UNKNOWN)),
        SETTING.format("x &amp; y", UNKNOWN),
        value('instance of Toy_Setting { Wieght = 1; InstanceID = "x & y"; };'),
        value('instance of Toy_Setting { Inner = "instance of Toy_Setting { Wieght = 1; };"; };'),
    ],
)
def test_misspelt_properties_of_embedded_instances(raw: RawClient, toy: Toy, xml: str) -> None:
    response = raw.post(extrinsic("Change", PLAIN, State=value(2), Setting=xml))
    assert (response.cim_status, response.description) == (
        Status.INVALID_PARAMETER,
        "Toy_Setting has no property Wieght",
    )
    assert not toy.provider.calls


def test_mistyped_properties_of_embedded_instances(raw: RawClient) -> None:
    for xml in (
        value('<INSTANCE CLASSNAME="Toy_Setting"><PROPERTY NAME="Weight"><VALUE>x</VALUE></PROPERTY></INSTANCE>'),
        value('instance of Toy_Setting { Weight = "x"; };'),
    ):
        response = raw.post(extrinsic("Change", PLAIN, State=value(2), Setting=xml))
        assert response.cim_status == Status.INVALID_PARAMETER
        assert "Weight" in response.description


def test_null_of_a_datetime(raw: RawClient, toy: Toy) -> None:
    setting = value('instance of Toy_Setting { Since = "NULL"; InstanceID = "NULL"; };')
    assert change(raw, Timeout=value("NULL"), Setting=setting) == 0
    assert "Timeout" not in given(toy)
    assert given(toy)["Setting"].properties == {"Since": None, "InstanceID": "NULL"}


def test_required_parameter(raw: RawClient) -> None:
    response = raw.post(extrinsic("Change", PLAIN))
    assert response.cim_status == Status.INVALID_PARAMETER
    assert "State" in response.description


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("Nonsense", PLAIN, Status.METHOD_NOT_FOUND),
        ("Missing", PLAIN, Status.METHOD_NOT_AVAILABLE),
        ("Missing", instance_name("Toy_Single", Number="7"), Status.METHOD_NOT_FOUND),
        ("Change", class_name("Toy_System"), Status.INVALID_PARAMETER),
        ("Missing", class_name("Toy_System"), Status.METHOD_NOT_AVAILABLE),
        ("Missing", class_name("Toy_Remote"), Status.METHOD_NOT_FOUND),
        ("Change", instance_name("Toy_None", Name="x"), Status.NOT_FOUND),
        ("Missing", instance_name("Toy_Remote", Name="far"), Status.METHOD_NOT_FOUND),
        ("Count", class_name("Toy_System"), 0),
        ("count", class_name("toy_specialsystem"), 0),
        ("Count", PLAIN, 0),
        ("Count", instance_name("Toy_System"), 0),
        ("Change", instance_name("Toy_System"), Status.INVALID_PARAMETER),
    ],
)
def test_targets(raw: RawClient, method: str, target: str, status: int) -> None:
    assert raw.post(extrinsic(method, target)).cim_status == status


def test_methods_on_the_class(raw: RawClient, toy: Toy) -> None:
    response = raw.post(extrinsic("Change", class_name("toy_specialsystem"), State=value(2)))
    assert response.cim_status == Status.INVALID_PARAMETER
    assert toy.provider.calls == [("Toy_SpecialSystem", None, "Change", {"State": 2}, "")]


def test_absent_target(raw: RawClient) -> None:
    assert raw.post(extrinsic("Change", system("absent"), State=value(2))).cim_status == Status.NOT_FOUND
    body = extrinsic("Change", PLAIN, "root/none", State=value(2))
    assert raw.post(body).cim_status == Status.INVALID_NAMESPACE


def test_failing_method(raw: RawClient, toy: Toy) -> None:
    toy.provider.failure = RuntimeError("broken")
    response = raw.post(extrinsic("Change", PLAIN, State=value(2)))
    assert response.cim_status == Status.FAILED
    assert "broken" in response.description

"""What the audit log says of values, and what it does not."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import pytest

from tests.growth import assert_linear
from virtcim.cimom import audit
from virtcim.cimom.audit import Undecoded, plain, target
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.frontends.reading.audited import audited_parameters, audited_target
from virtcim.frontends.reading.raw import (
    RawClassName,
    RawInstance,
    RawKey,
    RawNamedInstance,
    RawPath,
    RawProperty,
    RawRequest,
)
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Status

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("Password", SECRET, "(hidden)"),
        ("VNCPassword", 5, "(hidden)"),
        ("Passwords", [SECRET], "(hidden)"),
        ("PASSWD", SECRET, "(hidden)"),
        ("pass_word", SECRET, "(hidden)"),
        ("Pass&#119;ord", SECRET, "(hidden)"),
        ("Pass\u200bword", SECRET, "(hidden)"),
        ("\uff30assword", SECRET, "(hidden)"),
        ("Private Key", SECRET, "(hidden)"),
        ("x" * 200 + "Password", SECRET, "(hidden)"),
        ("Password", None, None),
        ("Caption", "hello", "hello"),
        ("Caption", "a reminder of the password", "a reminder of the password"),
        ("Options", f"password={SECRET}", "(not shown: 15 characters)"),
        ("Options", f'{{"Pass&#119;ord": "{SECRET}"}}', "(not shown: 27 characters)"),
        ("Destination", f"https://me:{SECRET}@host/x", "https://(hidden)@host/x"),
        ("Destination", f"https://me:a@{SECRET}@host/x", "https://(hidden)@host/x"),
        ("Destinations", [f"a://b/c@d e://{SECRET}@f", "g"], ["a://b/c@d e://(hidden)@f", "g"]),
        ("MigrationURI", f"qemu+ssh://me:{SECRET}@host/system", "qemu+ssh://(hidden)@host/system"),
        ("MigrationURI", f"{'x' * 1000}://{SECRET}{'y' * 1000}@host/", f"{'x' * 1000}://(hidden)... (2015 characters)"),
        ("Setting", EmbeddedInstance("C", {"Secret": SECRET, "A": 1}), {"Secret": "(hidden)", "A": 1}),
        ("Setting", {"instance": EmbeddedInstance("C", {"Token": SECRET})}, {"instance": {"Token": "(hidden)"}}),
        ("Setting", Undecoded(17), "(not shown: 17 characters)"),
        ("Number", 2**64 - 1, 2**64 - 1),
        ("Number", 2**400, "(401 bits)"),
        ("Real", math.inf, "inf"),
        ("When", datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        ("Timeout", timedelta(seconds=90), "0:01:30"),
        ("System", InstancePath("C", {"Name": 'a"b', "Password": SECRET}), 'C.Name="a\\"b",Password="(hidden)"'),
        ("Whatever", object(), "(object)"),
    ],
)  # fmt: skip
def test_values(name: str, given: object, shown: object) -> None:
    assert plain(name, given) == shown


def test_paths() -> None:
    inner = InstancePath("C", {"Name": "x"})
    assert target("C") == "C"
    assert target(InstancePath("A", {"One": inner, "Two": 2})) == 'A.One="C.Name=\\"x\\"",Two="2"'
    assert target(InstancePath("C", {"Name": f"https://{SECRET}@h"})) == 'C.Name="https://(hidden)@h"'
    deep = inner
    for _ in range(40):
        deep = InstancePath("C", {"Next": deep})
    assert len(target(deep)) < 1100
    assert len(target(InstancePath("C", {f"Key{number}": "x" * 10_000 for number in range(1000)}))) < 1100


MARKUP = '<INSTANCE CLASSNAME="C">{}<PROPERTY NAME="A" TYPE="string"><VALUE>b</VALUE></PROPERTY></INSTANCE>'
MOF = 'instance of C {{ {} A = "b"; }};'
SPELLINGS = {
    "xml": MARKUP.format(f'<PROPERTY NAME="Password"><VALUE>{SECRET}</VALUE></PROPERTY>'),
    "apostrophes": MARKUP.format(f"<PROPERTY TYPE='string' NAME='vncpasswd'>\n<VALUE>{SECRET}</VALUE></PROPERTY>"),
    "> in an attribute": MARKUP.format(f'<PROPERTY TYPE=">" NAME="Password"><VALUE>{SECRET}</VALUE></PROPERTY>'),
    "entity in the name": MARKUP.format(f'<PROPERTY NAME="Pass&#119;ord"><VALUE>{SECRET}</VALUE></PROPERTY>'),
    "hexadecimal entity": MARKUP.format(f'<PROPERTY NAME="&#x50;assword"><VALUE>{SECRET}</VALUE></PROPERTY>'),
    "entity twice": MARKUP.format(f'<PROPERTY NAME="Pass&amp;#119;ord"><VALUE>{SECRET}</VALUE></PROPERTY>'),
    "blanks in the tag": MARKUP.format(f'<PROPERTY\n\tNAME = "PASSWORD"\n><VALUE >{SECRET}</VALUE ></PROPERTY >'),
    "cdata": MARKUP.format(f'<PROPERTY NAME="Password"><VALUE><![CDATA[{SECRET}]]></VALUE></PROPERTY>'),
    "comment": MARKUP.format(f'<!-- > --><PROPERTY NAME="Password"><VALUE><!-- -->{SECRET}</VALUE></PROPERTY>'),
    "array": MARKUP.format(
        f'<PROPERTY.ARRAY NAME="Passwords"><VALUE.ARRAY><VALUE>{SECRET}</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>'
    ),
    "inner": MARKUP.format(
        '<PROPERTY NAME="Inner"><VALUE>'
        + escape(MARKUP.format(f'<PROPERTY NAME="Password"><VALUE>{SECRET}</VALUE></PROPERTY>'))
        + "</VALUE></PROPERTY>"
    ),
    "declaration": '<?xml version="1.0"?>\n'
    + MARKUP.format(f'<PROPERTY NAME="Password"><VALUE>{SECRET}</VALUE></PROPERTY>'),
    "mof": MOF.format(f'Password = "{SECRET}";'),
    "mof, no blanks": MOF.format(f'PASSWORD="{SECRET}";'),
    "mof, semicolon": MOF.format(f'Password = "a;{SECRET}";'),
    "mof, escaped quote": MOF.format(f'Password = "a\\";{SECRET}";'),
    "mof, adjacent strings": MOF.format(f'Password = "a" "{SECRET}" /* and */ "{SECRET}";'),
    "mof, comment before =": MOF.format(f'Password /* = "x"; */ = "{SECRET}";'),
    "mof, line comment": MOF.format(f'Password // = "x";\n = "{SECRET}";'),
    "mof, array": MOF.format(f'Passwords = {{ "a", "{SECRET}" }};'),
    "mof, two blanks": f'instance  of C {{ Password = "{SECRET}"; A = "b"; }};',
    "mof, tab": f'instance\tof\tC {{ Password = "{SECRET}"; A = "b"; }};',
    "mof, line feed": f'\nINSTANCE\nOF\nC\n{{\nPassword\n=\n"{SECRET}"\n;\nA = "b"; }};\n',
    "mof, comments": f'/* a */ instance /* b */ of // c\nC {{ Password = "{SECRET}"; A = "b"; }};',
    "mof, qualifiers": f'[Description("x")] instance of C {{ [Write] Password = "{SECRET}"; A = "b"; }};',
    "mof, inner": MOF.format(f'Inner = "instance of C {{ Password = \\"{SECRET}\\"; }};";'),
    "mof, inner xml": MOF.format(
        'Inner = "<INSTANCE CLASSNAME=\\"C\\"><PROPERTY NAME=\\"Password\\">'
        f'<VALUE>{SECRET}</VALUE></PROPERTY></INSTANCE>";'
    ),
}
UNDECODABLE = {
    "torn xml": f'<PROPERTY NAME="Password"><VALUE>{SECRET}',
    "torn entity": MARKUP.format(f'<PROPERTY NAME="Password"><VALUE>a&{SECRET};b</VALUE></PROPERTY>'),
    "other xml": f"<graphics type='vnc' passwd='{SECRET}'/>",
    "xml after text": f'see: <PROPERTY NAME="Pass&#119;ord"><VALUE>{SECRET}</VALUE></PROPERTY>',
    "text after xml": SPELLINGS["xml"] + SECRET,
    "namespaces": f'<a:INSTANCE xmlns:a="b"><PROPERTY NAME="Password"><VALUE>{SECRET}</VALUE></PROPERTY></a:INSTANCE>',
    "mof without an end": f'instance of C {{ Password = "{SECRET}"',
    "mof, torn string": f'instance of C {{ Password = "{SECRET}; }};',
    "mof, two": SPELLINGS["mof"] * 2,
    "mof, alias": f'instance of C as $x {{ Password = "{SECRET}"; }};',
    "mof, text around": f'x instance of C {{ Password = "{SECRET}"; }};',
    "mof, no class": f'instance of {{ Password = "{SECRET}"; }};',
    "long xml": f"{SPELLINGS['xml']}{' ' * 100_000}",
    "long mof": f"{SPELLINGS['mof']}{' ' * 100_000}",
    "json": f'{{"Password": "{SECRET}"}}',
    "shell": f"--password={SECRET}",
}


def request(*parameters: tuple[str, Any], operation: str = "Change", to: RawPath | None = None) -> RawRequest:
    return RawRequest("1", "1.0", operation, True, "root/toy", to, parameters)


def line(
    caplog: pytest.LogCaptureFixture, asked: RawRequest, error: Exception | None = None
) -> tuple[dict[str, Any], str]:
    """The audit line of a request, decoded and as text."""
    caplog.set_level(logging.INFO, audit.LOGGER.name)
    caplog.clear()
    audit.record(
        Principal("anna", Mechanism.PAM, frozenset()),
        "192.0.2.1:1",
        asked.namespace,
        asked.operation,
        audited_target(asked),
        audited_parameters(asked),
        error=error,
    )
    (text,) = [each.getMessage() for each in caplog.records if each.name == audit.LOGGER.name]
    return json.loads(text), text


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("form", ["string", "array", "named"])
def test_passwords_in_embedded_instances(caplog: pytest.LogCaptureFixture, name: str, form: str) -> None:
    """The other properties are shown, so that it was decoded, and not left out as a whole."""
    text = SPELLINGS[name]
    given: Any = {
        "string": text,
        "array": ["x", text, None],
        "named": RawNamedInstance(RawPath("C", ()), RawInstance("C", (RawProperty("Setting", text),))),
    }[form]
    fields, whole = line(caplog, request(("Setting", given)))
    assert SECRET not in whole
    assert "(hidden)" in whole
    assert '"A": "b"' in whole
    if form == "array":
        assert fields["parameters"]["Setting"][::2] == ["x", None]


@pytest.mark.parametrize("name", UNDECODABLE)
def test_what_cannot_be_decoded_is_not_shown(caplog: pytest.LogCaptureFixture, name: str) -> None:
    text = UNDECODABLE[name]
    quoting = CIMError(Status.INVALID_PARAMETER, f"Setting: {text!r} is not an embedded instance")
    fields, whole = line(caplog, request(("State", text)), quoting)
    assert fields["parameters"] == {"State": f"(not shown: {len(text)} characters)"}
    assert fields["result"] == "CIM_ERR_INVALID_PARAMETER"
    assert SECRET not in whole


def test_errors_that_may_quote_a_secret_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    error = CIMError(Status.FAILED, f"internal error: {SECRET}")
    fields, whole = line(caplog, request(("Password", SECRET)), error)
    assert fields["error"] == "(not shown: 22 characters)"
    assert SECRET not in whole
    fields, _ = line(caplog, request(("State", "2")), CIMError(Status.FAILED, "internal error: no bus"))
    assert fields["error"] == "internal error: no bus"


def test_set_property_is_told_by_the_property(caplog: pytest.LogCaptureFixture) -> None:
    def parameters(*pairs: tuple[str, Any]) -> Any:
        return line(caplog, request(*pairs, operation="SetProperty"))[0]["parameters"]

    assert parameters(("PropertyName", "Caption"), ("NewValue", "x")) == {"Caption": "x"}
    assert parameters(("newvalue", SECRET), ("propertyname", "Password")) == {"Password": "(hidden)"}
    twice = parameters(("PropertyName", "Password"), ("PropertyName", "Caption"), ("NewValue", SECRET))
    assert twice == {"Password,Caption": "(hidden)"}


def test_raw_values(caplog: pytest.LogCaptureFixture) -> None:
    path = RawPath("C", (("Name", RawKey("x", "string", "")), ("Of", RawPath("D", ((None, RawKey("1", "", "")),)))))
    asked = request(("A", path), ("B", RawClassName("E")), ("F", RawPath("G", None)), ("H", [path, None]), to=path)
    fields, _ = line(caplog, asked)
    shown = 'C.Name="x",Of="D.=\\"1\\""'
    assert fields["parameters"] == {"A": shown, "B": "E", "F": "G", "H": [shown, None]}
    assert fields["target"] == shown


LONG = "x" * 10_000
INSTANCE = RawInstance(LONG, tuple(RawProperty(f"P{number}", LONG) for number in range(1000)))
LARGE: dict[str, tuple[tuple[str, Any], ...]] = {
    "empty parameters": tuple((f"p{number}", None) for number in range(80_000)),
    "long names": tuple((LONG + str(number), None) for number in range(100)),
    "long values": tuple((f"p{number}", LONG) for number in range(100)),
    "escapes": tuple((f"p{number}", "\U0010ffff" * 1000) for number in range(100)),
    "array": (("p", [LONG] * 1000),),
    "empty array": (("p", [None] * 80_000),),
    "instances": (("p", [INSTANCE] * 1000),),
    "keys": (("p", RawPath(LONG, tuple((LONG + str(n), RawKey(LONG, "", "")) for n in range(1000)))),),
    "number": (("p", "9" * 1_000_000),),
}


@pytest.mark.parametrize("name", LARGE)
def test_lines_are_limited(caplog: pytest.LogCaptureFixture, name: str) -> None:
    long = "\U0010ffff" * 100_000
    path = RawPath(long, ((long, RawKey(long, "string", "")),))
    asked = RawRequest("1", "1.0", long, True, long, path, LARGE[name])
    fields, text = line(caplog, asked, CIMError(Status.FAILED, long))
    assert len(text) < 64 * 1024
    assert fields["user"] == "anna"
    asked = request(*LARGE[name])
    assert len(line(caplog, asked, CIMError(Status.FAILED, "no"))[1]) < 48 * 1024


def nested(size: int) -> str:
    text = "x"
    while len(text) < 10 * size:
        text = MARKUP.format(f'<PROPERTY NAME="I"><VALUE>{escape(text)}</VALUE></PROPERTY>')
    return text


HOSTILE: dict[str, Callable[[int], Any]] = {
    "torn properties": lambda n: '<PROPERTY NAME="x ' * n,
    "torn properties, short": lambda n: ['<PROPERTY NAME="x ' * 200] * (n // 200),
    "password, no end": lambda n: "<PROPERTY NAME='passw" * n,
    "secrets": lambda n: "secret " * n,
    "assignments": lambda n: "instance of C { " + "passwordtoken" * n,
    "logins": lambda n: "a://" * n,
    "open logins": lambda n: ["://" + "a" * 500] * (n // 100),
    "many short": lambda n: ["<"] * n,
    "many instances": lambda n: [SPELLINGS["xml"]] * (n // 10),
    "many in mof": lambda n: [SPELLINGS["mof"]] * (n // 10),
    "comments": lambda n: "instance{" + "/*" * n,
    "entities": lambda n: "&#119;" * n,
    "combining": lambda n: "a" + "\u0301\u0323" * n,
    "nested": nested,
    "attributes": lambda n: "<INSTANCE " + " ".join(f'a{number}="" ' for number in range(n // 4)),
    "elements": lambda n: "<a>" * n,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length(name: str) -> None:
    def rendered(given: Any) -> object:
        asked = request(("RequestedState", given), ("x" + str(given)[:1], [given]))
        return audit._Rendering().members(audited_parameters(asked))

    assert_linear(rendered, HOSTILE[name])

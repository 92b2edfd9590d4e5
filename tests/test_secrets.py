"""No password in any log, however it is spelt: at debug level, in the audit log, in what a refused request echoes."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.bed import Server, wait_until
from tests.cimom.harness import element, extrinsic, http_request, instance_name, intrinsic, value

SECRET = "Zq7xK"
"""How the secret begins; a number for each spelling follows, without anything that an encoding would change."""
SPACE = "root/virt"
SERVICE = "Test_VirtualSystemManagementService"
RASD = "Test_GraphicsResourceAllocationSettingData"
SUBSCRIBING = {"Name": "n", "QueryLanguage": "DMTF:CQL"}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def get_class() -> str:
    return intrinsic("GetClass", SPACE, ClassName=element("CLASSNAME", NAME="CIM_Memory"))


def markup(properties: str) -> str:
    """A console's setting as XML, beside what is needed of it."""
    needed = prop("InstanceID", "test/vnc") + prop("ResourceSubType", "vnc") + prop("ResourceType", "24", "uint16")
    return f'<INSTANCE CLASSNAME="{RASD}">{needed}{properties}</INSTANCE>'


def prop(name: str, text: str, kind: str = "string") -> str:
    return f'<PROPERTY NAME="{name}" TYPE="{kind}"><VALUE>{escape(text)}</VALUE></PROPERTY>'


def mof(properties: str) -> str:
    return f'instance of {RASD} {{ InstanceID = "test/vnc"; ResourceSubType = "vnc"; {properties} }};'


def settings(*texts: str, method: str = "ModifyResourceSettings", name: str = "ResourceSettings") -> str:
    """A method of the service with embedded instances, whatever they are."""
    values = element("VALUE.ARRAY", *map(value, texts))
    return extrinsic(method, element("CLASSNAME", NAME=SERVICE), SPACE, **{name: values})


def one(text: str, method: str = "DefineSystem", name: str = "SystemSettings") -> str:
    """A method of the service with one embedded instance or text."""
    return extrinsic(method, element("CLASSNAME", NAME=SERVICE), SPACE, **{name: value(text)})


def plain_instance(class_name: str, **properties: str) -> str:
    return element("INSTANCE", *(prop(*each) for each in properties.items()), CLASSNAME=class_name)


def create(class_name: str, **properties: str) -> str:
    return intrinsic("CreateInstance", "root/interop", NewInstance=plain_instance(class_name, **properties))


def destination(url: str) -> str:
    return create("CIM_ListenerDestinationCIMXML", Name="d", Destination=url)


def modified(name: str, text: str) -> str:
    named = element(
        "VALUE.NAMEDINSTANCE", instance_name(RASD, InstanceID="test/vnc"), plain_instance(RASD, **{name: text})
    )
    return intrinsic("ModifyInstance", SPACE, ModifiedInstance=named)


def migrate(uri: str) -> str:
    service = element("CLASSNAME", NAME="Test_VirtualSystemMigrationService")
    system = element(
        "VALUE.REFERENCE", instance_name("Test_ComputerSystem", CreationClassName="Test_ComputerSystem", Name="test")
    )
    return extrinsic("MigrateVirtualSystemToHost", service, SPACE, ComputerSystem=system, DestinationHost=value(uri))


def query(text: str) -> str:
    return intrinsic("ExecQuery", SPACE, QueryLanguage=value("DMTF:CQL"), Query=value(text))


PASSWORD = '<PROPERTY NAME="Password" TYPE="string"><VALUE>{}</VALUE></PROPERTY>'

BODIES: dict[str, Callable[[str], str]] = {
    "a property": lambda s: settings(markup(prop("Password", s))),
    "in capitals": lambda s: settings(markup(prop("PASSWORD", s))),
    "in odd case": lambda s: settings(markup(prop("pAsSwOrD", s))),
    "misspelt": lambda s: settings(markup(prop("Passwrd", s))),
    "an entity in the name": lambda s: settings(markup(PASSWORD.format(s).replace("word", "&#119;ord"))),
    "twice": lambda s: settings(markup(prop("Password", s) * 2)),
    "of another type": lambda s: settings(markup(prop("Password", s, "uint16"))),
    "an array": lambda s: settings(
        markup(f'<PROPERTY.ARRAY NAME="Password" TYPE="string"><VALUE.ARRAY>{value(s)}</VALUE.ARRAY></PROPERTY.ARRAY>')
    ),
    "cdata": lambda s: settings(markup(PASSWORD.format(f"<![CDATA[{s}]]>"))),
    "behind a comment": lambda s: settings(markup(f"<!-- > -->{PASSWORD.format(s)}")),
    "an instance in an instance": lambda s: settings(markup(prop("Inner", markup(prop("Password", s))))),
    "torn markup": lambda s: settings(markup(PASSWORD.format(s))[:-20]),
    "libvirt's own markup": lambda s: settings(f"<graphics type='vnc' passwd='{s}'/>"),
    "of an unknown class": lambda s: settings(markup(prop("Password", s)).replace(RASD, "Test_Gone")),
    "MOF": lambda s: settings(mof(f'Password = "{s}";')),
    "MOF in capitals": lambda s: settings(mof(f'PASSWORD="{s}";').replace("instance of", "INSTANCE  OF")),
    "MOF, adjacent strings": lambda s: settings(mof(f'Password = "" /* = */ "{s}";')),
    "MOF behind comments": lambda s: settings(f"/* a */{mof(f'Password // = 1;{chr(10)} = {chr(34)}{s}{chr(34)};')}"),
    "MOF without quotes": lambda s: settings(mof(f"Password = {s};")),
    "MOF without an end": lambda s: settings(mof(f'Password = "{s}')),
    "MOF of a system": lambda s: one(f'instance of Test_VirtualSystemSettingData {{ Password = "{s}"; }};'),
    "a new guest": lambda s: settings(markup(prop("Password", s)), method="DefineSystem"),
    "a guest that is not there": lambda s: settings(markup(prop("Password", s)).replace("test/vnc", "gone/vnc")),
    "an unknown method": lambda s: one(markup(prop("Password", s)), method="SetPassword"),
    "an unknown parameter": lambda s: one(s, name="Password"),
    "a parameter that assigns": lambda s: one(f"--password={s}", method="DestroySystem", name="AffectedSystem"),
    "a key": lambda s: intrinsic("DeleteInstance", SPACE, InstanceName=instance_name(RASD, Password=s)),
    "a reference as text": lambda s: settings(
        f'root/virt:{RASD}.Password="{s}"', method="RemoveResourceSettings", name="ResourceSettings"
    ),
    "ModifyInstance": lambda s: modified("Password", s),
    "CreateInstance": lambda s: create("CIM_IndicationFilter", Password=s, **SUBSCRIBING),
    "SetProperty": lambda s: intrinsic(
        "SetProperty",
        SPACE,
        InstanceName=instance_name(RASD, InstanceID="test/vnc"),
        PropertyName=value("Password"),
        NewValue=value(s),
    ),
    "a query": lambda s: query(f"SELECT * FROM {RASD} WHERE Password = '{s}'"),
    "a faulty query": lambda s: query(f"SELECT * FROM {RASD} WHERE Password == '{s}"),
    "a filter": lambda s: create(
        "CIM_IndicationFilter", Query=f"SELECT * FROM CIM_InstCreation WHERE Password = '{s}'", **SUBSCRIBING
    ),
    "a destination": lambda s: destination(f"https://me:{s}@127.0.0.1:9/x"),
    "a faulty destination": lambda s: destination(f"ftp://me:{s}@127.0.0.1:9/x"),
    "a host to migrate to": lambda s: migrate(f"qemu+ssh://me:{s}@127.0.0.1/system"),
    "a body that is torn": lambda s: settings(markup(prop("Password", s)))[:-40],
    "a body that is no CIM-XML": lambda s: f"<login><password>{s}</password></login>",
}
HEADERS: dict[str, Callable[[str], dict[str, str]]] = {
    "a wrong password": lambda s: {"Authorization": f"Basic {b64(f'somebody:{s}')}"},
    "a login that is not encoded": lambda s: {"Authorization": f"Basic somebody:{s}"},
    "a token": lambda s: {"Authorization": f"Bearer {s}"},
    "a digest": lambda s: {"Authorization": f'Digest username="somebody", response="{s}"'},
    "an unknown scheme": lambda s: {"aUtHoRiZaTiOn": f"{s}"},
    "of a proxy": lambda s: {"Proxy-Authorization": f"Basic {b64(f'somebody:{s}')}"},
    "of a session": lambda s: {"X-Auth-Token": s},
    "a cookie": lambda s: {"Cookie": f"password={s}"},
    "the object": lambda s: {"CIMObject": f"root%2Fvirt%3A{RASD}.Password%3D%22{s}%22"},
    "the method": lambda s: {"CIMMethod": f"SetPassword%3D{s}"},
}
TARGETS: dict[str, Callable[[str], str]] = {
    "a query parameter": lambda s: f"/cimom?password={s}",
    "a path": lambda s: f"/password/{s}",
    "a login in the URL": lambda s: f"http://somebody:{s}@127.0.0.1/cimom",
}
SPELLINGS = [*BODIES, *HEADERS, *TARGETS]


def requests(login: str) -> Iterator[tuple[str, bytes]]:
    """Each spelling, with the bytes that are sent."""
    usual = {"Authorization": login, "Connection": "close"}
    number = (f"{SECRET}{each:02}" for each in range(len(SPELLINGS)))
    for name, body in BODIES.items():
        yield name, http_request(body(next(number)).encode(), usual)
    for name, headers in HEADERS.items():
        given = headers(next(number))
        ours = {} if "Authorization" in given or "aUtHoRiZaTiOn" in given else {"Authorization": login}
        yield name, http_request(get_class().encode(), {"Connection": "close", **ours, **given})
    for name, target in TARGETS.items():
        request = http_request(get_class().encode(), usual)
        yield name, request.replace(b"/cimom", target(next(number)).encode(), 1)


def send(server: Server, request: bytes) -> bytes:
    """Send a request on a connection of its own; what comes until the server closes it."""
    with socket.create_connection((server.host, server.port), 60) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_password_is_in_any_log(tmp_path: Path, form: str) -> None:
    assert len(SPELLINGS) >= 40
    audit = tmp_path / "audit.log"
    config = f'audit_file = "{audit}"\nlog_level = "DEBUG"\nlog_format = "{form}"\n[server]\nslow_seconds = 0.0\n'
    with Server("test:///default", config=config) as server:
        login = f"Basic {b64(f'{server.user}:{server.password}')}"
        for name, request in requests(login):
            assert send(server, request).startswith(b"HTTP/1.1 "), name
        wait_until(lambda: audit.read_text().count('"change"') >= 30)
        server.stop()
        logs = audit.read_text() + server.errors
    assert "DEBUG" in logs
    leaked = {
        name: line
        for number, name in enumerate(SPELLINGS)
        for text in (f"{SECRET}{number:02}", b64(f"somebody:{SECRET}{number:02}"))
        for line in logs.splitlines()
        if text in line
    }
    assert not leaked
    assert login.split()[1] not in logs
    assert server.password is not None
    assert server.password not in logs

"""Roles: who may do what, for every operation; the audit log; the Unix socket."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pwd
import re
import socket
import subprocess
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cimom.harness import (
    RawClient,
    RunningServer,
    class_name,
    element,
    extrinsic,
    intrinsic,
    system,
    value,
)
from tests.cimom.toy import Toy
from virtcim.cimom.access import READING, Access, NamespaceRoles, Role, RoleSettings
from virtcim.cimom.principals import NOBODY, Mechanism, Principal, system_groups
from virtcim.cimom.requests import INTRINSIC_OPERATIONS
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.http.auth import BasicAuthenticator, PasswordFile
from virtcim.frontends.http.listener import open_tcp, open_unix
from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassStore

ROLES = RoleSettings(
    read=("reader", "@watchers"),
    operate=("operator",),
    administer=("admin",),
    groups={"watchers": ("grouped",)},
    namespaces={"root/other": NamespaceRoles(read=("operator",), operate=(), administer=("reader",))},
)


def user(name: str, mechanism: Mechanism = Mechanism.HTPASSWD, *groups: str) -> Principal:
    return Principal(name, mechanism, frozenset(groups))


@pytest.mark.parametrize(
    ("principal", "here", "there"),
    [
        (user("admin"), Role.ADMINISTER, Role.NONE),
        (user("operator"), Role.OPERATE, Role.READ),
        (user("reader"), Role.READ, Role.ADMINISTER),
        (user("grouped"), Role.READ, Role.NONE),
        (user("x", Mechanism.PAM, "watchers"), Role.READ, Role.NONE),
        (user("stranger"), Role.NONE, Role.NONE),
        (user("Admin"), Role.NONE, Role.NONE),
        (user(""), Role.NONE, Role.NONE),
        (user("@watchers"), Role.NONE, Role.NONE),
        (NOBODY, Role.ADMINISTER, Role.ADMINISTER),
    ],
)
def test_roles(principal: Principal, here: Role, there: Role) -> None:
    assert ROLES.role(principal, "root/virt") is here
    assert ROLES.role(principal, "/Root/OTHER/") is there


def test_roles_without_a_table() -> None:
    roles = RoleSettings()
    for name, mechanism, groups, role in (
        ("virtcim", Mechanism.PASSWORD, (), Role.ADMINISTER),
        ("anna", Mechanism.HTPASSWD, (), Role.ADMINISTER),
        ("anna", Mechanism.CMPI, (), Role.ADMINISTER),
        ("anna", Mechanism.PAM, (), Role.READ),
        ("anna", Mechanism.PAM, ("libvirt",), Role.ADMINISTER),
        ("root", Mechanism.LOCAL, (), Role.ADMINISTER),
        ("anna", Mechanism.LOCAL, (), Role.READ),
        ("anna", Mechanism.CERTIFICATE, (), Role.READ),
    ):
        assert roles.role(user(name, mechanism, *groups), "root/virt") is role, (name, mechanism)


@pytest.mark.parametrize("entry", ["", " ", "@", "auth:magic", "auth:"])
def test_entries_that_name_nobody(entry: str) -> None:
    with pytest.raises(ValueError):
        RoleSettings(read=(entry,))
    with pytest.raises(ValueError):
        RoleSettings(namespaces={"a": NamespaceRoles(operate=(entry,))})


def test_what_operations_need() -> None:
    above = {"leaf": ["Leaf", "Middle", "Top"], "middle": ["Middle", "Top"], "top": ["Top"]}
    access = Access(
        ROLES, {"Top.Switch": Role.OPERATE, "Middle.Switch": Role.ADMINISTER, "Top.Tell": Role.READ,
                "Top.DeleteInstance": Role.OPERATE, "Top.GetInstance": Role.OPERATE},
        lambda name: above[name.lower()],
    )  # fmt: skip
    assert access.needed("switch", True, ["TOP"]) is Role.OPERATE
    assert access.needed("Switch", True, ["Leaf"]) is Role.ADMINISTER
    assert access.needed("Tell", True, ["Leaf"]) is Role.READ
    assert access.needed("Unknown", True, ["Leaf"]) is Role.ADMINISTER
    assert access.needed("Switch", True, ["Nowhere"]) is Role.ADMINISTER
    assert access.needed("DeleteInstance", False, ["Leaf"]) is Role.OPERATE
    # A request that names several objects needs what the most precious of them needs.
    assert access.needed("DeleteInstance", False, ["Leaf", "Nowhere"]) is Role.ADMINISTER
    assert access.needed("DeleteInstance", False, []) is Role.ADMINISTER
    assert access.needed("CreateClass", False, []) is Role.ADMINISTER
    assert access.needed("Whatever", False, []) is Role.ADMINISTER
    # A method that is named like a reading operation is none.
    assert access.needed("EnumerateInstances", True, ["Leaf"]) is Role.ADMINISTER
    with pytest.raises(CIMError) as refused:
        access.require(user("reader"), "root/virt", Role.OPERATE, "Switch")
    assert refused.value.status is Status.ACCESS_DENIED
    assert "operate" in refused.value.description


def test_every_operation_is_placed() -> None:
    """Whoever adds an operation decides whether it reads."""
    changing = {"createinstance", "modifyinstance", "deleteinstance", "setproperty"}
    assert {name.lower() for name in INTRINSIC_OPERATIONS} <= READING | changing
    assert not READING & changing


PASSWORDS = "reader:r\noperator:o\nadmin:a\nnobody:n\n"
LOGINS = {"reader": "cmVhZGVyOnI=", "operator": "b3BlcmF0b3I6bw==", "admin": "YWRtaW46YQ==", "nobody": "bm9ib2R5Om4="}

TABLE = {"Toy_System.Change": Role.OPERATE, "Toy_Disk.DeleteInstance": Role.OPERATE}


@pytest.fixture
def guarded(toy: Toy, classes: ClassStore, tmp_path: Path) -> Iterator[RunningServer]:
    file = tmp_path / "password"
    file.write_text(PASSWORDS)
    server = RunningServer(
        toy.catalog,
        classes,
        ServerSettings(host_name="toyhost"),
        BasicAuthenticator(PasswordFile(file), delay=0.01),
        lambda: [*open_tcp("127.0.0.1", 0), open_unix(tmp_path / "socket")],
        access=Access(ROLES, TABLE, classes.ancestors),
    )
    yield server
    server.stop()
    assert not server.invalid
    assert not server.errors


NEW = '<INSTANCE CLASSNAME="Toy_System"><PROPERTY NAME="Name" TYPE="string"><VALUE>n</VALUE></PROPERTY></INSTANCE>'

REQUESTS: dict[str, tuple[Role, str]] = {
    "GetInstance": (Role.READ, intrinsic("GetInstance", InstanceName=system("plain"))),
    "EnumerateInstances": (Role.READ, intrinsic("EnumerateInstances", ClassName=class_name("Toy_System"))),
    "EnumerateInstanceNames": (Role.READ, intrinsic("EnumerateInstanceNames", ClassName=class_name("Toy_System"))),
    "Associators": (Role.READ, intrinsic("Associators", ObjectName=system("plain"))),
    "AssociatorNames": (Role.READ, intrinsic("AssociatorNames", ObjectName=system("plain"))),
    "References": (Role.READ, intrinsic("References", ObjectName=system("plain"))),
    "ReferenceNames": (Role.READ, intrinsic("ReferenceNames", ObjectName=system("plain"))),
    "GetClass": (Role.READ, intrinsic("GetClass", ClassName=class_name("Toy_System"))),
    "EnumerateClasses": (Role.READ, intrinsic("EnumerateClasses")),
    "EnumerateClassNames": (Role.READ, intrinsic("EnumerateClassNames")),
    "EnumerateQualifiers": (Role.READ, intrinsic("EnumerateQualifiers")),
    "GetQualifier": (Role.READ, intrinsic("GetQualifier", QualifierName=value("Key"))),
    "GetProperty": (Role.READ, intrinsic("GetProperty", InstanceName=system("plain"), PropertyName=value("Name"))),
    "ExecQuery": (
        Role.READ,
        intrinsic("ExecQuery", QueryLanguage=value("WQL"), Query=value("SELECT * FROM Toy_System")),
    ),
    "OpenEnumerateInstances": (
        Role.READ,
        intrinsic("OpenEnumerateInstances", ClassName=class_name("Toy_System"), MaxObjectCount=value(1)),
    ),
    "SetProperty": (
        Role.ADMINISTER,
        intrinsic("SetProperty", InstanceName=system("plain"), PropertyName=value("Caption"), NewValue=value("x")),
    ),
    "CreateInstance": (Role.ADMINISTER, intrinsic("CreateInstance", NewInstance=NEW)),
    "ModifyInstance": (
        Role.ADMINISTER,
        intrinsic("ModifyInstance", ModifiedInstance=element("VALUE.NAMEDINSTANCE", system("plain"), NEW)),
    ),
    "DeleteInstance": (Role.ADMINISTER, intrinsic("DeleteInstance", InstanceName=system("plain"))),
    "CreateClass": (Role.ADMINISTER, intrinsic("CreateClass")),
    "method that operates": (Role.OPERATE, extrinsic("Change", system("plain"), State=value(2))),
    "unknown method": (Role.ADMINISTER, extrinsic("Unheard", system("plain"))),
}


@pytest.mark.parametrize("operation", list(REQUESTS))
@pytest.mark.parametrize(
    ("name", "role"),
    [("nobody", Role.NONE), ("reader", Role.READ), ("operator", Role.OPERATE), ("admin", Role.ADMINISTER)],
)
def test_refused_per_role(guarded: RunningServer, toy: Toy, operation: str, name: str, role: Role) -> None:
    needed, body = REQUESTS[operation]
    with RawClient(guarded.port) as client:
        response = client.post(body, {"Authorization": f"Basic {LOGINS[name]}"})
    assert response.status == 200
    denied = response.cim_status == int(Status.ACCESS_DENIED)
    assert denied == (role < needed), response.body
    if denied:
        assert not toy.provider.calls


def test_long_names_are_not_remembered() -> None:
    access = Access(ROLES, TABLE, lambda name: [name])
    tracemalloc.start()
    try:
        for number in range(20):
            long = f"{number}{'x' * 1_000_000}"
            assert access.needed(long, True, [long]) is Role.ADMINISTER
            assert access.role(user("reader"), long) is Role.READ
        assert tracemalloc.get_traced_memory()[0] < 3_000_000
    finally:
        tracemalloc.stop()


def audit_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "virtcim.audit"]


def test_audit_lines(guarded: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "virtcim.audit")
    with RawClient(guarded.port) as client:
        port = client.socket.getsockname()[1]
        for name, operation in (("reader", "GetInstance"), ("operator", "method that operates"),
                                ("reader", "method that operates"), ("admin", "DeleteInstance")):  # fmt: skip
            client.post(REQUESTS[operation][1], {"Authorization": f"Basic {LOGINS[name]}"})
        client.post(REQUESTS["GetInstance"][1], {"Authorization": "Basic eDpzM2NyZXQ="})
    done, refused, deleted, login = audit_lines(caplog)
    assert (done["user"], done["by"], done["from"]) == ("operator", "password", f"127.0.0.1:{port}")
    assert (done["operation"], done["namespace"], done["result"]) == ("Change", "root/toy", "success")
    assert done["target"] == 'Toy_System.CreationClassName="Toy_System",Name="plain"'
    assert done["parameters"] == {"State": 2}
    assert "return" in done
    assert done["request"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", done["time"])
    assert (refused["user"], refused["result"]) == ("reader", "CIM_ERR_ACCESS_DENIED")
    assert (deleted["user"], deleted["operation"]) == ("admin", "DeleteInstance")
    assert 'Name="plain"' in deleted["target"]
    assert (login["event"], login["user"], login["from"]) == ("refused login", "x", "127.0.0.1")
    assert "s3cret" not in caplog.text


def test_no_value_forges_an_audit_line(guarded: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "virtcim.audit")
    evil = 'x"}\n{"event": "change", "user": "admin'
    with RawClient(guarded.port) as client:
        body = extrinsic("Change", system("plain"), State=value(evil))
        client.post(body, {"Authorization": f"Basic {LOGINS['operator']}"})
    (line,) = audit_lines(caplog)
    assert (line["user"], line["parameters"]) == ("operator", {"State": evil})
    assert "\n" not in next(record.getMessage() for record in caplog.records if record.name == "virtcim.audit")


def test_a_refused_request_costs_no_more_than_reading_it(
    guarded: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A torn instance of 360 KB, which patterns would be run over for minutes."""
    caplog.set_level(logging.INFO, "virtcim.audit")
    body = extrinsic("Change", system("plain"), State=value('<PROPERTY NAME="x ' * 20_000))
    started = time.process_time()
    with RawClient(guarded.port) as client:
        assert client.post(body, {"Authorization": f"Basic {LOGINS['reader']}"}).cim_status == Status.ACCESS_DENIED
    assert time.process_time() - started < 2
    (line,) = audit_lines(caplog)
    assert (line["user"], line["parameters"]) == ("reader", {"State": "(not shown: 360000 characters)"})


def test_unix_socket_knows_the_user(guarded: RunningServer, toy: Toy, tmp_path: Path) -> None:
    """No password is asked for; whoever is behind the socket is who the kernel says."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    path = tmp_path / "socket"
    guarded.server.core.access = Access(dataclasses.replace(ROLES, administer=(me,)), TABLE, lambda name: [name])
    with RawClient(path=path) as client:
        assert client.post(REQUESTS["method that operates"][1]).cim_status == 0
        # A header changes nothing, not even a wrong one.
        assert client.post(REQUESTS["GetInstance"][1], {"Authorization": "Basic eDp4"}).cim_status == 0
    assert toy.provider.calls[-1][4] == me


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_unix_socket_of_another_user(guarded: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    for each in path.parents:
        if each == Path("/tmp"):
            break
        each.chmod(0o755)
    body = REQUESTS["GetInstance"][1]
    done = subprocess.run(
        ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "curl", "-s", "--unix-socket", path,
         "-H", "CIMOperation: MethodCall", "-H", "CIMMethod: GetInstance", "-H", "Content-Type: application/xml",
         "-H", "CIMObject: root/toy",
         "--data-binary", body, "http://localhost/cimom"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "nobody may not GetInstance" in done.stdout
    assert 'CODE="2"' in done.stdout


def test_unix_socket_is_replaced_but_not_stolen(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    first = open_unix(path)
    assert path.stat().st_mode & 0o777 == 0o666
    with pytest.raises(OSError, match="listens"):
        open_unix(path)
    first.socket.close()
    open_unix(path).socket.close()
    other = tmp_path / "file"
    other.write_text("precious")
    with pytest.raises(FileExistsError):
        open_unix(other)
    assert other.read_text() == "precious"


def test_groups_of_the_system() -> None:
    assert "root" in system_groups("root")
    assert system_groups("no such user") == frozenset()


def test_addresses_share_a_port() -> None:
    endpoints = open_tcp("localhost", 0)
    assert len({each.port for each in endpoints}) == 1
    assert len({each.url for each in endpoints}) == 1
    for each in endpoints:
        each.socket.close()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError):
        open_tcp("127.0.0.1", taken.getsockname()[1])


def test_who_has_no_name_has_no_role_by_how_it_came() -> None:
    roles = RoleSettings(read=())
    assert roles.role(Principal("somebody", Mechanism.CMPI), "root/virt") is Role.ADMINISTER
    assert roles.role(Principal("", Mechanism.CMPI), "root/virt") is Role.NONE

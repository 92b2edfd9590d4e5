"""The REST front end over the toy catalog: what its table of cases does not hold."""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.bed import wait_until
from tests.cimom.harness import RunningServer
from tests.cimom.toy import Toy
from tests.frontends.client import Client, basic
from tests.frontends.conftest import CLASSES, NameIsPassword, access
from virtcim.app.store import SQLiteStore
from virtcim.cimom import audit
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.http.auth import BasicAuthenticator, Htpasswd, PasswordFile
from virtcim.frontends.rest import answers, frontend
from virtcim.frontends.rest.frontend import REST
from virtcim.frontends.rest.openapi import describe
from virtcim.frontends.rest.pages import DIRECTORY, PARTS, Pages
from virtcim.frontends.rest.sessions import KeptSession, Sessions, cookie_header
from virtcim.frontends.rest.values import dumped, dumped_in_parts

TOY = "/api/namespaces/root%2Ftoy"
DISK = f"{TOY}/instances/Toy_Disk/CreationClassName=Toy_Disk,Name=plain%7Cvda"
SYSTEM = f"{TOY}/instances/Toy_System/CreationClassName=Toy_System,Name="


@pytest.fixture
def server(toy: Toy) -> Iterator[RunningServer]:
    """A server over the toy catalog; every user's password is the user's name."""
    running = RunningServer(
        toy.catalog,
        CLASSES,
        settings=ServerSettings(port=0, host_name="toyhost", login_delay=0.0),
        authenticator=BasicAuthenticator([NameIsPassword()], delay=0.0),
        access=access(),
    )
    yield running
    running.stop()
    assert not running.errors


@pytest.fixture
def root(server: RunningServer) -> Client:
    return Client(server.port, {"Authorization": basic("root")})


@pytest.fixture
def nobody(server: RunningServer) -> Client:
    return Client(server.port)


def test_namespaces_are_those_that_may_be_read(server: RunningServer, root: Client) -> None:
    names = [each["name"] for each in root.get("/api/")["namespaces"]]
    assert names == ["root/toy", "root/far"]
    near = Client(server.port, {"Authorization": basic("near")})
    assert [each["href"] for each in near.get("/api")["namespaces"]] == [TOY]
    assert Client(server.port, {"Authorization": basic("stranger")}).get("/api/")["namespaces"] == []
    assert root.get(TOY)["classes"] == f"{TOY}/classes"
    assert Client(server.port, {"Authorization": basic("stranger")}).ask("GET", TOY).status == 403


def test_pages_hold_each_instance_once(root: Client) -> None:
    target, seen = f"{TOY}/classes/Toy_Named/instances?max=3&properties=Name", []
    while target:
        page = root.get(target)
        assert len(page["instances"]) <= 3
        seen += [each["path"] for each in page["instances"]]
        target = page.get("next")
    everything = root.get(f"{TOY}/classes/Toy_Named/instances?names=true")["instances"]
    for further in ("max=2", "filter=Name='a'", "properties=Name", "deep=false"):
        refused = root.ask("GET", f"{TOY}/classes/Toy_Named/instances?names=true&{further}")
        assert (refused.status, refused.json["message"].partition(":")[0]) == (400, further.partition("=")[0])
    assert sorted(seen) == sorted(each["path"] for each in everything)
    assert len(set(seen)) == len(seen) > 10
    page = root.get(f"{TOY}/classes/Toy_Named/instances?max=3")
    assert root.ask("DELETE", page["next"].partition("?")[0]).status == 204
    answer = root.ask("GET", page["next"])
    assert (answer.status, answer.json["name"]) == (410, "INVALID_ENUMERATION_CONTEXT")


def test_a_page_is_for_whom_it_was_opened(server: RunningServer, root: Client) -> None:
    page = root.get(f"{TOY}/classes/Toy_Named/instances?max=3")
    assert Client(server.port, {"Authorization": basic("reader")}).ask("GET", page["next"]).status == 410


def test_filters(root: Client) -> None:
    found = root.get(f"{TOY}/classes/Toy_Disk/instances?filter={quote('Size > 2')}")["instances"]
    assert [each["properties"]["Name"] for each in found] == ["special|vda"]
    answer = root.ask("GET", f"{TOY}/classes/Toy_Disk/instances?filter={quote('Size >')}")
    assert (answer.status, answer.json["name"]) == (400, "INVALID_QUERY")


@pytest.mark.parametrize(
    "name", ["a/b", 'quo"ted', "back\\slash", "per%41cent", "comma,=.eq", "köln:colon", "\U0001f427"]
)
def test_every_instance_is_found_where_it_says(root: Client, toy: Toy, name: str) -> None:
    toy.provider.add("Toy_System", Name=name)
    found = root.get(SYSTEM + quote(name, safe=""))
    assert found["properties"]["Name"] == name
    assert root.get(found["href"])["path"] == found["path"]
    whole = quote(f"CreationClassName=Toy_System,Name={quote(name, safe='')}", safe="")
    assert root.get(f"{TOY}/instances/Toy_System/{whole}")["path"] == found["path"]


def test_references_lead_where_they_say(root: Client) -> None:
    (link,) = root.get(f"{SYSTEM}plain/references?associationClass=Toy_Partner")["instances"]
    end = link["properties"]["Antecedent"]
    assert root.get(end["href"])["class"] == "Toy_SpecialSystem"
    assert root.get(link["href"])["properties"] == link["properties"]
    made = root.ask(
        "POST", f"{SYSTEM}plain/methods/Change", {"parameters": {"State": 3, "Partner": {"href": end["href"]}}}
    )
    assert made.json["ReturnValue"] == 0


def test_changes_under_a_condition(root: Client, toy: Toy) -> None:
    tag = root.ask("GET", DISK).headers["etag"]
    known = root.ask("GET", DISK, If_None_Match=f'"other", W/{tag}')
    assert (known.status, known.body, known.headers["etag"]) == (304, b"", tag)
    assert root.ask("GET", DISK, If_None_Match='"other"').status == 200
    assert root.get(f"{TOY}/classes/Toy_Disk/instances")["instances"][0]["etag"] == tag
    assert root.ask("PATCH", DISK, {"properties": {"Size": 7}}, If_Match=f'"other", {tag}').status == 204
    toy.provider.change("Toy_Disk", "plain|vda", Size=7)
    answer = root.ask("PATCH", DISK, {"properties": {"Size": 8}}, If_Match=tag)
    assert (answer.status, answer.json["name"]) == (412, "PRECONDITION_FAILED")
    assert toy.provider.stores["Toy_Disk"]["plain|vda"].values["Size"] == 7
    assert root.ask("DELETE", DISK, If_Match=tag).status == 412
    assert root.ask("POST", f"{SYSTEM}plain/methods/Change", {"parameters": {"State": 3}}, If_Match=tag).status == 412
    assert root.ask("DELETE", DISK, If_Match="*").status == 204
    assert root.ask("DELETE", DISK, If_Match="*").status == 404


def test_a_batch(root: Client, toy: Toy) -> None:
    answer = root.ask(
        "POST",
        "/api/batch",
        {
            "requests": [
                {"id": "a", "method": "PATCH", "path": DISK, "body": {"properties": {"Size": 9}}},
                {"id": 2, "path": f"{DISK}?properties=Size"},
                {"path": f"{TOY}/instances/Toy_Disk/Name=nothing"},
                {"id": "d", "method": "DELETE", "path": "/elsewhere"},
                {
                    "id": "e",
                    "method": "POST",
                    "path": f"{SYSTEM}plain/methods/Change",
                    "body": {"parameters": {"State": 3}},
                },
                7,
            ]
        },
    )
    found = answer.json["responses"]
    assert [(each["id"], each["status"]) for each in found] == [
        ("a", 204), (2, 200), (None, 400), ("d", 400), ("e", 200), (None, 400)
    ]  # fmt: skip
    assert found[1]["body"]["properties"] == {"Size": 9}
    assert found[4]["body"]["ReturnValue"] == 0
    assert found[0]["body"] is None
    assert root.ask("POST", "/api/batch", {"requests": [{}] * 101}).status == 400


def test_the_answers_of_a_batch_are_limited(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody who may read could ask for everything a hundred times, and all of it would be in memory at once."""
    monkeypatch.setattr(frontend, "MAX_BATCH_BYTES", 1000)
    calls = [{"id": number, "path": "/api/namespaces/root%2Ftoy/classes"} for number in range(4)]
    answers = root.ask("POST", "/api/batch", {"requests": calls}).json["responses"]
    assert [each["status"] for each in answers] == [200, 503, 503, 503]


def test_classes(root: Client) -> None:
    found = {each["class"]: each for each in root.get(f"{TOY}/classes")["classes"]}
    assert found["Toy_SpecialSystem"]["superclass"] == "Toy_System"
    assert found["Toy_Disk"]["served"]
    assert not found["Toy_Named"]["served"]
    assert found["Toy_Partner"]["association"]
    below = root.get(f"{TOY}/classes?superclass=Toy_Named&deep=false")["classes"]
    assert "Toy_SpecialSystem" not in [each["class"] for each in below]
    shown = root.get(found["Toy_System"]["href"])
    assert shown["keys"] == ["CreationClassName", "Name"]
    assert shown["properties"]["EnabledState"]["qualifiers"]["Values"] == ["Enabled", "Disabled"]
    assert shown["methods"]["Change"]["role"] == "operate"
    assert shown["roles"]["delete"] == "administer"
    assert root.ask("GET", f"{TOY}/classes/Toy_Nothing").status == 404
    names = [each["class"] for each in root.get(f"{TOY}/classes/Toy_System/associators")["classes"]]
    assert names == ["Toy_Element"]


def test_a_created_instance_says_where_it_is(root: Client) -> None:
    made = root.ask("POST", f"{TOY}/instances", {"class": "Toy_Disk", "properties": {"Name": "n/1", "Size": 2**64 - 1}})
    assert made.status == 201
    found = root.get(made.headers["location"])
    assert found["href"] == made.json["href"] == made.headers["location"]
    assert found["properties"]["Size"] == str(2**64 - 1)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/api/nowhere", 404),
        ("PUT", DISK, 405),
        ("POST", DISK, 405),
        ("GET", f"{DISK}?propertys=Size", 400),
        ("GET", f"{DISK}?properties=Size&properties=Name", 400),
        ("GET", f"{DISK}?properties=%ff", 400),
        ("GET", f"{TOY}/instances/Toy_Disk/plain", 400),
        ("GET", f"{TOY}/instances/Toy_Disk/Name=%ff", 400),
        ("GET", f"{TOY}/instances/Toy_Disk/Name=a,Name=b", 400),
        ("GET", f"{TOY}/instances/Toy_Partner/Antecedent=x,Dependent=y", 400),
        ("GET", f"{TOY}/classes/Toy_Disk/instances?max=0", 400),
        ("GET", f"{TOY}/classes/Toy_Disk/instances?max=-1", 400),
        ("GET", f"{TOY}/classes/Toy_Disk/instances?names=perhaps", 400),
        ("GET", f"{TOY}/query", 400),
        ("GET", "/api/namespaces/root%2Fnowhere/classes", 404),
        ("GET", f"{TOY}/pages/guessed", 410),
        ("GET", f"{TOY}/" + "x" * 9000, 414),
    ],
)
def test_what_is_asked_wrongly(root: Client, method: str, target: str, status: int) -> None:
    answer = root.ask(method, target)
    assert answer.status == status
    if status not in {405, 414}:
        assert answer.json["message"]


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        ("/api/", "GET, HEAD"),
        ("/api/alerts", "GET, HEAD"),
        ("/api/session", "GET, HEAD, POST, DELETE"),
        ("/api/batch", "POST"),
        (DISK, "GET, HEAD, PATCH, DELETE"),
        (f"{TOY}/instances", "POST"),
        (f"{TOY}/pages/guessed", "GET, HEAD, DELETE"),
        (f"{TOY}/consoles/guest/vnc", "GET"),
        (f"{TOY}/consoles/guest/vnc/tickets", "POST"),
    ],
)
def test_each_url_says_which_methods_it_takes(root: Client, target: str, methods: str) -> None:
    told = root.ask("OPTIONS", target, Authorization=None)
    assert (told.status, told.headers["allow"]) == (200, f"{methods}, OPTIONS")
    for method in {"GET", "PATCH", "DELETE", "POST", "PUT", "TRACE"} - {*methods.split(", ")}:
        answer = root.ask(method, target)
        # Where there are no consoles, none has a wrong method.
        if not target.startswith(f"{TOY}/consoles"):
            assert (answer.status, answer.headers["allow"]) == (405, f"{methods}, OPTIONS"), method
            assert answer.json["message"]


@pytest.mark.parametrize("target", ["/api/nowhere", f"{TOY}/consoles/guest/telepathy", f"{DISK}/elsewhere"])
def test_a_url_that_is_none_has_no_methods(root: Client, target: str) -> None:
    assert root.ask("OPTIONS", target).status == 404


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/api/alerts?max=1", "max: is no parameter of this URL; expected none"),
        ("GET", "/api/session?x=1", "x: is no parameter"),
        ("GET", "/api/openapi.json?class=Toy_Disk", "class: is no parameter of this URL; expected classes"),
        ("GET", "/api/openapi.json?classes=Toy_Disk,Toy_Dsik", "classes: Toy_Dsik is not served"),
        ("GET", "/api/events?clases=Toy_Disk", "clases: is no parameter"),
        ("POST", "/api/batch?x=1", "x: is no parameter"),
        ("DELETE", "/api/events?last=1", "last: is no parameter of this URL; expected lastEventId"),
        ("DELETE", "/api/session?everywhere=perhaps", "everywhere=perhaps: is neither true nor false"),
    ],
)
def test_what_a_url_has_no_parameter_for(root: Client, method: str, target: str, expected: str) -> None:
    answer = root.ask(method, target, {"requests": [{"path": "/api/"}]} if method == "POST" else None)
    assert answer.status == 400
    assert expected in answer.json["message"]


def test_a_batch_knows_its_members(root: Client) -> None:
    change = {"method": "PATCH", "path": DISK, "body": {"properties": {"Size": 9}}, "ifmatch": '"old"'}
    (answer,) = root.ask("POST", "/api/batch", {"requests": [change]}).json["responses"]
    assert (answer["status"], answer["body"]["message"].partition(";")[0]) == (
        400, "ifmatch: is no member of a request of a batch"
    )  # fmt: skip
    assert root.get(DISK)["properties"].get("Size") != 9
    assert root.ask("POST", "/api/batch", {"requests": [{"path": "/api/"}], "stop": True}).status == 400


DEEP = b'{"parameters":{"Words":' + b"[" * 5000 + b"]" * 5000 + b"}}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b'"\\ud800"', 400),
        (b'{"parameters":{"State":3,"State":4}}', 400),
        (b'{"parameters":{"State":NaN}}', 400),
        (b'{"parameters":{"State":1e999}}', 400),
        (b'{"parameters":{"State":' + b"9" * 5000 + b"}}", 400),
        (b'{"parameters":{"State":true}}', 400),
        (b'{"parameters":{"State":3.5}}', 400),
        (b'{"parameters":{"State":-1}}', 400),
        (b'{"parameters":{"State":65536}}', 400),
        (b'{"parameters":{"State":[3]}}', 400),
        (b'{"parameters":{"State":{"class":"x"}}}', 400),
        (b'{"parameters":{"State":3,"Force":"true"}}', 400),
        (b'{"parameters":{"State":3,"Words":"one"}}', 400),
        (b'{"parameters":{"State":3,"Words":[["one"]]}}', 400),
        (b'{"parameters":{"State":3,"Words":[1]}}', 400),
        (b'{"parameters":{"State":3,"Words":["\\ud83d"]}}', 400),
        (b'{"parameters":{"State":3,"Words":["a\\u0000b"]}}', 400),
        (b'{"parameters":{"State":3,"Partner":{"path":"nothing"}}}', 400),
        (b'{"parameters":{"State":3,"Partner":{"href":"/api/namespaces/x"}}}', 400),
        (b'{"parameters":{"State":3,"Setting":{"class":7}}}', 400),
        (b'{"parameters":{"State":3,"Setting":{"class":"Toy_Setting","properties":[]}}}', 400),
        (b'{"parameters":[]}', 400),
        (b'{"parameters":{"State":3},"more":1}', 400),
        (DEEP, 400),
        (b'{"parameters":{"State":3,"Words":[' + b",".join([b'""'] * 200_001) + b"]}}", 400),
    ],
)
def test_what_is_sent_wrongly(root: Client, toy: Toy, body: bytes, status: int) -> None:
    answer = root.ask("POST", f"{SYSTEM}plain/methods/Change", body)
    assert answer.status == status, answer.body
    assert answer.json["message"]
    assert not toy.provider.calls


def test_a_body_that_is_too_large(root: Client) -> None:
    with socket.create_connection(("127.0.0.1", root.port), timeout=60) as raw:
        head = f"POST {TOY}/instances HTTP/1.1\r\nHost: x\r\nAuthorization: {basic('root')}\r\nX-Virtcim-Request: 1\r\n"
        raw.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100000000\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_texts_of_every_kind_come_back_as_they_were(root: Client, toy: Toy) -> None:
    text = "<script>alert(1)</script> \u202e\u2028 \U0001f427 \x01 ]]> \\ \" '" + "x" * 5000
    toy.provider.add("Toy_System", Name="odd", ElementName=text)
    assert root.get(f"{SYSTEM}odd")["properties"]["ElementName"] == text


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 401),
        ("GET", {"Authorization": basic("root", "wrong")}, 401),
        ("PATCH", {}, 401),
        ("PUT", {}, 401),
        ("GET", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("GET", {"Origin": "https://elsewhere.example"}, 403),
        ("GET", {"Host": "elsewhere.example"}, 421),
    ],
)
def test_every_refusal_is_json(nobody: Client, method: str, headers: dict[str, str], status: int) -> None:
    for target in ("/api/", "/api/session", "/api/events", "/api/none/at/all", "/api/namespaces/a/consoles/b/vnc"):
        answer = nobody.ask(method, target, **headers)
        assert answer.status == status, target
        assert answer.json["status"] == 0
        assert answer.json["message"]
        assert answer.headers["cache-control"] == "no-store"


def test_sessions(nobody: Client, server: RunningServer, toy: Toy) -> None:
    assert nobody.ask("GET", "/api/session").status == 401
    assert nobody.log_in("root", "wrong").status == 401
    answer = nobody.log_in("root")
    assert answer.status == 201
    name, *flags = answer.headers["set-cookie"].split("; ")
    assert name.startswith("virtcim=")
    assert set(flags) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    session = nobody.get("/api/session")
    assert (session["user"], session["session"], session["roles"]["root/toy"]) == ("root", True, "administer")
    assert nobody.ask("PATCH", DISK, {"properties": {"Size": 5}}).status == 204
    assert toy.provider.stores["Toy_Disk"]["plain|vda"].values["Size"] == 5
    # It is for this front end alone.
    assert nobody.ask("POST", "/cimom", b"", Content_Type="application/xml").status == 401
    assert nobody.ask("DELETE", "/api/session").status == 204
    assert nobody.ask("GET", "/api/session").status == 401
    (rest,) = (each for each in server.server.frontends if isinstance(each, REST))
    assert not len(rest.sessions)


IMPORTED = re.compile(r'^(?:import|export)\b[^;]*?\bfrom "(\.[^"]+)"', re.MULTILINE)


def test_all_that_the_console_begins_with_is_asked_for_at_once() -> None:
    """Modules that are found one in the other are each asked for when the one before is there."""
    console = DIRECTORY.resolve()
    begun, found = [console / "main.js"], set[Path]()
    while begun:
        module = begun.pop()
        # The foreign parts are not in the tree, and import nothing.
        source = module.read_text() if PARTS not in module.relative_to(console).parts else ""
        imported = {(module.parent / name).resolve() for name in IMPORTED.findall(source)} - found
        found |= imported
        begun += imported
    page = (console / "index.html").read_text()
    named = re.findall(r'<link rel="modulepreload" href="([^"]+)">', page)
    assert sorted(named) == sorted(str(each.relative_to(console)) for each in found)


def test_each_log_in_has_another_cookie(nobody: Client) -> None:
    nobody.log_in("root")
    first = nobody.headers["Cookie"]
    nobody.log_in("root")
    assert nobody.headers["Cookie"] != first
    assert nobody.ask("GET", "/api/session", Cookie=first).status == 401
    assert nobody.ask("GET", "/api/session", Cookie="virtcim=planted").status == 401
    nobody.ask("POST", "/api/session", {"user": "root", "password": "root"}, Cookie="virtcim=planted")
    assert nobody.ask("GET", "/api/session", Cookie="virtcim=planted").status == 401


def test_log_out_everywhere(server: RunningServer) -> None:
    here, there, other = (Client(server.port) for _ in range(3))
    here.log_in("root")
    there.log_in("root")
    other.log_in("reader")
    assert here.ask("DELETE", "/api/session?everywhere=true").status == 204
    assert [each.ask("GET", "/api/session").status for each in (here, there, other)] == [401, 401, 200]


def test_sessions_end_by_themselves() -> None:
    now = [0.0]
    sessions = Sessions(ServerSettings(session_idle=10, session_lifetime=25, max_sessions=2), lambda: now[0])
    someone = Principal("a", Mechanism.PASSWORD)

    def headers(token: str) -> dict[str, str]:
        return {"Cookie": f"x=y; virtcim={token}"}

    used, idle = sessions.open(someone), sessions.open(someone)
    for now[0] in (5.0, 11.0):
        assert sessions.identify(headers(used), False) == someone
    assert sessions.identify(headers(idle), False) is None
    now[0] = 20.0
    assert sessions.identify(headers(used), False) == someone
    now[0] = 26.0
    assert sessions.identify(headers(used), False) is None
    tokens = [sessions.open(someone) for _ in range(3)]
    assert [sessions.identify(headers(each), False) is not None for each in tokens] == [False, True, True]


def test_who_logs_in_again_and_again_ends_nobody_elses_session() -> None:
    now = [0.0]
    sessions = Sessions(ServerSettings(max_sessions=5), lambda: now[0])
    first = sessions.open(Principal("ann", Mechanism.PASSWORD))
    for now[0] in range(1, 20):
        sessions.open(Principal("bob", Mechanism.PASSWORD))
    assert len(sessions) == 5
    assert sessions.find({"Cookie": f"virtcim={first}"}, False) is not None


class Run:
    """The sessions of one run of a server: times pass, and a stamp tells the accounts apart."""

    def __init__(self, file: Path, today: float, stamp: str = "as they are", most: int = 5) -> None:
        self.up = 0.0
        self.store = SQLiteStore(file)
        settings = ServerSettings(session_idle=1000, session_lifetime=5000, max_sessions=most)
        self.sessions = Sessions(settings, lambda: self.up, lambda: today + self.up)
        self.sessions.keep(self.store.table("browser session", KeptSession), lambda: stamp)

    def who(self, token: str) -> Principal | None:
        return self.sessions.identify({"Cookie": f"virtcim={token}"}, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()


def test_sessions_go_on_after_a_start_of_the_server(tmp_path: Path) -> None:
    file, ann = tmp_path / "state", Principal("ann", Mechanism.PAM, frozenset({"staff", "wheel"}))
    with Run(file, today=10000) as run:
        used, idle, closed = (run.sessions.open(ann) for _ in range(3))
        elsewhere = run.sessions.open(Principal("bob", Mechanism.PAM))
        run.sessions.close_all(Principal("bob", Mechanism.PAM))
        found = run.sessions.find({"Cookie": f"virtcim={closed}"}, False)
        assert found is not None
        run.sessions.close(found)
        run.up = 900.0
        assert run.who(used) == ann
    assert all(token.encode() not in each.read_bytes() for token in (used, idle) for each in tmp_path.iterdir())
    with Run(file, today=11200) as run:
        assert [run.who(each) for each in (used, idle, closed, elsewhere)] == [ann, None, None, None]
        for run.up in (900.0, 1800.0, 2700.0, 3600.0):
            assert run.who(used) == ann
    with Run(file, today=14900) as run:
        assert run.who(used) == ann
        run.up = 101.0
        assert run.who(used) is None


def test_sessions_of_other_accounts_or_of_another_time_end_with_the_server(tmp_path: Path) -> None:
    file, ann = tmp_path / "state", Principal("ann", Mechanism.PASSWORD)
    with Run(file, today=10000) as run:
        token = run.sessions.open(ann)
    with Run(file, today=9000) as run:
        assert run.who(token) is None
        token = run.sessions.open(ann)
    with Run(file, today=9000, stamp="with another password") as run:
        assert run.who(token) is None
    with Run(file, today=9000) as run:
        assert run.who(token) is None
        tokens = [run.sessions.open(ann) for run.up in (0.0, 1.0, 2.0)]
    with Run(file, today=9100, most=2) as run:
        assert [run.who(each) is not None for each in tokens] == [False, True, True]


def test_the_stamp_of_passwords_is_that_of_their_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("anna:a\n")
    before, again = (BasicAuthenticator(PasswordFile(file)).stamp() for _ in range(2))
    assert before == again != BasicAuthenticator(Htpasswd(file)).stamp()
    file.write_text("anna:another\n")
    assert BasicAuthenticator(PasswordFile(file)).stamp() != before


def test_a_changed_password_ends_sessions(toy: Toy, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("anna:a\n")
    running = RunningServer(toy.catalog, CLASSES, authenticator=BasicAuthenticator(PasswordFile(file)))
    client = Client(running.port)
    assert client.log_in("anna", "a").status == 201
    file.write_text("anna:another\n")

    def is_over() -> bool:
        running.run(running.server._authenticator.look())
        return client.ask("GET", "/api/session").status == 401

    wait_until(is_over)
    running.stop()


def test_the_cookie_by_tls() -> None:
    assert cookie_header("t", is_encrypted=True) == "__Host-virtcim=t; Path=/; HttpOnly; SameSite=Strict; Secure"


def test_by_tls_the_other_cookie_is_nobody() -> None:
    """Who is on the way to a browser can set it by plain HTTP, and have its user work in a session of his own."""
    sessions = Sessions(ServerSettings())
    token = sessions.open(Principal("a", Mechanism.PASSWORD))
    by_tls, plain = {"Cookie": f"__Host-virtcim={token}"}, {"Cookie": f"virtcim={token}"}
    assert sessions.find(by_tls, True) is not None
    assert sessions.find(plain, True) is None
    assert sessions.find({"Cookie": f"__Host-virtcim=x; virtcim={token}"}, True) is None
    assert sessions.find(plain, False) is not None
    assert sessions.find(by_tls, False) is None


OURS = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        (OURS, 204),
        ({"X-Virtcim-Request": None}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": None}, 415),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        (
            {
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "document",
                "Origin": "null",
            },
            403,
        ),
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:5988"}, 421),
        ({"Host": "evil.example:none"}, 421),
        ({"Host": "evil.example@127.0.0.1"}, 421),
        ({"Host": "127.0.0.1/evil.example"}, 421),
        ({"Host": "localhost"}, 204),
        ({"Host": "toyhost:5988"}, 204),
        ({"Host": "[::1]:5988"}, 204),
    ],
)
def test_what_a_browser_can_be_made_to_send(
    nobody: Client, toy: Toy, headers: dict[str, str | None], status: int
) -> None:
    nobody.log_in("root")
    nobody.headers = {name: value for name, value in nobody.headers.items() if name not in headers}
    answer = nobody.ask("PATCH", DISK, {"properties": {"Size": 5}}, **headers)
    assert answer.status == status, answer.body
    assert (toy.provider.stores["Toy_Disk"]["plain|vda"].values["Size"] == 5) is (status == 204)
    assert "access-control-allow-origin" not in answer.headers


def test_our_own_origin(nobody: Client) -> None:
    own = f"http://127.0.0.1:{nobody.port}"
    assert nobody.ask("POST", "/api/session", {"user": "root", "password": "root"}, Origin=own, **OURS).status == 201
    own = f"https://127.0.0.1:{nobody.port}"  # behind a proxy that ends TLS
    assert nobody.ask("POST", "/api/session", {"user": "root", "password": "root"}, Origin=own).status == 201


@pytest.mark.parametrize(
    ("name", "values"), [("Origin", ("OWN", "http://evil.example")), ("Sec-Fetch-Site", ("same-origin", "cross-site"))]
)
def test_no_header_of_a_name_hides_another_one(root: Client, name: str, values: tuple[str, ...]) -> None:
    connection = HTTPConnection("127.0.0.1", root.port, timeout=60)
    connection.putrequest("GET", "/api/session")
    for header in root.headers.items():
        connection.putheader(*header)
    for value in values:
        connection.putheader(name, value.replace("OWN", f"http://127.0.0.1:{root.port}"))
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


@pytest.mark.parametrize("target", ["/cimom", "/metrics", "/api/", "/", "/health"])
@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}]
)
def test_pages_from_elsewhere_get_nothing(root: Client, target: str, headers: dict[str, str]) -> None:
    answer = root.ask("POST" if target == "/cimom" else "GET", target, **{"Content_Type": None, **headers})
    assert answer.status == (421 if "Host" in headers else 403)


def test_a_link_from_elsewhere_leads_to_the_page(nobody: Client) -> None:
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert nobody.ask("GET", "/", **visit).status == 200


def test_browsers_are_not_asked_for_a_password(nobody: Client) -> None:
    assert "www-authenticate" in nobody.ask("GET", "/api/").headers
    for headers in (OURS, {"Accept": "text/html,*/*"}):
        answer = nobody.ask("GET", "/api/", **headers)
        assert answer.status == 401
        assert "www-authenticate" not in answer.headers


def test_a_wbem_client_that_takes_html_is_asked_for_its_password(nobody: Client) -> None:
    java = {"Accept": "text/html, text/xml, application/xml", "Content-Type": 'application/xml; charset="utf-8"'}
    answer = nobody.ask("POST", "/cimom", b"<CIM/>", **java)
    assert answer.status == 401
    assert "www-authenticate" in answer.headers


def test_nobody_logs_in_from_elsewhere_by_plain_http(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtcim.frontends.http.http.is_loopback", lambda address: False)
    running = RunningServer(toy.catalog, CLASSES, authenticator=BasicAuthenticator([NameIsPassword()]), access=access())
    answer = Client(running.port).log_in("root")
    assert (answer.status, "HTTPS" in answer.json["message"]) == (403, True)
    running.stop()


@pytest.mark.parametrize(
    ("is_local", "accepted", "is_smaller"),
    [(False, "br, gzip;q=0.5", True), (False, "gzip; q=0.0, br", False), (False, None, False), (True, "gzip", False)],
)
def test_large_answers_are_compressed_for_who_is_elsewhere(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, is_local: bool, accepted: str | None, is_smaller: bool
) -> None:
    monkeypatch.setattr("virtcim.frontends.http.http.is_loopback", lambda address: is_local)
    running = RunningServer(toy.catalog, CLASSES, authenticator=BasicAuthenticator([NameIsPassword()]), access=access())
    client = Client(running.port, {"Authorization": basic("root")})
    monkeypatch.setattr(answers, "WORTH_COMPRESSING", 1)
    classes, disk = (client.ask("GET", each, Accept_Encoding=accepted) for each in (f"{TOY}/classes", DISK))
    running.stop()
    assert ("content-encoding" in classes.headers, "content-encoding" in disk.headers) == (is_smaller, False)
    body = gzip.decompress(classes.body) if is_smaller else classes.body
    assert len(json.loads(body)["classes"]) > 0


def test_the_first_page_and_no_file_beside_it(nobody: Client) -> None:
    answer = nobody.ask("GET", "/")
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert nobody.ask("GET", "/../../etc/passwd").status == 404
    assert nobody.ask("GET", "/%2e%2e/__init__.py").status == 404


def test_files(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tmp_path / "console"
    (files / "parts").mkdir(parents=True)
    (files / "pages").mkdir()
    (files / "index.html").write_text("<p>console")
    (files / "pages" / "one.js").write_text("export const one = 1;\n" * 100)
    (tmp_path / "secret").write_text("secret")
    (files / "out").symlink_to(tmp_path / "secret")
    (files / ".hidden").write_text("hidden")
    monkeypatch.setattr("virtcim.frontends.rest.frontend.Pages", lambda: Pages(files))
    running = RunningServer(toy.catalog, CLASSES)
    client = Client(running.port)
    assert client.ask("GET", "/").body == b"<p>console"
    plain = client.ask("GET", "/pages/one.js")
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    packed = client.ask("GET", "/pages/one.js", Accept_Encoding="gzip, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert client.ask("GET", "/pages/one.js", If_None_Match=plain.headers["etag"]).status == 304
    (files / "pages" / "one.js").write_text("export const one = 2;\n")
    assert client.ask("GET", "/pages/one.js", If_None_Match=plain.headers["etag"]).status == 200
    for name in (
        "/out",
        "/.hidden",
        "/pages",
        "/pages/../../secret",
        "/%2e%2e/secret",
        "/pages/one.js%00",
        "//etc/passwd",
    ):
        assert client.ask("GET", name).status == 404, name
    running.stop()


def test_roles_are_told(server: RunningServer) -> None:
    told = Client(server.port, {"Authorization": basic("operator")}).get("/api/session")
    assert (told["user"], told["session"], told["secondsLeft"]) == ("operator", False, None)
    assert told["roles"] == {"root/toy": "operate", "root/far": "operate"}
    told = Client(server.port, {"Authorization": basic("near")}).get("/api/session")
    assert told["roles"] == {"root/toy": "read", "root/far": "none"}


def test_the_audit_log_has_what_was_asked_for(
    server: RunningServer, root: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, audit.LOGGER.name)
    root.ask("POST", f"{SYSTEM}plain/methods/Change", {"parameters": {"State": 3, "Words": ["a"]}})
    reader = Client(server.port, {"Authorization": basic("reader")})
    odd = {"class": "Toy_Setting", "properties": {"Weight": [[1]], "Words": "x"}}
    reader.ask("POST", f"{SYSTEM}plain/methods/Change", {"parameters": {"State": {"no": "number"}, "Setting": odd}})
    reader.ask("POST", f"{TOY}/instances", {"class": "Toy_Disk", "properties": {"Size": True}})
    reader.ask("DELETE", DISK)
    lines = [json.loads(each.getMessage()) for each in caplog.records if each.name == audit.LOGGER.name]
    assert [(each["operation"], each["user"]) for each in lines] == [
        ("Change", "root"), ("Change", "reader"), ("CreateInstance", "reader"), ("DeleteInstance", "reader")
    ]  # fmt: skip
    assert lines[0]["parameters"] == {"State": 3, "Words": ["a"]}
    assert lines[1]["parameters"]["State"] == '{"no":"number"}'
    assert "plain|vda" in lines[3]["target"]


def test_the_description_is_one(root: Client) -> None:
    described = root.get("/api/openapi.json")
    validate(described)
    assert described["openapi"] == "3.1.0"
    shown = described["components"]["schemas"]["Toy_System.properties"]["properties"]
    assert shown["EnabledState"]["maximum"] == 65535
    assert shown["EnabledState"]["x-values"] == {"2": "Enabled", "3": "Disabled"}
    place = "/api/namespaces/{namespace}/instances/Toy_System/{keys}/methods/Change"
    body = described["paths"][place]["post"]["requestBody"]["content"]["application/json"]["schema"]
    given = body["properties"]["parameters"]
    assert (given["required"], given["properties"]["Force"]) == (["State"], {"type": "boolean"})
    some = root.get("/api/openapi.json?classes=Toy_Disk")
    assert "Toy_Disk.properties" in some["components"]["schemas"]
    assert "Toy_System.properties" not in some["components"]["schemas"]


def test_the_description_is_written_in_small_parts() -> None:
    """All of it at once is one call of C of a tenth of a second, in which the server is silent."""
    described = describe(CLASSES, frozenset(CLASSES), ())
    parts = list(dumped_in_parts(described, frontend.DESCRIBED_DEPTH))
    assert b"".join(parts) == dumped(described)
    assert len(parts) > len(described["paths"]) + len(described["components"]["schemas"])
    assert max(map(len, parts)) < len(dumped(described)) // 4


def test_what_is_answered_is_as_described(root: Client) -> None:
    schemas = root.get("/api/openapi.json")["components"]["schemas"]
    for class_name in ("Toy_System", "Toy_Disk", "Toy_Single", "Toy_Partner"):
        found = root.get(f"{TOY}/classes/{class_name}/instances")["instances"]
        for each in found:
            own = {**schemas[f"{each['class']}.properties"], "components": {"schemas": schemas}}
            Draft202012Validator(own).validate(each["properties"])
            Draft202012Validator(schemas["Instance"]).validate(each)


def described_schema(described: Any, place: str, method: str, status: str = "") -> Draft202012Validator:
    """What the description says of the body of an answer, or of a request where no status is given."""
    operation = described["paths"][place.replace("TOY", "/api/namespaces/{namespace}")][method.lower()]
    told = operation["responses"][status] if status else operation["requestBody"]
    schema = told["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": described["components"]})


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("TOY/classes", f"{TOY}/classes"),
        ("TOY/classes/{class}", f"{TOY}/classes/Toy_Disk"),
        ("TOY/classes/{class}/associators", f"{TOY}/classes/Toy_System/associators"),
        ("TOY/classes/{class}/references", f"{TOY}/classes/Toy_System/references"),
        ("TOY/classes/{class}/instances", f"{TOY}/classes/Toy_Disk/instances?max=1"),
        ("TOY/classes/{class}/instances", f"{TOY}/classes/Toy_Disk/instances?names=true"),
        ("TOY/classes/Toy_Disk/instances", f"{TOY}/classes/Toy_Disk/instances?names=true"),
        ("TOY/query", f"{TOY}/query?query=SELECT%20Name%20FROM%20Toy_Disk"),
        ("TOY/instances/{class}/{keys}", DISK),
        ("TOY/instances/{class}/{keys}/associators", f"{DISK}/associators"),
        ("TOY/instances/{class}/{keys}/references", f"{DISK}/references?names=true"),
    ],
)
def test_answers_are_as_described(root: Client, place: str, target: str) -> None:
    validator = described_schema(root.get("/api/openapi.json"), place, "GET", "200")
    answer = root.get(target)
    validator.validate(answer)
    (required,) = validator.schema.get("required") or ["class"]
    assert not validator.is_valid({name: value for name, value in answer.items() if name != required})


@pytest.mark.parametrize(
    ("method", "place", "target", "body", "is_right"),
    [
        ("POST", "TOY/instances", f"{TOY}/instances", {"class": "Toy_Disk", "properties": {"Name": "new"}}, True),
        ("POST", "TOY/instances", f"{TOY}/instances", {"class": "Toy_Disk", "namespace": "root/toy"}, False),
        ("POST", "TOY/instances", f"{TOY}/instances", {"properties": {"Name": "newer"}}, False),
        ("PATCH", "TOY/instances/{class}/{keys}", DISK, {"properties": {"Size": 6}, "etag": "x"}, True),
        ("PATCH", "TOY/instances/{class}/{keys}", DISK, {"property": {"Size": 6}}, False),
        (
            "POST",
            "TOY/instances/Toy_System/{keys}/methods/Change",
            f"{SYSTEM}plain/methods/Change",
            {"parameters": {"State": 3}},
            True,
        ),
        (
            "POST",
            "TOY/instances/Toy_System/{keys}/methods/Change",
            f"{SYSTEM}plain/methods/Change",
            {"parameters": {"State": 3}, "more": 1},
            False,
        ),
        ("POST", "/api/batch", "/api/batch", {"requests": [{"path": "/api/"}]}, True),
        ("POST", "/api/batch", "/api/batch", {"requests": []}, False),
        ("POST", "/api/batch", "/api/batch", {"requests": [{"path": "/api/"}] * 101}, False),
        ("POST", "/api/batch", "/api/batch", {"requests": [{"path": "/api/"}], "more": 1}, False),
        ("POST", "/api/session", "/api/session", {"user": "root", "password": "root"}, True),
        ("POST", "/api/session", "/api/session", {"user": "ro:ot", "password": "root"}, False),
        ("POST", "/api/session", "/api/session", {"user": "root", "password": "root", "more": 1}, False),
    ],
)
def test_bodies_are_as_described(root: Client, method: str, place: str, target: str, body: Any, is_right: bool) -> None:
    assert described_schema(root.get("/api/openapi.json"), place, method).is_valid(body) is is_right
    answer = root.ask(method, target, body)
    assert answer.status in ({200, 201, 204} if is_right else {400}), answer.body


def test_parameters_are_as_described(root: Client) -> None:
    paths = root.get("/api/openapi.json")["paths"]
    space = "/api/namespaces/{namespace}"
    (query,) = (each for each in paths[f"{space}/query"]["get"]["parameters"] if each["name"] == "query")
    assert query["required"]
    assert root.ask("GET", f"{TOY}/query").status == 400
    keys = next(each for each in paths[f"{space}/instances/{{class}}/{{keys}}"]["parameters"] if each["name"] == "keys")
    for text in ("plain", "Name=a,,Name=b", "=a", "Name=a/b"):
        assert not re.search(keys["schema"]["pattern"], text)
    assert re.search(keys["schema"]["pattern"], DISK.rpartition("/")[2])
    assert {each["name"] for each in paths["/api/openapi.json"]["get"]["parameters"]} == {"classes"}
    conditional = {
        (place, method)
        for place, methods in paths.items()
        for method, operation in methods.items()
        if method != "parameters" and any(each["name"] == "If-Match" for each in operation.get("parameters", ()))
    }
    assert all(place.startswith(f"{space}/instances/") for place, _ in conditional)
    assert (f"{space}/instances/{{class}}/{{keys}}", "patch") in conditional
    assert not any(method == "get" for _, method in conditional)

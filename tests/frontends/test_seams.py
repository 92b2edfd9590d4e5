"""What a further front end finds ready: media types, sessions, translations, one number from request to log."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import wait_until
from tests.cimom.harness import RawClient, Response, RunningServer
from tests.cimom.toy import Toy
from tests.cmpi.broker import Broker, instance, path, typed
from tests.cmpi.conftest import provider_of
from tests.frontends.conftest import CLASSES, NameIsPassword, access
from tests.frontends.toys import JSON, Envelope, Shouting, on_listener
from virtcim.app.assembly import FRONT_ENDS, make_daemon
from virtcim.app.logs import RequestIdFilter
from virtcim.cimom import audit
from virtcim.cimom.capabilities import server_capabilities
from virtcim.cimom.core import Core
from virtcim.cimom.discovery import ServerIdentity
from virtcim.cimom.discovery.model import ServerObjects
from virtcim.cimom.discovery.renaming import RenamedAssociation, RenamedProvider
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.cimom.requests import INTRINSIC_OPERATIONS, Caller, EnumerateInstances
from virtcim.cimom.results import Extents
from virtcim.cimom.settings import ServerSettings
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.cimxml.frontend import CIMXML
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.frontends.compatibility.difference import ShownAssociation, ShownProvider
from virtcim.frontends.http import http
from virtcim.frontends.http.auth import BasicAuthenticator, NoAuthentication
from virtcim.frontends.http.exchange import FrontEndFactory
from virtcim.frontends.http.listener import open_tcp
from virtcim.precedence import Precedence
from virtcim.providers.interface import (
    Association,
    CIMError,
    InstancePath,
    InstanceProvider,
    MethodResult,
    RequestContext,
    Status,
)
from virtcim.providers.jobs import JobOrder, Jobs
from virtcim.providers.jobsettings import JobSettings

MakeServer = Callable[..., RunningServer]


@pytest.fixture
def make_server(toy: Toy) -> Iterator[MakeServer]:
    """Starts servers with further front ends, over the toy catalog."""
    running: list[RunningServer] = []

    def make(front_ends: Sequence[FrontEndFactory], **options: Any) -> RunningServer:
        authenticator = BasicAuthenticator([NameIsPassword()])
        running.append(
            RunningServer(
                toy.catalog, CLASSES, authenticator=authenticator, access=access(), front_ends=front_ends, **options
            )
        )
        return running[-1]

    yield make
    for each in running:
        each.stop()
        assert not each.errors


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{user}".encode()).decode()


def ask(port: int, method: str, target: str, body: bytes = b"", **headers: Any) -> Response:
    """One request on a connection of its own; an underscore in a header's name stands for a hyphen."""
    given = {"Host": "localhost", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    with RawClient(port) as client:
        client.send(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        return client.receive()


def test_what_can_wait_gives_way_while_an_answer_is_computed(
    make_server: MakeServer, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, passes, instances = Precedence(pause=3600.0), [], toy.provider.instances
    first.note_passed()
    monkeypatch.setattr(http, "answers", first)

    def look(class_name: str, context: RequestContext) -> Any:
        passes.append(first.lets_pass)
        return instances(class_name, context)

    monkeypatch.setattr(toy.provider, "instances", look)
    assert disks(make_server(FRONT_ENDS).url)
    assert passes
    assert not any(passes)
    wait_until(lambda: first.lets_pass)


@pytest.mark.parametrize("base", [Association, InstanceProvider])
def test_what_shows_another_one_forwards_all_that_can_be_asked(base: type) -> None:
    asked = {name for name, value in vars(base).items() if callable(value) and not name.startswith("_")}
    for wrapper in (RenamedAssociation, ShownAssociation, RenamedProvider, ShownProvider):
        if issubclass(wrapper, base):
            assert asked <= vars(wrapper).keys(), wrapper


def test_another_media_type_with_xml_inside(make_server: MakeServer) -> None:
    server = make_server((*FRONT_ENDS, Envelope))
    body = b"<Count><Class>Toy_Disk</Class></Count>"
    soap = {"Content_Type": "application/soap+xml; charset=utf-8"}
    answer = ask(server.port, "POST", "/cimom", body, Authorization=basic("reader"), **soap)
    assert (answer.status, answer.body) == (200, b"<Count>3</Count>")
    answer = ask(server.port, "POST", "/cimom", body, Authorization=basic("stranger"), **soap)
    assert (answer.status, answer.body) == (500, b"<Fault>2</Fault>")
    client = pywbem.WBEMConnection(server.url, ("reader", "reader"), default_namespace="root/toy")
    assert len(client.EnumerateInstanceNames("Toy_Disk")) == 3
    client.close()
    assert ask(server.port, "POST", "/cimom", body, Content_Type="text/x", Authorization=basic("root")).status == 415


def test_a_media_type_without_xml(make_server: MakeServer, toy: Toy) -> None:
    server = make_server((*FRONT_ENDS, JSON))
    as_json: dict[str, Any] = {"Content_Type": "application/json"}
    answer = ask(server.port, "POST", "/disks", b'{"Name": "new", "Size": 3}', Authorization=basic("root"), **as_json)
    assert (answer.status, json.loads(answer.body)["Name"]) == (201, "new")
    assert toy.provider.stores["Toy_Disk"]["new"].values["EnabledState"] == 5
    answer = ask(server.port, "POST", "/disks", b'{"Name": "x"}', Authorization=basic("reader"), **as_json)
    assert answer.status == 403


def test_sessions_beside_the_header(make_server: MakeServer, toy: Toy) -> None:
    server = make_server((*FRONT_ENDS, JSON))
    as_json: dict[str, Any] = {"Content_Type": "application/json"}
    assert ask(server.port, "POST", "/sessions", **as_json).status == 401
    token = ask(server.port, "POST", "/sessions", Authorization=basic("root"), **as_json).headers["x-auth-token"]
    body = b'{"Name": "by session"}'
    assert ask(server.port, "POST", "/disks", body, X_Auth_Token="guessed", **as_json).status == 401
    assert ask(server.port, "POST", "/disks", body, X_Auth_Token=token, **as_json).status == 201
    assert "by session" in toy.provider.stores["Toy_Disk"]
    # A session is that of the front end that gave it out.
    assert ask(server.port, "POST", "/cimom", X_Auth_Token=token, Content_Type="application/xml").status == 401
    assert ask(server.port, "DELETE", "/sessions", X_Auth_Token=token).status == 200
    assert ask(server.port, "POST", "/disks", body, X_Auth_Token=token, **as_json).status == 401


def disks(url: str) -> list[str]:
    client = pywbem.WBEMConnection(url, ("root", "root"), default_namespace="root/toy")
    names = [each["Name"] for each in client.EnumerateInstances("Toy_Disk")]
    client.close()
    return names


def test_a_translation_before_the_core(make_server: MakeServer, toy: Toy) -> None:
    server = make_server(FRONT_ENDS, translate=Shouting)
    assert disks(server.url) == ["PLAIN|VDA", "PLAIN|VDB", "SPECIAL|VDA"]
    client = pywbem.WBEMConnection(server.url, ("root", "root"), default_namespace="root/toy")
    client.CreateInstance(pywbem.CIMInstance("Toy_Disk", {"Name": "NEW"}))
    assert "new" in toy.provider.stores["Toy_Disk"]
    (far,) = client.EnumerateInstances("Toy_Remote", namespace="root/far")
    assert far["Name"] == "far"
    client.close()
    stranger = pywbem.WBEMConnection(server.url, ("stranger", "stranger"), default_namespace="root/toy")
    with pytest.raises(pywbem.CIMError) as error:
        stranger.EnumerateInstances("Toy_Disk")
    assert error.value.status_code == pywbem.CIM_ERR_ACCESS_DENIED
    stranger.close()


def test_a_translation_for_one_listener(toy: Toy) -> None:
    endpoints = [*open_tcp("127.0.0.1", 0), *open_tcp("127.0.0.1", 0)]
    new, old = (f"127.0.0.1:{each.port}" for each in endpoints)
    checked = RunningServer(
        toy.catalog,
        CLASSES,
        authenticator=NoAuthentication(),
        endpoints=lambda: endpoints,
        front_ends=(on_listener(Shouted, old, Shouting), *FRONT_ENDS),
    )
    assert disks(f"http://{new}") == ["plain|vda", "plain|vdb", "special|vda"]
    assert disks(f"http://{old}") == ["PLAIN|VDA", "PLAIN|VDB", "SPECIAL|VDA"]
    checked.stop()


def test_a_core_that_shows_another_catalog(toy: Toy) -> None:
    core = Core(toy.catalog, CLASSES, ServerSettings(), access())
    shown = core.showing(lambda _: Toy().catalog)
    listing = EnumerateInstances(
        namespace="root/toy", class_name="Toy_Disk", caller=Caller(Principal("root", Mechanism.PASSWORD))
    )

    def count(executor: Core) -> int:
        result = executor.execute(listing)
        assert isinstance(result, Extents)
        return sum(len(each.instances) for each in result.extents)

    assert (count(core), count(shown)) == (3, 0)
    assert shown.enumerations is core.enumerations
    with pytest.raises(CIMError) as error:
        shown.execute(replace(listing, caller=Caller(Principal("stranger", Mechanism.PASSWORD))))
    assert error.value.status is Status.ACCESS_DENIED


class Shouted:
    """CIM-XML, told from the one that the harness checks."""

    mechanism = None

    def __init__(self, core: Any, settings: ServerSettings, capabilities: Any) -> None:
        self._cimxml = CIMXML(core, settings, capabilities)
        self.routes = self._cimxml.routes
        self.gauges = ()

    def sweep(self) -> None:
        self._cimxml.sweep()

    def tidy(self) -> None:
        self._cimxml.tidy()


def test_a_translation_before_the_bridge(toy: Toy, tmp_path: Path, programs: None) -> None:
    core = Core(toy.catalog, CLASSES, ServerSettings(), access())
    daemon = make_daemon(Shouting(core), provider_of, CmpiSettings(socket=tmp_path / "cmpi.sock"))
    daemon.start()
    with Broker(tmp_path / "cmpi.sock", sanitized=False) as broker:
        found = broker.results("names", "Toy", path("root/toy", "Toy_Disk"))
        assert [each["keys"]["Name"][1] for each in found] == ["PLAIN|VDA", "PLAIN|VDB", "SPECIAL|VDA"]
    daemon.stop()


def test_discovery_shows_what_front_ends_declare(toy: Toy) -> None:
    capabilities = server_capabilities(toy.catalog, INTRINSIC_OPERATIONS, NoAuthentication())
    front_ends: tuple[FrontEndFactory, ...] = (*FRONT_ENDS, JSON)
    mechanisms = [each.mechanism for each in front_ends if each.mechanism is not None]
    identity = ServerIdentity("virtcim", "1", "host.example.org", "2.49.0")
    objects = ServerObjects(identity, capabilities, OperationStatistics(()), "root/interop", ["root/toy"], mechanisms)
    shown = {each.properties()["Name"]: each for each in objects.mechanisms}
    assert shown.keys() == {"CIM-XML", "REST", "JSON"}
    assert shown["CIM-XML"].class_name == "CIM_CIMXMLCommunicationMechanism"
    assert shown["JSON"].properties()["OtherCommunicationMechanismDescription"] == "JSON over HTTP"
    assert shown["JSON"].properties()["FunctionalProfilesSupported"]
    links = {each.class_names[0]: each for each in objects.associations()}
    context = RequestContext("root/interop")
    for association in ("CIM_CommMechanismForManager", "CIM_HostedAccessPoint"):
        source = objects.object_manager if association == "CIM_CommMechanismForManager" else objects.system
        found = links[association].to_right(source, context)
        assert {each.properties()["Name"] for each in found} == {"CIM-XML", "REST", "JSON"}
    found = links["CIM_ServiceServiceDependency"].to_right(objects.server, context)
    assert {each.properties()["Protocol"] for each in found} == {1, 5}


class Telling:
    """Has creating a disk log a line, and begin a job that logs another one."""

    def __init__(self, toy: Toy, jobs: Jobs) -> None:
        self._create = toy.provider.create_instance
        self._jobs = jobs
        self.numbers: list[str] = []
        self.done = threading.Event()

    def __call__(self, class_name: str, properties: Mapping[str, Any], context: RequestContext) -> InstancePath:
        self.numbers.append(context.request_id)
        logging.getLogger("provider").warning("creating")
        self._jobs.run(JobOrder("KVM", "Create", self._work))
        return self._create(class_name, properties, context)

    def _work(self, work: object) -> MethodResult:
        logging.getLogger("job").warning("working")
        self.done.set()
        return MethodResult(0)


@pytest.mark.parametrize("way", ["cimxml", "cmpi"])
def test_one_number_from_request_to_audit_job_and_log(
    way: str, toy: Toy, tmp_path: Path, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    caplog.handler.addFilter(RequestIdFilter())
    caplog.set_level(logging.INFO, audit.LOGGER.name)
    jobs = Jobs(JobSettings(grace=0.0), None)
    telling = Telling(toy, jobs)
    toy.provider.create_instance = telling  # type: ignore[method-assign]
    if way == "cimxml":
        server = RunningServer(toy.catalog, CLASSES)
        client = pywbem.WBEMConnection(server.url, default_namespace="root/toy")
        client.CreateInstance(pywbem.CIMInstance("Toy_Disk", {"Name": "new"}))
        client.close()
        server.stop()
    else:
        request.getfixturevalue("programs")
        socket = tmp_path / "cmpi.sock"
        core = Core(toy.catalog, CLASSES, ServerSettings(), access())
        daemon = make_daemon(core, provider_of, CmpiSettings(socket=socket))
        daemon.start()
        with Broker(socket, sanitized=False) as broker:
            disk = instance("Toy_Disk", {"Name": typed("string", "new")})
            broker.good("create", "Toy", path("root/toy", "Toy_Disk"), disk)
        daemon.stop()
    assert telling.done.wait(60)
    jobs.stop(1)
    (number,) = telling.numbers
    assert number
    written = {each.name: each for each in caplog.records}
    assert json.loads(written[audit.LOGGER.name].getMessage())["request"] == number
    for name in ("provider", "job"):
        assert vars(written[name])["request"] == f" [{number}]"

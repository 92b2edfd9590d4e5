"""Fixtures: the toy catalog behind every front end at once, with users of all roles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cimom.harness import RunningServer
from tests.cimom.toy import Toy, class_store
from tests.cmpi.broker import Broker
from tests.cmpi.conftest import programs, provider_of  # noqa: F401
from tests.frontends.adapters import Adapter, CIMXMLAdapter, CMPIAdapter, CoreAdapter, RESTAdapter
from virtcim.app.assembly import make_daemon
from virtcim.cimom.access import Access, NamespaceRoles, Role, RoleSettings
from virtcim.cimom.core import Core
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.frontends.http.auth import BasicAuthenticator, Verifier

CLASSES = class_store()

ROLES = RoleSettings(
    read=("reader", "near"),
    operate=("operator",),
    administer=("root",),
    namespaces={"root/far": NamespaceRoles(read=("reader",))},
)
"""`near` may read everything but the other namespace; `stranger` nothing."""

REGISTERED = {
    name: provider_of(name)
    for name in (
        "Toy_System",
        "Toy_SpecialSystem",
        "Toy_Disk",
        "Toy_Single",
        "Toy_SystemDevice",
        "Toy_Partner",
        "Toy_Elsewhere",
    )
}


class NameIsPassword(Verifier):
    """Every user's password is the user's name."""

    def verify(self, user: str, password: str) -> bool:
        return user == password

    def stamp(self) -> object:
        return None


def access() -> Access:
    """Who may do what."""
    return Access(ROLES, {"Toy_System.Change": Role.OPERATE}, CLASSES.ancestors)


@pytest.fixture
def toy() -> Toy:
    made = Toy()
    made.fill()
    return made


@pytest.fixture(params=["core", "cimxml", "rest", "cmpi-sfcb", "cmpi-pegasus"])
def adapter(request: pytest.FixtureRequest, toy: Toy, tmp_path: Path) -> Iterator[Adapter]:
    """Each front end over the toy catalog."""
    if request.param == "core":
        yield CoreAdapter(Core(toy.catalog, CLASSES, ServerSettings(), access()))
    elif request.param in {"cimxml", "rest"}:
        authenticator = BasicAuthenticator([NameIsPassword()])
        server = RunningServer(toy.catalog, CLASSES, authenticator=authenticator, access=access())
        yield CIMXMLAdapter(server.url, CLASSES) if request.param == "cimxml" else RESTAdapter(server.port, CLASSES)
        server.stop()
        assert not server.invalid
        assert not server.errors
    else:
        request.getfixturevalue("programs")
        socket = tmp_path / "cmpi.sock"
        core = Core(toy.catalog, CLASSES, ServerSettings(), access())
        daemon = make_daemon(core, provider_of, CmpiSettings(socket=socket))
        daemon.start()
        with Broker(socket, pegasus=request.param == "cmpi-pegasus", sanitized=False) as broker:
            yield CMPIAdapter(broker, CLASSES, REGISTERED)
        daemon.stop()

"""The whole graph of the recorded domains, Xen and LXC among them, over HTTP; and that the walk sees what is wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.providers.recorded import CONTEXT, Served, domain_xml, served
from tests.walk import Walker, Wire
from tests.walk.wire import ClassDeclaration
from virtcim.app.assembly import make_server
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.http.auth import NoAuthentication
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import CIMError, Instance, Status
from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.schema.classes import ClassStore


class ServerThread:
    """A `cimom` server on a site, in a thread of its own."""

    def __init__(self, site: Served, classes: ClassStore) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="server", daemon=True)
        self._thread.start()
        self._server = make_server(site.catalog, classes, ServerSettings(port=0), NoAuthentication())
        self._run(self._server.start())
        self.url = f"http://127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        self._run(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


Walk = Callable[..., Walker]

SHARE = 10
"""One of how many classes of platforms that show nothing is asked for, where the walk is to be quick."""


@pytest.fixture
def walk(classes: ClassStore) -> Iterator[Walk]:
    """Walks a site: `walk(site, namespaces=..., ...)`, with the options of the walker."""
    running: list[ServerThread] = []

    def walked(site: Served, **options: Any) -> Walker:
        running.append(ServerThread(site, classes))
        with Wire(running[-1].url) as wire:
            walker = Walker(wire, **options)
            walker.walk()
        return walker

    yield walked
    for each in running:
        each.stop()


@pytest.mark.parametrize("followed", [1, pytest.param(None, marks=pytest.mark.slow)])
def test_recorded_domains(walk: Walk, corpus: Served, followed: int | None) -> None:
    report = walk(corpus, thorough=0, followed=followed, share=1 if followed is None else SHARE).report
    print(report.summary())
    assert not report.findings, report.text()
    for prefix in ("KVM", "Xen", "LXC", "Test"):
        assert report.instances[f"{prefix}_ComputerSystem"] > 0


_declarations: dict[str, ClassDeclaration] = {}


def faults(walk: Walk, site: Served) -> set[str]:
    """What the walk of a small site says does not hold."""
    walker = walk(site, namespaces=["root/virt", "root/interop"], thorough=0, share=SHARE, classes=_declarations)
    _declarations.update(walker.classes)
    return {finding.what for finding in walker.report.findings}


@pytest.fixture
def small() -> Served:
    """A site with one small guest."""
    return served("KVM", domain_xml("g", "<memballoon model='virtio'/>"))


def relation(site: Served, base: str) -> Relation:
    """The first association of a class."""
    found = site.catalog.associations["root/virt"]
    return next(each for each in found if isinstance(each, Relation) and each.base == base)


def test_a_walk_without_findings(walk: Walk, small: Served) -> None:
    assert faults(walk, small) == set()


def test_a_walk_finds_wrong_values(walk: Walk, small: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [
        constant("EnabledState", 77),
        constant("OperationalStatus", []),
        constant("Caption", "x" * 65),
        constant("CreationClassName", "Xen_ComputerSystem"),
    ]
    monkeypatch.setattr(ComputerSystem, "table", PropertyTable(ComputerSystem.table, wrong))
    assert faults(walk, small) >= {
        "value that the value map does not have",
        "empty OperationalStatus",
        "text longer than MaxLen",
        "CreationClassName is not the class",
    }


def test_a_walk_finds_what_does_not_hold_together(walk: Walk, small: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Instance:
        raise CIMError(Status.NOT_FOUND, "gone")

    hosts = small.providers["KVM_HostSystem"]
    twice = [*hosts.instances("KVM_HostSystem", CONTEXT)] * 2
    gone = served("KVM", domain_xml("gone")).instances("KVM_Processor")
    monkeypatch.setattr(relation(small, "SystemDevice"), "to_left", lambda _device, _context: ())
    monkeypatch.setattr(relation(small, "ResourceAllocationFromPool"), "to_right", lambda _pool, _context: gone)
    monkeypatch.setattr(small.providers["KVM_VirtualSystemSettingData"], "get_instance", refuse)
    monkeypatch.setattr(hosts, "instances", lambda name, _context: twice if name.startswith("KVM") else [])
    assert faults(walk, small) >= {
        "not found from this end",
        "reference that leads nowhere",
        "reference to another class than declared",
        "found, and not enumerated",
        "GetInstance of an enumerated name fails",
        "enumerated twice",
    }

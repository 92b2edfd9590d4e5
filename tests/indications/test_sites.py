"""One server for two nodes: what happens on each is told with its namespace, to whoever wants it from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.bed import wait_until
from tests.indications.parts import Running, Scripted
from tests.providers.recorded import platform
from tests.providers.test_two_nodes import GUESTS, LOCAL, OTHER, node_file
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.platforms.registry import load_platforms
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.jobs import Jobs, JobSettings
from virtcim.providers.kinds import KINDS
from virtcim.providers.lifecycle import LifecycleSources
from virtcim.providers.site import ProviderSettings, Site
from virtcim.registration.catalog import build_catalog, element_types
from virtcim.schema.classes import ClassStore

QUERY = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"


class Nodes:
    """Two hypervisors of the test driver, each a site with a namespace of its own.

    Attributes:
        sites: by namespace.
        service: tells of them.
    """

    def __init__(self, directory: Path, classes: ClassStore) -> None:
        platforms, jobs = load_platforms([]), Jobs(JobSettings(grace=0.0))
        self._hypervisors: dict[str, Hypervisor] = {}
        self.sites: dict[str, Site] = {}
        for number, (namespace, guests) in enumerate(GUESTS.items()):
            hypervisor = Hypervisor(f"test://{node_file(directory, number, guests)}", HypervisorSettings(interval=0.2))
            self._hypervisors[namespace] = hypervisor
            members = [(platform("Test"), hypervisor)]
            self.sites[namespace] = Site(members, platforms, KINDS, ProviderSettings(namespace=namespace), jobs)
            hypervisor.start()
        assert all(each.wait_ready(20) for each in self._hypervisors.values())
        types = element_types(build_catalog(*self.sites.values()))
        self.service = Running(
            directory,
            classes,
            follow=lambda store: LifecycleSources(self.sites.values(), types, store),
            spaces=tuple(GUESTS),
        )

    def stop(self) -> None:
        self.service.stop()
        for each in self._hypervisors.values():
            each.stop()

    def suspend(self, namespace: str, name: str) -> None:
        """Suspend a guest, over the connection of the server: the test driver shows it to no other."""
        self._hypervisors[namespace].ask("suspend", lambda each: each.lookupByName(name).suspend(), 30)


@pytest.fixture
def nodes(tmp_path: Path, schema_classes: ClassStore) -> Iterator[Nodes]:
    made = Nodes(tmp_path, schema_classes)
    yield made
    made.stop()


def told(listener: Scripted) -> set[tuple[str, Any]]:
    """The namespaces and names of the guests that a listener was told of."""
    found = set()
    for body in listener.bodies:
        root = etree.fromstring(body)
        path = root.findtext(".//PROPERTY[@NAME='SourceInstanceModelPath']/VALUE") or ""
        source = etree.fromstring(root.findtext(".//PROPERTY[@NAME='SourceInstance']/VALUE") or "")
        found.add((path.partition(":")[0].strip("/"), source.findtext("PROPERTY[@NAME='Name']/VALUE")))
    return found


def test_each_node_is_told_of_in_its_namespace(nodes: Nodes, listen: Callable[..., Scripted]) -> None:
    here, there, everywhere = listen(), listen(), listen()
    for listener, name, spaces in ((here, "here", (LOCAL,)), (there, "there", (OTHER,)), (everywhere, "all", ())):
        nodes.service.subscribe(listener.url, QUERY, name, spaces=spaces)
    with pytest.raises(CIMError) as refused:
        nodes.service.subscribe(here.url, QUERY, "nowhere", spaces=("root/interop",))
    assert refused.value.status is Status.INVALID_PARAMETER
    assert f"{LOCAL} and {OTHER}" in refused.value.description
    for namespace in GUESTS:
        nodes.suspend(namespace, "same")
    wait_until(lambda: told(everywhere) == {(LOCAL, "same"), (OTHER, "same")}, 60)
    here.wait_for(1)
    there.wait_for(1)
    assert told(here) == {(LOCAL, "same")}
    assert told(there) == {(OTHER, "same")}

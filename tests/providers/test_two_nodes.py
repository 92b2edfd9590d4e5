"""One server for two nodes: a namespace each, with the same classes and with guests that have the same names."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed.server import wait_until
from tests.cimom.harness import RunningServer
from tests.providers.recorded import CONTEXT, platform
from virtcim.cimom.capabilities import server_capabilities
from virtcim.cimom.discovery import INTEROP_NAMES, ServerIdentity, with_discovery
from virtcim.cimom.requests import INTRINSIC_OPERATIONS
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.cimxml.frontend import CIMXML
from virtcim.frontends.http.auth import NoAuthentication
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.libhelper.work import Work
from virtcim.platforms.registry import load_platforms
from virtcim.providers.interface import InstancePath, MethodResult
from virtcim.providers.jobs import Jobs
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.kinds import KINDS
from virtcim.providers.services.work import run_method
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.registration.catalog import build_catalog
from virtcim.schema.classes import ClassStore

LOCAL, OTHER = "root/virt", "root/virt/other"
GUESTS = {LOCAL: {"same": 2, "here": 1}, OTHER: {"same": 3, "there": 1}}
"""The guests of each node, with the number of their processors."""


def node_file(directory: Path, number: int, guests: dict[str, int]) -> Path:
    """Write what a hypervisor of libvirt's test driver begins with."""
    domains = "".join(
        f"<domain type='test'><name>{name}</name><uuid>00000000-0000-4000-8000-{number:04}0000{index:04}</uuid>"
        f"<memory>65536</memory><vcpu>{count}</vcpu><os><type>hvm</type></os><devices>"
        f"<disk type='file' device='disk'><source file='/{name}'/><target dev='vda' bus='virtio'/></disk>"
        "</devices></domain>"
        for index, (name, count) in enumerate(guests.items())
    )
    file = directory / f"node{number}.xml"
    file.write_text(
        f"<node>{domains}<pool type='dir'><name>images</name><target><path>/i</path></target></pool></node>"
    )
    return file


class TwoNodes:
    """A server for two nodes, and a connection to it.

    Attributes:
        sites: by namespace.
        catalog: of both.
        server: over HTTP.
        connection: in no namespace of its own choice.
    """

    def __init__(self, directory: Path, classes: ClassStore) -> None:
        platforms, jobs = load_platforms([]), Jobs(JobSettings(grace=0.0))
        self.hypervisors: list[Hypervisor] = []
        self.sites: dict[str, Site] = {}
        for number, (namespace, guests) in enumerate(GUESTS.items()):
            uri = f"test://{node_file(directory, number, guests)}"
            hypervisor = Hypervisor(uri, HypervisorSettings(interval=0.5))
            hypervisor.start()
            self.hypervisors.append(hypervisor)
            members = [(platform("Test"), hypervisor)]
            self.sites[namespace] = Site(members, platforms, KINDS, ProviderSettings(namespace=namespace), jobs)
        assert all(hypervisor.wait_ready(60) for hypervisor in self.hypervisors)
        self.catalog = catalog = build_catalog(*self.sites.values())
        capabilities = server_capabilities(catalog, INTRINSIC_OPERATIONS, NoAuthentication())
        identity, statistics = ServerIdentity("virtcim", "1", "host", "2.49.0"), OperationStatistics(())
        discovered = with_discovery(catalog, classes, identity, capabilities, statistics, [CIMXML.mechanism])
        self.server = RunningServer(discovered, classes)
        self.connection = pywbem.WBEMConnection(self.server.url)

    def stop(self) -> None:
        """End all that runs."""
        self.connection.close()
        self.server.stop()
        for hypervisor in self.hypervisors:
            hypervisor.stop()

    def system(self, namespace: str, name: str) -> Any:
        """Ask for a guest."""
        keys = {"CreationClassName": "Test_ComputerSystem", "Name": name}
        return self.connection.GetInstance(pywbem.CIMInstanceName("Test_ComputerSystem", keys, namespace=namespace))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, classes: ClassStore) -> Iterator[TwoNodes]:
    made = TwoNodes(tmp_path_factory.mktemp("nodes"), classes)
    yield made
    made.stop()
    assert made.server.invalid == []


@pytest.mark.parametrize("namespace", GUESTS)
def test_a_class_has_the_instances_of_each_node_in_its_namespace(nodes: TwoNodes, namespace: str) -> None:
    ask = nodes.connection
    for superclass in ("Test_ComputerSystem", "CIM_ComputerSystem"):
        everything = ask.EnumerateInstances(superclass, namespace)
        found = [each for each in everything if each.classname == "Test_ComputerSystem"]
        assert {each["Name"] for each in found} == GUESTS[namespace].keys()
        assert {each.path.namespace for each in found} == {namespace}
    assert {path.namespace for path in ask.EnumerateInstanceNames("Test_LogicalDisk", namespace)} == {namespace}
    settings = ask.EnumerateInstances("Test_ProcResourceAllocationSettingData", namespace)
    numbers = {each["InstanceID"].partition("/")[0]: each["VirtualQuantity"] for each in settings}
    assert numbers == GUESTS[namespace]


def namespaces_of(paths: Iterable[Any]) -> dict[str, set[str]]:
    """The namespaces of paths: those of profiles, and, under "", those of all others."""
    found: dict[str, set[str]] = {}
    for path in paths:
        kind = path.classname if path.classname == "Test_RegisteredProfile" else ""
        found.setdefault(kind, set()).add(path.namespace)
    return found


@pytest.mark.parametrize("namespace", GUESTS)
def test_associations_stay_in_their_namespace(nodes: TwoNodes, namespace: str) -> None:
    ask, system = nodes.connection, nodes.system(namespace, "same")
    associated = ask.AssociatorNames(system.path)
    assert namespaces_of(associated) == {"Test_RegisteredProfile": {"root/interop"}, "": {namespace}}
    for link in ask.References(system.path):
        assert link.path.namespace == namespace
        ends = namespaces_of(link[name] for name in link if isinstance(link[name], pywbem.CIMInstanceName))
        assert ends[""] == {namespace}
        assert ask.GetInstance(link.path).path.namespace == namespace
    (disk,) = ask.Associators(system.path, AssocClass="Test_SystemDevice", ResultClass="Test_LogicalDisk")
    (back,) = ask.AssociatorNames(disk.path, AssocClass="Test_SystemDevice")
    assert (back.namespace, back.keybindings) == (namespace, system.path.keybindings)
    links = ask.EnumerateInstanceNames("Test_SystemDevice", namespace)
    assert {path[end].namespace for path in links for end in ("GroupComponent", "PartComponent")} == {namespace}


def test_the_same_keys_mean_another_guest(nodes: TwoNodes) -> None:
    """Twice, so that what is kept of the one is not answered for the other."""
    for _ in range(2):
        for namespace, guests in GUESTS.items():
            system = nodes.system(namespace, "same")
            processors = nodes.connection.AssociatorNames(system.path, ResultClass="Test_Processor")
            assert len(processors) == guests["same"]
    with pytest.raises(pywbem.CIMError) as raised:
        nodes.system(OTHER, "here")
    assert raised.value.status_code == pywbem.CIM_ERR_NOT_FOUND


def test_a_change_of_one_node_is_a_revision_of_its_namespace_alone(nodes: TwoNodes) -> None:
    revision = nodes.catalog.revision
    uuid, states = nodes.system(OTHER, "there")["UUID"], itertools.cycle((9, 2))

    def changed_alone() -> bool:
        """Disks are measured after the start: then the other one changes as well."""
        before, state = [revision(each) for each in (LOCAL, OTHER, "root/interop")], next(states)
        with nodes.hypervisors[1].domains.handle(uuid) as domain:
            domain.suspend() if state == 9 else domain.resume()
        wait_until(lambda: nodes.system(OTHER, "there")["EnabledState"] == state)
        after = [revision(each) for each in (LOCAL, f"/{OTHER.upper()}/", "root/interop")]
        assert after[1] != before[1]
        assert after[2] != before[2]
        return after[0] == before[0]

    wait_until(changed_alone)


@pytest.mark.parametrize("name", INTEROP_NAMES)
def test_a_profile_is_registered_once_and_leads_to_both_nodes(nodes: TwoNodes, name: str) -> None:
    ask = nodes.connection
    (profile,) = (
        path
        for path in ask.EnumerateInstanceNames("Test_RegisteredProfile", name)
        if path["InstanceID"] == "CIM:DSP1057-VirtualSystem-1.0.0a"
    )
    assert profile.namespace == name
    conforming = ask.AssociatorNames(profile, AssocClass="Test_ElementConformsToProfile")
    guests = {(path.namespace, path["Name"]) for path in conforming if path.classname == "Test_ComputerSystem"}
    assert guests == {(namespace, guest) for namespace, names in GUESTS.items() for guest in names}
    links = ask.EnumerateInstanceNames("Test_ElementConformsToProfile", name)
    assert {path["ConformantStandard"].namespace for path in links} == {name}
    assert {path["ManagedElement"].namespace for path in links} == set(GUESTS)
    _, out = ask.InvokeMethod("GetCentralInstances", profile)
    assert {path.namespace for path in out["CentralInstances"]} == set(GUESTS)
    (link,) = ask.ReferenceNames(profile, ResultClass="Test_ReferencedProfile", Role="Antecedent")
    assert (link.namespace, link["Dependent"].namespace) == (name, name)
    for namespace in GUESTS:
        own = ask.EnumerateInstanceNames("Test_ElementConformsToProfile", namespace)
        assert {path["ManagedElement"].namespace for path in own} == {namespace}


def test_a_reference_to_the_other_node_is_refused(nodes: TwoNodes) -> None:
    """A guest there has the same keys: it must not be the one of this node that is changed."""
    ask, system = nodes.connection, nodes.system(OTHER, "same").path
    (service,) = ask.EnumerateInstanceNames("Test_VirtualSystemManagementService", LOCAL)
    (setting,) = ask.AssociatorNames(system, AssocClass="Test_SettingsDefineState")
    assert setting.namespace == OTHER
    disk = pywbem.CIMInstance("Test_DiskResourceAllocationSettingData", {"Address": "/x", "VirtualDevice": "vdb"})
    for method, parameters in (
        ("DestroySystem", {"AffectedSystem": system}),
        ("AddResourceSettings", {"AffectedConfiguration": setting, "ResourceSettings": [disk]}),
    ):
        with pytest.raises(pywbem.CIMError) as raised:
            ask.InvokeMethod(method, service, **parameters)
        assert raised.value.status_code == pywbem.CIM_ERR_NOT_FOUND
        assert OTHER in raised.value.status_description
    assert nodes.system(LOCAL, "same")["Name"] == "same"


def test_a_job_lives_with_its_node(nodes: TwoNodes) -> None:
    """The jobs of all nodes are kept by one engine."""
    site = nodes.sites[OTHER]

    def work(_work: Work) -> MethodResult:
        return MethodResult(0)

    owner = ComputerSystem.with_key(site, platform("Test"), "there")
    assert owner is not None
    path = run_method(owner, "Work", CONTEXT, work, [owner.path()]).out["Job"]
    assert isinstance(path, InstancePath)
    assert (path.namespace, path.class_name) == (OTHER, "Test_ConcreteJob")
    ask = nodes.connection
    (job,) = ask.EnumerateInstances("CIM_ConcreteJob", OTHER)
    assert ask.EnumerateInstances("CIM_ConcreteJob", LOCAL) == []
    affected, owning = (
        ask.AssociatorNames(job.path, AssocClass=f"Test_{name}JobElement") for name in ("Affected", "Owning")
    )
    assert [path.namespace for path in (*affected, *owning)] == [OTHER, OTHER]
    with pytest.raises(pywbem.CIMError) as raised:
        ask.GetInstance(pywbem.CIMInstanceName("Test_ConcreteJob", job.path.keybindings, namespace=LOCAL))
    assert raised.value.status_code == pywbem.CIM_ERR_NOT_FOUND

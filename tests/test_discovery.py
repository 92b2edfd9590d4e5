"""Discovery of the server, its namespaces and profiles, by pywbem and pywbemcli, and where these objects come from."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Server
from virtcim import __version__
from virtcim.cimom.capabilities import (
    Authentication,
    FunctionalProfile,
    GenericOperation,
    PullLimits,
    server_capabilities,
)
from virtcim.cimom.discovery import INTEROP_NAMES
from virtcim.cimom.requests import INTRINSIC_OPERATIONS
from virtcim.frontends.http.auth import Authenticator, BasicAuthenticator, NoAuthentication, PasswordFile
from virtcim.providers.interface import Catalog, InstanceProvider

SPELLINGS = ["interop", "root/interop", "root/PG_InterOp", "ROOT/Interop", "/root/pg_interop/", "InterOp"]


@pytest.fixture(scope="module")
def connection(default_server: Server) -> Any:
    return default_server.pywbem()


@pytest.fixture
def strict() -> Iterator[None]:
    """Whatever pywbem tolerates is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def discovered(connection: Any, strict: None) -> Any:
    return pywbem.WBEMServer(connection)


def test_pywbem_finds_the_server(discovered: Any) -> None:
    assert discovered.interop_ns == "interop"
    assert discovered.brand == "virtcim"
    assert discovered.version == __version__
    assert discovered.namespace_classname == "CIM_Namespace"
    assert discovered.namespaces == ["interop", "root", "root/cimv2", "root/virt"]
    assert [path.namespace for path in discovered.namespace_paths] == ["interop"] * 4


def test_pywbem_finds_the_server_by_pull_operations(default_server: Server, strict: None) -> None:
    credentials = (default_server.user, default_server.password)
    pulling = pywbem.WBEMConnection(default_server.url, credentials, use_pull_operations=True)
    listed = pulling.IterEnumerateInstances("CIM_Namespace", "interop", MaxObjectCount=1)
    assert [each["Name"] for each in listed] == ["interop", "root", "root/cimv2", "root/virt"]
    for profile in pulling.IterEnumerateInstancePaths("CIM_RegisteredProfile", "root/interop", MaxObjectCount=2):
        found = pulling.IterAssociatorInstancePaths(
            profile, AssocClass="CIM_ElementConformsToProfile", ResultRole="ManagedElement", MaxObjectCount=2
        )
        assert list(found) or "DSP1103" in profile["InstanceID"]  # Job Control, and there are no jobs


@pytest.mark.parametrize("name", SPELLINGS)
def test_each_name_of_the_interop_namespace_shows_itself(connection: Any, name: str) -> None:
    """Whatever a client calls the namespace, paths and references hold that name."""
    expected = name.strip("/").lower()
    (manager,) = connection.EnumerateInstances("CIM_ObjectManager", name)
    listed = {path["Name"].lower() for path in connection.EnumerateInstanceNames("CIM_Namespace", name)}
    assert listed == {expected, "root", "root/cimv2", "root/virt"}
    for link in connection.EnumerateInstanceNames("CIM_NamespaceInManager", name):
        assert {link[role].namespace.lower() for role in ("Antecedent", "Dependent")} == {expected}
    for path in connection.AssociatorNames(manager.path):
        assert path.namespace.lower() == expected
        assert connection.GetInstance(path)


@pytest.mark.parametrize("namespace", ["root/nothing", "virt", "interop/root", "root/interop/x"])
def test_absent_namespaces(connection: Any, namespace: str) -> None:
    with pytest.raises(pywbem.CIMError) as caught:
        connection.EnumerateInstanceNames("CIM_Namespace", namespace)
    assert caught.value.status_code == pywbem.CIM_ERR_INVALID_NAMESPACE


@pytest.mark.parametrize(
    ("namespace", "names"),
    [
        ("root", ["cimv2", "interop", "virt"]),
        ("root/virt", []),
        ("root/interop", ["root", "root/cimv2", "root/interop", "root/virt"]),
        ("interop", ["interop", "root", "root/cimv2", "root/virt"]),
    ],
)
def test_the_older_namespace_class(connection: Any, namespace: str, names: list[str]) -> None:
    assert [each["Name"] for each in connection.EnumerateInstances("__Namespace", namespace)] == names


def test_namespaces_of_both_generations_agree(connection: Any) -> None:
    old = connection.EnumerateInstances("CIM_Namespace", "root/interop")
    new = connection.EnumerateInstances("CIM_WBEMServerNamespace", "root/interop")
    assert [each["Name"] for each in old] == [each["Name"] for each in new]
    assert {each["ClassTypeVersion"] for each in old} == {each["SchemaInformation"][0]["Version"] for each in new}


def test_the_system_of_the_server_is_of_the_class_that_clients_write(connection: Any) -> None:
    (manager,) = connection.EnumerateInstances("CIM_ObjectManager", "root/interop")
    assert manager["SystemCreationClassName"] == "CIM_ComputerSystem"
    keys = {"CreationClassName": "CIM_ComputerSystem", "Name": manager["SystemName"]}
    path = pywbem.CIMInstanceName("CIM_ComputerSystem", keys, namespace="root/interop")
    assert connection.GetInstance(path)["Name"] == manager["SystemName"]


def test_the_mechanism_says_what_is_there(connection: Any) -> None:
    (mechanism,) = connection.EnumerateInstances("CIM_CIMXMLCommunicationMechanism", "root/interop")
    groups = mechanism["FunctionalProfilesSupported"]
    assert {FunctionalProfile.BASIC_READ, FunctionalProfile.ASSOCIATION_TRAVERSAL} <= set(groups)
    assert FunctionalProfile.SCHEMA_MANIPULATION not in groups
    assert mechanism["AuthenticationMechanismsSupported"] == [Authentication.BASIC]
    assert mechanism["AdvertiseTypes"] == [2]
    assert mechanism["MultipleOperationsSupported"] is False
    (capabilities,) = connection.EnumerateInstances("CIM_CIMXMLCapabilities", "root/interop")
    operations = capabilities["GenericOperationCapabilities"]["OperationsSupported"]
    pulled = GenericOperation.OpenEnumerateInstances in operations
    assert pulled is (FunctionalProfile.PULLED_READ in groups)
    assert pulled is (mechanism["PulledEnumerationMaximumOperationTimeout"] is not None)


def test_required_properties_have_values(connection: Any) -> None:
    for class_name in instances_by_class(connection, "root/interop"):
        declared = connection.GetClass(class_name, "root/interop", LocalOnly=False, IncludeQualifiers=True)
        required = [each.name for each in declared.properties.values() if "Required" in each.qualifiers]
        for instance in connection.EnumerateInstances(class_name, "root/interop"):
            assert [name for name in required if instance[name] is None] == [], instance.path


def instances_by_class(connection: Any, namespace: str) -> dict[str, list[Any]]:
    """The paths of all instances of a namespace, by creation class."""
    found: dict[str, list[Any]] = {}
    top = connection.EnumerateClassNames(namespace)
    for class_name in top:
        for path in connection.EnumerateInstanceNames(class_name, namespace):
            found.setdefault(path.classname, []).append(path)
    return found


def local(path: Any) -> Any:
    """A path without its host: references have none."""
    copy = path.copy()
    copy.host = None
    return copy


@pytest.mark.parametrize("namespace", INTEROP_NAMES)
def test_every_reference_resolves_and_leads_back(connection: Any, namespace: str) -> None:
    counted = 0
    for class_name, paths in instances_by_class(connection, namespace).items():
        for path in paths:
            instance = connection.GetInstance(path)
            assert instance.classname == class_name
            assert all(instance[key] == value for key, value in path.keybindings.items())
            references = [each for each in instance.properties.values() if each.type == "reference"]
            for reference in references:
                end = connection.GetInstance(reference.value)
                assert end.path == reference.value
                # From the other namespaces the Interop namespace is called by its main name.
                if namespace == INTEROP_NAMES[0]:
                    back = connection.ReferenceNames(reference.value, ResultClass=class_name)
                    assert path.keybindings in [other.keybindings for other in back], (path, reference.name)
                counted += 1
    assert counted > 80


def test_profiles(discovered: Any) -> None:
    named = {(each["RegisteredName"], each["RegisteredVersion"]) for each in discovered.profiles}
    assert {("System Virtualization", "1.1.0"), ("Virtual System", "1.0.0"), ("WBEM Server", "1.0.0"),
            ("Profile Registration", "1.1.0"), ("Virtual System Profile", "1.0.0a")} <= named  # fmt: skip
    assert len(discovered.get_selected_profiles("DMTF", "System Virtualization")) == 2
    assert len(discovered.get_selected_profiles("DMTF", "System Virtualization", "1.1.0")) == 1
    assert discovered.get_selected_profiles("SNIA") == []


def central(discovered: Any, profile: Any, **how: Any) -> list[str]:
    paths = discovered.get_central_instances(profile.path, **how)
    return sorted(str(local(path)) for path in paths)


def test_central_instances_by_the_method_and_by_the_central_class(discovered: Any) -> None:
    for profile in discovered.profiles:
        by_method = central(discovered, profile, try_gci_method=True)
        by_class = central(discovered, profile)
        assert by_method or profile["RegisteredName"] == "Job Control"  # there are no jobs
        assert set(by_method) <= set(by_class)
        if not profile["InstanceID"].startswith("CIM:"):
            assert by_method == by_class


@pytest.mark.parametrize(
    ("name", "central_class", "scoping_path"),
    [
        ("Processor Resource Virtualization", "CIM_ResourcePool", ["CIM_HostedResourcePool"]),
        ("Storage Resource Virtualization", "CIM_ResourcePool", ["CIM_HostedResourcePool"]),
        ("Virtual System", "CIM_ComputerSystem", ["CIM_HostedDependency"]),
    ],
)
def test_central_instances_by_the_scoping_class(
    discovered: Any, monkeypatch: pytest.MonkeyPatch, name: str, central_class: str, scoping_path: list[str]
) -> None:
    """As of a server that has ElementConformsToProfile for autonomous profiles only."""
    (profile,) = discovered.get_selected_profiles("DMTF", name)
    wanted = central(discovered, profile)
    associator_names = discovered.conn.AssociatorNames

    def without(**how: Any) -> Any:
        if how["AssocClass"] == "CIM_ElementConformsToProfile" and how["ObjectName"] == profile.path:
            raise pywbem.CIMError(pywbem.CIM_ERR_NOT_SUPPORTED)
        return associator_names(**how)

    monkeypatch.setattr(discovered.conn, "AssociatorNames", without)
    found = central(
        discovered, profile, central_class=central_class, scoping_class="CIM_System", scoping_path=scoping_path
    )
    assert set(wanted) <= set(found)


def test_profiles_are_found_from_the_guest(connection: Any) -> None:
    (guest,) = connection.EnumerateInstanceNames("CIM_ComputerSystem", "root/virt")[1:]
    assert guest.classname == "Test_ComputerSystem"
    found = connection.Associators(guest, AssocClass="CIM_ElementConformsToProfile")
    assert {path.path.namespace for path in found} == {"root/interop"}
    assert "Virtual System" in {each["RegisteredName"] for each in found}
    for profile in found:
        back = connection.AssociatorNames(profile.path, AssocClass="CIM_ElementConformsToProfile")
        assert local(guest) in [local(path) for path in back]


def test_guests_are_found_from_the_object_manager(connection: Any) -> None:
    """The walk of a console: object manager, profile, host, guests."""
    (profile,) = [
        each for each in connection.EnumerateInstances("CIM_RegisteredProfile", "root/interop")
        if (each["RegisteredName"], each["RegisteredVersion"]) == ("System Virtualization", "1.1.0")
    ]  # fmt: skip
    (host,) = connection.AssociatorNames(
        profile.path, AssocClass="CIM_ElementConformsToProfile", ResultRole="ManagedElement"
    )
    guests = connection.AssociatorNames(host, AssocClass="CIM_HostedDependency", ResultClass="CIM_ComputerSystem")
    assert [path["Name"] for path in guests] == ["test"]


@pytest.mark.parametrize("namespace", ["root/interop", "root/virt"])
def test_no_service_can_be_started_or_stopped(connection: Any, namespace: str) -> None:
    services = connection.EnumerateInstanceNames("CIM_Service", namespace=namespace)
    assert services
    for path in services:
        for method in ("StartService", "StopService"):
            assert connection.InvokeMethod(method, path)[0] == 1
        assert connection.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(3))[0] == 1


def test_cimv2(connection: Any) -> None:
    links = connection.EnumerateInstances("Test_HostedDependency", "root/cimv2")
    assert len(links) == 1
    assert links[0].path.namespace == "root/cimv2"
    assert links[0]["Dependent"].namespace == "root/virt"
    assert connection.GetInstance(links[0].path)
    assert connection.EnumerateInstances("CIM_System", "root/cimv2") == []


def run_pywbemcli(server: Server, arguments: str) -> str:
    """What pywbemcli prints; AssertionError when it fails or warns."""
    pytest.importorskip("pywbemtools")
    user, password = server.user, server.password
    assert user is not None
    assert password is not None
    # No file of its user's connections, no waiting for a prompt, no colours.
    command = [str(Path(sys.executable).with_name("pywbemcli")), "-s", server.url, "-u", user, "-p", password]
    environment = {**os.environ, "HOME": str(server.directory), "TERM": "dumb"}
    done = subprocess.run(
        [*command, *arguments.split()], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Warning" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("namespace list", ["interop", "root/cimv2", "root/virt"]),
        ("namespace interop", ["interop"]),
        ("profile list", ["System Virtualization", "WBEM Server", "1.0.0a"]),
        ("profile centralinsts", ["DMTF:WBEM Server:1.0.0", "CIM_WBEMServer", "Test_HostSystem"]),
        ("class tree CIM_ObjectManager -n interop", ["CIM_ObjectManager"]),
        ("class tree CIM_RegisteredSpecification", ["Test_RegisteredProfile"]),
        ("class find *_RegisteredProfile", ["root/virt: CIM_RegisteredProfile", "interop: Virt_RegisteredProfile"]),
        ("instance shrub CIM_ObjectManager.? -n interop", ["CIM_CIMXMLCommunicationMechanism", 'Name="root/virt"']),
        ("instance shrub Test_ComputerSystem.? -n root/virt", ["root/interop:Test_RegisteredProfile"]),
        ("statistics status", ["server statistics gathering"]),
        ("statistics show", ["Client statistics"]),
    ],
)
def test_pywbemcli(default_server: Server, arguments: str, shown: list[str]) -> None:
    output = run_pywbemcli(default_server, arguments)
    assert [text for text in shown if text not in output] == []


def test_statistics(serve: Callable[..., Server]) -> None:
    server = serve("test:///default")
    connection = server.pywbem()
    (manager,) = connection.EnumerateInstances("CIM_ObjectManager", "root/interop")
    assert manager["GatherStatisticalData"] is False
    assert connection.EnumerateInstances("CIM_CIMOMStatisticalData", "interop") == []
    manager["GatherStatisticalData"] = True
    connection.ModifyInstance(manager, PropertyList=["GatherStatisticalData"])
    assert connection.GetInstance(manager.path)["GatherStatisticalData"] is True
    for _ in range(3):
        connection.EnumerateClassNames("root/virt")
    assert connection.InvokeMethod("StartService", manager.path)[0] == 1
    found = connection.Associators(manager.path, AssocClass="CIM_ElementStatisticalData")
    counted = {each["ElementName"]: each for each in found}
    assert counted.keys() == {"ModifyInstance", "GetInstance", "EnumerateClassNames", "InvokeMethod"}
    names = counted["EnumerateClassNames"]
    assert (names["OperationType"], names["NumberOfOperations"]) == (12, 3)
    assert names["ResponseSize"] > names["RequestSize"] > 0
    assert names["CimomElapsedTime"].timedelta.total_seconds() > 0
    assert counted["InvokeMethod"]["OtherOperationType"] == "InvokeMethod"
    assert connection.GetInstance(names.path)["NumberOfOperations"] == 3
    shown = run_pywbemcli(server, "statistics server-show")
    assert "EnumerateClassNames" in shown
    assert "set to off" in run_pywbemcli(server, "statistics server-off")
    assert connection.EnumerateInstances("CIM_CIMOMStatisticalData", "root/interop") == []
    manager["ElementName"] = "mine"
    with pytest.raises(pywbem.CIMError) as caught:
        connection.ModifyInstance(manager, PropertyList=["ElementName"])
    assert caught.value.status_code == pywbem.CIM_ERR_NOT_SUPPORTED


class Changeable(InstanceProvider):
    """A provider that lets its instances be changed."""

    class_names = ("CIM_IndicationSubscription",)

    def instances(self, class_name: str, context: Any) -> list[Any]:
        return []

    def get_instance(self, class_name: str, keys: Any, context: Any) -> Any:
        raise KeyError(class_name)

    def create_instance(self, class_name: str, properties: Any, context: Any) -> Any:
        raise KeyError(class_name)

    modify_instance = create_instance  # type: ignore[assignment]
    delete_instance = create_instance  # type: ignore[assignment]


def catalog(*providers: InstanceProvider) -> Catalog:
    return Catalog({"root/interop": providers}, {})


def test_capabilities_follow_the_operations_and_the_providers() -> None:
    few = server_capabilities(catalog(), {"GetInstance", "CreateInstance"}, NoAuthentication())
    assert few.functional_profiles == []
    assert few.operations == {"GetInstance"}
    assert few.authentication == (Authentication.NONE,)
    assert few.cql_features == (0,)
    whole = {
        *INTRINSIC_OPERATIONS, "ExecQuery", "OpenQueryInstances", "PullInstances", "CloseEnumeration",
        "OpenEnumerateInstances", "OpenEnumerateInstancePaths", "OpenAssociatorInstances",
        "OpenAssociatorInstancePaths", "OpenReferenceInstances", "OpenReferenceInstancePaths",
        "PullInstancesWithPath", "PullInstancePaths",
    }  # fmt: skip
    able = server_capabilities(catalog(Changeable()), whole, NoAuthentication(), PullLimits(1, 90, False, True, False))
    assert able.functional_profiles == [2, 3, 5, 6, 7, 9, 10, 12]
    assert able.filters
    assert 2 in able.cql_features
    assert GenericOperation.OpenQueryInstances in able.generic_operations
    assert GenericOperation.ReferenceClassPaths in able.generic_operations


def test_every_operation_has_its_number() -> None:
    unknown = {name for name in INTRINSIC_OPERATIONS if name not in GenericOperation.__members__}
    # GetProperty and SetProperty are no generic operations, and the new generation knows no query but the pulled one.
    assert unknown <= {"GetProperty", "SetProperty", "ExecQuery"}


class Nobody(Authenticator):
    """Takes no password."""

    async def authenticate(self, authorization: str | None, origin: str = "") -> None:
        return None


def test_authentication_is_named(tmp_path: Path) -> None:
    basic = BasicAuthenticator(PasswordFile(tmp_path / "password"))
    assert server_capabilities(catalog(), (), basic).authentication == (Authentication.BASIC,)
    both = server_capabilities(catalog(), (), basic, certificates=True)
    assert both.authentication == (Authentication.BASIC, Authentication.OTHER)
    assert both.authentication_descriptions == ("", "TLS client certificate")
    alone = server_capabilities(catalog(), (), Nobody(), certificates=True)
    assert (alone.authentication, alone.authentication_descriptions) == (
        (Authentication.OTHER,),
        ("TLS client certificate",),
    )
    assert server_capabilities(catalog(), (), Nobody()).authentication == (Authentication.OTHER,)


def test_dns_sd(serve: Callable[..., Server]) -> None:
    zeroconf = pytest.importorskip("zeroconf")
    found: list[Any] = []
    seen = threading.Event()

    class Listener(zeroconf.ServiceListener):  # type: ignore[misc, name-defined]
        def add_service(self, zc: Any, type_: str, name: str) -> None:
            found.append(zc.get_service_info(type_, name))
            seen.set()

        def remove_service(self, zc: Any, type_: str, name: str) -> None:
            found.append(name)

        def update_service(self, zc: Any, type_: str, name: str) -> None:
            return

    server = serve("test:///default", config="[server]\ndns_sd = true\n")
    with zeroconf.Zeroconf(interfaces=["127.0.0.1"]) as browser:
        zeroconf.ServiceBrowser(browser, "_wbem-http._tcp.local.", Listener())
        assert seen.wait(60), server.errors
        info = found[0]
        assert info.port == server.port
        assert info.parsed_addresses() == ["127.0.0.1"]
        assert info.properties[b"interop"] == b"root/interop"
        connection = server.pywbem()
        (mechanism,) = connection.EnumerateInstances("CIM_CIMXMLCommunicationMechanism", "root/interop")
        assert (mechanism["AdvertiseTypes"], mechanism["AdvertiseTypeDescriptions"]) == ([1], ["DNS-SD"])
        assert server.stop() == 0
        deadline = time.monotonic() + 5
        while len(found) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert found[1:] == [info.name]
    assert "Traceback" not in server.errors


def test_without_dns_sd_nothing_listens(default_server: Server) -> None:
    """The announcement is off by default: no socket for multicast DNS."""
    lines = Path(f"/proc/{default_server.pid}/net/udp").read_text().splitlines()[1:]
    inodes = {line.split()[9] for line in lines if int(line.split()[1].split(":")[1], 16) == 5353}
    links = {os.readlink(each) for each in Path(f"/proc/{default_server.pid}/fd").iterdir()}
    assert inodes.isdisjoint(link.removeprefix("socket:[").removesuffix("]") for link in links)

"""The real clients, wbemcli and pywbem, over every read operation, on libvirt's test driver."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
import pywbem

from tests.bed import Server, WbemcliError, wait_until
from tests.bed.views import DISABLED, ENABLED, QUIESCE, enabled_states, guest_path, instance_path, request_state

GUEST = guest_path("test", "Test_ComputerSystem")

#: Classes with at least one instance for a guest such as the one below.
CLASSES = [
    "Test_ComputerSystem",
    "Test_HostSystem",
    "Test_Processor",
    "Test_Memory",
    "Test_LogicalDisk",
    "Test_NetworkPort",
    "Test_DisplayController",
    "Test_PointingDevice",
    "Test_VirtualSystemSettingData",
    "Test_ProcResourceAllocationSettingData",
    "Test_MemResourceAllocationSettingData",
    "Test_DiskResourceAllocationSettingData",
    "Test_NetResourceAllocationSettingData",
    "Test_GraphicsResourceAllocationSettingData",
    "Test_InputResourceAllocationSettingData",
    "Test_HostedDependency",
    "Test_SystemDevice",
    "Test_SettingsDefineState",
    "Test_VirtualSystemSettingDataComponent",
]

NODE = """\
<node>
  <domain type='test'>
    <name>full</name>
    <uuid>00000000-0000-4000-8000-000000000001</uuid>
    <memory unit='MiB'>64</memory>
    <vcpu>2</vcpu>
    <os><type>hvm</type></os>
    <devices>
      <disk type='file' device='disk'>
        <driver name='qemu' type='qcow2'/>
        <source file='/images/full.qcow2'/>
        <target dev='vda' bus='virtio'/>
      </disk>
      <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>
      <input type='tablet' bus='usb'/>
      <graphics type='vnc' port='5901' autoport='no'/>
      <video><model type='vga'/></video>
    </devices>
  </domain>
</node>
"""

HOSTILE = [
    "plain",
    "two words",
    "quote\"d 'name'",
    "a&b<c>d",
    "ümlaut-日本語-🙂",
    "comma,equals=dot.colon:",
    "back\\slash",
    "percent%2Fhash#?",
    "end]]>",
    " spaces around ",
]


@pytest.fixture(scope="module")
def full_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a node whose one guest has a device of each common kind."""
    node = tmp_path_factory.mktemp("node") / "node.xml"
    node.write_text(NODE)
    with Server(f"test://{node}") as server:
        yield server


@pytest.mark.parametrize("class_name", CLASSES)
def test_names_instances_and_get_agree(full_server: Server, class_name: str) -> None:
    with full_server.pywbem() as connection:
        paths = connection.EnumerateInstanceNames(class_name)
        instances = connection.EnumerateInstances(class_name)
        assert paths
        assert [instance.path for instance in instances] == paths
        for path, instance in zip(paths, instances, strict=True):
            assert connection.GetInstance(path).items() == instance.items()
            assert path.classname == class_name
            for key, value in path.keybindings.items():
                assert instance[key] == value
    assert len(full_server.wbemcli("ein", class_name)) == len(paths)
    assert len(full_server.wbemcli("ei", class_name)) == len(paths)


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        ("gi", []),
        ("ain", []),
        ("ai", []),
        ("rin", []),
        ("ri", []),
        ("ain", ["-ac", "Test_SystemDevice"]),
        ("ai", ["-ac", "Test_HostedDependency"]),
        ("ai", ["-arc", "CIM_SettingData"]),
        ("rin", ["-arc", "CIM_SettingsDefineState"]),
        ("ri", ["-ar", "GroupComponent"]),
    ],
)
def test_wbemcli_reads_a_guest(default_server: Server, operation: str, options: list[str]) -> None:
    assert default_server.wbemcli(operation, GUEST, *options)


@pytest.mark.parametrize("operation", ["gc", "ec", "ecn"])
def test_wbemcli_reads_classes(default_server: Server, operation: str) -> None:
    assert default_server.wbemcli(operation, "CIM_ComputerSystem")


def test_wbemcli_property_list(default_server: Server) -> None:
    lines = default_server.wbemcli("gi", GUEST, "-nl", "Name,EnabledState")
    assert "-EnabledState=2" in lines
    assert not any(line.startswith("-OperationalStatus") for line in lines)


def test_wbemcli_error(default_server: Server) -> None:
    with pytest.raises(WbemcliError, match="CIM_ERR_NOT_FOUND"):
        default_server.wbemcli("gi", guest_path("gone", "Test_ComputerSystem"))
    with pytest.raises(WbemcliError, match="CIM_ERR_INVALID_CLASS"):
        default_server.wbemcli("ei", "Test_Nonsense")
    with pytest.raises(WbemcliError, match="CIM_ERR_INVALID_NAMESPACE"):
        default_server.wbemcli("ei", "Test_ComputerSystem", namespace="root/nonsense")


def test_superclass_answers_for_subclasses(default_server: Server) -> None:
    with default_server.pywbem() as connection:
        deep = connection.EnumerateInstanceNames("CIM_System")
        guests = connection.EnumerateInstanceNames("Virt_ComputerSystem")
    assert {path.classname for path in deep} >= {"Test_ComputerSystem", "Test_HostSystem"}
    assert [path.classname for path in guests] == ["Test_ComputerSystem"]


def test_absent_hypervisor_enumerates_empty(default_server: Server) -> None:
    with default_server.pywbem() as connection:
        assert connection.EnumerateInstances("Xen_ComputerSystem") == []
        assert connection.EnumerateInstanceNames("LXC_LogicalDisk") == []


def test_request_state_change(serve: Callable[..., Server]) -> None:
    """Each call shows its effect to the same client at once, and a wrong transition is a return code."""
    server = serve("test:///default")

    def request(state: int) -> int:
        return request_state(server, "test", state, "Test_ComputerSystem")

    def shown() -> int:
        return enabled_states(server, "Test_ComputerSystem")["test"]

    assert shown() == ENABLED
    assert request(9) == 0
    assert shown() == QUIESCE
    assert request(2) == 0
    assert shown() == ENABLED
    assert request(3) == 0
    assert shown() == DISABLED
    assert request(3) == 4097
    assert request(9) == 4097
    assert request(7) == 1
    assert request(77) == 5
    assert shown() == DISABLED
    lines = server.wbemcli("cm", GUEST, "RequestStateChange.RequestedState=2")
    assert re.search(r"RequestStateChange\(\)\s*=\s*0|: 0\b|=\s*0$", "\n".join(lines)), lines
    assert shown() == ENABLED


def read_by_wbemcli(server: Server, class_name: str) -> None:
    """Every read operation of wbemcli on a class and on its first instance."""
    names = server.wbemcli("ein", class_name)
    assert names
    assert len(server.wbemcli("ei", class_name)) == len(names)
    _, _, path = names[0].partition("/root/virt:")
    assert server.wbemcli("gi", path)
    assert server.wbemcli("gc", class_name)
    association = "Antecedent=" in path or "GroupComponent=" in path or "ManagedElement=" in path
    if not association:
        # Values of rates come with the second sample of the guest's figures, maybe between two requests.
        wait_until(lambda: len(server.wbemcli("ain", path)) == len(server.wbemcli("ai", path)) > 0)
        wait_until(lambda: len(server.wbemcli("rin", path)) == len(server.wbemcli("ri", path)) > 0)


@pytest.mark.parametrize("class_name", CLASSES)
def test_wbemcli_reads(full_server: Server, class_name: str) -> None:
    read_by_wbemcli(full_server, class_name)


def walk(connection: Any, prefix: str) -> None:
    """From the host over guests, devices and settings back to the host, by AssociatorNames."""

    def across(path: Any, association: str, result: str) -> list[Any]:
        found = connection.AssociatorNames(path, AssocClass=f"{prefix}_{association}", ResultClass=result)
        for other in found:
            back = connection.AssociatorNames(other, AssocClass=f"{prefix}_{association}")
            assert path_text(path) in map(path_text, back), f"{other} does not lead back to {path}"
        return list(found)

    (host,) = connection.EnumerateInstanceNames(f"{prefix}_HostSystem")
    guests = across(host, "HostedDependency", "CIM_ComputerSystem")
    assert sorted(map(path_text, guests)) == sorted(
        map(path_text, connection.EnumerateInstanceNames(f"{prefix}_ComputerSystem"))
    )
    for guest in guests:
        devices = across(guest, "SystemDevice", "CIM_LogicalDevice")
        assert devices
        for device in devices:
            for allocation in across(device, "SettingsDefineState", "CIM_ResourceAllocationSettingData"):
                (settings,) = across(allocation, "VirtualSystemSettingDataComponent", "CIM_VirtualSystemSettingData")
                (owner,) = across(settings, "SettingsDefineState", "CIM_ComputerSystem")
                assert path_text(owner) == path_text(guest)
                (end,) = across(owner, "HostedDependency", f"{prefix}_HostSystem")
                assert path_text(end) == path_text(host)


def path_text(path: Any) -> str:
    """A path without its host, for comparison."""
    bare = path.copy()
    bare.host = None
    return str(bare.to_wbem_uri("canonical"))


def test_walk_ends_where_it_began(full_server: Server) -> None:
    with full_server.pywbem() as connection:
        walk(connection, "Test")


def test_references_name_both_ends(full_server: Server) -> None:
    path = instance_path({"CreationClassName": "Test_ComputerSystem", "Name": "full"}, "Test_ComputerSystem")
    with full_server.pywbem() as connection:
        references = connection.References(path, ResultClass="Test_SystemDevice")
        names = connection.ReferenceNames(path, ResultClass="Test_SystemDevice")
        devices = connection.AssociatorNames(path, AssocClass="Test_SystemDevice")
    assert sorted(path_text(one.path) for one in references) == sorted(map(path_text, names))
    assert sorted(path_text(one["PartComponent"]) for one in references) == sorted(map(path_text, devices))
    assert {path_text(one["GroupComponent"]) for one in references} == {path_text(path)}


def test_hostile_names(serve: Callable[..., Server], tmp_path: Path) -> None:
    node = tmp_path / "node.xml"
    domains = "".join(
        f"<domain type='test'><name>{escape(name)}</name><title>{escape(name)}</title>"
        f"<description>{escape(name)}&#9;&#10;&#x85;&#x2028;</description>"
        "<memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>"
        for name in HOSTILE
    )
    node.write_text(f"<node>{domains}</node>", encoding="utf-8")
    server = serve(f"test://{node}")
    with server.pywbem() as connection:
        paths = connection.EnumerateInstanceNames("Test_ComputerSystem")
        assert sorted(path["Name"] for path in paths) == sorted(HOSTILE)
        for path in paths:
            guest = connection.GetInstance(path)
            assert guest["Name"] == path["Name"]
            settings = connection.Associators(path, ResultClass="Test_VirtualSystemSettingData")
            assert [one["VirtualSystemIdentifier"] for one in settings] == [path["Name"]]
            allocations = connection.AssociatorNames(settings[0].path, ResultClass="CIM_ResourceAllocationSettingData")
            assert allocations
            for allocation in allocations:
                assert connection.GetInstance(allocation)["InstanceID"] == allocation["InstanceID"]
    assert len(server.wbemcli("ein", "Test_ComputerSystem")) == len(HOSTILE)


def test_unusual_keys_are_not_found_but_never_break(default_server: Server) -> None:
    with default_server.pywbem() as connection:
        for name in ["", "x" * 10_000, "\u0001", "../..", "test/vda", "🙂" * 100]:
            with pytest.raises((pywbem.CIMError, pywbem.HTTPError)) as caught:
                connection.GetInstance(
                    instance_path({"CreationClassName": "Test_ComputerSystem", "Name": name}, "Test_ComputerSystem")
                )
            if isinstance(caught.value, pywbem.CIMError):
                assert caught.value.status_code in (pywbem.CIM_ERR_NOT_FOUND, pywbem.CIM_ERR_INVALID_PARAMETER)
            else:
                assert caught.value.status == 400  # a character that XML cannot hold
    assert enabled_states(default_server, "Test_ComputerSystem") == {"test": ENABLED}

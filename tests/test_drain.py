"""Emptying a node: two private daemons, guests placed by a group, moved, and followed in both namespaces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.listener import Listener, subscribed
from tests.providers.migrationbed import COMPLETED, guest_xml
from tests.providers.test_two_nodes import node_file
from tests.test_nodes import has_state, names, virtcim

pytestmark = [pytest.mark.root, pytest.mark.qemu]

INTEROP, EAST, WEST = "root/interop", "root/virt/east", "root/virt/west"
SERVICE = "Virt_AggregatedManagementService"
PATIENCE = 90.0
CONNECTED, ENABLED, DISABLED = 2, 2, 3
JOB_STARTED, FAILED = 4096, 2
RELOCATING = 19
SPACES = {"east": EAST, "west": WEST}


class Fleet(NamedTuple):
    """Two daemons by the names of their nodes, and a server for both."""

    daemons: dict[str, Libvirtd]
    server: Server


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, libvirtd: Libvirtd) -> Iterator[Fleet]:
    libvirtd.remove_domains()
    local = node_file(tmp_path_factory.mktemp("local"), 0, {"here": 1})
    with Libvirtd() as west:
        daemons = {"east": libvirtd, "west": west}
        config = f"uris = ['test://{local}']\n[providers.jobs]\ngrace = 0\n" + "".join(
            f"[node.{name}]\nuris = ['{daemon.uri()}']\ngroups = ['blue']\nmigrate_uri = 'tcp://127.0.0.1'\n"
            for name, daemon in daemons.items()
        )
        with Server(config=config) as server:
            ask = server.pywbem(INTEROP)
            for name in daemons:
                wait_until(has_state(ask, name, CONNECTED), PATIENCE)
            yield Fleet(daemons, server)
    libvirtd.remove_domains()


def place(ask: Any, name: str) -> str:
    """Have the group place a guest and start it; the name of the node that it is on."""
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    (group,) = ask.EnumerateInstanceNames("Virt_NodeGroup")
    system = pywbem.CIMInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": name})
    memory = {"ResourceType": pywbem.Uint16(4), "VirtualQuantity": pywbem.Uint64(65536), "AllocationUnits": "KiloBytes"}
    resources = [pywbem.CIMInstance("KVM_MemResourceAllocationSettingData", memory)]
    value, _ = ask.InvokeMethod(
        "DefineSystemInGroup", service, Group=group, SystemSettings=system, ResourceSettings=resources
    )
    assert value in (0, JOB_STARTED)

    def find() -> Any:
        paths = [each for space in (EAST, WEST) for each in ask.EnumerateInstanceNames("KVM_ComputerSystem", space)]
        return next((each for each in paths if each["Name"] == name), None)

    path = wait_until(find, PATIENCE)
    value, _ = ask.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(ENABLED))
    assert value in (0, JOB_STARTED)
    wait_until(lambda: ask.GetInstance(path)["EnabledState"] == ENABLED, PATIENCE)
    return str(path.namespace.rpartition("/")[2])


def results(text: str) -> set[str]:
    """What a command said of guests; without how far it was meanwhile."""
    return {line for line in text.splitlines() if not line.endswith(" %")}


def test_a_guest_that_a_group_placed_is_moved_and_followed(fleet: Fleet) -> None:
    ask = fleet.server.pywbem(INTEROP)
    source = place(ask, "placed")
    target = {"east": "west", "west": "east"}[source]
    fleet.daemons[source].define(guest_xml("off", "", "", None))
    wait_until(lambda: "off" in names(ask, SPACES[source], "KVM_ComputerSystem"), PATIENCE)
    queries = [
        f"SELECT * FROM {kind} WHERE SourceInstance ISA KVM_ComputerSystem"
        for kind in ("CIM_InstCreation", "CIM_InstDeletion")
    ]
    status, text = virtcim(fleet.server, "node", "drain", source, "--check")
    assert status == 1
    assert results(text) == {
        f"{SPACES[source]}: placed: can go to {target}",
        f"{SPACES[source]}: off: stays: it is off, and only those that run are moved",
    }
    with Listener() as listener, subscribed(fleet.server, listener, *queries, spaces=(EAST, WEST)):
        status, text = virtcim(fleet.server, "node", "drain", source, "--off", "--at-once", "1")
        moved = {f"{SPACES[source]}: {name}: moved to {target}" for name in ("placed", "off")}
        assert (status, results(text)) == (0, moved)

        def told(kind: str, node: str, name: str) -> Any:
            def matches(each: Any) -> bool:
                path = each["SourceInstanceModelPath"]
                return kind in each.classname and f"{SPACES[node]}:" in path and f'Name="{name}"' in path

            return listener.wait(matches)

        for name in ("placed", "off"):
            told("Crea", target, name)
            told("Dele", source, name)
    assert fleet.daemons[source].list_all() == {}
    assert fleet.daemons[target].list_all() == {"placed": "running", "off": "shut off"}
    drains = [each for each in ask.EnumerateInstances("CIM_ConcreteJob", "root/virt") if "Drain" in each["Name"]]
    drain = drains[-1]
    assert drain["PercentComplete"] == 100
    children = ask.Associators(drain.path, AssocClass="CIM_AffectedJobElement", ResultClass="CIM_ConcreteJob")
    # What is quick, as to move a definition, may need no job.
    assert {"placed"} <= {each["VirtualSystemName"] for each in children} <= {"off", "placed"}
    assert {each.path.namespace for each in children} == {SPACES[source]}
    for each in children:
        parents = ask.AssociatorNames(each.path, AssocClass="CIM_AffectedJobElement", ResultClass="CIM_ConcreteJob")
        assert [path["InstanceID"] for path in parents] == [drain["InstanceID"]]
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    (owner,) = ask.AssociatorNames(drain.path, AssocClass="CIM_OwningJobElement")
    assert (owner.namespace, owner.keybindings) == (INTEROP, service.keybindings)
    owned = ask.AssociatorNames(service, AssocClass="CIM_OwningJobElement", ResultClass="CIM_ConcreteJob")
    assert {path["InstanceID"] for path in owned} == {each["InstanceID"] for each in drains}


def test_wbemcli_moves_a_guest_and_who_follows_is_told_in_order(fleet: Fleet, tmp_path: Path) -> None:
    ask = fleet.server.pywbem(INTEROP)
    for daemon in fleet.daemons.values():
        daemon.remove_domains()
    filling = tmp_path / "filling"
    filling.write_bytes(os.urandom(24 << 20))
    east = fleet.daemons["east"]
    east.define(guest_xml("mover", "", "", filling))
    east.virsh("start", "mover")
    east.virsh("migrate-setspeed", "mover", "12")
    wait_until(
        lambda: [each["EnabledState"] for each in ask.EnumerateInstances("KVM_ComputerSystem", EAST)] == [2], PATIENCE
    )
    wait_until(lambda: not names(ask, WEST, "KVM_ComputerSystem"), PATIENCE)
    (service,) = ask.EnumerateInstanceNames("KVM_VirtualSystemMigrationService", EAST)
    keys = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    path = f"{service.classname}." + ",".join(f'{key}="{service[key]}"' for key in keys)
    system = 'KVM_ComputerSystem.CreationClassName="KVM_ComputerSystem",Name="mover"'
    call = f"MigrateVirtualSystemToHost.DestinationHost=west,ComputerSystem={system}"
    queries = [
        f"SELECT * FROM {kind} WHERE SourceInstance ISA {wanted}"
        for kind in ("CIM_InstCreation", "CIM_InstModification", "CIM_InstDeletion")
        for wanted in ("KVM_ComputerSystem", "KVM_MigrationJob")
    ]
    with Listener() as listener, subscribed(fleet.server, listener, *queries, spaces=(EAST, WEST)):
        assert "MigrationJob" in "".join(fleet.server.wbemcli("cm", path, call, namespace=EAST))
        listener.wait(lambda each: each["SourceInstance"].get("JobState") == COMPLETED)
        listener.wait(lambda each: "Dele" in each.classname and "mover" in each["SourceInstanceModelPath"])
        listener.wait(lambda each: "Crea" in each.classname and WEST in each["SourceInstanceModelPath"])
        told = list(listener.received)
    numbers = [each["SequenceNumber"] for each in told]
    assert numbers == sorted(set(numbers))
    jobs = [each for each in told if each["SourceInstance"].classname == "KVM_MigrationJob"]
    assert ["Creat" in each.classname for each in jobs] == [True, *[False] * (len(jobs) - 1)]
    shown = [each["SourceInstance"] for each in jobs]
    for name in ("PercentComplete", "JobState"):
        values = [each[name] for each in shown]
        assert values == sorted(values)
    guests = [each for each in told if each["SourceInstance"].classname == "KVM_ComputerSystem"]
    assert ("Modif" in guests[0].classname, guests[0]["SourceInstance"]["OperationalStatus"]) == (True, [RELOCATING])
    moved = [
        (kind, node)
        for each in guests
        for kind in ("Creat", "Delet")
        for node, space in SPACES.items()
        if kind in each.classname and f"{space}:" in each["SourceInstanceModelPath"]
    ]
    assert moved == [("Delet", "east"), ("Creat", "west")]
    assert fleet.daemons["west"].list_all() == {"mover": "running"}
    assert east.list_all() == {}


def test_what_cannot_move_is_told_and_the_rest_moves(fleet: Fleet) -> None:
    ask = fleet.server.pywbem(INTEROP)
    east = fleet.daemons["east"]
    for daemon in fleet.daemons.values():
        daemon.remove_domains()
    network = "<network><name>only-east</name><bridge name='vceast0'/></network>"
    file = east.directory / "network.xml"
    file.write_text(network)
    east.virsh("net-define", str(file))
    try:
        tied = "<interface type='network'><source network='only-east'/></interface>"
        east.define(guest_xml("tied", tied, "", None))
        for name in ("first", "second", "third"):
            east.define(guest_xml(name, "", "", None))
            east.virsh("start", name)
        wait_until(lambda: len(names(ask, EAST, "KVM_ComputerSystem")) == 4, PATIENCE)
        paths = ask.EnumerateInstanceNames("KVM_ComputerSystem", EAST)
        wait_until(lambda: sum(ask.GetInstance(path)["EnabledState"] == ENABLED for path in paths) == 3, PATIENCE)
        status, text = virtcim(fleet.server, "group", "drain", "blue", "--off")
        assert status == 1
        assert text.count("stays: there is no other node") == 4
        status, text = virtcim(fleet.server, "node", "drain", "east", "--off", "--to", "blue")
        lines = dict(line.removeprefix(f"{EAST}: ").split(": ", 1) for line in results(text))
        assert status == 1
        assert {name: lines[name] for name in ("first", "second", "third")} == dict.fromkeys(
            ("first", "second", "third"), "moved to west"
        )
        assert lines["tied"].startswith("stays: west: network: ")
        assert east.list_all() == {"tied": "shut off"}
    finally:
        east.remove_domains()
        east.virsh("net-undefine", "only-east")


def test_nodes_that_do_not_exist_are_refused(fleet: Fleet) -> None:
    assert virtcim(fleet.server, "node", "drain", "nothing")[0] == 1
    assert virtcim(fleet.server, "group", "drain", "nothing")[0] == 1
    assert virtcim(fleet.server, "node", "drain", "east", "--to", "nothing")[0] == 1
    ask = fleet.server.pywbem(INTEROP)
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    for given in ({}, {"Group": ask.EnumerateInstanceNames("Virt_NodeGroup")[0], "AtOnce": pywbem.Uint16(0)}):
        with pytest.raises(pywbem.CIMError) as refused:
            ask.InvokeMethod("DrainNodes", service, **given)
        assert refused.value.status_code == pywbem.CIM_ERR_INVALID_PARAMETER

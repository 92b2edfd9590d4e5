"""Groups of nodes: members, placing a guest, and acting on all guests of a group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Server, wait_until
from tests.test_nodes import has_state, names, virtcim

INTEROP = "root/interop"
SERVICE = "Virt_AggregatedManagementService"

ACCEPTED, REJECTED = 2, 3
"""Verdicts of EvaluatePlacement."""

NODE = "<node><cpu><mhz>2000</mhz><model>{arch}</model><active>4</active><nodes>1</nodes><sockets>1</sockets>\
<cores>4</cores><threads>1</threads></cpu><memory>{memory}</memory>{domains}<pool type='dir'><name>images</name>\
<capacity>100000</capacity><allocation>0</allocation><target><path>/i</path></target></pool></node>"


def node_uri(directory: Path, name: str, memory: int, guests: dict[str, int]) -> str:
    """A hypervisor of libvirt's test driver with so many KiB, and with guests of so many KiB each."""
    domains = "".join(
        f"<domain type='test'><name>{guest}</name><memory>{size}</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
        "</domain>"
        for guest, size in guests.items()
    )
    file = directory / f"{name}.xml"
    file.write_text(NODE.format(arch="i686", memory=memory, domains=domains))
    return f"test://{file}"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("fleet")
    nodes = {
        "busy": (node_uri(directory, "busy", 4 << 20, {"b1": 1 << 20, "b2": 1 << 20}), ""),
        "idle": (node_uri(directory, "idle", 4 << 20, {"i1": 1 << 18}), ""),
        "small": (node_uri(directory, "small", 1 << 18, {}), ""),
        "fixed": (node_uri(directory, "fixed", 4 << 20, {}), "read_only = true\n"),
        "barred": (node_uri(directory, "barred", 4 << 20, {"x1": 1 << 18}), ""),
        "gone": ("qemu+unix:///system?socket=/nowhere/socket", ""),
    }
    config = f"uris = ['{node_uri(directory, 'local', 1 << 20, {})}']\n[providers.jobs]\ngrace = 20.0\n" + "".join(
        f"[node.{name}]\nuris = ['{uri}']\ngroups = ['prod', '{name}s']\n{more}" for name, (uri, more) in nodes.items()
    )
    config += "[roles.namespaces.'root/virt/barred']\nadminister = []\noperate = []\n"
    config += "[group.prod]\ntitle = 'Production'\nvariables = { pool = 'images', bridge = 'br7' }\n"
    with Server(config=config) as server:
        ask = server.pywbem(INTEROP)
        for name, state in (("busy", 2), ("idle", 2), ("small", 2), ("fixed", 2), ("gone", 4)):
            wait_until(has_state(ask, name, state))
        yield server


def group(ask: Any, name: str) -> Any:
    """The path of a group."""
    return next(
        path for path in ask.EnumerateInstanceNames("Virt_NodeGroup") if path["InstanceID"].endswith(f":{name}")
    )


def wish(name: str, memory: int) -> dict[str, Any]:
    """The parameters of DefineSystem for a guest with so many KiB."""
    system = pywbem.CIMInstance("Test_VirtualSystemSettingData", {"VirtualSystemIdentifier": name})
    resource = pywbem.CIMInstance(
        "Test_MemResourceAllocationSettingData",
        {
            "ResourceType": pywbem.Uint16(4),
            "VirtualQuantity": pywbem.Uint64(memory),
            "AllocationUnits": "KiloBytes",
        },
    )
    return {"SystemSettings": system, "ResourceSettings": [resource]}


def test_a_group_has_nodes_and_their_hosts(fleet: Server) -> None:
    ask = fleet.pywbem(INTEROP)
    path = group(ask, "prod")
    shown = ask.GetInstance(path)
    assert (shown["ElementName"], shown["Name"]) == ("Production", "prod")
    assert dict(zip(shown["VariableNames"], shown["VariableValues"], strict=True)) == {
        "pool": "images",
        "bridge": "br7",
    }
    members = ask.AssociatorNames(path, AssocClass="CIM_MemberOfCollection")
    nodes = {each["Name"] for each in members if each.classname == "Virt_ManagedNode"}
    assert nodes == {"busy", "idle", "small", "fixed", "barred", "gone"}
    hosts = [each for each in members if each.classname == "Test_HostSystem"]
    assert {each.namespace for each in hosts} == {f"root/virt/{name}" for name in nodes - {"gone"}}
    idle = next(each for each in hosts if each.namespace.endswith("idle"))
    assert len(ask.ReferenceNames(path, ResultClass="CIM_MemberOfCollection")) == len(members)
    node = next(each for each in members if each["Name"] == "idle")
    back = {each["InstanceID"] for each in ask.AssociatorNames(node, AssocClass="CIM_MemberOfCollection")}
    assert back == {"virtcim:group:prod", "virtcim:group:idles"}
    assert idle.keybindings


def test_the_central_system_leads_to_the_service_of_every_node(fleet: Server) -> None:
    ask = fleet.pywbem(INTEROP)
    (system,) = ask.EnumerateInstanceNames("CIM_ComputerSystem")
    services = ask.AssociatorNames(system, AssocClass="CIM_AggregatedVirtualSystemManagementService")
    assert {"root/virt", "root/virt/idle", "root/virt/busy"} <= {each.namespace for each in services}
    (own,) = ask.EnumerateInstanceNames(SERVICE)
    hosted = ask.AssociatorNames(system, AssocClass="CIM_HostedService")
    assert own["Name"] in {each["Name"] for each in hosted if each.classname == SERVICE}


def test_a_summary_adds_up_what_a_group_has(fleet: Server) -> None:
    ask = fleet.pywbem(INTEROP)
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    code, out = ask.InvokeMethod("GetGroupSummary", service, Group=group(ask, "busys"), IncludeGuests=True)
    assert code == 0
    summary = out["Summary"]
    assert (summary.classname, summary["Name"]) == ("Virt_GroupSummary", "busys")
    assert (summary["Nodes"], summary["ConnectedNodes"], summary["HostProcessors"]) == (1, 1, 4)
    assert (summary["Guests"], summary["RunningGuests"], summary["Processors"]) == (2, 2, 2)
    assert (summary["MemoryUsage"], summary["HostMemory"]) == (2 << 30, 4 << 30)
    assert [(each["Name"], space) for each, space in zip(out["Guests"], out["Namespaces"], strict=True)] == [
        ("b1", "root/virt/busy"), ("b2", "root/virt/busy"),
    ]  # fmt: skip

    def everybody() -> Any:
        _, out = ask.InvokeMethod("GetGroupSummary", service, Group=group(ask, "prod"))
        # Rates need two samples.
        return out if "ProcessorTime" in out["Summary"] else None

    out = wait_until(everybody)
    assert out["Summary"]["Nodes"] == 6
    assert out["Summary"]["ConnectedNodes"] == 5, "one is gone"
    assert out["Summary"]["ProcessorTime"] > 0
    assert not out.get("Guests")
    path = group(ask, "prod").copy()
    path["InstanceID"] = "virtcim:group:nobody"
    with pytest.raises(pywbem.CIMError, match="does not exist"):
        ask.InvokeMethod("GetGroupSummary", service, Group=path)


def test_a_dry_run_tells_why(fleet: Server) -> None:
    ask = fleet.pywbem(INTEROP)
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    value, out = ask.InvokeMethod("EvaluatePlacement", service, Group=group(ask, "prod"), **wish("new", 1 << 19))
    assert value == 0
    table = dict(zip(out["Nodes"], zip(out["Verdicts"], out["Reasons"], strict=True), strict=True))
    assert out["Nodes"][:2] == ["idle", "busy"]
    assert [table[name][0] for name in ("idle", "busy", "small", "fixed", "gone")] == [
        ACCEPTED, ACCEPTED, REJECTED, REJECTED, REJECTED,
    ]  # fmt: skip
    assert "512 MiB of memory are needed" in table["small"][1]
    assert table["fixed"][1] == "it is read-only"
    assert table["barred"] == (REJECTED, "you may not define guests there")
    assert table["gone"][1].startswith("it is down: qemu+unix")
    alien = {**wish("new", 1024), "SystemSettings": pywbem.CIMInstance("KVM_VirtualSystemSettingData")}
    _, out = ask.InvokeMethod("EvaluatePlacement", service, **alien)
    assert set(out["Verdicts"]) == {REJECTED}
    assert "it has no KVM" in out["Reasons"]


def test_a_guest_is_placed_where_there_is_least_to_do(fleet: Server) -> None:
    ask = fleet.pywbem(INTEROP)
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    value, out = ask.InvokeMethod("DefineSystemInGroup", service, Group=group(ask, "prod"), **wish("placed", 1 << 19))
    assert value == 0
    assert out["ResultingSystem"].namespace == "root/virt/idle"
    assert "placed" in names(ask, "root/virt/idle")
    value, out = ask.InvokeMethod("DefineSystem", service, **wish("anywhere", 1 << 19))
    assert (value, out["ResultingSystem"].namespace) == (0, "root/virt/idle")
    for wanted, place, text in (
        (wish("huge", 1 << 24), group(ask, "prod"), "No node can have the guest"),
        (wish("none", 1024), group(ask, "gones"), "it is down"),
    ):
        with pytest.raises(pywbem.CIMError) as raised:
            ask.InvokeMethod("DefineSystemInGroup", service, Group=place, **wanted)
        assert text in raised.value.status_description
    with pytest.raises(pywbem.CIMError) as raised:
        ask.InvokeMethod(
            "DefineSystemInGroup",
            service,
            Group=pywbem.CIMInstanceName("Virt_NodeGroup", {"InstanceID": "virtcim:group:no"}, namespace=INTEROP),
            **wish("none", 1024),
        )
    assert raised.value.status_code == pywbem.CIM_ERR_NOT_FOUND


# One of the paths has no keys.
@pytest.mark.filterwarnings("ignore::pywbem.MissingKeybindingsWarning")
def test_a_placement_of_nonsense_is_refused_with_a_reason(fleet: Server) -> None:
    ask = fleet.pywbem(INTEROP)
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    prod = group(ask, "prod")

    def named(name: str | None, class_name: str = "Virt_NodeGroup") -> Any:
        keys = {} if name is None else {"InstanceID": name}
        return pywbem.CIMInstanceName(class_name, keys, namespace=INTEROP)

    odd = ["virtcim:group:", "virtcim:group:../prod", "virtcim:group:" + "x" * 300, "<b>\u202e", "prod", ""]
    for wrong in (*map(named, odd), named(None), named("virtcim:group:prod", "Virt_TemplateGroup"), service):
        for method, more in (
            ("EvaluatePlacement", wish("new", 1024)),
            ("DefineSystemInGroup", wish("new", 1024)),
            ("GetGroupSummary", {}),
            ("RequestGroupStateChange", {"RequestedState": pywbem.Uint16(3)}),
            ("DrainNodes", {"CheckOnly": True}),
        ):
            with pytest.raises(pywbem.CIMError) as raised:
                ask.InvokeMethod(method, service, Group=wrong, **more)
            assert raised.value.status_code in (pywbem.CIM_ERR_NOT_FOUND, pywbem.CIM_ERR_INVALID_PARAMETER)
            assert "roup" in raised.value.status_description
            assert len(raised.value.status_description) < 400
    nothing = [("SystemSettings", None, "string"), ("ResourceSettings", None, "string"), ("Group", None, "reference")]
    code, out = ask.InvokeMethod("EvaluatePlacement", service, Params=nothing)
    assert (code, len(out["Nodes"])) == (0, 6)
    for parameters in ({}, {"Group": None}):
        with pytest.raises(pywbem.CIMError, match="Parameter Group is required"):
            ask.InvokeMethod("DefineSystemInGroup", service, **parameters)
    with pytest.raises(pywbem.CIMError, match="Parameter RequestedState is required"):
        ask.InvokeMethod("RequestGroupStateChange", service, Group=prod)
    assert not {"new"} & names(ask, "root/virt/idle")


def test_all_guests_of_a_group_stop_and_start(fleet: Server) -> None:
    ask = fleet.pywbem(INTEROP)
    status, text = virtcim(fleet, "group", "stop", "busys", "--force")
    assert (status, text.count(": done")) == (0, 2), text
    states = {
        each["Name"]: each["EnabledState"] for each in ask.EnumerateInstances("Test_ComputerSystem", "root/virt/busy")
    }
    assert states == {"b1": 3, "b2": 3}
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    _, out = ask.InvokeMethod("GetGroupSummary", service, Group=group(ask, "busys"))
    assert (out["Summary"]["Guests"], out["Summary"]["RunningGuests"]) == (2, 0)
    status, text = virtcim(fleet, "group", "status", "busys")
    assert status == 0
    assert [line.split()[:3] for line in text.splitlines()[1:]] == [["busy", "b1", "off"], ["busy", "b2", "off"]]
    status, text = virtcim(fleet, "group", "start", "busys")
    assert (status, text.count(": done")) == (0, 2), text
    status, text = virtcim(fleet, "group", "start", "busys")
    assert (status, text.count("has it already")) == (0, 2), text
    for state in (5, 7, 99):
        asked = {"Group": group(ask, "busys"), "RequestedState": pywbem.Uint16(state)}
        assert ask.InvokeMethod("RequestGroupStateChange", service, **asked)[0] == 4
    assert virtcim(fleet, "group", "stop", "barreds", "--force") == (0, "")
    assert names(ask, "root/virt/barred") == {"x1"}
    barred = ask.EnumerateInstances("Test_ComputerSystem", "root/virt/barred")
    assert [each["EnabledState"] for each in barred] == [2]
    assert "Production" in virtcim(fleet, "group", "list")[1]
    assert virtcim(fleet, "group", "start", "nothing")[0] == 1

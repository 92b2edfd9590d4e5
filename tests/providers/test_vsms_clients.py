"""What the scripts that libvirt-cim's users have send, through the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pywbem
from lxml import etree

from tests.bed import Server
from tests.providers.recorded import domain_xml
from tests.xpath import nodes

FAILED, INVALID_PARAMETER, NOT_FOUND = 1, 4, 6
INTERFACE = "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/></interface>"
SERVICE = "Test_VirtualSystemManagementService"


def test_an_old_script_defines_changes_and_removes(serve: Callable[..., Server]) -> None:
    """Methods on the class, MOF in strings, a property of no class, a blank for a reference, the name as the key."""
    wbem = serve("test:///default").pywbem()
    system = 'instance of Test_VirtualSystemSettingData { VirtualSystemIdentifier = "old"; isFullVirt = true; };'
    memory = (
        'instance of Test_MemResourceAllocationSettingData { VirtualQuantity = 64; AllocationUnits = "MegaBytes"; };'
    )
    code, out = wbem.InvokeMethod(
        "DefineSystem", SERVICE, SystemSettings=system, ResourceSettings=[memory], ReferenceConfiguration=" "
    )
    assert code == 0
    assert wbem.GetInstance(out["ResultingSystem"])["Name"] == "old"
    changed = (
        'instance of Test_VirtualSystemSettingData { VirtualSystemIdentifier = "old"; AutomaticRecoveryAction = 3; };'
    )
    assert wbem.InvokeMethod("ModifySystemSettings", SERVICE, SystemSettings=changed)[0] == 0
    setting = wbem.GetInstance(pywbem.CIMInstanceName("Test_VirtualSystemSettingData", {"InstanceID": "Test:old"}))
    assert setting["AutomaticRecoveryAction"] == 3
    more = 'instance of Test_MemResourceAllocationSettingData { InstanceID = "old/mem"; VirtualQuantity = 32768; };'
    assert wbem.InvokeMethod("ModifyResourceSettings", SERVICE, ResourceSettings=[more])[0] == 0
    path = pywbem.CIMInstanceName("Test_MemResourceAllocationSettingData", {"InstanceID": "old/mem"})
    assert wbem.GetInstance(path)["VirtualQuantity"] == 32768
    (service,) = wbem.EnumerateInstances(SERVICE)
    assert int(service["Revision"]) > 1347
    assert wbem.InvokeMethod("DestroySystem", SERVICE, AffectedSystem=out["ResultingSystem"])[0] == 0
    assert [each["Name"] for each in wbem.EnumerateInstanceNames("Test_ComputerSystem")] == ["test"]


def named(class_name: str, **keys: str) -> pywbem.CIMInstanceName:
    return pywbem.CIMInstanceName(class_name, keys, namespace="root/virt")


@pytest.mark.parametrize(
    ("source", "status", "text"),
    [
        (named("Test_HostSystem", CreationClassName="Test_HostSystem"), NOT_FOUND, "No such instance (Name)"),
        (named(SERVICE, CreationClassName=SERVICE), NOT_FOUND, "No such instance (Name)"),
        (named("Test_VirtualSystemSettingData", Wrong="x"), NOT_FOUND, "No such instance (InstanceID)"),
        (named("Test_AllocationCapabilities", Wrong="x"), FAILED, "Missing InstanceID"),
        (
            named("Test_AllocationCapabilities", InstanceID="wrong"),
            NOT_FOUND,
            "No such instance (wrong) - resource pool type mismatch",
        ),
        (named("Test_AllocationCapabilities", InstanceID="DiskPool/wrong"), NOT_FOUND, "No such instance (wrong)"),
    ],
)
def test_faulty_sources_of_associations(
    default_server: Server, source: pywbem.CIMInstanceName, status: int, text: str
) -> None:
    """Scripts compare the texts."""
    wbem = default_server.pywbem()
    for follow in (wbem.Associators, wbem.AssociatorNames, wbem.References, wbem.ReferenceNames):
        with pytest.raises(pywbem.CIMError) as caught:
            follow(source)
        assert (caught.value.status_code, caught.value.status_description) == (status, text)


UNITS = [
    ("Proc", {"VirtualQuantity": 2, "AllocationUnits": "Percent", "Limit": 40}, ("2", "20000")),
    (
        "Proc",
        {"VirtualQuantity": 2, "AllocationUnits": "Processors", "Limit": 40, "Weight": 300},
        ("2", "300", "20000"),
    ),
    ("Mem", {"VirtualQuantity": 67108864, "AllocationUnits": "Bytes"}, ("65536",)),
    ("Mem", {"VirtualQuantity": 65536, "AllocationUnits": "KiloBytes"}, ("65536",)),
    ("Mem", {"VirtualQuantity": 64, "VirtualQuantityUnits": "MegaBytes"}, ("65536",)),
    ("Net", {"Reservation": 100, "Limit": 200, "AllocationUnits": "KiloBytes per Second"}, ("100", "200")),
]
"""What is sent, and what the domain XML has of it."""
PLACES = {
    "Proc": "vcpu/text() | cputune/quota/text() | cputune/shares/text()",
    "Mem": "memory/text()",
    "Net": "devices/interface/bandwidth/inbound/@average | devices/interface/bandwidth/inbound/@peak",
}


def mof(kind: str, properties: dict[str, Any], **more: str) -> str:
    """A setting of a resource, as the scripts write it."""
    text = " ".join(f"{name} = {json.dumps(value)};" for name, value in {**more, **properties}.items())
    return f"instance of Test_{kind}ResourceAllocationSettingData {{ {text} }};"


def test_units_of_old_clients(serve: Callable[..., Server], tmp_path: Path) -> None:
    """Guests are defined with them, and one that is there is changed with them."""
    node = tmp_path / "node.xml"
    node.write_text(f"<node>{domain_xml('old', INTERFACE, kind='test')}</node>")
    wbem = serve(f"test://{node}").pywbem()
    guest = named("Test_ComputerSystem", CreationClassName="Test_ComputerSystem", Name="old")
    assert wbem.InvokeMethod("RequestStateChange", guest, RequestedState=pywbem.Uint16(3))[0] == 0

    def shown(name: str, kind: str) -> tuple[str, ...]:
        """What stands in the XML, as ValidateSystemSettings tells it of a guest made after this one."""
        reference = named("Test_VirtualSystemSettingData", InstanceID=f"Test:{name}")
        _, out = wbem.InvokeMethod("ValidateSystemSettings", SERVICE, ReferenceConfiguration=reference)
        return tuple(nodes(etree.fromstring(out["DomainXML"].encode()), PLACES[kind]))

    identifiers = {"Proc": "proc", "Mem": "mem", "Net": "52:54:00:00:00:01"}
    for place, (kind, properties, expected) in enumerate(UNITS):
        port = {"NetworkType": "bridge", "NetworkName": "br0"} if kind == "Net" else {}
        system = f'instance of Test_VirtualSystemSettingData {{ VirtualSystemIdentifier = "new{place}"; }};'
        sent = [mof(kind, {**port, **properties})]
        assert wbem.InvokeMethod("DefineSystem", SERVICE, SystemSettings=system, ResourceSettings=sent)[0] == 0
        assert shown(f"new{place}", kind) == expected, properties
        sent = [mof(kind, properties, InstanceID=f"old/{identifiers[kind]}")]
        assert wbem.InvokeMethod("ModifyResourceSettings", SERVICE, ResourceSettings=sent)[0] == 0
        assert shown("old", kind)[: len(expected)] == expected, properties


def test_a_property_that_is_written_twice(serve: Callable[..., Server]) -> None:
    """Only where it is two different things is it not known what is meant."""
    wbem = serve("test:///default").pywbem()
    system = 'instance of Test_VirtualSystemSettingData { VirtualSystemIdentifier = "new"; AutoStart = 1; AutoStart = '
    with pytest.raises(pywbem.CIMError) as caught:
        wbem.InvokeMethod("DefineSystem", SERVICE, SystemSettings=system + "0; };")
    assert caught.value.status_code == INVALID_PARAMETER
    assert wbem.InvokeMethod("DefineSystem", SERVICE, SystemSettings=system + "1; };")[0] == 0


def test_blanks_and_line_ends_around_keys(serve: Callable[..., Server]) -> None:
    """Scripts take names from the output of programs."""
    wbem = serve("test:///default").pywbem()
    guest = named("Test_ComputerSystem", CreationClassName="Test_ComputerSystem", Name=" test\n")
    assert wbem.GetInstance(guest)["Name"] == "test"
    guest["Name"] = " test "  # pywbem puts the name into a header, too
    (setting,) = wbem.AssociatorNames(guest, ResultClass="Test_VirtualSystemSettingData")
    assert setting["InstanceID"] == "Test:test"
    assert wbem.InvokeMethod("RequestStateChange", guest, RequestedState=pywbem.Uint16(3))[0] == 0
    memory = mof("Mem", {"VirtualQuantity": 65536}, InstanceID="\n test/mem ")
    assert wbem.InvokeMethod("ModifyResourceSettings", SERVICE, ResourceSettings=[memory])[0] == 0
    whole = named("Test_VirtualSystemSettingData", InstanceID=" Test:test ")
    disk = 'instance of Test_DiskResourceAllocationSettingData { VirtualDevice = "vdb"; Address = "/b"; };'
    added = {"AffectedConfiguration": whole, "ResourceSettings": [disk]}
    assert wbem.InvokeMethod("AddResourceSettings", SERVICE, **added)[0] == 0
    gone = [named("Test_DiskResourceAllocationSettingData", InstanceID="test/vdb ")]
    assert wbem.InvokeMethod("RemoveResourceSettings", SERVICE, ResourceSettings=gone)[0] == 0
    assert wbem.InvokeMethod("DestroySystem", SERVICE, AffectedSystem=guest)[0] == 0
    with pytest.raises(pywbem.CIMError) as caught:
        wbem.GetInstance(guest)
    assert caught.value.status_code == NOT_FOUND

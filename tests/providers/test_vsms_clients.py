"""What the scripts that libvirt-cim's users have send, through the server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import pywbem

from tests.bed import Server

FAILED, NOT_FOUND = 1, 6
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
        (named("Test_HostSystem", CreationClassName="Test_HostSystem"), NOT_FOUND, "No such instance"),
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

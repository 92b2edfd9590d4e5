"""What the scripts that libvirt-cim's users have send, through the server."""

from __future__ import annotations

from collections.abc import Callable

import pywbem

from tests.bed import Server

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

#!/usr/bin/env python3
"""Attach a disk to a guest that runs, and take it away again.

$ examples/attach_disk.py web /var/lib/libvirt/images/extra.qcow2 vdb
vda
vda vdb
vda
"""

import pywbem
from connecting import connect, find_guest, find_service, invoke, read_words

name, image, target = read_words("GUEST", "IMAGE", "TARGET")
connection = connect()
guest = find_guest(connection, name)
service = find_service(connection, "VirtualSystemManagementService")
(configuration,) = connection.AssociatorNames(guest.path, AssocClass="CIM_SettingsDefineState")


def disks() -> dict[str, pywbem.CIMInstanceName]:
    """Find the settings of the guest's disks by their targets, and print these."""
    settings = connection.Associators(configuration, AssocClass="CIM_VirtualSystemSettingDataComponent")
    found = {each["VirtualDevice"]: each.path for each in settings if each["ResourceType"] == 17}
    print(*sorted(found))
    return found


disks()
disk = pywbem.CIMInstance(
    "KVM_DiskResourceAllocationSettingData", {"Address": image, "VirtualDevice": target, "DriverType": "qcow2"}
)
invoke(connection, "AddResourceSettings", service, AffectedConfiguration=configuration, ResourceSettings=[disk])
attached = disks()[target]
invoke(connection, "RemoveResourceSettings", service, ResourceSettings=[attached])
disks()

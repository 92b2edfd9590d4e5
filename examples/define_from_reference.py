#!/usr/bin/env python3
"""Define a guest that is made as another one is: what is not said here is taken from that.

$ examples/define_from_reference.py clone template /var/lib/libvirt/images/clone.qcow2
clone: 48 MiB as template has, with /var/lib/libvirt/images/clone.qcow2
"""

import pywbem
from connecting import connect, find_guest, find_service, invoke, read_words

name, reference, image = read_words("NAME", "REFERENCE", "IMAGE")
connection = connect()


def settings_of(guest: str) -> tuple[pywbem.CIMInstanceName, dict[int, pywbem.CIMInstance]]:
    """Find the settings of a guest, and of its resources by their type."""
    (path,) = connection.AssociatorNames(find_guest(connection, guest).path, AssocClass="CIM_SettingsDefineState")
    found = connection.Associators(path, AssocClass="CIM_VirtualSystemSettingDataComponent")
    return path, {each["ResourceType"]: each for each in found}


configuration, _ = settings_of(reference)
invoke(
    connection,
    "DefineSystem",
    find_service(connection, "VirtualSystemManagementService"),
    SystemSettings=pywbem.CIMInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": name}),
    ResourceSettings=[
        pywbem.CIMInstance(
            "KVM_DiskResourceAllocationSettingData", {"Address": image, "VirtualDevice": "vda", "DriverType": "qcow2"}
        )
    ],
    ReferenceConfiguration=configuration,
)
_, made = settings_of(name)
memory, disk = made[4], made[17]
print(f"{name}: {memory['VirtualQuantity'] // 1024} MiB as {reference} has, with {disk['Address']}")

#!/usr/bin/env python3
"""Create a guest with an empty disk that boots from the image of a CD, and start it.

$ examples/create_from_iso.py fresh /var/lib/libvirt/images/fresh.qcow2 /var/lib/libvirt/images/install.iso
fresh: state 2
  Address=/var/lib/libvirt/images/fresh.qcow2 VirtualDevice=vda
  Address=/var/lib/libvirt/images/install.iso VirtualDevice=hdc
"""

import pywbem
from connecting import connect, find_guest, find_service, invoke, read_words

RUNNING, DISK, CD = 2, 17, 16

name, image, iso = read_words("NAME", "IMAGE", "ISO")
connection = connect()
system = pywbem.CIMInstance(
    "KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": name, "BootDevices": ["hd", "cdrom"]}
)
resources = [
    pywbem.CIMInstance(
        "KVM_MemResourceAllocationSettingData",
        {"VirtualQuantity": pywbem.Uint64(64), "AllocationUnits": "byte * 2^20"},
    ),
    pywbem.CIMInstance("KVM_ProcResourceAllocationSettingData", {"VirtualQuantity": pywbem.Uint64(1)}),
    pywbem.CIMInstance(
        "KVM_DiskResourceAllocationSettingData",
        {"Address": image, "VirtualDevice": "vda", "DriverType": "qcow2"},
    ),
    pywbem.CIMInstance(
        "KVM_DiskResourceAllocationSettingData",
        {"Address": iso, "VirtualDevice": "hdc", "EmulatedType": pywbem.Uint16(1), "DriverType": "raw"},
    ),
]
service = find_service(connection, "VirtualSystemManagementService")
invoke(connection, "DefineSystem", service, SystemSettings=system, ResourceSettings=resources)
guest = find_guest(connection, name)
invoke(connection, "RequestStateChange", guest.path, RequestedState=pywbem.Uint16(RUNNING))
print(f"{name}: state {find_guest(connection, name)['EnabledState']}")
(state,) = connection.AssociatorNames(guest.path, AssocClass="CIM_SettingsDefineState")
settings = connection.Associators(state, AssocClass="CIM_VirtualSystemSettingDataComponent")
for each in sorted((each for each in settings if each["ResourceType"] in (DISK, CD)), key=lambda each: each["Address"]):
    print(f"  Address={each['Address']} VirtualDevice={each['VirtualDevice']}")

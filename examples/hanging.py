#!/usr/bin/env python3
"""What does a disk of a guest hang on?  Everything that one association leads to, and by which.

$ examples/hanging.py web
web/vda
  KVM_MetricDefForME: KVM_BaseMetricDefinition
  KVM_MetricForME: KVM_BaseMetricValue
  KVM_SettingsDefineState: KVM_DiskResourceAllocationSettingData
  KVM_SystemDevice: KVM_ComputerSystem
"""

from connecting import connect, find_guest, read_words

(name,) = read_words("GUEST")
connection = connect()
guest = find_guest(connection, name)
devices = connection.AssociatorNames(guest.path, AssocClass="CIM_SystemDevice", ResultClass="CIM_LogicalDisk")
disk = min(devices, key=lambda path: path["DeviceID"])
print(disk["DeviceID"])
for link in sorted({path.classname for path in connection.ReferenceNames(disk)}):
    for other in sorted({path.classname for path in connection.AssociatorNames(disk, AssocClass=link)}):
        print(f"  {link}: {other}")

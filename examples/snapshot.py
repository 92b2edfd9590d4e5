#!/usr/bin/env python3
"""Take a snapshot of a guest, put the guest back to it, and remove it.

$ examples/snapshot.py clone before
before: taken
clone: state 3, put back to before
before: removed
"""

import pywbem
from connecting import connect, find_guest, find_service, invoke, read_words

FULL = 2

name, title = read_words("GUEST", "TITLE")
connection = connect()
guest = find_guest(connection, name)
service = find_service(connection, "VirtualSystemSnapshotService")
settings = pywbem.CIMInstance("KVM_VirtualSystemSnapshotSettingData", {"ElementName": title})
invoke(
    connection,
    "CreateSnapshot",
    service,
    AffectedSystem=guest.path,
    SnapshotSettings=settings,
    SnapshotType=pywbem.Uint16(FULL),
)
snapshots = connection.Associators(guest.path, AssocClass="CIM_SnapshotOfVirtualSystem")
snapshot = next(each for each in snapshots if each["ConfigurationName"] == title)
print(f"{snapshot['ConfigurationName']}: taken")
invoke(connection, "ApplySnapshot", service, Snapshot=snapshot.path)
(last,) = connection.AssociatorNames(guest.path, AssocClass="CIM_MostCurrentSnapshotInBranch")
assert last["InstanceID"] == snapshot["InstanceID"]
print(f"{name}: state {connection.GetInstance(guest.path)['EnabledState']}, put back to {title}")
invoke(connection, "DestroySnapshot", service, AffectedSnapshot=snapshot.path)
assert not connection.AssociatorNames(guest.path, AssocClass="CIM_SnapshotOfVirtualSystem")
print(f"{title}: removed")

#!/usr/bin/env python3
"""Move a guest to another node of the server: see what speaks against it, move it, and find it there.

$ examples/migrate.py clone there offline
nothing speaks against it
clone: Completed
clone: in root/virt/there
"""

import pywbem
from connecting import connect, find_guest, find_service, read_words, wait_for

TYPES = {"offline": 1, "live": 2, "halted": 3, "restarted": 4}
VALID = 2

name, node, how = read_words("GUEST", "NODE", "HOW")
connection = connect()
guest = find_guest(connection, name)
service = find_service(connection, "VirtualSystemMigrationService")
asked = {
    "ComputerSystem": guest.path,
    "DestinationHost": node,
    "MigrationSettingData": pywbem.CIMInstance(
        "KVM_VirtualSystemMigrationSettingData", {"MigrationType": pywbem.Uint16(TYPES[how])}
    ),
}
code, verdict = connection.InvokeMethod("ValidateMigration", service, **asked)
if code != 0 or verdict["Verdict"] != VALID:
    raise SystemExit("\n".join(verdict.get("Reasons") or [f"ValidateMigration returned {code}"]))
print("nothing speaks against it")
code, out = connection.InvokeMethod("MigrateVirtualSystemToHost", service, **asked)
if code != 4096:
    raise SystemExit(f"MigrateVirtualSystemToHost returned {code}")
job = wait_for(connection, out["Job"])
print(f"{name}: {job['JobStatus']}")
there = connect(f"root/virt/{node}")
print(f"{name}: in {find_guest(there, name).path.namespace}")

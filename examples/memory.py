#!/usr/bin/env python3
"""Change the memory of a running guest: read its setting, change one property, send it back.

$ examples/memory.py test 4096
2048 MiB
4096 MiB
"""

import pywbem
from connecting import connect, find_guest, read_words

name, wanted = read_words("GUEST", "MEBIBYTES")
connection = connect()
guest = find_guest(connection, name)
(service,) = connection.EnumerateInstanceNames("Virt_VirtualSystemManagementService")[:1]


def memory() -> pywbem.CIMInstance:
    """Read the setting of the guest's memory."""
    (state,) = connection.Associators(guest.path, AssocClass="CIM_SettingsDefineState")
    settings = connection.Associators(state.path, AssocClass="CIM_VirtualSystemSettingDataComponent")
    return next(each for each in settings if each["ResourceType"] == 4)


def mebibytes(setting: pywbem.CIMInstance) -> int:
    """Tell how much it is; virtcim writes its units as byte * 2^10 or the like."""
    _, _, power = setting["AllocationUnits"].rpartition("^")
    return int(setting["VirtualQuantity"]) * 2 ** int(power or 0) // 2**20


setting = memory()
print(f"{mebibytes(setting)} MiB")
changed = pywbem.CIMInstance(
    setting.classname,
    {
        "InstanceID": setting["InstanceID"],
        "ResourceType": setting["ResourceType"],
        "AllocationUnits": "byte * 2^20",
        "VirtualQuantity": pywbem.Uint64(int(wanted)),
    },
)
code, out = connection.InvokeMethod("ModifyResourceSettings", service, ResourceSettings=[changed])
if code != 0:
    raise SystemExit(f"ModifyResourceSettings returned {code}")
print(f"{mebibytes(memory())} MiB")

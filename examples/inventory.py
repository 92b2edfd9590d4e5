#!/usr/bin/env python3
"""Which guests are there, how are they, and what are they made of?

$ examples/inventory.py
test: state 2
  Test_LogicalDisk
  Test_Memory
  Test_NetworkPort
  Test_Processor
  Test_Processor
"""

from connecting import connect

connection = connect()
for guest in connection.EnumerateInstances("Virt_ComputerSystem"):
    print(f"{guest['Name']}: state {guest['EnabledState']}")
    devices = connection.AssociatorNames(guest.path, AssocClass="CIM_SystemDevice")
    for name in sorted(device.classname for device in devices):
        print(f"  {name}")

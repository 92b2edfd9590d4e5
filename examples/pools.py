#!/usr/bin/env python3
"""Which pools of processors, memory, networks and disks are there?

$ examples/pools.py
Test_DiskPool DiskPool/0
Test_DiskPool DiskPool/default-pool
Test_MemoryPool MemoryPool/0
Test_NetworkPool NetworkPool/0
Test_NetworkPool NetworkPool/default
Test_ProcessorPool ProcessorPool/0
"""

from connecting import connect

connection = connect()
for pool in sorted(connection.EnumerateInstances("CIM_ResourcePool"), key=lambda pool: pool["InstanceID"]):
    if pool["ResourceType"] in (3, 4, 10, 17):  # processors, memory, network, disks
        print(f"{pool.classname} {pool['PoolID']}")

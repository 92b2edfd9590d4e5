"""Pools of resources (CIM_ResourcePool; DSP1041).

The resources of a host have one pool for each kind, which is primordial; each virtual network and each storage pool is
a pool of its own beside it, whether it is active or not.
"""

from __future__ import annotations

from virtcim.providers.Virt_DevicePool.disk import DiskPool, available
from virtcim.providers.Virt_DevicePool.host import MemoryPool, ProcessorPool
from virtcim.providers.Virt_DevicePool.network import NetworkPool
from virtcim.providers.Virt_DevicePool.pool import DevicePool, pool_for, pools_of, roster_of
from virtcim.providers.Virt_DevicePool.provider import POOL_TYPES, DevicePoolProvider, find_pool
from virtcim.providers.Virt_DevicePool.virtual import ControllerPool, GraphicsPool, InputPool

__all__ = [
    "POOL_TYPES",
    "ControllerPool",
    "DevicePool",
    "DevicePoolProvider",
    "DiskPool",
    "GraphicsPool",
    "InputPool",
    "MemoryPool",
    "NetworkPool",
    "ProcessorPool",
    "available",
    "find_pool",
    "pool_for",
    "pools_of",
    "roster_of",
]

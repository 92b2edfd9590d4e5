"""Pools of resources (CIM_ResourcePool; DSP1041).

The resources of a host have one pool for each kind, which is primordial; each virtual network and each storage pool is
a pool of its own beside it, whether it is active or not.
"""

from __future__ import annotations

from virtcim.providers.Virt_DevicePool.pool import DevicePool
from virtcim.providers.Virt_DevicePool.pools import (
    POOLS,
    STORAGE_POOLS,
    DevicePoolProvider,
    find_pool,
    kind_of,
    pool_for,
    pool_types,
    pools_of,
)
from virtcim.providers.Virt_DevicePool.Virt_ControllerPool import ControllerPool
from virtcim.providers.Virt_DevicePool.Virt_DiskPool import DiskPool, available
from virtcim.providers.Virt_DevicePool.Virt_GraphicsPool import GraphicsPool
from virtcim.providers.Virt_DevicePool.Virt_InputPool import InputPool
from virtcim.providers.Virt_DevicePool.Virt_MemoryPool import MemoryPool
from virtcim.providers.Virt_DevicePool.Virt_NetworkPool import NetworkPool
from virtcim.providers.Virt_DevicePool.Virt_ProcessorPool import ProcessorPool

__all__ = [
    "POOLS",
    "STORAGE_POOLS",
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
    "kind_of",
    "pool_for",
    "pool_types",
    "pools_of",
]

"""The provider of pools."""

from __future__ import annotations

from typing import ClassVar

from virtcim.providers.base import ElementProvider
from virtcim.providers.Virt_DevicePool.pools import POOL_TYPES

__all__ = ["DevicePoolProvider"]


class DevicePoolProvider(ElementProvider):
    """Serves <prefix>_DiskPool, <prefix>_NetworkPool and the other classes of pools."""

    name = "Virt_DevicePool"
    types: ClassVar = POOL_TYPES

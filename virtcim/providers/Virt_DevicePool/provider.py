"""The provider: finding a pool by its InstanceID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.keys import main_key
from virtcim.providers.site import Site
from virtcim.providers.Virt_DevicePool.disk import DiskPool
from virtcim.providers.Virt_DevicePool.host import MemoryPool, ProcessorPool
from virtcim.providers.Virt_DevicePool.network import NetworkPool
from virtcim.providers.Virt_DevicePool.pool import DevicePool, roster_of
from virtcim.providers.Virt_DevicePool.virtual import ControllerPool, GraphicsPool, InputPool

__all__ = ["POOL_TYPES", "DevicePoolProvider", "find_pool"]

POOL_TYPES: tuple[type[DevicePool], ...] = (
    ProcessorPool,
    MemoryPool,
    NetworkPool,
    DiskPool,
    GraphicsPool,
    InputPool,
    ControllerPool,
)
"""In the order in which libvirt-cim lists all pools."""


class DevicePoolProvider(ElementProvider):
    """Serves <prefix>_DiskPool, <prefix>_NetworkPool and the other classes of pools."""

    types: ClassVar = POOL_TYPES

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        instance_id = main_key(keys, "InstanceID", "Missing InstanceID")
        kind = instance_id.partition("/")[0]
        if self.site.hypervisors(platform) and kind.casefold() != element.base.casefold():
            raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id}) - resource pool type mismatch")
        return find_pool(self.site, platform, instance_id)


def find_pool(site: Site, platform: Platform, instance_id: str) -> DevicePool:
    """The pool with this InstanceID; names of networks and storage pools in libvirt's spelling.

    Raises:
        CIMError: NOT_FOUND when there is none.
    """
    if not site.hypervisors(platform):
        raise CIMError(Status.NOT_FOUND, "No such instance")
    kind, _, name = instance_id.partition("/")
    pools = roster_of(site, platform).pools
    for pool_type in POOL_TYPES:
        if pool_type.base.casefold() == kind.casefold():
            pool = pools.get(f"{pool_type.base}/{name}")
            if pool is not None:
                return pool
    raise CIMError(Status.NOT_FOUND, f"No such instance ({name})")

"""The instance: what can be allocated from a pool."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Self

from virtcim.platforms.base import Feature, Platform
from virtcim.providers.base import Element, MainKey
from virtcim.providers.interface import CIMError, CIMValue, Status
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.site import Site
from virtcim.providers.Virt_DevicePool import POOLS, DevicePool, DiskPool, find_pool, kind_of

__all__ = ["AllocationCapabilities", "capabilities_of"]

_SPECIFIC, _GENERAL = 2, 3
_DEDICATED, _SHARED = 2, 3
_ENABLED, _DISABLED, _NOT_APPLICABLE, _PAUSED = 2, 3, 5, 11


class AllocationCapabilities(Element):
    """What can be allocated from a pool (Virt_AllocationCapabilities).

    Attributes:
        pool: the pool; its InstanceID is that of the capabilities, too.
    """

    __slots__ = ("pool",)

    base = "AllocationCapabilities"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "Missing InstanceID")
    source = POOLS

    def __init__(self, pool: DevicePool) -> None:
        self.pool = pool
        super().__init__(pool.site, pool.platform, pool.instance_id)

    @classmethod
    def made_from(cls, owner: DevicePool) -> Iterable[Self]:
        return (owner.cached("capabilities", None, lambda: cls(owner)),)

    @classmethod
    def with_key(cls, site: Site, platform: Platform, key: str) -> Self | None:
        try:
            return next(iter(cls.made_from(find_pool(site, platform, key))))
        except CIMError:
            return None

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        return CIMError(Status.NOT_FOUND, "Instance not found.")

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return None if self.pool.record is None else self.pool.record.revision

    @property
    def gives_pools(self) -> bool:
        """Whether what is allocated are pools rather than resources of guests."""
        return self.pool.primordial and bool(self.pool.source.records)


def capabilities_of(pool: DevicePool) -> AllocationCapabilities:
    """What can be allocated from a pool."""
    return next(iter(AllocationCapabilities.made_from(pool)))


def _of_pool(name: str) -> Property[AllocationCapabilities]:
    """A property that is the same as the pool's."""

    def get(capabilities: AllocationCapabilities) -> CIMValue:
        pool = capabilities.pool
        declared = pool.table.get(name)
        return None if declared is None else declared.get(pool)

    return Property(name, get, f"{name} of the pool")


def _request_types(capabilities: AllocationCapabilities) -> int:
    """A disk is one volume or file; of all else, one is as good as another."""
    specific = isinstance(capabilities.pool, DiskPool) and not capabilities.pool.primordial
    return _SPECIFIC if specific else _GENERAL


def _sharing(capabilities: AllocationCapabilities) -> int:
    """Processors, networks and what is made up for guests are shared; memory and volumes belong to one guest."""
    return _SHARED if capabilities.pool.is_shared else _DEDICATED


def _is_hot(capabilities: AllocationCapabilities) -> bool:
    platform = capabilities.platform
    kind = kind_of(capabilities.pool)
    is_hot = kind.is_hot_in_containers if platform.containers else kind.is_hot
    return is_hot and platform.supports(Feature.HOTPLUG)


def _add_states(capabilities: AllocationCapabilities) -> list[int]:
    if capabilities.gives_pools:
        return [_NOT_APPLICABLE]
    return [_ENABLED, _DISABLED, _PAUSED] if _is_hot(capabilities) else [_DISABLED]


def _remove_states(capabilities: AllocationCapabilities) -> list[int]:
    """A paused guest cannot let go of a device."""
    if capabilities.gives_pools:
        return [_NOT_APPLICABLE]
    return [_ENABLED, _DISABLED] if _is_hot(capabilities) else [_DISABLED]


AllocationCapabilities.table = PropertyTable(
    attribute("InstanceID", lambda capabilities: capabilities.pool.instance_id, source="InstanceID of the pool"),
    attribute("ElementName", lambda capabilities: capabilities.pool.name, source="ElementName of the pool"),
    attribute("ResourceType", lambda capabilities: capabilities.pool.resource_type, source="ResourceType of the pool"),
    _of_pool("OtherResourceType"),
    _of_pool("ResourceSubType"),
    Property("RequestTypesSupported", _request_types, "kind of pool"),
    Property("SharingMode", _sharing, "kind of pool"),
    Property("SupportedAddStates", _add_states, "kind of pool, and whether the platform has hot plug"),
    Property("SupportedRemoveStates", _remove_states, "kind of pool, and whether the platform has hot plug"),
)

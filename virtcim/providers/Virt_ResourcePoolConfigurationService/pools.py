"""Making and removing pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.inventory.records import VOLUMES
from virtcim.libhelper.work import Work
from virtcim.libhelper.xml.editing import object_text
from virtcim.libhelper.xml.text import ValueRejectedError
from virtcim.providers.errors import libvirt_failure
from virtcim.providers.guests import all_guests
from virtcim.providers.gueststorage import pool_of
from virtcim.providers.interface import (
    CIMError,
    InstancePath,
    MethodResult,
    Parameters,
    RequestContext,
    Status,
)
from virtcim.providers.references import element_at
from virtcim.providers.values import paths_of, text_of
from virtcim.providers.Virt_DevicePool import DevicePool, DiskPool, NetworkPool
from virtcim.providers.Virt_ResourcePoolConfigurationService.networks import new_network
from virtcim.providers.Virt_ResourcePoolConfigurationService.settings import (
    GivenProperties,
    SettingsError,
    kind_of,
    reference,
    single_setting,
)
from virtcim.providers.Virt_ResourcePoolConfigurationService.storagepools import pool_order
from virtcim.providers.Virt_ResourcePoolConfigurationService.Virt_ResourcePoolConfigurationService import (
    PoolCode,
    ResourcePoolConfigurationService,
    check_writable,
)

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["create_child_resource_pool", "delete_resource_pool", "pool_at"]

_USUAL_NAME = "libvirt-cim-pool"
"""libvirt-cim's name for a pool that is given none."""

_KINDS: Mapping[str, type[DevicePool]] = {
    "NetPool": NetworkPool,
    "Net": NetworkPool,
    "DiskPool": DiskPool,
    "Disk": DiskPool,
}
"""By the kind of settings: the kind of pool that is made from them."""

_RECORDS: Mapping[type[DevicePool], str] = {NetworkPool: "network", DiskPool: "pool"}
"""The inventory's word for what a pool is."""


def create_child_resource_pool(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """CreateChildResourcePool: a network or storage pool, defined and started."""
    setting = single_setting(parameters, "Settings")
    pool_type = _KINDS.get(kind_of(setting))
    if pool_type is None:
        return MethodResult(PoolCode.INCORRECT_RESOURCE_TYPE)
    hypervisor = service.hypervisor
    for path in paths_of(parameters.get("ParentPool"), "ParentPool"):
        parent = element_at(service.site, path)
        if not isinstance(parent, pool_type):
            return MethodResult(PoolCode.INCORRECT_RESOURCE_TYPE)
        if not parent.primordial:
            return MethodResult(PoolCode.INVALID_PARAMETER)
        hypervisor = parent.hypervisor
    check_writable(hypervisor)
    name = text_of(parameters.get("ElementName"), "ElementName") or _USUAL_NAME
    if hypervisor.inventory.find_anew(_RECORDS[pool_type], name) is not None:
        raise CIMError(Status.FAILED, "Pool with that name already exists")
    create = _creation(GivenProperties(setting.properties), name, pool_type, hypervisor)

    def run(work: Work) -> MethodResult:
        try:
            uuid = create(work)
        except LibvirtError as error:
            # What was defined for a moment may have been seen.
            seen = hypervisor.inventory.find_by_name(_RECORDS[pool_type], name)
            if seen is not None:
                hypervisor.inventory.refresh(seen.key, kind=_RECORDS[pool_type])
            raise libvirt_failure("Unable to create resource pool", error) from error
        pool = _shown(service, pool_type, hypervisor, name, uuid)
        return MethodResult(PoolCode.COMPLETED, {"Pool": pool.path()})

    return service.do("CreateChildResourcePool", context, run)


def _creation(
    given: GivenProperties, name: str, pool_type: type[DevicePool], hypervisor: Hypervisor
) -> Callable[[Work], str]:
    """What makes the pool that settings ask for.

    Raises:
        CIMError: a property is not possible.
    """
    try:
        if pool_type is NetworkPool:
            xml = object_text(new_network(given, name, hypervisor))
            autostart = bool(given.choice("Autostart", {0: False, 1: True}))
            return lambda work: hypervisor.networks.create(xml, autostart=autostart, work=work)
        order = pool_order(given, name)
        xml = object_text(order.pool)
    except (SettingsError, ValueRejectedError) as error:
        raise CIMError(Status.FAILED, f"Settings Error: {error}") from None
    return lambda work: hypervisor.storage.create_pool(
        xml,
        order.pool.type or "",
        order.pool.target_path,
        build=order.build,
        overwrite=order.overwrite,
        autostart=order.autostart,
        work=work,
    )


def _shown(
    service: ResourcePoolConfigurationService,
    pool_type: type[DevicePool],
    hypervisor: Hypervisor,
    name: str,
    uuid: str,
) -> DevicePool:
    """The new pool, once the inventory has it, with its volumes."""
    inventory, kind = hypervisor.inventory, _RECORDS[pool_type]
    inventory.refresh(uuid, kind=kind)
    if pool_type is DiskPool:
        inventory.refresh_parts(VOLUMES, uuid)
    inventory.wait_for(lambda now: now.find(kind, uuid) is not None, service.site.settings.settle_timeout)
    pool = pool_type.pools_on(service.site, service.platform).named(hypervisor, name)
    if pool is None:
        raise CIMError(Status.FAILED, "Failed to lookup resulting pool")
    return pool


def pool_at(service: ResourcePoolConfigurationService, path: InstancePath) -> DevicePool:
    """The pool that a reference means, on the service's host.

    Raises:
        CIMError: NOT_FOUND when there is none; INVALID_PARAMETER when it is no pool.
    """
    found = element_at(service.site, path)
    if not isinstance(found, DevicePool) or found.platform is not service.platform:
        raise CIMError(Status.INVALID_PARAMETER, f"{path.class_name} is not a pool of {service.platform.prefix}")
    return found


def delete_resource_pool(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """DeleteResourcePool: stops and undefines it; the volumes of a storage pool stay where they are."""
    path = reference(parameters, "Pool")
    if "/" not in str(dict(path.keys).get("InstanceID")):
        raise CIMError(Status.INVALID_PARAMETER, "Pool has invalid InstanceID")
    try:
        pool = pool_at(service, path)
    except CIMError as error:
        if error.status is not Status.NOT_FOUND:
            raise
        raise CIMError(Status.FAILED, "Resource pool instance does not exist") from None
    if pool.primordial:
        return MethodResult(PoolCode.NOT_SUPPORTED)
    check_writable(pool.hypervisor)
    if _in_use(pool):
        return MethodResult(PoolCode.IN_USE)
    uuid, hypervisor = pool.record.uuid, pool.hypervisor
    kind = _RECORDS[type(pool)]

    def run(work: Work) -> MethodResult:
        try:
            if kind == "network":
                hypervisor.networks.delete(uuid)
            else:
                hypervisor.storage.delete_pool(uuid)
        except LibvirtError as error:
            raise libvirt_failure("Storage pool deletion error: Unable to destroy resource pool", error) from error
        hypervisor.inventory.refresh(uuid, kind=kind)
        hypervisor.inventory.wait_for(lambda now: now.find(kind, uuid) is None, service.site.settings.settle_timeout)
        return MethodResult(PoolCode.COMPLETED)

    return service.do("DeleteResourcePool", context, run, [path])


def _in_use(pool: DevicePool) -> bool:
    """Whether an active guest has a resource of the pool."""
    if isinstance(pool, NetworkPool):
        return bool(pool.consumed)
    for guest in all_guests(pool.site, pool.platform):
        if guest.hypervisor is not pool.hypervisor or not guest.domain.active or guest.state is None:
            continue
        disks = (entry.device for entry in guest.state.entries.values() if entry.kind.pool is DiskPool)
        if any(pool_of(guest, disk) == pool.name for disk in disks):
            return True
    return False

"""Making, filling and removing volumes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.inventory.records import VOLUMES
from virtcim.libhelper.storage import WipeAlgorithm
from virtcim.libhelper.work import Work
from virtcim.libhelper.xml.editing import object_text
from virtcim.libhelper.xml.text import ValueRejectedError
from virtcim.providers.errors import libvirt_failure
from virtcim.providers.guests import all_guests
from virtcim.providers.gueststorage import path_of
from virtcim.providers.imageformats import BaseInNoPoolError, as_guests_read, formats_in_guests
from virtcim.providers.interface import (
    CIMError,
    InstancePath,
    MethodResult,
    Parameters,
    RequestContext,
    Status,
)
from virtcim.providers.jobs import Effect
from virtcim.providers.overlays import guests_over
from virtcim.providers.references import element_at
from virtcim.providers.values import number_of
from virtcim.providers.Virt_DevicePool import DevicePool, DiskPool
from virtcim.providers.Virt_ResourcePoolConfigurationService.pools import pool_at
from virtcim.providers.Virt_ResourcePoolConfigurationService.settings import (
    GivenProperties,
    SettingsError,
    kind_of,
    reference,
    single_setting,
)
from virtcim.providers.Virt_ResourcePoolConfigurationService.Virt_ResourcePoolConfigurationService import (
    ResourcePoolConfigurationService,
    VolumeCode,
    check_writable,
    refused,
)
from virtcim.providers.Virt_StorageVolume import StorageVolume, volumes_of
from virtcim.providers.Virt_StorageVolumeRASD import FORMATS, VolumeSetting, volume_setting
from virtcim.schema.paths import parse_path

__all__ = [
    "create_resource_in_pool",
    "delete_resource_in_pool",
    "refresh_resources_in_pool",
    "refresh_volumes",
    "refuse_in_use",
    "resize_volume",
    "volume_at",
    "wipe_volume",
]


def create_resource_in_pool(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """CreateResourceInPool: a volume, empty, over another one, or with the content of another one."""
    setting = single_setting(parameters, "Settings")
    pool = _storage_pool(service, parameters)
    if kind_of(setting) != "StorageVolume":
        raise CIMError(
            Status.FAILED,
            "Unable to get attributes for resource: This function does not support this resource type",
        )
    check_writable(pool.hypervisor)
    try:
        given = GivenProperties(setting.properties)
        source = _source(service, pool, given)
        read = None if source is None else _read(pool, source, "HostResource")
        volume = _new_volume(given, pool, read)
        name = volume.name or ""
        xml = object_text(volume)
    except (SettingsError, ValueRejectedError) as error:
        field = f"{error.name} field" if isinstance(error, SettingsError) else "field"
        raise CIMError(
            Status.FAILED, f"Unable to get attributes for resource: StorageVolumeRASD {field} not valid: {error}"
        ) from None

    def run(work: Work) -> MethodResult:
        try:
            if source is None or read is None:
                pool.hypervisor.storage.create_volume(pool.record.uuid, xml, name, work)
            else:
                _copy(pool, source, read, volume, work)
        except LibvirtError as error:
            raise libvirt_failure("Unable to create storage volume", error) from error
        refresh_volumes(pool)
        made = volume_setting(service.site, service.platform, pool, name)
        if made is None:
            raise CIMError(Status.FAILED, f"Storage volume {name!r} was created, and is gone again")
        return MethodResult(VolumeCode.COMPLETED, {"Resource": made.path()})

    affected = [pool.path()]
    if source is not None:
        affected.append(source.path())
    return service.do("CreateResourceInPool", context, run, affected, Effect.PERFORMANCE_IMPACT)


def _read(pool: DiskPool, volume: StorageVolume, name: str) -> VolumeConfig:
    """Describe a volume as it is read where nobody says how.

    Parameters:
        name: of the property that names it.

    Raises:
        SettingsError: it lies over what is in no pool, so that a guest may have chosen that.
    """
    formats = formats_in_guests(pool.site, pool.hypervisor)
    try:
        return as_guests_read(volume.config, formats, pool.hypervisor)
    except BaseInNoPoolError as error:
        begins = f"{volume.volume.name} begins like an image over {error.base}"
        raise SettingsError(f"`{name}' property: {begins}, which is in no storage pool") from None


def _copy(pool: DiskPool, source: StorageVolume, read: VolumeConfig, volume: VolumeConfig, work: Work) -> None:
    """Make a volume with the content of another one.

    Where both are of one format and the source stands alone, its bytes are copied, which can be followed and stopped.
    Else libvirt converts it, and that cannot be stopped.

    Parameters:
        read: the source as it is read.

    Raises:
        CIMError: FAILED where libvirt would convert it from another format.
    """
    storage, name, size = pool.hypervisor.storage, volume.name or "", volume.capacity or 0
    place = (source.pool.record.uuid, source.volume.name)
    like = volume.target_format_type in (None, read.target_format_type)
    alone = read.backing_store_path is None and volume.backing_store_path is None
    if like and alone:
        capacity = read.capacity or size
        first = volume.replace(capacity=capacity, allocation=0)
        try:
            wanted = size if size > capacity else None
            storage.copy_volume(pool.record.uuid, object_text(first), name, place, work, capacity=wanted)
        except LibvirtError as error:
            if not error.is_unsupported:
                raise
        else:
            return
    now = storage.volume_config(*place)
    if now is not None and now.target_format_type != read.target_format_type:
        raise CIMError(
            Status.FAILED,
            f"Unable to create storage volume: guests read {source.volume.name} as {read.target_format_type}, and it "
            f"begins like {now.target_format_type}; expected a copy in the format {read.target_format_type}",
        )
    storage.convert_volume(pool.record.uuid, object_text(volume), name, place, work)


def _new_volume(given: GivenProperties, pool: DiskPool, source: VolumeConfig | None) -> VolumeConfig:
    """The volume that settings ask for.

    Parameters:
        source: whose content it is to have, as that is read; None where it is to be empty.

    Raises:
        SettingsError: a property is missing or is not possible.
    """
    name = given.needed("VolumeName")
    word = _format(given)
    _check_path(given, pool, name)
    capacity = given.size("Capacity")
    if capacity is None:
        capacity = given.size("VirtualQuantity", "VirtualQuantityUnits")
    backing = given.text("BackingPath")
    if backing is not None and source is not None:
        raise SettingsError("`BackingPath' property contradicts `HostResource'")
    backing_format = given.text("BackingFormat")
    beneath = source or _beneath(pool, backing, backing_format)
    if capacity is None:
        capacity = None if beneath is None else beneath.capacity
        if capacity is None:
            raise SettingsError("Missing `Capacity' property")
    elif source is not None and capacity < (source.capacity or 0):
        raise SettingsError(f"`Capacity' property is less than that of the source, {source.capacity} bytes")
    allocation = given.size("AllocationQuantity")
    if allocation is not None and allocation > capacity:
        raise SettingsError("`AllocationQuantity' property is more than `Capacity'")
    if word is None and source is not None:
        word = source.target_format_type
    if backing_format is not None and backing is None:
        raise SettingsError("`BackingFormat' property needs `BackingPath'")
    if backing is not None and backing_format is None:
        backing_format = None if beneath is None else beneath.target_format_type
        if backing_format is None:
            raise SettingsError("Missing `BackingFormat' property: the format of `BackingPath' is not known")
    return VolumeConfig(
        name=name,
        capacity=capacity,
        allocation=allocation,
        target_format_type=word,
        backing_store_path=backing,
        backing_store_format_type=backing_format,
    )


def _beneath(pool: DiskPool, path: str | None, given_format: str | None) -> VolumeConfig | None:
    """The volume that a new one is to lie over, as it is read; None for what is no volume."""
    found = None if path is None else _volume_by_path(pool, path)
    if found is None:
        return None
    return found.config if given_format is not None else _read(pool, found, "BackingPath")


def _format(given: GivenProperties) -> str | None:
    """libvirt's word for the format; None where the client leaves it to the pool."""
    subtype = given.text("ResourceSubType")
    if not given.number("FormatType"):
        return subtype
    word = FORMATS.get(given.number("FormatType") or 0)
    if word is None:
        raise CIMError(
            Status.FAILED, f"Unable to generate XML for new resource: FormatType {given.number('FormatType')}"
        )
    if subtype not in (None, word):
        raise SettingsError(f"`ResourceSubType' property contradicts `FormatType': {subtype}, {word}")
    return word


def _check_path(given: GivenProperties, pool: DiskPool, name: str) -> None:
    """A path can only say again where the pool is.

    Raises:
        SettingsError: it is another one.
        CIMError: it is that of a volume.
    """
    path, target = given.text("Path"), pool.config.target_path
    if path is None or target is None:
        return
    if _volume_by_path(pool, posixpath.normpath(path)) is not None:
        raise CIMError(Status.FAILED, f"Unable to create storage volume: {path} exists already")
    if posixpath.normpath(path) not in (posixpath.normpath(target), posixpath.join(posixpath.normpath(target), name)):
        raise SettingsError(f"`Path' property is not that of the pool, {target}")


def _source(service: ResourcePoolConfigurationService, pool: DiskPool, given: GivenProperties) -> StorageVolume | None:
    """The volume whose content the new one is to have; None where it is to be empty."""
    named = given.texts("HostResource")
    if not named:
        return None
    if len(named) > 1:
        raise SettingsError("`HostResource' property names more than one volume")
    try:
        path = parse_path(named[0])
    except ValueError:
        path = None  # the path of a file, then
    try:
        volume = volume_at(service, path) if path and "" not in path.keys else _volume_by_path(pool, named[0])
    except CIMError as error:
        raise SettingsError(f"`HostResource' property: {error.description}") from None
    if volume is None or volume.pool.hypervisor is not pool.hypervisor:
        raise SettingsError(f"`HostResource' property: no storage volume {named[0]}")
    return volume


def _volume_by_path(pool: DiskPool, path: str) -> StorageVolume | None:
    """The volume with this path or key, in whatever pool of the same hypervisor."""
    return next((each for each in _volumes_beside(pool) if path in (each.volume.key, each.config.target_path)), None)


def _volumes_beside(pool: DevicePool) -> Iterator[StorageVolume]:
    """All volumes of a pool's hypervisor."""
    for each in DiskPool.all_of(pool.site, pool.platform):
        if each.hypervisor is pool.hypervisor:
            yield from volumes_of(each)


def volume_at(service: ResourcePoolConfigurationService, path: InstancePath) -> StorageVolume:
    """The volume that a reference means: to itself or to its settings.

    Raises:
        CIMError: NOT_FOUND when there is none; INVALID_PARAMETER when it is no volume.
    """
    found = element_at(service.site, path)
    if isinstance(found, VolumeSetting):
        found = found.volume
    if not isinstance(found, StorageVolume) or found.platform is not service.platform:
        raise CIMError(Status.INVALID_PARAMETER, f"{path.class_name} is not a storage volume")
    return found


def _storage_pool(service: ResourcePoolConfigurationService, parameters: Parameters) -> DiskPool:
    """The storage pool that the parameter Pool refers to.

    Raises:
        CIMError: FAILED when it is a pool of another kind.
    """
    pool = pool_at(service, reference(parameters, "Pool"))
    if not isinstance(pool, DiskPool) or pool.primordial:
        raise CIMError(
            Status.FAILED, f"This function does not support this resource type: {pool.instance_id} holds no volumes"
        )
    return pool


def refresh_volumes(pool: DevicePool) -> None:
    """Have the inventory show a pool and its volumes as they are now."""
    inventory, uuid = pool.hypervisor.inventory, pool.record.uuid
    inventory.refresh(uuid, kind="pool")
    inventory.refresh_parts(VOLUMES, uuid)


def refuse_in_use(volume: StorageVolume, text: str) -> None:
    """Refuse to harm a volume that an active guest or another volume needs.

    Raises:
        CIMError: FAILED, naming who needs it.
    """
    pool = volume.pool
    paths = {volume.volume.key, volume.config.target_path}
    for guest in all_guests(pool.site, pool.platform):
        if guest.hypervisor is not pool.hypervisor or not guest.domain.active or guest.state is None:
            continue
        for entry in guest.state.entries.values():
            if entry.kind.pool is DiskPool and path_of(guest, entry.device) in paths:
                raise CIMError(Status.FAILED, f"{text}: guest '{guest.name}' uses {volume.volume.key}")
    for other in _volumes_beside(pool):
        if other.config.backing_store_path in paths:
            names = guests_over(pool.site, pool.hypervisor, str(other.config.backing_store_path))
            told = f"{text}: {other.volume.key} is based on {volume.volume.key}"
            raise CIMError(Status.FAILED, f"{told}; on it hang: {', '.join(names)}")


def delete_resource_in_pool(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """DeleteResourceInPool: a volume, with its data."""
    resource = single_setting(parameters, "Resource")
    pool = _storage_pool(service, parameters)
    if kind_of(resource) not in ("Disk", "StorageVolume"):
        raise CIMError(Status.FAILED, "Unable to delete resource: This function does not support this resource type")
    try:
        address = GivenProperties(resource.properties).text("Address")
    except SettingsError as error:
        raise CIMError(Status.FAILED, f"Unable to delete resource: {error}") from None
    if address is None:
        raise CIMError(Status.FAILED, "Missing Address in resource RASD")
    check_writable(pool.hypervisor)
    refresh_volumes(pool)
    volume = _volume_by_path(pool, address)
    if volume is None:
        reason = f"Storage volume not found: no storage vol with matching path '{address}'"
        raise CIMError(Status.FAILED, f"Unable to delete resource: {reason}")
    if volume.pool.name != pool.name:
        raise CIMError(Status.FAILED, f"Unable to delete resource: {address} is not a volume of {pool.instance_id}")
    refuse_in_use(volume, "Unable to delete resource")
    name = volume.volume.name

    def run(work: Work) -> MethodResult:
        try:
            pool.hypervisor.storage.delete_volume(pool.record.uuid, name)
        except LibvirtError as error:
            raise libvirt_failure("Unable to delete resource", error) from error
        return MethodResult(VolumeCode.COMPLETED)

    return service.do("DeleteResourceInPool", context, run, [volume.path()])


def refresh_resources_in_pool(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """RefreshResourcesInPool: libvirt looks again which volumes there are."""
    path = reference(parameters, "Pool")
    pool = pool_at(service, path)
    if not isinstance(pool, DiskPool) or pool.primordial:
        return MethodResult(VolumeCode.NOT_SUPPORTED)
    check_writable(pool.hypervisor)

    def run(work: Work) -> MethodResult:
        try:
            pool.hypervisor.storage.refresh_pool(pool.record.uuid)
        except LibvirtError as error:
            raise libvirt_failure("Unable to refresh resource pool", error) from error
        return MethodResult(VolumeCode.COMPLETED)

    return service.do("RefreshResourcesInPool", context, run, [path], Effect.PERFORMANCE_IMPACT)


def resize_volume(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """ResizeVolume; a smaller size needs Shrink."""
    path = reference(parameters, "Volume")
    volume = volume_at(service, path)
    check_writable(volume.pool.hypervisor)
    try:
        capacity = GivenProperties(parameters).size("Capacity")
    except SettingsError as error:
        raise CIMError(Status.INVALID_PARAMETER, str(error)) from None
    if not capacity:
        raise CIMError(Status.INVALID_PARAMETER, "Missing argument `Capacity'")
    shrink, allocate = bool(parameters.get("Shrink")), bool(parameters.get("Allocate"))
    if capacity < (volume.config.capacity or 0) and not shrink:
        raise CIMError(
            Status.INVALID_PARAMETER,
            f"`Capacity' is less than that of the volume, {volume.config.capacity} bytes, and `Shrink' is not set",
        )
    refuse_in_use(volume, "Unable to resize storage volume")
    pool, name = volume.pool, volume.volume.name

    def run(work: Work) -> MethodResult:
        try:
            # What becomes smaller has nothing to allocate.
            shrinks = capacity < (volume.config.capacity or 0)
            pool.hypervisor.storage.resize_volume(
                pool.record.uuid, name, capacity, allocate=allocate and not shrinks, shrink=shrinks
            )
        except LibvirtError as error:
            return refused("Unable to resize storage volume", error)
        refresh_volumes(pool)
        return MethodResult(VolumeCode.COMPLETED)

    return service.do("ResizeVolume", context, run, [path])


def wipe_volume(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """WipeVolume; libvirt cannot stop it, nor tell how far it is."""
    path = reference(parameters, "Volume")
    volume = volume_at(service, path)
    check_writable(volume.pool.hypervisor)
    try:
        algorithm = WipeAlgorithm(number_of(parameters.get("Algorithm"), "Algorithm") or 0)
    except ValueError:
        return MethodResult(VolumeCode.INVALID_PARAMETER)
    refuse_in_use(volume, "Unable to wipe storage volume")
    pool, name = volume.pool, volume.volume.name

    def run(work: Work) -> MethodResult:
        try:
            pool.hypervisor.storage.wipe_volume(pool.record.uuid, name, algorithm)
        except LibvirtError as error:
            return refused("Unable to wipe storage volume", error)
        refresh_volumes(pool)
        return MethodResult(VolumeCode.COMPLETED)

    return service.do("WipeVolume", context, run, [path])

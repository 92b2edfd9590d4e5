"""Where a disk is to come from: Address, PoolID and HostResource, as the source in the domain XML."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from virtcim.libhelper.connections import is_local
from virtcim.libhelper.documents.domain import Disk, Filesystem
from virtcim.providers.drafts import Draft, ValueRefusedError, kibibytes
from virtcim.providers.imageformats import BaseInNoPoolError, as_guests_read, formats_in_guests
from virtcim.providers.imageurls import path_in, read_image_url, socket_of
from virtcim.providers.storage import StorageMap, format_of, known_path

if TYPE_CHECKING:
    from virtcim.libhelper.documents.storage import VolumeConfig
    from virtcim.libhelper.inventory.records import Pool
    from virtcim.providers.drafts import DraftContext, GivenProperties

__all__ = [
    "EMULATED_TYPES",
    "FILESYSTEM",
    "RAM",
    "check_target",
    "disk_class",
    "finish_disk",
    "write_capacity",
    "write_emulated_type",
    "write_source",
]

EMULATED_TYPES = {"disk": 0, "cdrom": 1, "floppy": 2, "lun": 4}
FILESYSTEM = 3
_DEVICES = {value: word for word, value in EMULATED_TYPES.items()}
_REMOVABLE = frozenset({"cdrom", "floppy"})
_EMPTY = frozenset({"", "/dev/null"})
RAM = "ram"
"""What is behind a file system that a container has in its memory; also the type of that file system."""
_DIRECTORIES = frozenset({"mount", "bind"})
_POOL_PREFIX = "DiskPool/"
_ALL_POOLS = "0"
_CHARACTER_DEVICE = "vhostvdpa"
"""The type of a disk that is a device of vDPA: a character device of the host, other than all others."""
_DISKS = {"file": "source_file", "block": "source_dev", "dir": "source_dir", _CHARACTER_DEVICE: "source_dev"}
"""By the type of a disk, the field that says where it is."""
_DRIVES = frozenset({"file", "block", "volume"})
"""The types of disks that libvirt takes without a source."""
_LENT = {
    "mount": "source_dir",
    "bind": "source_dir",
    "file": "source_file",
    "block": "source_dev",
    "template": "source_name",
}
"""By the type of a file system, the field that says what is lent."""


def disk_class(context: DraftContext, given: GivenProperties) -> type[Disk | Filesystem]:
    """Whether a new resource is a disk or a file system: a container has nothing else, a directory is one."""
    emulated = given.get("EmulatedType")
    if emulated == FILESYSTEM or (context.platform.containers and emulated is None):
        return Filesystem
    path = _path(given) or ""
    if not emulated and _checks_paths(context) and os.path.isdir(path):
        return Filesystem
    return Disk


def write_emulated_type(draft: Draft, value: int) -> None:
    """EmulatedType; a disk cannot become a file system, nor the reverse."""
    is_filesystem = isinstance(draft.base, Filesystem)
    if is_filesystem and (value == FILESYSTEM or (draft.is_new and value == 0)):
        return
    word = _DEVICES.get(value)
    if word is None or is_filesystem:
        raise ValueRefusedError("Invalid value for EmulatedType", str(value))
    draft.put("device", word)


def write_source(draft: Draft, _value: object) -> None:
    """Address, PoolID and HostResource together."""
    path = _path(draft.given)
    if isinstance(draft.base, Filesystem):
        _check_target_directory(draft)
        _write_directory(draft, path)
        return
    _check_target_name(draft)
    pool = _pool(draft, path)
    if path is None:
        if pool is not None and not draft.is_new:
            raise ValueRefusedError("PoolID says where Address is and cannot be changed alone", contradiction=True)
        return
    if path in _EMPTY and (draft.now("device") or "disk") in _REMOVABLE:
        now = draft.now("type")
        # A drive without a medium is of a kind that needs no server and no device behind it.
        _put(draft, now if now in _DRIVES else "file")
        # libvirt writes `raw` itself where there is no format.
        if "DriverType" not in draft.given and draft.base.driver_type not in (None, "raw"):
            draft.put("driver_type", None)
        return
    elsewhere = read_image_url(path)
    if elsewhere is not None:
        kind, source = elsewhere
        _put(draft, kind, **source)
    else:
        _write_local(draft, path, pool)


def write_capacity(draft: Draft, value: int) -> None:
    """VirtualQuantity: the size of a file system in the memory of a container; that of anything else is what it is."""
    kind = RAM if draft.given.get("Address") == RAM else draft.now("type")
    if not isinstance(draft.base, Filesystem) or kind != RAM:
        return
    draft.put("source_usage", kibibytes(draft, value, "VirtualQuantity", "byte"))


def finish_disk(draft: Draft) -> None:
    """Check a new disk as a whole, and fill in what was left open."""
    if isinstance(draft.base, Filesystem):
        _check_target_directory(draft)
        if draft.now("type") is None:
            raise ValueRefusedError("Missing `Address' field")
        if draft.now("type") == RAM and draft.now("source_usage") is None:
            raise ValueRefusedError("Missing `VirtualQuantity' field")
        return
    _check_target_name(draft)
    check_target(draft, draft.now("target_dev"))
    if draft.now("device") is None:
        draft.put("device", "disk")
    if draft.now("type") is None:
        if draft.now("device") not in _REMOVABLE:
            raise _invalid_source(draft, "/dev/null")
        draft.put("type", "file")
    if draft.now("driver_type") is not None and draft.now("driver_name") is None:
        draft.put("driver_name", "qemu")


def _check_target_directory(draft: Draft) -> None:
    if not (draft.now("target_dir") or draft.given.get("MountPoint")):
        raise ValueRefusedError("Missing `MountPoint' field")


def _check_target_name(draft: Draft) -> None:
    if not draft.now("target_dev"):
        raise ValueRefusedError("Missing `VirtualDevice' property")


def check_target(draft: Draft, target: str) -> None:
    """Refuse the name of another disk of the guest."""
    for device in draft.context.config.devices:
        if isinstance(device, Disk) and device.target_dev == target and device is not draft.base:
            raise ValueRefusedError(
                "VirtualDevice property must be unique for each DiskResourceAllocationSettingData in a single guest",
                target,
            )


def _path(given: GivenProperties) -> str | None:
    """The source as a path, volume name or URL; None when nothing was said of it."""
    address: str | None = given.get("Address")
    resources = [each for each in given.get("HostResource") or () if each is not None]
    if len(resources) > 1:
        raise ValueRefusedError("HostResource: a disk has one source")
    if not resources:
        return address
    url = resources[0]
    named = path_in(url, "file") if url.startswith("file:") else url
    if named is None:
        raise ValueRefusedError("HostResource: a path of the host has the form file:///path", url)
    if address is not None and address != named:
        raise ValueRefusedError("Address and HostResource are different sources", contradiction=True)
    return named


def _pool(draft: Draft, path: str | None) -> Pool | None:
    """The storage pool that PoolID names; None for none in particular.

    Where the path alone says where the disk is, PoolID may hold anything, as libvirt-cim never looked at it.
    """
    pool_id: str | None = draft.given.get("PoolID")
    if pool_id is None:
        return None
    name = pool_id.removeprefix(_POOL_PREFIX)
    for pool in draft.context.hypervisor.inventory.pools():
        if pool.name == name:
            return pool
    if name == _ALL_POOLS or _is_place(draft, path):
        return None
    if "/" not in pool_id:
        raise ValueRefusedError("PoolID specified is not formatted properly", pool_id)
    raise ValueRefusedError(f"PoolID: there is no storage pool {name}")


def _is_place(draft: Draft, path: str | None) -> bool:
    """Whether a path says by itself where a disk is; nothing does so for a new one without a medium."""
    if path is None:
        return draft.is_new
    return path in _EMPTY or path.startswith("/") or read_image_url(path) is not None


def _write_directory(draft: Draft, path: str | None) -> None:
    if path is None:
        return
    if path == RAM:
        _put(draft, RAM)
        return
    if path.startswith("unix://"):
        _put(draft, "mount", source_socket=socket_of(path))
        draft.put("driver_type", "virtiofs")
        return
    named = draft.given.get("ResourceSubType") if draft.is_new else draft.base.type
    if named == "volume" and not path.startswith("/"):
        pool_name, _, name = path.partition("/")
        _put(draft, named, source_pool=pool_name, source_volume=name)
        return
    kind = _kind_of_lent(draft, named, path)
    _put(draft, kind, **{_LENT[kind]: path})


def _kind_of_lent(draft: Draft, named: str | None, path: str) -> str:
    """How a path of the host is lent: as what it is or, where nobody sees that, as what was there.

    Parameters:
        named: the type that the file system has, or is to have.
    """
    expected = named if named in _LENT else "mount"
    if expected == "template" or not _checks_paths(draft.context):
        return "mount" if expected == "block" and not path.startswith("/dev/") else expected
    try:
        mode = os.stat(path).st_mode
    except OSError:
        raise _invalid_source(draft, path) from None
    if draft.is_new and named in _DIRECTORIES:
        return expected  # a single file can be lent like a directory
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISBLK(mode):
        return "block"
    return expected if expected in _DIRECTORIES else "mount"


def _write_local(draft: Draft, address: str, pool: Pool | None) -> None:
    storage = draft.context.site.storage.of(draft.context.hypervisor)
    path = address
    if _is_unknown_volume(draft, storage, address):
        pool_name, _, name = address.partition("/")
        _put(draft, "volume", source_pool=pool_name, source_volume=name)
        return
    if not address.startswith("/"):
        path = _volume_path(draft, storage, address, pool)
    elif pool is not None and storage.pools.get(address, pool.name) != pool.name:
        raise ValueRefusedError(
            f"Address {address} is a volume of pool {storage.pools[address]} and not of PoolID", contradiction=True
        )
    if path == known_path(storage, draft.base):
        return
    volume = _volume(draft, storage, path)
    kind, driver_type = volume or (_kind_of_path(draft, path), _format_in_chain(draft.base, path))
    if "DriverType" not in draft.given and driver_type is not None:
        draft.put("driver_type", driver_type)
    _put(draft, kind, **{_DISKS[kind]: path})


def _is_unknown_volume(draft: Draft, storage: StorageMap, address: str) -> bool:
    """Whether a new disk is to be a volume that libvirt looks for when the guest starts."""
    is_meant = draft.is_new and draft.given.get("ResourceSubType") == "volume" and "PoolID" not in draft.given
    pool_name, separator, name = address.partition("/")
    return is_meant and bool(pool_name and separator and name) and (pool_name, name) not in storage.paths


def _volume_path(draft: Draft, storage: StorageMap, address: str, pool: Pool | None) -> str:
    """The path of a volume by its name in the pool of PoolID, or by `pool/volume`."""
    pool_name, separator, name = address.partition("/")
    if pool is not None:
        pool_name, name = pool.name, address.removeprefix(f"{pool.name}/")
    elif not separator:
        raise _invalid_source(draft, address)
    path = storage.paths.get((pool_name, name))
    if path is None:
        raise ValueRefusedError(f"Address: there is no volume {name} in storage pool {pool_name}")
    return path


def _volume(draft: Draft, storage: StorageMap, path: str) -> tuple[str, str | None] | None:
    """The kind of source and the format of a volume that libvirt knows; None for any other path."""
    pool_name = storage.pools.get(path)
    for pool in draft.context.hypervisor.inventory.pools():
        if pool.name != pool_name:
            continue
        for volume in pool.volumes or ():
            config = volume.config
            if config is not None and (config.target_path or volume.key) == path:
                kind = config.type if config.type in _DISKS else _guessed_kind(path)
                return kind, _format_of(draft, config) if kind == "file" else None
    return None


def _format_of(draft: Draft, config: VolumeConfig) -> str | None:
    """The format in which a volume is read, where the client leaves that open."""
    if "DriverType" in draft.given:
        return None
    hypervisor = draft.context.hypervisor
    formats = formats_in_guests(draft.context.site, hypervisor)
    try:
        return format_of(as_guests_read(config, formats, hypervisor))
    except BaseInNoPoolError as error:
        raise ValueRefusedError(
            f"Address: {config.target_path} begins like an image over {error.base}, which is in no storage pool; "
            "expected DriverType to say how it is to be read"
        ) from None


def _format_in_chain(disk: Disk, path: str) -> str | None:
    """The format of an image that the disk's own image lies over, as after a snapshot; None for any other path."""
    for image in disk.backing_chain:
        if path in (image.source_file, image.source_dev):
            return image.format_type
    return None


def _kind_of_path(draft: Draft, path: str) -> str:
    """The kind of source that a path of the host is."""
    named = draft.given.get("ResourceSubType")
    expected = named if named in _DISKS else _guessed_kind(path)
    if not _checks_paths(draft.context):
        return expected
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = 0
    if stat.S_ISBLK(mode):
        return "block"
    if stat.S_ISDIR(mode):
        return "dir"
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISCHR(mode) and expected == _CHARACTER_DEVICE:
        return expected
    if not mode and (draft.now("device") or "disk") in _REMOVABLE:
        return expected
    raise _invalid_source(draft, path)


def _guessed_kind(path: str) -> str:
    if path.startswith("/dev/vhost-vdpa"):
        return _CHARACTER_DEVICE
    return "block" if path.startswith("/dev/") else "file"


def _checks_paths(context: DraftContext) -> bool:
    """Whether the paths of the hypervisor's host are those of this machine."""
    return is_local(context.hypervisor.uri) and context.hypervisor.driver != "TEST"


def _put(draft: Draft, kind: str | None, **source: object) -> None:
    """Set the source, and take away what said otherwise; what is said of the old image goes with it (`Disk`)."""
    draft.put("type", kind)
    for field in draft.base.location_fields:
        if field in source:
            draft.put(field, source[field])
        elif getattr(draft.base, field):
            draft.put(field, None)


def _invalid_source(draft: Draft, path: str) -> ValueRefusedError:
    target = draft.now("target_dir" if isinstance(draft.base, Filesystem) else "target_dev")
    return ValueRefusedError(
        "Can't get a valid disk type",
        f"Device {target}, Address {path}, make sure Address can be accessed on host system.",
    )

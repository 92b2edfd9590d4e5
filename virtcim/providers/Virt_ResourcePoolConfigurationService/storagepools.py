"""From settings to a new storage pool."""

from __future__ import annotations

from collections.abc import Mapping

from virtcim.immutable import immutable
from virtcim.libhelper.documents.storage import PoolConfig
from virtcim.providers.Virt_ResourcePoolConfigurationService.settings import (
    NO_POOL_TYPE,
    GivenProperties,
    SettingsError,
)

__all__ = ["PoolOrder", "pool_order"]

_TYPES: Mapping[int, str | None] = {
    0: None,
    1: "dir",
    2: "fs",
    3: "netfs",
    4: "disk",
    5: "iscsi",
    6: "logical",
    7: "scsi",
}
"""Type to libvirt's word; none is the value of a kind that ResourceSubType names."""

_NO_YES: Mapping[int, bool] = {0: False, 1: True}
_NONE, _BUILD, _OVERWRITE = 0, 1, 2
_BUILDS = {_NONE: _NONE, _BUILD: _BUILD, _OVERWRITE: _OVERWRITE}
_DIRECTORY = "dir"

_ONE_DEVICE = frozenset({"fs", "disk", "iscsi", "iscsi-direct"})
_REMOTE = frozenset({"netfs", "iscsi", "iscsi-direct", "gluster", "rbd", "sheepdog"})
_WITHOUT_PATH = frozenset({"gluster", "rbd", "sheepdog", "mpath", "iscsi-direct", "zfs"})
"""The types of pools that libvirt finds without a path of the host."""
_WITH_SOURCE_NAME = frozenset({"gluster", "rbd", "sheepdog", "zfs", "vstorage"})
_USUAL_PATHS = {"disk": "/dev", "iscsi": "/dev/disk/by-path", "mpath": "/dev/mapper"}
"""Paths that are the same on every host, for a client that names none."""
_BUILDABLE = frozenset({"dir", "fs", "netfs", "disk", "logical"})


@immutable
class PoolOrder:
    """A storage pool that is asked for.

    Attributes:
        pool: the pool.
        build: whether its place is to be made.
        overwrite: though there be data.
        autostart: whether it is started with the host.
    """

    pool: PoolConfig
    build: bool
    overwrite: bool
    autostart: bool


def pool_order(given: GivenProperties, name: str) -> PoolOrder:
    """The storage pool that settings ask for.

    Raises:
        SettingsError: a property is missing, is not possible, or contradicts another one.
    """
    if not given.has("Type") and given.text("ResourceSubType") is None:
        raise SettingsError("Missing `Type' property")
    kind = given.choice("Type", _TYPES, NO_POOL_TYPE) if given.has("Type") else None
    subtype = given.text("ResourceSubType")
    if kind is None:
        kind = given.needed("ResourceSubType")
    elif subtype not in (None, kind):
        raise SettingsError(f"`ResourceSubType' property contradicts `Type': {subtype}, {kind}")
    build = given.choice("Build", _BUILDS)
    if build not in (None, _NONE) and kind not in _BUILDABLE:
        raise SettingsError(f"`Build' property: nothing can be built for a pool of type {kind}")
    if build is None and kind == _DIRECTORY:
        build = _BUILD
    pool = PoolConfig(
        name=name,
        type=kind,
        target_path=_path(given, kind),
        source_device_paths=_devices(given, kind),
        source_format_type=given.text("SourceFormat"),
        source_initiator_iqn_name=given.text("InitiatorIQN"),
        **_source(given, kind),
    )
    autostart = given.choice("Autostart", _NO_YES)
    return PoolOrder(pool, build in (_BUILD, _OVERWRITE), build == _OVERWRITE, bool(autostart))


def _path(given: GivenProperties, kind: str) -> str | None:
    """libvirt-cim asks for a path whatever the type; for some it can only be one, or there is none."""
    path = given.text("Path") or _USUAL_PATHS.get(kind)
    if path is None and kind == "logical":
        source = given.text("SourceName")
        path = f"/dev/{source}" if source is not None else None
    if path is None and kind not in _WITHOUT_PATH:
        raise SettingsError("Missing `Path' property")
    return path


def _devices(given: GivenProperties, kind: str) -> tuple[str, ...]:
    devices = tuple(given.texts("DevicePaths"))
    if kind in _ONE_DEVICE:
        if not devices:
            raise SettingsError("Missing `DevicePaths' property")
        if len(devices) > 1:
            raise SettingsError("Specified pool type only takes one device path: `DevicePaths' property")
    return devices


def _source(given: GivenProperties, kind: str) -> dict[str, object]:
    source: dict[str, object] = {}
    host = given.needed("Host") if kind in _REMOTE else given.text("Host")
    source["source_host_names"] = () if host is None else (host,)
    source["source_dir_path"] = given.needed("SourceDirectory") if kind == "netfs" else given.text("SourceDirectory")
    source["source_name"] = given.needed("SourceName") if kind in _WITH_SOURCE_NAME else given.text("SourceName")
    ports = given.text("NodeName"), given.text("PortName")
    if kind == "scsi":
        adapter = given.needed("AdapterName")
        if (ports[0] is None) != (ports[1] is None):
            raise SettingsError(f"Missing `{'NodeName' if ports[0] is None else 'PortName'}' property")
        if ports == (None, None):
            source |= {"source_adapter_type": "scsi_host", "source_adapter_name": adapter}
        else:
            source |= {"source_adapter_type": "fc_host", "source_adapter_parent": adapter}
            source["source_adapter_wwnn"], source["source_adapter_wwpn"] = ports
    return source

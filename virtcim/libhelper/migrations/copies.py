"""The images that libvirt makes at the target of a migration for the disks that it copies: it leaves them there where
the migration fails.

Layer rule: imports libvirt, connections, xml, documents, errors, order.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterator, Mapping, Sequence

import libvirt

from virtcim.libhelper.connections import Connections
from virtcim.libhelper.documents.domain import Disk, DomainConfig
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.migrations.order import MigrationOrder
from virtcim.libhelper.xml.text import parse_xml

__all__ = ["active_pools", "copied_disks", "missing_images", "remove_images"]

_log = logging.getLogger(__name__)


def copied_disks(config: DomainConfig, order: MigrationOrder) -> Iterator[Disk]:
    """The disks of a domain that are files, and are to be copied."""
    for disk in config.devices if order.copy_storage else ():
        if not isinstance(disk, Disk) or not disk.source_file or disk.readonly:
            continue
        if not order.disks or disk.target_dev in order.disks:
            yield disk


def active_pools(target: libvirt.virConnect) -> Mapping[str, libvirt.virStoragePool]:
    """The storage pools of a host that are active, by the directories that they have."""
    pools = target.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
    paths = ((pool, parse_xml(pool.XMLDesc(0)).findtext("target/path")) for pool in pools)
    return {posixpath.normpath(path): pool for pool, path in paths if path}


def missing_images(config: DomainConfig, order: MigrationOrder, target: libvirt.virConnect) -> Iterator[str]:
    """The images that libvirt will make at a target, as the UUIDs of their pools and their names, with a slash between.

    Parameters:
        config: of the domain as it is to be there.
        order: with the disks that are to be copied.
        target: the connection to that host.

    Raises:
        libvirt.libvirtError: the host does not tell.
    """
    pools = active_pools(target) if order.copy_storage else {}
    for disk in copied_disks(config, order):
        directory, name = posixpath.split(posixpath.normpath(disk.source_file or ""))
        pool = pools.get(directory)
        if pool is not None:
            pool.refresh(0)
            if name not in pool.listVolumes():
                yield f"{pool.UUIDString()}/{name}"


def remove_images(images: Sequence[str], connections: Connections) -> None:
    """Remove what was made of images, where the domain is not; what cannot be removed is told in the log.

    Parameters:
        images: as `missing_images` gave them.
        connections: to the host.
    """
    for image in images:
        uuid, _, name = image.partition("/")
        try:
            with connections.connection() as connection:
                pool = connection.storagePoolLookupByUUIDString(uuid)
                pool.refresh(0)
                if name in pool.listVolumes():
                    pool.storageVolLookupByName(name).delete(0)
        except (libvirt.libvirtError, LibvirtError) as error:
            _log.warning("image %s of a migration that failed stays at %s: %s", name, connections.uri, error)

"""Operations on storage pools and volumes, each on connections of its own, so that a slow one delays nobody.

Layer rule: imports libvirt, connections, context, errors, inventory.records, undoing, work; knows nothing of CIM.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import os
import threading
from collections.abc import Iterator
from typing import Protocol

import libvirt

from virtcim.libhelper.connections import is_local
from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.errors import LibvirtError, look_up, translated
from virtcim.libhelper.inventory.records import VOLUMES
from virtcim.libhelper.undoing import undone
from virtcim.libhelper.work import Work, WorkCancelledError

__all__ = ["Reader", "Storage", "WipeAlgorithm", "Writer"]

_log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
"""Bytes that are taken from a stream at a time: what libvirt puts into one message."""
_POLL_INTERVAL = 0.2
"""Seconds between two looks at how far a call is that does not tell."""
_BUILD_MAY_OVERWRITE = frozenset({"disk", "fs", "logical"})
"""The types of pools where building destroys what is there, and where libvirt can be told not to."""


class WipeAlgorithm(enum.IntEnum):
    """How a volume is overwritten (`virStorageVolWipeAlgorithm`)."""

    ZERO = 0
    NNSA = 1
    DOD = 2
    BSI = 3
    GUTMANN = 4
    SCHNEIER = 5
    PFITZNER7 = 6
    PFITZNER33 = 7
    RANDOM = 8
    TRIM = 9


class Reader(Protocol):
    """Where data to be written come from."""

    def read(self, size: int, /) -> bytes: ...


class Writer(Protocol):
    """Where data that were read go."""

    def write(self, data: bytes, /) -> object: ...


class Storage:
    """The operations on the storage of one hypervisor.

    Pools are named by UUID or name, volumes by pool and name.  Each raises `LibvirtError` when libvirt refuses, and
    leaves nothing half done.  Whether the inventory shows the effect already is another matter.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @contextlib.contextmanager
    def pool(self, name_or_uuid: str) -> Iterator[libvirt.virStoragePool]:
        """libvirt's own pool object on a fresh connection, for the length of a block.

        Raises:
            LibvirtError: no connection, no such pool, and for every libvirt error in the block.
        """
        with self._context.connections.connection() as connection, translated():
            yield _pool(connection, name_or_uuid)

    @contextlib.contextmanager
    def volume(self, pool: str, name: str) -> Iterator[libvirt.virStorageVol]:
        """libvirt's own volume object, in the way of `pool`."""
        with self.pool(pool) as found:
            yield found.storageVolLookupByName(name)

    def create_pool(
        self,
        xml: str,
        kind: str,
        target: str | None,
        *,
        build: bool,
        overwrite: bool,
        autostart: bool,
        work: Work,
    ) -> str:
        """Define a pool, make its place where asked to, and start it; nothing of it stays when a step fails.

        Parameters:
            kind: the type of the pool.
            target: the path under which its volumes are found.
            build: make its directory, file system, partition table or volume group.
            overwrite: though there be data.

        Returns:
            its UUID.
        """
        # A directory that was there before stays there, whatever happens.
        missing = build and kind == "dir" and is_local(self._context.uri) and not os.path.lexists(target or "/")
        with self._context.connections.connection() as connection, translated():
            pool = connection.storagePoolDefineXML(xml, 0)
            work.set_leftover(f"storage pool {pool.name()!r}")
            try:
                if build:
                    pool.build(_build_flags(kind, overwrite))
                work.report(1, 3)
                pool.create(0)
                work.report(2, 3)
                if autostart:
                    pool.setAutostart(1)
            except libvirt.libvirtError as error:
                steps = [lambda: pool.isActive() and pool.destroy(), pool.undefine]
                if missing:
                    steps.insert(1, lambda: pool.delete(0))
                raise undone(error, f"storage pool {pool.name()!r}", *steps) from error
            uuid: str = pool.UUIDString()
            return uuid

    def delete_pool(self, uuid: str) -> None:
        """Stop a pool and undefine it; its volumes stay where they are."""
        with self.pool(uuid) as pool:
            was_active, persistent = pool.isActive(), pool.isPersistent()
            if was_active:
                pool.destroy()
            try:
                if persistent:
                    pool.undefine()
            except libvirt.libvirtError as error:
                if not was_active:
                    raise
                raise undone(error, f"storage pool {pool.name()!r}, stopped", lambda: pool.create(0)) from error

    def refresh_pool(self, uuid: str) -> None:
        """Have libvirt look again what a pool holds."""
        with self.pool(uuid) as pool:
            pool.refresh(0)
        self._see_volumes(uuid)

    def _see_volumes(self, pool: str) -> None:
        """Have the inventory show a pool and its volumes as they are now."""
        inventory = self._context.inventory
        inventory.refresh(pool, kind="pool")
        inventory.refresh_parts(VOLUMES, pool)

    def create_volume(self, pool: str, xml: str, name: str, work: Work) -> None:
        """Create a volume that is empty.

        How far it is can be told by what it has taken from the pool, where it is to take that at once.
        """
        with self.pool(pool) as found, self._watched(pool, name, work):
            work.set_leftover(f"storage volume {name!r}, unfinished")
            found.createXML(xml, 0)

    def copy_volume(
        self, pool: str, xml: str, name: str, source: tuple[str, str], work: Work, *, capacity: int | None = None
    ) -> None:
        """Create a volume with the content of another one, bytes for bytes; can be stopped and suspended.

        Parameters:
            xml: of the new volume, of the same format and size as the source.
            source: pool and name.
            capacity: bytes that it is to have in the end; None for those of the source.

        Raises:
            LibvirtError: `is_unsupported` where this driver cannot read volumes; nothing was done then.
        """
        with self.pool(pool) as found:
            origin = _volume(found.connect(), *source)
            total = _length(origin)
            incoming = found.connect().newStream(0)
            origin.download(incoming, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
            try:
                target = found.createXML(xml, 0)
            except libvirt.libvirtError:
                _abort(incoming)
                raise
            work.set_leftover(f"storage volume {name!r}, unfinished")
            outgoing = found.connect().newStream(0)
            try:
                target.upload(outgoing, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
                with work.stoppable():
                    _pump(incoming, outgoing, total, work)
                incoming.finish()
                outgoing.finish()
                if capacity is not None:
                    target.resize(capacity, 0)
            except (libvirt.libvirtError, WorkCancelledError) as error:
                _abort(incoming, outgoing)
                raise undone(error, f"storage volume {name!r}, unfinished", lambda: target.delete(0)) from error

    def convert_volume(self, pool: str, xml: str, name: str, source: tuple[str, str], work: Work) -> None:
        """Create a volume with the content of another one, in a format of its own; libvirt cannot stop that."""
        with self.pool(pool) as found, self._watched(pool, name, work, source):
            work.set_leftover(f"storage volume {name!r}, unfinished")
            found.createXMLFrom(xml, _volume(found.connect(), *source), 0)

    def volume_config(self, pool: str, name: str) -> VolumeConfig | None:
        """Give what libvirt says of a volume now; None where there is none of that name."""
        with self.pool(pool) as found:
            text = look_up(lambda: found.storageVolLookupByName(name).XMLDesc(0))
            return None if text is None else VolumeConfig.parse(text)

    def delete_volume(self, pool: str, name: str) -> None:
        """Delete a volume with its data."""
        with self.pool(pool) as found:
            found.storageVolLookupByName(name).delete(0)
            uuid = found.UUIDString()
        self._see_volumes(uuid)

    def resize_volume(self, pool: str, name: str, capacity: int, *, allocate: bool, shrink: bool) -> None:
        """Give a volume another size, in bytes."""
        flags = libvirt.VIR_STORAGE_VOL_RESIZE_ALLOCATE if allocate else 0
        flags |= libvirt.VIR_STORAGE_VOL_RESIZE_SHRINK if shrink else 0
        with self.volume(pool, name) as volume:
            volume.resize(capacity, flags)

    def wipe_volume(self, pool: str, name: str, algorithm: WipeAlgorithm) -> None:
        """Overwrite a volume."""
        with self.volume(pool, name) as volume:
            if algorithm is WipeAlgorithm.ZERO:
                volume.wipe(0)
            else:
                volume.wipePattern(algorithm, 0)

    def upload(self, pool: str, name: str, data: Reader, offset: int, length: int, work: Work) -> None:
        """Write to a volume; can be stopped and suspended, and what was written by then stays.

        Parameters:
            data: what to write.
            offset: the byte of the volume to begin at.
            length: of the data, in bytes.
        """
        with self.volume(pool, name) as volume:
            stream = volume.connect().newStream(0)
            volume.upload(stream, offset, length, 0)
            try:
                with work.stoppable():
                    done = 0
                    while chunk := data.read(_CHUNK):
                        work.checkpoint()
                        _send(stream, chunk)
                        done += len(chunk)
                        work.report(done, length)
                stream.finish()
            except (libvirt.libvirtError, WorkCancelledError, OSError):
                _abort(stream)
                raise

    def download(self, pool: str, name: str, data: Writer, offset: int, length: int, work: Work) -> None:
        """Read from a volume; can be stopped and suspended.

        Parameters:
            data: where what is read goes.
            offset: the byte of the volume to begin at.
            length: bytes to read; 0 for all up to the end.
        """
        with self.volume(pool, name) as volume:
            total = length or max(0, _length(volume) - offset)
            stream = volume.connect().newStream(0)
            volume.download(stream, offset, length, 0)
            try:
                with work.stoppable():
                    done = 0
                    while chunk := stream.recv(_CHUNK):
                        work.checkpoint()
                        data.write(chunk)
                        done += len(chunk)
                        work.report(done, total)
                stream.finish()
            except (libvirt.libvirtError, WorkCancelledError, OSError):
                _abort(stream)
                raise

    @contextlib.contextmanager
    def _watched(self, pool: str, name: str, work: Work, source: tuple[str, str] | None = None) -> Iterator[None]:
        """Report how far a call is that fills a volume, by what the volume has taken from the pool so far."""
        over = threading.Event()

        def watch() -> None:
            if over.wait(_POLL_INTERVAL):
                return
            with self._context.connections.connection() as connection:
                found = _pool(connection, pool)
                total = 0 if source is None else _volume(connection, *source).info()[2]
                while not over.wait(_POLL_INTERVAL):
                    with contextlib.suppress(libvirt.libvirtError):
                        _type, capacity, allocation = found.storageVolLookupByName(name).info()
                        # It is done when the call returns, and not when the last byte is there.
                        work.report(min(allocation, (total or capacity) * 99 // 100), total or capacity)

        def run() -> None:
            try:
                watch()
            except (libvirt.libvirtError, LibvirtError) as error:
                _log.debug("how far volume %r is cannot be told: %s", name, error)

        watcher = threading.Thread(target=run, name="volume-progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()


def _pool(connection: libvirt.virConnect, name_or_uuid: str) -> libvirt.virStoragePool:
    try:
        return connection.storagePoolLookupByUUIDString(name_or_uuid)
    except libvirt.libvirtError:
        return connection.storagePoolLookupByName(name_or_uuid)


def _volume(connection: libvirt.virConnect, pool: str, name: str) -> libvirt.virStorageVol:
    return _pool(connection, pool).storageVolLookupByName(name)


def _build_flags(kind: str, overwrite: bool) -> int:
    if kind not in _BUILD_MAY_OVERWRITE:
        return 0
    flags: int = libvirt.VIR_STORAGE_POOL_BUILD_OVERWRITE if overwrite else libvirt.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE
    return flags


def _length(volume: libvirt.virStorageVol) -> int:
    """The bytes of what holds a volume: the length of its file."""
    try:
        length: int = volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2]
    except libvirt.libvirtError:
        length = volume.info()[1]
    return length


def _pump(incoming: libvirt.virStream, outgoing: libvirt.virStream, total: int, work: Work) -> None:
    """Copy what one stream gives into another one, holes as holes."""
    done = 0
    while True:
        work.checkpoint()
        chunk = incoming.recvFlags(_CHUNK, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
        if isinstance(chunk, int):
            # A stream that waits gives no other number than that of a hole, -3.
            hole = incoming.recvHole()
            outgoing.sendHole(hole)
            done += hole
        elif chunk:
            _send(outgoing, chunk)
            done += len(chunk)
        else:
            return
        work.report(done, total)


def _send(stream: libvirt.virStream, data: bytes) -> None:
    while data:
        data = data[stream.send(data) :]


def _abort(*streams: libvirt.virStream) -> None:
    """Close streams whose work is given up; one that is closed already is no error."""
    for stream in streams:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()

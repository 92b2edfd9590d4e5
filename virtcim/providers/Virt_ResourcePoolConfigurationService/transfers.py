"""Writing to volumes and reading from them, through streams.

The data come from the request and go into the answer, or come from and go to a file below the directory that the
administrator has set aside: a server that runs as root must not open whatever path a client names.
"""

from __future__ import annotations

import base64
import binascii
import errno
import io
import os
from pathlib import Path
from typing import BinaryIO

from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work, WorkCancelledError
from virtcim.providers.interface import (
    CIMError,
    MethodResult,
    Parameters,
    RequestContext,
    Status,
)
from virtcim.providers.jobs import Effect
from virtcim.providers.values import number_of, text_of
from virtcim.providers.Virt_ResourcePoolConfigurationService.settings import reference
from virtcim.providers.Virt_ResourcePoolConfigurationService.Virt_ResourcePoolConfigurationService import (
    ResourcePoolConfigurationService,
    VolumeCode,
    check_writable,
    refused,
)
from virtcim.providers.Virt_ResourcePoolConfigurationService.volumes import (
    refresh_volumes,
    refuse_in_use,
    volume_at,
)

__all__ = ["download_volume", "upload_volume"]

_MOST_INLINE = 1 << 20
"""Bytes that one answer can carry: it is made in memory, and a client can ask again for what follows."""


def upload_volume(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """UploadVolume: the given data or a file of this host, written to a volume."""
    path = reference(parameters, "Volume")
    volume = volume_at(service, path)
    check_writable(volume.pool.hypervisor)
    text, name = text_of(parameters.get("Data"), "Data"), text_of(parameters.get("File"), "File")
    if (text is None) == (name is None):
        raise CIMError(Status.INVALID_PARAMETER, "Either `Data' or `File' is to be given")
    offset = number_of(parameters.get("Offset"), "Offset") or 0
    source: BinaryIO
    if name is None:
        data = _decoded(str(text))
        length, source = len(data), io.BytesIO(data)
    else:
        place = service.site.settings.transfer_directory
        if place is None:
            return MethodResult(VolumeCode.NOT_SUPPORTED)
        source = _opened(place, name, os.O_RDONLY)
        length = os.fstat(source.fileno()).st_size
    try:
        if not length:
            raise CIMError(Status.INVALID_PARAMETER, "There is nothing to upload")
        if volume.config.physical is not None and offset > volume.config.physical:
            raise CIMError(Status.INVALID_PARAMETER, f"`Offset' is beyond the end, {volume.config.physical}")
        refuse_in_use(volume, "Unable to upload to storage volume")
    except CIMError:
        source.close()
        raise

    def run(work: Work) -> MethodResult:
        with source:
            try:
                volume.pool.hypervisor.storage.upload(
                    volume.pool.record.uuid, volume.volume.name, source, offset, length, work
                )
            except LibvirtError as error:
                return refused("Unable to upload to storage volume", error)
            except OSError as error:
                raise CIMError(Status.FAILED, f"Unable to upload to storage volume: {error.strerror}") from error
        refresh_volumes(volume.pool)
        return MethodResult(VolumeCode.COMPLETED)

    try:
        return service.do("UploadVolume", context, run, [path], Effect.ELEMENT_INTEGRITY)
    except CIMError:
        source.close()
        raise


def download_volume(
    service: ResourcePoolConfigurationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """DownloadVolume: a part of a volume as data, or into a new file of this host."""
    path = reference(parameters, "Volume")
    volume = volume_at(service, path)
    check_writable(volume.pool.hypervisor)
    offset = number_of(parameters.get("Offset"), "Offset") or 0
    length = number_of(parameters.get("Length"), "Length") or 0
    name = text_of(parameters.get("File"), "File")
    storage, pool, own_name = volume.pool.hypervisor.storage, volume.pool.record.uuid, volume.volume.name
    if name is None:
        size = volume.config.physical or volume.config.capacity or 0
        if (length or max(0, size - offset)) > _MOST_INLINE:
            raise CIMError(
                Status.INVALID_PARAMETER, f"`Length' is more than one answer can carry, {_MOST_INLINE} bytes"
            )
        data = io.BytesIO()
        try:
            storage.download(pool, own_name, data, offset, length, Work())
        except LibvirtError as error:
            return refused("Unable to download storage volume", error)
        return MethodResult(VolumeCode.COMPLETED, {"Data": base64.b64encode(data.getvalue()).decode()})
    place = service.site.settings.transfer_directory
    if place is None:
        return MethodResult(VolumeCode.NOT_SUPPORTED)
    file = _below(place, name)
    if os.path.lexists(file):
        raise CIMError(Status.ALREADY_EXISTS, f"Unable to open `File' {name}: it exists already")

    def run(work: Work) -> MethodResult:
        with _opened(place, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as target:
            work.set_leftover(f"file {name!r}, unfinished")
            try:
                storage.download(pool, own_name, target, offset, length, work)
                target.flush()
            except LibvirtError as error:
                file.unlink(missing_ok=True)
                return refused("Unable to download storage volume", error)
            except OSError as error:
                file.unlink(missing_ok=True)
                raise CIMError(Status.FAILED, f"Unable to download storage volume: {error.strerror}") from error
            except WorkCancelledError:
                file.unlink(missing_ok=True)
                raise
        return MethodResult(VolumeCode.COMPLETED)

    return service.do("DownloadVolume", context, run, [path], Effect.PERFORMANCE_IMPACT)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise CIMError(Status.INVALID_PARAMETER, "`Data' is not Base64") from None


def _opened(place: Path, name: str, flags: int) -> BinaryIO:
    """A file below a directory, with no symbolic link leading out of it.

    Raises:
        CIMError: INVALID_PARAMETER for a path that leads elsewhere; NOT_FOUND when there is none; ALREADY_EXISTS when
            a new one is there; FAILED when it cannot be opened.
    """
    try:
        descriptor = os.open(_below(place, name), flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        kinds = {errno.ENOENT: Status.NOT_FOUND, errno.EEXIST: Status.ALREADY_EXISTS}
        status = kinds.get(error.errno or 0, Status.FAILED)
        raise CIMError(status, f"Unable to open `File' {name}: {error.strerror}") from None
    if not os.path.isfile(f"/proc/self/fd/{descriptor}"):
        os.close(descriptor)
        raise CIMError(Status.INVALID_PARAMETER, f"`File' {name} is not a file")
    return os.fdopen(descriptor, "wb" if flags & os.O_WRONLY else "rb")


def _below(place: Path, name: str) -> Path:
    """Where a file is whose path a client gives, relative to the directory or in full."""
    root = place.resolve()
    path = (root / name).parent.resolve() / Path(name).name
    if not path.is_relative_to(root) or path == root:
        raise CIMError(Status.INVALID_PARAMETER, f"`File' {name} is not below the directory for transfers")
    return path

"""What the drives of an appliance hold: taken out of its package, unpacked, converted.

Layer rule: imports its siblings and `libhelper.work`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from virtcim.images.appliances.description import Disk, File
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.images import ImageFile, check_image, check_parent, convert, format_of, virtual_size
from virtcim.images.appliances.machine import capacity_of
from virtcim.images.appliances.package import Package
from virtcim.libhelper.work import Work

__all__ = ["Contents", "whole_capacity", "whole_sectors"]

_CHUNK = 1 << 20
_SECTOR = 512
_SLACK = 64 << 20
"""Bytes that a packed image may be larger than its capacity once it is unpacked."""
_MOST_DISC = 16 << 30
"""Bytes that a packed disc, which has no capacity, may have once it is unpacked: the largest known have half of it."""


def whole_capacity(disk: Disk, properties: Mapping[str, str]) -> int:
    """Compute the capacity of a disk in bytes, in whole sectors.

    Parameters:
        properties: values by key, which a capacity may refer to.

    Raises:
        ApplianceError: it is none.
    """
    return whole_sectors(capacity_of(disk, properties))


def whole_sectors(size: int) -> int:
    """Round bytes up to whole sectors."""
    return -(-size // _SECTOR) * _SECTOR


class Contents:
    """The files of a package, out of the reach of others.

    Parameters:
        package: of which.
        scratch: a directory with room for the largest disk, twice, and once more for each parent that it holds
            differences to.  One new image is there at a time, for whoever asked for it to remove.
    """

    def __init__(self, package: Package, scratch: Path) -> None:
        self._package, self._scratch = package, scratch

    def convert(self, disk: Disk, capacity: int, wanted: str, part: Work) -> tuple[Path, int]:
        """Convert the image of a disk, with what it holds of its parents.

        Parameters:
            disk: one that is not empty.
            capacity: of the disk, in bytes.
            wanted: QEMU's word for the format.

        Returns:
            the new image, and the bytes of the disk that it holds: no more than the capacity.

        Raises:
            ApplianceError: it is not what it is said to be, or holds more.
        """
        target = self._scratch / "converted"
        with ExitStack() as unpacked:
            source = self._unpack_all(disk, capacity, part, unpacked)
            size = virtual_size(source)
            if size > capacity:
                raise ApplianceError(f"disk {disk.id!r}: holds {size} bytes; expected its capacity, {capacity}")
            convert(source, target, wanted, part, most=capacity)
        return target, size

    def _unpack_all(self, disk: Disk, capacity: int, part: Work, unpacked: ExitStack) -> ImageFile:
        """Unpack and check the image of a disk and those of its parents, the last parent first.

        Parameters:
            capacity: of the disk, in bytes; no parent may unpack to more.
            unpacked: removes them.
        """
        appliance = self._package.appliance
        image: ImageFile | None = None
        for number, each in enumerate(reversed(appliance.content_of(disk))):
            file = appliance.files[each.file]
            path = self.unpack(file, capacity, part).rename(self._scratch / f"unpacked-{number}")
            unpacked.callback(path.unlink, missing_ok=True)
            kind = format_of(each.format)
            with path.open("rb") as data:
                check_image(data, file.href, kind, is_whole=image is None)
            image = ImageFile(path, kind, image, file.href)
            check_parent(image)
        assert image is not None, "of an empty disk nothing is converted"
        return image

    def unpack(self, file: File, most: int | None, part: Work) -> Path:
        """Copy a file in one piece, unpacked.

        Parameters:
            most: bytes of the disk that it holds; None for a file that is no disk.

        Raises:
            ApplianceError: it cannot be unpacked, or becomes larger.
        """
        target = self._scratch / "unpacked"
        limit = None if file.compression == "identity" else _MOST_DISC if most is None else most + _SLACK
        with target.open("wb") as out, part.stoppable():
            for name in self._package.parts(file) if file.compression == "identity" else ():
                with self._package.open(name) as data:
                    _copy(data, out, part.checkpoint, limit)
        if file.compression == "gzip":
            self._gunzip(file, target, limit, part)
        return target

    def _gunzip(self, file: File, target: Path, limit: int | None, part: Work) -> None:
        packed = self._scratch / "packed"
        with packed.open("wb") as out, part.stoppable():
            for name in self._package.parts(file):
                with self._package.open(name) as data:
                    _copy(data, out, part.checkpoint, None)
        try:
            with gzip.open(packed) as data, target.open("wb") as out, part.stoppable():
                _copy(data, out, part.checkpoint, limit)  # type: ignore[arg-type]
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise ApplianceError(f"file {file.href!r}: cannot be unpacked; expected gzip") from None
        finally:
            packed.unlink(missing_ok=True)


def _copy(source: BinaryIO, target: BinaryIO, checkpoint: Callable[[], object], most: int | None) -> None:
    left = most
    while chunk := source.read(_CHUNK):
        checkpoint()
        if left is not None:
            left -= len(chunk)
            if left < 0:
                raise ApplianceError("image: unpacks to more than its capacity; expected less")
        target.write(chunk)

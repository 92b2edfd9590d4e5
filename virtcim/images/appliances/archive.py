"""The members of an OVA: a tar archive (POSIX ustar), of which only plain files with plain names are taken.

The standard library reads far more than that, and what an archive says of itself into memory without a bound.

Layer rule: imports `errors` of this package.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from virtcim.images.appliances.errors import ApplianceError
from virtcim.immutable import immutable

__all__ = ["Member", "Slice", "check_name", "list_members"]

_BLOCK = 512
_MOST_NAME = 1024
"""Bytes that a name may have: what file systems take, with room for folders."""
_HEADERS_OF_FILE = 4
"""Headers that a file may have on average: its own, those that say more of it, those of directories."""
_MOST_EXTENSION = 64 * 1024
"""Bytes that a header may have which says more of the next member."""
_MOST_EXTENDED = 4 << 20
"""Bytes that all of these may have: four times what the longest names of all files take."""
_MOST_DIGITS = 8
"""Digits that the length of a record of such a header may have, with the blank behind it."""
_KINDS = {
    b"1": "a link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"S": "a sparse file",
    b"D": "a listing",
    b"M": "a part of a file",
    b"V": "a label",
}


@immutable
class Member:
    """A file in an archive: its name, and where it lies in bytes."""

    name: str
    offset: int
    size: int


class Slice(io.RawIOBase):
    """A part of a file, read as if it were a file of its own; closes the file with it.

    Parameters:
        file: that nobody else reads.
        offset, size: of the part, in bytes.
    """

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        super().__init__()
        self._file, self._offset, self._size, self._place = file, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + place)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        count = min(len(buffer), max(0, self._size - self._place))
        self._file.seek(self._offset + self._place)
        data = self._file.read(count)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def check_name(name: str) -> str:
    """Give a name back that stays within its package.

    Raises:
        ApplianceError: it leads out of it, or is none.
    """
    parts = name.split("/")
    if not name or len(name.encode("utf-8", "surrogateescape")) > _MOST_NAME or not name.isprintable():
        raise ApplianceError(f"file {name[:80]!r}: is no name; expected one of printable characters")
    if name.startswith("/") or "\\" in name or not all(part.strip(".") for part in parts):
        raise ApplianceError(f"file {name[:80]!r}: leads out of the package; expected a name within it")
    return name


def list_members(file: BinaryIO, most: int) -> list[Member]:
    """Read what an archive holds, without its content.

    Parameters:
        file: the archive, which can be searched.
        most: files that it may hold.

    Raises:
        ApplianceError: it is no such archive, or holds something else than plain files with names of their own.
    """
    members: dict[str, Member] = {}
    for member in _walk(file, most * _HEADERS_OF_FILE):
        if member.name in members:
            raise ApplianceError(f"file {member.name!r}: is in the archive twice; expected names of their own")
        if len(members) >= most:
            raise ApplianceError(f"archive: holds more than {most} files; expected fewer")
        members[member.name] = member
    if not members:
        raise ApplianceError("archive: holds no files; expected a descriptor and what it refers to")
    return list(members.values())


def _walk(file: BinaryIO, most: int) -> Iterator[Member]:
    """The files of an archive, one after the other.

    Parameters:
        most: headers that are read: those of directories and extensions hold no files, and could go on for ever.
    """
    end = file.seek(0, io.SEEK_END)
    place, told, count, extended = 0, dict[str, str](), 0, 0
    while place + _BLOCK <= end:
        file.seek(place)
        header = file.read(_BLOCK)
        if not header.strip(b"\0"):
            return
        count += 1
        if count > most:
            raise ApplianceError(f"archive: has more than {most} headers; expected fewer")
        _check_header(header, place)
        kind, size = header[156:157], _number(header[124:136], place)
        name = told.pop("path", None) or _name(header)
        if kind not in (b"x", b"g", b"L") and "size" in told:
            size = _decimal(told.pop("size"), place)
        place += _BLOCK
        if place + size > end:
            raise ApplianceError(f"archive: ends within {name[:80]!r}; expected {size} bytes of it")
        if kind in (b"x", b"g", b"L"):
            if size > _MOST_EXTENSION:
                raise ApplianceError(f"archive: a header of {size} bytes; expected no more than {_MOST_EXTENSION}")
            extended += size
            if extended > _MOST_EXTENDED:
                raise ApplianceError(f"archive: headers of more than {_MOST_EXTENDED} bytes; expected fewer")
            told |= _extension(kind, file.read(size))
        elif kind in (b"0", b"\0", b"7"):
            yield Member(check_name(name.removeprefix("./")), place, size)
        elif kind != b"5":
            raise ApplianceError(f"archive: {name[:80]!r} is {_KINDS.get(kind, 'of an unknown kind')}; expected a file")
        place += -(-size // _BLOCK) * _BLOCK
    raise ApplianceError("archive: its end is missing; expected two empty blocks")


def _check_header(header: bytes, place: int) -> None:
    told = _number(header[148:156], place)
    blank = header[:148] + b" " * 8 + header[156:]
    if told not in (sum(blank), sum(byte - 256 if byte > 127 else byte for byte in blank)):
        raise ApplianceError(f"archive: no header at byte {place}; expected a tar archive")


def _number(field: bytes, place: int) -> int:
    """A number of a header: octal, or binary where it is too large for that."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.strip(b" \0")
    if not text:
        return 0
    if not set(text) <= set(b"01234567"):
        raise ApplianceError(f"archive: no number in the header at byte {place}; expected a tar archive")
    return int(text, 8)


def _decimal(text: str, place: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ApplianceError(f"archive: no size in the header before byte {place}; expected a number")
    return int(text)


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "surrogateescape")


def _extension(kind: bytes, data: bytes) -> dict[str, str]:
    """What a header says of the next member: its name and its size.

    What one says of all that follow (`g`) is left out: neither can hold for several files.
    """
    if kind == b"L":
        return {"path": data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")}
    found = {}
    data, place = data.rstrip(b"\0"), 0
    while place < len(data):
        length, _, _ = data[place : place + _MOST_DIGITS].partition(b" ")
        end = place + int(length) if length.isdigit() else 0
        if not place + len(length) + 3 <= end <= len(data):
            raise ApplianceError("archive: a header that cannot be read; expected a tar archive")
        record, place = data[place + len(length) + 1 : end], end
        key, _, value = record.removesuffix(b"\n").partition(b"=")
        if key.startswith(b"GNU.sparse"):
            raise ApplianceError("archive: holds a sparse file; expected plain files")
        if kind == b"x" and key in (b"path", b"size"):
            found[key.decode()] = value.decode("utf-8", "surrogateescape")
    return found

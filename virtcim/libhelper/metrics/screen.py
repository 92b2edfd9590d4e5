"""A small picture of a guest's screen.

libvirt hands over what the hypervisor makes: QEMU a portable pixmap, which is made smaller and written as PNG here;
others PNG, which is handed on as it is.

Layer rule: imports libvirt and errors.
"""

from __future__ import annotations

import contextlib
import re
import struct
import zlib

import libvirt

__all__ = ["take_picture", "to_png"]

_MOST_BYTES = 64 << 20
"""Of what the hypervisor sends: a screen of 4096 x 4096 points has 48 MiB."""
_CHUNK = 256 << 10
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXMAP = re.compile(rb"P6(?:\s|#[^\n]*\n)+(\d{1,5})\s+(\d{1,5})\s+255\s")


def take_picture(connection: libvirt.virConnect, uuid: str, width: int) -> bytes | None:
    """Take a picture of a running guest's first screen.

    Parameters:
        connection: to ask over.
        uuid: of the guest.
        width: points that it has at most.

    Returns:
        a PNG; None for a format that is not known here.

    Raises:
        libvirt.libvirtError: it has no screen, or does not run.
    """
    domain = connection.lookupByUUIDString(uuid)
    stream = connection.newStream(0)
    domain.screenshot(stream, 0, 0)
    received = bytearray()
    try:
        while len(received) <= _MOST_BYTES:
            piece = stream.recv(_CHUNK)
            if not piece:
                break
            received += piece
    except libvirt.libvirtError:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        raise
    if len(received) > _MOST_BYTES:
        stream.abort()
        return None
    stream.finish()
    return to_png(bytes(received), width)


def to_png(picture: bytes, width: int) -> bytes | None:
    """Make a PNG of a portable pixmap, no wider than wanted; what is a PNG already stays as it is.

    Parameters:
        picture: what libvirt sent.
        width: points.

    Returns:
        None for a format that is not known here, and for a picture that is cut off.
    """
    if picture.startswith(_SIGNATURE):
        return picture
    head = _PIXMAP.match(picture)
    if head is None:
        return None
    across, down = int(head[1]), int(head[2])
    points = picture[head.end() :]
    if not across or not down or len(points) < 3 * across * down:
        return None
    step = max(1, -(-across // width))
    rows = (points[3 * across * row : 3 * across * (row + 1)] for row in range(0, down, step))
    return _png([_every(row, step) for row in rows])


def _every(row: bytes, step: int) -> bytes:
    """Take every `step`th point of a row."""
    if step == 1:
        return row
    thin = bytearray(3 * len(range(0, len(row) // 3, step)))
    for colour in range(3):
        thin[colour::3] = row[colour :: 3 * step]
    return bytes(thin)


def _png(rows: list[bytes]) -> bytes:
    """Write rows of red, green and blue as PNG (ISO/IEC 15948, 11.2)."""
    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

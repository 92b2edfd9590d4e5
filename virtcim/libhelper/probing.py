"""Finding out whether libvirt's daemon answers at all, before a thread is given to an open that may never end.

It takes no thread: as many daemons as hang can be asked.

Layer rule: imports connections and nothing else of this project.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from virtcim.libhelper.connections import socket_path

__all__ = ["Resolve", "address_of", "hangs"]

Resolve = Callable[[str, int], Awaitable[tuple[str, int]]]
"""Finds the address of a host, given its name and the port."""

_PORTS = {"tcp": 16509, "tls": 16514}

_AUTH_LIST = struct.pack(">IIIIIII", 28, 0x20008086, 1, 66, 0, 0, 0)
"""The first message of libvirt's own protocol (remote_protocol.x): length, program, version, procedure, type, serial,
status; the procedure is REMOTE_PROC_AUTH_LIST, which authentication there is."""


async def hangs(uri: str, resolve: Resolve, timeout: float) -> bool:
    """Tell whether a daemon takes connections and does not answer, or its host does not.

    Parameters:
        uri: of libvirt; a daemon is asked over a socket, TCP or TLS that the URI names.  Any other way is not tried.
        resolve: finds the address of a host.
        timeout: seconds to wait.

    Returns:
        False where it answers, be it by a refusal; where nothing is there; and where that was not tried.
    """
    parts = urlsplit(uri)
    transport = parts.scheme.partition("+")[2]
    path = socket_path(uri)
    try:
        async with asyncio.timeout(timeout):
            if path is not None and transport in ("", "unix"):
                await _ask(*await asyncio.open_unix_connection(path))
            elif transport in _PORTS and parts.hostname:
                address, port = await resolve(parts.hostname, parts.port or _PORTS[transport])
                if transport == "tcp":
                    await _ask(*await asyncio.open_connection(address, port))
                else:
                    await _greet(address, port, parts.hostname)
    except TimeoutError:
        return True
    except (OSError, ValueError):
        return False  # libvirt finds the better words
    return False


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Wait for the first bytes of an answer, or the end."""
    try:
        writer.write(_AUTH_LIST)
        await reader.read(4)
    finally:
        writer.close()


async def _greet(address: str, port: int, name: str) -> None:
    """Wait for the end of a TLS handshake, however it ends: whom to trust is libvirt's business."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLError):
        _reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
        writer.close()


def address_of(host: str, port: int) -> tuple[str, int]:
    """Find the address of a host; blocks as long as the name server does.

    Raises:
        OSError: there is none.
    """
    address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
    return str(address[0]), int(address[1])

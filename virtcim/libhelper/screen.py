"""A graphical console of a guest as a stream of bytes: what its VNC server speaks.

The hypervisor hands over a socket of its own, so that no port has to be reached and no password is needed: whoever
opens it has to know that the user may see the screen.

Layer rule: imports libvirt, connections and errors.
"""

from __future__ import annotations

import contextlib
import os
import socket
from types import TracebackType
from typing import Self

import libvirt

from virtcim.libhelper.connections import close_connection, open_connection
from virtcim.libhelper.errors import translated

__all__ = ["GraphicalConsole"]

_CHUNK = 64 * 1024


class GraphicalConsole:
    """A screen that is open until the block ends.

    Parameters:
        uri: the libvirt URI, of this host: a socket cannot be handed over by a network.
        domain: the UUID of the guest.
        number: which of its graphical consoles.

    Raises:
        LibvirtError: it cannot be opened.
    """

    def __init__(self, uri: str, domain: str, number: int = 0) -> None:
        # A connection of its own: beside the stream of a serial console the call never ends.
        connection = open_connection(uri)
        try:
            with translated():
                guest = connection.lookupByUUIDString(domain)
                handle = guest.openGraphicsFD(number, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
        finally:
            close_connection(connection)
        try:
            self._socket = socket.socket(fileno=handle)
        except OSError:
            os.close(handle)
            raise

    def read(self) -> bytes:
        """Wait for what the guest sends; b"" at the end."""
        try:
            return self._socket.recv(_CHUNK)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """Send to the guest.

        Raises:
            OSError: the console is gone.
        """
        self._socket.sendall(data)

    def close(self) -> None:
        """End it; whoever waits for it goes on."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

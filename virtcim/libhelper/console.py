"""A serial console of a guest as a stream of bytes.

The stream waits in libvirt's event loop, on a connection of its own: a call that waits would hold up every other one on
its connection.

Layer rule: imports libvirt, connections, errors and events.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from types import TracebackType
from typing import Any, Self

import libvirt

from virtcim.libhelper.connections import close_connection, open_connection
from virtcim.libhelper.errors import translated

__all__ = ["MOST_UNREAD", "SerialConsole"]

MOST_UNREAD = 1024 * 1024
"""Bytes that wait to be read.  A guest may write for ever, and libvirt itself would keep without end what is not taken
from it; a terminal that shows less than all shows what came last."""

_CHUNK = 4096
_WOULD_WAIT = -2
_RETRY_SECONDS = 0.02
_READABLE = libvirt.VIR_STREAM_EVENT_READABLE
_OVER = libvirt.VIR_STREAM_EVENT_ERROR | libvirt.VIR_STREAM_EVENT_HANGUP


class SerialConsole:
    """A console that is open until the block ends.

    Parameters:
        uri: the libvirt URI.
        domain: the UUID of the guest.
        device: the alias of the console; None for the first one.
        force: take it away from another client.

    Attributes:
        left_out: bytes that nobody read in time.

    Raises:
        LibvirtError: it cannot be opened.
    """

    def __init__(self, uri: str, domain: str, device: str | None = None, *, force: bool = False) -> None:
        self.left_out = 0
        self._received: deque[bytes] = deque()
        self._unread = 0
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._connection = open_connection(uri)
        try:
            with translated():
                self._stream = self._connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
                flags = libvirt.VIR_DOMAIN_CONSOLE_FORCE if force else libvirt.VIR_DOMAIN_CONSOLE_SAFE
                guest = self._connection.lookupByUUIDString(domain)
                try:
                    guest.openConsole(device, self._stream, flags)
                except libvirt.libvirtError:
                    if force:
                        raise
                    # Some drivers cannot promise that nobody else has it.
                    self._stream = self._connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
                    guest.openConsole(device, self._stream, 0)
                self._stream.eventAddCallback(_READABLE | _OVER, self._on_event, None)
        except BaseException:
            close_connection(self._connection)
            raise

    def read(self, timeout: float | None = None) -> bytes | None:
        """Wait for what the guest writes.

        Parameters:
            timeout: seconds; None to wait as long as it takes.

        Returns:
            b"" at the end; None when there was nothing in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._received or self._closed.is_set(), timeout):
                return None
            if not self._received:
                return b""
            piece = self._received.popleft()
            self._unread -= len(piece)
            return piece

    def write(self, data: bytes) -> None:
        """Send to the guest; what it cannot take at once is sent as soon as it can.

        Raises:
            LibvirtError: the console is gone.
        """
        with translated():
            while data and not self._closed.is_set():
                sent = self._stream.send(data)
                if sent == _WOULD_WAIT:
                    self._closed.wait(_RETRY_SECONDS)
                else:
                    data = data[sent:]

    def close(self) -> None:
        """End it; whoever waits for it goes on."""
        self._end()
        with contextlib.suppress(libvirt.libvirtError):
            self._stream.eventRemoveCallback()
        with contextlib.suppress(libvirt.libvirtError):
            self._stream.abort()
        close_connection(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _on_event(self, stream: libvirt.virStream, events: int, opaque: Any) -> None:
        """Take what has come; called by libvirt's event loop."""
        if events & _READABLE:
            with contextlib.suppress(libvirt.libvirtError):
                piece = self._stream.recv(_CHUNK)
                if isinstance(piece, bytes):
                    if piece:
                        self._keep(piece)
                    else:
                        self._end()
                return
        self._end()

    def _keep(self, piece: bytes) -> None:
        """Keep what has come until it is read, and of much that is not what came last."""
        with self._changed:
            self._received.append(piece)
            self._unread += len(piece)
            while self._unread > MOST_UNREAD:
                left = len(self._received.popleft())
                self._unread -= left
                self.left_out += left
            self._changed.notify_all()

    def _end(self) -> None:
        if not self._closed.is_set():
            with self._changed:
                self._closed.set()
                self._changed.notify_all()
            with contextlib.suppress(libvirt.libvirtError):
                self._stream.eventRemoveCallback()

"""A serial console of a guest as a stream of bytes.

The stream waits in libvirt's event loop, on a connection of its own: a call that waits would hold up every other one on
its connection.

Layer rule: imports libvirt, connections, errors and events.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from types import TracebackType
from typing import Any, Self

import libvirt

from virtcim.libhelper.connections import close_connection, open_connection
from virtcim.libhelper.errors import translated

__all__ = ["SerialConsole"]

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

    Raises:
        LibvirtError: it cannot be opened.
    """

    def __init__(self, uri: str, domain: str, device: str | None = None, *, force: bool = False) -> None:
        self._received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
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
        try:
            return self._received.get(timeout=timeout)
        except queue.Empty:
            return None

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
                        self._received.put(piece)
                    else:
                        self._end()
                return
        self._end()

    def _end(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._received.put(b"")
            with contextlib.suppress(libvirt.libvirtError):
                self._stream.eventRemoveCallback()

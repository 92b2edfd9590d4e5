"""A daemon that misbehaves as told: greets, takes a request, and answers with given bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from virtcim.frontends.cmpi.codec import greeting

__all__ = ["FakeDaemon"]

Behaviour = Callable[[socket.socket, bytes], None]
"""Gets the connection and the request's body."""


def _frame(connection: socket.socket) -> bytes:
    header = connection.recv(4, socket.MSG_WAITALL)
    if len(header) < 4:
        raise EOFError
    return connection.recv(int.from_bytes(header, "big"), socket.MSG_WAITALL)


class FakeDaemon:
    """Serves one request per connection.

    Parameters:
        path: of the socket.
        behave: answers a request; the connection is closed when it returns.
        hello: what is sent for a greeting; None: nothing, and the connection stays open.
        threads: connections served at one time.

    Attributes:
        requests: how many came.
    """

    def __init__(self, path: Path, behave: Behaviour, hello: bytes | None = greeting("fake"), threads: int = 2) -> None:
        self._behave = behave
        self._hello = hello
        self.requests = 0
        self._lock = threading.Lock()
        self.ended = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._listener.bind(str(path))
        self._listener.listen(128)
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> FakeDaemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(60)

    def _run(self) -> None:
        while not self.ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, EOFError):
                _frame(connection)
                if self._hello is None:
                    self.ended.wait(60)
                    continue
                connection.sendall(self._hello)
                request = _frame(connection)
                with self._lock:
                    self.requests += 1
                self._behave(connection, request)

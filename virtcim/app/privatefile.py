"""A file of a log that only its owner can read."""

from __future__ import annotations

import contextlib
import os

__all__ = ["PrivateFile"]


class PrivateFile:
    """A file of lines that only its owner can read; one that was rotated away is made anew.

    Parameters:
        path: the file.

    Raises:
        OSError: it cannot be written.  A FIFO that nobody reads is no such file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._at_line = True
        self._open()

    def write(self, data: memoryview) -> int:
        """Write some bytes of lines; how many, as `os.write`.

        Raises:
            OSError: they cannot be written at the moment.
        """
        if self._at_line and not self._is_there():
            self.close()
            self._open()
        size = os.write(self._descriptor, data)
        self._at_line = size > 0 and data[size - 1] == ord("\n")
        return size

    def close(self) -> None:
        """Write no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        # Else a FIFO would be waited for until somebody reads.
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
        os.set_blocking(self._descriptor, True)

    def _is_there(self) -> bool:
        """Whether the path still leads to what is open."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        return False

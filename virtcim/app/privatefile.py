"""A file of a log that only its owner can read."""

from __future__ import annotations

import os
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler

__all__ = ["PrivateFile"]


class PrivateFile(WatchedFileHandler):
    """A file that only its owner can read; one that was rotated away is made anew."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(descriptor, "a", encoding="utf-8")

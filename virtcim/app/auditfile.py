"""The audit log in a file of its own."""

from __future__ import annotations

import logging
import logging.handlers
import os
from io import TextIOWrapper

from virtcim.cimom.audit import LOGGER

__all__ = ["open_audit_log"]


class _PrivateFile(logging.handlers.WatchedFileHandler):
    """A file that only its owner can read; one that was rotated away is made anew."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(descriptor, "a", encoding="utf-8")


def open_audit_log(file: str) -> None:
    """Write the audit log whatever the level of the log is: to a file, or to where the log goes.

    Parameters:
        file: path; "" for none.

    Raises:
        OSError: the file cannot be written.
    """
    LOGGER.setLevel(logging.INFO)
    if file:
        handler = _PrivateFile(file)
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOGGER.addHandler(handler)
        LOGGER.propagate = False

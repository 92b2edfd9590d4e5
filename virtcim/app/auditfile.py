"""The audit log in a file of its own."""

from __future__ import annotations

import logging

from virtcim.cimom.audit import LOGGER

__all__ = ["open_audit_log"]


def open_audit_log(file: str) -> None:
    """Write the audit log whatever the level of the log is: to a file, or to where the log goes.

    Parameters:
        file: path; "" for none.

    Raises:
        OSError: the file cannot be written.
    """
    LOGGER.setLevel(logging.INFO)
    if file:
        # Here, since most servers have none.
        from virtcim.app.privatefile import PrivateFile

        handler = PrivateFile(file)
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOGGER.addHandler(handler)
        LOGGER.propagate = False

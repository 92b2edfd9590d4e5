"""Where the audit log goes."""

from __future__ import annotations

import logging

from virtcim.app.logs import log_writer
from virtcim.app.logwriter import LogWriter
from virtcim.app.privatefile import PrivateFile
from virtcim.cimom.audit import LOGGER, line_of, lines_left_out

__all__ = ["open_audit_log"]

log = logging.getLogger(__name__)


def open_audit_log(file: str) -> None:
    """Write the audit log whatever the level of the log is: to a file, or to where the log goes.

    Parameters:
        file: path; "" for none.

    Raises:
        OSError: the file cannot be written.
    """
    LOGGER.setLevel(logging.INFO)
    writer = log_writer()
    if writer is not None:
        writer.essential = LOGGER.name
    if file:
        LOGGER.addHandler(_AuditWriter(file))
        LOGGER.propagate = False


class _AuditWriter(LogWriter):
    """Writes the audit log to a file, and what the file does not take to the log.

    Parameters:
        path: of the file.
    """

    def __init__(self, path: str) -> None:
        super().__init__(PrivateFile(path).write)
        self.essential = LOGGER.name
        self._path = path
        self.setFormatter(logging.Formatter("%(message)s"))

    def leave_out(self, record: logging.LogRecord) -> None:
        logging.getLogger().handle(record)

    def tell_left_out(self, number: int) -> logging.LogRecord:
        return lines_left_out(number)

    def tell_stuck(self, reason: str) -> None:
        if reason:
            text = "audit_file: %s: %s; expected a file that can be written: lines wait, and go to the log when many do"
            log.error(text, self._path, reason)
        else:
            log.warning("audit_file: %s: is written again", self._path)

    def close(self) -> None:
        """Take no lines any more, and write to the log what the file has not taken."""
        for line in self.remaining():
            logging.getLogger().handle(line_of(line.decode().rstrip("\n")))
        super().close()

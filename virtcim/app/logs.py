"""Log lines that tell which request they belong to, as text or as JSON."""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any

from virtcim.app.logwriter import LogWriter
from virtcim.cimom.requestid import request_id

__all__ = [
    "JSONFormatter",
    "RequestIdFilter",
    "TextFormatter",
    "configure_logging",
    "log_what_python_tells",
    "log_writer",
    "recent_troubles",
]

STDERR = 2
"""Its descriptor: the lock of `sys.stderr`, which a write that waits would hold, is waited for by the end of the
process."""

LINE_LIMIT = 64 * 1024
"""Characters of one message: more than the longest line of the audit log."""

TEXT_FORMAT = "%(levelname)s %(name)s%(request)s: %(message)s"

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""From levels to syslog's priorities, which sd-daemon(3) has before a line; 7, debug, below all of them."""

TROUBLES = 20
"""Warnings and errors that are kept for `virtcim status`."""

_log = logging.getLogger(__name__)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "taskName"}


class RequestIdFilter(logging.Filter):
    """Gives each record `request`: " [17]" inside of request 17, "" elsewhere.  To be put on handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        number = request_id.get()
        record.request = f" [{number}]" if number else ""
        return True


def _escaped(text: str) -> str:
    """A text with what does not print (line ends, control and direction characters) as escape sequences."""
    if len(text) > LINE_LIMIT:
        text = f"{text[:LINE_LIMIT]}... ({len(text)} characters)"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class TextFormatter(logging.Formatter):
    """One line of text.  No value can begin another one: line ends in it are escaped, trace backs are indented.

    Parameters:
        journal: for the journal of systemd, which knows the time, and is told the priority of each line.
    """

    def __init__(self, journal: bool = False) -> None:
        super().__init__(TEXT_FORMAT if journal else f"%(asctime)s {TEXT_FORMAT}")
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return _with_priority(text, record.levelno) if self._journal else text

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = _escaped(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    return "\n".join(f"    {_escaped(line)}" for line in text.splitlines())


def _with_priority(text: str, level: int) -> str:
    """Begin each line of a text with the priority of its record, `<3>` for an error (sd-daemon(3))."""
    mark = f"<{next((priority for least, priority in _PRIORITIES if level >= least), 7)}>"
    return "\n".join(f"{mark}{line}" for line in text.split("\n"))


class JSONFormatter(logging.Formatter):
    """One JSON object in a line: time, level, logger, message, request, and whatever `extra` gave.

    Parameters:
        journal: for the journal of systemd: without the time, and with the priority before the object.
    """

    def __init__(self, journal: bool = False) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        now = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {} if self._journal else {"time": now}
        fields |= {
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage()[:LINE_LIMIT],
        }
        if number := request_id.get():
            fields["request"] = number
        fields.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        text = json.dumps(fields, default=str)
        return _with_priority(text, record.levelno) if self._journal else text


def is_journal(descriptor: int) -> bool:
    """Whether a descriptor leads to the journal: systemd says in JOURNAL_STREAM which device and inode that has."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class _Troubles(logging.Handler):
    """Keeps the last warnings and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: deque[dict[str, str]] = deque(maxlen=TROUBLES)

    def emit(self, record: logging.LogRecord) -> None:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds")
        try:
            message = record.getMessage()
        except Exception:  # its arguments do not fit; `LogWriter` tells more
            message = str(record.msg)
        message = _escaped(message[:1024])
        self.kept.append({"time": time, "level": record.levelname, "logger": record.name, "message": message})


_troubles = _Troubles()


def recent_troubles() -> list[dict[str, str]]:
    """List the last warnings and errors of the log, oldest first: time, level, logger and message of each."""
    return list(_troubles.kept)


def log_writer() -> LogWriter | None:
    """What writes the log to stderr; None where it goes elsewhere."""
    return next((each for each in logging.getLogger().handlers if isinstance(each, LogWriter)), None)


def configure_logging(level: str, structured: bool = False) -> None:
    """Log to stderr.

    Parameters:
        level: of the root logger.
        structured: lines of JSON instead of text.
    """
    writer = LogWriter(_write_to_stderr)
    writer.addFilter(RequestIdFilter())
    kind = JSONFormatter if structured else TextFormatter
    writer.setFormatter(kind(is_journal(STDERR)))
    # A process without stderr has some other file of its own by that descriptor.
    handlers: list[logging.Handler] = [_troubles] if sys.stderr is None else [writer, _troubles]
    logging.basicConfig(level=level.upper(), handlers=handlers)


def log_what_python_tells() -> None:
    """Log what Python itself would write to stderr, wherever it happens: warnings, and what nobody else can be told."""
    logging.captureWarnings(True)
    threading.excepthook = _log_ended_thread
    sys.unraisablehook = _log_unraisable


def _write_to_stderr(data: memoryview) -> int:
    try:
        return os.write(STDERR, data)
    except BlockingIOError:
        # Who started this process, or shares its stderr, does not want to wait.
        room = select.poll()
        room.register(STDERR, select.POLLOUT)
        room.poll()
        return 0


def _log_ended_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is not SystemExit:
        name = "(gone)" if ended.thread is None else ended.thread.name
        _log.critical("Thread %s has ended", name, exc_info=(ended.exc_type, _error(ended), ended.exc_traceback))


def _log_unraisable(failed: sys.UnraisableHookArgs) -> None:
    text = failed.err_msg or "Ignored an exception in"
    _log.error("%s: %r", text, failed.object, exc_info=(failed.exc_type, _error(failed), failed.exc_traceback))


def _error(arguments: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> BaseException:
    return arguments.exc_value or arguments.exc_type()

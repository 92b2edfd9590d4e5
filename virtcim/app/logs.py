"""Log lines that tell which request they belong to, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from virtcim.cimom.requestid import request_id

__all__ = ["JSONFormatter", "RequestIdFilter", "TextFormatter", "configure_logging"]

LINE_LIMIT = 64 * 1024
"""Characters of one message: more than the longest line of the audit log."""

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s%(request)s: %(message)s"

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
    """One line of text.  No value can begin another one: line ends in it are escaped, trace backs are indented."""

    def __init__(self) -> None:
        super().__init__(TEXT_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = _escaped(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    return "\n".join(f"    {_escaped(line)}" for line in text.splitlines())


class JSONFormatter(logging.Formatter):
    """One JSON object in a line: time, level, logger, message, request, and whatever `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage()[:LINE_LIMIT],
        }
        if number := request_id.get():
            fields["request"] = number
        fields.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def configure_logging(level: str, structured: bool = False) -> None:
    """Log to stderr.

    Parameters:
        level: of the root logger.
        structured: lines of JSON instead of text.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(JSONFormatter() if structured else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])

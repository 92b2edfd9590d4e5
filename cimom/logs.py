"""Log lines that tell which request they belong to, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from cimom.requestid import request_id

__all__ = ["JSONFormatter", "RequestIdFilter", "configure_logging"]

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s%(request)s: %(message)s"

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "taskName"}


class RequestIdFilter(logging.Filter):
    """Gives each record `request`: " [17]" inside of request 17, "" elsewhere.  To be put on handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        number = request_id.get()
        record.request = f" [{number}]" if number else ""
        return True


class JSONFormatter(logging.Formatter):
    """One JSON object in a line: time, level, logger, message, request, and whatever `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if number := request_id.get():
            fields["request"] = number
        fields.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str)


def configure_logging(level: str, structured: bool = False) -> None:
    """Log to stderr.

    Parameters:
        level: of the root logger.
        structured: lines of JSON instead of text.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(JSONFormatter() if structured else logging.Formatter(TEXT_FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler])

"""The number of the request that is being answered, for log lines and providers."""

from __future__ import annotations

import itertools
from contextvars import ContextVar

__all__ = ["next_request_id", "request_id"]

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The request of the current task or worker thread; "" outside of requests."""

_numbers = itertools.count(1)


def next_request_id() -> str:
    """A number that no other request of this process has."""
    return str(next(_numbers))

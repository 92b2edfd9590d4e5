"""What was found when something was looked at: a line of a report."""

from __future__ import annotations

import enum

from virtcim.immutable import immutable

__all__ = ["Finding", "Severity", "error", "ok", "warning"]


class Severity(enum.IntEnum):
    """How bad it is."""

    OK = 0
    WARNING = 1
    ERROR = 2


@immutable
class Finding:
    """One line of a report.

    Attributes:
        text: what was found and, unless all is well, what to do about it.
    """

    severity: Severity
    text: str


def ok(text: str) -> Finding:
    """Report that something is as it should be."""
    return Finding(Severity.OK, text)


def warning(text: str) -> Finding:
    """Report what will be felt, and does not keep the server from working."""
    return Finding(Severity.WARNING, text)


def error(text: str) -> Finding:
    """Report what keeps the server, or the guests of a platform, from working."""
    return Finding(Severity.ERROR, text)

"""How the commands that ask a server show its answers to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["COMPLETED", "FINAL", "JOB_STARTED", "STATES", "plain", "table"]

STATES = {2: "running", 3: "off", 4: "shutting down", 6: "saved", 9: "paused", 10: "starting"}
"""CIM_EnabledLogicalElement.EnabledState, as people call it."""

JOB_STARTED = 4096
"""The return code that says that a job goes on with it."""

COMPLETED = 7
FINAL = {COMPLETED: "completed", 8: "terminated", 9: "killed", 10: "failed"}
"""CIM_ConcreteJob.JobState, where the work is over."""


def plain(value: Any) -> Any:
    """Make a value of CIM one of JSON."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else str(value)


def table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """Write a table with columns as wide as what stands in them."""
    shown = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "\n".join(
        "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in shown
    )

"""The layouts that the database has had, and the way from each to the next.

The number of the layout is SQLite's `user_version`.  A step reads what the version before wrote and uses no class of
today, whose fields may be others.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from typing import Any

__all__ = ["LAYOUT", "NewerLayoutError", "layout_of", "migrate"]

LAYOUT = 2
"""Of this version of the server."""

_NEW = """
CREATE TABLE record (
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (collection, key)
) WITHOUT ROWID
"""


class NewerLayoutError(Exception):
    """The database was written by a later version of the server."""


def migrate(connection: sqlite3.Connection) -> int:
    """Bring a database to the layout of today, in one transaction.

    Parameters:
        connection: without a transaction of its own accord (`isolation_level=None`).

    Returns:
        the layout that was found; 0 for an empty database.

    Raises:
        NewerLayoutError: its layout is not known yet.
        sqlite3.Error: it cannot be read or written; then it is as it was.
    """
    if layout_of(connection) == LAYOUT:
        return LAYOUT
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = layout_of(connection)
        if found > LAYOUT:
            raise NewerLayoutError(f"its layout is {found}; expected {LAYOUT} at most")
        if found == 0:
            connection.execute(_NEW)
        for step in _STEPS[found - 1 :] if found else ():
            step(connection)
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return found


def layout_of(connection: sqlite3.Connection) -> int:
    """Tell the layout of a database; 0 for an empty one."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    if number == 0 and connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'job'").fetchone():
        return 1  # which had no number yet
    return int(number)


def _from_1_to_2(connection: sqlite3.Connection) -> None:
    """From one table of jobs, whose every value had a tag, to a table for all kinds of records."""
    connection.execute(_NEW)
    for key, text in connection.execute("SELECT instance_id, record FROM job").fetchall():
        # A row that is not as it should be goes as it is: whoever reads the record says that it cannot be read.
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError, IndexError):
            text = json.dumps(_without_tags(json.loads(text)), ensure_ascii=False)
        connection.execute("INSERT INTO record VALUES ('job', ?, ?)", (key, text))
    connection.execute("DROP TABLE job")


def _without_tags(job: dict[str, Any]) -> dict[str, Any]:
    """A job as layout 2 has it: tags remain on CIM values only."""
    job = {name: _without_tag(value) for name, value in job.items() if name not in {"return_value", "out"}} | {
        name: job[name] for name in ("return_value", "out") if name in job
    }
    if "out" in job:
        job["out"] = job["out"]["map"]
    return job


def _without_tag(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    match kind:
        case "path":
            return {"class_name": held[0], "keys": held[1]["map"], "namespace": held[2]}
        case "affected":
            return {"element": _without_tag(held[0]), "effects": held[1]}
        case "error":
            return dict(
                zip(("message", "status", "libvirt_code", "libvirt_domain", "libvirt_level"), held, strict=True)
            )
        case "list":
            return [_without_tag(each) for each in held]
        case _:
            return held  # a time or a number of seconds


_STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_from_1_to_2,)
"""The step from each layout to the next, that from 1 first."""

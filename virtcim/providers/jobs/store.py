"""Where jobs are kept over a restart of the server: a table in its database.

Layer rule: imports `providers.jobs.record` only.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

from virtcim.providers.jobs.record import JobRecord, read_record, write_record

__all__ = ["JobStore"]

_log = logging.getLogger(__name__)

_BUSY_TIMEOUT = 5.0
"""Seconds that another connection to the same file may keep it locked."""


class JobStore:
    """The table of jobs.

    A database that cannot be written loses history and no work: that is logged, and the jobs go on.

    Parameters:
        path: of the SQLite file, made when it is missing; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        if path is not None:
            try:
                self._connection = self._opened(path)
            except sqlite3.Error as error:
                _log.error("%s: %s; jobs will be forgotten when the server ends", path, error)

    @staticmethod
    def _opened(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, check_same_thread=False, isolation_level=None)
        try:
            # A writer keeps nobody from reading, and what a power failure may cost is the last few changes.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS job (instance_id TEXT PRIMARY KEY, record TEXT NOT NULL)")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def read(self) -> list[JobRecord]:
        """All jobs that were kept; one that cannot be read is dropped with a line in the log."""
        records = []
        for instance_id, text in self._run("SELECT instance_id, record FROM job"):
            try:
                records.append(read_record(text))
            except (ValueError, TypeError, KeyError) as error:
                _log.warning("job %s cannot be read back and is forgotten: %s", instance_id, error)
                self.remove(instance_id)
        return records

    def put(self, record: JobRecord) -> None:
        """Keep a job, in place of what was kept of it before."""
        self._run("INSERT OR REPLACE INTO job VALUES (?, ?)", record.instance_id, write_record(record))

    def remove(self, instance_id: str) -> None:
        """Keep a job no longer."""
        self._run("DELETE FROM job WHERE instance_id = ?", instance_id)

    def close(self) -> None:
        """Close the file; what is written afterwards is lost."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _run(self, statement: str, *values: str) -> list[tuple[str, ...]]:
        with self._lock:
            if self._connection is None:
                return []
            try:
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                _log.error("%s: %s", self._path, error)
                return []

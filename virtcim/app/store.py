"""What outlives the server: one SQLite file, and the one thread that touches it."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from virtcim.app.codec import decode, encode
from virtcim.app.layouts import NewerLayoutError, migrate
from virtcim.providers.interface import Store, Table

__all__ = ["DATABASE", "SQLiteStore", "read_table"]

_log = logging.getLogger(__name__)

Record = TypeVar("Record")

DATABASE = "state.sqlite"
"""The file in the state directory for what outlives the server."""

BUSY_TIMEOUT = 0.2
"""Seconds that SQLite waits for another process's lock: short, since the thread must hear when the server stops."""

START_PATIENCE = 5.0
"""Seconds that the start of the server waits for another process's lock, for what earlier runs left."""

RETRY = 0.5
"""Seconds between two tries to write what could not be written."""

GATHER = 0.01
"""Seconds that changes gather before they are written: what is appended and taken away again meanwhile, as most
indications are, costs nothing, and the thread keeps away from whoever is about to deliver it."""

MAX_PENDING = 100_000
"""Changes that wait to be written.  Beyond it they are forgotten, and whole tables are written when that is possible
again: they are in memory anyway."""

_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_Changes = dict[tuple[str, str], object]
"""The record, or None where it is removed, by the name of its table and its key."""


class SQLiteStore(Store):
    """A store in a file.

    The file is read once, when the store is opened.  Changes gather in memory, the last of each key only, and the
    thread writes all that there are in one transaction while the next gather (group commit).  What is appended and
    taken away again meanwhile is not written at all.  A file that is corrupt is set aside under another name, and a new
    one begun with what is in memory.

    Parameters:
        path: of the file, made when it is missing; one of an earlier layout is migrated.
        max_pending: see `MAX_PENDING`.
    """

    def __init__(self, path: Path, max_pending: int = MAX_PENDING) -> None:
        self._max_pending = max_pending
        # Held for assignments and copies only, never while anything waits.
        self._changed = threading.Condition(threading.Lock())
        self._tables: dict[str, _Table[Any]] = {}
        self._pending: _Changes = {}
        # What was appended among these: nothing of it is in the file.
        self._appended: set[tuple[str, str]] = set()
        self._behind = False
        self._made = 0
        self._written = 0
        self._closing = False
        self._ended = False
        self._is_idle = False
        # Somebody waits for the disk: nothing is to gather any more.
        self._urgent = threading.Event()
        self._file = _File(path)
        self._read: dict[str, dict[str, str]] = {}
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()
        self._opened.wait()

    def table(self, name: str, kind: type[Record]) -> Table[Record]:
        with self._changed:
            if name in self._tables:
                raise ValueError(f"table {name!r}: it is open already; expected to be opened once")
            texts = self._read.pop(name, {})
            table = self._tables[name] = _Table[Record](self, name)
        for key, text in texts.items():
            try:
                table.records[key] = decode(text, kind)
            except ValueError as error:
                _log.warning("%s: %s %s cannot be read back and is forgotten: %s", self._file.path, name, key, error)
                table.remove(key)
        table.last = max((int(key) for key in texts if key.isdecimal()), default=0)
        return table

    def change(self, table: _Table[Record], key: str | None, record: Record | None) -> str:
        """Put a record into a table, or take it away, and have that written.

        Parameters:
            key: None appends.
            record: None takes away.

        Returns:
            the key.
        """
        with self._changed:
            is_new = key is None
            if key is None:
                table.last += 1
                key = f"{table.last:016}"
            where = table.name, key
            if record is None:
                table.records.pop(key, None)
            else:
                table.records[key] = record
            self._made += 1
            if record is None and where in self._appended:
                self._appended.discard(where)
                del self._pending[where]
            elif not (self._behind or self._ended):
                self._pending[where] = record
                if is_new:
                    self._appended.add(where)
                if len(self._pending) > self._max_pending:
                    self._behind, self._pending, self._appended = True, {}, set()
            if self._is_idle:
                self._changed.notify_all()
        return key

    def copy(self, table: _Table[Record]) -> list[tuple[str, Record]]:
        """Copy the keys and records of a table."""
        with self._changed:
            return list(table.records.items())

    def flush(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        with self._changed:
            made = self._made
            if self._written < made:
                self._urgent.set()
            while self._written < made:
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    return False
                self._changed.wait(left)
        return True

    def close(self, timeout: float = 1.0) -> None:
        """Write what there is to write, and close the file.

        What is changed meanwhile is written as well, as far as it comes before the rest is done.

        Parameters:
            timeout: seconds that it may take.
        """
        with self._changed:
            made, self._closing = self._made, True
            self._urgent.set()
            self._changed.notify_all()
        self._thread.join(timeout)
        if self._written < made:
            _log.error("%s: the last changes could not be written and are lost", self._file.path)

    def _run(self) -> None:
        try:
            self._read = self._file.load()
            self._opened.set()
            self._write_behind()
        finally:
            self._opened.set()
            self._file.close()
            with self._changed:
                self._ended, self._pending, self._appended = True, {}, set()
                self._changed.notify_all()

    def _write_behind(self) -> None:
        unwritten: _Changes = {}
        while not self._file.is_unknown:
            with self._changed:
                self._is_idle = True
                while not (self._closing or self._behind or self._pending or self._written < self._made):
                    self._changed.wait()
                self._is_idle = False
            if not self._closing:
                self._urgent.wait(GATHER)
            with self._changed:
                self._urgent.clear()
                made, closing, whole = self._made, self._closing, None
                taken, self._pending, self._appended = self._pending, {}, set()
                if self._behind:
                    self._behind = False
                    whole = {name: dict(table.records) for name, table in self._tables.items()}
            unwritten = {} if whole is not None else unwritten | taken
            written = (whole is None and not unwritten) or self._file.write(unwritten, whole)
            with self._changed:
                if written:
                    unwritten = {}
                    self._written = made
                    self._changed.notify_all()
                elif whole is not None or self._file.is_new or len(unwritten) > self._max_pending:
                    self._behind, self._pending, self._appended, unwritten = True, {}, set(), {}
                if closing and not (written and made < self._made):
                    break
                if not written:
                    self._changed.wait_for(lambda: self._closing, RETRY)


class _Table(Table[Record], Generic[Record]):
    """A table of a `SQLiteStore`, which changes it.

    Attributes:
        records: by key.
        last: the number of the record that was appended last.
    """

    def __init__(self, store: SQLiteStore, name: str) -> None:
        self._store = store
        self.name = name
        self.records: dict[str, Record] = {}
        self.last = 0

    def get(self, key: str) -> Record | None:
        return self.records.get(key)

    def items(self) -> list[tuple[str, Record]]:
        return self._store.copy(self)

    def __len__(self) -> int:
        return len(self.records)

    def put(self, key: str, record: Record) -> None:
        self._store.change(self, key, record)

    def append(self, record: Record) -> str:
        return self._store.change(self, None, record)

    def remove(self, key: str) -> None:
        self._store.change(self, key, None)


class _File:
    """The SQLite file, for one thread.

    Attributes:
        path: where it is.
        is_new: whether it was begun anew in place of a corrupt one, and holds nothing of what is in memory yet.
        is_unknown: whether its layout is that of a later version: it is left alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_new = False
        self._connection: sqlite3.Connection | None = None
        self._loaded = False
        self.is_unknown = False
        self._complaint = ""

    def load(self) -> dict[str, dict[str, str]]:
        """Read everything: the text of each record, by table and key; nothing where the file cannot be read."""
        deadline = time.monotonic() + START_PATIENCE
        while True:
            try:
                found: dict[str, dict[str, str]] = {}
                rows = self._open().execute("SELECT collection, key, value FROM record ORDER BY collection, key")
                for collection, key, value in rows:
                    found.setdefault(collection, {})[key] = value
            except (sqlite3.Error, NewerLayoutError) as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    self._fail(error)
                    return {}
            else:
                self._loaded = True
                return found

    def write(self, changes: _Changes, whole: Mapping[str, Mapping[str, object]] | None) -> bool:
        """Write in one transaction, and wait until it is safe.

        Parameters:
            changes: those since the last time.
            whole: whole tables in place of changes.

        Returns:
            whether it was possible.
        """
        puts = [] if whole is None else _texts((name, key, each) for name in whole for key, each in whole[name].items())
        puts += _texts((*where, record) for where, record in changes.items() if record is not None)
        removed = [where for where, record in changes.items() if record is None]
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                if self._loaded:  # else the file may hold what this server has never seen
                    connection.executemany("DELETE FROM record WHERE collection = ?", [(name,) for name in whole or ()])
                connection.executemany("DELETE FROM record WHERE collection = ? AND key = ?", removed)
                connection.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", puts)
                connection.execute("COMMIT")
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, NewerLayoutError) as error:
            self._fail(error)
            return False
        if self._complaint:
            _log.warning("%s: it can be written again", self.path)
            self._complaint = ""
        self.is_new = False
        return True

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                # A commit waits for the disk: only this thread does, and one commit serves many changes.
                connection.execute("PRAGMA synchronous = FULL")
                found = migrate(connection)
            except BaseException:
                connection.close()
                raise
            if found == 0:
                self._loaded = True
            self._connection = connection
        return self._connection

    def _fail(self, error: sqlite3.Error | NewerLayoutError) -> None:
        """Say once that the file cannot be used, and set it aside when it is corrupt."""
        if isinstance(error, NewerLayoutError):
            self.is_unknown = True
        elif _code(error) in _BROKEN and self._set_aside(error):
            return
        if not self._complaint:
            kept = "as long as the server runs" if self.is_unknown else "until it can be written"
            _log.error("%s: %s; what changes is kept in memory %s", self.path, error, kept)
        self._complaint = str(error)

    def _set_aside(self, error: sqlite3.Error) -> bool:
        self.close()
        aside = self.path.with_name(f"{self.path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        try:
            self.path.rename(aside)
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    self.path.with_name(self.path.name + suffix).rename(aside.with_name(aside.name + suffix))
        except OSError as failed:
            _log.error("%s: %s, and it cannot be set aside: %s", self.path, error, failed)
            return False
        _log.error("%s: %s; it is set aside as %s, and a new file is begun", self.path, error, aside.name)
        self.is_new = True
        return True


def read_table(path: Path, name: str, kind: type[Record]) -> list[tuple[str, Record]]:
    """Read a table as it is on disk, be it that a server has the file open; nothing is changed.

    Parameters:
        path: of the file.
        name: of the table.
        kind: of its records.

    Returns:
        keys and records; none where the file is missing or cannot be read.
    """
    if not path.exists():
        return []
    found = []
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT key, value FROM record WHERE collection = ? ORDER BY key", (name,))
            for key, text in rows:
                with contextlib.suppress(ValueError):
                    found.append((key, decode(text, kind)))
    except sqlite3.Error as error:
        _log.error("%s: %s", path, error)
    return found


def _code(error: Exception) -> int:
    """Tell SQLite's primary result code of an error; 0 where it has none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _texts(records: Iterable[tuple[str, str, object]]) -> list[tuple[str, str, str]]:
    """Encode records; one that cannot be is a fault of this program, and must not keep the others from the disk."""
    rows = []
    for name, key, record in records:
        try:
            rows.append((name, key, encode(record)))
        except Exception:
            _log.exception("%s %s cannot be written", name, key)
    return rows

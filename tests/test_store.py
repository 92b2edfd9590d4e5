"""The store: what is on disk after a restart, and when the disk or the file is not as it should be."""

from __future__ import annotations

import contextlib
import enum
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.bed import wait_until
from virtcim.app import codec
from virtcim.app.layouts import LAYOUT
from virtcim.app.store import SQLiteStore, _File
from virtcim.providers.interface import CIMValue, EmbeddedInstance, InstancePath, Table
from virtcim.providers.jobs import Affected, JobError, JobRecord, JobState

ROOT = Path(__file__).parent.parent
GUEST = InstancePath("KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem", "Name": "guest"})
POOL = InstancePath("KVM_DiskPool", {"InstanceID": "DiskPool/images"}, "root/virt")


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True)
class Note:
    """What these tests keep."""

    text: str
    colour: Colour | None = None
    values: Mapping[str, CIMValue] = field(default_factory=dict)


@contextlib.contextmanager
def opened(path: Path, **options: Any) -> Iterator[tuple[SQLiteStore, Table[Note]]]:
    store = SQLiteStore(path, **options)
    try:
        yield store, store.table("note", Note)
    finally:
        store.close()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold SQLite's lock as another process would."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def rows(path: Path) -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT key, value FROM record WHERE collection = 'note'").fetchall())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def test_records_are_there_again_after_a_restart(path: Path) -> None:
    values: dict[str, CIMValue] = {
        "A": (GUEST, POOL),
        "B": True,
        "C": None,
        "D": 1.5,
        "E": timedelta(seconds=3),
        "F": datetime.now(UTC),
        "G": EmbeddedInstance("CIM_Error", {"Message": "m", "CIMStatusCode": 1}),
    }
    with opened(path) as (_, table):
        table.put("a", Note("first"))
        table.put("a", Note("second", Colour.RED, values))
        table.put("b", Note("to be removed"))
        table.remove("b")
        table.remove("never there")
        assert (table.get("a"), table.get("b"), len(table)) == (Note("second", Colour.RED, values), None, 1)
    with opened(path) as (_, table):
        assert table.items() == [("a", Note("second", Colour.RED, values))]


def test_what_is_changed_while_it_closes_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Hypervisors end beside it, and tell of what they see to the last."""
    store = SQLiteStore(path)
    table = store.table("notes", Note)
    write = _File.write

    def write_beside_another(file: _File, *given: Any) -> bool:
        written = write(file, *given)
        if len(table) < 3:
            table.put(f"late{len(table)}", Note("x"))
        return written

    monkeypatch.setattr(_File, "write", write_beside_another)
    monkeypatch.setattr("virtcim.app.store.GATHER", 60.0)  # until it closes
    table.put("early", Note("x"))
    store.close(10)
    assert not caplog.records
    again = SQLiteStore(path)
    assert [key for key, _ in again.table("notes", Note).items()] == ["early", "late1", "late2"]
    again.close()


def test_what_is_appended_stays_in_order(path: Path) -> None:
    with opened(path) as (_, table):
        keys = [table.append(Note(str(number))) for number in range(12)]
        assert keys == sorted(keys)
        table.remove(keys[0])
    with opened(path) as (_, table):
        assert table.append(Note("12")) > keys[-1]
        assert [note.text for _, note in table.items()] == [str(number) for number in range(1, 13)]


def test_what_is_appended_and_taken_away_at_once_is_never_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtcim.app.store.GATHER", 3600.0)
    with opened(path) as (store, table):
        written: list[tuple[str, str]] = []
        write = store._file.write

        def noted(changes: Any, whole: Any) -> bool:
            written.extend(changes)
            return write(changes, whole)

        monkeypatch.setattr(store._file, "write", noted)
        stays, goes = table.append(Note("stays")), table.append(Note("goes"))
        table.remove(goes)
        # Nothing gathers any longer once somebody waits for the disk.
        assert store.flush(30)
        assert written == [("note", stays)]
        table.remove(stays)
        assert store.flush(30)
        table.remove(table.append(Note("goes too")))
        assert store.flush(30)
        assert written == [("note", stays)] * 2
    with opened(path) as (_, table):
        assert table.items() == []


def test_a_table_has_one_owner(path: Path) -> None:
    with opened(path) as (store, _), pytest.raises(ValueError, match="expected to be opened once"):
        store.table("note", Note)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.test_store import Note
from virtcim.app.store import SQLiteStore
store = SQLiteStore(Path(sys.argv[1]))
table = store.table("note", Note)
for number in range(2000):
    table.append(Note(str(number)))
print(store.flush(60), flush=True)
for number in range(2000, 4000):
    table.append(Note(str(number)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_after_the_barrier_loses_nothing(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "True\n"), done.stderr
    with opened(path) as (_, table):
        texts = [note.text for _, note in table.items()]
        # What was changed after the barrier is there up to some moment, and not with holes.
        assert len(texts) >= 2000
        assert texts == [str(number) for number in range(len(texts))]


def test_many_threads_write_at_once(path: Path) -> None:
    with opened(path) as (store, table):

        def write(number: int) -> None:
            for each in range(200):
                table.put(f"{number}-{each % 20}", Note(str(each)))
            assert store.flush(30)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = dict(table.items())
    with opened(path) as (_, table):
        assert dict(table.items()) == kept


def test_work_goes_on_while_the_file_is_locked(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(path) as (store, table):
        table.put("a", Note("before"))
        assert store.flush(10)
        with locked(path):
            table.put("a", Note("meanwhile"))
            table.put("b", Note("new"))
            assert not store.flush(2)
            assert table.get("a") == Note("meanwhile")
        assert store.flush(10)
        assert sorted(rows(path)) == ["a", "b"]
    assert caplog.text.count("what changes is kept in memory") == 1
    assert caplog.text.count("it can be written again") == 1


def test_what_waits_is_bounded(path: Path) -> None:
    """Beyond the bound, whole tables are written in place of changes, with the same result."""
    with opened(path, max_pending=10) as (store, table):
        table.put("gone", Note("to be removed"))
        assert store.flush(10)
        with locked(path):
            table.remove("gone")
            for number in range(100):
                table.put(str(number), Note(str(number)))
                if number % 40 == 20:
                    assert not store.flush(0.3)
            assert len(store._pending) <= 10
        assert store.flush(10)
        assert rows(path).keys() == {str(number) for number in range(100)}


def test_a_full_disk_costs_only_what_was_changed_since(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(path) as (store, table):
        table.put("a", Note("before"))
        assert store.flush(10)
        connection = store._file._connection
        assert connection is not None
        # SQLite's own way to say that there is no room: no page may be added.
        limit = threading.Event()

        def fill() -> None:
            store._file._open().execute("PRAGMA max_page_count = 1")
            limit.set()

        run_in_writer(store, fill)
        assert limit.is_set()
        table.put("b", Note("x" * 100_000))
        assert not store.flush(1)
        assert table.get("b") is not None
        run_in_writer(store, lambda: store._file._open().execute("PRAGMA max_page_count = 1000000"))
        assert store.flush(10)
    assert "database or disk is full" in caplog.text


def run_in_writer(store: SQLiteStore, work: Any) -> None:
    """Call something in the store's thread, which alone may use its connection."""
    done = threading.Event()
    write = store._file.write

    def once(*arguments: Any) -> bool:
        store._file.write = write  # type: ignore[method-assign]
        work()
        done.set()
        return write(*arguments)

    store._file.write = once  # type: ignore[method-assign, assignment]
    with store._changed:
        store._pending.setdefault(("note", "-"), None)
        store._changed.notify_all()
    assert done.wait(60)


def test_a_corrupt_file_is_set_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(b"this is no database, and it is long enough to be read as one" * 100)
    with opened(path) as (store, table):
        table.put("a", Note("new"))
        assert store.flush(10)
    (aside,) = path.parent.glob("state.sqlite.corrupt-*")
    assert aside.read_bytes().startswith(b"this is no database")
    assert f"it is set aside as {aside.name}" in caplog.text
    with opened(path) as (_, table):
        assert table.items() == [("a", Note("new"))]


def test_a_file_that_becomes_corrupt_is_written_anew_from_memory(path: Path) -> None:
    with opened(path) as (store, table):
        for number in range(500):
            table.put(str(number), Note("x" * 100))
        assert store.flush(10)

        def corrupt() -> None:
            store._file.close()
            with path.open("r+b") as file:
                file.write(b"\xff" * 8192)

        run_in_writer(store, corrupt)
        table.put("last", Note("y"))
        assert store.flush(10)
    assert list(path.parent.glob("state.sqlite.corrupt-*"))
    with opened(path) as (_, table):
        assert len(table) == 501


def test_a_file_of_a_later_version_is_left_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(path) as (_, table):
        table.put("a", Note("kept"))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {LAYOUT + 1}")
    with opened(path) as (store, table):
        assert not len(table)
        table.put("a", Note("another"))
        assert table.get("a") == Note("another")
        assert not store.flush(10)
    assert f"its layout is {LAYOUT + 1}; expected {LAYOUT} at most" in caplog.text
    assert "kept" in rows(path)["a"]


def test_a_file_that_was_locked_at_the_start_keeps_what_it_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtcim.app.store.START_PATIENCE", 0.0)
    with opened(path) as (_, table):
        table.put("old", Note("of an earlier run"))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        store = SQLiteStore(path, max_pending=2)
        table = store.table("note", Note)
        assert not len(table)
        for number in range(10):
            table.put(str(number), Note(str(number)))
        assert not store.flush(0.5)
        other.execute("ROLLBACK")
    assert store.flush(10)
    store.close()
    assert rows(path).keys() == {"old", *map(str, range(10))}


def test_a_record_that_cannot_be_read_is_forgotten(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(path) as (_, table):
        table.put("good", Note("x"))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO record VALUES ('note', 'a', '{\"hue\": \"blue\"}'), ('note', 'b', 'not JSON')")
    with opened(path) as (_, table):
        assert [key for key, _ in table.items()] == ["good"]
    assert caplog.text.count("cannot be read back") == 2
    assert list(rows(path)) == ["good"]


def test_fields_come_and_go_between_versions() -> None:
    assert codec.decode('{"text": "x", "of_a_later_version": 1}', Note) == Note("x")
    for text in ('{"text": "x", "colour": "blue"}', "[]", '{"text": "x", "values": {"A": {"what": 1}}}', "{"):
        with pytest.raises(ValueError, match="record of type Note: "):
            codec.decode(text, Note)


#: A row as the first layout had it.
FIRST_LAYOUT = {
    "instance_id": "KVM:job:1",
    "prefix": "KVM",
    "base": "ConcreteJob",
    "name": "a name \u20ac",
    "method": "M",
    "principal": "ann",
    "owner": {"path": ["KVM_HostSystem", {"map": {"Name": "node"}}, None]},
    "state": 10,
    "submitted": {"time": "2026-01-02T03:04:05+00:00"},
    "changed": {"time": "2026-01-02T03:04:06+00:00"},
    "started": {"time": "2026-01-02T03:04:05.500000+00:00"},
    "ended": {"time": "2026-01-02T03:04:06+00:00"},
    "affected": {
        "list": [
            {
                "affected": [
                    {
                        "path": [
                            "KVM_ComputerSystem",
                            {"map": {"A": {"path": ["X", {"map": {"k": 1}}, None]}}},
                            "root/virt",
                        ]
                    },
                    [2],
                ]
            }
        ]
    },
    "percent": 3,
    "return_value": 6,
    "out": {"map": {"A": {"list": [{"path": ["KVM_DiskPool", {"map": {"InstanceID": "p"}}, None]}]}, "B": True}},
    "errors": {"list": [{"error": ["m", 1, 38, 18, 2]}, {"error": ["n", 2, None, None, None]}]},
    "left": "",
    "delete_on_completion": False,
    "time_before_removal": {"seconds": 300.0},
}


def test_the_first_layout_is_migrated(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE job (instance_id TEXT PRIMARY KEY, record TEXT NOT NULL)")
        texts = [("KVM:job:1", json.dumps(FIRST_LAYOUT)), ("broken", '{"colour": "blue"}'), ("list", "[1]")]
        connection.executemany("INSERT INTO job VALUES (?, ?)", texts)
    store = SQLiteStore(path)
    try:
        table = store.table("job", JobRecord)
        second = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        key = InstancePath("X", {"k": 1})
        assert table.items() == [
            (
                "KVM:job:1",
                JobRecord(
                    "KVM:job:1",
                    "KVM",
                    "ConcreteJob",
                    "a name \u20ac",
                    "M",
                    "ann",
                    InstancePath("KVM_HostSystem", {"Name": "node"}),
                    JobState.EXCEPTION,
                    second,
                    second + timedelta(seconds=1),
                    started=second + timedelta(seconds=0.5),
                    ended=second + timedelta(seconds=1),
                    affected=(Affected(InstancePath("KVM_ComputerSystem", {"A": key}, "root/virt"), (2,)),),
                    percent=3,
                    return_value=6,
                    out={"A": (InstancePath("KVM_DiskPool", {"InstanceID": "p"}),), "B": True},
                    errors=(JobError("m", 1, 38, 18, 2), JobError("n", 2)),
                    delete_on_completion=False,
                ),
            )
        ]
        assert caplog.text.count("cannot be read back") == 2
    finally:
        store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (LAYOUT,)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("record",)]


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE job (instance_id TEXT PRIMARY KEY, record TEXT NOT NULL)")
        connection.execute("CREATE TABLE record (something_else)")
        connection.execute("INSERT INTO job VALUES ('a', '{}')")
    with opened(path) as (_, table):
        assert not len(table)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT instance_id FROM job").fetchall() == [("a",)]


def test_whoever_reads_or_changes_does_not_wait_for_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer waits for the lock of another process until that gives it up, which it does after the changes."""
    monkeypatch.setattr("virtcim.app.store.BUSY_TIMEOUT", 3600.0)
    with opened(path) as (store, table):
        done = threading.Event()

        def work() -> None:
            for number in range(2000):
                table.put(str(number), Note("x"))
                assert table.get(str(number)) is not None
                assert len(table.items()) == len(table) == number + 1
            assert not store.flush(0)
            done.set()

        with locked(path):
            table.put("0", Note("x"))
            wait_until(lambda: not store._pending)
            threading.Thread(target=work, daemon=True).start()
            assert done.wait(60)
        assert store.flush(30)

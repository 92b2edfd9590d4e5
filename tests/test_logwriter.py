"""Logs that nobody takes: the server goes on, and what could not be written is told."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import logging
import os
import re
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bed import Server, wait_until
from tests.bed.server import class_parameter, run_command
from virtcim.app import logwriter
from virtcim.app.logs import _troubles, recent_troubles
from virtcim.app.logwriter import LogWriter
from virtcim.app.privatefile import PrivateFile

LIST_GUESTS = ("EnumerateInstanceNames", class_parameter("ClassName", "CIM_ComputerSystem"))
GUEST = {"CreationClassName": "Test_ComputerSystem", "Name": "test"}
NO_DELAY = "[server]\nlogin_delay = 0\n"

LOGGER, ESSENTIAL = logging.getLogger("tests.logwriter"), logging.getLogger("tests.logwriter.essential")


class Disk:
    """A file that takes lines or not, as is wanted."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.refuses = False
        self.data = b""

    def write(self, data: memoryview) -> int:
        self.goes_on.wait()
        if self.refuses:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.data += data[:7]
        return min(len(data), 7)

    @property
    def lines(self) -> list[str]:
        return self.data.decode().splitlines()


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def writer(disk: Disk) -> Iterator[LogWriter]:
    made = LogWriter(disk.write)
    made.essential = ESSENTIAL.name
    LOGGER.setLevel(logging.INFO)
    LOGGER.addHandler(made)
    yield made
    LOGGER.removeHandler(made)
    made.close()
    disk.goes_on.set()


def test_lines_wait_and_those_without_room_are_told(
    disk: Disk, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logwriter, "ROOM", 100)
    for number in range(20):
        LOGGER.info("line %04d", number)
    assert writer.left_out == 10
    disk.goes_on.set()
    taken = [f"line {number:04}" for number in range(10)]
    wait_until(lambda: disk.lines == [*taken, "10 lines are left out here: nobody took them"])
    LOGGER.info("again")
    wait_until(lambda: disk.lines[-1] == "again")


def test_a_flood_leaves_room_for_what_is_essential(
    disk: Disk, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logwriter, "ROOM", 100)
    monkeypatch.setattr(logwriter, "PATIENCE", 0.01)
    for _ in range(50):
        LOGGER.info("a flood  ")
    ESSENTIAL.info("essential")
    disk.goes_on.set()
    wait_until(lambda: not writer.remaining())
    assert [line for line in disk.lines if line != "a flood  "] == [
        "40 lines are left out here: nobody took them", "essential",
    ]  # fmt: skip


def test_what_is_essential_is_written_before_its_thread_goes_on(
    disk: Disk, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logwriter, "PATIENCE", 60)
    disk.goes_on.set()
    for number in range(50):
        ESSENTIAL.info("line %d", number)
        assert disk.lines[-1] == f"line {number}"


def test_a_full_disk_loses_nothing(disk: Disk, writer: LogWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logwriter, "RETRY", 0.01)
    told: list[str] = []
    monkeypatch.setattr(writer, "tell_stuck", told.append)
    disk.refuses = True
    disk.goes_on.set()
    ESSENTIAL.info("one")
    ESSENTIAL.info("two")
    disk.refuses = False
    wait_until(lambda: not writer.remaining())
    assert disk.lines == ["one", "two"]
    wait_until(lambda: told == ["No space left on device", ""])


def test_a_line_that_cannot_be_formatted_is_told(disk: Disk, writer: LogWriter) -> None:
    disk.goes_on.set()
    broken = logging.makeLogRecord({"msg": "%d guests", "args": ("many",)})
    for handler in (writer, _troubles):
        handler.handle(broken)
    wait_until(lambda: not writer.remaining())
    assert disk.lines[0] == "a line cannot be formatted: '%d guests' with ('many',)"
    assert "TypeError" in disk.lines[-1]
    assert recent_troubles()[-1]["message"] == "%d guests"


def test_a_file_that_is_rotated_away_is_made_anew(tmp_path: Path) -> None:
    path, old = tmp_path / "log", tmp_path / "log.1"
    file = PrivateFile(str(path))
    file.write(memoryview(b"one\ntw"))
    path.rename(old)
    file.write(memoryview(b"o\n"))
    file.write(memoryview(b"three\n"))
    path.unlink()
    file.write(memoryview(b"four\n"))
    file.close()
    assert old.read_text() == "one\ntwo\n"
    assert path.read_text() == "four\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_fifo_that_nobody_reads_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="No such device or address"):
        PrivateFile(str(tmp_path / "fifo"))


def test_what_python_tells_of_threads_and_destructors_is_logged() -> None:
    text = (
        "import threading, warnings\n"
        "from virtcim.app.logs import configure_logging, log_what_python_tells\n"
        "configure_logging('INFO', structured=True); log_what_python_tells()\n"
        "class Broken:\n    def __del__(self): raise ValueError('in del')\n"
        "Broken()\n"
        "thread = threading.Thread(target=lambda: 1 / 0, name='worker'); thread.start(); thread.join()\n"
        "warnings.warn('attention')\n"
    )
    done = run_command(sys.executable, "-c", text, patience=60)
    assert done.returncode == 0, done.stderr
    ignored, ended, warned = (json.loads(line) for line in done.stderr.splitlines())
    assert "Broken.__del__" in ignored["message"]
    assert "ValueError: in del" in ignored["exception"]
    assert ended["message"] == "Thread worker has ended"
    assert "ZeroDivisionError" in ended["exception"]
    assert "attention" in warned["message"]


def make_fifo(path: Path) -> int:
    """Make a FIFO; gives the descriptor of its reader, who does not read."""
    os.mkfifo(path)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)


def fill(reader: int) -> None:
    """Fill a pipe."""
    with contextlib.suppress(BlockingIOError):
        while os.write(reader, b"x\n"):
            pass


def answers(server: Server, number: int) -> None:
    """Assert that a server goes on to answer."""
    health = http.client.HTTPConnection(server.host, server.port, timeout=30)
    with contextlib.closing(health), server.client() as client:
        client.connection.timeout = 30
        for _ in range(number):
            health.request("GET", "/health")
            assert health.getresponse().read() == b'{"status": "ok"}'
            client.call(*LIST_GUESTS)
            client.invoke("Test_ComputerSystem", GUEST, "RequestStateChange", {"RequestedState": "77"})
            assert client.post(*client.prepared(*LIST_GUESTS)[:1], {"Authorization": "Basic eDp5"})[0] == 401


def test_a_server_goes_on_whose_stderr_nobody_reads(tmp_path: Path) -> None:
    server = Server("test:///default", config=f'log_level = "DEBUG"\n{NO_DELAY}slow_seconds = 0.0\n')
    server.error_file = tmp_path / "stderr"
    reader = make_fifo(server.error_file)
    try:
        server.start()
        server.error_file = tmp_path / "elsewhere"
        fill(reader)
        answers(server, 20)
        told = bytearray()

        def is_told() -> bool:
            with contextlib.suppress(BlockingIOError):
                told.extend(os.read(reader, 65536))
            return told.count(b"EnumerateInstanceNames in") >= 20 and told.count(b'"refused login"') >= 20

        wait_until(is_told, interval=0.001)
        assert b"virtcim.audit" in told
        fill(reader)
        assert server.stop() == 0
    finally:
        server.close()
        os.close(reader)


def test_a_server_goes_on_whose_audit_log_nobody_reads(tmp_path: Path) -> None:
    audit = tmp_path / "audit"
    reader = make_fifo(audit)
    fill(reader)
    try:
        with Server("test:///default", config=f'audit_file = "{audit}"\n{NO_DELAY}') as server:
            answers(server, 10)
            assert "audit_file: " in server.errors
            assert "expected a file that can be written" in server.errors
            assert server.stop() == 0
            # Nothing is lost: what the file did not take is in the log.
            assert len(re.findall(r'virtcim\.audit.*"RequestStateChange"', server.errors)) == 10
            assert len(re.findall(r'virtcim\.audit.*"refused login"', server.errors)) == 10
    finally:
        os.close(reader)


def test_an_audit_log_goes_on_when_there_is_space_again(tmp_path: Path) -> None:
    audit = tmp_path / "audit"
    audit.symlink_to("/dev/full")
    with Server("test:///default", config=f'audit_file = "{audit}"\n{NO_DELAY}') as server:
        answers(server, 3)
        wait_until(lambda: f"audit_file: {audit}: No space left on device; expected" in server.errors)
        audit.unlink()
        lines = wait_until(lambda: audit.exists() and audit.read_text().splitlines())
        assert [json.loads(line)["event"] for line in lines] == ["change", "refused login"] * 3
        wait_until(lambda: f"audit_file: {audit}: is written again" in server.errors)

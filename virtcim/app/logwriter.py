"""Log lines on their way out: a thread writes them, so that nobody else waits for a disk, or a reader that stopped."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import accumulate, takewhile

__all__ = ["LogWriter"]

ROOM = 4 * 1024 * 1024
"""Bytes of lines that may wait: some 30,000 ordinary ones.  Essential ones have as much again."""

PIECE = 64 * 1024
"""Bytes that are written at once: what a pipe takes."""

RETRY = 1.0
"""Seconds after which a write that failed is tried again."""

PATIENCE = 0.5
"""Seconds that a thread waits for its essential line to be written."""

FLUSH_PATIENCE = 0.5
"""Seconds that the end of the process waits for lines to be written."""


class LogWriter(logging.Handler):
    """Has a thread write the lines of a log, in their order.

    Lines that are not taken wait in memory.  When there is no room any more, further ones are left out, and counted;
    once half of the room is free again, a line tells how many.  A write that fails is tried again.

    Parameters:
        write: writes some of the bytes, and tells how many; may wait, may raise OSError.

    Attributes:
        essential: name of the logger whose lines have room of their own, so that no flood of others takes it, and are
            written before the thread that logs them goes on: but never is that waited for in an event loop, nor
            where nothing is written at the moment.
        left_out: lines that were left out so far.
    """

    def __init__(self, write: Callable[[memoryview], int]) -> None:
        super().__init__()
        self.essential = ""
        self.left_out = 0
        self._write = write
        # Reentrant: a collection of garbage in its block may call what logs.
        self._changed = threading.Condition(threading.RLock())
        self._lines: deque[bytes] = deque()
        self._taken = 0
        self._written = 0
        self._untold = 0
        self._stuck = False
        self._closed = False
        # At once: who starts a thread waits until it runs.
        threading.Thread(target=self._run, name="log-writer", daemon=True).start()

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record, without the lock that handlers have, under which others format theirs."""
        if not self.filter(record):
            return False
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record that passed the filters."""
        try:
            line = self._encoded(record)
        except Exception:
            line = self._own_line(_unformattable(record))
        is_essential = record.name == self.essential
        if not self._put(line, ROOM if is_essential else 0):
            self.leave_out(record)
        elif is_essential and not _in_event_loop():
            self._await_written()

    def leave_out(self, record: logging.LogRecord) -> None:
        """Do with a record what is to be done where there is no room for it: by default nothing."""

    def tell_left_out(self, number: int) -> logging.LogRecord:
        """Make the record that stands for so many lines."""
        text = "%d lines are left out here: nobody took them"
        return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (number,), None)

    def tell_stuck(self, reason: str) -> None:
        """Tell why nothing can be written, or that it can again when there is no reason; by default nobody, since
        there is nobody else."""

    def remaining(self) -> list[bytes]:
        """List the lines that are not written, or not completely."""
        with self._changed:
            return list(self._lines)

    def flush(self) -> None:
        """Wait until everything is written, but no longer than `FLUSH_PATIENCE`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._untold, FLUSH_PATIENCE)

    def close(self) -> None:
        """Take no lines any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        super().close()

    def _encoded(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode(errors="backslashreplace")

    def _own_line(self, record: logging.LogRecord) -> bytes:
        """The line of a record that came from nobody, and through no filter."""
        self.filter(record)
        return self._encoded(record)

    def _put(self, line: bytes, further: int) -> bool:
        """Put a line behind those that wait, unless there is no room for it; after the end nothing is taken.

        Parameters:
            further: bytes that this line may have beyond what all may.

        Returns:
            whether it was taken.
        """
        with self._changed:
            if self._closed:
                return True
            room = ROOM // 2 if self._untold else ROOM
            if self._taken - self._written + len(line) > room + further:
                self._untold += 1
                self.left_out += 1
                return False
            self._tell_untold()
            self._append(line)
            return True

    def _tell_untold(self) -> None:
        if self._untold:
            number, self._untold = self._untold, 0
            self._append(self._own_line(self.tell_left_out(number)))

    def _append(self, line: bytes) -> None:
        self._lines.append(line)
        self._taken += len(line)
        self._changed.notify_all()

    def _await_written(self) -> None:
        """Wait until everything that was taken before is written, unless nothing is at the moment."""
        with self._changed:
            mark = self._taken
            is_written = self._changed.wait_for(lambda: self._stuck or self._written >= mark, PATIENCE)
        if not is_written:
            self._note_stuck(f"nothing was written for {PATIENCE:g} s")

    def _note_stuck(self, reason: str) -> None:
        """Note that nothing can be written for a reason, or that it can, and tell it when that is new."""
        with self._changed:
            is_new = self._stuck != bool(reason)
            self._stuck = bool(reason)
            self._changed.notify_all()
        if is_new:
            self.tell_stuck(reason)

    def _run(self) -> None:
        while lines := self._next():
            rest = memoryview(b"".join(lines))
            while rest:
                rest = rest[self._write_some(rest) :]
            with self._changed:
                for _ in lines:
                    self._lines.popleft()
                self._changed.notify_all()

    def _next(self) -> list[bytes]:
        """Wait for lines, and list those that are written at once; none when there are no more to come."""
        with self._changed:
            while not self._lines:
                self._tell_untold()
                if not self._lines:
                    if self._closed:
                        return []
                    self._changed.wait()
            sizes = takewhile(lambda size: size <= PIECE, accumulate(map(len, self._lines)))
            return [line for line, _ in zip(self._lines, sizes, strict=False)] or [self._lines[0]]

    def _write_some(self, data: memoryview) -> int:
        """Write some bytes, and count them; none where that fails, after a pause."""
        try:
            size = self._write(data[:PIECE])
        except OSError as error:
            self._note_stuck(error.strerror or str(error))
            time.sleep(RETRY)
            return 0
        with self._changed:
            self._written += size
        self._note_stuck("")
        return size


def _unformattable(record: logging.LogRecord) -> logging.LogRecord:
    """Make the record that stands for one whose arguments do not fit its text."""
    text = "a line cannot be formatted: %r with %r"
    arguments = (record.msg, record.args)
    return logging.LogRecord(
        record.name, logging.ERROR, record.pathname, record.lineno, text, arguments, sys.exc_info()
    )


def _in_event_loop() -> bool:
    """Whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

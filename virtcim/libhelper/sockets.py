"""The TCP sockets of this machine: which ports are listened on, and who is connected to them.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path

from virtcim.immutable import immutable

__all__ = ["SocketTable", "Sockets"]

_FILES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED, _LISTEN = "01", "0A"
_MAX_AGE = 1.0
"""Seconds for which what was read is taken for true: many are asked for at a time."""


@immutable
class SocketTable:
    """The TCP sockets at one moment.

    Attributes:
        listening: the ports that somebody listens on.
        clients: local port to the remote ports that are connected to it, lowest first.
    """

    listening: frozenset[int] = frozenset()
    clients: dict[int, tuple[int, ...]] = field(default_factory=dict)


class Sockets:
    """Reads the sockets when asked, and at most once a second.

    Parameters:
        files: in the format of /proc/net/tcp; what cannot be read has no sockets.
    """

    def __init__(self, files: Iterable[Path] = _FILES) -> None:
        self._files = tuple(files)
        self._lock = threading.Lock()
        self._read = -_MAX_AGE
        self._table = SocketTable()

    def now(self) -> SocketTable:
        """The sockets as they are now."""
        with self._lock:
            if time.monotonic() - self._read >= _MAX_AGE:
                self._table = _table(_lines(self._files))
                self._read = time.monotonic()
            return self._table


def _lines(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        try:
            text = file.read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        yield from text.splitlines()[1:]


def _table(lines: Iterable[str]) -> SocketTable:
    listening: set[int] = set()
    clients: dict[int, set[int]] = {}
    for line in lines:
        words = line.split(maxsplit=4)
        if len(words) < 4 or words[3] not in (_ESTABLISHED, _LISTEN):
            continue
        local, remote = (int(word.rpartition(":")[2], 16) for word in words[1:3])
        if words[3] == _LISTEN:
            listening.add(local)
        else:
            clients.setdefault(local, set()).add(remote)
    return SocketTable(frozenset(listening), {port: tuple(sorted(remote)) for port, remote in clients.items()})

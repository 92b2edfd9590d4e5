"""What a server keeps of guests that came and went: nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bed import Server

SETTLED = 2000
"""Guests after which all tables have the size that they need for guests who come and go one after the other."""
LEAST = 1 << 20
"""Bytes that memory may be more in the end."""
CONFIG = "[server]\ncache_bytes = 65536\n[providers.jobs]\nlimit = 10\n"


def come_and_go(connection: Any, service: Any, numbers: range) -> None:
    """Define and remove a guest for each number."""
    for number in numbers:
        settings = f'instance of Test_VirtualSystemSettingData {{ VirtualSystemIdentifier = "guest {number:05}"; }};'
        code, given = connection.InvokeMethod("DefineSystem", service, SystemSettings=settings)
        assert code == 0
        code, _ = connection.InvokeMethod("DestroySystem", service, AffectedSystem=given["ResultingSystem"])
        assert code == 0


def anonymous_memory(pid: int) -> int:
    """The bytes of a process that come from no file."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        pytest.param(20, 120, 3 * LEAST, id="sample"),
        pytest.param(SETTLED, 5000, LEAST, id="all", marks=pytest.mark.slow),
    ],
)
def test_memory_is_flat(before: int, after: int, more: int) -> None:
    with Server("test:///default", config=CONFIG, guarded=False) as server:
        connection = server.pywbem()
        (service,) = connection.EnumerateInstanceNames("Test_VirtualSystemManagementService")
        come_and_go(connection, service, range(before))
        first = anonymous_memory(server.pid)
        come_and_go(connection, service, range(before, after))
        assert anonymous_memory(server.pid) - first < more

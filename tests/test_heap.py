"""What the server tells the C library of its heap."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

THREADS = """
import ctypes, threading
from virtcim.app.heap import give_back, share_arenas
{first}
kept = []
started = threading.Barrier(8)
def take():
    started.wait()
    kept.append(bytearray(4096))
    started.wait()
threads = [threading.Thread(target=take) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
give_back()
ctypes.CDLL(None).malloc_stats()
"""


def arenas(first: str) -> int:
    """Count the arenas of a process in which eight threads took memory."""
    code = THREADS.format(first=first)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.count(
        "Arena"
    )


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="the C library tells nothing of its heap")
def test_threads_share_an_arena() -> None:
    assert arenas("share_arenas()") == 1
    assert arenas("pass") > 1

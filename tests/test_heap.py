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


HOLES = """
import asyncio
from pathlib import Path
from virtcim.app.heap import give_back_regularly, share_arenas

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

async def main():
    share_arenas()
    before = resident()
    # Blocks of the C library, not of Python; every tenth stays, so that none of the others is at the end of the heap.
    taken = [bytearray(12000) for _ in range(3000)]
    most = resident() - before
    taken[:] = taken[::10]
    free = resident() - before
    giving = asyncio.create_task(give_back_regularly(0.01))
    for _ in range(3000):
        await asyncio.sleep(0.01)
        if resident() - before < free / 2:
            break
    giving.cancel()
    print(most, free, resident() - before)

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library gives nothing back")
def test_what_is_free_between_what_stays_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    most, free, left = map(int, done.stdout.split())
    assert free > most / 2, "the C library gives it back by itself, and nothing is tested"
    assert left < free / 2

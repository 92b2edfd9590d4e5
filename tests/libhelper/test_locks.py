"""Locks by name, and that nothing stays of guests that are gone."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.locks import Locks
from virtcim.libhelper.settings import HypervisorSettings

FIRST = 200
BLOCKS_PER_GUEST = 0.5
"""Blocks of memory that may stay for each guest that is gone; a single text or number that stays is one."""


def test_one_at_a_time_and_nothing_stays() -> None:
    locks, inside, most = Locks(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with locks.hold("a"):
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    with locks.hold("b"):
        assert len(locks) >= 1
    for thread in threads:
        thread.join()
    assert (most, len(locks)) == (1, 0)


def test_a_lock_is_given_back_when_the_block_fails() -> None:
    locks = Locks()
    with pytest.raises(ValueError), locks.hold("a"):
        raise ValueError
    assert not len(locks)
    with locks.hold("a"):
        pass


def test_what_is_claimed_is_refused_at_once() -> None:
    locks = Locks()
    with locks.claim("a", "it is on its way"):
        for want in (locks.hold("a"), locks.claim("a", "again")):
            with pytest.raises(LibvirtError, match="it is on its way") as raised, want:
                pass
            assert raised.value.is_busy
        with locks.hold("b"):
            pass
    with locks.hold("a"):
        pass
    assert not len(locks)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Hypervisor]:
    file = tmp_path / "node.xml"
    file.write_text("<node/>")
    made = Hypervisor(f"test://{file}", HypervisorSettings())
    made.start()
    assert made.wait_ready(60)
    yield made
    made.stop()


def come_and_go(node: Hypervisor, numbers: range) -> None:
    """Define, change, start and remove a guest for each number."""
    for number in numbers:
        uuid = f"00000000-0000-4000-8000-{number:012d}"
        node.domains.define(
            f"<domain type='test'><name>guest {number}</name><uuid>{uuid}</uuid><memory>65536</memory>"
            "<currentMemory>32768</currentMemory><os><type>hvm</type></os></domain>"
        )
        node.domains.change(uuid, lambda change: None)
        node.domains.start(uuid)
        node.domains.remove(uuid)


@pytest.mark.parametrize("guests", [1000, pytest.param(5000, marks=pytest.mark.slow)])
def test_nothing_stays_of_guests_that_are_gone(node: Hypervisor, guests: int) -> None:
    come_and_go(node, range(FIRST))
    gc.collect()
    before = sys.getallocatedblocks()
    come_and_go(node, range(FIRST, guests))
    assert node.inventory.wait_for(lambda now: not now.domains(), 60)
    gc.collect()
    assert (sys.getallocatedblocks() - before) / (guests - FIRST) < BLOCKS_PER_GUEST

"""What running guests were asked to have of their memory, and when that is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.recorded import hypervisor
from virtcim.libhelper.documents.domain.difference import is_as_defined
from virtcim.libhelper.inventory.memory_requests import MemoryRequests
from virtcim.libhelper.inventory.records import Change

UUID = "00000000-0000-4000-8000-000000000001"
RUN = 1
FULL, ASKED = 65536, 32768


def xml(memory: int) -> str:
    return (
        f"<domain type='kvm'><name>one</name><uuid>{UUID}</uuid><memory unit='KiB'>{FULL}</memory>"
        f"<currentMemory unit='KiB'>{memory}</currentMemory></domain>"
    )


def shows(requests: MemoryRequests, memory: int, **changes: Any) -> None:
    """The inventory sees the guest with that much memory."""
    record = hypervisor().put(xml(memory), active=True, **changes)
    requests.watch(Change(record, record))


@pytest.fixture
def requests() -> MemoryRequests:
    made = MemoryRequests()
    made.add(UUID, RUN, ASKED)
    return made


def test_on_its_way(requests: MemoryRequests) -> None:
    for memory in (FULL, 50000, 50000, 40000):
        shows(requests, memory)
        assert requests.pending(UUID, RUN, memory) == ASKED
    assert requests.pending(UUID, RUN + 1, FULL) is None, "another run"
    assert requests.pending(UUID, None, FULL) is None
    assert requests.pending("another", RUN, FULL) is None
    assert requests.pending(UUID, RUN, ASKED) is None


@pytest.mark.parametrize(
    "then", [{"memory": ASKED}, {"memory": 45000}, {"memory": 40000, "id": RUN + 1}], ids=["there", "turned", "over"]
)
def test_forgotten(requests: MemoryRequests, then: dict[str, Any]) -> None:
    """What somebody else asks for afterwards is a difference."""
    shows(requests, 40000)
    shows(requests, **then)
    assert requests.pending(UUID, RUN, FULL) is None


def test_what_is_kept_is_what_is_pending(requests: MemoryRequests) -> None:
    kept: dict[str, tuple[int, int]] = {}

    def keep(uuid: str, number: int, size: int | None) -> None:
        if size is None:
            kept.pop(uuid, None)
        else:
            kept[uuid] = number, size

    requests.keep = keep
    requests.add(UUID, RUN, ASKED)
    assert kept == {UUID: (RUN, ASKED)}
    later = MemoryRequests()
    later.restore(UUID, *kept[UUID])
    later.keep = keep
    for memory in (FULL, 40000):
        shows(later, memory)
        assert later.pending(UUID, RUN, memory) == ASKED
    shows(later, ASKED)
    assert kept == {}
    later.restore(UUID, RUN, ASKED)
    shows(later, FULL, id=RUN + 1)
    assert len(later) == 0, "another run, while no server was there"


def test_what_was_asked_counts() -> None:
    assert not is_as_defined(xml(FULL), xml(ASKED))
    assert is_as_defined(xml(FULL), xml(ASKED), ASKED)
    assert not is_as_defined(xml(FULL), xml(ASKED), ASKED + 2048)
    assert not is_as_defined(xml(ASKED), xml(ASKED), FULL)

"""Ten thousand calls, many threads, large answers: the process of the CIM server stays as small as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cimom.toy import Toy
from tests.cmpi.broker import Broker, path, typed
from tests.cmpi.conftest import Bridge

SYSTEM = path("root/toy", "Toy_System", CreationClassName="Toy_System", Name="typed")
GET = ("get", "Toy", SYSTEM, None)
ENUMERATE = ("enumerate", "Toy", path("root/toy", "Toy_Disk"), None)

GROWTH_KIB = 256
"""What the allocator may keep beyond the warm-up: a heap top, not an object per call."""


@pytest.mark.parametrize("pegasus", [False, True])
def test_ten_thousand_calls(bridge: Bridge, new_broker: Callable[..., Broker], pegasus: bool) -> None:
    broker = new_broker(sanitized=False, pegasus=pegasus)
    invoke = ("invoke", "Toy", SYSTEM, "Change", ("arg", "State", typed("uint16", 1)))
    for words in (GET, invoke):
        broker.good("repeat", 1, 500, words)
    before = broker.good("status")
    assert broker.good("repeat", 1, 4000, GET)["errors"] == 0
    assert broker.good("repeat", 1, 1000, invoke)["errors"] == 0
    after = broker.good("status")
    assert after["live"] == 0
    assert after["rss_kib"] - before["rss_kib"] < GROWTH_KIB


def test_batches_are_released_one_by_one(bridge: Bridge, toy: Toy, new_broker: Callable[..., Broker]) -> None:
    """Like SFCB, the broker frees at the end of a call or of a mark: 20,000 objects must not all be there at once."""
    for number in range(20_000):
        toy.provider.add("Toy_Disk", Name=f"many|{number}", Size=number)
    broker = new_broker(sanitized=False)
    broker.good("repeat", 1, 1, GET)
    before = broker.good("status")["rss_kib"]
    answer = broker.good("repeat", 1, 2, ("names", *ENUMERATE[1:3]))
    assert answer["objects"] == 2 * 20_003
    # What remains is the test broker's own record of the answer, some 150 bytes of JSON for each name.
    assert broker.good("status")["rss_kib"] - before < 20_000


def test_many_threads(bridge: Bridge, new_broker: Callable[..., Broker]) -> None:
    broker = new_broker()
    for words in (GET, ENUMERATE):
        answer = broker.good("repeat", 12, 40, words)
        assert answer["errors"] == 0
    assert broker.good("status")["live"] == 0

"""The steps that change a running domain."""

from __future__ import annotations

from typing import Any, cast

import libvirt

from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.domains.live import domain_steps


class Recorder:
    """Takes the place of a running domain with control groups, which no driver has everywhere."""

    def __init__(self, **parameters: int) -> None:
        self.held: dict[str, int] = parameters
        self.calls: list[dict[str, int]] = []

    def memoryParameters(self, flags: int) -> dict[str, int]:
        assert flags == libvirt.VIR_DOMAIN_AFFECT_LIVE
        return self.held

    def setMemoryParameters(self, values: dict[str, int], flags: int) -> int:
        self.calls.append(dict(values))
        return 0


def test_a_limit_of_the_memory_that_goes_is_unlimited() -> None:
    before, after = DomainConfig(memtune_hard_limit=4096), DomainConfig()
    (step,) = domain_steps(cast(Context, None), before, after)
    domain = Recorder(hard_limit=4096, soft_limit=1)
    step.do(cast(Any, domain))
    assert step.undo is not None
    step.undo(cast(Any, domain))
    assert domain.calls == [{"hard_limit": (1 << 53) - 1}, {"hard_limit": 4096}]

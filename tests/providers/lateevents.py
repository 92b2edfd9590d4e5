"""What libvirt tells by itself comes late: for what has to be true before it comes."""

from __future__ import annotations

from typing import Any

import pytest

from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["hold_events_back"]


def hold_events_back(hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing read until the end of a test but what somebody waits for."""
    readers = hypervisor.inventory.readers
    assert readers is not None
    mark = readers.mark

    def mark_what_is_waited_for(key: Any, _event: Any = None, waiter: Any = None) -> None:
        if waiter is not None:
            mark(key, waiter=waiter)

    monkeypatch.setattr(readers, "mark", mark_what_is_waited_for)

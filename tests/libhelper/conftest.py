"""Hypervisors for the tests of the inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings

PATIENCE = 60.0


@pytest.fixture
def started() -> Iterator[Callable[..., Hypervisor]]:
    """Starts hypervisors and waits until they are ready."""
    running: list[Hypervisor] = []

    def start(uri: str, **settings: Any) -> Hypervisor:
        hypervisor = Hypervisor(uri, HypervisorSettings(**settings))
        running.append(hypervisor)
        hypervisor.start()
        hypervisor.wait_ready(PATIENCE)
        return hypervisor

    yield start
    for hypervisor in running:
        hypervisor.stop()

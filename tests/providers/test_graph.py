"""The whole graph of the recorded domains, Xen and LXC among them, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cimom.classes import ClassStore
from tests.cimom.harness import RunningServer
from tests.providers.recorded import PLATFORMS, Served
from tests.walk import Walker, Wire


@pytest.fixture
def server(corpus: Served, classes: ClassStore) -> Iterator[RunningServer]:
    """A server on the recorded domains; each of its answers is held against the CIM-XML DTD."""
    running = RunningServer(corpus.catalog, classes)
    yield running
    running.stop()


def test_recorded_domains(server: RunningServer) -> None:
    with Wire(server.url) as wire:
        report = Walker(wire).walk()
    print(report.summary())
    assert not report.findings, report.text()
    for prefix in PLATFORMS.prefixes:
        assert report.instances[f"{prefix}_ComputerSystem"] > 0
    assert not server.invalid, server.invalid[0]
    assert not server.errors

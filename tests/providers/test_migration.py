"""Guests moved between two real daemons, as clients see it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bed import wait_until, why_unavailable
from tests.conftest import missing
from tests.providers.migrationbed import COMPLETED, HERE, THERE, TwoHosts
from virtcim.schema.classes import ClassStore

RELOCATING = 19


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, classes: ClassStore) -> Iterator[TwoHosts]:
    if (reason := why_unavailable()) is not None:
        missing(reason)
    made = TwoHosts(tmp_path_factory.mktemp("m"), classes)
    yield made
    made.close()
    assert made.server.invalid == []


@pytest.fixture
def hosts(both: TwoHosts) -> TwoHosts:
    """Both hosts without a guest."""
    both.clear()
    return both


def test_a_guest_moves_while_it_runs(hosts: TwoHosts) -> None:
    """Its job tells how far it is; it is shown once, at its old place, until it is at its new one."""
    uuid = hosts.define("mover", slow=True)
    hosts.start("mover")
    job = hosts.migrate("mover", Bandwidth=16)
    assert job.classname == "KVM_MigrationJob"
    percents: list[int] = []

    def is_over() -> bool:
        here, there = hosts.names(HERE), hosts.names(THERE)
        shown = hosts.shown(job)
        percents.append(shown["PercentComplete"])
        if shown["JobState"] == COMPLETED:
            return True
        assert "mover" not in there or "mover" not in here
        if shown["DataProcessed"]:
            assert here == {"mover": [RELOCATING]}
            assert there == {}
        return False

    wait_until(is_over, 120)
    assert percents == sorted(percents)
    assert any(0 < each < 100 for each in percents)
    assert percents[-1] == 100
    assert (hosts.names(HERE), hosts.names(THERE)) == ({}, {"mover": [2]})
    assert hosts.states() == [{}, {"mover": "running"}]
    assert hosts.daemons[THERE].virsh("domuuid", "mover").strip() == uuid

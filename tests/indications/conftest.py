"""Fixtures for indications in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Libvirtd, Server
from tests.bed.classes import class_store
from tests.bed.listener import Listener, subscribed
from tests.indications.nodes import Nodes
from tests.indications.parts import Running, Scripted
from tests.indications.story import EVERYTHING
from virtcim.schema.classes import ClassStore


@pytest.fixture(scope="session")
def schema_classes() -> ClassStore:
    """The class store of an installation."""
    return class_store(["KVM", "Test"])


@pytest.fixture
def run(tmp_path: Path, schema_classes: ClassStore) -> Iterator[Callable[..., Running]]:
    """Starts indication services on one state directory, one after the other."""
    running: list[Running] = []

    def start(**settings: Any) -> Running:
        running.append(Running(tmp_path, schema_classes, **settings))
        return running[-1]

    yield start
    running[-1].stop()


@pytest.fixture
def nodes(tmp_path: Path, schema_classes: ClassStore) -> Iterator[Nodes]:
    """Two nodes, each a site with a namespace of its own."""
    made = Nodes(tmp_path, schema_classes)
    yield made
    made.stop()


@pytest.fixture
def listen() -> Iterator[Callable[..., Scripted]]:
    """Starts listeners."""
    open_ones: list[Scripted] = []

    def start(*arguments: Any, **options: Any) -> Scripted:
        open_ones.append(Scripted(*arguments, **options))
        return open_ones[-1]

    yield start
    for each in open_ones:
        each.close()


@pytest.fixture
def often_served(libvirtd: Libvirtd) -> Iterator[tuple[Server, Listener]]:
    """A server that looks every second, not every ten, for what libvirt announces by no event: that a volume comes."""
    config = "[inventory]\ninterval = 1\n"
    with (
        Server(libvirtd.uri(), within=str(libvirtd.namespace), config=config) as server,
        Listener() as listener,
        subscribed(server, listener, *EVERYTHING),
    ):
        yield server, listener

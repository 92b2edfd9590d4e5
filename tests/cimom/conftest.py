"""Fixtures of the CIMOM's tests: a server over the toy catalog, and clients.

Every answer that a server of these fixtures gives is checked against the CIM-XML DTD, and the event loop must have
had nothing to complain about.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pywbem

from tests.cimom.harness import RawClient, RunningServer
from tests.cimom.toy import Toy, class_store
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.http.auth import Authenticator
from virtcim.schema.classes import ClassStore


@pytest.fixture(scope="session")
def classes() -> ClassStore:
    return class_store()


@pytest.fixture
def toy() -> Toy:
    made = Toy()
    made.fill()
    return made


@pytest.fixture
def make_server(toy: Toy, classes: ClassStore) -> Iterator[Callable[..., RunningServer]]:
    """Starts servers over the toy catalog, with settings and an authenticator of the test's choice."""
    running: list[RunningServer] = []

    def make(authenticator: Authenticator | None = None, **settings: Any) -> RunningServer:
        chosen = ServerSettings(port=0, host_name="toyhost", **settings)
        running.append(RunningServer(toy.catalog, classes, chosen, authenticator))
        return running[-1]

    yield make
    for each in running:
        each.stop()
    gc.collect()
    for each in running:
        assert not each.invalid
        assert not each.errors


@pytest.fixture
def server(make_server: Callable[..., RunningServer]) -> RunningServer:
    return make_server()


@pytest.fixture
def raw(server: RunningServer) -> Iterator[RawClient]:
    with RawClient(server.port) as client:
        yield client


@pytest.fixture
def connection(server: RunningServer) -> Iterator[pywbem.WBEMConnection]:
    client = pywbem.WBEMConnection(server.url, default_namespace="root/toy")
    yield client
    client.close()

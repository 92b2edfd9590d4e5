"""Several nodes in one server: by configuration, in files of their own, and at run time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Server, wait_until
from tests.providers.test_two_nodes import GUESTS, LOCAL, OTHER, node_file

WEST = "root/virt/west"


def names(ask: Any, namespace: str, class_name: str = "Test_ComputerSystem") -> set[str]:
    """The names of the instances of a class in a namespace; none where the namespace does not exist."""
    try:
        return {path["Name"] for path in ask.EnumerateInstanceNames(class_name, namespace)}
    except pywbem.CIMError as error:
        if error.status_code != pywbem.CIM_ERR_INVALID_NAMESPACE:
            raise
        return set()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Any]]:
    """A server with a local node and a further one, and a connection to it."""
    directory = tmp_path_factory.mktemp("nodes")
    local, other = (f"test://{node_file(directory, number, guests)}" for number, guests in enumerate(GUESTS.values()))
    config = f"uris = ['{local}']\n[node.other]\nuris = ['{other}']\ncomment = 'Second floor'\n"
    with Server(config=config) as server:
        yield server, server.pywbem()


def test_a_node_of_the_configuration_has_a_namespace(served: tuple[Server, Any]) -> None:
    _, ask = served
    wait_until(lambda: names(ask, OTHER) == GUESTS[OTHER].keys(), 60)
    assert names(ask, LOCAL) == GUESTS[LOCAL].keys()
    listed = {each["Name"] for each in ask.EnumerateInstances("CIM_Namespace", "root/interop")}
    assert {LOCAL, OTHER} <= listed


def test_nodes_come_and_go_with_their_files(served: tuple[Server, Any], tmp_path: Path) -> None:
    server, ask = served
    directory = server.directory / "nodes.d"
    directory.mkdir()
    file = directory / "west.toml"
    file.write_text(f"[node.west]\nuris = ['test://{node_file(tmp_path, 3, {'far': 1})}']\n")
    (directory / "broken.toml").write_text("[node.broken\n")
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: names(ask, WEST) == {"far"}, 60)
    assert str(directory / "broken.toml") in server.errors
    assert names(ask, OTHER) == GUESTS[OTHER].keys()
    file.unlink()
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not names(ask, WEST), 60)
    assert names(ask, OTHER) == GUESTS[OTHER].keys()

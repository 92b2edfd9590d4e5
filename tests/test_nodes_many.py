"""Many nodes, half of which hang: the others are served as ever, by no more threads than the setting says."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pywbem

from tests.bed import Server, wait_until
from tests.providers.test_two_nodes import node_file
from tests.test_nodes import managed, names
from tests.test_nodes_real import CONNECTED, NO_CONTACT, stand_in

THREADS = 8
OTHERS = 40
"""Threads of a server without nodes at most, those of a few clients among them."""


class Crowd(NamedTuple):
    """A server of many nodes: of so many each that answer, that never do, and that stop in the middle of an answer."""

    server: Server
    good: int
    hanging: int
    half: int


@pytest.fixture(
    scope="module", params=[(30, 30, 3), pytest.param((100, 97, 3), marks=pytest.mark.slow)], ids=["63", "200"]
)
def crowd(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Crowd]:
    """Nodes every second one of which takes connections, and never answers."""
    good, hanging, half = request.param
    directory = tmp_path_factory.mktemp("crowd")
    config = f"uris = ['test://{node_file(directory, 0, {'here': 1})}']\n"
    config += f"[nodes]\nthreads = {THREADS}\n[inventory]\nopen_timeout = 2.0\n"
    with contextlib.ExitStack() as stack:
        for number in range(1, good + 1):
            config += f"[node.good{number}]\nuris = ['test://{node_file(directory, number, {'same': 1, 'own': 1})}']\n"
        for number in range(hanging):
            stack.enter_context(stand_in(directory / f"s{number}", b""))
            config += f"[node.bad{number}]\nuris = ['qemu+unix:///system?socket={directory}/s{number}']\n"
        for number in range(half):
            # The length of an answer that does not come: the probe takes it for a daemon that answers.
            stack.enter_context(stand_in(directory / f"h{number}", struct.pack(">I", 36), then_hangs=True))
            config += f"[node.half{number}]\nuris = ['qemu+unix:///system?socket={directory}/h{number}']\n"
        yield Crowd(stack.enter_context(Server(config=config)), good, hanging, half)


def threads_of(server: Server) -> int:
    return len(os.listdir(f"/proc/{server.pid}/task"))


def test_half_of_the_nodes_hang(crowd: Crowd) -> None:
    ask = crowd.server.pywbem()
    for number in range(1, crowd.good + 1):
        wait_until(lambda number=number: names(ask, f"root/virt/good{number}") == {"same", "own"})  # type: ignore[misc]
    for number in range(crowd.hanging):
        wait_until(lambda number=number: managed(ask, f"bad{number}")["State"] == NO_CONTACT)  # type: ignore[misc]
    assert "no answer within 2 s" in managed(ask, "bad0")["Trouble"]
    for number in range(crowd.half):
        wait_until(lambda number=number: managed(ask, f"half{number}")["State"] == NO_CONTACT)  # type: ignore[misc]
        wait_until(lambda number=number: "still wait" in managed(ask, f"half{number}")["Trouble"])  # type: ignore[misc]
    assert threads_of(crowd.server) < THREADS + OTHERS
    path = ask.EnumerateInstanceNames("Test_ComputerSystem", "root/virt/good7")[0]
    assert ask.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(9))[0] == 0
    assert ask.GetInstance(path)["EnabledState"] == 9


def test_a_node_comes_while_others_hang(crowd: Crowd, tmp_path: Path) -> None:
    ask = crowd.server.pywbem()
    directory = crowd.server.directory / "nodes.d"
    directory.mkdir()
    (directory / "late.toml").write_text(f"[node.late]\nuris = ['test://{node_file(tmp_path, 0, {'late': 1})}']\n")
    assert crowd.server.process is not None
    crowd.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: names(ask, "root/virt/late") == {"late"})
    assert managed(ask, "late")["State"] == CONNECTED
    assert threads_of(crowd.server) < THREADS + OTHERS

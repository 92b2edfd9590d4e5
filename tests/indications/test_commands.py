"""`virtcim watch` and `virtcim subscriptions` against a running server, and the page that explains listeners."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bed import Server, wait_until
from tests.bed.listener import Listener, subscribed
from tests.bed.server import ROOT
from tests.bed.views import request_state

GUEST = "Test_ComputerSystem"
COMMAND = [sys.executable, "-m", "virtcim.app.main"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("test:///default", auth="default") as running:
        yield running


RUNNING: list[subprocess.Popen[str]] = []
"""Commands of the test that goes on."""


def run(server: Server, *arguments: str) -> subprocess.Popen[str]:
    running = subprocess.Popen(
        [*COMMAND, *arguments, "--url", server.url, "--state-dir", str(server.state_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    RUNNING.append(running)
    return running


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    """A command whose test failed goes on until it is ended."""
    yield
    while RUNNING:
        RUNNING.pop().kill()


@pytest.fixture(autouse=True)
def login(server: Server) -> None:
    server.user, _, server.password = (server.state_dir / "password").read_text().strip().partition(":")


def test_watch_prints_what_changes(server: Server) -> None:
    watching = run(server, "watch", "--count", "2")
    assert watching.stderr is not None
    assert "watching" in watching.stderr.readline()
    assert request_state(server, "test", 9, GUEST) == 0
    printed, complaints = watching.communicate(timeout=60)
    assert watching.returncode == 0, complaints
    lines = printed.splitlines()
    pattern = r"\d\d:\d\d:\d\d modified Test_ComputerSystem\.CreationClassName=.*EnabledState 2 -> 9"
    assert any(re.match(pattern, line) for line in lines), lines
    with server.pywbem("root/interop") as connection:
        assert connection.EnumerateInstanceNames("CIM_ListenerDestination") == []
        names = [path.keybindings["Name"] for path in connection.EnumerateInstanceNames("CIM_IndicationFilter")]
        assert not [name for name in names if "watch" in name]


def test_watch_takes_a_query_and_prints_json(server: Server) -> None:
    query = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"
    request_state(server, "test", 9, GUEST)
    watching = run(server, "watch", query, "--count", "1", "--json")
    assert watching.stderr is not None
    assert "watching" in watching.stderr.readline()
    assert request_state(server, "test", 2, GUEST) == 0
    printed, complaints = watching.communicate(timeout=60)
    assert watching.returncode == 0, complaints
    told = json.loads(printed)
    assert told["Class"] == "Test_ComputerSystemModifiedIndication"
    assert (told["PreviousInstance"]["EnabledState"], told["SourceInstance"]["EnabledState"]) == (9, 2)
    assert told["SourceInstance"]["OperationalStatus"] == [2]


def test_watch_says_what_is_wrong_with_a_query(server: Server) -> None:
    watching = run(server, "watch", "SELECT nothing")
    _, complaints = watching.communicate(timeout=60)
    assert watching.returncode == 1
    assert "Syntax error" in complaints
    assert "Traceback" not in complaints


def test_subscriptions_are_listed_with_what_became_of_them(server: Server) -> None:
    query = "SELECT * FROM CIM_InstModification"
    with Listener() as listener, subscribed(server, listener, query):
        assert request_state(server, "test", 9, GUEST) == 0
        listener.wait_for(1)

        def listed() -> str:
            done = run(server, "subscriptions")
            printed, complaints = done.communicate(timeout=60)
            assert done.returncode == 0, complaints
            return printed

        wait_until(lambda: re.search(r"0 waiting, [1-9]\d* delivered, 0 dropped", listed()))
        assert f"enabled   {listener.url}" in listed()
        assert query in listed()
    assert request_state(server, "test", 2, GUEST) == 0


def test_the_listener_of_the_page_works(server: Server, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "indications.md").read_text()
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(script.strip().splitlines()) <= 14
    script = script.replace("http://localhost:5988", server.url).replace("USER", str(server.user))
    file, output = tmp_path / "listener.py", tmp_path / "output"
    file.write_text(script.replace("PASSWORD", str(server.password)))
    with output.open("w") as printed:
        running = subprocess.Popen([sys.executable, "-u", str(file)], stdout=printed, stdin=subprocess.PIPE, text=True)
    try:
        with server.pywbem("root/interop") as connection:
            wait_until(lambda: connection.EnumerateInstanceNames("CIM_IndicationSubscription"))
        assert request_state(server, "test", 9, GUEST) == 0
        wait_until(lambda: "test 2 -> 9\n" in output.read_text())
    finally:
        running.communicate("\n", timeout=60)
    with server.pywbem("root/interop") as connection:
        assert connection.EnumerateInstanceNames("CIM_IndicationSubscription") == []
    assert request_state(server, "test", 2, GUEST) == 0

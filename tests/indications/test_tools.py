"""pywbem's own tools subscribe and listen: `pywbemcli subscription` and `pywbemlistener`."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bed import Server, wait_until
from tests.bed.views import request_state

GUEST = "Test_ComputerSystem"
QUERY = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"


def tool(name: str) -> str:
    """Where a tool of pywbem is."""
    return str(Path(sys.executable).with_name(name))


def alone(home: Path) -> dict[str, str]:
    """An environment without the files of a user, without colours."""
    return {**os.environ, "HOME": str(home), "TERM": "dumb"}


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A `pywbemlistener` in the foreground: its URL, and the file with what it received."""
    pytest.importorskip("pywbemtools")
    received, printed = tmp_path / "received", tmp_path / "printed"
    # It takes no port 0; below those that the system gives to outgoing connections one is free for sure.
    port = next(each for each in random.sample(range(20000, 32000), 100) if not answers(each))
    options = ["--scheme", "http", "--port", str(port), "--bind-addr", "127.0.0.1", "--indi-file", str(received)]
    with printed.open("w") as output:
        running = subprocess.Popen(
            [tool("pywbemlistener"), "run", "test", *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            env=alone(tmp_path),
        )
    try:
        wait_until(lambda: running.poll() is not None or answers(port))
        assert running.poll() is None, printed.read_text()
        yield f"http://127.0.0.1:{port}", received
    finally:
        running.terminate()
        running.wait(60)


def test_pywbems_tools_subscribe_listen_and_unsubscribe(
    serve: Callable[..., Server], listening: tuple[str, Path]
) -> None:
    server = serve("test:///default")
    url, received = listening
    login = ["-u", str(server.user), "-p", str(server.password)] if server.user else []

    def subscription(*arguments: str) -> str:
        done = subprocess.run(
            [tool("pywbemcli"), "-s", server.url, *login, "subscription", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
            env=alone(server.directory),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    subscription("add-destination", "place", "--listener-url", url)
    subscription("add-filter", "wanted", "--query", QUERY, "--source-namespaces", "root/virt")
    subscription("add-subscription", "place", "wanted")
    assert url in subscription("list-destinations")
    assert "CIM_InstModification" in subscription("list-filters")
    assert "place" in subscription("list-subscriptions")
    assert request_state(server, "test", 9, GUEST) == 0
    wait_until(lambda: received.exists() and f"{GUEST}ModifiedIndication" in received.read_text())
    told = received.read_text()
    assert "PreviousInstance" in told
    subscription("remove-subscription", "place", "wanted")
    subscription("remove-filter", "wanted")
    subscription("remove-destination", "place")
    with server.pywbem("root/interop") as connection:
        assert connection.EnumerateInstanceNames("CIM_IndicationSubscription") == []
        assert connection.EnumerateInstanceNames("CIM_ListenerDestination") == []

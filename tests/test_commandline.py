"""`virtcim status` and `virtcim guest` against a running server: by its Unix socket, and over HTTP."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bed import Server
from tests.bed.server import ROOT

COMMAND = [sys.executable, "-m", "virtcim.app.main"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a Unix socket that other users can get to."""
    with tempfile.TemporaryDirectory(prefix="virtcim-socket-") as directory:
        os.chmod(directory, 0o755)
        config = f'listen_unix = "{directory}/s"\naudit_file = "{directory}/audit.log"\n'
        with Server("test:///default", config=config, auth="default") as running:
            running.user, _, running.password = (running.state_dir / "password").read_text().strip().partition(":")
            yield running


@pytest.fixture
def config(server: Server) -> Path:
    return server.directory / "virtcim.toml"


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def ask(*arguments: str | Path) -> str:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_status_tells_of_the_server(server: Server, config: Path) -> None:
    report = json.loads(ask("status", "--json", "--config", config))
    assert report["pid"] == server.pid
    assert server.url in report["addresses"]
    (node,) = report["nodes"]
    assert (node["uri"], node["connected"], node["guests"]) == ("test:///default", True, 1)
    assert report["subscriptions"] == {"number": 0, "failing": 0}
    text = ask("status", "--config", config)
    assert "test:///default (Test): connected, 1 guests, 1 running" in text
    assert f"process {server.pid}" in text


def test_status_counts_what_is_asked_of_the_server(server: Server) -> None:
    with server.pywbem("root/interop") as connection:
        connection.EnumerateInstanceNames("CIM_ObjectManager")
    report = json.loads(ask("status", "--json", "--url", server.url, "--state-dir", server.state_dir))
    assert "virtcim" in report["users"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_only_reads_learns_nothing_of_users_and_troubles(server: Server, config: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    socket = config.read_text().split('"')[1]
    done = subprocess.run(
        ["curl", "--silent", "--fail", "--unix-socket", socket, "http://localhost/status"],
        capture_output=True,
        text=True,
        check=True,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    )
    report = json.loads(done.stdout)
    assert report["nodes"]
    assert not {"users", "troubles"} & set(report)


def test_status_is_for_nobody_without_a_login(server: Server, tmp_path: Path) -> None:
    done = run("status", "--url", server.url, "--state-dir", tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "may not be asked by this user (HTTP 401); expected its password" in done.stderr


def test_status_without_a_server_says_so(tmp_path: Path) -> None:
    done = run("status", "--url", "http://127.0.0.1:1", "--state-dir", tmp_path)
    assert done.returncode == 1
    assert "http://127.0.0.1:1: Connection refused; expected a running server (virtcim serve)" in done.stderr


@pytest.mark.parametrize("url", ["localhost", "foo://x", "http:///", "http://127.0.0.1:99999", "http://[::1"])
@pytest.mark.parametrize("words", [["status"], ["guest", "list"], ["watch"]])
def test_a_url_that_is_none_is_named(words: list[str], url: str, tmp_path: Path) -> None:
    done = run(*words, "--url", url, "--state-dir", tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == (
        f"virtcim: --url: {url!r} is no URL of a server; expected http://HOST:PORT, https://HOST:PORT or unix:PATH"
    )


def test_commands_that_ask_by_cim_say_the_same_of_what_they_cannot_ask(server: Server, tmp_path: Path) -> None:
    for url, expected in (
        ("http://127.0.0.1:1", "Connection refused; expected a running server (virtcim serve)"),
        ("http://nowhere.invalid:1", "expected a running server (virtcim serve)"),
        (server.url, "may not be asked by this user (HTTP 401); expected its password, by --user or --state-dir"),
    ):
        done = run("guest", "list", "--url", url, "--state-dir", tmp_path)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"virtcim: {url}: ")
        assert line.endswith(expected)
        assert "HTTPConnection" not in line


def test_status_shows_the_last_troubles(serve: Callable[..., Server]) -> None:
    server = serve("test:///default", "qemu:///nowhere?socket=/nowhere", auth="default", config="startup_wait = 1\n")
    done = run("status", "--json", "--url", server.url, "--state-dir", server.state_dir)
    assert done.returncode == 1, "a node has no connection"
    report = json.loads(done.stdout)
    assert any("qemu:///nowhere" in each["message"] for each in report["troubles"])
    assert {each["connected"] for each in report["nodes"]} == {True, False}


def test_guests_are_listed_shown_and_controlled_as_by_any_client(server: Server, config: Path) -> None:
    options = ("--config", config)
    assert ask("guest", "list", *options).splitlines()[1].split()[:3] == ["test", "running", "Test_ComputerSystem"]
    (guest,) = json.loads(ask("guest", "list", "-o", "json", *options))
    assert ask("guest", "pause", "test", *options) == "guest test: paused\n"
    assert json.loads(ask("guest", "list", "-o", "json", "--state", "running", *options)) == []
    done = run("guest", "pause", "test", *options)
    refused = "guest test: pause: it cannot do that in its state (RequestStateChange returned 4097), paused; expected "
    assert (done.returncode, done.stderr.startswith(f"virtcim: {refused}one of start, ")) == (1, True), done.stderr
    assert "pause," not in done.stderr.partition("expected")[2]
    assert ask("guest", "resume", guest["uuid"], *options) == f"guest {guest['uuid']}: running\n"
    shown = json.loads(ask("guest", "show", "test", "-o", "json", *options))
    assert shown["properties"]["EnabledState"] == 2
    assert "Test_Memory" in {each["class"] for each in shown["devices"]}
    assert "Test_Processor" in ask("guest", "show", "test", *options)
    audited = [json.loads(line) for line in Path(config.read_text().split('"')[3]).read_text().splitlines()]
    changes = [each for each in audited if each["operation"] == "RequestStateChange"]
    assert {each["by"] for each in changes} == {"local"}
    assert len(changes) == 3


def test_what_a_guest_cannot_do_is_said(config: Path) -> None:
    done = run("guest", "start", "nowhere", "--config", config)
    assert done.returncode == 1
    assert done.stderr == "virtcim: guest nowhere: there is none; expected one of test\n"
    done = run("guest", "save", "test", "--config", config, "--namespace", "root/nowhere")
    assert done.returncode == 1
    assert "CIM_ERR_INVALID_NAMESPACE" in done.stderr


def test_help_names_every_command() -> None:
    text = ask("--help")
    for name in ("serve", "check", "status", "guest", "watch", "subscriptions", "certificate", "register"):
        assert re.search(rf"^    {name}( |$)", text, re.MULTILINE), name

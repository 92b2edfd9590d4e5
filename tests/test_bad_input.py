"""What a start and `virtcim check` say of what is wrong: the object, what is wrong with it, and what is expected."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bed import Server
from tests.bed.server import run_command
from tests.conftest import missing
from virtcim.app.commands.check import check_host
from virtcim.app.config import ConfigError, Settings, load
from virtcim.app.layouts import LAYOUT
from virtcim.app.store import DATABASE

COMMAND = [sys.executable, "-m", "virtcim.app.main"]


def a_file_in_place_of_the_directory(state: Path) -> str:
    state.write_text("")
    return f"state_dir: {state}: File exists; expected a directory that this user may write to, with space left"


def a_password_without_a_user(state: Path) -> str:
    state.mkdir(mode=0o700)
    (state / "password").write_text("secret")
    return f"auth: {state}/password: does not hold a user with a password; expected one line user:password"


def a_directory_in_place_of_the_password(state: Path) -> str:
    (state / "password").mkdir(mode=0o700, parents=True)
    return f"auth: {state}/password: Is a directory; expected a file that this user may read"


@pytest.mark.parametrize(
    "spoil", [a_file_in_place_of_the_directory, a_password_without_a_user, a_directory_in_place_of_the_password]
)
def test_a_spoilt_state_directory_ends_the_start(tmp_path: Path, spoil: Callable[[Path], str]) -> None:
    state = tmp_path / "state"
    expected = spoil(state)
    done = run_command(*COMMAND, "serve", "--uri", "test:///default", "--listen", "127.0.0.1:0", "--state-dir", state)
    assert done.returncode == 2
    assert f"virtcim: {expected}" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"listen = \n", "virtcim.toml: Invalid value (at line 1, column 10); expected TOML in UTF-8"),
        (b"# \xff\n", "virtcim.toml: 'utf-8' codec can't decode byte 0xff in position 2: invalid start byte; expected"),
        (b"[server]\nfuture = 1\n", "server.future: is not a setting; expected one of "),
        (None, "virtcim.toml: Is a directory; expected a file in TOML"),
    ],
)
def test_a_spoilt_configuration_ends_the_start(tmp_path: Path, content: bytes | None, expected: str) -> None:
    file = tmp_path / "virtcim.toml"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    done = run_command(*COMMAND, "serve", "--config", file)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("virtcim: ")
    assert expected in line


def test_a_missing_certificate_ends_the_start_before_a_hypervisor_is_looked_for(tmp_path: Path) -> None:
    done = run_command(*COMMAND, "serve", "--listen", "", "--listen-https", "127.0.0.1:0", "--state-dir", tmp_path)
    assert done.returncode == 2
    assert "virtcim: tls: there is no certificate for HTTPS; expected tls.certificate with tls.key" in done.stderr
    assert "hypervisor" not in done.stderr


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1", "'127.0.0.1' is not an address; expected HOST:PORT, with a port up to 65535"),
        ("127.0.0.1:99999", "'127.0.0.1:99999' is not an address; expected HOST:PORT, with a port up to 65535"),
        ("::1:5988", "'::1:5988' has several colons; expected an IPv6 address in brackets, [ADDRESS]:PORT"),
    ],
)
@pytest.mark.parametrize("setting", ["listen", "listen_https"])
def test_a_wrong_address_is_named(tmp_path: Path, setting: str, listen: str, expected: str) -> None:
    file = tmp_path / "virtcim.toml"
    file.write_text(f'{setting} = "{listen}"\n')
    with pytest.raises(ConfigError) as error:
        load(file, {})
    assert str(error.value) == f"{setting}: {expected}"


@pytest.mark.parametrize(("pages", "file"), [(0, "state_dir: {}/lock"), (1, "auth: {}/password")])
def test_a_full_disk_ends_the_start_before_anything_is_lost(tmp_path: Path, pages: int, file: str) -> None:
    """With so many pages left that some files can still be written."""
    if os.geteuid() != 0:
        missing("a small file system of one's own needs root")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    server = [*COMMAND, "serve", "--uri", "test:///default", "--listen", "127.0.0.1:0", "--state-dir", str(state)]
    script = (
        f"mount -t tmpfs -o size=64k,mode=0700 virtcim {state}\n"
        f"dd if=/dev/zero of={state}/other bs=4096 count={16 - pages} status=none\n"
        f"{shlex.join(server)}\nstatus=$?\nls {state}\nexit $status\n"
    )
    done = run_command("unshare", "--mount", "--propagation", "private", "sh", "-c", script)
    assert done.returncode == 2, done.stderr
    assert f"virtcim: {file.format(state)}: No space left on device; expected" in done.stderr.replace(".new", "")
    assert done.stdout.split() == ["lock", "other"], "no half of a file is left"


def looked_at(capsys: pytest.CaptureFixture[str], state: Path) -> list[str]:
    """What `virtcim check --json` calls errors."""
    settings = Settings(uris=("test:///default",), listen="127.0.0.1:0", state_dir=state)
    status = check_host(settings, as_json=True)
    report = json.loads(capsys.readouterr().out)
    errors = [each["text"] for each in report["findings"] if each["severity"] == "error"]
    assert (status, report["errors"]) == (1 if errors else 0, len(errors))
    assert report["warnings"] == [each["severity"] for each in report["findings"]].count("warning")
    return errors


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture(autouse=True)
def logged() -> Iterator[None]:
    """The report switches the log off, as its process ends with it."""
    yield
    logging.disable(logging.NOTSET)


def test_check_finds_the_state_of_a_later_version(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    with sqlite3.connect(state / DATABASE) as connection:
        connection.execute("CREATE TABLE record (collection TEXT)")
        connection.execute(f"PRAGMA user_version = {LAYOUT + 1}")
    connection.close()
    (error,) = looked_at(capsys, state)
    assert f"{DATABASE}: its layout is {LAYOUT + 1}, that of a later version; expected {LAYOUT} at most" in error


def test_check_finds_a_database_that_is_none(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    (state / DATABASE).write_bytes(b"nonsense" * 1000)
    (error,) = looked_at(capsys, state)
    assert f"{DATABASE}: file is not a database; expected" in error


def test_check_has_nothing_to_say_of_what_a_server_left(
    capsys: pytest.CaptureFixture[str], serve: Callable[..., Server]
) -> None:
    server = serve("test:///default", auth="default")
    server.stop()
    assert looked_at(capsys, server.state_dir) == []


def test_check_asks_a_running_server_over_each_of_its_listeners(serve: Callable[..., Server], tmp_path: Path) -> None:
    """With the settings that it was started with, and after its certificate was replaced without a word to it."""
    server = serve(
        "test:///default",
        auth="default",
        config=f'listen_https = "127.0.0.1:0"\nlisten_unix = "{tmp_path}/s"\n[tls]\nself_signed = true\n'
        "check_seconds = 1000\n",
    )
    options: list[str | Path] = ["--state-dir", server.state_dir, "--uri", "test:///default", "--listen", "127.0.0.1:0"]
    check: list[str | Path] = [*COMMAND, "check", "--config", server.directory / "virtcim.toml", *options]
    done = run_command(*check, REQUESTS_CA_BUNDLE="/nowhere/of/no/concern")
    assert done.returncode == 0, done.stdout
    https = f"https://127.0.0.1:{server.https_port}"
    for url in (server.url, https, f"unix:{tmp_path}/s"):
        assert f"ok      {url}: answers over CIM-XML" in done.stdout
    assert f"the server with process id {server.pid} has the state directory" in done.stdout

    assert run_command(*COMMAND, "certificate", "--force", "--directory", server.state_dir).returncode == 0
    done = run_command(*check)
    assert done.returncode == 1
    assert re.search(rf"^error   {https}: shows another certificate than .*; expected the same", done.stdout, re.M)


def test_check_finds_a_server_that_answers_elsewhere(serve: Callable[..., Server]) -> None:
    server = serve("test:///default", auth="default")
    done = run_command(*COMMAND, "check", "--uri", "test:///default", "--state-dir", server.state_dir,
               "--listen", "127.0.0.1:0", "--json")  # fmt: skip
    assert done.returncode == 1
    (error,) = (each for each in json.loads(done.stdout)["findings"] if each["severity"] == "error")
    assert error["check"] == "addresses"
    assert error["text"].startswith(f"server {server.pid}: has the state directory and answers nowhere")

"""What each command of the command line does with `--help`, with a wrong word, without a server, and with files that
are not as they should be: a usage or one line, a status, and never a trace back."""

from __future__ import annotations

import gc
import logging
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from release.commands import Command, all_commands, commands
from tests.bed import Server
from tests.bed.server import COMMAND, ROOT
from virtcim.app.main import main

EVERY = [each for each in all_commands(commands()) if each.words and not each.below]

NEEDED = {
    ("define",): ["--native", "xen-xl"],
    ("export",): ["--native", "xen-xl"],
    ("node", "add"): ["--uri", "test:///default"],
    ("node", "edit"): ["--comment", "another"],
    ("provision",): ["--name", "guest"],
    ("appliance", "import"): ["--pool", "default"],
    ("template", "add-image"): ["--format", "raw"],
}
"""Options that a command cannot do without."""

LINE = re.compile(r"virtcim: [^\n]+; expected [^\n]+\n|virtcim: [^\n]+: [^\n]+\n")
"""One line in the form of all messages."""

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Commands have their process to themselves: some silence its log, and a server that begins stops collections."""
    yield
    logging.disable(logging.NOTSET)
    gc.enable()


def named(command: Command) -> str:
    return " ".join(command.words)


def having(name: str) -> list[Command]:
    """The commands that have an option; those with `--url` ask a server."""
    return [each for each in EVERY if any(name in option.names for option in each.options)]


def ended(words: list[str]) -> int | str | None:
    """The status that a command line ends with."""
    try:
        return main(words)
    except SystemExit as end:
        return end.code


def test_the_commands_are_found() -> None:
    assert {("serve",), ("status",), ("guest", "list"), ("registration", "status")} <= {each.words for each in EVERY}
    assert len(having("--url")) > 30


@pytest.mark.parametrize("command", EVERY, ids=named)
def test_help(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended([*command.words, "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.startswith(f"usage: virtcim {named(command)} ")
    for option in command.options:
        assert all(name in shown.out for name in option.names), option


@pytest.mark.parametrize("command", EVERY, ids=named)
def test_a_wrong_option(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended([*command.words, "--no-such-option"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    *usage, error = shown.err.splitlines()
    assert usage[0].startswith("usage: virtcim ")
    assert re.match(r"virtcim( \w[\w-]*)*: error: ", error)


@pytest.mark.parametrize("words", [["guest", "list"], ["node", "add"], ["serve"]], ids=" ".join)
def test_a_wrong_option_shows_the_options_of_the_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended([*words, *NEEDED.get(tuple(words), []), *(["far"] if words[0] == "node" else []), "--none"]) == 2
    name = " ".join(words)
    assert re.match(
        rf"usage: virtcim {name} .*\nvirtcim {name}: error: unrecognized arguments: --none\n$",
        capsys.readouterr().err,
        re.DOTALL,
    )


def printing(words: list[str], stdout: int, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command that prints to a file."""
    return subprocess.run(
        [*COMMAND, *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


PRINTING = pytest.mark.parametrize(
    ("words", "unbuffered"),
    [
        (["platform", "list"], ""),
        (["platform", "list"], "1"),
        (["guest", "list"], ""),
        (["guest", "list"], "1"),
        (["--version"], ""),
    ],
    ids=["command", "command, at once", "asking", "asking, at once", "version"],
)
"""A command by itself, one that asks a server, and what is printed before any command runs; at its end, or line by line
(what PYTHONUNBUFFERED is)."""


def at_server(words: list[str], server: Server) -> list[str]:
    assert server.user is not None
    return [*words, "--url", server.url, "--user", server.user] if words[0] == "guest" else words


def password_of(server: Server) -> dict[str, str]:
    assert server.password is not None
    return {"VIRTCIM_PASSWORD": server.password}


@PRINTING
def test_nobody_reads_what_is_printed(words: list[str], unbuffered: str, default_server: Server) -> None:
    read, write = os.pipe()
    os.close(read)
    given = {**password_of(default_server), "PYTHONUNBUFFERED": unbuffered}
    done = printing(at_server(words, default_server), write, **given)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@PRINTING
def test_no_space_for_what_is_printed(words: list[str], unbuffered: str, default_server: Server) -> None:
    with open("/dev/full", "wb") as full:
        given = {**password_of(default_server), "PYTHONUNBUFFERED": unbuffered}
        done = printing(at_server(words, default_server), full.fileno(), **given)
    assert done.returncode == 1
    assert done.stderr == b"virtcim: No space left on device; expected space for what is printed or written\n"


def test_names_that_a_terminal_has_no_characters_for(serve: Callable[..., Server], tmp_path: Path) -> None:
    guest = "<domain type='test'><name>gäst</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    (tmp_path / "node.xml").write_text(f"<node>{guest}</node>", encoding="utf-8")
    server = serve(f"test://{tmp_path}/node.xml")
    with open(tmp_path / "printed", "wb") as printed:
        given = {**password_of(server), "PYTHONIOENCODING": "ascii"}
        done = printing(at_server(["guest", "list"], server), printed.fileno(), **given)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"g\\xe4st" in (tmp_path / "printed").read_bytes()


@pytest.mark.parametrize("command", having("--url"), ids=named)
def test_no_server(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = tmp_path / "given"
    given.write_text('id = "t"\nversion = "1"\n[image]\nname = "i"\n')
    words = [*command.words, *NEEDED.get(command.words, []), *(str(given) for _ in command.arguments)]
    assert ended([*words, "--url", NOWHERE, "--state-dir", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert LINE.fullmatch(shown.err), shown.err


@pytest.mark.parametrize("command", having("--config"), ids=named)
def test_settings_that_are_not_there(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*command.words, *NEEDED.get(command.words, []), *("x" for _ in command.arguments)]
    assert ended([*words, "--config", str(tmp_path / "none.toml")]) == 2
    expected = f"virtcim: --config: {tmp_path}/none.toml: No such file or directory; expected a file in TOML\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    "words",
    [
        ["template", "add"],
        ["template", "edit", "web", "--file"],
        ["define", "--native", "xen-xl"],
        ["mof", "compile", "--into", "/nowhere", "--prefix", "KVM"],
        ["provision", "web", "--name", "guest", "--user-data"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_file_that_cannot_be_read(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "none"
    at = ["--url", NOWHERE] if words[0] in ("template", "define", "provision") else []
    assert ended([*words, str(file), *at]) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(r"virtcim: [^\n]*\n", error), error
    assert "Errno" not in error
    assert "No such file" in error or "Connection refused" in error


@pytest.mark.parametrize("words", [["template", "add"], ["define", "--native", "xen-xl"]], ids=" ".join)
def test_a_file_that_is_no_text(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "image"
    file.write_bytes(b"\xff\xfe\x00binary")
    assert ended([*words, str(file), "--url", NOWHERE]) == 1
    assert capsys.readouterr().err == f"virtcim: {file}: is not in UTF-8; expected a text\n"

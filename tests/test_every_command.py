"""What each command of the command line does with `--help`, with a wrong word, without a server, and with files that
are not as they should be: a usage or one line, a status, and never a trace back."""

from __future__ import annotations

import gc
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from release.commands import Command, all_commands, commands
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

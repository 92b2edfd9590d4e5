"""What README.md and docs/using.md say that one can type, typed by a shell in their order, against a server that has a
guest."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from release.source import source_files
from tests.bed import Server
from tests.bed.server import ROOT

LATER = {
    "make run": "what the server of these tests stands for",
    "make test": "the run that this is part of",
    "virtcim define": "test_native",
    "virtcim export": "test_native",
    "virtcim guest clone": "test_cloning_qemu: libvirt's test driver copies no disks",
    "virtcim check": "test_bad_input: it looks at this host",
    "virtcim watch": "test_commands of indications: it goes on until it is interrupted",
    "/usr/lib/virtcim/bin/python3": "test_deb",
    "export VIRTCIM_URL": "the example of another machine",
}
"""Beginnings of lines that are not typed here, and where they are tried."""


INSTALLED = {
    "apt install ./dist/virtcim_*.deb": "test_debian, test_deb: an upgrade",
    "virtcim status": "test_deb",
    "apt install sblim-wbemcli": "test_debian",
    'U="http:': "test_deb",
    "wbemcli ": "test_deb",
    "make install": "test_deb",
    "systemd-": "test_deb",
    "systemctl ": "there is no systemd in a root of its own; test_deb takes what the units say in its place",
    "apt install pipx": "test_debian",
    "pipx install": "test_debian",
    "virtcim serve": "test_debian: `virtcim check` of what pipx installed",
    "make deb": "test_deb",
    "podman ": "test_debian: the steps of the container file, one by one; no container is run",
    "SupplementaryGroups=": "test_debian",
    "mkdir -p /backup": "test_deb",
    "sqlite3 ": "test_deb",
    "cp -a ": "test_deb",
    "install -o virtcim": "test_deb",
    "rm -f ": "test_deb",
    "apt remove virtcim": "test_deb",
    "apt purge virtcim": "test_deb, test_debian",
}
"""Beginnings of lines of docs/install.md, and where in tests/packaging they are tried."""


def test_every_line_of_the_installation_is_tried() -> None:
    lines = lines_of("docs/install.md")
    assert [line for line in lines if not line.startswith(tuple(INSTALLED))] == []
    assert [each for each in INSTALLED if not any(line.startswith(each) for line in lines)] == []


PAGES = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    """By the end of their paths: a page about `frontends` need not say that it is in `virtcim`."""
    named = re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|md|toml|mof|spec|in))`", page.read_text(encoding="utf-8"))
    known = [f"/{path}" for path in source_files()]
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in known)] == []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("test:///default", auth="default") as running:
        yield running


def lines_of(page: str) -> list[str]:
    """The lines of the indented blocks of a page, continued ones joined, without comments."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"(?<=\n\n)(?: {4}\S.*\n)+", text)
    lines = [re.sub(r"\s+#\s.*", "", line).strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if not line.startswith(("#", "["))]


def typed(server: Server, line: str) -> str:
    """A line with the address and the state directory of the server, its guest and its class."""
    for shown, here in (
        ("/var/lib/virtcim", str(server.state_dir)),
        ("127.0.0.1:5988", f"{server.host}:{server.port}"),
        ("KVM_", "Test_"),
        ('\\"web\\"', '\\"test\\"'),
        (" web", " test"),
        (".venv/bin/python ", f"{shlex.quote(sys.executable)} "),
    ):
        line = line.replace(shown, here)
    return line.replace(".venv/bin/virtcim", "virtcim")


def shell(server: Server, lines: list[str]) -> str:
    """Type lines into one shell, of which each has to succeed; what they print."""
    at = f"--url {server.url} --state-dir {server.state_dir}"
    begin = [
        # The options stand in for a server whose socket and state are where commands look for them.
        f'virtcim() {{ {shlex.quote(sys.executable)} -m virtcim.app.main "$@" {at}; }}',
        'password=$(cat "$1"); export VIRTCIM_USER=${password%%:*} VIRTCIM_PASSWORD=${password#*:}',
    ]
    done = subprocess.run(
        ["bash", "-euc", "\n".join([*begin, *lines]), "bash", server.state_dir / "password"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "VIRTCIM_URL": server.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def to_type(server: Server, page: str) -> list[str]:
    return [typed(server, line) for line in lines_of(page) if not line.startswith(tuple(LATER))]


def test_what_is_tried_elsewhere_is_there() -> None:
    shown = [line for page in ("README.md", "docs/using.md") for line in lines_of(page)]
    assert [each for each in LATER if not any(line.startswith(each) for line in shown)] == []


def test_the_first_page(server: Server) -> None:
    lines = to_type(server, "README.md")
    assert len(lines) == 5, lines
    said = shell(server, [*lines[:4], "virtcim guest pause test", lines[4], "virtcim guest list"])
    for expected in ('Name="test"', "-EnabledState=2", "-ResourceType=", "RequestStateChange", "running"):
        assert expected in said


def test_the_page_on_using_it(server: Server) -> None:
    lines = to_type(server, "docs/using.md")
    assert len(lines) > 7, lines
    start = next(number for number, line in enumerate(lines) if line.startswith("virtcim guest start"))
    said = shell(server, [*lines[:start], "virtcim guest kill test", *lines[start:]])
    assert "Test_LogicalDisk" in said
    assert said.count('Name="test"') >= 2

"""Each example does on a running server what its first lines show."""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bed import Server
from tests.bed.server import ROOT

EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name != "connecting.py")


def shown(file: Path) -> tuple[list[str], str]:
    """Read the words of the command that an example shows, and what it prints."""
    lines = (ast.get_docstring(ast.parse(file.read_text())) or "").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("$ "))
    command = shlex.split(lines[start].removeprefix("$ "))
    return command, "".join(f"{line}\n" for line in lines[start + 1 :])


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_prints_what_it_shows(default_server: Server, file: Path) -> None:
    (program, *words), printed = shown(file)
    assert program == f"examples/{file.name}"
    assert os.access(file, os.X_OK)
    done = subprocess.run(
        [sys.executable, file, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={
            **os.environ,
            "VIRTCIM_URL": default_server.url,
            "VIRTCIM_USER": default_server.user or "",
            "VIRTCIM_PASSWORD": default_server.password or "",
        },
    )
    assert (done.returncode, done.stdout) == (0, printed), done.stderr

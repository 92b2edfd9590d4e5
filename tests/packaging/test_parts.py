"""The foreign parts of the console, which git does not know, are in what is built where they have been fetched."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.packaging.environments import checkout, run

PARTS = ("virtcim/console/parts/htm/preact/standalone.module.js", "virtcim/console/parts/licences.json")


def test_what_is_fetched_is_in_what_is_built(tmp_path: Path) -> None:
    checkout(tmp_path, "release/__init__.py", "release/source.py", "virtcim/__init__.py", ".gitignore")
    for name in (*PARTS, "build/leftover"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    run("git", "init", "--quiet", cwd=tmp_path)
    text = "from release.source import source_files; print(*source_files(), sep='\\n')"
    listed = run(sys.executable, "-c", text, cwd=tmp_path).split()
    assert set(PARTS) <= set(listed)
    assert "build/leftover" not in listed

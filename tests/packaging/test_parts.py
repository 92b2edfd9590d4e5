"""The foreign parts of the console, which git does not know, are in what is built where they have been fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.packaging.environments import ROOT

PARTS = ("virtcim/console/parts/htm/preact/standalone.module.js", "virtcim/console/parts/licences.json")


def test_what_is_fetched_is_in_what_is_built(tmp_path: Path) -> None:
    for name in ("release/__init__.py", "release/source.py", "virtcim/__init__.py", ".gitignore"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in (*PARTS, "build/leftover"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        [sys.executable, "-c", "from release.source import source_files; print(*source_files(), sep='\\n')"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert set(PARTS) <= set(listed)
    assert "build/leftover" not in listed

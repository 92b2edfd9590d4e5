"""The source archive of `make dist`: where it is unpacked it makes the same archive and wheel, and passes its tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.packaging.environments import ROOT

pytestmark = pytest.mark.slow


def run_there(tree: Path, *command: str | Path) -> str:
    """Run a command in a tree, with the modules of that tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The archive and the wheel of this tree, by name."""
    into = tmp_path_factory.mktemp("dist")
    run_there(ROOT, sys.executable, "-m", "release.dist", "--into", into)
    return {file.name: file.read_bytes() for file in into.iterdir()}


@pytest.fixture(scope="module")
def unpacked(made: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("unpacked")
    (archive,) = (name for name in made if name.endswith(".tar.gz"))
    (directory / archive).write_bytes(made[archive])
    with tarfile.open(directory / archive) as source:
        source.extractall(directory / "source", filter="data")
    (tree,) = (directory / "source").iterdir()
    return tree


def test_the_unpacked_archive_makes_the_same_archive_and_wheel(
    made: dict[str, bytes], unpacked: Path, tmp_path: Path
) -> None:
    assert sorted(name.rpartition(".")[2] for name in made) == ["gz", "whl"]
    run_there(unpacked, sys.executable, "-m", "release.dist", "--into", tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == made


def test_the_unpacked_archive_passes_its_quick_tests(unpacked: Path) -> None:
    """With the tools that run this test, in place of those that `make` would install there; mypy has no cache yet."""
    environment = Path(sys.prefix)
    said = run_there(
        unpacked,
        *("make", "--no-print-directory", f"--old-file={environment}/.stamp-test", f"VENV={environment}", "quick"),
    )
    assert " passed" in said
    assert "failed" not in said

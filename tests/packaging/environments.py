"""Wheels of this tree, and environments in which they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from release.tree import copy_libraries

ROOT = Path(__file__).resolve().parents[2]

SYSTEM = Path(f"/usr/bin/python3.{sys.version_info.minor}")

#: The system's own Python, where it has this version: another user can run it, wherever the one of the tests lies.
PYTHON = SYSTEM if SYSTEM.exists() else Path(sys.executable)


def run(*command: str | Path, cwd: str | Path | None = None) -> str:
    """Run a command that knows nothing of this tree, and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["SOURCE_DATE_EPOCH"] = "1700000000"
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)


def build(source: Path, kind: str, into: Path, *options: str) -> Path:
    """Build a wheel or a source archive ("sdist") of a tree, in the tree's build back-end.

    Parameters:
        options: of `build`: `--no-isolation` takes the back-end that is installed.

    Returns:
        the file.
    """
    run(sys.executable, "-m", "build", f"--{kind}", *options, "--outdir", into, source)
    (made,) = into.iterdir()
    return made


def checkout(directory: Path, *chosen: str) -> Path:
    """Copy files of this tree as they are now: unless some are chosen, those that git knows, without what building
    leaves behind."""
    for name in chosen or filter(None, run("git", "ls-files", "-z", cwd=ROOT).split("\0")):
        source, target = ROOT / name, directory / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return directory


def pip(python: Path, *words: str | Path) -> str:
    """Run pip for an environment that has none of its own."""
    return run(sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", *words)


def make_environment(directory: Path, *wheels: Path, further: Iterable[str] = ()) -> Path:
    """Make an environment with some wheels, and the libraries of the lock file as they are installed here.

    What the wheels ask for is all there afterwards, by pip's own account.

    Parameters:
        further: names of other libraries that are taken from here.

    Returns:
        its interpreter.
    """
    run(PYTHON, "-m", "venv", "--without-pip", directory)
    (site,) = directory.glob("lib/python*/site-packages")
    copy_libraries(site, *further)
    python = directory / "bin" / "python"
    pip(python, "install", "--quiet", "--no-index", "--no-deps", *wheels)
    pip(python, "check")
    return python

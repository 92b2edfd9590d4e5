"""The source that something is made of: its files, its version, its time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from virtcim import __version__

__all__ = ["ROOT", "copy_source", "last_change", "make_environment", "package_version", "run", "source_files"]

ROOT = Path(__file__).resolve().parents[1]

PARTS = Path("virtcim/console/parts")
"""The foreign parts of the console, which `make console` fetches."""

NOT_SOURCE = {".git", ".venv", "build", "dist", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
"""Directories that are passed over where git does not know the files."""


def run(*command: str | Path, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    """Run a command to its end.

    Parameters:
        environment: all its variables; by default those of `make_environment`.

    Returns:
        what it printed.

    Raises:
        SystemExit: it failed; the text has what it said.
    """
    done = subprocess.run(
        command, cwd=cwd, env=environment or make_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        words = " ".join(map(str, command))
        raise SystemExit(f"{words}: status {done.returncode}; expected 0\n{done.stdout}{done.stderr}")
    return done.stdout


def make_environment() -> dict[str, str]:
    """Make the variables that builds run with: nothing of this tree on the path, and one time for everything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {
        "SOURCE_DATE_EPOCH": str(last_change()),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


@cache
def last_change() -> int:
    """Tell when the source was changed last, in seconds since 1970: all that is made of it bears this time.

    It is SOURCE_DATE_EPOCH, else the time of the last commit, else (in an unpacked archive) that of setup.cfg.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    if (ROOT / ".git").exists():
        return int(_git("log", "-1", "--format=%ct"))
    return int((ROOT / "setup.cfg").stat().st_mtime)


@cache
def package_version() -> str:
    """Tell the version of packages: the project's for a tagged commit, else one before it that grows by commits.

    `0.1.0~612.ge0e1d2a` comes before `0.1.0`, and after that of each commit before (deb-version(7); RPM has the same
    tilde).
    """
    if not (ROOT / ".git").exists():
        return __version__
    if f"v{__version__}" in _git("tag", "--points-at", "HEAD").split():
        return __version__
    return f"{__version__}~{_git('rev-list', '--count', 'HEAD')}.g{_git('rev-parse', '--short=7', 'HEAD')}"


def source_files() -> list[Path]:
    """List the files of the source, relative to its root, links as links, in a fixed order.

    The foreign parts of the console are among them where they have been fetched: git leaves them to npm's lock file,
    and what is built of the source needs them.
    """
    if (ROOT / ".git").exists():
        names = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        parts = (path.relative_to(ROOT) for path in (ROOT / PARTS).rglob("*"))
        found = [*(Path(name) for name in names if name), *parts]
    else:
        found = [Path(above, name).relative_to(ROOT) for above, name in _walk()]
    return sorted(path for path in found if (ROOT / path).is_symlink() or (ROOT / path).is_file())


def _walk() -> list[tuple[str, str]]:
    pairs = []
    for above, directories, files in os.walk(ROOT):
        links = [name for name in directories if Path(above, name).is_symlink()]
        directories[:] = [
            name for name in directories if name not in NOT_SOURCE and name not in links and ".egg-info" not in name
        ]
        pairs += [(above, name) for name in (*files, *links)]
    return pairs


def copy_source(into: Path) -> Path:
    """Copy the files of the source, so that what is built leaves nothing behind in the tree."""
    for path in source_files():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, into / path, follow_symlinks=False)
    return into


def changed_on() -> str:
    """Tell the day of `last_change`, as ISO 8601 writes it."""
    return f"{datetime.fromtimestamp(last_change(), UTC):%Y-%m-%d}"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
        raise SystemExit(f"git {' '.join(arguments)}: status {done.returncode}; expected 0")
    return done.stdout.strip()

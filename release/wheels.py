"""Wheels of the libraries that `packaging/requirements.lock` names, and of virtcim."""

from __future__ import annotations

import hashlib
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from release.source import ROOT, copy_source, make_environment, run

__all__ = ["LOCK", "library_wheels", "locked_names", "own_wheel"]

LOCK = ROOT / "packaging" / "requirements.lock"
BUILD_LOCK = ROOT / "packaging" / "build-requirements.lock"
"""What wheels are built with, where there is only a source archive: pinned, so that they come out alike."""

PYTHON = Path(f"/usr/bin/python3.{sys.version_info.minor}")
"""The system's interpreter: one of a user's own would put its own paths into what is compiled for it."""

BUILDER = ROOT / "build" / f"builder-3.{sys.version_info.minor}"
"""An environment of that interpreter, to build in."""

PIP_WHEEL = ("-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")

KEPT = ROOT / "build" / "wheels"
"""Wheels of earlier builds, by the digest of the lock file, so that only the first build of all needs the network."""


def library_wheels() -> list[Path]:
    """Get the wheels of all libraries of the lock file, each checked against its digest.

    A library without a wheel of its own (libvirt-python) is built here; on the host that the package is installed on
    nothing is.
    """
    recipe = b"".join(each.read_bytes() for each in (LOCK, BUILD_LOCK, Path(__file__)))
    named = hashlib.sha256(recipe + sysconfig.get_platform().encode())
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    kept = KEPT / f"{tag}-{named.hexdigest()[:16]}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as made:
            run(*_builder(), "--require-hashes", "--no-deps", "--requirement", LOCK, "--wheel-dir", made,
                environment=_reproducible())  # fmt: skip
            Path(made).chmod(0o755)
            shutil.copytree(made, f"{made}.whole")
        if kept.is_dir():  # another build was faster
            shutil.rmtree(f"{made}.whole")
        else:
            Path(f"{made}.whole").rename(kept)
    return sorted(kept.glob("*.whl"))


def locked_names() -> list[str]:
    """List the libraries of the lock file."""
    return [line.partition("==")[0] for line in LOCK.read_text(encoding="utf-8").splitlines() if line[:1].isalpha()]


def own_wheel(into: Path, isolated: bool = True) -> Path:
    """Build the wheel of virtcim from a copy of the source.

    Parameters:
        isolated: with the tools of the lock file, in an environment of their own; else with those that are here.

    Returns:
        the file.
    """
    with tempfile.TemporaryDirectory() as directory:
        tree = copy_source(Path(directory) / "virtcim")
        pip = _builder() if isolated else [sys.executable, *PIP_WHEEL, "--no-build-isolation"]
        run(*pip, "--no-deps", "--wheel-dir", into, tree, environment=_reproducible())
    (made,) = into.glob("virtcim-*.whl")
    return made


def _builder() -> list[str | Path]:
    """Give the command that makes wheels with the system's interpreter."""
    python = BUILDER / "bin/python"
    if not python.exists():
        run(PYTHON, "-m", "venv", BUILDER)
    return [python, *PIP_WHEEL]


def _reproducible() -> dict[str, str]:
    """Make variables with which a compiler writes nothing of where and when it runs, and pip takes pinned tools."""
    return make_environment() | {
        "PIP_CONSTRAINT": str(BUILD_LOCK),
        # Wheels that pip has kept may have been built in another way.
        "PIP_CACHE_DIR": str(ROOT / "build" / "pip"),
        "CFLAGS": "-g0 -O2 -fstack-protector-strong -Wformat -Werror=format-security -D_FORTIFY_SOURCE=2",
        "LDFLAGS": "-s -Wl,-z,relro,-z,now",
    }

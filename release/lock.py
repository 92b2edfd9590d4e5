"""`make lock`: write packaging/requirements.lock, the libraries of an installation with their digests.

The versions are those that pip chooses now for what `setup.cfg` asks for; the digests are those of the files for each
version of Python and each processor that packages are made for.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from release.source import ROOT, run
from release.wheels import BUILD_LOCK, LOCK

PYTHONS = ("3.11", "3.12", "3.13")
PROCESSORS = ("x86_64", "aarch64")
MANYLINUX = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
"""What the systems run that packages are made for: glibc 2.36 (Debian 12) and 2.34 (EL 9)."""

FROM_SOURCE = ("libvirt-python",)
"""Libraries of which there are no wheels."""

HEAD = """\
# The libraries of an installation of virtcim, with the digests of their files: written by `make lock`.
"""
BUILD_HEAD = """\
# What wheels are built with, where a library has none: written by `make lock`.
"""


def wanted() -> list[str]:
    """List what `setup.cfg` asks for."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser["options"]["install_requires"].split()


def chosen(*requirements: str) -> dict[str, str]:
    """Ask pip which versions it would install.

    Returns:
        version by name.
    """
    report = run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"),
        *requirements,
    )
    return {each["metadata"]["name"]: each["metadata"]["version"] for each in json.loads(report)["install"]}


def files_of(versions: dict[str, str]) -> Iterator[Path]:
    """Download every file that an installation on one of the systems may take."""
    with tempfile.TemporaryDirectory() as directory:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory]
        pinned = {name: f"{name}=={version}" for name, version in versions.items()}
        sources = [pinned.pop(name) for name in FROM_SOURCE if name in pinned]
        run(*download, "--no-binary", ":all:", "--no-build-isolation", *sources)
        for python in PYTHONS:
            for processor in PROCESSORS:
                platforms = [word for each in MANYLINUX for word in ("--platform", f"{each}_{processor}")]
                run(*download, "--only-binary", ":all:", "--python-version", python, *platforms, *pinned.values())
        yield from sorted(Path(directory).iterdir())


def written(head: str, versions: dict[str, str], digests: dict[str, set[str]]) -> str:
    """Write a lock file."""
    lines = [head.rstrip("\n")]
    for name, version in sorted(versions.items(), key=lambda item: item[0].lower()):
        hashes = sorted(digests[_normal(name)])
        lines.append(" \\\n    ".join([f"{name}=={version}", *(f"--hash=sha256:{each}" for each in hashes)]))
    return "\n".join(lines) + "\n"


def _normal(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def main() -> None:
    """Write both files."""
    versions = chosen(*wanted())
    digests: dict[str, set[str]] = {}
    for file in files_of(versions):
        # NAME-VERSION-... of a wheel, NAME-VERSION.tar.gz of a source archive, whose name may have hyphens.
        name = next(
            each for each in sorted(map(_normal, versions), key=len, reverse=True)
            if _normal(file.name).startswith(f"{each}_")
        )  # fmt: skip
        digests.setdefault(name, set()).add(hashlib.sha256(file.read_bytes()).hexdigest())
    LOCK.write_text(written(HEAD, versions, digests), encoding="utf-8")
    build = chosen("setuptools", "wheel")
    # A constraint without a digest: pip takes none with digests for what it builds apart.
    BUILD_LOCK.write_text(BUILD_HEAD + "".join(f"{each}=={build[each]}\n" for each in sorted(build)), encoding="utf-8")
    print(f"{LOCK.relative_to(ROOT)}: {len(versions)} libraries")


if __name__ == "__main__":
    main()

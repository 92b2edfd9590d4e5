"""The version of a release: said alike everywhere, and later than all that was built on the way to it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.environments import ROOT, checkout, run
from virtcim import __version__


def git(tree: Path, *words: str) -> None:
    run("git", "-c", "user.name=Nobody", "-c", "user.email=nobody@invalid", *words, cwd=tree)


def package_version(tree: Path) -> str:
    text = "from release.source import package_version; print(package_version())"
    return run(sys.executable, "-c", text, cwd=tree).strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the version of packages is told from, as a repository of its own."""
    checkout(tmp_path, "release/__init__.py", "release/source.py", "virtcim/__init__.py")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_the_specification_for_rpm_has_the_version_of_the_program() -> None:
    text = (ROOT / "packaging/rpm/virtcim.spec").read_text()
    assert re.findall(r"^%global source_version (\S+)$", text, re.MULTILINE) == [__version__]


def test_the_changelog_has_a_place_for_what_comes() -> None:
    sections = re.findall(r"^## \[(\S+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[0] in ("Unreleased", __version__)


def test_a_tagged_commit_has_the_version_itself(tree: Path) -> None:
    git(tree, "tag", f"v{__version__}")
    assert package_version(tree) == __version__


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
def test_what_is_built_between_two_releases_lies_between_them(tree: Path) -> None:
    before = package_version(tree)
    git(tree, "commit", "--quiet", "--allow-empty", "--message", "second")
    between = package_version(tree)
    git(tree, "tag", f"v{__version__}")
    after = package_version(tree)
    for earlier, later in ((before, between), (between, after)):
        assert subprocess.run(["dpkg", "--compare-versions", earlier, "lt", later], check=False).returncode == 0

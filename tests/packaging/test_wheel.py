"""The wheel: one name on the system, the same from a checkout and from an unpacked source archive, and it serves."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.environments import PYTHON, ROOT, SYSTEM, build, checkout, make_environment, pip, run

SCHEMA_WORKS = "from schema import Schema; assert Schema({'guests': int}).validate({'guests': 3}) == {'guests': 3}"


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A directory that other users can look into."""
    with tempfile.TemporaryDirectory(prefix="virtcim-wheel-") as made:
        os.chmod(made, 0o755)
        yield Path(made)


@pytest.fixture(scope="module")
def tree(directory: Path) -> Path:
    return checkout(directory / "tree")


@pytest.fixture(scope="module")
def wheel(directory: Path, tree: Path) -> Path:
    return build(tree, "wheel", directory / "wheel", "--no-isolation")


@pytest.fixture(scope="module")
def python(directory: Path, wheel: Path) -> Path:
    """The interpreter of an environment in which virtcim is installed beside PyPI's `schema`."""
    made = make_environment(directory / "environment", wheel)
    pip(made, "install", "--quiet", "--no-deps", "schema")
    return made


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_one_top_level_name(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in contents(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"virtcim"}


def test_the_wheel_holds_every_module_grammar_and_class(wheel: Path) -> None:
    names = run("git", "ls-files", "virtcim", cwd=ROOT).split()
    assert names
    assert set(names) - set(contents(wheel)) == set()


def test_the_unpacked_source_archive_makes_the_same_wheel(directory: Path, tree: Path, wheel: Path) -> None:
    archive = build(tree, "sdist", directory / "sdist", "--no-isolation")
    unpacked = directory / "unpacked"
    with tarfile.open(archive) as source:
        source.extractall(unpacked, filter="data")
    (again,) = unpacked.iterdir()
    rebuilt = build(again, "wheel", directory / "rebuilt", "--no-isolation")
    assert rebuilt.name == wheel.name
    assert contents(rebuilt) == contents(wheel)


def test_another_user_serves_the_installed_wheel_from_the_root_directory(directory: Path, python: Path) -> None:
    if os.geteuid() != 0 or PYTHON != SYSTEM:
        pytest.skip("only root can become another user, who needs an interpreter that everybody may run")
    nobody = pwd.getpwnam("nobody")
    state = directory / "state"
    state.mkdir(mode=0o700)
    os.chown(state, nobody.pw_uid, nobody.pw_gid)
    command: list[str | Path] = [python.parent / "virtcim", "serve", "--uri", "test:///default"]
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--state-dir", state],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": str(state)},
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"virtcim: listening on (http://\S+)", line)
        if found is None:
            process.kill()
            pytest.fail(f"not listening: {line!r} {process.communicate()[1]}")
        with urllib.request.urlopen(f"{found[1]}/health", timeout=60) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_uninstalling_leaves_the_libraries_of_others_as_they_are(python: Path) -> None:
    run(python, "-c", SCHEMA_WORKS, cwd="/")
    pip(python, "uninstall", "--quiet", "--yes", "virtcim")
    run(python, "-c", SCHEMA_WORKS, cwd="/")
    left = run(python, "-c", "import importlib.util as u; print(u.find_spec('virtcim'))", cwd="/")
    assert left.strip() == "None"

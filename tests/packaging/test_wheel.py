"""The wheel: one name on the system, the same from a checkout and from an unpacked source archive, and it serves."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Debian's own Python: another user can run it, wherever the one that runs the tests lies.
PYTHON = "/usr/bin/python3"

SCHEMA_WORKS = "from schema import Schema; assert Schema({'guests': int}).validate({'guests': 3}) == {'guests': 3}"


def run(*command: str | Path, cwd: str | Path | None = None) -> str:
    """Run a command that knows nothing of this tree, and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["SOURCE_DATE_EPOCH"] = "1700000000"
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)


def build(source: Path, kind: str, into: Path) -> Path:
    """Build a wheel or a source archive ("sdist") of a tree, in the tree's build back-end, and return the file."""
    run(sys.executable, "-m", "build", f"--{kind}", "--outdir", into, source)
    (made,) = into.iterdir()
    return made


def checkout(directory: Path) -> Path:
    """The files of this tree that git knows, as they are now, without what building leaves behind."""
    names = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    for name in filter(None, names):
        source, target = ROOT / name, directory / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return directory


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
    return build(tree, "wheel", directory / "wheel")


@pytest.fixture(scope="module")
def python(directory: Path, wheel: Path) -> Path:
    """The interpreter of an environment in which virtcim is installed beside PyPI's `schema`."""
    if not Path(PYTHON).exists():
        pytest.skip(f"{PYTHON} is not here")
    environment = directory / "environment"
    run(PYTHON, "-m", "venv", environment)
    made = environment / "bin" / "python"
    run(made, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "schema", wheel)
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
    archive = build(tree, "sdist", directory / "sdist")
    unpacked = directory / "unpacked"
    with tarfile.open(archive) as source:
        source.extractall(unpacked, filter="data")
    (again,) = unpacked.iterdir()
    rebuilt = build(again, "wheel", directory / "rebuilt")
    assert rebuilt.name == wheel.name
    assert contents(rebuilt) == contents(wheel)


def test_another_user_serves_the_installed_wheel_from_the_root_directory(directory: Path, python: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
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
        with urllib.request.urlopen(f"{found[1]}/health", timeout=10) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert process.returncode == 0


def test_uninstalling_leaves_the_libraries_of_others_as_they_are(python: Path) -> None:
    run(python, "-c", SCHEMA_WORKS, cwd="/")
    run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "virtcim")
    run(python, "-c", SCHEMA_WORKS, cwd="/")
    left = run(python, "-c", "import importlib.util as u; print(u.find_spec('virtcim'))", cwd="/")
    assert left.strip() == "None"

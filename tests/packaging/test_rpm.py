"""The RPM packages, as far as they can be tried where RPM installs nothing: they build, and hold what Debian's hold."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.packages import ROOT, build, why_not_built

pytestmark = pytest.mark.slow

PLACES = {"/usr/share/zsh/site-functions/_virtcim": "/usr/share/zsh/vendor-completions/_virtcim"}
"""What stands elsewhere in this family."""

OF_DEBIAN = ("/usr/share/doc/virtcim/copyright", "/usr/share/doc/virtcim/changelog.gz", "/usr/share/lintian")


def run(*words: str | Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files, by the names of the packages."""
    if shutil.which("rpmbuild") is None:
        pytest.skip("rpmbuild is not installed")
    into = tmp_path_factory.mktemp("rpm")
    run(sys.executable, "-m", "release.rpm", "--into", into, "--", "--nodeps")
    return {run("rpm", "-qp", "--queryformat", "%{NAME}", file): file for file in into.iterdir()}


def test_both_packages_are_built(packages: dict[str, Path]) -> None:
    assert packages.keys() == {"virtcim", "virtcim-cmpi"}
    (library,) = run("rpm", "-qpl", packages["virtcim-cmpi"]).split()
    assert library.endswith("/cmpi/libvirtcim.so")


def test_the_package_holds_what_debians_holds(packages: dict[str, Path], tmp_path: Path) -> None:
    if (reason := why_not_built()) is not None:
        pytest.skip(reason)
    debian = build(tmp_path, "--trial")["virtcim"]
    names = {line.split(None, 5)[5].partition(" -> ")[0] for line in run("dpkg-deb", "-c", debian).splitlines()}
    libraries = "/usr/lib/virtcim/lib/"
    expected = {
        name.removeprefix(".") for name in names
        if not name.endswith("/") and not name.startswith(f".{libraries}")
    } - {"/usr/share/doc/virtcim/virtcim.cdx.json"}  # fmt: skip
    expected = {name for name in expected if not name.startswith(OF_DEBIAN)}
    found = {PLACES.get(name, name) for name in run("rpm", "-qpl", packages["virtcim"]).splitlines()}
    assert expected - found == set()
    assert any(name.startswith(f"{libraries}python3") and name.endswith("/virtcim/app/main.py") for name in found)


def test_settings_are_kept_by_an_upgrade(packages: dict[str, Path]) -> None:
    kept = {"/etc/virtcim/virtcim.toml", "/etc/pam.d/virtcim", "/etc/logrotate.d/virtcim"}
    assert set(run("rpm", "-qpc", packages["virtcim"]).split()) == kept


def test_rpmlint_has_nothing_to_say() -> None:
    if shutil.which("rpmlint") is None:
        pytest.skip("rpmlint is not installed")
    directory = ROOT / "packaging/rpm"
    assert "0 errors, 0 warnings" in run("rpmlint", "-c", directory / "rpmlint.toml", directory / "virtcim.spec")

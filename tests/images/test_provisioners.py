"""Provisioners: executables of root's, and plugins."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import missing
from virtcim.images.provisioners import NewGuest, ProvisionerError, find_provisioner
from virtcim.images.settings import ImageSettings
from virtcim.images.templates import Template

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "virtcim-provisioner-sysprep"
GUEST = NewGuest("web", "0-0", "root/virt", "a@1", {"EnableACPI": True}, {"port": "80"})
SETTINGS = ImageSettings(provisioner_timeout=20)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that only root can change, all the way up."""
    if os.geteuid() != 0:
        missing("executables of root's need root")
    place = Path("/var/lib") / f"virtcim-test-{os.getpid()}"
    place.mkdir()
    yield place
    shutil.rmtree(place)


def script(path: Path, text: str) -> Template:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Template("a", provisioner=str(path), origin="/etc/virtcim/templates.d/a.toml")


def test_an_executable_is_given_the_guest_and_runs_as_its_own_user(place: Path) -> None:
    told = place / "told"
    told.touch()
    told.chmod(0o666)
    found = find_provisioner(script(place / "tell", f'{{ echo "$1"; id -un; pwd; cat; }} > {told}'), SETTINGS)
    assert found is not None
    found.prepare(GUEST)
    action, user, directory, given = told.read_text().split("\n", 3)
    assert (action, user, directory) == ("prepare", "nobody", "/")
    assert json.loads(given)["parameters"] == {"port": "80"}


def test_an_executable_that_fails_or_hangs_is_told(place: Path) -> None:
    failing = find_provisioner(script(place / "fail", "echo no licence is left >&2; exit 3"), SETTINGS)
    assert failing is not None
    with pytest.raises(ProvisionerError, match="finish: ended with 3: no licence is left"):
        failing.finish(GUEST)
    hanging = find_provisioner(script(place / "hang", "sleep 600 & wait"), replace(SETTINGS, provisioner_timeout=0.3))
    assert hanging is not None
    with pytest.raises(ProvisionerError, match=r"took more than 0\.3 s"):
        hanging.prepare(GUEST)


def test_an_executable_that_others_can_change_is_refused(place: Path) -> None:
    template = script(place / "open", "true")
    (place / "open").chmod(0o777)
    with pytest.raises(ProvisionerError, match="others than root can change"):
        find_provisioner(template, SETTINGS)
    (place / "open").chmod(0o755)
    place.chmod(0o777)
    with pytest.raises(ProvisionerError, match="others than root can change"):
        find_provisioner(template, SETTINGS)
    place.chmod(0o755)
    (place / "open").chmod(0o644)
    with pytest.raises(ProvisionerError, match="cannot be executed"):
        find_provisioner(template, SETTINGS)


def test_a_link_into_a_folder_that_others_can_change_is_refused(place: Path) -> None:
    """The file is root's, but whoever may rename it puts another one in its place."""
    shared = place / "shared"
    shared.mkdir()
    script(shared / "real", "true")
    (place / "link").symlink_to(shared / "real")
    template = Template("a", provisioner=str(place / "link"), origin="/etc/a.toml")
    assert find_provisioner(template, SETTINGS) is not None
    shared.chmod(0o777)
    with pytest.raises(ProvisionerError, match="others than root can change"):
        find_provisioner(template, SETTINGS)


def test_templates_of_clients_name_plugins_only() -> None:
    with pytest.raises(ProvisionerError, match="only templates of the administrator"):
        find_provisioner(Template("a", provisioner="/usr/sbin/reboot"), SETTINGS)
    with pytest.raises(ProvisionerError, match="no plugin"):
        find_provisioner(Template("a", provisioner="nothing"), SETTINGS)
    assert find_provisioner(Template("a"), SETTINGS) is None


PLUGIN = """
class Noting:
    made = []

    def prepare(self, guest):
        self.made.append(guest)

    finish = undo = prepare
"""


def install(directory: Path, name: str, value: str) -> None:
    """Put a package with one provisioner into a directory, as pip leaves it there."""
    about = directory / f"virtcim_provisioner_{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: virtcim-provisioner-{name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[virtcim.provisioners]\n{name} = {value}\n")


def test_a_plugin_is_found_and_given_the_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "noting_provisioner.py").write_text(PLUGIN)
    install(tmp_path, "noting", "noting_provisioner:Noting")
    install(tmp_path, "gone", "noting_provisioner:Gone")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "noting_provisioner", raising=False)
    found = find_provisioner(Template("a", provisioner="noting"), SETTINGS)
    assert found is not None
    found.prepare(GUEST)
    found.undo(GUEST)
    assert getattr(found, "made") == [GUEST, GUEST]  # noqa: B009 - the protocol does not have it
    with pytest.raises(ProvisionerError, match="Gone"):
        find_provisioner(Template("a", provisioner="gone"), SETTINGS)


def test_the_example_keeps_the_contract_and_changes_the_system_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{EXAMPLE}"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    monkeypatch.syspath_prepend(str(EXAMPLE))
    sysprep = importlib.import_module("virtcim_provisioner_sysprep").Sysprep
    tool, told = tmp_path / "virt-customize", tmp_path / "told"
    tool.write_text(f'#!/bin/sh\necho "$@" > {told}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    guest = replace(GUEST, disks={"/pool/web.qcow2": "qcow2", "/pool/web-1.raw": "raw"})
    sysprep().prepare(guest)
    assert "--format qcow2 --add /pool/web.qcow2 --truncate /etc/machine-id" in told.read_text()
    tool.write_text("#!/bin/sh\necho no such format >&2; exit 1\n")
    with pytest.raises(RuntimeError, match="no such format"):
        sysprep().prepare(guest)

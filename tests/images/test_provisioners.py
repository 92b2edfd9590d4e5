"""Provisioners: executables of root's, and plugins."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import missing
from virtcim.images.provisioners import NewGuest, ProvisionerError, find_provisioner
from virtcim.images.settings import ImageSettings
from virtcim.images.templates import Template

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

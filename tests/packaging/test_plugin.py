"""A platform that pip installs from outside the tree is served, and keeps the contract, without a change of virtcim."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.environments import ROOT, build, checkout, make_environment, pip, run

EXAMPLE = ROOT / "examples" / "virtcim-platform-example"

PYTEST = ("pytest", "iniconfig", "packaging", "pluggy", "pygments")

SERVED = """
import json, subprocess, sys, urllib.request
import pywbem
command = [sys.argv[1], "serve", "--uri", "test:///default", "--listen", "127.0.0.1:0", "--auth", "none",
           "--state-dir", sys.argv[2], "--config", sys.argv[3]]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
try:
    url = server.stdout.readline().removeprefix("virtcim: listening on ").strip()
    client = pywbem.WBEMConnection(url, default_namespace="root/virt", timeout=60)
    guests = client.EnumerateInstances("Virt_ComputerSystem")
    print(json.dumps([[guest.classname, guest["Name"], guest["Mood"]] for guest in guests]))
finally:
    server.terminate()
    server.wait(20)
"""


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="virtcim-plugin-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def python(directory: Path) -> Path:
    """The interpreter of an environment with virtcim's wheel and the example's."""
    wheel = build(checkout(directory / "tree"), "wheel", directory / "wheel", "--no-isolation")
    shutil.copytree(EXAMPLE, directory / "example")
    plugin = build(directory / "example", "wheel", directory / "plugin", "--no-isolation")
    return make_environment(directory / "environment", wheel, plugin, further=PYTEST)


def test_the_installed_plugin_is_listed_with_its_package(directory: Path, python: Path) -> None:
    config = directory / "list.toml"
    config.write_text(f'state_dir = {json.dumps(str(directory / "none"))}\n[platforms]\ndisabled = ["test"]\n')
    lines = run(python.parent / "virtcim", "platform", "list", "--json", "--config", config, cwd="/").splitlines()
    (row,) = (row for row in map(json.loads, lines) if row["name"] == "example")
    assert (row["state"], row["origin"]) == ("served", "virtcim-platform-example 1.0")


def test_the_installed_plugin_is_served(directory: Path, python: Path) -> None:
    config = directory / "serve.toml"
    config.write_text('[platforms]\ndisabled = ["test"]\n')
    virtcim = python.parent / "virtcim"
    printed = run(python, "-c", SERVED, virtcim, directory / "state", config, cwd="/")
    assert json.loads(printed.splitlines()[-1]) == [["Example_ComputerSystem", "test", "at ease"]]


def test_the_installed_plugin_keeps_the_contract(directory: Path, python: Path) -> None:
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(directory / "example" / "tests")]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_plugin_goes_as_it_came(directory: Path, python: Path) -> None:
    pip(python, "uninstall", "--quiet", "--yes", "virtcim-platform-example")
    lines = run(python.parent / "virtcim", "platform", "list", "--json", cwd="/").splitlines()
    assert "example" not in [json.loads(line)["name"] for line in lines]

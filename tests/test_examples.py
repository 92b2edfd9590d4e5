"""Each example does on a running server what its first lines show: on QEMU's guests, in the order of this file."""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bed import Libvirtd, Server, boot_sector_xml
from tests.bed.server import ROOT

EXAMPLES = ROOT / "examples"

ON_TEST_DRIVER = ("inventory", "memory", "pause", "pools")

ON_QEMU = (
    "create_from_iso",
    "define_from_reference",
    "attach_disk",
    "watch",
    "metrics",
    "hanging",
    "jobs",
    "snapshot",
    "migrate",
)
"""In an order in which each has what it needs: the later ones use the guest that the second one defines."""

TEMPLATE = """\
<domain type='qemu'>
  <name>template</name>
  <memory unit='MiB'>48</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
</domain>
"""

IMAGES = "/var/lib/libvirt/images"
"""Where images are, for the daemon in its mount namespace."""


def test_all_examples_are_run() -> None:
    found = {path.stem for path in EXAMPLES.glob("*.py")}
    assert found == {"connecting", *ON_TEST_DRIVER, *ON_QEMU}


def shown(file: Path) -> tuple[list[str], str]:
    """Read the words of the command that an example shows, and what it prints."""
    lines = (ast.get_docstring(ast.parse(file.read_text())) or "").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("$ "))
    command = shlex.split(lines[start].removeprefix("$ "))
    return command, "".join(f"{line}\n" for line in lines[start + 1 :])


def call(server: Server, file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call an example with these words."""
    return subprocess.run(
        [sys.executable, file, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={
            **os.environ,
            "VIRTCIM_URL": server.url,
            "VIRTCIM_USER": server.user or "anybody",
            "VIRTCIM_PASSWORD": server.password or "any",
        },
    )


def run(server: Server, name: str) -> None:
    """Run an example as it shows, and see that it prints what it shows."""
    file = EXAMPLES / f"{name}.py"
    (program, *words), printed = shown(file)
    assert program == f"examples/{file.name}"
    assert os.access(file, os.X_OK)
    done = call(server, file, *words)
    assert (done.returncode, done.stdout) == (0, printed), done.stderr


@pytest.mark.parametrize("name", [*ON_TEST_DRIVER, *ON_QEMU])
def test_an_example_without_its_words_says_which(default_server: Server, name: str) -> None:
    file = EXAMPLES / f"{name}.py"
    (_, *words), _ = shown(file)
    if words:
        done = call(default_server, file)
        usage, _, names = done.stderr.partition(f"{name}.py ")
        assert (done.returncode, usage[:7]) == (1, "usage: "), done.stderr
        assert len(names.split()) == len(words)


def test_an_example_for_another_platform_says_so(default_server: Server) -> None:
    done = call(default_server, EXAMPLES / "create_from_iso.py", "new", "/images/new.qcow2", "/images/new.iso")
    assert done.returncode == 1
    assert done.stderr == "KVM_VirtualSystemManagementService: there is none; expected a host of that platform\n"


@pytest.mark.parametrize("name", ON_TEST_DRIVER)
def test_an_example_prints_what_it_shows(default_server: Server, name: str) -> None:
    run(default_server, name)


@pytest.fixture(scope="module")
def server(libvirtd: Libvirtd) -> Iterator[tuple[Server, list[str]]]:
    """A server for a guest that runs, with a second node that is another driver's, and all work done by jobs; and the
    examples that were run on it."""
    libvirtd.remove_domains()
    libvirtd.define(boot_sector_xml("web", f"{IMAGES}/{libvirtd.new_image().name}"))
    libvirtd.define(TEMPLATE)
    for name in ("fresh", "clone", "extra"):
        libvirtd.new_image().rename(libvirtd.images / f"{name}.qcow2")
    (libvirtd.images / "install.iso").write_bytes(bytes(1 << 20))
    libvirtd.virsh("start", "web")
    with Libvirtd() as other:
        config = f'[providers.jobs]\ngrace = 0\n[node.there]\nuris = ["{other.uri()}"]\n'
        with Server(libvirtd.uri(), config=config, within=libvirtd.namespace) as running:
            yield running, []
    libvirtd.remove_domains()


@pytest.mark.parametrize("name", ON_QEMU)
def test_an_example_on_qemu_prints_what_it_shows(server: tuple[Server, list[str]], name: str) -> None:
    running, done = server
    for each in ON_QEMU[len(done) : ON_QEMU.index(name) + 1]:
        run(running, each)
        done.append(each)
    assert name in done

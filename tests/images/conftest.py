"""A node with a storage pool, a server on it, and a host of images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bed import Libvirtd, Server
from tests.images.imagehost import ImageHost
from tests.images.provisioningbed import Command, Provisioner
from virtcim.app.main import main

POOL = "templates"


@pytest.fixture(scope="module")
def images() -> Iterator[ImageHost]:
    with ImageHost() as host:
        yield host


@pytest.fixture(scope="module")
def pool(libvirtd: Libvirtd) -> Iterator[Path]:
    """The directory of an active storage pool."""
    directory = libvirtd.directory / "lib/templates"
    directory.mkdir(exist_ok=True)
    libvirtd.virsh("pool-create-as", POOL, "dir", "--target", str(directory))
    yield directory
    libvirtd.virsh("pool-destroy", POOL)
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def provisioner(libvirtd: Libvirtd, pool: Path, images: ImageHost) -> Iterator[Provisioner]:
    config = f'[images]\npool = "{POOL}"\nhosts = ["127.0.0.1"]\nattempts = 2\ntimeout = 20\n'
    # Guests that tell their names are here in the tests of that alone.
    config += "seed_settle = 1\n[providers.jobs]\ngrace = 0\n"
    with Server(libvirtd.uri(), config=config) as server:
        yield Provisioner(libvirtd, server, pool, images)
    libvirtd.remove_domains()


@pytest.fixture
def virtcim(provisioner: Provisioner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command line against the server, and gives its exit status and what it wrote."""
    monkeypatch.setenv("VIRTCIM_PASSWORD", provisioner.server.password or "")

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main([*arguments, "--url", provisioner.server.url, "--user", provisioner.server.user or ""])
        written = capsys.readouterr()
        return status, written.out + written.err

    return run

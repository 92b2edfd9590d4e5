"""A storage pool that is full in the middle of a job: the job says so, and leaves nothing there."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bed import Libvirtd, Server
from tests.images.conftest import POOL
from tests.images.imagehost import ImageHost
from tests.images.provisioningbed import FAILED, Provisioner

pytestmark = pytest.mark.slow


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for 2 MiB."""
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory)], check=True)
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


def test_a_pool_that_is_full_in_the_middle(
    small: Path, new_libvirtd: Callable[[], Libvirtd], images: ImageHost
) -> None:
    daemon = new_libvirtd()
    daemon.virsh("pool-create-as", POOL, "dir", "--target", str(small))
    config = f'[images]\npool = "{POOL}"\nhosts = ["127.0.0.1"]\n'
    with Server(daemon.uri(), config=config) as server:
        bed = Provisioner(daemon, server, small, images)
        images.files["/large.qcow2"] = bed.image + secrets.token_bytes(4 << 20)
        template = bed.template("large", url=f"{images.url}/large.qcow2", sha256="")
        job = bed.over(bed.define(template, "large"))
        assert job["JobState"] == FAILED
        assert "space" in job["ErrorDescription"]
        assert (bed.files(), daemon.list_all()) == (set(), {})
        # What does fit is made there afterwards.
        bed.provision(bed.template("fits"), "fits", "start=no")
        assert daemon.list_all() == {"fits": "shut off"}

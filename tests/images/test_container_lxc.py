"""The template of containers that comes with virtcim, and one of the administrator's with a root of its own, on LXC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pywbem
from lxml import etree

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.guests import container_root
from tests.images.provisioningbed import COMPLETED, FINAL, PATIENCE
from tests.xpath import nodes
from virtcim.app.main import main

pytestmark = pytest.mark.lxc

OWN = """\
id = "box"
platforms = ["LXC"]

[settings]
InitPath = "/sbin/init"

[[resources]]
kind = "Mem"
VirtualQuantity = 64
AllocationUnits = "byte*2^20"

[[resources]]
kind = "Disk"
MountPoint = "/"
Address = "{root}"
"""


@pytest.fixture
def root(libvirtd: Libvirtd) -> Iterator[Path]:
    """A root file system whose init tells that it runs."""
    made = container_root(libvirtd.directory / "root")
    init = made / "sbin/init"
    text = init.read_text()
    first, rest = text.split("\n", 1)
    init.write_text(f"{first}\necho $$ > /tmp/runs\n{rest}")
    yield made
    (made / "tmp/runs").unlink(missing_ok=True)
    init.write_text(text)


@pytest.fixture
def server(libvirtd: Libvirtd, serve: Callable[..., Server]) -> Iterator[Server]:
    libvirtd.remove_domains()
    yield serve(libvirtd.uri("lxc"))
    libvirtd.remove_domains()


def is_running(libvirtd: Libvirtd, root: Path, name: str) -> None:
    """Wait until the init of a container tells that it is the first process there; it is still there."""
    told = root / "tmp/runs"
    wait_until(lambda: told.exists() and told.read_text() == "1\n", PATIENCE)
    assert libvirtd.list_all("lxc")[name] == "running"


def test_a_container_is_made_of_the_template_that_comes_with_it(libvirtd: Libvirtd, server: Server, root: Path) -> None:
    wbem = server.pywbem()
    disk = pywbem.CIMInstance("LXC_DiskResourceAllocationSettingData", {"MountPoint": "/", "Address": str(root)})
    template = pywbem.CIMInstanceName(
        "LXC_VirtualSystemSettingData", {"InstanceID": "template:container@1"}, namespace="root/virt"
    )
    (service,) = wbem.EnumerateInstanceNames("LXC_VirtualSystemManagementService")
    code, out = wbem.InvokeMethod(
        "DefineSystem",
        service,
        SystemSettings=pywbem.CIMInstance("LXC_VirtualSystemSettingData", {"VirtualSystemIdentifier": "box"}),
        ResourceSettings=[disk],
        ReferenceConfiguration=template,
    )
    assert code == 4096
    job = wait_until(lambda: (shown := wbem.GetInstance(out["Job"]))["JobState"] in FINAL and shown, PATIENCE)
    assert job["JobState"] == COMPLETED, job["ErrorDescription"]
    is_running(libvirtd, root, "box")
    found = etree.fromstring(libvirtd.virsh("dumpxml", "box", driver="lxc").encode())
    assert nodes(found, "memory/text() | os/init/text() | devices/filesystem/target/@dir") == [
        "262144",
        "/sbin/init",
        "/",
    ]


def test_a_template_has_a_root_of_its_own(
    libvirtd: Libvirtd, server: Server, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTCIM_PASSWORD", server.password or "")
    login = ["--url", server.url, "--user", server.user or ""]
    (tmp_path / "box.toml").write_text(OWN.format(root=root))
    assert main(["template", "add", str(tmp_path / "box.toml"), *login]) == 0
    assert main(["provision", "box", "--name", "mine", "--set", "memory=96 MiB", *login]) == 0
    is_running(libvirtd, root, "mine")
    found = etree.fromstring(libvirtd.virsh("dumpxml", "mine", driver="lxc").encode())
    assert nodes(found, "memory/text()") == [str(96 * 1024)]

"""Configurations in formats of the hypervisors' own, on a real libvirtd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from virtcim.app.main import main

KVM, LXC = "KVM_VirtualSystemManagementService", "LXC_VirtualSystemManagementService"
CONTAINER = """\
lxc.uts.name = fromtools
lxc.rootfs.path = /tmp
lxc.init.cmd = /bin/sh
lxc.cgroup.memory.limit_in_bytes = 67108864
lxc.net.0.type = empty
"""


@pytest.fixture
def server(libvirtd: Libvirtd, serve: Callable[..., Server]) -> Server:
    return serve(libvirtd.uri(), libvirtd.uri("lxc"))


def test_native_configurations(
    server: Server,
    libvirtd: Libvirtd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wbem = server.pywbem()
    given = {"Format": "lxc-tools", "Configuration": CONTAINER}
    code, out = wbem.InvokeMethod("DefineNativeSystem", LXC, **given)
    assert (code, out["ResultingSystem"]["Name"]) == (0, "fromtools")
    assert wbem.GetInstance(out["ResultingSystem"])["Name"] == "fromtools"
    with pytest.raises(pywbem.CIMError, match="already defined") as taken:
        wbem.InvokeMethod("DefineNativeSystem", LXC, **given)
    assert taken.value.status_code == pywbem.CIM_ERR_ALREADY_EXISTS
    with pytest.raises(pywbem.CIMError, match="Configuration: "):
        wbem.InvokeMethod("DefineNativeSystem", LXC, Format="lxc-tools", Configuration="no = container")
    with pytest.raises(pywbem.CIMError, match="name of a directory"):
        wbem.InvokeMethod(
            "DefineNativeSystem", LXC, Format="lxc-tools", Configuration=CONTAINER.replace("fromtools", "..")
        )
    # Neither reads what the other one writes, and QEMU's driver reads nothing any more.
    assert wbem.InvokeMethod("DefineNativeSystem", LXC, Format="xen-xl", Configuration="name='x'")[0] == 1
    assert wbem.InvokeMethod("DefineNativeSystem", KVM, Format="qemu-argv", Configuration="qemu -m 64")[0] == 1
    for wrong in ({"Format": "word"}, {"Format": "xen-xl", "Configuration": "x" * (2 << 20)}):
        with pytest.raises(pywbem.CIMError) as caught:
            wbem.InvokeMethod("DefineNativeSystem", LXC, **{"Configuration": "x", **wrong})
        assert caught.value.status_code == pywbem.CIM_ERR_INVALID_PARAMETER

    libvirtd.define(
        "<domain type='qemu'><name>argv</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os>"
        "<devices><graphics type='vnc' passwd='hidden-1'/></devices></domain>"
    )
    wait_until(lambda: "argv" in {each["Name"] for each in wbem.EnumerateInstanceNames("KVM_ComputerSystem")})
    monkeypatch.setenv("VIRTCIM_PASSWORD", server.password or "")
    asked = ["--url", server.url, "--user", server.user or ""]
    assert main(["export", "argv", "--native", "qemu-argv", *asked]) == 0
    written = capsys.readouterr().out
    assert "-name guest=argv" in written
    assert "hidden-1" not in written
    assert main(["export", "argv", "--native", "xen-xl", *asked]) == 1
    assert "does not convert it" in capsys.readouterr().err
    file = tmp_path / "box.conf"
    file.write_text(CONTAINER.replace("fromtools", "bytools"))
    assert main(["define", str(file), "--native", "lxc-tools", *asked]) == 0
    assert capsys.readouterr().out == "guest bytools: defined\n"
    assert "bytools" in libvirtd.list_all("lxc")

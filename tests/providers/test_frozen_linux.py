"""A Linux guest that is frozen while the server is killed: it is thawed at the next start."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.linux import AGENT, COUNTS, LinuxGuest, counted
from tests.conftest import Guests

pytestmark = pytest.mark.slow

LONG = 120.0
DELAY = 6
"""Seconds that the agent takes to freeze anything."""
CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


@pytest.mark.parametrize(
    ("service_class", "method", "parameters"),
    [
        ("BackupService", "CreateCheckpoint", {"CheckpointSettings": "BackupSettingData"}),
        (
            "VirtualSystemSnapshotService",
            "CreateSnapshot",
            {"SnapshotType": 3, "SnapshotSettings": "VirtualSystemSnapshotSettingData"},
        ),
    ],
)
def test_a_guest_is_thawed_though_the_server_was_killed(
    libvirtd: Libvirtd,
    guests: Guests,
    linux: LinuxGuest,
    serve: Callable[..., Server],
    tmp_path: Path,
    service_class: str,
    method: str,
    parameters: dict[str, Any],
) -> None:
    console, image = tmp_path / "console", libvirtd.new_image()
    subprocess.run(["qemu-img", "resize", str(image), "32M"], check=True, capture_output=True)
    libvirtd.define(linux.domain_xml("cold", f"{COUNTS} {AGENT}{DELAY}", image, console, CHANNEL))
    libvirtd.virsh("start", "cold")
    server = serve(libvirtd.uri(), config="[providers.jobs]\ngrace = 0\n")
    ask: Any = server.pywbem()
    (system,) = wait_until(lambda: ask.EnumerateInstanceNames("KVM_ComputerSystem"), LONG)
    capabilities = pywbem.CIMInstanceName(
        "KVM_VirtualSystemSnapshotCapabilities", {"InstanceID": "cold"}, namespace=system.namespace
    )
    wait_until(lambda: ask.GetInstance(capabilities)["GuestOSNotificationEnabled"], LONG)
    wait_until(lambda: counted(console), LONG)
    (service,) = ask.EnumerateInstanceNames(f"KVM_{service_class}")
    given = {
        name: pywbem.Uint16(value)
        if isinstance(value, int)
        else pywbem.CIMInstance(f"KVM_{value}", {"ElementName": "quiet", "Quiesce": True})
        for name, value in parameters.items()
    }
    assert ask.InvokeMethod(method, service, AffectedSystem=system, **given)[0] == 4096
    wait_until(lambda: "asked to freeze" in console.read_text(errors="replace"), LONG)
    server.stop(signal.SIGKILL)
    if method == "CreateSnapshot":
        # libvirtd would thaw the guest itself.
        libvirtd.kill()
        libvirtd.start()
    assert "FROZEN" not in console.read_text(errors="replace")
    server.start()

    def words_of_agent() -> list[str]:
        return re.findall("FROZEN|THAWED", console.read_text(errors="replace"))

    wait_until(lambda: words_of_agent()[-1:] == ["THAWED"], LONG)
    assert words_of_agent()[0] == "FROZEN"
    number = counted(console)[-1]
    wait_until(lambda: counted(console)[-1] > number + 4, LONG)
    ask = server.pywbem()
    wait_until(
        lambda: all(
            each["JobState"] == 10 for each in ask.EnumerateInstances("CIM_ConcreteJob", namespace=system.namespace)
        ),
        LONG,
    )

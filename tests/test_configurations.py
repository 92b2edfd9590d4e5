"""Configurations and consoles of a guest that runs on QEMU, through the server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.bed import Libvirtd, Server, wait_until
from tests.conftest import Guests

DEVICES = """
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<interface type='ethernet'><mac address='52:54:00:aa:00:02'/><model type='virtio'/></interface>
<interface type='user'><mac address='52:54:00:aa:00:03'/><model type='e1000'/></interface>
<sound model='ich6'/><watchdog model='i6300esb' action='reset'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
"""


@pytest.fixture
def server(libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]) -> Server:
    """A server on a libvirtd with a running guest that has many devices."""
    guests.boot_sector("busy")
    xml = libvirtd.virsh("dumpxml", "busy", "--inactive")
    libvirtd.define(xml.replace("</devices>", f"{DEVICES}</devices>"))
    libvirtd.virsh("start", "busy")
    return serve(libvirtd.uri())


def test_a_guest_as_it_was_defined_has_one_configuration(server: Server, libvirtd: Libvirtd) -> None:
    client = server.pywbem()
    assert [each["InstanceID"] for each in client.EnumerateInstanceNames("KVM_VirtualSystemSettingData")] == [
        "KVM:busy"
    ]
    setting = client.EnumerateInstanceNames("KVM_VirtualSystemSettingData")[0]
    links = client.References(setting, ResultClass="KVM_ElementSettingData")
    assert {(each["IsCurrent"], each["IsDefault"], each["IsNext"]) for each in links} == {(1, 1, 1)}
    assert server.wbemcli("ain", "KVM_VirtualSystemSettingData.InstanceID=KVM:busy", "-ac", "KVM_ElementSettingData")


def test_a_change_for_the_next_start_is_another_configuration(server: Server, libvirtd: Libvirtd) -> None:
    client = server.pywbem()
    libvirtd.virsh("setvcpus", "busy", "2", "--config")
    libvirtd.virsh("desc", "busy", "--config", "--title", "next")

    def settings() -> list[str]:
        return [each["InstanceID"] for each in client.EnumerateInstanceNames("KVM_VirtualSystemSettingData")]

    wait_until(lambda: settings() == ["KVM:busy", "KVM:busy/defined"])
    now, then = client.EnumerateInstances("KVM_VirtualSystemSettingData")
    assert (now["Caption"], then["Caption"]) == ("Virtual System", "next")
    processors = client.EnumerateInstances("KVM_ProcResourceAllocationSettingData")
    assert [(each["InstanceID"], each["VirtualQuantity"]) for each in processors] == [
        ("busy/proc", 1),
        ("busy/defined/proc", 2),
    ]
    assert (
        client.AssociatorNames(processors[0].path, AssocClass="KVM_ElementSettingData", Role="ManagedElement")[0][
            "InstanceID"
        ]
        == "busy/defined/proc"
    )
    parts = client.AssociatorNames(then.path, AssocClass="KVM_VirtualSystemSettingDataComponent")
    assert {each["InstanceID"].startswith("busy/defined/") for each in parts} == {True}
    for path in (*parts, then.path):
        assert client.GetInstance(path).path.keybindings == path.keybindings
    link = next(
        each
        for each in client.References(then.path, ResultClass="KVM_ElementSettingData")
        if each["ManagedElement"].classname == "KVM_VirtualSystemSettingData"
    )
    assert (link["IsCurrent"], link["IsDefault"], link["IsNext"]) == (2, 1, 1)
    libvirtd.virsh("destroy", "busy")
    wait_until(lambda: settings() == ["KVM:busy"])
    assert client.EnumerateInstances("KVM_VirtualSystemSettingData")[0]["Caption"] == "next"


def test_a_client_at_a_console(server: Server, libvirtd: Libvirtd) -> None:
    client = server.pywbem()

    def points() -> list[Any]:
        found: list[Any] = client.EnumerateInstances("KVM_KVMRedirectionSAP")
        return found

    display = libvirtd.virsh("vncdisplay", "busy").strip()
    port = 5900 + int(display.rpartition(":")[2])
    assert [(each["Name"], each["KVMProtocol"], each["EnabledState"]) for each in points()] == [(f"{port}:0", 4, 6)]
    with socket.create_connection(("127.0.0.1", port)) as viewer:
        own = viewer.getsockname()[1]
        wait_until(lambda: points()[0]["Name"] == f"{port}:{own}")
        point = points()[0]
        assert point["EnabledState"] == 2
        assert client.GetInstance(point.path)["Name"] == f"{port}:{own}"
        assert [
            each["Name"] for each in client.AssociatorNames(point.path, AssocClass="KVM_SAPAvailableForElement")
        ] == ["busy"]
    wait_until(lambda: points()[0]["EnabledState"] == 6)
    libvirtd.virsh("destroy", "busy")
    wait_until(lambda: [(each["Name"], each["EnabledState"]) for each in points()] == [("-1:-1", 3)])

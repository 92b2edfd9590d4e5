"""Containers that are defined and changed by what libvirt-cim's clients send, on a real libvirtd."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import pywbem
from lxml import etree

from tests.bed import Libvirtd, Server
from tests.conftest import Guests
from tests.xpath import nodes

pytestmark = pytest.mark.lxc

SERVICE = "LXC_VirtualSystemManagementService"


@pytest.fixture
def wbem(libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]) -> pywbem.WBEMConnection:
    return serve(libvirtd.uri("lxc")).pywbem()


def definition(daemon: Libvirtd, name: str, *options: str) -> etree._Element:
    return etree.fromstring(daemon.virsh("dumpxml", name, *options, driver="lxc").encode())


def test_every_container_of_old_clients_is_not_fully_virtual(wbem: pywbem.WBEMConnection, libvirtd: Libvirtd) -> None:
    """They send isFullVirt with each container, when they define it and when they change it."""
    system = 'instance of LXC_VirtualSystemSettingData { VirtualSystemIdentifier = "box"; InitPath = "/bin/sh"; '
    memory = (
        'instance of LXC_MemResourceAllocationSettingData { VirtualQuantity = 64; AllocationUnits = "MegaBytes"; };'
    )
    disk = 'instance of LXC_DiskResourceAllocationSettingData { MountPoint = "/"; Address = "/tmp"; };'
    resources = {"ResourceSettings": [memory, disk], "ReferenceConfiguration": " "}
    with pytest.raises(pywbem.CIMError) as caught:
        wbem.InvokeMethod("DefineSystem", SERVICE, SystemSettings=system + "isFullVirt = true; };", **resources)
    assert "IsFullVirt" in caught.value.status_description
    code, _ = wbem.InvokeMethod("DefineSystem", SERVICE, SystemSettings=system + "isFullVirt = false; };", **resources)
    assert code == 0
    code, _ = wbem.InvokeMethod(
        "ModifySystemSettings", SERVICE, SystemSettings=system + "isFullVirt = false; AutomaticRecoveryAction = 3; };"
    )
    assert code == 0
    found = definition(libvirtd, "box")
    assert nodes(found, "os/type/text() | os/init/text() | on_crash/text()") == ["exe", "/bin/sh", "restart"]


def test_a_container_that_is_not_told_what_to_run(wbem: pywbem.WBEMConnection, libvirtd: Libvirtd) -> None:
    """libvirt takes none without an init; libvirt-cim gave it one that ends at once."""
    system = 'instance of LXC_VirtualSystemSettingData { VirtualSystemIdentifier = "idle"; };'
    assert wbem.InvokeMethod("DefineSystem", SERVICE, SystemSettings=system)[0] == 0
    assert nodes(definition(libvirtd, "idle"), "os/init/text()") == ["/bin/false"]


def test_a_running_container_is_told_at_its_next_start(
    wbem: pywbem.WBEMConnection, libvirtd: Libvirtd, guests: Guests
) -> None:
    """libvirt cannot change the actions of a running one: its definition takes them."""
    name = guests.container("runs")
    libvirtd.virsh("start", name, driver="lxc")
    changed = (
        f'instance of LXC_VirtualSystemSettingData {{ InstanceID = "LXC:{name}"; AutomaticShutdownAction = 3; '
        "AutomaticRebootAction = 2; AutomaticRecoveryAction = 123; };"
    )
    assert wbem.InvokeMethod("ModifySystemSettings", SERVICE, SystemSettings=changed)[0] == 0
    actions = "on_poweroff/text() | on_reboot/text() | on_crash/text()"
    assert nodes(definition(libvirtd, name, "--inactive"), actions) == ["restart", "destroy", "preserve"]
    names = ("AutomaticShutdownAction", "AutomaticRebootAction", "AutomaticRecoveryAction")
    shown = {
        each["InstanceID"]: [each[action] for action in names]
        for each in wbem.EnumerateInstances("LXC_VirtualSystemSettingData")
    }
    assert shown[f"LXC:{name}/defined"] == [3, 2, 123]
    assert shown[f"LXC:{name}"] != [3, 2, 123]

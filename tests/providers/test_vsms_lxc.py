"""Containers that are defined and changed by what libvirt-cim's clients send, on a real libvirtd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import pywbem
from lxml import etree

from tests.bed import Libvirtd, Server, wait_until
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


WHOLE = """<domain type='lxc'><name>whole</name><memory>65536</memory><vcpu>3</vcpu>
<cputune><shares>512</shares><period>100000</period><quota>50000</quota></cputune>
<os><type>exe</type><init>/bin/sh</init></os><devices>
<filesystem type='mount'><source dir='{0}'/><target dir='/'/></filesystem>
<filesystem type='bind'><source dir='{0}'/><target dir='/mnt'/><readonly/></filesystem>
<filesystem type='file'><driver type='loop' format='raw'/><source file='{0}/image'/><target dir='/srv'/></filesystem>
<filesystem type='ram'><source usage='1024' units='KiB'/><target dir='/tmp'/></filesystem>
<interface type='ethernet'><mac address='00:16:3e:00:00:01'/><guest dev='eth7'/></interface>
<console type='pty'/>
</devices></domain>"""


def test_all_that_is_shown_of_a_container_makes_another_one(
    wbem: pywbem.WBEMConnection, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    """Its terminal is a graphical console as well, which no container has by itself."""
    (tmp_path / "image").write_bytes(bytes(1 << 20))
    libvirtd.define(WHOLE.format(tmp_path), "lxc")
    name = "LXC_VirtualSystemSettingData"
    wait_until(lambda: [each["InstanceID"] for each in wbem.EnumerateInstanceNames(name)] == ["LXC:whole"])
    (system,) = wbem.EnumerateInstances(name)
    system["VirtualSystemIdentifier"] = system["ElementName"] = "again"
    del system["UUID"]
    resources = wbem.EnumerateInstances("CIM_ResourceAllocationSettingData")
    assert {each.classname for each in resources} >= {
        "LXC_GraphicsResourceAllocationSettingData",
        "LXC_ConsoleResourceAllocationSettingData",
    }
    code, _ = wbem.InvokeMethod("DefineSystem", SERVICE, SystemSettings=system, ResourceSettings=resources)
    assert code == 0
    one, other = (definition(libvirtd, each, "--inactive") for each in ("whole", "again"))
    for path in ("vcpu", "cputune", "devices"):
        assert [etree.tostring(each) for each in nodes(one, path)] == [
            etree.tostring(each) for each in nodes(other, path)
        ]


def test_a_container_is_limited_as_a_whole(wbem: pywbem.WBEMConnection, libvirtd: Libvirtd) -> None:
    """However many processors its definition names, it has one quota."""
    libvirtd.define(WHOLE.format("/tmp"), "lxc")
    name = "LXC_ProcResourceAllocationSettingData"
    wait_until(lambda: [each["InstanceID"] for each in wbem.EnumerateInstanceNames(name)] == ["whole/proc"])
    (processors,) = wbem.EnumerateInstances(name)
    assert processors["Limit"] == 50
    processors["Limit"] = pywbem.Uint64(200)
    assert wbem.InvokeMethod("ModifyResourceSettings", SERVICE, ResourceSettings=[processors])[0] == 0
    assert nodes(definition(libvirtd, "whole", "--inactive"), "cputune/quota/text()") == ["200000"]
    processors["VirtualQuantity"] = pywbem.Uint64(2)
    with pytest.raises(pywbem.CIMError, match="VirtualQuantity"):
        wbem.InvokeMethod("ModifyResourceSettings", SERVICE, ResourceSettings=[processors])

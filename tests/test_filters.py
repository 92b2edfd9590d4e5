"""Network filters through the server, on a private libvirtd: applied, nested, made and removed by a client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.conftest import Guests, missing

PARENT = """<filter name='virtcim-parent' chain='root' priority='-350'>
  <!-- kept -->
  <filterref filter='no-mac-spoofing'/>
  <rule action='accept' direction='out' priority='-650'>
    <mac protocolid='ipv4'/>
  </rule>
</filter>"""
INTERFACE = """<interface type='ethernet'><mac address='52:54:00:aa:00:01'/><model type='virtio'/></interface>"""


@pytest.fixture
def client(libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server], tmp_path: Path) -> Any:
    """A client of a server on a libvirtd with a guest that has an Ethernet interface and a filter to begin with."""
    if "clean-traffic" not in libvirtd.virsh("nwfilter-list"):
        missing("libvirtd has no network filters")
    for name in ("virtcim-new", "virtcim-parent"):
        if name in libvirtd.virsh("nwfilter-list"):
            libvirtd.virsh("nwfilter-undefine", name)
    file = tmp_path / "filter.xml"
    file.write_text(PARENT)
    libvirtd.virsh("nwfilter-define", str(file))
    guests.boot_sector("filtered")
    xml = libvirtd.virsh("dumpxml", "filtered", "--inactive").replace("</devices>", f"{INTERFACE}</devices>")
    libvirtd.define(xml.replace("</name>", "</name><title>kept</title>"))
    return serve(libvirtd.uri()).pywbem()


def named(client: Any, class_name: str, name: str) -> Any:
    """The path of an instance by its name."""
    return next(path for path in client.EnumerateInstanceNames(class_name) if name in path.keybindings.values())


def association(class_name: str, antecedent: Any, dependent: Any) -> pywbem.CIMInstance:
    """An association to be made."""
    return pywbem.CIMInstance(class_name, {"Antecedent": antecedent, "Dependent": dependent})


def test_filters_and_rules_are_read(client: Any) -> None:
    path = named(client, "KVM_FilterList", "virtcim-parent")
    assert client.GetInstance(path)["Priority"] == -350
    rules = client.Associators(path, AssocClass="KVM_EntriesInFilterList")
    assert [(rule.classname, rule["Name"], rule["HdrProtocolID8021"]) for rule in rules] == [
        ("KVM_Hdr8021Filter", "virtcim-parent:0", 2048)
    ]
    assert client.GetInstance(rules[0].path)["Priority"] == -650
    nested = client.AssociatorNames(path, AssocClass="KVM_NestedFilterList", Role="Antecedent")
    assert [each["Name"] for each in nested] == ["no-mac-spoofing"]
    assert len(client.EnumerateInstanceNames("CIM_FilterList")) > 10
    for class_name in ("KVM_FilterEntry", "KVM_Hdr8021Filter", "KVM_IPHeadersFilter"):
        assert {each.classname for each in client.EnumerateInstanceNames(class_name)} <= {class_name}


def test_a_filter_is_made_and_removed(client: Any, libvirtd: Libvirtd) -> None:
    path = client.CreateInstance(pywbem.CIMInstance("KVM_FilterList", {"Name": "virtcim-new"}))
    assert client.GetInstance(path)["Name"] == "virtcim-new"
    assert "virtcim-new" in libvirtd.virsh("nwfilter-list")
    with pytest.raises(pywbem.CIMError) as caught:
        client.CreateInstance(pywbem.CIMInstance("KVM_FilterList", {"Name": "virtcim-new"}))
    assert caught.value.status_code == pywbem.CIM_ERR_ALREADY_EXISTS
    client.DeleteInstance(path)
    assert "virtcim-new" not in libvirtd.virsh("nwfilter-list")
    with pytest.raises(pywbem.CIMError) as caught:
        client.DeleteInstance(path)
    assert caught.value.status_code == pywbem.CIM_ERR_NOT_FOUND


def test_nesting_keeps_rules_and_priority(client: Any, libvirtd: Libvirtd) -> None:
    parent, child = (named(client, "KVM_FilterList", name) for name in ("virtcim-parent", "no-arp-spoofing"))
    before = libvirtd.virsh("nwfilter-dumpxml", "virtcim-parent")
    path = client.CreateInstance(association("KVM_NestedFilterList", parent, child))
    xml = libvirtd.virsh("nwfilter-dumpxml", "virtcim-parent")
    assert "<filterref filter='no-arp-spoofing'/>" in xml
    assert all(part in xml for part in ("priority='-350'", "priority='-650'", "no-mac-spoofing"))
    assert client.GetInstance(path).path.keybindings["Dependent"]["Name"] == "no-arp-spoofing"
    with pytest.raises(pywbem.CIMError, match="Failed to append filter reference"):
        client.CreateInstance(association("KVM_NestedFilterList", parent, child))
    with pytest.raises(pywbem.CIMError, match="Failed to update filter"):
        client.CreateInstance(association("KVM_NestedFilterList", child, parent))
    client.DeleteInstance(path)
    assert libvirtd.virsh("nwfilter-dumpxml", "virtcim-parent") == before
    with pytest.raises(pywbem.CIMError) as caught:
        client.DeleteInstance(path)
    assert caught.value.status_code == pywbem.CIM_ERR_NOT_FOUND


@pytest.mark.parametrize("running", [False, True])
def test_a_filter_is_applied_to_an_interface(client: Any, libvirtd: Libvirtd, running: bool) -> None:
    if running:
        libvirtd.virsh("start", "filtered")
        wait_until(lambda: client.EnumerateInstances("KVM_ComputerSystem")[0]["EnabledState"] == 2)
    before = libvirtd.virsh("dumpxml", "filtered", "--inactive")
    port = client.EnumerateInstanceNames("KVM_NetworkPort")[0]
    chosen, other = (named(client, "KVM_FilterList", name) for name in ("virtcim-parent", "no-arp-spoofing"))
    path = client.CreateInstance(association("KVM_AppliedFilterList", port, chosen))
    assert [each["Name"] for each in client.AssociatorNames(port, AssocClass="KVM_AppliedFilterList")] == [
        "virtcim-parent"
    ]
    assert [each["DeviceID"] for each in client.AssociatorNames(chosen, AssocClass="KVM_AppliedFilterList")] == [
        path.keybindings["Antecedent"]["DeviceID"]
    ]
    for options in (("--inactive",), ()):
        assert "<filterref filter='virtcim-parent'/>" in libvirtd.virsh("dumpxml", "filtered", *options)
    assert client.GetInstance(path).path.keybindings["Dependent"]["Name"] == "virtcim-parent"
    if running:
        with pytest.raises(pywbem.CIMError, match="Failed to delete filter"):
            client.DeleteInstance(chosen)
    client.CreateInstance(association("KVM_AppliedFilterList", port, other))
    with pytest.raises(pywbem.CIMError) as caught:
        client.DeleteInstance(path)
    assert caught.value.status_code == pywbem.CIM_ERR_NOT_FOUND
    path.keybindings["Dependent"] = other
    client.DeleteInstance(path)
    assert client.AssociatorNames(port, AssocClass="KVM_AppliedFilterList") == []
    assert libvirtd.virsh("dumpxml", "filtered", "--inactive") == before
    assert "filterref" not in libvirtd.virsh("dumpxml", "filtered")
    assert len(client.EnumerateInstanceNames("KVM_VirtualSystemSettingData")) == 1


def test_an_interface_that_cannot_be_filtered(client: Any, libvirtd: Libvirtd) -> None:
    xml = libvirtd.virsh("dumpxml", "filtered", "--inactive")
    libvirtd.define(xml.replace("<interface type='ethernet'>", "<interface type='user'>"))
    client.EnumerateInstanceNames("KVM_NetworkPort")
    chosen = named(client, "KVM_FilterList", "virtcim-parent")
    port = client.EnumerateInstanceNames("KVM_NetworkPort")[0]
    with pytest.raises(pywbem.CIMError) as caught:
        client.CreateInstance(association("KVM_AppliedFilterList", port, chosen))
    assert "Failed to update the network interface" in caught.value.status_description
    with pytest.raises(pywbem.CIMError) as caught:
        client.CreateInstance(association("KVM_HostedFilterList", port, chosen))
    assert caught.value.status_code == pywbem.CIM_ERR_NOT_SUPPORTED

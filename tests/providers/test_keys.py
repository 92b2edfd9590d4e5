"""What a client is told about keys that name nothing: codes and texts are libvirt-cim's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.recorded import Served, domain_xml, hypervisor, platform, served
from virtcim.providers.interface import CIMError, Status

XML = domain_xml("g", "<disk device='disk' type='file'><source file='/x'/><target dev='vda'/></disk>")
GONE = "Domain not found: no domain with matching name 'gone'"
DEVICE = {
    "SystemCreationClassName": "KVM_ComputerSystem",
    "SystemName": "g",
    "CreationClassName": "KVM_LogicalDisk",
    "DeviceID": "g/vda",
}
SYSTEM = {"CreationClassName": "KVM_ComputerSystem", "Name": "g"}
DISK = "KVM_DiskResourceAllocationSettingData"


@pytest.fixture(scope="module")
def site() -> Served:
    return served("KVM", XML)


@pytest.mark.parametrize(
    ("class_name", "keys", "status", "text"),
    [
        ("KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem"}, Status.FAILED, "No domain name specified"),
        ("KVM_ComputerSystem", {**SYSTEM, "Name": None}, Status.FAILED, "No domain name specified"),
        ("KVM_ComputerSystem", {**SYSTEM, "Name": 5}, Status.INVALID_PARAMETER, "Key Name is not a string"),
        (
            "KVM_ComputerSystem",
            {**SYSTEM, "Name": "gone"},
            Status.NOT_FOUND,
            f"Referenced domain `gone' does not exist: {GONE}",
        ),
        ("KVM_ComputerSystem", {"Name": "g"}, Status.NOT_FOUND, "No such instance (CreationClassName)"),
        (
            "KVM_ComputerSystem",
            {**SYSTEM, "CreationClassName": "X"},
            Status.NOT_FOUND,
            "No such instance (CreationClassName)",
        ),
        ("Xen_ComputerSystem", SYSTEM, Status.NOT_FOUND, "No such instance."),
        ("Xen_LogicalDisk", DEVICE, Status.NOT_FOUND, "No such instance"),
        (
            "KVM_HostSystem",
            {"CreationClassName": "KVM_HostSystem", "Name": "other"},
            Status.NOT_FOUND,
            "No such instance (Name)",
        ),
        (
            "Xen_HostSystem",
            {"CreationClassName": "Xen_HostSystem", "Name": "other"},
            Status.NOT_FOUND,
            "No such instance",
        ),
        ("KVM_HostSystem", {"CreationClassName": "KVM_HostSystem"}, Status.NOT_FOUND, "No such instance (Name)"),
        ("KVM_VirtualSystemManagementService", {}, Status.NOT_FOUND, "No such instance (Name)"),
        ("KVM_ResourcePoolConfigurationService", {}, Status.NOT_FOUND, "No such instance (Name)"),
        (
            "KVM_ResourcePoolConfigurationService",
            {"SystemCreationClassName": "KVM_HostSystem", "Name": "RPCS"},
            Status.NOT_FOUND,
            "No such instance (SystemName)",
        ),
        ("KVM_KVMRedirectionSAP", {}, Status.NOT_FOUND, "No such instance (Name)"),
        ("KVM_VirtualSystemSettingData", {}, Status.NOT_FOUND, "No such instance (InstanceID)"),
        ("KVM_VirtualSystemSettingData", {"InstanceID": "g"}, Status.NOT_FOUND, "No such instance (InstanceID)"),
        ("KVM_VirtualSystemSettingData", {"InstanceID": "Xen:g"}, Status.NOT_FOUND, "No such instance (InstanceID)"),
        (
            "KVM_VirtualSystemSettingData",
            {"InstanceID": "KVM:gone"},
            Status.NOT_FOUND,
            f"No such instance (gone): {GONE}",
        ),
        ("KVM_LogicalDisk", {}, Status.FAILED, "No DeviceID specified"),
        ("KVM_LogicalDisk", {**DEVICE, "DeviceID": "vda"}, Status.NOT_FOUND, "No such instance (bad id vda)"),
        (
            "KVM_LogicalDisk",
            {**DEVICE, "DeviceID": "gone/vda"},
            Status.NOT_FOUND,
            f"No such instance (no domain for gone/vda): {GONE}",
        ),
        ("KVM_LogicalDisk", {**DEVICE, "DeviceID": "g/vdb"}, Status.NOT_FOUND, "No such instance (no device g/vdb)"),
        ("KVM_LogicalDisk", {**DEVICE, "DeviceID": "g/mem"}, Status.NOT_FOUND, "No such instance (no device g/mem)"),
        ("KVM_LogicalDisk", {**DEVICE, "SystemName": "h"}, Status.NOT_FOUND, "No such instance (SystemName)"),
        (
            "KVM_LogicalDisk",
            {k: v for k, v in DEVICE.items() if k != "SystemCreationClassName"},
            Status.NOT_FOUND,
            "No such instance (SystemCreationClassName)",
        ),
        (DISK, {}, Status.FAILED, "Missing InstanceID"),
        (DISK, {"InstanceID": "gone/vda"}, Status.NOT_FOUND, f"No such instance (gone/vda): {GONE}"),
        (DISK, {"InstanceID": "g/mem"}, Status.NOT_FOUND, "No such instance (g/mem)"),
        (
            DISK,
            {"InstanceID": "Minimum"},
            Status.NOT_FOUND,
            "No such instance (Minimum): Domain not found: no domain with matching name 'Minimum'",
        ),
    ],
)
def test_refused(site: Served, class_name: str, keys: dict[str, Any], status: Status, text: str) -> None:
    with pytest.raises(CIMError) as caught:
        site.get(class_name, **keys)
    assert (caught.value.status, caught.value.description) == (status, text)


def test_names_and_values_in_any_case(site: Served) -> None:
    assert site.get("KVM_LogicalDisk", **{name.lower(): value for name, value in DEVICE.items()}).identity == "g/vda"
    assert site.get("KVM_LogicalDisk", **{**DEVICE, "DeviceID": "g/VDA"}).identity == "g/vda"
    assert site.get("KVM_ComputerSystem", Name="g", creationclassname="kvm_computersystem").identity == "g"
    assert site.get(DISK, InstanceID="g/VDA").identity == "g/vda"


def test_exact_spelling_wins() -> None:
    devices = "".join(f"<disk device='disk' type='file'><target dev='{dev}'/></disk>" for dev in ("VDA", "vda"))
    site = served("KVM", domain_xml("g", devices))
    assert site.get(DISK, InstanceID="g/vda").identity == "g/vda"
    assert site.get(DISK, InstanceID="g/VDA").identity == "g/VDA"


def test_class_that_a_provider_does_not_serve(site: Served) -> None:
    with pytest.raises(CIMError) as caught:
        site.providers["KVM_ComputerSystem"].instances("KVM_Nonsense", None)  # type: ignore[arg-type]
    assert caught.value.status is Status.INVALID_CLASS


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "quote\"'",
        "a&b<c>",
        "🙂 日本語",
        "a:b",
        " blank ",
        "a\\b",
        "#2",
        "a/vda",
        "/",
    ],
)
def test_odd_names(name: str) -> None:
    host = hypervisor()
    escaped = name.replace("&", "&amp;").replace("<", "&lt;")
    host.put(XML.replace("<name>g</name>", f"<name>{escaped}</name>"))
    host.put(
        domain_xml(
            "a",
            "<disk device='disk' type='file'><target dev='vda'/></disk><filesystem><target dir='b/vda'/></filesystem>",
        )
    )
    site = Served([(platform("KVM"), host)])
    everything = site.everything()
    assert len({(i.class_name, i.identity) for i in everything}) == len(everything)
    for instance in everything:
        found = site.get(instance.class_name, **instance.keys())
        assert (found.class_name, found.identity) == (instance.class_name, instance.identity)
    assert site.guest(name)["ElementName"] == name


def test_a_name_with_a_slash_never_shares_an_id() -> None:
    """`a` with a device `b/mem` and `a/b` with a device `mem`: only one of them can be `a/b/mem`."""
    host = hypervisor()
    host.put(
        domain_xml("a", "<filesystem><target dir='b/mem'/></filesystem><filesystem><target dir='b/proc'/></filesystem>")
    )
    host.put(domain_xml("a/b"))
    site = Served([(platform("KVM"), host)])
    ids = [
        str(instance.keys()["InstanceID"])
        for instance in site.everything()
        if "SettingData" in instance.class_name and "Migration" not in instance.class_name
    ]
    assert sorted(ids) == ["KVM:a", "KVM:a/b", "a/b/mem", "a/b/mem#2", "a/b/proc", "a/b/proc#2", "a/mem", "a/proc"]
    for class_name in (DISK, "KVM_MemResourceAllocationSettingData", "KVM_ProcResourceAllocationSettingData"):
        for instance in site.instances(class_name):
            assert site.get(class_name, **instance.keys()) is instance


def test_superfluous_keys_are_ignored(site: Served) -> None:
    found = site.get("KVM_ComputerSystem", **SYSTEM, Color="red")
    assert found.keys() == SYSTEM

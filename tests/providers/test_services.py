"""The services of a host, what they can do, and what they cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.providers.recorded import CONTEXT, PLATFORMS, Served, domain_xml, hypervisor, platform, served
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import CIMError, Role, Status
from virtcim.registration.roles import method_roles

SERVICES = {
    "VirtualSystemMigrationService": "MigrationService",
    "VirtualSystemSnapshotService": "SnapshotService",
    "ConsoleRedirectionService": "ConsoleRedirectionService",
    "SwitchService": "Switch Virtualization Capabilities",
}
CAPABILITIES = {
    "VirtualSystemMigrationCapabilities": "MigrationCapabilities",
    "VirtualSystemSnapshotServiceCapabilities": "SnapshotCapabilities",
    "ConsoleRedirectionServiceCapabilities": "ConsoleRedirectionCapabilities",
    "VirtualSystemMigrationSettingData": "MigrationSettingData",
}


def keys_of(base: str, prefix: str = "KVM") -> dict[str, Any]:
    return {
        "SystemCreationClassName": f"{prefix}_HostSystem",
        "SystemName": "node.example.org",
        "CreationClassName": f"{prefix}_{base}",
        "Name": SERVICES[base],
    }


@pytest.mark.parametrize("prefix", PLATFORMS.prefixes)
def test_on_every_platform(prefix: str) -> None:
    site = served(prefix)
    for base in SERVICES:
        assert site.instances(f"{prefix}_{base}")[0].keys() == keys_of(base, prefix)
    for base, instance_id in CAPABILITIES.items():
        assert [each.keys() for each in site.instances(f"{prefix}_{base}")] == [{"InstanceID": instance_id}]
        assert site.get(f"{prefix}_{base}", InstanceID=instance_id.lower()).identity == instance_id


def test_without_a_hypervisor() -> None:
    site = served("KVM")
    for base in (*SERVICES, *CAPABILITIES, "EnabledLogicalElementCapabilities"):
        assert site.instances(f"Xen_{base}") == []
        with pytest.raises(CIMError) as caught:
            site.get(f"Xen_{base}", InstanceID="x", Name="x", SystemName="x")
        assert caught.value.status is Status.NOT_FOUND


CAN_DO = {
    ("VirtualSystemMigrationCapabilities", "SynchronousMethodsSupported"): [2, 3, 4, 5],
    ("VirtualSystemMigrationCapabilities", "AsynchronousMethodsSupported"): [2, 3],
    ("VirtualSystemMigrationCapabilities", "DestinationHostFormatsSupported"): [2, 3, 4],
}


def test_nothing_is_listed_that_cannot_be_done() -> None:
    site = served("KVM")
    for base, instance_id in CAPABILITIES.items():
        values = site.get(f"KVM_{base}", InstanceID=instance_id).properties()
        for name, value in values.items():
            if base != "VirtualSystemSnapshotServiceCapabilities" and name.endswith(
                ("MethodsSupported", "TypesSupported", "FormatsSupported")
            ):
                assert isinstance(value, list | tuple)
                assert list(value) == CAN_DO.get((base, name), [])


@pytest.mark.parametrize(
    ("base", "method"),
    [
        ("VirtualSystemMigrationService", "NoSuchMethod"),
        ("VirtualSystemSnapshotService", "NoSuchMethod"),
    ],
)
def test_methods_that_are_not_there(base: str, method: str) -> None:
    site = served("KVM")
    with pytest.raises(CIMError) as caught:
        site.providers[f"KVM_{base}"].invoke_method(f"KVM_{base}", keys_of(base), method, {}, CONTEXT)
    assert caught.value.status is Status.METHOD_NOT_AVAILABLE


@pytest.mark.parametrize("method", ["RequestStateChange", "StartService", "StopService"])
def test_services_cannot_be_stopped(method: str) -> None:
    site = served("KVM")
    for base in SERVICES:
        provider = site.providers[f"KVM_{base}"]
        for keys in (keys_of(base), None):
            assert provider.invoke_method(f"KVM_{base}", keys, method, {}, CONTEXT).return_value == 1
        with pytest.raises(CIMError) as caught:
            provider.invoke_method(f"KVM_{base}", {**keys_of(base), "Name": "x"}, method, {}, CONTEXT)
        assert caught.value.description == "No such instance (Name)"


@pytest.mark.parametrize("change", [{"SystemName": "elsewhere"}, {"Name": "x"}, {"CreationClassName": "x"}])
def test_keys_of_services(change: dict[str, str]) -> None:
    site = served("KVM")
    with pytest.raises(CIMError) as caught:
        site.get("KVM_SwitchService", **{**keys_of("SwitchService"), **change})
    assert (caught.value.status, caught.value.description) == (
        Status.NOT_FOUND,
        f"No such instance ({next(iter(change))})",
    )


def test_a_lost_connection_shows() -> None:
    host = hypervisor()
    site = Served([(platform("KVM"), host)])
    before = site.get("KVM_SwitchService", **keys_of("SwitchService"))
    assert before.properties()["OperationalStatus"] == [2]
    revision = before.revision
    host.connected = False
    assert site.get("KVM_SwitchService", **keys_of("SwitchService")).properties()["OperationalStatus"] == [12]
    assert before.revision != revision


def test_states_that_can_be_requested() -> None:
    def states(prefix: str = "KVM", read_only: bool = False, **changes: Any) -> Any:
        host = hypervisor(prefix)
        host.read_only = read_only
        host.put(domain_xml("g"), **changes)
        site = Served([(platform(prefix), host)])
        found = site.get(f"{prefix}_EnabledLogicalElementCapabilities", InstanceID="g").properties()
        assert found["ElementNameEditSupported"] is False
        return found["RequestedStatesSupported"]

    assert states() == states(active=True) == [2, 3, 4, 6, 9, 10, 11]
    assert states(active=True, persistent=False) == [2, 3, 4, 9, 10, 11]
    assert states("LXC") == [2, 3, 4, 9, 10, 11]
    assert states(read_only=True) == []
    site = served("KVM")
    with pytest.raises(CIMError) as caught:
        site.get("KVM_EnabledLogicalElementCapabilities", InstanceID="gone")
    assert "no domain with matching name 'gone'" in caught.value.description


def test_what_can_do_what() -> None:
    site = served("KVM", domain_xml("g"))
    pairs = set()
    for association in site.catalog.associations["root/virt"]:
        if isinstance(association, Relation) and association.base == "ElementCapabilities":
            for left in association.sources("KVM_ElementCapabilities", CONTEXT):
                for right in association.to_right(left, CONTEXT):
                    pairs.add((left.class_name[4:], right.class_name[4:]))
                    shown: Mapping[str, Any] = association.properties(left, right)
                    assert 2 in shown["Characteristics"]
    for service, capabilities in zip(list(SERVICES)[:3], list(CAPABILITIES)[:3], strict=True):
        assert {(service, capabilities), ("HostSystem", capabilities)} <= pairs
    assert ("ComputerSystem", "EnabledLogicalElementCapabilities") in pairs
    assert ("VirtualSystemMigrationService", "VirtualSystemSnapshotServiceCapabilities") not in pairs


def test_migration_settings_define_capabilities() -> None:
    site = served("KVM")
    capabilities = site.get("KVM_VirtualSystemMigrationCapabilities", InstanceID="MigrationCapabilities")
    settings = site.get("KVM_VirtualSystemMigrationSettingData", InstanceID="MigrationSettingData")
    assert (settings.properties()["MigrationType"], settings.properties()["TransportType"]) == (2, 2)
    found = [
        (association, other)
        for association in site.catalog.associations["root/virt"]
        if capabilities.class_name in association.left.class_names
        and settings.class_name in association.right.class_names
        for other in association.to_right(capabilities, CONTEXT)
    ]
    assert [other.identity for _, other in found] == ["MigrationSettingData"]
    association, other = found[0]
    assert association.properties(capabilities, other) == {"PropertyPolicy": 0, "ValueRole": 0, "ValueRange": 0}
    assert [each.identity for each in association.to_left(settings, CONTEXT)] == ["MigrationCapabilities"]
    unable = served("LXC").get("LXC_VirtualSystemMigrationSettingData", InstanceID="MigrationSettingData")
    assert (unable.properties()["MigrationType"], unable.properties()["TransportType"]) == (0, 0)


def test_roles_are_those_that_elements_declare() -> None:
    declared = method_roles(Served([]).catalog)
    assert declared["KVM_ComputerSystem.RequestStateChange"] is Role.OPERATE
    assert declared["Xen_ConcreteJob.DeleteInstance"] is Role.OPERATE
    assert declared["LXC_MigrationJob.GetErrors"] is Role.READ
    assert "KVM_VirtualSystemManagementService.DefineSystem" not in declared
    own = {name: role for name, role in declared.items() if name.startswith("KVM_VirtualSystemManagementService")}
    assert own == {"KVM_VirtualSystemManagementService.GetSummary": Role.READ}

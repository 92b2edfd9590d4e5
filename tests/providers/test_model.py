"""All that is served, against the class declarations: keys, properties, types, and associations from both ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from cimom.classes import ClassStore
from libhelper.host import HostFacts
from providers.associations import Relation
from providers.base import ElementProvider
from providers.interface import Instance
from providers.servicecapabilities import ServiceCapabilitiesProvider
from providers.services import HostServiceProvider
from providers.Virt_AllocationCapabilities import templates_of
from providers.Virt_ComputerSystem import ComputerSystemProvider
from providers.Virt_Device import DeviceProvider
from providers.Virt_DevicePool import pools_of
from providers.Virt_EnabledLogicalElementCapabilities import StateCapabilitiesProvider
from providers.Virt_FilterEntry import FilterEntryProvider
from providers.Virt_FilterList import FilterListProvider
from providers.Virt_HostSystem import HostSystemProvider
from providers.Virt_KVMRedirectionSAP import KVMRedirectionSAPProvider
from providers.Virt_RASD import ResourceSettingProvider
from providers.Virt_VSMigrationSettingData import MigrationSettingDataProvider
from providers.Virt_VSSD import VirtualSystemSettingDataProvider
from tests.providers.recorded import CONTEXT, PLATFORMS, Served, domain_xml, hypervisor, platform

_TYPES: dict[str, type] = {
    "string": str, "boolean": bool, "datetime": datetime, "uint8": int, "uint16": int, "uint32": int, "uint64": int,
    "sint16": int,
}

_EXERCISED = (HostSystemProvider, ComputerSystemProvider, DeviceProvider, VirtualSystemSettingDataProvider,
              ResourceSettingProvider, StateCapabilitiesProvider, HostServiceProvider, ServiceCapabilitiesProvider,
              MigrationSettingDataProvider, KVMRedirectionSAPProvider, FilterListProvider, FilterEntryProvider)

_SYSINFO = """<sysinfo type='smbios'><system><entry name='manufacturer'>Maker</entry>
<entry name='product'>Box</entry><entry name='serial'>0001</entry></system></sysinfo>"""

_CONSOLES = """
<console type='tcp'><source mode='bind' host='::1' service='4555'/><protocol type='telnet'/>
  <target type='virtio' port='0'/><address type='virtio-serial' controller='0' bus='0' port='3'/></console>
<console type='tcp'><source mode='connect' host='127.0.0.1' service='4556'/><protocol type='raw'/>
  <target type='virtio' port='1'/></console>
<controller type='virtio-serial' index='0'/>"""


@pytest.fixture(scope="module")
def everything(corpus: Served) -> list[Instance]:
    """All instances of the recorded domains, and some for what these do not have."""
    host = hypervisor("KVM", "other")
    host.facts = HostFacts(driver="QEMU", host_uuid="0000", sysinfo_xml=_SYSINFO)
    host.put(
        domain_xml("rare", _CONSOLES, rest="<cputune><quota>50000</quota><period>100000</period></cputune>"),
        active=True,
        state_changed=datetime(2026, 1, 1, tzinfo=UTC),
    )
    templates = [
        template
        for each in PLATFORMS
        for pool in pools_of(corpus.site, each)
        for template in templates_of(pool)
    ]
    return [*corpus.everything(), *Served([(platform("KVM"), host)]).everything(), *templates]


def test_instances_agree_with_their_class(everything: list[Instance], classes: ClassStore) -> None:
    for instance in everything:
        declared = classes[instance.class_name]
        assert tuple(instance.keys()) == declared.keys
        values = instance.properties()
        keys = instance.keys()
        assert {name: values[name] for name in keys} == keys
        for name, value in values.items():
            declaration = declared.properties[name.lower()]
            assert declaration.name == name
            assert isinstance(value, list | tuple) == declaration.is_array, (instance, name)
            for item in value if declaration.is_array else [value]:
                check_value(instance, name, item, declaration)


def check_value(instance: Instance, name: str, value: Any, declaration: Any) -> None:
    """One value against the type and the qualifiers of its property."""
    where = (instance, name, value)
    number: int = value if isinstance(value, int) else 0
    assert type(value) is _TYPES[declaration.type], where
    if declaration.type.startswith("uint"):
        assert 0 <= number < 2 ** int(declaration.type[4:]), where
    longest = declaration.qualifiers.get("maxlen")
    is_key = declaration.is_key
    if longest is not None and isinstance(value, str) and not is_key:
        assert len(value) <= longest.value, where
    words = declaration.qualifiers.get("valuemap")
    if words is not None and not any(".." in word for word in words.value):
        assert str(value) in words.value, where


def test_no_two_instances_have_equal_keys(corpus: Served) -> None:
    keys = [(instance.class_name, *instance.keys().values()) for instance in corpus.everything()]
    assert len(keys) == len(set(keys))
    ids = [
        (instance.class_name.partition("_")[0], instance.identity)
        for instance in corpus.everything()
        if "SettingData" in instance.class_name
    ]
    assert len(ids) == len(set(ids))


def test_get_instance_finds_what_enumeration_shows(corpus: Served) -> None:
    for instance in corpus.everything():
        found = corpus.get(instance.class_name, **instance.keys())
        assert found.identity == instance.identity
        assert found.revision == instance.revision
        assert found.properties() == instance.properties()


def test_enumerating_again_gives_the_same_handles(corpus: Served) -> None:
    for class_name in ("KVM_ComputerSystem", "KVM_LogicalDisk", "KVM_NetResourceAllocationSettingData"):
        assert all(one is other for one, other in zip(
            corpus.instances(class_name), corpus.instances(class_name), strict=True))


def relations(served: Served) -> Iterable[Relation]:
    for association in served.catalog.associations["root/virt"]:
        assert isinstance(association, Relation)
        yield association


def test_associations_are_found_from_both_ends(corpus: Served, classes: ClassStore) -> None:
    counted = 0
    for relation in relations(corpus):
        for class_name in relation.class_names:
            references = [p for p in classes[class_name].properties.values() if p.type == "reference"]
            assert [reference.name for reference in references] == [relation.left.role, relation.right.role]
            for left in relation.sources(class_name, CONTEXT):
                assert left.class_name in relation.left.class_names
                for right in relation.to_right(left, CONTEXT):
                    counted += 1
                    assert right.class_name in relation.right.class_names
                    assert relation.class_name(left, right) == class_name
                    back = relation.to_left(right, CONTEXT)
                    assert any(found.keys() == left.keys() for found in back), (left, right)
                    for end, reference in ((left, references[0]), (right, references[1])):
                        assert classes.is_a(end.class_name, str(reference.reference_class))
    assert counted > 500


def test_right_ends_lead_back(corpus: Served) -> None:
    """What an element is associated with from the right reaches it from the left."""
    for relation in relations(corpus):
        for class_name in sorted(relation.right.class_names):
            for right in corpus.instances(class_name):
                for left in relation.to_left(right, CONTEXT):
                    found = [(other.class_name, other.identity) for other in relation.to_right(left, CONTEXT)]
                    assert (right.class_name, right.identity) in found, left


def test_every_device_and_setting_belongs_to_its_guest(corpus: Served) -> None:
    """SystemDevice reaches all devices, VirtualSystemSettingDataComponent all settings."""
    by_base = {relation.base: relation for relation in relations(corpus)}
    for base in ("SystemDevice", "VirtualSystemSettingDataComponent"):
        relation = by_base[base]
        for class_name in sorted(relation.right.class_names):
            for instance in corpus.instances(class_name):
                assert len(list(relation.to_left(instance, CONTEXT))) == 1


def test_every_declared_property_is_seen(corpus: Served, everything: list[Instance]) -> None:
    """A property that no recorded guest and nothing of its host has is one that nothing exercises."""
    seen: dict[str, set[str]] = {}
    for instance in everything:
        seen.setdefault(instance.class_name.partition("_")[2], set()).update(instance.properties())
    for provider in corpus.catalog.namespaces["root/virt"]:
        assert isinstance(provider, ElementProvider)
        if isinstance(provider, _EXERCISED):
            for base, table in provider.tables().items():
                assert set(table) - seen[base] == set(), base


def test_every_property_says_where_it_comes_from(corpus: Served) -> None:
    for provider in corpus.catalog.namespaces["root/virt"]:
        assert isinstance(provider, ElementProvider)
        for base, table in provider.tables().items():
            for name, declared in table.items():
                assert declared.source, (base, name)
                assert declared.name == name


def test_catalog_names_each_class_once(corpus: Served) -> None:
    names = [name for provider in corpus.catalog.namespaces["root/virt"] for name in provider.class_names]
    assert len(names) == len(set(names))
    assert set(names) <= set(corpus.catalog.namespace_of)
    assert set(corpus.catalog.namespaces) == set(corpus.catalog.associations) == {
        "root/virt", "root/interop", "root/cimv2"}

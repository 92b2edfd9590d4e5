"""The table, and what is written from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bed.classes import class_store
from virtcim.platforms.registry import load_platforms
from virtcim.providers.kinds import KINDS
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog, indication_classes
from virtcim.registration.formats import pegasus_mof, registration_lines, sfcb_stanzas
from virtcim.registration.mof import class_mof, closure, filled_parameters, qualifier_mof, quoted
from virtcim.registration.table import Table, make_table
from virtcim.schema.classes import ClassStore
from virtcim.schema.mof import load_class_store


@pytest.fixture(scope="module")
def classes() -> ClassStore:
    return class_store(["KVM", "Xen", "LXC", "Test"])


@pytest.fixture(scope="module")
def table(classes: ClassStore) -> Table:
    site = Site([], load_platforms(), KINDS)
    catalog = build_catalog(site)
    return make_table(catalog, classes, indication_classes(site, catalog))


def test_mof_says_all_that_the_store_knows(classes: ClassStore) -> None:
    """What is written and compiled again is what it was, and every class comes after those that it names."""
    names = closure(classes, list(classes))
    text = "".join(map(qualifier_mof, classes.qualifier_declarations.values()))
    text += "".join(class_mof(classes, name) for name in names)
    again = load_class_store([("all", text)], [], [], None)
    assert sorted(again) == sorted(classes)
    for name in classes:
        assert again[name] == classes[name]
    assert again.qualifier_declarations == classes.qualifier_declarations
    seen = set()
    for match in re.finditer(r'^class (\w+)(?: : (\w+))?|(\w+) REF |EmbeddedInstance\("(\w+)"\)', text, re.MULTILINE):
        name, superclass, referred, embedded = match.groups()
        if name:
            assert superclass is None or superclass in seen
            seen.add(name)
        else:
            # What a class names stands before it, or is the class itself, whose line comes first.
            assert (referred or embedded) in seen or embedded


def test_sfcb_sees_the_qualifiers_of_embedded_instances(classes: ClassStore) -> None:
    """It does not look for those of parameter n where the first parameter has less than n."""
    methods = [method for name in classes for method in classes[name].methods.values() if method.parameters]
    for method in methods:
        before = list(method.parameters.values())
        first, *others = filled_parameters(classes, before)
        assert others == before[1:]
        last = max((number for number, each in enumerate(before) if each.is_in and each.embedded_object), default=0)
        assert len(first.qualifiers) >= last, method.name
        said = before[0].qualifiers
        assert {name: each for name, each in first.qualifiers.items() if name in said} == said
        assert not any(each.value for name, each in first.qualifiers.items() if name not in said)
    text = class_mof(classes, "CIM_VirtualSystemSnapshotService", fill=True)
    assert "CreateSnapshot(\n      [Required(FALSE)]\n      CIM_ComputerSystem REF AffectedSystem" in text


def test_known_classes_are_left_out(classes: ClassStore) -> None:
    names = closure(classes, ["KVM_ComputerSystem"], {"cim_computersystem", "cim_system"})
    assert names[-2:] == ["Virt_ComputerSystem", "KVM_ComputerSystem"]
    assert "CIM_System" not in names


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ('a "b" \\ c\n', '"a \\"b\\" \\\\ c\\n"'),
        ("udp://host", '"udp:/" "/host"'),
        ("a/*b///c", '"a/" "*b/" "/" "/c"'),
    ],
)
def test_string_constants(text: str, constant: str) -> None:
    assert quoted(text) == constant


def test_the_table_is_that_of_the_catalog(table: Table, classes: ClassStore) -> None:
    entries = {(entry.class_name, entry.namespace): entry for entry in table.entries}
    assert len(entries) == len(table.entries)
    system = entries["KVM_ComputerSystem", "root/virt"]
    assert (system.provider, system.types) == ("Virt_ComputerSystem", ("instance", "method"))
    assert entries["Xen_LogicalDisk", "root/virt"].provider == "Virt_Device"
    device = entries["LXC_SystemDevice", "root/virt"]
    assert (device.provider, device.types) == ("Virt_Association", ("instance", "association"))
    assert table.provider_of("kvm_systemdevice") == "Virt_Association"
    raised = {name for (name, namespace), entry in entries.items() if entry.types == ("indication",)}
    assert raised >= {"CIM_InstCreation", "CIM_InstModification", "CIM_InstDeletion", "CIM_AlertIndication"}
    # Every class that libvirt-cim registered, for each platform.
    assert raised >= {
        f"{prefix}_{family}{ending}Indication"
        for prefix in ("KVM", "Xen", "LXC")
        for family in ("ComputerSystem", "ResourceAllocationSettingData", "ComputerSystemMigrationJob")
        for ending in ("Created", "Modified", "Deleted")
    }
    assert {table.provider_of(name) for name in raised} == {"Virt_Indication"}
    assert table.provider_of("CIM_Nothing") == ""
    for entry in table.entries:
        assert classes[entry.class_name].is_association == ("association" in entry.types)


def test_registration_files(table: Table) -> None:
    lines = registration_lines(table.entries).splitlines()
    assert lines[0].startswith("#")
    assert "KVM_ComputerSystem root/virt Virt_ComputerSystem virtcim instance method" in lines
    assert all("  " not in line and line == line.strip() for line in lines)


def test_sfcb_stanzas(table: Table) -> None:
    text = sfcb_stanzas(table.entries)
    stanza = (
        "[KVM_ComputerSystem]\n   provider: Virt_ComputerSystem\n   location: virtcim\n   type: instance method\n"
        "   namespace: root/virt\n#\n"
    )
    assert stanza in text
    heads = re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)
    assert len(heads) == len(set(heads)) == len({entry.class_name for entry in table.entries})


def test_pegasus_mof(table: Table) -> None:
    text = pegasus_mof(table.entries, "1.2.3")
    assert text.count("instance of PG_ProviderModule ") == 1
    assert text.count("instance of PG_Provider ") == len({entry.provider for entry in table.entries})
    identifiers = re.findall(r'CapabilityID = "(.*)"', text)
    assert len(identifiers) == len(set(identifiers)) == len(table.entries)
    assert 'ClassName = "KVM_SystemDevice";\n   ProviderType = { 2, 3 };' in text
    assert "ModuleGroupName" in text
    assert "ModuleGroupName" not in pegasus_mof(table.entries, "1.2.3", grouped=False)


def test_written_files_name_no_path_of_this_machine(table: Table) -> None:
    assert str(Path.cwd()) not in registration_lines(table.entries) + sfcb_stanzas(table.entries)

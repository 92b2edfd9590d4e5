"""The class store: inheritance, compared with pywbem's and by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pywbem
import pywbem_mock  # type: ignore[import-untyped]

from tests.bed.classes import class_store
from virtcim import mof, schema
from virtcim.schema.classes import ClassStore, LocalClass, Qualifier, QualifierDeclaration, SchemaError, pack

PREFIXES = ("KVM", "Xen", "LXC", "Test")

INSTANCE_CLASSES = (
    "ComputerSystem",
    "HostSystem",
    "VirtualSystemSettingData",
    "LogicalDisk",
    "NetworkPort",
    "Memory",
    "Processor",
    "DisplayController",
    "ConsoleDisplayController",
    "PointingDevice",
    "Controller",
    "ProcessorPool",
    "MemoryPool",
    "NetworkPool",
    "DiskPool",
    "GraphicsPool",
    "InputPool",
    "ControllerPool",
    "ResourceAllocationSettingData",
    "AudioResourceAllocationSettingData",
    "BalloonResourceAllocationSettingData",
    "HostDeviceResourceAllocationSettingData",
    "LeaseResourceAllocationSettingData",
    "MemoryModuleResourceAllocationSettingData",
    "PortResourceAllocationSettingData",
    "RNGResourceAllocationSettingData",
    "SharedMemoryResourceAllocationSettingData",
    "TPMResourceAllocationSettingData",
    "VideoResourceAllocationSettingData",
    "VsockResourceAllocationSettingData",
    "WatchdogResourceAllocationSettingData",
    "DiskResourceAllocationSettingData",
    "NetResourceAllocationSettingData",
    "ProcResourceAllocationSettingData",
    "MemResourceAllocationSettingData",
    "GraphicsResourceAllocationSettingData",
    "InputResourceAllocationSettingData",
    "ConsoleResourceAllocationSettingData",
    "ControllerResourceAllocationSettingData",
    "NetPoolResourceAllocationSettingData",
    "DiskPoolResourceAllocationSettingData",
    "StorageVolumeResourceAllocationSettingData",
    "CharacterResourceAllocationSettingData",
    "AllocationCapabilities",
    "EnabledLogicalElementCapabilities",
    "VirtualSystemManagementCapabilities",
    "VirtualSystemMigrationCapabilities",
    "VirtualSystemMigrationSettingData",
    "ResourcePoolConfigurationCapabilities",
    "VirtualSystemSnapshotServiceCapabilities",
    "ConsoleRedirectionServiceCapabilities",
    "VirtualSystemManagementService",
    "VirtualSystemMigrationService",
    "ResourcePoolConfigurationService",
    "VirtualSystemSnapshotService",
    "ConsoleRedirectionService",
    "SwitchService",
    "KVMRedirectionSAP",
    "MigrationJob",
    "FilterList",
    "FilterEntry",
    "Hdr8021Filter",
    "IPHeadersFilter",
    "RegisteredProfile",
)

ASSOCIATIONS = (
    "SystemDevice",
    "SettingsDefineState",
    "VirtualSystemSettingDataComponent",
    "ElementSettingData",
    "SettingsDefineCapabilities",
    "ElementCapabilities",
    "ElementAllocatedFromPool",
    "ResourceAllocationFromPool",
    "HostedResourcePool",
    "HostedDependency",
    "HostedService",
    "HostedAccessPoint",
    "ServiceAccessBySAP",
    "SAPAvailableForElement",
    "ServiceAffectsElement",
    "ConcreteComponent",
    "ElementConformsToProfile",
    "ReferencedProfile",
    "HostedFilterList",
    "EntriesInFilterList",
    "AppliedFilterList",
    "NestedFilterList",
)

INDICATIONS = [
    f"{what}{happened}Indication"
    for what in ("ComputerSystem", "ResourceAllocationSettingData", "ComputerSystemMigrationJob")
    for happened in ("Created", "Modified", "Deleted")
]


@pytest.fixture(scope="module")
def store() -> ClassStore:
    return class_store(PREFIXES)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], pywbem.CIMClass]:
    """Every class as pywbem's fake server resolves it, with KVM as the only platform.

    The server wants each class to be there before it is referred to, and finds what is missing in a file of its name.
    """
    directory = tmp_path_factory.mktemp("mof")
    connection = pywbem_mock.FakedWBEMConnection(default_namespace="root/oracle")
    (_, qualifiers), *sources = schema.texts()
    connection.compile_mof_string(qualifiers)
    platform = [(name, text.replace("Platform_", "KVM_")) for name, text in mof.templates()]
    names = []
    for _, text in [*sources, *mof.texts(), *platform]:
        for declaration in re.split(r"(?m)(?<=^};\n)", text):
            if match := re.search(r"(?m)^class (\w+)", declaration):
                names.append(match[1])
                (directory / f"{match[1]}.mof").write_text(declaration, encoding="utf-8")
    present = connection.cimrepository.get_class_store("root/oracle")
    for name in names:
        if not present.object_exists(name):
            connection.compile_mof_file(str(directory / f"{name}.mof"), search_paths=[str(directory)])
    return lambda name: connection.GetClass(name, LocalOnly=False, IncludeClassOrigin=True)


def plain(value: Any) -> Any:
    """A value of pywbem as the class store has it."""
    if isinstance(value, list):
        return tuple(plain(each) for each in value)
    return str(value) if isinstance(value, pywbem.CIMDateTime) else value


def expected_qualifiers(qualifiers: Mapping[str, pywbem.CIMQualifier], inherited: bool) -> dict[str, Any]:
    """pywbem hands down qualifiers with flavor Restricted too, DSP0004 does not."""
    return {
        name.lower(): (each.type, plain(each.value))
        for name, each in qualifiers.items()
        if not inherited or each.tosubclass is not False
    }


def held_qualifiers(qualifiers: Mapping[str, Qualifier]) -> dict[str, Any]:
    return {name: (each.type, each.value) for name, each in qualifiers.items()}


def expected_element(element: Any) -> tuple[Any, ...]:
    """The compiler leaves pywbem's own attribute for embedded objects unset, so this goes by the qualifiers."""
    embedded = element.qualifiers.get("EmbeddedInstance")
    return (
        element.name,
        element.type,
        bool(element.is_array),
        element.array_size,
        element.reference_class,
        "instance" if embedded else "object" if "EmbeddedObject" in element.qualifiers else None,
        embedded and embedded.value,
    )


def held_element(element: Any) -> tuple[Any, ...]:
    return (
        element.name,
        element.type,
        element.is_array,
        element.array_size,
        element.reference_class,
        element.embedded_object,
        element.embedded_class,
    )


def test_all_classes_are_as_pywbem_resolves_them(store: ClassStore, oracle: Callable[[str], pywbem.CIMClass]) -> None:
    compared = 0
    for name in store:
        if name.startswith(PREFIXES) and not name.startswith("KVM_"):
            continue
        held, expected = store[name], oracle(name)
        compared += 1
        assert (held.name, held.superclass) == (expected.classname, expected.superclass)
        for qualifier in expected.qualifiers.values():
            mine = held.qualifiers[qualifier.name.lower()]
            assert (mine.value, mine.propagated) == (plain(qualifier.value), False), (name, qualifier)

        assert set(held.properties) == {each.lower() for each in expected.properties}, name
        assert set(held.keys) == {each.name for each in expected.properties.values() if "Key" in each.qualifiers}
        for each in expected.properties.values():
            mine_property = held.properties[each.name.lower()]
            inherited = each.name not in held.local_properties
            assert held_element(mine_property) == expected_element(each), name
            assert mine_property.class_origin == each.class_origin, (name, each.name)
            assert mine_property.default == plain(each.value), (name, each.name)
            assert mine_property.propagated is inherited, (name, each.name)
            assert held_qualifiers(mine_property.qualifiers) == expected_qualifiers(each.qualifiers, inherited), name

        assert set(held.methods) == {each.lower() for each in expected.methods}, name
        for method in expected.methods.values():
            mine_method = held.methods[method.name.lower()]
            inherited = method.name not in held.local_methods
            assert mine_method.return_type == method.return_type
            assert mine_method.class_origin == method.class_origin
            assert mine_method.propagated is inherited
            assert held_qualifiers(mine_method.qualifiers) == expected_qualifiers(method.qualifiers, inherited), name
            assert list(mine_method.parameters) == [each.lower() for each in method.parameters]
            for parameter in method.parameters.values():
                mine_parameter = mine_method.parameters[parameter.name.lower()]
                assert held_element(mine_parameter) == expected_element(parameter)
                # An override takes qualifiers over from the parameter above, which pywbem does not do.
                taken_over = {key for key, each in mine_parameter.qualifiers.items() if each.propagated}
                held_here = held_qualifiers(mine_parameter.qualifiers)
                expected_here = expected_qualifiers(parameter.qualifiers, inherited)
                assert {key: held_here[key] for key in held_here if inherited or key not in taken_over} == expected_here
    assert compared > 380


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_class_of_a_platform_is_there(store: ClassStore, prefix: str) -> None:
    for base in INSTANCE_CLASSES:
        declaration = store[f"{prefix}_{base}"]
        assert not declaration.is_abstract
        assert not declaration.is_association
        assert declaration.keys, declaration.name
        assert "description" in declaration.qualifiers
    for base in ASSOCIATIONS:
        declaration = store[f"{prefix}_{base}"]
        assert declaration.is_association
        assert len([key for key in declaration.keys if declaration.properties[key.lower()].reference_class]) == 2
    for base in INDICATIONS:
        assert store[f"{prefix}_{base}"].is_indication


def test_own_properties_and_methods_are_described(store: ClassStore) -> None:
    for name in store:
        if not name.startswith("CIM_"):
            declaration = store[name]
            for local in declaration.local_properties:
                assert "description" in declaration.properties[local.lower()].qualifiers, f"{name}.{local}"
            for local in declaration.local_methods:
                assert "description" in declaration.methods[local.lower()].qualifiers, f"{name}.{local}"


def test_keys_are_in_the_order_in_which_they_became_keys(store: ClassStore) -> None:
    assert store["KVM_ComputerSystem"].keys == ("CreationClassName", "Name")
    device = ("SystemCreationClassName", "SystemName", "CreationClassName", "DeviceID")
    assert store["KVM_LogicalDisk"].keys == device
    service = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    assert store["KVM_VirtualSystemManagementService"].keys == service
    assert store["KVM_SystemDevice"].keys == ("GroupComponent", "PartComponent")


def test_a_superclass_has_the_classes_of_all_platforms(store: ClassStore) -> None:
    assert store.concrete("Virt_ComputerSystem") == {f"{each}_ComputerSystem" for each in ("Virt", *PREFIXES)}
    assert store.concrete("KVM_ResourceAllocationSettingData") < store.concrete("CIM_ResourceAllocationSettingData")
    assert "KVM_ConsoleResourceAllocationSettingData" in store.concrete("KVM_ResourceAllocationSettingData")
    assert store.concrete("No_Such") == frozenset()


def test_references_of_a_platform_name_its_own_classes(store: ClassStore) -> None:
    for prefix in PREFIXES:
        group = store[f"{prefix}_SystemDevice"].properties["groupcomponent"]
        assert group.reference_class == f"{prefix}_ComputerSystem"
        assert group.class_origin == "CIM_Component"
    assert "Platform_ComputerSystem" not in store


def test_names_are_found_in_any_case(store: ClassStore) -> None:
    declaration = store["kvm_COMPUTERSYSTEM"]
    assert declaration.name == "KVM_ComputerSystem"
    assert store.get("KVM_computersystem") is declaration
    assert "cim_system" in store
    assert store.get("No_Such") is None
    with pytest.raises(KeyError):
        store["No_Such"]


def test_the_tree_is_walked_up_and_down(store: ClassStore) -> None:
    line = ["Test_LogicalDisk", "Virt_LogicalDisk", "CIM_LogicalDisk", "CIM_StorageExtent", "CIM_LogicalDevice"]
    assert store.ancestors("test_logicaldisk")[:5] == line
    assert store.ancestors("test_logicaldisk")[-1] == "CIM_ManagedElement"
    assert store.is_a("Test_LogicalDisk", "cim_logicaldevice")
    assert store.is_a("Test_LogicalDisk", "Test_LogicalDisk")
    assert not store.is_a("CIM_LogicalDevice", "Test_LogicalDisk")
    assert not store.is_a("No_Such", "No_Such")
    assert "CIM_ManagedElement" in store.subclasses(None, deep=False)
    assert "CIM_System" not in store.subclasses(None, deep=False)
    assert sorted(store.subclasses(None, deep=True)) == sorted(store)
    assert store.subclasses("Virt_LogicalDisk", deep=False) == [f"{prefix}_LogicalDisk" for prefix in PREFIXES]
    with pytest.raises(KeyError):
        store.subclasses("No_Such", deep=True)


def test_what_a_leaf_class_takes_over_is_shared(store: ClassStore) -> None:
    assert store["KVM_LogicalDisk"].properties is store["Xen_LogicalDisk"].properties


def test_classes_that_are_not_asked_for_are_kept_compressed(store: ClassStore) -> None:
    packed = {id(each.text): each for each in store._local.values()}.values()
    plain = sum(len(json.dumps(each.declaration(), separators=(",", ":"))) for each in packed)
    assert plain > 400_000
    assert sum(len(each.text) for each in packed) < plain / 2


DECLARATIONS = (
    QualifierDeclaration("Key", "boolean", False, None, False, frozenset({"PROPERTY"}), overridable=False),
    QualifierDeclaration("Description", "string", False, None, None, frozenset({"PROPERTY"}), translatable=True),
    QualifierDeclaration("Deprecated", "string", True, None, None, frozenset({"PROPERTY"}), tosubclass=False),
    QualifierDeclaration("Abstract", "boolean", False, None, False, frozenset({"CLASS"}), tosubclass=False),
)


def small_store(base_qualifiers: list[Any], sub_qualifiers: list[Any] | None) -> ClassStore:
    """Two classes, one derived from the other, with a property P that has these qualifiers in each."""

    def local(name: str, superclass: str | None, qualifiers: list[Any] | None) -> LocalClass:
        held = [] if qualifiers is None else [{"name": "P", "type": "string", "qualifiers": qualifiers}]
        own = [["Abstract", True]] if superclass is None else []
        declaration = {"name": name, "superclass": superclass, "qualifiers": own, "properties": held, "methods": []}
        return LocalClass(name, superclass, pack(declaration))

    return ClassStore(DECLARATIONS, [local("A_Base", None, base_qualifiers), local("A_Sub", "A_Base", sub_qualifiers)])


def test_restricted_qualifiers_stay_where_they_are_declared() -> None:
    store = small_store([["Deprecated", ["x"]], ["Description", "base"]], None)
    assert store["A_Base"].properties["p"].qualifiers["deprecated"].value == ("x",)
    inherited = store["A_Sub"].properties["p"]
    assert set(inherited.qualifiers) == {"description"}
    assert inherited.qualifiers["description"].propagated
    assert inherited.qualifiers["description"].translatable
    assert store["A_Base"].is_abstract
    assert not store["A_Sub"].is_abstract


def test_an_override_declares_over_what_it_inherits() -> None:
    store = small_store([["Key", True], ["Description", "base"]], [["Description", "sub"]])
    override = store["A_Sub"].properties["p"]
    assert (override.propagated, override.class_origin, override.is_key) == (False, "A_Base", True)
    assert override.qualifiers["key"].propagated
    assert (override.qualifiers["description"].value, override.qualifiers["description"].propagated) == ("sub", False)
    assert store["A_Sub"].local_properties == ("P",)
    assert store["A_Sub"].keys == ("P",)


def test_flavors_given_with_a_value_replace_those_of_the_type() -> None:
    store = small_store([["Description", "base", False, False, True]], [])
    described = store["A_Base"].properties["p"].qualifiers["description"]
    assert (described.overridable, described.tosubclass, described.translatable) == (False, False, True)
    assert not store["A_Sub"].properties["p"].qualifiers


def test_disable_override_is_kept() -> None:
    assert small_store([["Key", True]], [["Key", True]])["A_Sub"].keys == ("P",)
    with pytest.raises(SchemaError, match=r"Key of A_Sub\.P"):
        small_store([["Key", True]], [["Key", False]])["A_Sub"]


def test_contradictions_are_found() -> None:
    local = LocalClass("A_Base", None, b"")
    with pytest.raises(SchemaError, match="declared twice"):
        ClassStore((), [local, LocalClass("a_base", None, b"")])
    with pytest.raises(SchemaError, match="A_Base of A_Sub is not declared before it"):
        ClassStore((), [LocalClass("A_Sub", "A_Base", b""), local])
    with pytest.raises(SchemaError, match="Qualifier Colour"):
        small_store([["Colour", "red"]], None)["A_Base"]


def test_mof_files_are_all_compiled() -> None:
    directory = Path(schema.__file__).parent
    assert sorted(path.name for path in directory.glob("*.mof")) == sorted(schema.FILES)

"""What is tolerated in embedded instances of the classes that are served."""

from __future__ import annotations

import pytest

from tests.bed.classes import class_store
from virtcim.cimom.tolerance import GENERAL, MISTAKEN, TOLERATED, refuse_unknown_properties
from virtcim.frontends.reading.raw import RawInstance, RawProperty
from virtcim.frontends.reading.typed import TypedReader
from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassStore


@pytest.fixture(scope="module")
def store() -> ClassStore:
    return class_store(["KVM", "LXC"])


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("KVM_VirtualSystemSettingData", "CreationClassName"),
        ("LXC_VirtualSystemSettingData", "isFullVirt"),
        ("KVM_VirtualSystemSettingData", "BootDevice"),
        ("KVM_VirtualSystemMigrationSettingData", "CreationClassName"),
        ("KVM_DiskResourceAllocationSettingData", "CreationClassName"),
        ("KVM_DiskResourceAllocationSettingData", "source"),
    ],
)
def test_what_is_tolerated(store: ClassStore, class_name: str, name: str) -> None:
    refuse_unknown_properties(store[class_name], [name], store.is_a)


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("KVM_VirtualSystemSettingData", "VirtualSystemIdentifer"),
        ("KVM_DiskResourceAllocationSettingData", "isFullVirt"),
        ("KVM_ComputerSystem", "BootDevice"),
    ],
)
def test_what_is_not(store: ClassStore, class_name: str, name: str) -> None:
    with pytest.raises(CIMError) as caught:
        refuse_unknown_properties(store[class_name], [name], store.is_a)
    assert caught.value.status is Status.INVALID_PARAMETER
    assert caught.value.description == f"{class_name} has no property {name}"


def test_the_lists_are_of_classes_that_are_there(store: ClassStore) -> None:
    assert all(name in store for name in (*TOLERATED, *GENERAL, *MISTAKEN, *MISTAKEN.values()))


def test_what_counts_as_not_given(store: ClassStore) -> None:
    def read(class_name: str) -> object:
        method = store["KVM_VirtualSystemSnapshotService"].methods["createsnapshot"]
        text = f"instance of {class_name} {{ }};"
        return TypedReader(store).method_parameters(method, (("SnapshotSettings", text),))

    assert read("KVM_VirtualSystemSnapshotServiceCapabilities") == {}
    with pytest.raises(CIMError, match="KVM_ComputerSystem is not a CIM_SettingData"):
        read("KVM_ComputerSystem")


def test_a_resource_of_the_class_above_has_what_the_class_of_its_kind_has(store: ClassStore) -> None:
    """ResourceType says what it is; so did clients before each kind had a class."""
    sent = {"ResourceType": "24", "videomemory": "16384", "Primary": "TRUE"}
    raw = RawInstance(
        "KVM_ResourceAllocationSettingData", tuple(RawProperty(name, value) for name, value in sent.items())
    )
    read = TypedReader(store).instance(raw)
    assert read.class_name == "KVM_ResourceAllocationSettingData"
    assert read.properties == {"ResourceType": 24, "VideoMemory": 16384, "Primary": True}


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("KVM_ResourceAllocationSettingData", "VideoMemry"),
        ("KVM_DiskResourceAllocationSettingData", "VideoMemory"),
        ("CIM_SettingData", "VideoMemory"),
    ],
)
def test_no_other_class_has_what_its_subclasses_have(store: ClassStore, class_name: str, name: str) -> None:
    with pytest.raises(CIMError, match=f"{class_name} has no property {name}"):
        TypedReader(store).instance(RawInstance(class_name, (RawProperty(name, "1"),)))


def test_what_resources_have_under_one_name_is_of_one_type(store: ClassStore) -> None:
    """Else a value of an instance of the class above could be read in two ways."""
    types: dict[str, tuple[str, bool]] = {}
    for class_name in store.subclasses("KVM_ResourceAllocationSettingData", deep=True):
        for name, declared in store[class_name].properties.items():
            own = declared.type, declared.is_array
            assert types.setdefault(name, own) == own, (class_name, name)

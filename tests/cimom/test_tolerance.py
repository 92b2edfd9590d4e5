"""What is tolerated in embedded instances of the classes that are served."""

from __future__ import annotations

import pytest

from virtcim import mof, schema
from virtcim.cimom.tolerance import TOLERATED, refuse_unknown_properties
from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassStore
from virtcim.schema.mof import load_class_store


@pytest.fixture(scope="module")
def store() -> ClassStore:
    return load_class_store([*schema.texts(), *mof.texts()], mof.templates(), ["KVM", "LXC"], None)


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("KVM_VirtualSystemSettingData", "CreationClassName"),
        ("LXC_VirtualSystemSettingData", "isFullVirt"),
        ("KVM_VirtualSystemSettingData", "BootDevice"),
        ("KVM_VirtualSystemMigrationSettingData", "CreationClassName"),
        ("KVM_DiskResourceAllocationSettingData", "CreationClassName"),
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


def test_the_list_is_of_classes_that_are_there(store: ClassStore) -> None:
    assert all(name in store for name in TOLERATED)

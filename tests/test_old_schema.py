"""The classes of the schema that libvirt-cim's clients were written for are still there, with what they declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bed.classes import class_store
from virtcim.schema.classes import ClassStore

ROOT = Path(__file__).parent.parent
OLD = ROOT / "tests" / "data" / "cim-2.17-experimental.txt"

LEFT_OUT = {
    "CIM_AttachedElement",
    "CIM_ImportedShare",
    "CIM_IndicationSubscriptionAlert",
    "CIM_MetricDefinition",
    "CIM_MountedElement",
    "CIM_NetworkAdapter",
    "CIM_OwningCollectionElement",
    "CIM_BaseMetricDefinition.Accuracy",
    "CIM_BaseMetricDefinition.AccuracyUnits",
    "CIM_BaseMetricDefinition.SampleInterval",
    "CIM_ElementSettingData.IsMaximum",
    "CIM_ElementSettingData.IsMinimum",
    "CIM_ElementSettingData.IsPending",
    "CIM_InstMethodCall.Error",
    "CIM_InstMethodCall.ReturnValueType",
    "CIM_SoftwareInstallationService.InstallFromByteStream",
}
"""What virtcim does not have; docs/compatibility.md says why."""


@dataclass
class OldClass:
    """A class as the old schema declares it; a type is `uint16`, `string[]` or `CIM_System REF`."""

    name: str
    superclass: str | None
    properties: dict[str, str] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)


def old_classes() -> Iterator[OldClass]:
    current: OldClass | None = None
    for line in OLD.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            if current:
                yield current
            name, _, superclass = line.partition(" : ")
            current = OldClass(name, superclass or None)
        elif line.endswith("()"):
            assert current
            current.methods.append(line.strip().removesuffix("()"))
        else:
            assert current
            name, cim_type = line.strip().split(" ", 1)
            current.properties[name] = cim_type
    if current:
        yield current


@pytest.fixture(scope="module")
def store() -> ClassStore:
    return class_store(["KVM"])


def test_every_class_and_property_is_there(store: ClassStore) -> None:
    """With the same type, below the same superclass; deprecated ones too."""
    missing, seen = set(), 0
    for old in old_classes():
        seen += 1 + len(old.properties)
        declaration = store.get(old.name)
        if declaration is None:
            missing.add(old.name)
            continue
        assert old.superclass is None or old.superclass in store.ancestors(old.name), old.name
        for name, cim_type in old.properties.items():
            held = declaration.properties.get(name.lower())
            if held is None:
                missing.add(f"{old.name}.{name}")
                continue
            held_type = f"{held.reference_class} REF" if held.reference_class else held.type + "[]" * held.is_array
            assert held_type == cim_type, f"{old.name}.{name}"
        missing.update(f"{old.name}.{name}" for name in old.methods if name.lower() not in declaration.methods)
    assert missing == LEFT_OUT
    assert seen > 590


def test_what_is_left_out_is_listed() -> None:
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## Classes of older schemas")
    names = {part for name in LEFT_OUT for part in name.removeprefix("CIM_").split(".")}
    assert {name for name in names if name not in section} == set()

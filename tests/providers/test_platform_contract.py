"""The built-in platforms keep the contract that plugins are held to."""

from __future__ import annotations

import pytest

from virtcim.platforms.base import Platform
from virtcim.platforms.fields import FieldType, Mode
from virtcim.platforms.forms import check_form, form_of
from virtcim.platforms.registry import load_platforms
from virtcim.testing import platform_suite

PLATFORMS = {platform.prefix: platform for platform in load_platforms(())}

for _platform in PLATFORMS.values():
    globals()[f"Test{_platform.prefix}"] = platform_suite(_platform)


def complaints(platform: Platform, mode: Mode, **values: str) -> list[str]:
    return list(check_form(platform, mode, {f"VirtualSystemSettingData.{name}": each for name, each in values.items()}))


def test_xen_shapes_its_form() -> None:
    own = {field.name: field for field in form_of(PLATFORMS["Xen"])}
    assert {"Bootloader", "Kernel", "Ramdisk", "CommandLine"} <= own.keys()
    assert "Bootloader" not in {field.name for field in form_of(PLATFORMS["KVM"])}
    assert own["Kernel"].type is FieldType.PATH
    assert own["Weight"].most == 65535


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"Bootloader": "pygrub"}, []),
        ({"Kernel": "/boot/vmlinuz", "Ramdisk": "/boot/initrd", "CommandLine": "ro"}, []),
        ({"Bootloader": "pygrub", "Kernel": "/boot/vmlinuz"}, ["Bootloader, Kernel"]),
        ({"Ramdisk": "/boot/initrd"}, ["Ramdisk"]),
        ({"BootDevices": "hd\nthe moon"}, ["Boot from"]),
        ({"UUID": "1"}, ["UUID"]),
        ({"Colour": "red"}, ["VirtualSystemSettingData.Colour"]),
    ],
)
def test_the_form_of_xen_is_looked_through(values: dict[str, str], said: list[str]) -> None:
    found = complaints(PLATFORMS["Xen"], Mode.DEFINITION, **values)
    assert [text.partition(":")[0] for text in found] == said


def test_what_cannot_be_changed_in_a_running_guest_is_refused_there() -> None:
    assert complaints(PLATFORMS["Xen"], Mode.RUNNING, Kernel="/boot/vmlinuz") == ["Kernel: cannot be edited here"]


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "٣"])
def test_numbers_are_held_to_their_bounds(value: str) -> None:
    key = "ProcResourceAllocationSettingData.VirtualQuantity"
    (text,) = check_form(PLATFORMS["KVM"], Mode.RUNNING, {key: value})
    assert text.startswith("Processors: ")

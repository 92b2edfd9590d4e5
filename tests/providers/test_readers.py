"""Reading the values that a client sends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from virtcim.providers.interface import CIMError, CIMValue, InstancePath, Status
from virtcim.providers.values import number_of, paths_of, text_of
from virtcim.providers.Virt_ResourcePoolConfigurationService.settings import GivenProperties, SettingsError

PATH = InstancePath("KVM_DiskPool", {"InstanceID": "DiskPool/images"})


def test_readers_give_what_they_are_for() -> None:
    assert text_of("", "File") == ""
    assert number_of(0, "Offset") == 0
    assert paths_of((PATH, None), "ParentPool") == [PATH]


def test_null_is_nothing() -> None:
    assert text_of(None, "File") is None
    assert number_of(None, "Offset") is None
    assert list(paths_of(None, "ParentPool")) == []


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (text_of, 1),
        (text_of, ["a"]),
        (number_of, True),
        (number_of, 1.0),
        (number_of, "1"),
        (number_of, timedelta(1)),
        (paths_of, PATH),
        (paths_of, "images"),
        (paths_of, [PATH, "images"]),
    ],
)
def test_other_values_are_refused(read: Callable[[CIMValue, str], object], value: CIMValue) -> None:
    with pytest.raises(CIMError, match=r"`Given': is .*; expected ") as refused:
        read(value, "Given")
    assert refused.value.status is Status.INVALID_PARAMETER


@pytest.mark.parametrize("value", ["a", 1, ["a", 1]])
def test_settings_refuse_what_is_no_array_of_strings(value: CIMValue) -> None:
    with pytest.raises(SettingsError, match="DevicePaths"):
        GivenProperties({"DevicePaths": value}).texts("DevicePaths")


@pytest.mark.parametrize("value", ["1", True, [1]])
def test_settings_refuse_what_is_no_integer(value: CIMValue) -> None:
    with pytest.raises(SettingsError, match="Capacity"):
        GivenProperties({"Capacity": value}).number("Capacity")

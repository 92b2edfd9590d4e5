"""What counts as the value that was asked for, however libvirt spells it."""

from __future__ import annotations

from typing import Any

import pytest

from virtcim.libhelper.documents.domain.agreement import differing_fields, is_kept
from virtcim.libhelper.documents.domain.domain import DomainConfig
from virtcim.libhelper.documents.domain.guest import VcpuPin


@pytest.mark.parametrize(
    ("name", "before", "requested", "actual", "agrees"),
    [
        ("vcpu_cpuset", None, "0-3,^2", "0-1,3", True),
        ("vcpu_cpuset", None, "0-3", "0-1,3", False),
        ("mac_address", None, "52:54:00:AA:00:01", "52:54:00:aa:00:01", True),
        ("os_type_machine", "pc-q35-9.0", "q35", "pc-q35-9.2", True),
        ("os_type_machine", "pc-q35-9.0", "pc", "pc-q35-9.0", False),
        ("address", {}, {"type": "pci", "slot": "0x5"}, {"type": "pci", "slot": "0x05", "bus": "0x00"}, True),
        ("address", {}, {"type": "pci", "slot": "0x5"}, {"type": "pci", "slot": "0x06"}, False),
        ("target_dev", None, "vnet5", None, False),
        ("target_dev", "tap0", "vnet5", None, False),
        ("driver_cache", "none", None, None, True),
        ("driver_name", "qemu", None, "qemu", False),
        ("model_type", "virtio", None, "rtl8139", True),
        ("cputune_quota", 1000, 0, None, True),
        ("readonly", True, False, True, False),
        ("os_boot_devs", ("hd",), ("network", "hd"), ("network", "hd"), True),
        ("os_boot_devs", ("hd",), ("network",), ("hd", "network"), False),
        ("port", 5901, -1, None, True),
        ("port", 5901, -1, 5901, False),
        ("pins", (), (VcpuPin(vcpu=1, cpuset="0"),), (), False),
    ],
)
def test_values(name: str, before: Any, requested: Any, actual: Any, agrees: bool) -> None:
    assert is_kept(name, before, requested, actual) is agrees


def test_fields_that_are_never_held_are_not_compared() -> None:
    requested = DomainConfig(title="one", vcpu=2)
    assert differing_fields(["title", "vcpu"], DomainConfig(), requested, DomainConfig(title="one", vcpu=1)) == ["vcpu"]

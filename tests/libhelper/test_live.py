"""The steps that change a running domain."""

from __future__ import annotations

from typing import Any, cast

import libvirt
import pytest

from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.domain import DomainConfig, DomainDocument
from virtcim.libhelper.domains import live
from virtcim.libhelper.domains.live import device_steps, domain_steps
from virtcim.libhelper.errors import LibvirtError


class Recorder:
    """Takes the place of a running domain with control groups, which no driver has everywhere."""

    def __init__(self, **parameters: int) -> None:
        self.held: dict[str, int] = parameters
        self.calls: list[dict[str, int]] = []

    def memoryParameters(self, flags: int) -> dict[str, int]:
        assert flags == libvirt.VIR_DOMAIN_AFFECT_LIVE
        return self.held

    def setMemoryParameters(self, values: dict[str, int], flags: int) -> int:
        self.calls.append(dict(values))
        return 0


def test_a_limit_of_the_memory_that_goes_is_unlimited() -> None:
    before, after = DomainConfig(memtune_hard_limit=4096), DomainConfig()
    (step,) = domain_steps(cast(Context, None), before, after)
    domain = Recorder(hard_limit=4096, soft_limit=1)
    step.do(cast(Any, domain))
    assert step.undo is not None
    step.undo(cast(Any, domain))
    assert domain.calls == [{"hard_limit": (1 << 53) - 1}, {"hard_limit": 4096}]


class Drive:
    """Takes the place of a running domain whose drive is reset by its firmware, which happens now and then only."""

    def __init__(self, *refusals: str) -> None:
        self.refusals = list(refusals)
        self.held: list[str] = []

    def updateDeviceFlags(self, xml: str, flags: int) -> int:
        assert flags == libvirt.VIR_DOMAIN_AFFECT_LIVE
        if self.refusals:
            raise libvirt.libvirtError(self.refusals.pop(0))
        self.held.append(xml)
        return 0


def change_medium(drive: Drive) -> None:
    document = DomainDocument(
        "<domain><devices><disk type='file' device='cdrom'><source file='/a.iso'/><target dev='hdc'/></disk></devices>"
        "</domain>"
    )
    (step,) = device_steps(document, document.devices[0], {"source_file": "/b.iso"})
    step.do(cast(Any, drive))


MOVED = "internal error: unable to execute QEMU command 'blockdev-remove-medium': Tray of device 'ide0-1-0' is not open"


def test_a_medium_is_changed_when_its_tray_has_moved() -> None:
    drive = Drive(MOVED, MOVED)
    change_medium(drive)
    (held,) = drive.held
    assert "/b.iso" in held


def test_who_has_lost_a_tray_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_TRAY_TIMEOUT", 0.05)
    drive = Drive(*[MOVED] * 1000)
    with pytest.raises(LibvirtError, match=r"Tray of device .* reset the guest"):
        change_medium(drive)
    assert not drive.held


def test_what_else_is_refused_is_not_tried_again() -> None:
    drive = Drive("no such image", MOVED)
    with pytest.raises(libvirt.libvirtError, match="no such image"):
        change_medium(drive)
    assert drive.refusals == [MOVED]

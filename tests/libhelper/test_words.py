"""libvirt's numbers as words: the enumerations are libvirt's, and errors say what they mean."""

from __future__ import annotations

import enum

import libvirt
import pytest

from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.states import (
    CrashedReason,
    DomainState,
    PausedReason,
    RunningReason,
    ShutdownReason,
    ShutoffReason,
    reason_of,
)
from virtcim.libhelper.storage import WipeAlgorithm


@pytest.mark.parametrize(
    ("words", "prefix"),
    [
        (DomainState, "VIR_DOMAIN_"),
        (RunningReason, "VIR_DOMAIN_RUNNING_"),
        (PausedReason, "VIR_DOMAIN_PAUSED_"),
        (ShutdownReason, "VIR_DOMAIN_SHUTDOWN_"),
        (ShutoffReason, "VIR_DOMAIN_SHUTOFF_"),
        (CrashedReason, "VIR_DOMAIN_CRASHED_"),
        (WipeAlgorithm, "VIR_STORAGE_VOL_WIPE_ALG_"),
    ],
)
def test_the_numbers_are_those_of_libvirt(words: type[enum.IntEnum], prefix: str) -> None:
    known = {word.name: getattr(libvirt, prefix + word.name) for word in words if hasattr(libvirt, prefix + word.name)}
    assert known
    assert {word.name: int(word) for word in words if word.name in known} == known


def test_reasons() -> None:
    assert reason_of(DomainState.PAUSED, 11) is PausedReason.STARTING_UP
    assert reason_of(DomainState.SHUTOFF, 3) is ShutoffReason.CRASHED
    assert reason_of(DomainState.PAUSED, 999) == 999
    assert reason_of(DomainState.PMSUSPENDED, 1) == 1


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (libvirt.VIR_ERR_ACCESS_DENIED, "", {"is_denied"}),
        (libvirt.VIR_ERR_AUTH_FAILED, "", {"is_denied"}),
        (libvirt.VIR_ERR_OPERATION_DENIED, "", {"is_denied"}),
        (libvirt.VIR_ERR_NO_DOMAIN, "", {"is_gone", "is_guest_gone", "is_no_domain"}),
        (libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, "", {"is_gone", "is_guest_gone"}),
        (libvirt.VIR_ERR_NO_STORAGE_VOL, "", {"is_gone"}),
        (libvirt.VIR_ERR_RESOURCE_BUSY, "", {"is_busy"}),
        (libvirt.VIR_ERR_OPERATION_TIMEOUT, "Timed out: cannot acquire state change lock", {"is_busy", "is_timeout"}),
        (libvirt.VIR_ERR_OPERATION_TIMEOUT, "no answer", {"is_timeout"}),
        (libvirt.VIR_ERR_NO_SUPPORT, "", {"is_no_call", "is_unsupported", "is_unsupported_call"}),
        (libvirt.VIR_ERR_CONFIG_UNSUPPORTED, "", {"is_unsupported"}),
        (libvirt.VIR_ERR_OPERATION_INVALID, "", {"is_invalid_state"}),
        (0, "", set()),
    ],
)
def test_errors_say_what_they_mean(code: int, message: str, words: set[str]) -> None:
    error = LibvirtError(message, code)
    said = {name for name in dir(LibvirtError) if name.startswith("is_") and getattr(error, name)}
    assert said == words


def test_an_error_with_another_text() -> None:
    error = LibvirtError("old", libvirt.VIR_ERR_NO_DOMAIN, 7, libvirt.VIR_ERR_WARNING).saying("new")
    assert (error.message, error.code, error.domain, error.is_warning) == ("new", libvirt.VIR_ERR_NO_DOMAIN, 7, True)

"""libvirt's states in the words of the DMTF, and which requests each allows (DSP1057)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.recorded import Served, domain_xml, hypervisor, platform, served
from virtcim.libhelper.states import DomainState
from virtcim.platforms.base import Feature
from virtcim.providers.states import RequestedState
from virtcim.providers.Virt_ComputerSystem.transitions import is_supported

RUNNING = [3, 4, 6, 9, 10, 11]
PAUSED = [2, 3, 6, 11]

#: state, reason, further attributes: EnabledState, OperationalStatus, HealthState, OperatingStatus, requests
TABLE: list[tuple[DomainState, int, dict[str, Any], tuple[int, int, int, int], list[int]]] = [
    (DomainState.SHUTOFF, 0, {}, (3, 10, 5, 5), [2]),
    (DomainState.SHUTOFF, 3, {}, (3, 6, 25, 6), [2]),
    (DomainState.SHUTOFF, 0, {"has_managed_save": True}, (6, 15, 5, 7), [2, 3]),
    (DomainState.RUNNING, 1, {}, (2, 2, 5, 16), RUNNING),
    (DomainState.BLOCKED, 0, {}, (2, 2, 5, 16), RUNNING),
    (DomainState.RUNNING, 10, {}, (2, 19, 5, 11), RUNNING),
    (DomainState.PAUSED, 1, {}, (9, 2, 5, 7), PAUSED),
    (DomainState.PAUSED, 2, {}, (9, 19, 5, 9), PAUSED),
    (DomainState.PAUSED, 3, {}, (9, 2, 5, 15), PAUSED),
    (DomainState.PAUSED, 5, {}, (9, 6, 25, 7), PAUSED),
    (DomainState.PAUSED, 8, {}, (4, 9, 5, 13), PAUSED),
    (DomainState.PAUSED, 9, {}, (9, 2, 5, 12), PAUSED),
    (DomainState.PAUSED, 10, {}, (9, 6, 25, 6), PAUSED),
    (DomainState.PAUSED, 11, {}, (10, 8, 5, 3), PAUSED),
    (DomainState.PAUSED, 12, {}, (9, 19, 5, 10), PAUSED),
    (DomainState.SHUTDOWN, 1, {}, (4, 9, 5, 13), [3]),
    (DomainState.CRASHED, 1, {}, (3, 6, 25, 6), [3, 11]),
    (DomainState.CRASHED, 1, {"active": False}, (3, 6, 25, 6), [2]),
    (DomainState.PMSUSPENDED, 0, {}, (6, 15, 5, 7), [2, 3]),
    (DomainState.NOSTATE, 0, {}, (0, 12, 0, 0), []),
    (DomainState.RUNNING, 1, {"contact": False}, (0, 12, 0, 0), []),
    (DomainState.RUNNING, 1, {"persistent": False}, (2, 2, 5, 16), [3, 4, 9, 10, 11]),
]


@pytest.mark.parametrize(("state", "reason", "changes", "expected", "requests"), TABLE)
def test_states(
    state: DomainState, reason: int, changes: dict[str, Any], expected: tuple[int, ...], requests: list[int]
) -> None:
    active = state is not DomainState.SHUTOFF
    attributes = {"active": active, "state": state, "reason": reason, **changes}
    values = served("KVM", domain_xml("g"), **attributes).guest("g")
    assert (
        values["EnabledState"],
        *values["OperationalStatus"],
        values["HealthState"],
        values["OperatingStatus"],
    ) == expected
    assert values["AvailableRequestedStates"] == requests


def test_xen_guests_without_state_run() -> None:
    values = served("Xen", domain_xml("g"), active=True, state=DomainState.NOSTATE).guest("g", "Xen")
    assert values["EnabledState"] == 2
    assert 3 in values["AvailableRequestedStates"]


def test_read_only_connections_offer_nothing() -> None:
    host = hypervisor()
    host.read_only = True
    host.put(domain_xml("g"))
    assert Served([(platform("KVM"), host)]).guest("g")["AvailableRequestedStates"] == []


def test_transient_guests_have_no_default_state() -> None:
    values = served("KVM", domain_xml("g"), active=True, persistent=False).guest("g")
    assert "EnabledDefault" not in values


def test_platforms_differ_in_what_they_support() -> None:
    lxc, xen = platform("LXC"), platform("Xen")
    assert not is_supported(RequestedState.OFFLINE, lxc, True)
    assert is_supported(RequestedState.RESET, lxc, True)
    assert not is_supported(RequestedState.RESET, xen, False)
    assert not is_supported(RequestedState.TEST, platform("KVM"), True)
    assert not lxc.supports(Feature.RESET)

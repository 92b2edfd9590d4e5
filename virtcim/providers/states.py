"""The state of a guest in the words of the DMTF (DSP1057; CIM_EnabledLogicalElement, CIM_ManagedSystemElement)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.states import DomainState, PausedReason, RunningReason, ShutoffReason

if TYPE_CHECKING:
    from virtcim.libhelper.inventory.records import Domain
    from virtcim.platforms.base import Platform

__all__ = [
    "EnabledState",
    "HealthState",
    "OperatingStatus",
    "OperationalStatus",
    "RequestedState",
    "StateChangeCode",
    "SystemState",
    "system_state",
]


class EnabledState(enum.IntEnum):
    """CIM_EnabledLogicalElement.EnabledState."""

    UNKNOWN = 0
    OTHER = 1
    ENABLED = 2
    DISABLED = 3
    SHUTTING_DOWN = 4
    NOT_APPLICABLE = 5
    ENABLED_BUT_OFFLINE = 6
    IN_TEST = 7
    DEFERRED = 8
    QUIESCE = 9
    STARTING = 10


class RequestedState(enum.IntEnum):
    """CIM_EnabledLogicalElement.RequestedState, and the parameter of RequestStateChange."""

    UNKNOWN = 0
    ENABLED = 2
    DISABLED = 3
    SHUT_DOWN = 4
    NO_CHANGE = 5
    OFFLINE = 6
    TEST = 7
    DEFER = 8
    QUIESCE = 9
    REBOOT = 10
    RESET = 11
    NOT_APPLICABLE = 12


class HealthState(enum.IntEnum):
    """CIM_ManagedSystemElement.HealthState."""

    UNKNOWN = 0
    OK = 5
    CRITICAL_FAILURE = 25


class OperationalStatus(enum.IntEnum):
    """CIM_ManagedSystemElement.OperationalStatus."""

    OK = 2
    ERROR = 6
    STARTING = 8
    STOPPING = 9
    STOPPED = 10
    NO_CONTACT = 12
    DORMANT = 15
    COMPLETED = 17
    RELOCATING = 19


class OperatingStatus(enum.IntEnum):
    """CIM_ManagedSystemElement.OperatingStatus."""

    UNKNOWN = 0
    STARTING = 3
    STOPPED = 5
    ABORTED = 6
    DORMANT = 7
    MIGRATING = 9
    EMIGRATING = 10
    IMMIGRATING = 11
    SNAPSHOTTING = 12
    SHUTTING_DOWN = 13
    TRANSITIONING = 15
    IN_SERVICE = 16


class StateChangeCode(enum.IntEnum):
    """The return codes of RequestStateChange (CIM_EnabledLogicalElement, CIM_ConcreteJob)."""

    COMPLETED = 0
    NOT_SUPPORTED = 1
    NO_TIME = 3
    FAILED = 4
    INVALID_PARAMETER = 5
    JOB_STARTED = 4096
    INVALID_STATE_TRANSITION = 4097
    BUSY = 4099


@immutable
class SystemState:
    """The state properties of a guest, as they go together: plain numbers, made from the enumerations above."""

    enabled: int
    operational: int
    health: int
    operating: int

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, int(getattr(self, each.name)))


ACTIVE = SystemState(EnabledState.ENABLED, OperationalStatus.OK, HealthState.OK, OperatingStatus.IN_SERVICE)
PAUSED = SystemState(EnabledState.QUIESCE, OperationalStatus.OK, HealthState.OK, OperatingStatus.DORMANT)
DEFINED = SystemState(EnabledState.DISABLED, OperationalStatus.STOPPED, HealthState.OK, OperatingStatus.STOPPED)
SUSPENDED = SystemState(
    EnabledState.ENABLED_BUT_OFFLINE, OperationalStatus.DORMANT, HealthState.OK, OperatingStatus.DORMANT
)
STARTING = SystemState(EnabledState.STARTING, OperationalStatus.STARTING, HealthState.OK, OperatingStatus.STARTING)
SHUTTING_DOWN = SystemState(
    EnabledState.SHUTTING_DOWN, OperationalStatus.STOPPING, HealthState.OK, OperatingStatus.SHUTTING_DOWN
)
CRASHED = SystemState(
    EnabledState.DISABLED, OperationalStatus.ERROR, HealthState.CRITICAL_FAILURE, OperatingStatus.ABORTED
)
UNKNOWN = SystemState(EnabledState.UNKNOWN, OperationalStatus.NO_CONTACT, HealthState.UNKNOWN, OperatingStatus.UNKNOWN)
_PAUSED_BY_ERROR = replace(PAUSED, operational=OperationalStatus.ERROR, health=HealthState.CRITICAL_FAILURE)

_BY_STATE: Mapping[DomainState, SystemState] = {
    DomainState.NOSTATE: UNKNOWN,
    DomainState.RUNNING: ACTIVE,
    DomainState.BLOCKED: ACTIVE,
    DomainState.PAUSED: PAUSED,
    DomainState.SHUTDOWN: SHUTTING_DOWN,
    DomainState.SHUTOFF: DEFINED,
    DomainState.CRASHED: CRASHED,
    DomainState.PMSUSPENDED: SUSPENDED,
}

_BY_REASON: Mapping[tuple[DomainState, int], SystemState] = {
    (DomainState.RUNNING, RunningReason.POSTCOPY): replace(
        ACTIVE, operational=OperationalStatus.RELOCATING, operating=OperatingStatus.IMMIGRATING
    ),
    (DomainState.PAUSED, PausedReason.MIGRATION): replace(
        PAUSED, operational=OperationalStatus.RELOCATING, operating=OperatingStatus.MIGRATING
    ),
    (DomainState.PAUSED, PausedReason.SAVE): replace(PAUSED, operating=OperatingStatus.TRANSITIONING),
    (DomainState.PAUSED, PausedReason.IOERROR): _PAUSED_BY_ERROR,
    (DomainState.PAUSED, PausedReason.SHUTTING_DOWN): SHUTTING_DOWN,
    (DomainState.PAUSED, PausedReason.SNAPSHOT): replace(PAUSED, operating=OperatingStatus.SNAPSHOTTING),
    (DomainState.PAUSED, PausedReason.CRASHED): replace(_PAUSED_BY_ERROR, operating=OperatingStatus.ABORTED),
    (DomainState.PAUSED, PausedReason.STARTING_UP): STARTING,
    (DomainState.PAUSED, PausedReason.POSTCOPY): replace(
        PAUSED, operational=OperationalStatus.RELOCATING, operating=OperatingStatus.EMIGRATING
    ),
    (DomainState.PAUSED, PausedReason.POSTCOPY_FAILED): _PAUSED_BY_ERROR,
    (DomainState.SHUTOFF, ShutoffReason.CRASHED): CRASHED,
}


def system_state(domain: Domain, platform: Platform) -> SystemState:
    """The state of a guest; all unknown while there is no contact with its hypervisor."""
    if not domain.contact:
        return UNKNOWN
    state = domain.state
    if state is DomainState.SHUTOFF and domain.has_managed_save:
        return SUSPENDED
    if state is DomainState.NOSTATE and domain.active and platform.no_state_is_running:
        return ACTIVE
    shown = _BY_REASON.get((state, domain.reason)) or _BY_STATE[state]
    if domain.relocating:
        return replace(shown, operational=OperationalStatus.RELOCATING, operating=OperatingStatus.EMIGRATING)
    return shown

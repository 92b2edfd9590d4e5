"""The states of domains and the reasons for them, with libvirt's numbers.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

__all__ = [
    "CrashedReason",
    "DomainState",
    "PausedReason",
    "RunningReason",
    "ShutdownReason",
    "ShutoffReason",
    "reason_of",
]


class DomainState(enum.IntEnum):
    """The state of a domain (`virDomainState`)."""

    NOSTATE = 0
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    PMSUSPENDED = 7

    @classmethod
    def _missing_(cls, value: object) -> DomainState:
        """A state of a later libvirt is shown as no state."""
        return cls.NOSTATE


class RunningReason(enum.IntEnum):
    """Why a domain runs (`virDomainRunningReason`)."""

    UNKNOWN = 0
    BOOTED = 1
    MIGRATED = 2
    RESTORED = 3
    FROM_SNAPSHOT = 4
    UNPAUSED = 5
    MIGRATION_CANCELED = 6
    SAVE_CANCELED = 7
    WAKEUP = 8
    CRASHED = 9
    POSTCOPY = 10
    POSTCOPY_FAILED = 11


class PausedReason(enum.IntEnum):
    """Why a domain is paused (`virDomainPausedReason`)."""

    UNKNOWN = 0
    USER = 1
    MIGRATION = 2
    SAVE = 3
    DUMP = 4
    IOERROR = 5
    WATCHDOG = 6
    FROM_SNAPSHOT = 7
    SHUTTING_DOWN = 8
    SNAPSHOT = 9
    CRASHED = 10
    STARTING_UP = 11
    """There is a process, and libvirt has not let it run yet."""
    POSTCOPY = 12
    POSTCOPY_FAILED = 13
    API_ERROR = 14


class ShutdownReason(enum.IntEnum):
    """Why a domain is shutting down (`virDomainShutdownReason`)."""

    UNKNOWN = 0
    USER = 1


class ShutoffReason(enum.IntEnum):
    """Why a domain does not run (`virDomainShutoffReason`)."""

    UNKNOWN = 0
    SHUTDOWN = 1
    DESTROYED = 2
    CRASHED = 3
    MIGRATED = 4
    SAVED = 5
    FAILED = 6
    FROM_SNAPSHOT = 7
    DAEMON = 8


class CrashedReason(enum.IntEnum):
    """Why a domain has crashed (`virDomainCrashedReason`)."""

    UNKNOWN = 0
    PANICKED = 1


_REASONS: Mapping[DomainState, type[enum.IntEnum]] = {
    DomainState.RUNNING: RunningReason,
    DomainState.PAUSED: PausedReason,
    DomainState.SHUTDOWN: ShutdownReason,
    DomainState.SHUTOFF: ShutoffReason,
    DomainState.CRASHED: CrashedReason,
}


def reason_of(state: DomainState, number: int) -> int:
    """The reason for a state, as a member of the enumeration that belongs to the state.

    Parameters:
        number: libvirt's number.

    Returns:
        the number itself where there is no such enumeration, or no such reason in it.
    """
    reasons = _REASONS.get(state)
    try:
        return number if reasons is None else reasons(number)
    except ValueError:
        return number

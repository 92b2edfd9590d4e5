"""What is known of a job, as a plain value that is replaced when the job changes, and which the store keeps.

Layer rule: imports `providers.interface` and nothing else of this project.
"""

from __future__ import annotations

import enum
from dataclasses import field
from datetime import datetime, timedelta

from virtcim.immutable import immutable
from virtcim.providers.interface import (
    CIMValue,
    InstancePath,
    Parameters,
)

__all__ = ["FINAL", "Affected", "Effect", "JobError", "JobRecord", "JobState"]


class JobState(enum.IntEnum):
    """CIM_ConcreteJob.JobState."""

    NEW = 2
    RUNNING = 4
    SUSPENDED = 5
    SHUTTING_DOWN = 6
    COMPLETED = 7
    TERMINATED = 8
    KILLED = 9
    EXCEPTION = 10


LOCAL_NAMESPACE = "root/virt"
"""Where jobs live unless they say otherwise: those of the local node, and all of before there were others."""

FINAL = frozenset({JobState.COMPLETED, JobState.TERMINATED, JobState.KILLED, JobState.EXCEPTION})
"""The states in which the work is over."""


class Effect(enum.IntEnum):
    """CIM_AffectedJobElement.ElementEffects."""

    EXCLUSIVE_USE = 2
    PERFORMANCE_IMPACT = 3
    ELEMENT_INTEGRITY = 4
    CREATE = 5


@immutable
class Affected:
    """An element that a job acts upon or has made."""

    element: InstancePath
    effects: tuple[int, ...]


@immutable
class JobError:
    """Why a job failed.

    Attributes:
        message: for people.
        status: the CIM status code.
        libvirt_code: libvirt's error number; None where libvirt has no part in it.
        libvirt_domain, libvirt_level: which part of libvirt it was, and how grave (`VIR_FROM_*`, `VIR_ERR_*`).
    """

    message: str
    status: int
    libvirt_code: int | None = None
    libvirt_domain: int | None = None
    libvirt_level: int | None = None


@immutable
class JobRecord:
    """A job.

    Attributes:
        instance_id: the key.
        prefix: of the platform whose class it belongs to.
        base: the name of its class without the prefix.
        name: what it does, for people.
        method: the method whose work it is.
        principal: the user who called.
        owner: the service; None where there is none.
        state: how far it is.
        submitted, started, ended, changed: when it was made, began, ended and last changed its state.
        affected: what it acts upon, and what it has made.
        percent: how far it was when it was last written down.
        return_value, out: what the method gave back; nothing before the end.
        errors: why it failed.
        left: what stands if the server is ended now, in words.
        figures: what else was known of how the work went on, when it was last written down.
        delete_on_completion: whether it is removed some time after its end.
        time_before_removal: how long after.
        namespace: where it lives, which is that of its service.
        parent: the InstanceID of the job whose work began it; "" where no job did.
    """

    instance_id: str
    prefix: str
    base: str
    name: str
    method: str
    principal: str
    owner: InstancePath | None
    state: JobState
    submitted: datetime
    changed: datetime
    started: datetime | None = None
    ended: datetime | None = None
    affected: tuple[Affected, ...] = ()
    percent: int = 0
    return_value: CIMValue = None
    out: Parameters = field(default_factory=dict)
    errors: tuple[JobError, ...] = ()
    left: str = ""
    figures: Parameters = field(default_factory=dict)
    delete_on_completion: bool = True
    time_before_removal: timedelta = timedelta(minutes=5)
    namespace: str = LOCAL_NAMESPACE
    parent: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the work is over."""
        return self.state in FINAL

    @property
    def removal(self) -> datetime | None:
        """When it is to be removed; None while that is not known."""
        if self.ended is None or not self.delete_on_completion:
            return None
        return self.ended + self.time_before_removal

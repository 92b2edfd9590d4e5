"""The settings of jobs."""

from __future__ import annotations

from virtcim.immutable import immutable

__all__ = ["JobSettings"]


@immutable
class JobSettings:
    """How jobs are run and kept.

    Attributes:
        workers: jobs that run at the same time; further ones wait.
        waiting: jobs that may wait; beyond it methods are refused.
        waiters: jobs that do nothing but wait for a guest or one call of libvirt, beside the workers; beyond it methods
            are refused.
        grace: seconds that a method waits for its work before it answers that it has become a job: what an ordinary
            volume or network takes, and too little for anybody to mind.  With 0, all work becomes jobs.
        retention: seconds that a job stays after its end unless a client sets TimeBeforeRemoval (DSP1103: 5 minutes).
        limit: jobs that are kept; beyond it those that ended first are removed.
    """

    workers: int = 4
    waiting: int = 64
    waiters: int = 256
    grace: float = 0.5
    retention: float = 300.0
    limit: int = 1000

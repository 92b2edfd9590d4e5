"""Jobs: work of methods that goes on after the method has answered (DSP1103)."""

from __future__ import annotations

from virtcim.providers.jobs.engine import Job, JobOrder, Jobs
from virtcim.providers.jobs.record import Affected, Effect, JobError, JobRecord, JobState

__all__ = [
    "Affected",
    "Effect",
    "Job",
    "JobError",
    "JobOrder",
    "JobRecord",
    "JobState",
    "Jobs",
]

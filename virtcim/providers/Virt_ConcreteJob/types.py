"""The types of jobs, and which of them shows a job."""

from __future__ import annotations

from collections.abc import Sequence

from virtcim.platforms.base import Platform
from virtcim.providers.jobs import Job
from virtcim.providers.site import Site
from virtcim.providers.Virt_ConcreteJob.Virt_BackupJob import BackupJob
from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import ConcreteJob
from virtcim.providers.Virt_ConcreteJob.Virt_MigrationJob import MigrationJob
from virtcim.providers.Virt_ConcreteJob.Virt_ProvisioningJob import ProvisioningJob

__all__ = ["JOB_TYPES", "job_element"]

JOB_TYPES: Sequence[type[ConcreteJob]] = (ConcreteJob, MigrationJob, ProvisioningJob, BackupJob)
"""The types of all jobs."""


def job_element(site: Site, platform: Platform, job: Job) -> ConcreteJob:
    """The element that shows a job."""
    job_type = next((each for each in JOB_TYPES if each.base == job.record.base), ConcreteJob)
    return job_type(site, platform, job)

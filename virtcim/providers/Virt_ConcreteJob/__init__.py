"""Jobs as <prefix>_ConcreteJob, and what their methods gave back (CIM_ConcreteJob, CIM_MethodResult; DSP1103)."""

from __future__ import annotations

from virtcim.providers.Virt_ConcreteJob.provider import ConcreteJobProvider
from virtcim.providers.Virt_ConcreteJob.types import JOB_TYPES, job_element
from virtcim.providers.Virt_ConcreteJob.Virt_BackupJob import BackupJob
from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import ConcreteJob
from virtcim.providers.Virt_ConcreteJob.Virt_MethodResult import JobMethodResult, MethodResultProvider
from virtcim.providers.Virt_ConcreteJob.Virt_MigrationJob import MigrationJob

__all__ = [
    "JOB_TYPES",
    "BackupJob",
    "ConcreteJob",
    "ConcreteJobProvider",
    "JobMethodResult",
    "MethodResultProvider",
    "MigrationJob",
    "job_element",
]

"""<prefix>_AssociatedJobMethodResult: a job, and the call whose work it is (CIM_AssociatedJobMethodResult; DSP1103)."""

from __future__ import annotations

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ConcreteJob import JOB_TYPES, JobMethodResult

__all__ = ["associated_job_method_result"]


def associated_job_method_result(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "AssociatedJobMethodResult",
        Role("Job", JOB_TYPES),
        Role("JobParameters", (JobMethodResult,)),
        to_right=lambda job: (JobMethodResult(job),),
        to_left=lambda result: (result.job,),
    )

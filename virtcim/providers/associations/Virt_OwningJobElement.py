"""<prefix>_OwningJobElement: a service, and the jobs that it started (CIM_OwningJobElement; DSP1103)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.jobs import JobRelation, element_of, jobs_on
from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.references import same_element
from virtcim.providers.services.types import SERVICE_TYPES
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.providers.Virt_ConcreteJob import ConcreteJob

__all__ = ["owning_job_element"]


def owning_job_element(site: Site) -> Relation:
    """The association."""

    def jobs(owner: Element) -> Iterable[ConcreteJob]:
        return (
            job
            for job, path in jobs_on(site, owner)
            if job.record.owner is not None and same_element(job.record.owner, path)
        )

    def owners(job: ConcreteJob) -> Iterable[Element]:
        owner = element_of(site, job.record.owner)
        return () if owner is None else (owner,)

    owner_types: tuple[type[Element], ...] = (*SERVICE_TYPES, ComputerSystem)
    return JobRelation(
        site, "OwningJobElement", Role("OwningElement", owner_types), "OwnedElement", to_right=jobs, to_left=owners
    )

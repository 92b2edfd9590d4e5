"""<prefix>_OwningJobElement: a service, and the jobs that it started (CIM_OwningJobElement; DSP1103)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from virtcim.providers.associations.jobs import JobRelation, element_of, jobs_on
from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.base import Element, class_of
from virtcim.providers.interface import Association, End, Instance, RequestContext
from virtcim.providers.references import same_element
from virtcim.providers.services.types import SERVICE_TYPES
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.providers.Virt_ConcreteJob import JOB_TYPES, ConcreteJob

__all__ = ["JobsOfServer", "owning_job_element"]

_BASE = "OwningJobElement"
_OWNER, _OWNED = "OwningElement", "OwnedElement"


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
    return JobRelation(site, _BASE, Role(_OWNER, owner_types), _OWNED, to_right=jobs, to_left=owners)


class JobsOfServer(Association):
    """The same for what has to do with all nodes and lives in none: its jobs are those of a node.

    Parameters:
        site: of the server's own host, which knows the other nodes.
        owners: what starts such jobs.
    """

    def __init__(self, site: Site, owners: Sequence[Instance]) -> None:
        prefixes = [platform.prefix for platform in site.platforms]
        self._site = site
        self._owners = owners
        self.class_names = [class_of(prefix, _BASE) for prefix in prefixes]
        self.left = End(_OWNER, frozenset(owner.class_name for owner in owners))
        self.right = End(_OWNED, frozenset(class_of(prefix, job.base) for prefix in prefixes for job in JOB_TYPES))

    def to_right(self, left: Instance, context: RequestContext) -> Iterator[Instance]:
        path = left.path()
        for site in self._site.nodes:
            for platform in site.platforms:
                for job_type in JOB_TYPES:
                    yield from (job for job in job_type.all_of(site, platform) if job.record.owner == path)

    def to_left(self, right: Instance, context: RequestContext) -> Iterator[Instance]:
        owner = right.record.owner if isinstance(right, ConcreteJob) else None
        yield from (each for each in self._owners if owner is not None and each.path() == owner)

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self._owners

    def class_name(self, left: Instance, right: Instance) -> str:
        assert isinstance(right, ConcreteJob)
        return class_of(right.platform.prefix, _BASE)

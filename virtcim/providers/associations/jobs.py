"""Associations of jobs with elements: what they have in common."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable

from virtcim.providers.associations.relation import Pair, Relation, Role, Step
from virtcim.providers.base import Element, class_of
from virtcim.providers.interface import CIMError, Instance, InstancePath, RequestContext
from virtcim.providers.properties import PropertyTable
from virtcim.providers.references import element_at
from virtcim.providers.site import Site
from virtcim.providers.Virt_ConcreteJob import JOB_TYPES, ConcreteJob, job_element

__all__ = ["JobRelation", "element_of", "jobs_on"]

_log = logging.getLogger(__name__)


class JobRelation(Relation):
    """An association whose right end is a job, and whose left end can be any element.

    Few elements have jobs: instances of the association are found from the jobs.
    """

    def __init__(
        self,
        site: Site,
        base: str,
        left: Role,
        role: str,
        to_right: Step,
        to_left: Step,
        table: PropertyTable[Pair] | None = None,
    ) -> None:
        super().__init__(site, base, left, Role(role, JOB_TYPES), to_right, to_left, table)

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        found: dict[Hashable, Instance] = {}
        for platform in self.site.platforms:
            if class_of(platform.prefix, self.base) == class_name:
                for job_type in JOB_TYPES:
                    for job in job_type.all_of(self.site, platform):
                        for element in self.to_left(job, context):
                            found.setdefault((element.class_name, element.identity), element)
        return found.values()


def element_of(site: Site, path: InstancePath | None) -> Element | None:
    """The element that a job refers to; None where it has none, and when it is gone."""
    if path is None:
        return None
    try:
        return element_at(site, path)
    except CIMError as error:
        _log.debug("%s: %s", path, error)
        return None


def jobs_on(site: Site, element: Element) -> Iterable[tuple[ConcreteJob, InstancePath]]:
    """The jobs of the platform of an element, each with the element's own path."""
    jobs = site.jobs.all(element.platform.prefix, site.namespace)
    if jobs:
        own = element.path()
        for job in jobs:
            yield job_element(site, element.platform, job), own

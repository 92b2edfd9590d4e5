"""What the change of a job means for instances."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING

from virtcim.providers.base import Element, class_of
from virtcim.providers.changes import compared
from virtcim.providers.interface import InstanceChange
from virtcim.providers.jobs import Job, JobRecord
from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import JOBS, ShownJob

if TYPE_CHECKING:
    from virtcim.platforms.base import Platform
    from virtcim.providers.site import Site

__all__ = ["job_changes", "job_elements", "job_types"]


def job_types(types: Iterable[type[Element]]) -> tuple[type[Element], ...]:
    """Those element types that are made of jobs."""
    return tuple(each for each in types if each.source is JOBS)


def job_changes(
    site: Site,
    types: Iterable[type[Element]],
    before: JobRecord | None,
    after: JobRecord | None,
    wants: Callable[[str], bool],
) -> Iterator[InstanceChange]:
    """Tell what the change of a job does to the instances of some element types.

    Parameters:
        types: made of jobs.
        before, after: the job; None where there was or is none.
        wants: tells of a creation class whether its changes are wanted.
    """
    record = after or before
    if record is None:
        return
    for platform in site.platforms:
        if platform.prefix == record.prefix:
            for element in types:
                if wants(class_of(platform.prefix, element.base)):
                    old = _instances(site, platform, element, before)
                    yield from compared(old, _instances(site, platform, element, after))


def job_elements(site: Site, types: Iterable[type[Element]], record: JobRecord | None) -> Iterator[Element]:
    """All that a job is shown as, of some element types that are made of jobs."""
    for platform in site.platforms:
        if record is not None and platform.prefix == record.prefix:
            for element in types:
                yield from _instances(site, platform, element, record).values()


def _instances(
    site: Site, platform: Platform, element: type[Element], record: JobRecord | None
) -> dict[Hashable, Element]:
    if record is None:
        return {}
    return {each.identity: each for each in element.made_from(ShownJob(site, platform, Job(record)))}

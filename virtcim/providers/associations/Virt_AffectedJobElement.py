"""<prefix>_AffectedJobElement: an element, and the jobs that act upon it (CIM_AffectedJobElement; DSP1103)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.jobs import JobRelation, element_of, jobs_on
from virtcim.providers.associations.relation import Pair, Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.interface import InstancePath
from virtcim.providers.jobs import Effect, Job
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.references import same_element
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.providers.Virt_ConcreteJob import JOB_TYPES, ConcreteJob, job_element
from virtcim.providers.Virt_DevicePool import pool_types
from virtcim.providers.Virt_RASD import setting_types
from virtcim.providers.Virt_StorageVolume import StorageVolume
from virtcim.providers.Virt_StorageVolumeRASD import VolumeSetting
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

__all__ = ["affected_job_element"]


def affected_job_element(site: Site) -> Relation:
    """The association."""

    def jobs(element: Element) -> Iterable[ConcreteJob]:
        yield from (job for job, path in jobs_on(site, element) if _effects(job, path, element))
        if isinstance(element, ConcreteJob) and element.record.parent:
            yield from _shown(site, [site.jobs.find(element.record.parent)])

    def elements(job: ConcreteJob) -> Iterable[Element]:
        affected = (element_of(site, affected.element) for affected in job.record.affected)
        found = (
            *(each for each in affected if each is not None),
            *_shown(site, site.jobs.children(job.record.instance_id)),
        )
        return {(each.class_name, each.identity): each for each in found}.values()

    types: tuple[type[Element], ...] = (
        ComputerSystem,
        VirtualSystemSettingData,
        *setting_types(site),
        *pool_types(site),
        StorageVolume,
        VolumeSetting,
        *JOB_TYPES,
    )
    return JobRelation(
        site,
        "AffectedJobElement",
        Role("AffectedElement", types),
        "AffectingElement",
        to_right=jobs,
        to_left=elements,
        table=_EFFECTS,
    )


def _shown(site: Site, jobs: Iterable[Job | None]) -> Iterable[ConcreteJob]:
    """Show jobs, each where it lives: those of a node may have been begun by one of the local node."""
    for job in jobs:
        for each in site.nodes if job is not None else ():
            if job is not None and job.record.namespace == each.namespace:
                for platform in each.platforms:
                    if platform.prefix == job.record.prefix:
                        yield job_element(each, platform, job)


def _effects(job: ConcreteJob, path: InstancePath, element: Element) -> list[int]:
    """What a job does to an element; nothing where it does not act upon it."""
    effects = {
        effect
        for affected in job.record.affected
        if same_element(affected.element, path)
        for effect in affected.effects
    }
    if isinstance(element, ConcreteJob) and element.record.parent == job.record.instance_id:
        effects.add(int(Effect.CREATE))
    return sorted(effects)


_EFFECTS = PropertyTable[Pair](
    Property(
        "ElementEffects",
        lambda pair: _effects(pair.right, pair.left.path(), pair.left),
        "record of the job",
    )
)

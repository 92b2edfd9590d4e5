"""<prefix>_AffectedJobElement: an element, and the jobs that act upon it (CIM_AffectedJobElement; DSP1103)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.jobs import JobRelation, element_of, jobs_on
from virtcim.providers.associations.relation import Pair, Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.interface import InstancePath
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.references import same_element
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.providers.Virt_ConcreteJob import ConcreteJob
from virtcim.providers.Virt_DevicePool import pool_types
from virtcim.providers.Virt_RASD import setting_types
from virtcim.providers.Virt_StorageVolume import StorageVolume
from virtcim.providers.Virt_StorageVolumeRASD import VolumeSetting
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

__all__ = ["affected_job_element"]


def affected_job_element(site: Site) -> Relation:
    """The association."""

    def jobs(element: Element) -> Iterable[ConcreteJob]:
        return (job for job, path in jobs_on(site, element) if _effects(job, path))

    def elements(job: ConcreteJob) -> Iterable[Element]:
        found = (element_of(site, affected.element) for affected in job.record.affected)
        return {(each.class_name, each.identity): each for each in found if each is not None}.values()

    types: tuple[type[Element], ...] = (
        ComputerSystem,
        VirtualSystemSettingData,
        *setting_types(site),
        *pool_types(site),
        StorageVolume,
        VolumeSetting,
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


def _effects(job: ConcreteJob, path: InstancePath) -> list[int]:
    """What a job does to an element; nothing where it does not act upon it."""
    return sorted(
        {
            effect
            for affected in job.record.affected
            if same_element(affected.element, path)
            for effect in affected.effects
        }
    )


_EFFECTS = PropertyTable[Pair](
    Property(
        "ElementEffects",
        lambda pair: _effects(pair.right, pair.left.path()),
        "record of the job",
    )
)

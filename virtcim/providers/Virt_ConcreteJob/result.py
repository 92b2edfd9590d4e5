"""The call of a method whose work became a job, as <prefix>_MethodResult (CIM_MethodResult; DSP1103)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, ClassVar

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import CIMError, EmbeddedInstance, Status
from virtcim.providers.keys import main_key
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.references import uri_of
from virtcim.providers.site import Site
from virtcim.providers.Virt_ConcreteJob.job import JOB_TYPES, ConcreteJob, job_element, out_parameters

__all__ = ["JobMethodResult", "MethodResultProvider"]


class JobMethodResult(Element):
    """The call of the method whose work a job is.

    Attributes:
        job: the job.
    """

    __slots__ = ("job",)

    base = "MethodResult"
    key_names = ("InstanceID",)

    def __init__(self, job: ConcreteJob) -> None:
        self.job = job
        super().__init__(job.platform, job.identity)

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterable[JobMethodResult]:
        return (cls(job) for job_type in JOB_TYPES for job in job_type.all_of(site, platform))

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.job.revision


def _call(result: JobMethodResult, **properties: Any) -> EmbeddedInstance:
    """The call as an indication would tell of it."""
    record = result.job.record
    common: dict[str, Any] = {"MethodName": record.method}
    if record.owner is not None:
        common["SourceInstanceModelPath"] = uri_of(record.owner, result.job.site.settings.namespace)
    return EmbeddedInstance("CIM_InstMethodCall", {**common, **properties})


def _after(result: JobMethodResult) -> EmbeddedInstance | None:
    """The call with what it gave back; NULL while it has given back nothing."""
    record = result.job.record
    if record.return_value is None:
        return None
    return _call(
        result, PreCall=False, ReturnValue=str(record.return_value), MethodParameters=out_parameters(result.job)
    )


JobMethodResult.table = PropertyTable(
    attribute("InstanceID", lambda result: result.job.record.instance_id, source="InstanceID of the job"),
    attribute("ElementName", lambda result: result.job.record.name, source="the method"),
    Property("PreCallIndication", lambda result: _call(result, PreCall=True), "the call of the method"),
    Property("PostCallIndication", _after, "the call of the method, and what it gave back"),
)


class MethodResultProvider(ElementProvider):
    """Serves <prefix>_MethodResult."""

    types: ClassVar = (JobMethodResult,)

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        instance_id = main_key(keys, "InstanceID", "Missing InstanceID")
        job = self.site.jobs.find(instance_id)
        if job is None or job.record.prefix != platform.prefix:
            raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id})")
        return JobMethodResult(job_element(self.site, platform, job))

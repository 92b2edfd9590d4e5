"""The call of a method whose work became a job, as <prefix>_MethodResult (CIM_MethodResult; DSP1103)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Self

from virtcim.providers.base import Element, ElementProvider, MainKey
from virtcim.providers.interface import CIMValue, EmbeddedInstance
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.Virt_ConcreteJob.types import job_element
from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import JOBS, ConcreteJob, ShownJob, out_parameters
from virtcim.schema.paths import format_path

__all__ = ["JobMethodResult", "MethodResultProvider"]


class JobMethodResult(Element):
    """The call of the method whose work a job is (Virt_MethodResult).

    Attributes:
        job: the job.
    """

    __slots__ = ("job",)

    base = "MethodResult"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "Missing InstanceID")
    source = JOBS

    def __init__(self, job: ConcreteJob) -> None:
        self.job = job
        super().__init__(job.site, job.platform, job.identity)

    @classmethod
    def made_from(cls, owner: ShownJob) -> Iterable[Self]:
        return (cls(job_element(*owner)),)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.job.revision


def _call(result: JobMethodResult, **properties: CIMValue) -> EmbeddedInstance:
    """The call as an indication would tell of it."""
    record = result.job.record
    common: dict[str, CIMValue] = {"MethodName": record.method}
    if record.owner is not None:
        common["SourceInstanceModelPath"] = format_path(record.owner, result.namespace)
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

    name = "Virt_ConcreteJob"
    types = (JobMethodResult,)

"""What a job shows of itself."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey
from virtcim.providers.interface import CIMScalar, CIMValue, EmbeddedInstance, InstancePath
from virtcim.providers.jobs import Job, JobError, JobRecord, JobState
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.site import Site
from virtcim.providers.sources import Source
from virtcim.providers.states import HealthState, OperationalStatus
from virtcim.schema.paths import format_path

__all__ = ["JOBS", "OUT_PARAMETERS", "ConcreteJob", "ShownJob", "out_parameters"]

_OPERATIONAL_STATUS: Mapping[JobState, tuple[OperationalStatus, ...]] = {
    JobState.NEW: (OperationalStatus.DORMANT,),
    JobState.RUNNING: (OperationalStatus.OK,),
    JobState.SUSPENDED: (OperationalStatus.STOPPED,),
    JobState.SHUTTING_DOWN: (OperationalStatus.STOPPING,),
    JobState.COMPLETED: (OperationalStatus.OK, OperationalStatus.COMPLETED),
    JobState.TERMINATED: (OperationalStatus.STOPPED, OperationalStatus.COMPLETED),
    JobState.KILLED: (OperationalStatus.STOPPED, OperationalStatus.COMPLETED),
    JobState.EXCEPTION: (OperationalStatus.ERROR, OperationalStatus.COMPLETED),
}

_STATUS: Mapping[JobState, str] = {
    JobState.NEW: "Queued",
    JobState.RUNNING: "Running",
    JobState.SUSPENDED: "Suspended",
    JobState.SHUTTING_DOWN: "Shutting down",
    JobState.COMPLETED: "Completed",
    JobState.TERMINATED: "Terminated",
    JobState.KILLED: "Killed",
    JobState.EXCEPTION: "Failed",
}

_LARGEST_ERROR_CODE = 0xFFFF


OUT_PARAMETERS = (
    "Pool",
    "Resource",
    "ResultingSystem",
    "ResultingResourceSettings",
    "ResultingSnapshot",
    "NewComputerSystem",
    "Checkpoint",
    "Volumes",
    "Results",
    "Jobs",
    "ResultingSystems",
    "ResultingTemplates",
    "Systems",
    "Licences",
    "DeploymentOptions",
    "Networks",
    "Properties",
    "Signer",
    "Files",
    "Warnings",
)
"""The output parameters of methods whose work can become a job; Virt_JobOutParameters has them all."""


class ShownJob(NamedTuple):
    """A job, and the platform on which it is shown."""

    site: Site
    platform: Platform
    job: Job


class JobSource(Source[ShownJob]):
    """The jobs of a platform."""

    def owners(self, site: Site, platform: Platform) -> Iterable[ShownJob]:
        return (ShownJob(site, platform, job) for job in site.jobs.all(platform.prefix, site.namespace))

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterable[ShownJob]:
        job = site.jobs.find(key)
        if job is None or (job.record.prefix, job.record.namespace) != (platform.prefix, site.namespace):
            return ()
        return (ShownJob(site, platform, job),)


JOBS = JobSource()


class ConcreteJob(Element):
    """A job (Virt_ConcreteJob).

    Attributes:
        site: where it runs.
        job: the job.
        record: what was known of it when the handle was made.
        percent: how far it was then.
        figures: what else was known then of how it went on, by name.
        elapsed: how long it had run then, in whole seconds; None before it began.
    """

    __slots__ = ("elapsed", "figures", "job", "percent", "record", "revision")

    base = "ConcreteJob"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "Missing InstanceID")
    source = JOBS

    def __init__(self, site: Site, platform: Platform, job: Job) -> None:
        self.job = job
        # In this order: a record that is newer than its revision is looked at again, and an older one would be kept.
        revision = job.revision
        self.record = job.record
        self.percent = job.percent
        self.figures = job.figures
        self.elapsed = _elapsed(self.record)
        self.revision: Hashable = (revision, self.percent, self.elapsed)
        super().__init__(site, platform, job.record.instance_id)

    @classmethod
    def made_from(cls, owner: ShownJob) -> Iterable[Self]:
        return (cls(*owner),) if owner.job.record.base == cls.base else ()

    @property
    def error(self) -> JobError | None:
        """Its first error; None when it has none."""
        return next(iter(self.record.errors), None)


def _elapsed(record: JobRecord) -> timedelta | None:
    """How long a job has run, in whole seconds; None before it began."""
    if record.started is None:
        return None
    return timedelta(seconds=int(((record.ended or datetime.now(UTC)) - record.started).total_seconds()))


def out_parameters(job: ConcreteJob) -> EmbeddedInstance | None:
    """What the method gave back, in the way of DSP1103; None before the job is completed.

    References are given as WBEM URIs.
    """
    record = job.record
    if record.return_value is None:
        return None
    values = {name: _as_value(job, record.out[name]) for name in OUT_PARAMETERS if name in record.out}
    return EmbeddedInstance("Virt_JobOutParameters", {"__ReturnValue": record.return_value, **values})


def _as_value(job: ConcreteJob, value: CIMValue) -> CIMValue:
    if isinstance(value, list | tuple):
        return [_as_scalar(job, each) for each in value]
    return format_path(value, job.namespace) if isinstance(value, InstancePath) else value


def _as_scalar(job: ConcreteJob, value: CIMScalar | None) -> CIMScalar | None:
    return format_path(value, job.namespace) if isinstance(value, InstancePath) else value


def _error_code(job: ConcreteJob) -> int:
    """libvirt's error number, else the CIM status code; 0 where there is no error."""
    error = job.error
    if error is None:
        return 0
    return min(error.libvirt_code or error.status, _LARGEST_ERROR_CODE)


ConcreteJob.table = PropertyTable(
    attribute("InstanceID", lambda job: job.record.instance_id, source="made when the job is submitted"),
    attribute("Name", lambda job: job.record.name, source="the method"),
    attribute("ElementName", lambda job: job.record.name, source="the method"),
    attribute("Owner", lambda job: job.record.principal, source="the user who called the method"),
    Property("JobState", lambda job: int(job.record.state), "state of the job"),
    Property("JobStatus", lambda job: _STATUS[job.record.state], "state of the job"),
    Property(
        "OperationalStatus",
        lambda job: [int(status) for status in _OPERATIONAL_STATUS[job.record.state]],
        "state of the job",
    ),
    Property(
        "HealthState",
        lambda job: int(HealthState.CRITICAL_FAILURE if job.record.errors else HealthState.OK),
        "whether the job failed",
    ),
    attribute("PercentComplete", lambda job: job.percent, source="what the work reports"),
    attribute("TimeSubmitted", lambda job: job.record.submitted, source="clock of the server"),
    attribute("StartTime", lambda job: job.record.started, source="clock of the server"),
    attribute("ElapsedTime", lambda job: job.elapsed, source="clock of the server"),
    attribute("TimeOfLastStateChange", lambda job: job.record.changed, source="clock of the server"),
    attribute("TimeBeforeRemoval", lambda job: job.record.time_before_removal, source="settings, or the client"),
    attribute("DeleteOnCompletion", lambda job: job.record.delete_on_completion, source="true, or the client"),
    Property("ErrorCode", _error_code, "libvirt's error number, else the CIM status code; 0 without an error"),
    Property("ErrorDescription", lambda job: None if job.error is None else job.error.message, "what the work raised"),
    Property("JobOutParameters", out_parameters, "what the method gave back"),
)

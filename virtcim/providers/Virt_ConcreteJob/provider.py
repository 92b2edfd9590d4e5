"""The provider: finding jobs, ending and suspending them, and asking why they failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, ClassVar, cast

from virtcim.providers.base import ElementProvider
from virtcim.providers.interface import CIMError, MethodResult, RequestContext, Status
from virtcim.providers.jobs import Job, JobState
from virtcim.providers.Virt_ConcreteJob.errors import cim_error
from virtcim.providers.Virt_ConcreteJob.job import JOB_TYPES, ConcreteJob

__all__ = ["ConcreteJobProvider"]

COMPLETED = 0
NOT_SUPPORTED = 1
NO_TIME = 3
FAILED = 4
INVALID_PARAMETER = 5
TRANSITION_STARTED = 4096
INVALID_STATE_TRANSITION = 4097

START, SUSPEND, TERMINATE, KILL, SERVICE = 2, 3, 4, 5, 6

_END_WAIT = 2.0
"""Seconds that a job gets to end before the answer is that it is about to."""


class ConcreteJobProvider(ElementProvider):
    """Serves <prefix>_ConcreteJob and <prefix>_MigrationJob."""

    types: ClassVar = tuple(JOB_TYPES)

    def methods(self) -> Collection[str]:
        return ("RequestStateChange", "KillJob", "GetError", "GetErrors")

    def invoke_method(
        self,
        class_name: str,
        keys: Mapping[str, Any] | None,
        method: str,
        parameters: Mapping[str, Any],
        context: RequestContext,
    ) -> MethodResult:
        job = cast(ConcreteJob, self.element(class_name, keys or {})).job
        match method:
            case "RequestStateChange":
                return MethodResult(
                    self._request_state_change(job, parameters.get("RequestedState"), parameters.get("TimeoutPeriod"))
                )
            case "GetErrors":
                errors = [cim_error(error) for error in job.record.errors]
                return MethodResult(COMPLETED, {"Errors": errors} if errors else {})
            case "GetError":
                first = next(iter(job.record.errors), None)
                return MethodResult(COMPLETED, {} if first is None else {"Error": cim_error(first)})
            case "KillJob":
                return MethodResult(self._kill(job, parameters.get("DeleteOnKill")))
            case _:
                return super().invoke_method(class_name, keys, method, parameters, context)

    def modify_instance(
        self, class_name: str, keys: Mapping[str, Any], properties: Mapping[str, Any], context: RequestContext
    ) -> None:
        """Set DeleteOnCompletion and TimeBeforeRemoval."""
        job = cast(ConcreteJob, self.element(class_name, keys)).job
        now = ConcreteJob.table.values_of(ConcreteJob(self.site, self.resolve(class_name)[0], job))
        given = {name: value for name, value in properties.items() if value != now.get(name)}
        delete_on_completion = given.pop("DeleteOnCompletion", None)
        time_before_removal = given.pop("TimeBeforeRemoval", None)
        if given:
            raise CIMError(Status.NOT_SUPPORTED, f"{class_name}.{next(iter(given))} cannot be modified")
        if time_before_removal is not None and not isinstance(time_before_removal, timedelta):
            raise CIMError(Status.INVALID_PARAMETER, "TimeBeforeRemoval is not an interval")
        self.site.jobs.keep(job, delete_on_completion=delete_on_completion, time_before_removal=time_before_removal)

    def delete_instance(self, class_name: str, keys: Mapping[str, Any], context: RequestContext) -> None:
        """Forget a job that is over."""
        job = cast(ConcreteJob, self.element(class_name, keys)).job
        if not self.site.jobs.remove(job):
            raise CIMError(Status.FAILED, f"Job {job.record.instance_id} is not over")

    def _request_state_change(self, job: Job, requested: Any, timeout_period: Any) -> int:
        """CIM_ConcreteJob.RequestStateChange.

        A job that is asked to end does so at the next point where what it has begun can be undone; work that libvirt
        cannot stop has no such point, and the answer is Not Supported.
        """
        if timeout_period is not None and not isinstance(timeout_period, timedelta):
            return INVALID_PARAMETER
        if requested not in (START, SUSPEND, TERMINATE, KILL, SERVICE):
            return INVALID_PARAMETER
        if requested == SERVICE:
            return NOT_SUPPORTED
        if job.record.is_over:
            return INVALID_STATE_TRANSITION
        if requested == START:
            return COMPLETED if job.work is not None and job.work.resume() else INVALID_STATE_TRANSITION
        if requested == SUSPEND:
            if job.record.state is not JobState.RUNNING:
                return INVALID_STATE_TRANSITION
            return COMPLETED if job.work is not None and job.work.suspend() else NOT_SUPPORTED
        wanted = JobState.KILLED if requested == KILL else JobState.TERMINATED
        if not self.site.jobs.end(job, wanted):
            return INVALID_STATE_TRANSITION if job.record.is_over else NOT_SUPPORTED
        limit = timeout_period.total_seconds() if timeout_period else None
        if not job.over.wait(_END_WAIT if limit is None else limit):
            return TRANSITION_STARTED if limit is None else NO_TIME
        return COMPLETED if job.record.state is wanted else FAILED

    def _kill(self, job: Job, delete_on_kill: Any) -> int:
        """CIM_Job.KillJob, which old clients still call: it has no value for a job that is over but Failed."""
        code = self._request_state_change(job, KILL, None)
        if code in (COMPLETED, TRANSITION_STARTED):
            if delete_on_kill is not None:
                self.site.jobs.keep(
                    job,
                    delete_on_completion=True if delete_on_kill else None,
                    time_before_removal=timedelta(0) if delete_on_kill else None,
                )
            return COMPLETED
        return NOT_SUPPORTED if code == NOT_SUPPORTED else FAILED

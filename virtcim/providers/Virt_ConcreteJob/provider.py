"""The provider: finding jobs, ending and suspending them, and asking why they failed."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from virtcim.providers.base import ElementProvider
from virtcim.providers.interface import (
    CIMError,
    Keys,
    MethodResult,
    Properties,
    RequestContext,
    Role,
    Status,
)
from virtcim.providers.jobs import JobState
from virtcim.providers.methods import Method, Parameters
from virtcim.providers.states import StateChangeCode
from virtcim.providers.Virt_ConcreteJob.errors import cim_error
from virtcim.providers.Virt_ConcreteJob.tuning import take_tuning, tune
from virtcim.providers.Virt_ConcreteJob.types import JOB_TYPES
from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import ConcreteJob
from virtcim.providers.Virt_ConcreteJob.Virt_MigrationJob import MigrationJob

__all__ = ["ConcreteJobProvider"]

START, SUSPEND, TERMINATE, KILL, SERVICE = 2, 3, 4, 5, 6

_END_WAIT = 2.0
"""Seconds that a job gets to end before the answer is that it is about to."""


class ConcreteJobProvider(ElementProvider):
    """Serves the jobs: <prefix>_ConcreteJob, and those of migration, provisioning and backup."""

    name = "Virt_ConcreteJob"
    types = tuple(JOB_TYPES)

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        """Set DeleteOnCompletion and TimeBeforeRemoval; of a migration also what changes its pace."""
        element = cast(ConcreteJob, self.element(class_name, keys))
        job, now = element.job, element.properties()
        given = {name: value for name, value in properties.items() if value != now.get(name)}
        tuning = take_tuning(given) if isinstance(element, MigrationJob) else None
        delete_on_completion = given.pop("DeleteOnCompletion", None)
        time_before_removal = given.pop("TimeBeforeRemoval", None)
        if given:
            raise CIMError(Status.NOT_SUPPORTED, f"{class_name}.{next(iter(given))} cannot be modified")
        if time_before_removal is not None and not isinstance(time_before_removal, timedelta):
            raise CIMError(Status.INVALID_PARAMETER, "TimeBeforeRemoval is not an interval")
        if delete_on_completion is not None and not isinstance(delete_on_completion, bool):
            raise CIMError(Status.INVALID_PARAMETER, "DeleteOnCompletion is not a boolean")
        if tuning is not None:
            tune(element, tuning)
        self.site.jobs.keep(job, delete_on_completion=delete_on_completion, time_before_removal=time_before_removal)

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        """Forget a job that is over."""
        job = cast(ConcreteJob, self.element(class_name, keys)).job
        if not self.site.jobs.remove(job):
            raise CIMError(Status.FAILED, f"Job {job.record.instance_id} is not over")


def _request_state_change(element: ConcreteJob, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_ConcreteJob.RequestStateChange."""
    return MethodResult(_change_state(element, parameters.get("RequestedState"), parameters.get("TimeoutPeriod")))


def _change_state(element: ConcreteJob, requested: object, timeout_period: object) -> StateChangeCode:
    """Take a job to another state.

    A job that is asked to end does so at the next point where what it has begun can be undone; work that libvirt
    cannot stop has no such point, and the answer is Not Supported.
    """
    job, jobs = element.job, element.site.jobs
    if timeout_period is not None and not isinstance(timeout_period, timedelta):
        return StateChangeCode.INVALID_PARAMETER
    if requested not in (START, SUSPEND, TERMINATE, KILL, SERVICE):
        return StateChangeCode.INVALID_PARAMETER
    if requested == SERVICE:
        return StateChangeCode.NOT_SUPPORTED
    if job.record.is_over:
        return StateChangeCode.INVALID_STATE_TRANSITION
    if requested == START:
        return (
            StateChangeCode.COMPLETED
            if job.work is not None and job.work.resume()
            else StateChangeCode.INVALID_STATE_TRANSITION
        )
    if requested == SUSPEND:
        if job.record.state is not JobState.RUNNING:
            return StateChangeCode.INVALID_STATE_TRANSITION
        return (
            StateChangeCode.COMPLETED if job.work is not None and job.work.suspend() else StateChangeCode.NOT_SUPPORTED
        )
    wanted = JobState.KILLED if requested == KILL else JobState.TERMINATED
    if not jobs.end(job, wanted):
        return StateChangeCode.INVALID_STATE_TRANSITION if job.record.is_over else StateChangeCode.NOT_SUPPORTED
    limit = timeout_period.total_seconds() if timeout_period else None
    if not job.over.wait(_END_WAIT if limit is None else limit):
        return StateChangeCode.JOB_STARTED if limit is None else StateChangeCode.NO_TIME
    return StateChangeCode.COMPLETED if job.record.state is wanted else StateChangeCode.FAILED


def _kill(element: ConcreteJob, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_Job.KillJob, which old clients still call: it has no value for a job that is over but Failed."""
    delete_on_kill = parameters.get("DeleteOnKill")
    code = _change_state(element, KILL, None)
    if code in (StateChangeCode.COMPLETED, StateChangeCode.JOB_STARTED):
        if delete_on_kill is not None:
            element.site.jobs.keep(
                element.job,
                delete_on_completion=True if delete_on_kill else None,
                time_before_removal=timedelta(0) if delete_on_kill else None,
            )
        return MethodResult(StateChangeCode.COMPLETED)
    failed = code != StateChangeCode.NOT_SUPPORTED
    return MethodResult(StateChangeCode.FAILED if failed else StateChangeCode.NOT_SUPPORTED)


def _get_errors(element: ConcreteJob, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_ConcreteJob.GetErrors."""
    errors = [cim_error(error) for error in element.job.record.errors]
    return MethodResult(StateChangeCode.COMPLETED, {"Errors": errors} if errors else {})


def _get_error(element: ConcreteJob, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_ConcreteJob.GetError."""
    first = next(iter(element.job.record.errors), None)
    return MethodResult(StateChangeCode.COMPLETED, {} if first is None else {"Error": cim_error(first)})


ConcreteJob.methods = (
    Method("RequestStateChange", _request_state_change, role=Role.OPERATE),
    Method("KillJob", _kill, role=Role.OPERATE),
    Method("GetError", _get_error, role=Role.READ),
    Method("GetErrors", _get_errors, role=Role.READ),
)
ConcreteJob.delete_role = Role.OPERATE

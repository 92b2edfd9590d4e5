"""The engine: runs the work of methods in threads of its own, a bounded number at a time, and keeps the jobs.

A method hands its work over with `Jobs.run`.  Work that is done within a short time is the method's answer as if there
were no jobs; what takes longer becomes a job, and the method answers that (4096).

Layer rule: imports `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from virtcim.immutable import immutable
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work, WorkCancelledError
from virtcim.providers.errors import libvirt_failure
from virtcim.providers.interface import (
    CIMError,
    InstancePath,
    MethodResult,
    Parameters,
    Status,
    Store,
)
from virtcim.providers.jobs.record import LOCAL_NAMESPACE, Affected, Effect, JobError, JobRecord, JobState
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.methods import MethodFailedError

__all__ = ["Job", "JobOrder", "Jobs"]

_log = logging.getLogger(__name__)

Outcome = MethodResult | CIMError | MethodFailedError
"""How work ends."""

JOB_STARTED = 4096
"""The return value of a method whose work became a job."""

TABLE = "job"
"""The name of the table in the store."""

_ENDED_WITH_SERVER = "The server ended while the job was under way"
_WITHIN: contextvars.ContextVar[str] = contextvars.ContextVar("job", default="")
"""The InstanceID of the job whose work is being done."""
_DISK_PATIENCE = 1.0
"""Seconds that a job waits until what was said of it is on disk."""
_DISK_PAUSE = 10.0
"""Seconds for which no job waits for a disk that has let one wait in vain."""
_LONGEST_PAUSE = 3600.0
"""Seconds between two looks at what is to be removed, for a clock that is put forward."""


@immutable
class JobOrder:
    """Work to be done.

    Attributes:
        prefix: of the platform.
        method: the method whose work it is.
        run: does the work; gives what the method gives back, or raises CIMError or LibvirtError.
        name: for people; the method where it is "".
        owner: the service whose method it is.
        affected: what it acts upon.
        effect: on what the output parameters refer to, once it is done.
        principal: the user who called.
        base: the name of the job's class without the prefix.
        grace: seconds that the method waits, where those of the settings are fewer, and are any.
        takes_worker: whether it keeps a worker busy; what merely waits is never put behind such work.
        namespace: where the job is to live.
        priority: which of several that wait for a worker goes first: the lower, the sooner.
        at_once: whether it is a job from its beginning, however short it may be.
        patience: seconds that the caller waits for the end of what has become a job; None for as long as it takes.
        figures: what is known of how it is to go on, before it has begun.
        stoppable: whether it can be ended from its beginning, as `Work` has it.
    """

    prefix: str
    method: str
    run: Callable[[Work], MethodResult]
    name: str = ""
    owner: InstancePath | None = None
    affected: Sequence[Affected] = ()
    effect: Effect = Effect.CREATE
    principal: str = ""
    base: str = "ConcreteJob"
    grace: float = 0.0
    takes_worker: bool = True
    namespace: str = LOCAL_NAMESPACE
    priority: int = 0
    at_once: bool = False
    patience: float | None = 0.0
    figures: Mapping[str, int | str] = field(default_factory=dict)
    stoppable: bool = False


class Job:
    """A job, as it is now.

    Attributes:
        record: what is known of it; replaced with each change.
        revision: another number after each change of the record.
        work: how far it is, and the way to stop it; None for a job of an earlier run of the server.
        order: the work to be done; None once it is done, so that nothing that it holds is kept.
        over: set when the work is over.
        context: of the request that began it, so that log lines of the work tell which one that was.
    """

    __slots__ = ("_awaited", "_end", "_outcome", "_published", "context", "order", "over", "record", "revision", "work")

    def __init__(self, record: JobRecord, order: JobOrder | None = None, work: Work | None = None) -> None:
        self.record = record
        self.revision = 0
        self.order = order
        self.work = work
        self.over = threading.Event()
        self.context = contextvars.copy_context()
        self._end = JobState.TERMINATED
        self._outcome: Outcome | None = None
        self._published = order is None
        self._awaited = order is not None
        if record.is_over:
            self.over.set()

    def __repr__(self) -> str:
        return f"<job {self.record.instance_id} {self.record.name!r} {self.record.state.name}>"

    @property
    def percent(self) -> int:
        """How far it is, from 0 to 100."""
        return self.record.percent if self.work is None or self.record.is_over else self.work.percent

    @property
    def figures(self) -> Parameters:
        """What else is known of how it goes on, by name."""
        return self.record.figures if self.work is None or self.record.is_over else self.work.figures

    @property
    def path(self) -> InstancePath:
        """Its instance path."""
        record = self.record
        return InstancePath(f"{record.prefix}_{record.base}", {"InstanceID": record.instance_id}, record.namespace)


class Jobs:
    """All jobs of the server.

    Parameters:
        settings: limits and times.
        store: keeps them over a restart; None keeps them in memory only.
        adopting: whether `adopt` will be called: until then, jobs that were under way when an earlier run of the
            server ended count as under way.

    Attributes:
        listeners: called with the record before and after each change of a job (None where there is none), in the
            thread that made it; they must return at once.
    """

    def __init__(
        self, settings: JobSettings | None = None, store: Store | None = None, *, adopting: bool = False
    ) -> None:
        self.settings = settings or JobSettings()
        self.listeners: list[Callable[[JobRecord | None, JobRecord | None], None]] = []
        self._store = store
        self._disk_is_slow_until = 0.0
        self._table = None if store is None else store.table(TABLE, JobRecord)
        # Held for assignments only: the event loop waits for it too.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._running: set[Job] = set()
        self._orphans: list[Job] = []
        self._earlier: dict[str, JobRecord] = {}
        self._adopting = adopting
        self._closing = False
        self._remover: threading.Thread | None = None
        with self._lock:
            records = [] if self._table is None else [record for _, record in self._table.items()]
            for record in sorted(records, key=lambda record: record.submitted):
                self._earlier[record.instance_id] = record
                self._take_up(record)
            self._watch_removals()

    def run(self, order: JobOrder) -> MethodResult:
        """Do some work: at once where it is short, else as a job.

        Returns:
            what the work gave back, where it was done while the caller waited; or the return value 4096 and, as Job,
            the path of the job. Beside a job that it was from the beginning stands what the work gave back.

        Raises:
            CIMError, MethodFailedError: what the work raised while the caller waited, unless it was a job from the
                beginning.
            CIMError: SERVER_LIMITS_EXCEEDED when too many jobs wait already.
        """
        job = self._submit(order)
        if not order.at_once:
            grace = self.settings.grace and max(self.settings.grace, order.grace)
            job.over.wait(grace)
            with self._lock:
                if not job.over.is_set() or not grace:
                    self._publish(job)
        is_job = job._published
        outcome = self._await_end(job, order.patience) if is_job else self._take_outcome(job)
        if is_job and (order.at_once or outcome is None):
            results = outcome.out if isinstance(outcome, MethodResult) else {}
            return MethodResult(JOB_STARTED, {**results, "Job": job.path})
        if isinstance(outcome, MethodResult):
            return outcome
        assert outcome is not None, job
        try:
            raise outcome
        finally:
            del outcome  # it knows this frame

    def _await_end(self, job: Job, patience: float | None) -> Outcome | None:
        """Wait for the end of a job that clients know of; give how it ended, None where it goes on or nobody waits."""
        self._keep_safe(job)
        job.over.wait(patience)
        outcome = self._take_outcome(job)
        return None if patience == 0.0 else outcome

    def _take_outcome(self, job: Job) -> Outcome | None:
        """Take how a job has ended, None where it goes on; nobody waits for it any more."""
        with self._lock:
            job._awaited = False
            outcome, job._outcome = job._outcome, None
        return outcome

    def all(self, prefix: str, namespace: str) -> list[Job]:
        """List the jobs of a platform in a namespace, those that were made first in front."""
        with self._lock:
            self._remove_expired()
            records = ((job, job.record) for job in self._jobs.values())
            return [job for job, record in records if record.prefix == prefix and record.namespace == namespace]

    def take_earlier(self, namespace: str) -> dict[str, JobRecord]:
        """Hand over, once, what an earlier run of the server left of the jobs in a namespace, by InstanceID.

        Since then they may have ended, or been removed, before anybody listened.
        """
        with self._lock:
            taken = {key: each for key, each in self._earlier.items() if each.namespace == namespace}
            for key in taken:
                del self._earlier[key]
            return taken

    def children(self, instance_id: str) -> list[Job]:
        """The jobs that the work of a job has begun, those that were made first in front."""
        with self._lock:
            return [job for job in self._jobs.values() if job.record.parent == instance_id]

    def states(self) -> list[JobState]:
        """List the state of each job, of all platforms and namespaces."""
        with self._lock:
            self._remove_expired()
            return [job.record.state for job in self._jobs.values()]

    def find(self, instance_id: str) -> Job | None:
        """The job with this InstanceID."""
        with self._lock:
            self._remove_expired()
            return self._jobs.get(instance_id)

    def end(self, job: Job, state: JobState) -> bool:
        """Ask a job to end in `state`, Terminated or Killed; whether it will."""
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
                self._finish(job, CIMError(Status.FAILED, "The job was ended before it began"), state)
                return True
            if job.record.is_over or job.work is None:
                return False
            before = job._end
            job._end = state
        # Outside the lock: what interrupts a call may itself take time.
        accepted = job.work.cancel()
        with self._lock:
            if not accepted:
                job._end = before
            elif not job.record.is_over:
                self._move(job, JobState.SHUTTING_DOWN)
        return accepted

    def keep(self, job: Job, *, delete_on_completion: bool | None, time_before_removal: timedelta | None) -> None:
        """Set when a job is to be removed; None leaves things as they are."""
        with self._lock:
            now = job.record
            self._replace(
                job,
                delete_on_completion=now.delete_on_completion if delete_on_completion is None else delete_on_completion,
                time_before_removal=now.time_before_removal if time_before_removal is None else time_before_removal,
            )
            self._watch_removals()

    def remove(self, job: Job) -> bool:
        """Forget a job that is over; False for one that is not."""
        with self._lock:
            if not job.record.is_over:
                return False
            if self._jobs.pop(job.record.instance_id, None) is not None:
                if self._table is not None:
                    self._table.remove(job.record.instance_id)
                self._tell(job.record, None)
            return True

    def stop(self, timeout: float) -> None:
        """Ask all jobs to end, for the server is about to; what is not over in time ends with that as its reason."""
        with self._lock:
            self._closing = True
            self._changed.notify_all()
            for job in list(self._waiting):
                self._waiting.remove(job)
                self._finish(job, CIMError(Status.SERVER_IS_SHUTTING_DOWN, _ENDED_WITH_SERVER), JobState.EXCEPTION)
            running = list(self._running)
        for job in running:
            self.end(job, JobState.TERMINATED)
        deadline = time.monotonic() + timeout
        for job in running:
            job.over.wait(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for job in running:
                if not job.over.is_set():
                    self._replace(job, **_interrupted(job.record))
                    job._outcome = CIMError(Status.SERVER_IS_SHUTTING_DOWN, _ENDED_WITH_SERVER)
                    job.over.set()

    def _submit(self, order: JobOrder) -> Job:
        now = datetime.now(UTC)
        record = JobRecord(
            instance_id=f"{order.prefix}:job:{uuid.uuid4()}",
            prefix=order.prefix,
            base=order.base,
            name=order.name or order.method,
            method=order.method,
            principal=order.principal,
            owner=order.owner,
            state=JobState.NEW,
            submitted=now,
            changed=now,
            affected=tuple(order.affected),
            time_before_removal=timedelta(seconds=self.settings.retention),
            namespace=order.namespace,
            parent=_WITHIN.get(),
            figures=dict(order.figures),
        )
        job = Job(record, order)
        job.work = Work(lambda: self._on_changed_work(job), lambda: self._keep_safe(job), stoppable=order.stoppable)
        job.work.tell(order.figures)
        with self._lock:
            if self._closing:
                raise CIMError(Status.SERVER_IS_SHUTTING_DOWN, "The server is shutting down")
            if self._has_room(order.takes_worker):
                if order.at_once:
                    self._publish(job)
                self._begin(job)
            elif order.takes_worker and len(self._waiting) < self.settings.waiting:
                if order.at_once:
                    self._publish(job)
                self._queue(job, order.priority)
            else:
                count = len(self._waiting) if order.takes_worker else self.settings.waiters
                raise CIMError(Status.SERVER_LIMITS_EXCEEDED, f"{count} jobs wait already")
        return job

    def _queue(self, job: Job, priority: int) -> None:
        """Have a job wait, behind those that are as urgent or more so."""
        later = (each.order is not None and each.order.priority > priority for each in self._waiting)
        place = next((place for place, is_later in enumerate(later) if is_later), len(self._waiting))
        self._waiting.insert(place, job)

    def _has_room(self, takes_worker: bool) -> bool:
        """Whether another job can begin at once."""
        count = sum(job.order is not None and job.order.takes_worker is takes_worker for job in self._running)
        return count < (self.settings.workers if takes_worker else self.settings.waiters)

    def _begin(self, job: Job) -> None:
        self._running.add(job)
        self._replace(job, started=datetime.now(UTC))
        self._move(job, JobState.RUNNING)
        run = partial(job.context.run, self._carry_out, job)
        threading.Thread(target=run, name="job", daemon=True).start()

    def _carry_out(self, job: Job) -> None:
        assert job.order is not None
        assert job.work is not None
        outcome: Outcome
        state = JobState.EXCEPTION
        _WITHIN.set(job.record.instance_id)
        try:
            outcome = job.order.run(job.work)
            if not outcome.return_value:
                state = JobState.COMPLETED
        except WorkCancelledError:
            outcome, state = CIMError(Status.FAILED, "The job was ended by a client"), job._end
        except (CIMError, MethodFailedError) as error:
            outcome = error
        except LibvirtError as error:
            outcome = libvirt_failure(f"{job.record.method} failed", error)
            outcome.__cause__ = error
        except Exception as error:
            _log.exception("%r", job)
            outcome = CIMError(Status.FAILED, f"{job.record.method} failed: internal error ({type(error).__name__})")
        _forget_frames(outcome)
        with self._lock:
            self._running.discard(job)
            self._finish(job, outcome, state)
            while self._waiting and self._has_room(takes_worker=True) and not self._closing:
                self._begin(self._waiting.popleft())

    def _finish(self, job: Job, outcome: Outcome, state: JobState) -> None:
        # An error holds on to all that it went through.
        job._outcome = outcome if job._awaited else None
        now = datetime.now(UTC)
        percent = job.work.percent if job.work is not None else 0
        changes: dict[str, object] = {"state": state, "changed": now, "ended": now, "percent": percent, "left": ""}
        if isinstance(outcome, MethodResult):
            changes |= {"return_value": outcome.return_value, "out": dict(outcome.out)}
        elif isinstance(outcome, MethodFailedError):
            changes["return_value"] = int(outcome.code)
        if state is JobState.COMPLETED and isinstance(outcome, MethodResult):
            made = () if job.order is None else _results(outcome.out, job.order.effect)
            changes |= {"percent": 100, "affected": (*job.record.affected, *made)}
        elif state is JobState.EXCEPTION:
            changes["errors"] = (_error(outcome, job.record.method),)
        self._replace(job, **changes)
        job.order = None
        if job.work is not None:
            job.work.release()
        job.over.set()
        if job._published:
            self._watch_removals()

    def _publish(self, job: Job) -> None:
        job._published = True
        self._jobs[job.record.instance_id] = job
        self._write(job.record)
        self._tell(None, job.record)
        over = [each for each in self._jobs.values() if each.record.is_over]
        for each in over[: max(0, len(self._jobs) - self.settings.limit)]:
            self.remove(each)
        self._watch_removals()

    def _move(self, job: Job, state: JobState) -> None:
        self._replace(job, state=state, changed=datetime.now(UTC))

    def _replace(self, job: Job, **changes: Any) -> None:
        before = job.record
        if job.work is not None:
            changes = {"left": job.work.left, "figures": dict(job.work.figures), **changes}
        job.record = replace(before, **changes)
        job.revision += 1
        if job._published and job.record != before:
            self._write(job.record)
            self._tell(before, job.record)

    def _write(self, record: JobRecord) -> None:
        if self._table is not None:
            self._table.put(record.instance_id, record)

    def _keep_safe(self, job: Job) -> None:
        """Wait until a job that clients know of is on disk: it is to be found again when the server is killed."""
        now = time.monotonic()
        if self._store is None or not job._published or now < self._disk_is_slow_until:
            return
        if not self._store.flush(_DISK_PATIENCE):
            self._disk_is_slow_until = now + _DISK_PAUSE

    def _on_changed_work(self, job: Job) -> None:
        with self._lock:
            if job.work is None or job.record.is_over:
                return
            state = JobState.SUSPENDED if job.work.suspended else JobState.RUNNING
            if job.record.state in (JobState.RUNNING, JobState.SUSPENDED) and job.record.state is not state:
                self._move(job, state)
            else:
                self._replace(job, percent=job.work.percent)

    def _take_up(self, record: JobRecord) -> None:
        """Take over a job of an earlier run: what was under way then is so no longer."""
        job = Job(record)
        self._jobs[record.instance_id] = job
        if not record.is_over and self._adopting:
            self._orphans.append(job)
        elif not record.is_over:
            self._abandon(job)

    def _abandon(self, job: Job) -> None:
        """Have a job end that an earlier run of the server has begun: its work is under way no longer."""
        self._replace(job, **_interrupted(job.record))
        job.over.set()

    def adopt(self, find: Callable[[JobRecord], Callable[[Work], MethodResult] | None]) -> None:
        """Go on with the jobs that were under way when an earlier run of the server ended, where that can be.

        Parameters:
            find: gives what looks for the work of such a job, waits for its end, and gives or raises what the work
                itself would have; None where the work was the server's own, and has ended with it.
        """
        with self._lock:
            orphans, self._orphans = self._orphans, []
            for job in orphans:
                record = job.record
                run = find(record)
                if run is None or self._closing:
                    self._abandon(job)
                    continue
                job.order = JobOrder(record.prefix, record.method, run, takes_worker=False)
                job.work = Work(partial(self._on_changed_work, job), partial(self._keep_safe, job))
                job.work.adopt(record.figures, record.percent, record.left)
                self._running.add(job)
                self._move(job, JobState.RUNNING)
                threading.Thread(target=partial(job.context.run, self._carry_out, job), name="job", daemon=True).start()

    def _watch_removals(self) -> None:
        """Have jobs removed when their time comes."""
        if self._remover is None and any(job.record.removal is not None for job in self._jobs.values()):
            self._remover = threading.Thread(target=self._remove_in_time, name="job-removal", daemon=True)
            self._remover.start()
        self._changed.notify_all()

    def _remove_in_time(self) -> None:
        with self._lock:
            while not self._closing:
                self._remove_expired()
                moments = [job.record.removal for job in self._jobs.values()]
                first = min((moment for moment in moments if moment is not None), default=None)
                if first is None:
                    self._remover = None
                    return
                left = (first - datetime.now(UTC)).total_seconds()
                self._changed.wait(min(max(left, 0.0), _LONGEST_PAUSE))

    def _remove_expired(self) -> None:
        if not self._jobs:
            return
        now = datetime.now(UTC)
        for job in list(self._jobs.values()):
            removal = job.record.removal
            if removal is not None and removal <= now:
                self.remove(job)

    def _tell(self, before: JobRecord | None, after: JobRecord | None) -> None:
        for listener in tuple(self.listeners):
            try:
                listener(before, after)
            except Exception:
                _log.exception("a listener of the jobs")


def _interrupted(record: JobRecord) -> dict[str, object]:
    """What changes in a job whose server ended before it did."""
    now = datetime.now(UTC)
    reason = f"{_ENDED_WITH_SERVER}; what it had made stands: {record.left}" if record.left else _ENDED_WITH_SERVER
    error = JobError(reason, int(Status.SERVER_IS_SHUTTING_DOWN))
    return {"state": JobState.EXCEPTION, "changed": now, "ended": now, "errors": (error,)}


def _results(out: Parameters, effect: Effect) -> list[Affected]:
    """What the output parameters of a method refer to."""
    values = [value if isinstance(value, list | tuple) else (value,) for value in out.values()]
    return [Affected(each, (int(effect),)) for value in values for each in value if isinstance(each, InstancePath)]


def _forget_frames(outcome: Outcome) -> None:
    """Let go of what the work had in its hands when it failed: a connection to libvirt lives as long as its frame."""
    error: BaseException | None = outcome if isinstance(outcome, Exception) else None
    seen: set[int] = set()
    # An error may be its own cause.
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _error(outcome: Outcome, method: str) -> JobError:
    if isinstance(outcome, MethodResult):
        return JobError(f"{method} gave back {outcome.return_value}", int(Status.FAILED))
    if isinstance(outcome, MethodFailedError):
        return JobError(f"{method} gave back {int(outcome.code)}: {outcome.text}", int(Status.FAILED))
    cause = outcome.__cause__
    if isinstance(cause, LibvirtError):
        return JobError(outcome.description, int(outcome.status), cause.code, cause.domain, cause.level)
    return JobError(outcome.description, int(outcome.status), outcome.libvirt_code)

"""Jobs: how work becomes one, what it shows, how it is ended, and what is left of it after a restart."""

from __future__ import annotations

import contextlib
import functools
import gc
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.bed import wait_until
from tests.dump.recorded_libvirt import failure
from tests.providers.outcome import Outcome, outcome
from tests.providers.recorded import CONTEXT, Served, domain_xml, hypervisor, platform
from virtcim.app.store import SQLiteStore, read_table
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.undoing import undone
from virtcim.libhelper.work import Work, WorkCancelledError
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import CIMError, CIMValue, EmbeddedInstance, InstancePath, MethodResult, Status
from virtcim.providers.jobs import Affected, JobError, JobOrder, JobRecord, Jobs, JobState
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.Virt_ConcreteJob.errors import cim_error
from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import OUT_PARAMETERS
from virtcim.schema.classes import ClassStore

SERVICE = InstancePath(
    "KVM_ResourcePoolConfigurationService",
    {
        "SystemCreationClassName": "KVM_HostSystem",
        "SystemName": "node.example.org",
        "CreationClassName": "KVM_ResourcePoolConfigurationService",
        "Name": "RPCS",
    },
)
GUEST = InstancePath("KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem", "Name": "guest"})
POOL = InstancePath("KVM_DiskPool", {"InstanceID": "DiskPool/images"})
START, SUSPEND, TERMINATE, KILL, SERVICE_STATE = 2, 3, 4, 5, 6
HASTY = JobSettings(grace=0.0)


class Task:
    """Work that goes on until it is told to end."""

    def __init__(self, result: Any = MethodResult(0), stoppable: bool = True) -> None:  # noqa: B008
        self.result = result
        self.stoppable = stoppable
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.undone = False

    def __call__(self, work: Work) -> MethodResult:
        work.report(1, 4)
        if self.stoppable:
            try:
                with work.stoppable():
                    self.began.set()
                    while not self.may_end.wait(0.002):
                        work.checkpoint()
            except WorkCancelledError:
                self.undone = True
                raise
        else:
            self.began.set()
            self.may_end.wait(60)
        if isinstance(self.result, Exception):
            raise self.result
        assert isinstance(self.result, MethodResult)
        return self.result


class Site(Served):
    """A site with one guest and one pool, all of whose work becomes jobs."""

    def __init__(self, settings: JobSettings = HASTY) -> None:
        host = hypervisor("KVM")
        host.put(domain_xml("guest"))
        host.put_pool("images", "/images", [])
        super().__init__([(platform("KVM"), host)], ProviderSettings(jobs=settings))

    def run(self, task: Callable[[Work], MethodResult], **options: Any) -> MethodResult:
        options = {"owner": SERVICE, "affected": [Affected(GUEST, (2, 3))], "principal": "ann", **options}
        return self.site.jobs.run(JobOrder("KVM", "DoSomething", task, **options))

    def start(self, task: Callable[[Work], MethodResult], **options: Any) -> str:
        result = self.run(task, **options)
        assert result.return_value == 4096
        return str(outcome(result).out["Job"].keys["InstanceID"])

    def job(self, instance_id: str, base: str = "ConcreteJob") -> dict[str, Any]:
        return dict(self.get(f"KVM_{base}", InstanceID=instance_id).properties())

    def call(self, instance_id: str, method: str, **parameters: Any) -> Outcome:
        provider = self.providers["KVM_ConcreteJob"]
        keys = {"InstanceID": instance_id}
        return outcome(provider.invoke_method("KVM_ConcreteJob", keys, method, parameters, CONTEXT))

    def ask(self, instance_id: str, state: Any, **parameters: Any) -> int:
        return int(self.call(instance_id, "RequestStateChange", RequestedState=state, **parameters).return_value)

    def wait(self, instance_id: str) -> dict[str, Any]:
        job = self.site.jobs.find(instance_id)
        assert job is not None
        assert job.over.wait(60)
        return self.job(instance_id)

    def relation(self, base: str) -> Relation:
        relations = self.catalog.associations["root/virt"]
        return next(each for each in relations if isinstance(each, Relation) and each.base == base)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.site.jobs.stop(5)


def test_short_work_is_the_answer_of_the_method() -> None:
    site = Site(JobSettings(grace=10))
    assert site.run(lambda _: MethodResult(0, {"Pool": POOL})) == MethodResult(0, {"Pool": POOL})
    assert site.run(lambda _: MethodResult(6)).return_value == 6

    def fail(_: Work) -> MethodResult:
        raise CIMError(Status.FAILED, "no such luck")

    with pytest.raises(CIMError, match="no such luck"):
        site.run(fail)
    assert not site.instances("KVM_ConcreteJob")


@pytest.mark.parametrize("settings", [HASTY, replace(HASTY, retention=0.0), JobSettings(grace=0.05)])
@pytest.mark.parametrize("patience", [60.0, None])
def test_who_waits_for_a_job_gets_what_its_work_gives_back(settings: JobSettings, patience: float | None) -> None:
    site = Site(settings)

    def run(result: Any) -> MethodResult:
        task, before = Task(result), len(site.instances("KVM_ConcreteJob"))

        def end_when_it_is_a_job() -> None:
            wait_until(lambda: len(site.instances("KVM_ConcreteJob")) > before, interval=0.005)
            task.may_end.set()

        threading.Thread(target=end_when_it_is_a_job).start()
        return site.run(task, patience=patience)

    assert run(MethodResult(0, {"Pool": POOL})) == MethodResult(0, {"Pool": POOL})
    assert run(MethodResult(6)) == MethodResult(6)
    with pytest.raises(CIMError, match="no such luck"):
        run(CIMError(Status.NOT_FOUND, "no such luck"))
    assert len(site.instances("KVM_ConcreteJob")) == (3 if settings.retention else 0)


def test_what_its_work_gives_back_stands_beside_a_job_from_the_beginning() -> None:
    site = Site(replace(HASTY, retention=0.0))
    done = Task(MethodResult(0, {"Pool": POOL}))
    done.may_end.set()
    result = site.run(done, at_once=True, patience=60.0)
    assert (result.return_value, set(result.out), result.out["Pool"]) == (4096, {"Job", "Pool"}, POOL)
    failed = Task(CIMError(Status.FAILED, "no such luck"))
    failed.may_end.set()
    assert set(site.run(failed, at_once=True, patience=60.0).out) == {"Job"}


def test_who_has_waited_long_enough_gets_a_job(site: Site) -> None:
    task = Task(CIMError(Status.FAILED, "no such luck"))
    instance_id = site.start(task, patience=0.05)
    task.may_end.set()
    assert site.wait(instance_id)["JobState"] == JobState.EXCEPTION
    job = site.site.jobs.find(instance_id)
    assert job is not None
    assert job._outcome is None


def test_who_waits_is_told_when_the_server_ends(site: Site) -> None:
    task = Task(stoppable=False)
    told: list[CIMError] = []

    def ask() -> None:
        try:
            site.run(task, patience=None)
        except CIMError as error:
            told.append(error)

    client = threading.Thread(target=ask)
    client.start()
    assert task.began.wait(60)
    site.site.jobs.stop(0.05)
    client.join(60)
    assert [each.status for each in told] == [Status.SERVER_IS_SHUTTING_DOWN]
    task.may_end.set()


def test_a_job_from_beginning_to_end(site: Site) -> None:
    task = Task(MethodResult(0, {"Pool": POOL}))
    before = datetime.now(UTC)
    name = site.start(task)
    assert task.began.wait(60)
    shown = site.job(name)
    assert (shown["JobState"], shown["OperationalStatus"], shown["PercentComplete"]) == (4, [2], 25)
    assert (shown["Name"], shown["Owner"], shown["JobStatus"]) == ("DoSomething", "ann", "Running")
    assert before <= shown["TimeSubmitted"] <= shown["StartTime"] <= datetime.now(UTC)
    assert shown["ElapsedTime"] == timedelta(0)
    assert (shown["ErrorCode"], "JobOutParameters" in shown, "ErrorDescription" in shown) == (0, False, False)
    task.may_end.set()
    shown = site.wait(name)
    assert (shown["JobState"], shown["OperationalStatus"], shown["PercentComplete"]) == (7, [2, 17], 100)
    assert shown["TimeBeforeRemoval"] == timedelta(minutes=5)
    assert shown["DeleteOnCompletion"]
    out: dict[str, CIMValue] = {"__ReturnValue": 0, "Pool": '/root/virt:KVM_DiskPool.InstanceID="DiskPool/images"'}
    assert shown["JobOutParameters"] == EmbeddedInstance("Virt_JobOutParameters", out)
    assert site.call(name, "GetErrors") == Outcome(0, {})
    assert site.call(name, "GetError") == Outcome(0, {})


def test_a_handle_is_made_anew_when_the_job_changes(site: Site) -> None:
    task = Task()
    name = site.start(task)
    assert task.began.wait(60)
    one, two = (site.get("KVM_ConcreteJob", InstanceID=name) for _ in range(2))
    assert one.revision == two.revision
    task.may_end.set()
    site.wait(name)
    assert site.get("KVM_ConcreteJob", InstanceID=name).revision != one.revision


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        (
            LibvirtError("pool is full", 38, 18, 2),
            38,
            {
                "OwningEntity": "libvirt",
                "MessageID": "libvirt:38",
                "CIMStatusCode": 1,
                "ErrorType": 4,
                "MessageArguments": ["code=38", "domain=18", "level=2"],
                "Message": "DoSomething failed: pool is full",
            },
        ),
        (
            CIMError(Status.ACCESS_DENIED, "not for you"),
            2,
            {
                "OwningEntity": "virtcim",
                "MessageID": "CIM:2",
                "CIMStatusCode": 2,
                "ErrorType": 7,
                "Message": "not for you",
            },
        ),
        (
            ZeroDivisionError("x"),
            1,
            {
                "OwningEntity": "virtcim",
                "CIMStatusCode": 1,
                "Message": "DoSomething failed: internal error (ZeroDivisionError)",
            },
        ),
    ],
)
def test_a_job_that_fails(
    site: Site, classes: ClassStore, error: Exception, code: int, expected: dict[str, Any]
) -> None:
    task = Task(error)
    task.may_end.set()
    name = site.start(task)
    shown = site.wait(name)
    assert (shown["JobState"], shown["OperationalStatus"], shown["ErrorCode"]) == (10, [6, 17], code)
    assert (shown["ErrorDescription"], shown["HealthState"]) == (expected["Message"], 25)
    (told,) = site.call(name, "GetErrors").out["Errors"]
    assert told == site.call(name, "GetError").out["Error"]
    assert told.class_name == "CIM_Error"
    assert {key: told.properties[key] for key in expected} == expected
    assert {key.lower() for key in told.properties} <= set(classes["CIM_Error"].properties)


def test_nothing_of_the_work_is_kept(site: Site) -> None:
    class Data:
        pass

    def fail(data: Data, _work: Work) -> MethodResult:
        raise CIMError(Status.FAILED, f"with {data}")

    data = Data()
    alive = weakref.ref(data)
    name = site.start(functools.partial(fail, data))
    site.wait(name)
    del data
    deadline = time.monotonic() + 60
    while alive() is not None:
        assert time.monotonic() < deadline
        gc.collect()
        time.sleep(0.002)


def test_what_failed_work_held_is_let_go_without_a_collection() -> None:
    """A connection to libvirt is closed when nobody has it any more, and a collection may be long in coming."""
    site = Site(JobSettings(grace=10))
    held: list[weakref.ref[object]] = []

    class Connection:
        pass

    def fail(_: Work) -> MethodResult:
        connection = Connection()
        held.append(weakref.ref(connection))
        try:
            raise ValueError("refused")
        except ValueError as error:
            raise CIMError(Status.FAILED, f"{type(connection).__name__}: {error}") from error

    gc.disable()
    try:
        with contextlib.suppress(CIMError):
            site.run(fail)
        assert [each() for each in held] == [None]
    finally:
        gc.enable()


def test_a_job_that_is_over_goes_without_a_collection() -> None:
    site = Site(JobSettings(grace=10))
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        site.run(lambda work: MethodResult(0))
        gc.collect()
        assert not {type(each).__name__ for each in gc.garbage} & {"Job", "Work", "JobRecord"}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_work_ends_with_an_error_that_is_its_own_cause() -> None:
    site = Site(JobSettings(grace=10))

    def fail(_: Work) -> MethodResult:
        error = CIMError(Status.FAILED, "refused")
        raise error from error

    with pytest.raises(CIMError, match="refused"):
        site.run(fail)


def test_a_return_value_other_than_success_is_a_failure(site: Site) -> None:
    task = Task(MethodResult(6))
    task.may_end.set()
    shown = site.wait(site.start(task))
    assert (shown["JobState"], shown["ErrorDescription"]) == (10, "DoSomething gave back 6")
    assert shown["JobOutParameters"].properties == {"__ReturnValue": 6}


@pytest.mark.parametrize(("request_", "state"), [(TERMINATE, 8), (KILL, 9)])
def test_a_job_is_ended(site: Site, request_: int, state: int) -> None:
    task = Task()
    name = site.start(task)
    assert task.began.wait(60)
    assert site.ask(name, request_) == 0
    shown = site.job(name)
    assert (shown["JobState"], shown["OperationalStatus"], shown["ErrorCode"]) == (state, [10, 17], 0)
    assert task.undone
    for again in (TERMINATE, KILL, SUSPEND, START):
        assert site.ask(name, again) == 4097


def test_a_job_is_suspended_and_goes_on(site: Site) -> None:
    task = Task()
    name = site.start(task)
    assert task.began.wait(60)
    assert site.ask(name, START) == 4097
    assert site.ask(name, SUSPEND) == 0
    assert (site.job(name)["JobState"], site.job(name)["OperationalStatus"]) == (5, [10])
    assert site.ask(name, SUSPEND) == 4097
    task.may_end.set()
    job = site.site.jobs.find(name)
    assert job is not None
    assert not job.over.wait(0.05)
    assert site.ask(name, START) == 0
    assert site.wait(name)["JobState"] == 7


def test_a_suspended_job_can_be_ended(site: Site) -> None:
    task = Task()
    name = site.start(task)
    assert task.began.wait(60)
    assert (site.ask(name, SUSPEND), site.ask(name, TERMINATE)) == (0, 0)
    assert site.job(name)["JobState"] == 8


def test_work_that_cannot_be_stopped_is_not_said_to_be(site: Site) -> None:
    task = Task(stoppable=False)
    name = site.start(task)
    assert task.began.wait(60)
    assert [site.ask(name, state) for state in (SUSPEND, TERMINATE, KILL)] == [1, 1, 1]
    assert site.call(name, "KillJob", DeleteOnKill=True).return_value == 1
    assert site.job(name)["JobState"] == 4
    task.may_end.set()
    assert site.wait(name)["JobState"] == 7


def test_requests_that_mean_nothing(site: Site) -> None:
    task = Task()
    name = site.start(task)
    assert task.began.wait(60)
    assert [site.ask(name, state) for state in (None, 0, 7, 99)] == [5, 5, 5, 5]
    assert site.ask(name, SERVICE_STATE) == 1
    assert site.ask(name, TERMINATE, TimeoutPeriod=datetime.now(UTC)) == 5
    assert site.job(name)["JobState"] == 4


def test_a_time_limit_for_ending(site: Site) -> None:
    stopping = threading.Event()
    may_end = threading.Event()

    def slow(work: Work) -> MethodResult:
        try:
            with work.stoppable():
                stopping.set()
                while True:
                    work.checkpoint()
                    time.sleep(0.002)
        finally:
            may_end.wait(60)

    name = site.start(slow)
    assert stopping.wait(60)
    assert site.ask(name, TERMINATE, TimeoutPeriod=timedelta(milliseconds=20)) == 3
    assert (site.job(name)["JobState"], site.job(name)["OperationalStatus"]) == (6, [9])
    may_end.set()
    assert site.wait(name)["JobState"] == 8


def test_what_interrupts_a_blocking_call_ends_it(site: Site) -> None:
    began, aborted = threading.Event(), threading.Event()

    def blocking(work: Work) -> MethodResult:
        with work.stoppable(aborted.set):
            began.set()
            aborted.wait(60)
            raise LibvirtError("operation aborted: canceled by client", 78)

    name = site.start(blocking)
    assert began.wait(60)
    assert site.ask(name, SUSPEND) == 1
    assert site.ask(name, TERMINATE) == 0
    assert site.job(name)["JobState"] == 8


def test_a_call_that_was_done_before_it_was_interrupted_counts(site: Site) -> None:
    began, interrupted = threading.Event(), threading.Event()

    def blocking(work: Work) -> MethodResult:
        with work.stoppable(interrupted.set):
            began.set()
            interrupted.wait(60)
        return MethodResult(0)

    name = site.start(blocking)
    assert began.wait(60)
    assert site.ask(name, TERMINATE) == 4
    assert site.job(name)["JobState"] == 7


def test_kill_job_of_old_clients(site: Site) -> None:
    first, second = Task(), Task()
    one, two = site.start(first), site.start(second)
    assert first.began.wait(60)
    assert second.began.wait(60)
    assert site.call(one, "KillJob", DeleteOnKill=False).return_value == 0
    assert site.wait(one)["JobState"] == 9
    assert site.call(one, "KillJob", DeleteOnKill=False).return_value == 4
    assert site.call(two, "KillJob", DeleteOnKill=True).return_value == 0
    assert site.site.jobs.find(two) is None


def test_jobs_wait_for_their_turn_and_are_refused_when_too_many_do() -> None:
    site = Site(JobSettings(grace=0.0, workers=1, waiting=1))
    first, second = Task(), Task()
    one, two = site.start(first), site.start(second)
    assert (site.job(two)["JobState"], site.job(two)["OperationalStatus"]) == (2, [15])
    assert "StartTime" not in site.job(two)
    with pytest.raises(CIMError, match="1 jobs wait already") as refused:
        site.run(Task())
    assert refused.value.status is Status.SERVER_LIMITS_EXCEEDED
    assert site.ask(two, SUSPEND) == 4097
    assert site.ask(two, TERMINATE) == 0
    assert site.job(two)["JobState"] == 8
    assert not second.began.is_set()
    third = Task()
    site.start(third)
    first.may_end.set()
    assert site.wait(one)["JobState"] == 7
    assert third.began.wait(60)
    site.site.jobs.stop(5)


def test_what_merely_waits_is_not_put_behind_what_works() -> None:
    site = Site(JobSettings(grace=0.0, workers=1, waiting=0, waiters=2))
    works, waits = Task(), [Task(), Task()]
    site.start(works)
    for task in waits:
        site.start(task, takes_worker=False)
        assert task.began.wait(60)
    with pytest.raises(CIMError, match="2 jobs wait already") as refused:
        site.run(Task(), takes_worker=False)
    assert refused.value.status is Status.SERVER_LIMITS_EXCEEDED
    waits[0].may_end.set()
    deadline = time.monotonic() + 60
    while len(site.site.jobs._running) > 2:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    with pytest.raises(CIMError, match="0 jobs wait already"):
        site.run(Task())
    site.site.jobs.stop(5)


def test_without_grace_all_work_becomes_a_job(site: Site) -> None:
    task = Task()
    task.may_end.set()
    assert site.wait(site.start(task, grace=20.0))["JobState"] == 7


def test_what_a_job_belongs_to(site: Site) -> None:
    task = Task(MethodResult(0, {"Pool": POOL}))
    name = site.start(task)
    job = site.get("KVM_ConcreteJob", InstanceID=name)
    owning, affected = site.relation("OwningJobElement"), site.relation("AffectedJobElement")
    service = site.get(SERVICE.class_name, **SERVICE.keys)
    guest = site.get(GUEST.class_name, **GUEST.keys)
    pool = site.get(POOL.class_name, **POOL.keys)
    assert [each.identity for each in owning.to_left(job, CONTEXT)] == [service.identity]
    assert [each.identity for each in owning.to_right(service, CONTEXT)] == [name]
    assert [each.identity for each in affected.to_left(job, CONTEXT)] == [guest.identity]
    assert list(affected.to_right(pool, CONTEXT)) == []
    task.may_end.set()
    site.wait(name)
    job = site.get("KVM_ConcreteJob", InstanceID=name)
    assert [each.identity for each in affected.to_left(job, CONTEXT)] == [guest.identity, pool.identity]
    assert [each.identity for each in affected.to_right(pool, CONTEXT)] == [name]
    assert affected.properties(guest, job) == {"ElementEffects": [2, 3]}
    assert affected.properties(pool, job) == {"ElementEffects": [5]}
    assert {each.identity for each in affected.sources("KVM_AffectedJobElement", CONTEXT)} == {
        guest.identity,
        pool.identity,
    }
    assert list(affected.sources("Xen_AffectedJobElement", CONTEXT)) == []


def test_an_element_that_is_gone_is_left_out(site: Site) -> None:
    gone = InstancePath("KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem", "Name": "gone"})
    task = Task()
    task.may_end.set()
    name = site.start(task, affected=[Affected(gone, (2,))], owner=None)
    site.wait(name)
    job = site.get("KVM_ConcreteJob", InstanceID=name)
    assert list(site.relation("AffectedJobElement").to_left(job, CONTEXT)) == []
    assert list(site.relation("OwningJobElement").to_left(job, CONTEXT)) == []


def test_the_call_and_what_it_gave_back(site: Site, classes: ClassStore) -> None:
    task = Task(MethodResult(0, {"Pool": POOL}))
    name = site.start(task)
    shown = site.job(name, "MethodResult")
    assert "PostCallIndication" not in shown
    before = shown["PreCallIndication"]
    assert (before.class_name, before.properties["MethodName"], before.properties["PreCall"]) == (
        "CIM_InstMethodCall",
        "DoSomething",
        True,
    )
    task.may_end.set()
    site.wait(name)
    after = site.job(name, "MethodResult")["PostCallIndication"]
    assert after.properties["ReturnValue"] == "0"
    assert after.properties["MethodParameters"] == site.job(name)["JobOutParameters"]
    assert {key.lower() for key in after.properties} <= set(classes["CIM_InstMethodCall"].properties)
    relation = site.relation("AssociatedJobMethodResult")
    (result,) = relation.to_right(site.get("KVM_ConcreteJob", InstanceID=name), CONTEXT)
    assert result.keys() == {"InstanceID": name}
    assert [each.identity for each in relation.to_left(result, CONTEXT)] == [name]


def test_properties_agree_with_the_class(site: Site, classes: ClassStore) -> None:
    task = Task(CIMError(Status.FAILED, "x"))
    task.may_end.set()
    name = site.start(task)
    site.wait(name)
    for base in ("ConcreteJob", "MethodResult"):
        assert {key.lower() for key in site.job(name, base)} <= set(classes[f"KVM_{base}"].properties)


def test_every_output_parameter_of_a_method_can_be_shown(site: Site, classes: ClassStore) -> None:
    shown = classes["Virt_JobOutParameters"].properties
    for name in site.providers:
        for method in classes[name].methods.values():
            out = {key: each for key, each in method.parameters.items() if each.is_out}
            if "job" in out and method.name != "DownloadVolume":
                for key, each in out.items():
                    assert key == "job" or shown[key].is_array == each.is_array, (name, method.name, key)
    assert {each.name for each in shown.values()} == {"__ReturnValue", *OUT_PARAMETERS}


def test_what_is_more_urgent_begins_sooner() -> None:
    site = Site(JobSettings(grace=0.0, workers=1))
    first, order = Task(), []

    def note(name: str) -> Callable[[Work], MethodResult]:
        def run(_: Work) -> MethodResult:
            order.append(name)
            return MethodResult(0)

        return run

    site.start(first)
    assert first.began.wait(60)
    for name, priority in (("late", 9), ("usual", 0), ("also usual", 0), ("soon", -1)):
        site.start(note(name), priority=priority)
    first.may_end.set()
    for each in site.instances("KVM_ConcreteJob"):
        site.wait(str(each.identity))
    assert order == ["soon", "usual", "also usual", "late"]


def test_work_can_say_that_it_cannot_be_ended_any_more() -> None:
    work = Work()
    answers = iter((False, None))

    def run() -> None:
        with work.stoppable(lambda: next(answers)):
            assert not work.cancel()
            assert work.cancel()
            raise RuntimeError("interrupted")

    with pytest.raises(WorkCancelledError):
        run()


def test_a_migration_is_a_job_of_its_own_class(site: Site) -> None:
    task = Task()
    task.may_end.set()
    name = site.start(task, base="MigrationJob")
    assert [each.identity for each in site.instances("KVM_MigrationJob")] == [name]
    assert not site.instances("KVM_ConcreteJob")
    with pytest.raises(CIMError):
        site.get("KVM_ConcreteJob", InstanceID=name)


def modify(site: Site, name: str, **properties: Any) -> None:
    site.providers["KVM_ConcreteJob"].modify_instance("KVM_ConcreteJob", {"InstanceID": name}, properties, CONTEXT)


def test_a_job_is_removed_in_time(site: Site) -> None:
    task = Task()
    name = site.start(task)
    removed = threading.Event()
    site.site.jobs.listeners.append(lambda before, after: removed.set() if after is None else None)
    modify(site, name, TimeBeforeRemoval=timedelta(milliseconds=50))
    assert not removed.wait(0.1)
    task.may_end.set()
    site.wait(name)
    assert removed.wait(60)
    with pytest.raises(CIMError) as gone:
        site.job(name)
    assert gone.value.status is Status.NOT_FOUND


def test_a_job_is_kept_and_deleted_by_the_client(site: Site) -> None:
    task = Task()
    name = site.start(task)
    modify(site, name, DeleteOnCompletion=False, TimeBeforeRemoval=timedelta(0), InstanceID=name)
    provider = site.providers["KVM_ConcreteJob"]
    with pytest.raises(CIMError, match="is not over"):
        provider.delete_instance("KVM_ConcreteJob", {"InstanceID": name}, CONTEXT)
    task.may_end.set()
    assert not site.wait(name)["DeleteOnCompletion"]
    time.sleep(0.02)
    assert site.instances("KVM_ConcreteJob")
    provider.delete_instance("KVM_ConcreteJob", {"InstanceID": name}, CONTEXT)
    assert not site.instances("KVM_ConcreteJob")


def test_refused_modifications(site: Site) -> None:
    task = Task()
    name = site.start(task)
    with pytest.raises(CIMError, match="Priority cannot be modified"):
        modify(site, name, Priority=3)
    with pytest.raises(CIMError, match="is not an interval"):
        modify(site, name, TimeBeforeRemoval=datetime.now(UTC))


def test_only_so_many_jobs_are_kept() -> None:
    site = Site(JobSettings(grace=0.0, limit=3))
    names = []
    for _ in range(5):
        task = Task()
        task.may_end.set()
        names.append(site.start(task))
        site.wait(names[-1])
    assert [each.identity for each in site.instances("KVM_ConcreteJob")] == names[2:]
    site.site.jobs.stop(5)


def order(task: Callable[[Work], MethodResult]) -> JobOrder:
    return JobOrder("KVM", "DoSomething", task, owner=SERVICE, affected=[Affected(GUEST, (2,))], principal="ann")


def test_jobs_survive_a_restart(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "state.sqlite")
    jobs = Jobs(HASTY, store)
    done, failed, running = Task(MethodResult(0, {"Pool": POOL})), Task(LibvirtError("full", 38)), Task()
    for task in (done, failed):
        task.may_end.set()
        jobs.run(order(task))
    for job in jobs.all("KVM", "root/virt"):
        assert job.over.wait(60)

    def leave(work: Work) -> MethodResult:
        work.set_leftover("storage volume 'x', unfinished")
        return running(work)

    jobs.run(order(leave))
    assert running.began.wait(60)
    records = {job.record.state: job.record for job in jobs.all("KVM", "root/virt")}
    assert store.flush(10)
    later = SQLiteStore(tmp_path / "state.sqlite")
    again = Jobs(HASTY, later)
    found = [job.record for job in again.all("KVM", "root/virt")]
    assert found[0] == records[JobState.COMPLETED]
    assert found[1] == records[JobState.EXCEPTION]
    assert (found[2].state, found[2].instance_id) == (JobState.EXCEPTION, records[JobState.RUNNING].instance_id)
    assert found[2].errors[0].message == (
        "The server ended while the job was under way; what it had made stands: storage volume 'x', unfinished"
    )
    running.may_end.set()
    jobs.stop(5)
    again.stop(5)
    for each in (store, later):
        each.close()


def test_what_a_client_was_told_of_a_job_survives_a_kill(tmp_path: Path) -> None:
    """It is on disk when the method answers, and what the work begins when it goes on after having said so."""
    database = tmp_path / "state.sqlite"
    store = SQLiteStore(database)
    jobs = Jobs(HASTY, store)
    known = threading.Event()
    seen: list[JobRecord] = []

    def begin(work: Work) -> MethodResult:
        assert known.wait(60)
        work.tell({"uuid": "42"})
        work.set_leftover("guest 'g' is on its way")
        seen.extend(record for _, record in read_table(database, "job", JobRecord))
        return MethodResult(0)

    job = jobs.find(str(outcome(jobs.run(order(begin))).out["Job"].keys["InstanceID"]))
    assert job is not None
    assert [key for key, _ in read_table(database, "job", JobRecord)] == [job.record.instance_id]
    known.set()
    assert job.over.wait(60)
    assert [(each.left, each.figures) for each in seen] == [("guest 'g' is on its way", {"uuid": "42"})]
    store.close()


def test_jobs_are_found_again_after_a_restart(tmp_path: Path) -> None:
    """As far as somebody else has gone on with their work; what was known of them stays known."""
    store = SQLiteStore(tmp_path / "state.sqlite")
    jobs = Jobs(HASTY, store)
    tasks = [Task(), Task(), Task()]
    names = []
    for number, task in enumerate(tasks):

        def begin(work: Work, task: Task = task, number: int = number) -> MethodResult:
            work.tell({"number": number})
            work.report(40, 100)
            return task(work)

        names.append(str(outcome(jobs.run(order(begin))).out["Job"].keys["InstanceID"]))
        assert task.began.wait(60)
    assert store.flush(10)
    later = SQLiteStore(tmp_path / "state.sqlite")
    again = Jobs(HASTY, later, adopting=True)
    going_on = threading.Event()

    def find(record: JobRecord) -> Callable[[Work], MethodResult] | None:
        def wait(work: Work) -> MethodResult:
            assert going_on.wait(60)
            return MethodResult(0, {"Pool": POOL})

        def fail(work: Work) -> MethodResult:
            raise CIMError(Status.FAILED, "it has ended badly")

        return (wait, fail, None)[int(str(record.figures["number"]))]

    assert {job.record.state for job in again.all("KVM", "root/virt")} == {JobState.RUNNING}
    again.adopt(find)
    found = [again.find(name) for name in names]
    assert all(found)
    first, second, third = (job for job in found if job is not None)
    assert second.over.wait(60)
    assert third.over.wait(60)
    assert (first.record.state, first.percent, first.figures["number"]) == (JobState.RUNNING, 40, 0)
    going_on.set()
    assert first.over.wait(60)
    assert (first.record.state, first.record.out["Pool"]) == (JobState.COMPLETED, POOL)
    assert (second.record.state, second.record.errors[0].message) == (JobState.EXCEPTION, "it has ended badly")
    assert third.record.errors[0].message == "The server ended while the job was under way"
    for task in tasks:
        task.may_end.set()
    jobs.stop(5)
    again.stop(5)
    for each in (store, later):
        each.close()


def test_jobs_that_run_when_the_server_stops(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "state.sqlite")
    jobs = Jobs(JobSettings(grace=0.0, workers=2), store)
    stoppable, stuck, waiting = Task(), Task(stoppable=False), Task()
    names = [str(outcome(jobs.run(order(task))).out["Job"].keys["InstanceID"]) for task in (stoppable, stuck, waiting)]
    assert stoppable.began.wait(60)
    assert stuck.began.wait(60)
    jobs.stop(0.1)
    assert stoppable.undone
    with pytest.raises(CIMError) as refused:
        jobs.run(order(Task()))
    assert refused.value.status is Status.SERVER_IS_SHUTTING_DOWN
    store.close()
    later = SQLiteStore(tmp_path / "state.sqlite")
    again = Jobs(HASTY, later)
    states = {job.record.instance_id: job.record.state for job in again.all("KVM", "root/virt")}
    assert states == dict(zip(names, (JobState.TERMINATED, JobState.EXCEPTION, JobState.EXCEPTION), strict=True))
    stuck.may_end.set()
    again.stop(1)
    later.close()


def test_what_is_due_when_the_server_starts_is_removed(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "state.sqlite")
    jobs = Jobs(JobSettings(grace=0.0, retention=0.0), store)
    task = Task()
    name = str(outcome(jobs.run(order(task))).out["Job"].keys["InstanceID"])
    jobs._closing = True  # a server that is killed removes nothing
    task.may_end.set()
    job = jobs.find(name)
    assert job is None or job.over.wait(60)
    store.close()
    later = SQLiteStore(tmp_path / "state.sqlite")
    assert not Jobs(HASTY, later).all("KVM", "root/virt")
    later.close()
    last = SQLiteStore(tmp_path / "state.sqlite")
    assert not last.table("job", JobRecord).items()
    last.close()


def test_reading_a_job_does_not_wait_for_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer waits for the lock of another process until that gives it up: jobs are made and ended before."""
    monkeypatch.setattr("virtcim.app.store.BUSY_TIMEOUT", 3600.0)
    database = tmp_path / "state.sqlite"
    store = SQLiteStore(database)
    jobs = Jobs(HASTY, store)
    done = threading.Event()

    def work() -> None:
        for number in range(50):
            task = Task()
            task.may_end.set()
            name = str(outcome(jobs.run(order(task))).out["Job"].keys["InstanceID"])
            job = jobs.find(name)
            assert job is not None
            assert job.over.wait(60)
            assert len(jobs.all("KVM", "root/virt")) == number + 1
        assert not store.flush(0)
        done.set()

    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        threading.Thread(target=work, daemon=True).start()
        assert done.wait(60)
        other.execute("ROLLBACK")
    assert store.flush(10)
    store.close()
    later = SQLiteStore(database)
    assert len(later.table("job", JobRecord)) == 50
    later.close()


def test_what_cannot_be_taken_back_is_named() -> None:
    def fail() -> None:
        raise failure(libvirt.VIR_ERR_INTERNAL_ERROR, "no space")

    done: list[str] = []
    error = failure(libvirt.VIR_ERR_INTERNAL_ERROR, "failed")
    clean = undone(error, "volume 'v'", lambda: done.append("destroy"), lambda: done.append("undefine"))
    assert (str(clean), done) == ("failed", ["destroy", "undefine"])
    assert str(undone(error, "volume 'v'", fail)) == "failed; this stands: volume 'v' (no space)"
    ended = WorkCancelledError()
    assert undone(ended, "volume 'v'", lambda: None) is ended
    assert str(undone(ended, "volume 'v'", fail)) == "ended by a client; this stands: volume 'v' (no space)"


def test_listeners_are_told(site: Site) -> None:
    told: list[tuple[JobState | None, JobState | None]] = []

    def listen(before: JobRecord | None, after: JobRecord | None) -> None:
        told.append((None if before is None else before.state, None if after is None else after.state))
        raise ValueError("a listener that fails")

    site.site.jobs.listeners.append(listen)
    task = Task()
    name = site.start(task)
    assert task.began.wait(60)
    task.may_end.set()
    site.wait(name)
    job = site.site.jobs.find(name)
    assert job is not None
    assert site.site.jobs.remove(job)
    assert told[0] == (None, JobState.RUNNING)
    assert told[-2:] == [(JobState.RUNNING, JobState.COMPLETED), (JobState.COMPLETED, None)]


@pytest.mark.parametrize(("level", "severity"), [(None, 5), (libvirt.VIR_ERR_WARNING, 3), (libvirt.VIR_ERR_ERROR, 5)])
def test_a_warning_of_libvirt_is_one_of_the_job(level: int | None, severity: int) -> None:
    shown = cim_error(JobError("<domain> is running", 1, 55, 10, level))
    assert shown.properties["PerceivedSeverity"] == severity

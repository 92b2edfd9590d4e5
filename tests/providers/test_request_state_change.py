"""RequestStateChange on libvirt's test driver: every request from every state, and what can go wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.providers.outcome import outcome
from tests.providers.poolservice import COMPLETED, EXCEPTION, RUNNING, TERMINATED
from tests.providers.recorded import CONTEXT, PATIENT, Served, domain_xml, hypervisor, platform
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.libhelper.states import DomainState, PausedReason
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.requested import without_own_metadata
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.states import RequestedState
from virtcim.providers.Virt_ComputerSystem.transitions import POWER_CYCLE, START, Transition

CLASS = "Test_ComputerSystem"
KEYS = {"CreationClassName": CLASS, "Name": "guest"}

NODE = """<node><domain type='test'><name>guest</name><uuid>00000000-0000-4000-8000-000000000001</uuid>
<memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain></node>"""

UNKNOWN, ENABLED, DISABLED, SHUT_DOWN, NO_CHANGE, OFFLINE, QUIESCE, REBOOT, RESET = 0, 2, 3, 4, 5, 6, 9, 10, 11
NOT_SUPPORTED, NO_TIME, INVALID, TRANSITION, BUSY, JOB_STARTED = 1, 3, 5, 4097, 4099, 4096
TERMINATE = 4

#: From which state which requests lead where; all others are invalid state transitions.
WAYS: dict[int, dict[int, int]] = {
    ENABLED: {
        DISABLED: DISABLED,
        SHUT_DOWN: DISABLED,
        OFFLINE: OFFLINE,
        QUIESCE: QUIESCE,
        REBOOT: ENABLED,
        RESET: ENABLED,
    },
    DISABLED: {ENABLED: ENABLED},
    QUIESCE: {ENABLED: ENABLED, DISABLED: DISABLED, OFFLINE: OFFLINE, RESET: ENABLED},
    OFFLINE: {ENABLED: ENABLED, DISABLED: DISABLED},
}
REQUESTS = (ENABLED, DISABLED, SHUT_DOWN, OFFLINE, QUIESCE, REBOOT, RESET)

#: How to bring a running guest into a state.
PREPARE: dict[int, Callable[[libvirt.virDomain], Any]] = {
    ENABLED: lambda domain: None,
    DISABLED: lambda domain: domain.destroy(),
    QUIESCE: lambda domain: domain.suspend(),
    OFFLINE: lambda domain: domain.managedSave(0),
}


class Driver(Served):
    """A site on a node of the test driver."""

    def __init__(self, uri: str, read_only: bool = False, settings: ProviderSettings | None = None) -> None:
        self.hypervisor = Hypervisor(uri, HypervisorSettings(read_only=read_only, interval=0.5))
        self.hypervisor.start()
        assert self.hypervisor.wait_ready(60)
        super().__init__([(platform("Test"), self.hypervisor)], settings)

    def request(self, state: Any, **parameters: Any) -> int:
        given = {"RequestedState": state, **parameters}
        result = self.providers[CLASS].invoke_method(CLASS, KEYS, "RequestStateChange", given, CONTEXT)
        return int(outcome(result).return_value)

    def act(self, action: Callable[[libvirt.virDomain], Any]) -> None:
        """Do something behind the server's back."""
        with self.hypervisor.domains.handle("guest") as domain:
            action(domain)

    @property
    def state(self) -> int:
        return int(self.guest("guest", "Test")["EnabledState"])

    def until(self, state: int) -> None:
        deadline = time.monotonic() + 60
        while self.state != state:
            assert time.monotonic() < deadline, self.state
            time.sleep(0.005)


@pytest.fixture
def node(tmp_path: Path) -> str:
    file = tmp_path / "node.xml"
    file.write_text(NODE)
    return f"test://{file}"


@pytest.fixture
def driver(node: str) -> Iterator[Driver]:
    made = Driver(node)
    yield made
    made.hypervisor.stop()


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("state", WAYS)
def test_every_request_from_every_state(driver: Driver, state: int, request_: int) -> None:
    driver.act(PREPARE[state])
    driver.until(state)
    offered = driver.guest("guest", "Test")["AvailableRequestedStates"]
    assert (request_ in offered) == (request_ in WAYS[state])
    if request_ in WAYS[state]:
        assert driver.request(request_) == 0
        assert driver.state == WAYS[state][request_]
        assert driver.guest("guest", "Test")["RequestedState"] == request_
    else:
        assert driver.request(request_) == TRANSITION
        assert driver.state == state
        assert driver.guest("guest", "Test")["RequestedState"] == UNKNOWN


def test_what_was_requested_goes_with_the_guest(driver: Driver) -> None:
    """Another guest with its UUID, made without our metadata, has had no request yet."""
    assert driver.request(DISABLED) == 0
    assert driver.request(ENABLED) == 0
    assert driver.guest("guest", "Test")["RequestedState"] == ENABLED
    definitions: list[str] = []

    def remove(domain: libvirt.virDomain) -> None:
        definitions.append(without_own_metadata(domain.XMLDesc()))
        domain.destroy()
        domain.undefine()

    driver.act(remove)
    deadline = time.monotonic() + 60
    while driver.hypervisor.inventory.domains() or driver.site.requested_states._requested:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    driver.hypervisor.ask("define", lambda connection: connection.defineXML(definitions[0]), 20)
    assert driver.hypervisor.inventory.wait_for(lambda inventory: bool(inventory.domains()), 60)
    assert driver.guest("guest", "Test")["RequestedState"] == UNKNOWN


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (7, NOT_SUPPORTED),
        (8, NOT_SUPPORTED),
        (0, INVALID),
        (1, INVALID),
        (5, INVALID),
        (12, INVALID),
        (13, INVALID),
        (32768, INVALID),
        (65535, INVALID),
    ],
)
def test_states_that_cannot_be_requested(driver: Driver, request_: int, code: int) -> None:
    assert driver.request(request_) == code
    assert driver.state == ENABLED


def test_changes_show_when_the_answer_comes(driver: Driver) -> None:
    for _ in range(20):
        assert driver.request(QUIESCE) == 0
        assert driver.state == QUIESCE
        assert driver.request(ENABLED) == 0
        assert driver.state == ENABLED
    assert driver.guest("guest", "Test")["TimeOfLastStateChange"].tzinfo is not None


@pytest.mark.parametrize("timeout", [timedelta(0), timedelta(seconds=5), None])
def test_time_limits_that_can_be_kept(driver: Driver, timeout: timedelta | None) -> None:
    assert driver.request(SHUT_DOWN, TimeoutPeriod=timeout) == 0
    assert driver.state == DISABLED


def test_time_limit_that_is_a_point_in_time(driver: Driver) -> None:
    assert driver.request(SHUT_DOWN, TimeoutPeriod=datetime.now(UTC)) == INVALID


@pytest.mark.parametrize(
    ("keys", "parameters", "status", "text"),
    [
        (KEYS, {}, Status.INVALID_PARAMETER, "Invalid RequestedState"),
        (KEYS, {"RequestedState": None}, Status.INVALID_PARAMETER, "Invalid RequestedState"),
        (
            None,
            {"RequestedState": 2},
            Status.INVALID_PARAMETER,
            f"{CLASS} was named alone; expected an instance of it",
        ),
        ({"CreationClassName": CLASS}, {"RequestedState": 2}, Status.FAILED, "Name key not specified"),
        (
            {**KEYS, "Name": "gone"},
            {"RequestedState": 2},
            Status.INVALID_PARAMETER,
            "Unable to get instance for guest 'gone'",
        ),
        (
            {**KEYS, "CreationClassName": "X"},
            {"RequestedState": 2},
            Status.NOT_FOUND,
            "No such instance (CreationClassName)",
        ),
    ],
)
def test_bad_arguments(
    driver: Driver, keys: dict[str, str] | None, parameters: dict[str, Any], status: Status, text: str
) -> None:
    with pytest.raises(CIMError) as caught:
        driver.providers[CLASS].invoke_method(CLASS, keys, "RequestStateChange", parameters, CONTEXT)
    assert (caught.value.status, caught.value.description) == (status, text)


def test_other_methods_are_not_available(driver: Driver) -> None:
    with pytest.raises(CIMError) as caught:
        driver.providers[CLASS].invoke_method(CLASS, KEYS, "SetPowerState", {}, CONTEXT)
    assert caught.value.status is Status.METHOD_NOT_AVAILABLE


def test_read_only(node: str) -> None:
    site = Driver(node, read_only=True)
    try:
        with pytest.raises(CIMError) as caught:
            site.request(DISABLED)
        assert caught.value.status is Status.ACCESS_DENIED
        assert site.request(7) == NOT_SUPPORTED
        assert site.guest("guest", "Test")["AvailableRequestedStates"] == []
    finally:
        site.hypervisor.stop()


def test_the_requested_state_is_kept_with_the_guest(driver: Driver) -> None:
    assert driver.request(QUIESCE) == 0
    with driver.hypervisor.domains.handle("guest") as domain:
        assert "urn:virtcim:requested-state" in domain.XMLDesc()
    another = Served([(platform("Test"), driver.hypervisor)])
    eventually(lambda: another.guest("guest", "Test")["RequestedState"] == QUIESCE)


def test_a_guest_vanishes_while_it_is_asked(driver: Driver) -> None:
    """Transient guests are gone when they stop, and that is what was asked for."""
    driver.act(lambda domain: domain.undefine())
    eventually(lambda: "EnabledDefault" not in driver.guest("guest", "Test"))
    assert driver.request(OFFLINE) == NOT_SUPPORTED
    assert driver.request(DISABLED) == 0
    assert driver.instances(CLASS) == []


class Refusing:
    """Operations on domains, each of which answers every operation in one way.

    Attributes:
        rebooted: what tells of a reboot.
    """

    def __init__(self, answer: Callable[[], None]) -> None:
        self._answer = answer
        self.rebooted = threading.Event()

    def event_wait(self, domain: str, name: str) -> AbstractContextManager[threading.Event]:
        return nullcontext(self.rebooted)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: self._answer()

    def domain(self, uuid: str) -> None:
        raise LibvirtError("no connection")


def failing(code: int) -> Callable[[], None]:
    def fail() -> None:
        raise LibvirtError("it will not", code)

    return fail


def stopped_guest(answer: Callable[[], None], **settings: Any) -> Served:
    host = hypervisor("Test")
    host.put(domain_xml("guest"), active=True)
    host.domains = Refusing(answer)
    return Served([(platform("Test"), host)], ProviderSettings(**settings))


def ask(site: Served, state: int, **parameters: Any) -> int:
    given = {"RequestedState": state, **parameters}
    result = site.providers[CLASS].invoke_method(CLASS, KEYS, "RequestStateChange", given, CONTEXT)
    return int(outcome(result).return_value)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (libvirt.VIR_ERR_OPERATION_INVALID, TRANSITION),
        (libvirt.VIR_ERR_OPERATION_UNSUPPORTED, NOT_SUPPORTED),
        (libvirt.VIR_ERR_NO_SUPPORT, NOT_SUPPORTED),
        (libvirt.VIR_ERR_OPERATION_TIMEOUT, BUSY),
    ],
)
def test_what_libvirt_says_as_a_return_value(code: int, answer: int) -> None:
    assert ask(stopped_guest(failing(code)), QUIESCE) == answer


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (libvirt.VIR_ERR_INTERNAL_ERROR, Status.FAILED),
        (libvirt.VIR_ERR_NO_DOMAIN, Status.NOT_FOUND),
        (libvirt.VIR_ERR_NO_NETWORK, Status.FAILED),
        (libvirt.VIR_ERR_CONFIG_UNSUPPORTED, Status.FAILED),
        (libvirt.VIR_ERR_OPERATION_DENIED, Status.ACCESS_DENIED),
        (libvirt.VIR_ERR_ACCESS_DENIED, Status.ACCESS_DENIED),
    ],
)
@pytest.mark.parametrize("timeout", [None, timedelta(seconds=5)])
def test_what_libvirt_says_as_an_error(code: int, status: Status, timeout: timedelta | None) -> None:
    with pytest.raises(CIMError) as caught:
        ask(stopped_guest(failing(code)), QUIESCE, TimeoutPeriod=timeout)
    assert caught.value.status is status
    assert caught.value.description == "Unable to pause domain: it will not"
    assert caught.value.libvirt_code == code


def test_a_guest_that_does_not_shut_down() -> None:
    site = stopped_guest(lambda: None, shutdown_timeout=0.05, jobs=PATIENT)
    assert ask(site, SHUT_DOWN) == NO_TIME
    assert ask(site, SHUT_DOWN, TimeoutPeriod=timedelta(seconds=0.01)) == NO_TIME
    assert site.guest("guest", "Test")["RequestedState"] == SHUT_DOWN


def started_job(site: Served, state: int) -> dict[str, Any]:
    """The key of the job that a request becomes."""
    given = {"RequestedState": state}
    result = outcome(site.providers[CLASS].invoke_method(CLASS, KEYS, "RequestStateChange", given, CONTEXT))
    assert result.return_value == JOB_STARTED
    return dict(result.out["Job"].keys)


def ended(site: Served, key: dict[str, Any]) -> dict[str, Any]:
    job = site.site.jobs.find(key["InstanceID"])
    assert job is not None
    assert job.over.wait(60)
    return dict(site.get("Test_ConcreteJob", **key).properties())


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def terminate(site: Served, key: dict[str, Any]) -> None:
    """End a job as soon as it can be ended."""
    provider, parameters = site.providers["Test_ConcreteJob"], {"RequestedState": TERMINATE}
    eventually(
        lambda: (
            not provider.invoke_method("Test_ConcreteJob", key, "RequestStateChange", parameters, CONTEXT).return_value
        )
    )


def test_a_guest_that_takes_its_time_is_waited_for_by_a_job() -> None:
    """The client has its answer, and what it asked for is seen from then on."""
    site = stopped_guest(lambda: None, shutdown_timeout=3600.0, jobs=JobSettings(grace=0.01))
    key = started_job(site, SHUT_DOWN)
    assert site.guest("guest", "Test")["RequestedState"] == SHUT_DOWN
    shown = dict(site.get("Test_ConcreteJob", **key).properties())
    assert (shown["JobState"], shown["Name"]) == (RUNNING, "RequestStateChange Shut_down guest")
    other = started_job(site, SHUT_DOWN)
    terminate(site, key)
    assert ended(site, key)["JobState"] == TERMINATED
    guest = guest_named(site.site, platform("Test"), "guest")
    assert guest is not None
    guest.hypervisor.put(domain_xml("guest"))  # type: ignore[attr-defined]
    assert ended(site, other)["JobState"] == COMPLETED


@pytest.mark.parametrize("state", [SHUT_DOWN, REBOOT])
def test_what_is_waited_for_is_what_a_guest_is_on_its_way_to(state: int) -> None:
    """DSP1052: TransitioningToState, until nobody waits any more."""
    site = stopped_guest(lambda: None, shutdown_timeout=3600.0, jobs=JobSettings(grace=0.0))
    revisions: list[Hashable] = []

    def shown() -> tuple[int, int]:
        (system,) = site.instances(CLASS)
        revisions.append(system.revision)
        properties: dict[str, Any] = dict(system.properties())
        return properties["EnabledState"], properties["TransitioningToState"]

    assert shown() == (ENABLED, NO_CHANGE)
    first, second = started_job(site, state), started_job(site, state)
    eventually(lambda: shown() == (ENABLED, state))
    terminate(site, first)
    assert ended(site, first)["JobState"] == TERMINATED
    eventually(lambda: shown() == (ENABLED, state))
    guest: Any = guest_named(site.site, platform("Test"), "guest")
    if state == REBOOT:
        guest.hypervisor.domains.rebooted.set()
    else:
        guest.hypervisor.put(domain_xml("guest"))
    assert ended(site, second)["JobState"] == COMPLETED
    assert shown() == (ENABLED if state == REBOOT else DISABLED, NO_CHANGE)
    assert len(set(revisions)) >= 3


def test_a_guest_that_is_asked_for_nothing_any_more_is_on_no_way() -> None:
    """Whatever became of the request."""
    for answer in (failing(libvirt.VIR_ERR_OPERATION_INVALID), lambda: None):
        site = stopped_guest(answer, shutdown_timeout=0.01, jobs=PATIENT)
        assert ask(site, SHUT_DOWN) in (TRANSITION, NO_TIME)
        assert site.guest("guest", "Test")["TransitioningToState"] == NO_CHANGE


def test_a_job_whose_guest_does_not_follow_in_time() -> None:
    site = stopped_guest(lambda: None, shutdown_timeout=0.05, jobs=JobSettings(grace=0.0))
    shown = ended(site, started_job(site, SHUT_DOWN))
    assert shown["JobState"] == EXCEPTION
    assert shown["ErrorDescription"] == (
        "RequestStateChange gave back 3: Unable to shutdown domain in time: what was begun goes on"
    )


def test_a_request_that_libvirt_refuses_was_never_made() -> None:
    site = stopped_guest(failing(libvirt.VIR_ERR_OPERATION_INVALID))
    assert ask(site, QUIESCE) == TRANSITION
    assert site.guest("guest", "Test")["RequestedState"] == UNKNOWN


def test_what_is_asked_for_shows_while_libvirt_acts() -> None:
    """A second client, and an administrator, see what a guest is about to become."""
    began, release = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        release.wait(60)

    site = stopped_guest(wait, settle_timeout=0.01)
    asking = threading.Thread(target=ask, args=(site, QUIESCE))
    asking.start()
    assert began.wait(60)
    assert site.guest("guest", "Test")["RequestedState"] == QUIESCE
    release.set()
    asking.join(60)


def test_a_call_that_takes_longer_than_the_client_has() -> None:
    release, over = threading.Event(), threading.Event()

    def wait() -> None:
        release.wait(60)
        over.set()

    site = stopped_guest(wait)
    assert ask(site, DISABLED, TimeoutPeriod=timedelta(seconds=0.05)) == NO_TIME
    assert not over.is_set()
    release.set()


def test_success_that_does_not_show(caplog: pytest.LogCaptureFixture) -> None:
    """libvirt's word counts, even where the inventory does not follow."""
    assert ask(stopped_guest(lambda: None, settle_timeout=0.01, jobs=PATIENT), QUIESCE) == 0
    assert "not seen yet" in caplog.text


def test_a_reset_made_of_a_stop_and_a_start() -> None:
    """Where the platform has no reset button."""
    host = hypervisor("LXC")
    host.put(domain_xml("guest"), active=True)
    calls: list[str] = []

    class Recording:
        def __getattr__(self, name: str) -> Callable[..., None]:
            def call(*_: Any) -> None:
                calls.append(name)
                if name == "start":
                    host.put(domain_xml("guest"), active=True, id=2)

            return call

        def domain(self, uuid: str) -> None:
            raise LibvirtError("gone", libvirt.VIR_ERR_NO_DOMAIN)

    host.domains = Recording()
    site = Served([(platform("LXC"), host)])
    provider = site.providers["LXC_ComputerSystem"]
    keys = {"CreationClassName": "LXC_ComputerSystem", "Name": "guest"}
    for request, answer in ((RESET, 0), (OFFLINE, NOT_SUPPORTED)):
        parameters = {"RequestedState": request}
        result = provider.invoke_method("LXC_ComputerSystem", keys, "RequestStateChange", parameters, CONTEXT)
        assert result.return_value == answer
    assert calls == ["destroy", "start", "set_metadata"]


@pytest.mark.parametrize("way", [START, POWER_CYCLE])
def test_a_guest_that_libvirt_has_not_let_run_yet_is_not_started(way: Transition) -> None:
    """What an event shows while libvirt starts a guest must not end the wait for the start."""
    host = hypervisor("Test")
    before = host.put(domain_xml("guest"))
    reason = PausedReason.STARTING_UP
    starting = host.put(domain_xml("guest"), active=True, id=7, state=DomainState.PAUSED, reason=reason)
    assert not way.is_done(before, starting)
    assert way.is_done(before, host.put(domain_xml("guest"), active=True, id=7, reason=1))
    paused_by_somebody = host.put(domain_xml("guest"), active=True, id=7, state=DomainState.PAUSED, reason=1)
    assert way.is_done(before, paused_by_somebody)
    assert way.is_done(before, None)


def test_the_revision_of_the_site_follows_every_change(driver: Driver) -> None:
    site = driver.site
    guest = guest_named(site, platform("Test"), "guest")
    assert guest is not None
    seen = [site.revision()]
    assert site.revision() == seen[0]
    site.requested_states.take_down(guest.hypervisor, guest.domain, guest, RequestedState.ENABLED)
    seen.append(site.revision())
    driver.act(lambda domain: domain.destroy())
    driver.until(DISABLED)
    seen.append(site.revision())
    assert len(set(seen)) == 3

"""RequestStateChange of guests (CIM_EnabledLogicalElement)."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work, WorkCancelledError
from virtcim.platforms.base import Feature
from virtcim.providers.errors import guest_denied, guest_failure
from virtcim.providers.guest import Guest
from virtcim.providers.interface import CIMError, MethodResult, RequestContext, Status
from virtcim.providers.methods import MethodFailedError, Parameters
from virtcim.providers.services.work import run_method
from virtcim.providers.states import RequestedState, StateChangeCode
from virtcim.providers.Virt_ComputerSystem.transitions import Transition, is_supported, transition

if TYPE_CHECKING:
    from virtcim.libhelper.eventhub import EventWait
    from virtcim.libhelper.inventory.records import Domain
    from virtcim.providers.Virt_ComputerSystem.Virt_ComputerSystem import ComputerSystem

__all__ = ["request_state_change"]

_log = logging.getLogger(__name__)

_LOOK_AGAIN = 0.25
"""Seconds between two looks at whether a guest is still waited for."""


def request_state_change(system: ComputerSystem, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_EnabledLogicalElement.RequestStateChange on a guest.

    Parameters:
        system: the guest.
        parameters: RequestedState, the state to go to; TimeoutPeriod, the client's limit as an interval, None or zero
            for none.

    Returns:
        The DMTF's return code; 4096 and a job for what takes long where the client sets no limit: longer than `grace`
        where the guest takes part, longer than `settle_timeout` where libvirt alone is waited for.

    Raises:
        MethodFailedError: with the return code for what libvirt refused, or did not do in time.
        CIMError: ACCESS_DENIED on a read-only connection; FAILED with libvirt's text when libvirt refuses; NOT_FOUND
            when the guest has vanished in between.
    """
    guest = system.guest
    requested, timeout_period = parameters.get("RequestedState"), parameters.get("TimeoutPeriod")
    if not isinstance(requested, int):
        raise CIMError(Status.INVALID_PARAMETER, "Invalid RequestedState")
    if timeout_period is not None and not isinstance(timeout_period, timedelta):
        return MethodResult(StateChangeCode.INVALID_PARAMETER)
    target = _REQUESTS.get(requested)
    if target is None:
        return MethodResult(StateChangeCode.INVALID_PARAMETER)
    if not is_supported(target, guest.platform, guest.domain.persistent):
        return MethodResult(StateChangeCode.NOT_SUPPORTED)
    if guest.is_read_only:
        raise guest_denied(guest.domain, guest.hypervisor)
    way = transition(guest, target)
    if way is None:
        return MethodResult(StateChangeCode.INVALID_STATE_TRANSITION)
    if timeout_period:
        _change(guest, target, way, timeout_period.total_seconds(), Work())
        return MethodResult(StateChangeCode.COMPLETED)

    def run(work: Work) -> MethodResult:
        _change(guest, target, way, None, work)
        return MethodResult(StateChangeCode.COMPLETED)

    return run_method(
        system,
        "RequestStateChange",
        context,
        run,
        [system.path()],
        name=f"RequestStateChange {target.name.capitalize()} {guest.name}",
        grace=0.0 if way.orderly else guest.site.settings.settle_timeout,
        takes_worker=way.is_followed,
    )


def _change(guest: Guest, target: RequestedState, way: Transition, limit: float | None, work: Work) -> None:
    """Make a change.

    Parameters:
        limit: seconds that the client allows; None leaves the limit to the settings.
        work: told how far it is and what stands, and asked whether to stop.

    Raises:
        MethodFailedError: with the DMTF's return code for what came of it.
        CIMError: libvirt refused, for a reason that no return code stands for.
    """
    requested = guest.site.requested_states
    before = requested.take_down(guest.hypervisor, guest.domain, guest, target)
    try:
        with requested.awaiting(guest.domain, target):
            done = _carry_out(guest, way, limit, work)
    except LibvirtError as error:
        requested.put_back(guest.domain, target, before)
        # A start that fails was seen to begin, and a state that is refused was perhaps not the one that is shown.
        guest.hypervisor.inventory.refresh(guest.domain.uuid)
        code = _return_code(error)
        if code is None:
            raise guest_failure(way.failure, error) from error
        raise MethodFailedError(code, f"{way.failure}: {error.message}") from error
    if not done:
        raise MethodFailedError(StateChangeCode.NO_TIME, f"{way.failure} in time: what was begun goes on")


_REQUESTS = {
    int(state): state
    for state in RequestedState
    if state not in (RequestedState.UNKNOWN, RequestedState.NO_CHANGE, RequestedState.NOT_APPLICABLE)
}


def _return_code(error: LibvirtError) -> StateChangeCode | None:
    """The return code that says what libvirt said; None where only a CIM error can tell it."""
    if error.is_invalid_state:
        return StateChangeCode.INVALID_STATE_TRANSITION
    if error.is_unsupported_call:
        return StateChangeCode.NOT_SUPPORTED
    if error.is_timeout or error.is_busy:
        return StateChangeCode.BUSY
    return None


def _carry_out(guest: Guest, way: Transition, limit: float | None, work: Work) -> bool:
    """Make a change and wait until the inventory shows it; False when that takes longer than allowed."""
    settings, uuid, domains = guest.site.settings, guest.domain.uuid, guest.hypervisor.domains
    allowed = limit or (settings.shutdown_timeout if way.orderly else settings.settle_timeout)
    tells = bool(way.event) and guest.platform.supports(Feature.REBOOT_EVENT)
    with domains.event_wait(uuid, way.event) if tells else nullcontext() as event:
        started = time.monotonic()
        if limit is not None:
            if not _acted_within(guest, way, limit):
                return False
        else:
            with domains.follow(uuid, work) if way.is_followed else nullcontext():
                _act(guest, way)
            started = time.monotonic()
        if way.orderly:
            work.set_leftover(f"guest {guest.name!r} has been asked, and may still follow")
        shown = _wait(guest, way, event, started + allowed, work)
    if not shown and limit is None and not way.orderly:
        _log.warning("guest %r: libvirt reports success, and after %g s it is not seen yet", guest.name, allowed)
        return True
    return shown


def _act(guest: Guest, way: Transition) -> None:
    """Let libvirt act, and keep with the guest that it was asked."""
    way.action(guest)
    guest.site.requested_states.keep(guest.hypervisor, guest.domain)


def _wait(guest: Guest, way: Transition, event: EventWait | None, deadline: float, work: Work) -> bool:
    """Wait until a change has happened; False when it has not by the deadline, or cannot happen any more.

    Raises:
        WorkCancelledError: a client ended the waiting; only for a guest that takes its time is there a way to.
    """
    inventory, uuid, before = guest.hypervisor.inventory, guest.domain.uuid, guest.domain
    stopped = threading.Event()

    def pause() -> float:
        return max(0.0, min(_LOOK_AGAIN, deadline - time.monotonic()))

    with work.stoppable(stopped.set) if way.orderly else nullcontext():
        while not stopped.is_set():
            if event is None or event.wait(pause()):
                if inventory.wait_for(lambda now: way.is_done(before, now.domain_by_uuid(uuid)), pause()):
                    return True
            elif _is_off(inventory.domain_by_uuid(uuid)):
                return False  # nothing will tell of a reboot
            if time.monotonic() >= deadline:
                return False
        raise WorkCancelledError


def _is_off(now: Domain | None) -> bool:
    return now is None or not now.active


def _acted_within(guest: Guest, way: Transition, limit: float) -> bool:
    """Let libvirt act for at most `limit` seconds; False when it is not through by then (it goes on)."""
    failures: list[LibvirtError] = []

    def act() -> None:
        try:
            _act(guest, way)
        except LibvirtError as error:
            failures.append(error)

    worker = threading.Thread(target=act, name=f"state change of {guest.name}", daemon=True)
    worker.start()
    worker.join(limit)
    if failures:
        raise failures[0]
    return not worker.is_alive()

"""RequestStateChange of guests (CIM_EnabledLogicalElement)."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work
from virtcim.providers.errors import access_denied, libvirt_failure
from virtcim.providers.guest import Guest
from virtcim.providers.interface import CIMError, MethodResult, RequestContext, Status
from virtcim.providers.methods import Parameters
from virtcim.providers.services.work import run_method
from virtcim.providers.states import RequestedState, StateChangeCode
from virtcim.providers.Virt_ComputerSystem.transitions import Transition, is_supported, transition

if TYPE_CHECKING:
    from virtcim.providers.Virt_ComputerSystem.Virt_ComputerSystem import ComputerSystem

__all__ = ["request_state_change"]

_log = logging.getLogger(__name__)


def request_state_change(system: ComputerSystem, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_EnabledLogicalElement.RequestStateChange on a guest.

    Parameters:
        system: the guest.
        parameters: RequestedState, the state to go to; TimeoutPeriod, the client's limit as an interval, None or zero
            for none.

    Returns:
        The DMTF's return code; 4096 and a job for what takes long where the client sets no limit.

    Raises:
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
    if guest.hypervisor.read_only:
        raise access_denied(guest.hypervisor)
    way = transition(guest, target)
    if way is None:
        return MethodResult(StateChangeCode.INVALID_STATE_TRANSITION)
    if timeout_period or not way.is_job:
        limit = timeout_period.total_seconds() if timeout_period else None
        return MethodResult(_change(guest, target, way, limit, nullcontext()))

    def run(work: Work) -> MethodResult:
        return MethodResult(_change(guest, target, way, None, guest.hypervisor.domains.follow(guest.domain.uuid, work)))

    return run_method(
        system,
        "RequestStateChange",
        context,
        run,
        [system.path()],
        name=f"RequestStateChange {target.name.capitalize()} {guest.name}",
        grace=guest.site.settings.settle_timeout,
    )


def _change(
    guest: Guest, target: RequestedState, way: Transition, limit: float | None, following: AbstractContextManager[None]
) -> int:
    """Make a change, and say in the DMTF's return codes what came of it.

    Parameters:
        limit: seconds that the client allows; None leaves the limit to the settings.
        following: the block in which libvirt acts.
    """
    try:
        done = _carry_out(guest, way, limit, following)
    except LibvirtError as error:
        code = _return_code(error)
        if code is None:
            raise libvirt_failure(way.failure, error) from error
        return code
    if not done:
        return StateChangeCode.NO_TIME
    guest.site.requested_states.put(guest.hypervisor, guest.domain, target)
    return StateChangeCode.COMPLETED


_REQUESTS = {
    int(state): state
    for state in RequestedState
    if state not in (RequestedState.UNKNOWN, RequestedState.NO_CHANGE, RequestedState.NOT_APPLICABLE)
}


def _return_code(error: LibvirtError) -> int | None:
    """The return code that says what libvirt said; None where only a CIM error can tell it."""
    if error.is_invalid_state:
        return StateChangeCode.INVALID_STATE_TRANSITION
    if error.is_unsupported:
        return StateChangeCode.NOT_SUPPORTED
    if error.is_timeout:
        return StateChangeCode.BUSY
    return None


def _carry_out(guest: Guest, way: Transition, limit: float | None, following: AbstractContextManager[None]) -> bool:
    """Make a change and wait until the inventory shows it; False when that takes longer than allowed."""
    settings = guest.site.settings
    allowed = limit or (settings.shutdown_timeout if way.orderly else settings.settle_timeout)
    before, uuid = guest.domain, guest.domain.uuid
    started = time.monotonic()
    if limit is not None:
        seen = _acted_within(guest, way, limit)
    else:
        with following:
            seen = way.action(guest, allowed)
        started = time.monotonic()
    if not seen and (limit is not None or way.orderly):
        return False
    left = max(0.0, started + allowed - time.monotonic())
    shown = guest.hypervisor.inventory.wait_for(
        lambda inventory: way.is_done(before, inventory.domain_by_uuid(uuid)), left
    )
    if not shown and limit is None and not way.orderly:
        _log.warning("guest %r: libvirt reports success, and after %g s it is not seen yet", guest.name, allowed)
        return True
    return shown


def _acted_within(guest: Guest, way: Transition, limit: float) -> bool:
    """Let libvirt act for at most `limit` seconds; False when it is not through by then (it goes on)."""
    failures: list[LibvirtError] = []
    answers: list[bool] = []

    def act() -> None:
        try:
            answers.append(way.action(guest, limit))
        except LibvirtError as error:
            failures.append(error)

    worker = threading.Thread(target=act, name=f"state change of {guest.name}", daemon=True)
    worker.start()
    worker.join(limit)
    if failures:
        raise failures[0]
    return True in answers

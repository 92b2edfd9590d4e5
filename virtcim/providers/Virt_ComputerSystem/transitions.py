"""Which state changes a guest can make now, what libvirt does for each, and when it has happened.

The table is that of DSP1057, with the meaning of CIM_EnabledLogicalElement.RequestStateChange: Disabled is at once,
Shut Down is orderly, Reboot is Shut Down and Enabled, Reset is Disabled and Enabled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.states import DomainState, PausedReason
from virtcim.platforms.base import Feature
from virtcim.providers.states import RequestedState

if TYPE_CHECKING:
    from virtcim.libhelper.inventory.records import Domain
    from virtcim.platforms.base import Platform
    from virtcim.providers.guest import Guest

__all__ = ["Transition", "available_requests", "is_supported", "requests_supported", "transition"]

_RUNNING = frozenset({DomainState.RUNNING, DomainState.BLOCKED})


@immutable
class Transition:
    """One way from a state to another.

    Attributes:
        action: calls libvirt; returns when libvirt has answered.
        is_done: from the guest's record before and its record now (None when it is gone) to whether the change has
            happened, or cannot happen any more.
        failure: libvirt-cim's words for when libvirt refuses.
        event: of libvirt, that tells of an effect which the inventory cannot show, such as a reboot; "" for none.
        orderly: whether the guest takes part, and so needs time of its own.
        is_followed: whether libvirt can take long, and tells how far it is.
    """

    action: Callable[[Guest], None]
    is_done: Callable[[Domain, Domain | None], bool]
    failure: str
    event: str = ""
    orderly: bool = False
    is_followed: bool = False


def _is_started(now: Domain) -> bool:
    return now.active and (now.state, now.reason) != (DomainState.PAUSED, PausedReason.STARTING_UP)


def _is_active(before: Domain, now: Domain | None) -> bool:
    return now is None or _is_started(now)


def _is_running(before: Domain, now: Domain | None) -> bool:
    return now is None or not now.active or now.state in _RUNNING


def _is_stopped(before: Domain, now: Domain | None) -> bool:
    return now is None or not now.active


def _is_paused(before: Domain, now: Domain | None) -> bool:
    return now is None or not now.active or now.state is DomainState.PAUSED


def _is_saved(before: Domain, now: Domain | None) -> bool:
    return now is None or (not now.active and now.has_managed_save)


def _has_no_save(before: Domain, now: Domain | None) -> bool:
    return now is None or not now.has_managed_save


def _is_started_anew(before: Domain, now: Domain | None) -> bool:
    return now is None or (_is_started(now) and now.id != before.id)


def _runs_again(before: Domain, now: Domain | None) -> bool:
    return now is None or now.state in _RUNNING


def _start(guest: Guest) -> None:
    guest.hypervisor.domains.start(guest.domain.uuid)


def _restore(guest: Guest) -> None:
    """A guest that was paused when it was saved comes back paused, and Enabled is to end in running."""
    guest.hypervisor.domains.start(guest.domain.uuid)
    guest.hypervisor.inventory.refresh(guest.domain.uuid)
    now = guest.hypervisor.inventory.domain_by_uuid(guest.domain.uuid)
    if now is not None and now.state is DomainState.PAUSED:
        guest.hypervisor.domains.resume(guest.domain.uuid)


def _resume(guest: Guest) -> None:
    guest.hypervisor.domains.resume(guest.domain.uuid)


def _wake_up(guest: Guest) -> None:
    guest.hypervisor.domains.pm_wakeup(guest.domain.uuid)


def _destroy(guest: Guest) -> None:
    guest.hypervisor.domains.destroy(guest.domain.uuid)


def _discard(guest: Guest) -> None:
    guest.hypervisor.domains.managed_save_remove(guest.domain.uuid)


def _shut_down(guest: Guest) -> None:
    guest.hypervisor.domains.shutdown(guest.domain.uuid)


def _save(guest: Guest) -> None:
    guest.hypervisor.domains.managed_save(guest.domain.uuid)


def _suspend(guest: Guest) -> None:
    guest.hypervisor.domains.suspend(guest.domain.uuid)


def _reboot(guest: Guest) -> None:
    guest.hypervisor.domains.reboot(guest.domain.uuid)


def _reset(guest: Guest) -> None:
    guest.hypervisor.domains.reset(guest.domain.uuid)


def _reset_and_resume(guest: Guest) -> None:
    """A paused guest stays paused over a reset on some drivers, and Reset is to end in Enabled."""
    _reset(guest)
    try:
        _resume(guest)
    except LibvirtError as error:
        if not error.is_invalid_state:
            raise


def _power_cycle(guest: Guest) -> None:
    _destroy(guest)
    _start(guest)


START = Transition(_start, _is_active, "Unable to start domain")
RESTORE = Transition(_restore, _is_running, "Unable to start domain")
RESUME = Transition(_resume, _is_running, "Unable to unpause domain")
WAKE_UP = Transition(_wake_up, _is_running, "Unable to start domain")
DESTROY = Transition(_destroy, _is_stopped, "Unable to disable domain")
DISCARD = Transition(_discard, _has_no_save, "Unable to disable domain")
SHUT_DOWN = Transition(_shut_down, _is_stopped, "Unable to shutdown domain", orderly=True)
SAVE = Transition(_save, _is_saved, "Unable to save domain", is_followed=True)
SUSPEND = Transition(_suspend, _is_paused, "Unable to pause domain")
REBOOT = Transition(_reboot, _runs_again, "Unable to reboot domain", event="reboot", orderly=True)
RESET = Transition(_reset, _runs_again, "Unable to reset domain", event="reboot")
RESET_PAUSED = Transition(_reset_and_resume, _is_running, "Unable to reset domain", event="reboot")
POWER_CYCLE = Transition(_power_cycle, _is_started_anew, "Unable to reset domain")

_FROM_RUNNING: Mapping[RequestedState, Transition] = {
    RequestedState.DISABLED: DESTROY,
    RequestedState.SHUT_DOWN: SHUT_DOWN,
    RequestedState.OFFLINE: SAVE,
    RequestedState.QUIESCE: SUSPEND,
    RequestedState.REBOOT: REBOOT,
    RequestedState.RESET: RESET,
}
_FROM_STOPPED: Mapping[RequestedState, Transition] = {RequestedState.ENABLED: START}
_FROM_SAVED: Mapping[RequestedState, Transition] = {
    RequestedState.ENABLED: RESTORE,
    RequestedState.DISABLED: DISCARD,
}
_ONLY_OFF: Mapping[RequestedState, Transition] = {RequestedState.DISABLED: DESTROY}
_TRANSITIONS: Mapping[DomainState, Mapping[RequestedState, Transition]] = {
    DomainState.NOSTATE: {},
    DomainState.RUNNING: _FROM_RUNNING,
    DomainState.BLOCKED: _FROM_RUNNING,
    DomainState.PAUSED: {
        RequestedState.ENABLED: RESUME,
        RequestedState.DISABLED: DESTROY,
        RequestedState.OFFLINE: SAVE,
        RequestedState.RESET: RESET_PAUSED,
    },
    DomainState.SHUTDOWN: _ONLY_OFF,
    DomainState.SHUTOFF: _FROM_STOPPED,
    DomainState.CRASHED: {**_ONLY_OFF, RequestedState.RESET: RESET},
    DomainState.PMSUSPENDED: {RequestedState.ENABLED: WAKE_UP, RequestedState.DISABLED: DESTROY},
}

_NEEDED: Mapping[RequestedState, Feature] = {
    RequestedState.OFFLINE: Feature.MANAGED_SAVE,
    RequestedState.QUIESCE: Feature.SUSPEND,
    RequestedState.REBOOT: Feature.REBOOT,
}

IMPLEMENTED = frozenset(
    {
        RequestedState.ENABLED,
        RequestedState.DISABLED,
        RequestedState.SHUT_DOWN,
        RequestedState.OFFLINE,
        RequestedState.QUIESCE,
        RequestedState.REBOOT,
        RequestedState.RESET,
    }
)
"""The states that RequestStateChange can lead to on some platform."""


def is_supported(requested: RequestedState, platform: Platform, persistent: bool) -> bool:
    """Whether guests of a platform can ever be asked for this state.

    Parameters:
        persistent: whether the guest stays when it stops; one that does not cannot be saved by libvirt, nor be
            started again where a reset has to be made of a stop and a start.
    """
    needed = _NEEDED.get(requested)
    if requested not in IMPLEMENTED or (needed is not None and not platform.supports(needed)):
        return False
    if requested is RequestedState.OFFLINE:
        return persistent
    if requested is RequestedState.RESET:
        return persistent or platform.supports(Feature.RESET)
    return True


def transition(guest: Guest, requested: RequestedState) -> Transition | None:
    """What leads from the guest's present state to the requested one; None where the table has no way."""
    found = _from_here(guest).get(requested)
    if requested is RequestedState.RESET and found is not None and not guest.platform.supports(Feature.RESET):
        return POWER_CYCLE
    return found


def requests_supported(guest: Guest) -> list[int]:
    """What RequestedStatesSupported says: what RequestStateChange can accept in some state of the guest."""
    if guest.is_read_only:
        return []
    platform, persistent = guest.platform, guest.domain.persistent
    return sorted(int(state) for state in IMPLEMENTED if is_supported(state, platform, persistent))


def available_requests(guest: Guest) -> list[int]:
    """What AvailableRequestedStates says: what RequestStateChange would accept now."""
    if not guest.domain.contact or guest.is_read_only:
        return []
    platform, persistent = guest.platform, guest.domain.persistent
    return sorted(int(state) for state in _from_here(guest) if is_supported(state, platform, persistent))


def _from_here(guest: Guest) -> Mapping[RequestedState, Transition]:
    domain = guest.domain
    if domain.state in (DomainState.SHUTOFF, DomainState.CRASHED) and not domain.active:
        return _FROM_SAVED if domain.has_managed_save else _FROM_STOPPED
    if domain.state is DomainState.NOSTATE and domain.active and guest.platform.no_state_is_running:
        return _FROM_RUNNING
    return _TRANSITIONS[domain.state]

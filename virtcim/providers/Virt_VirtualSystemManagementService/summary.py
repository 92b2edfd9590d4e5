"""GetSummary: what a console shows of all guests of a host, in one answer."""

from __future__ import annotations

import base64
import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from virtcim.libhelper.agent import AgentFacts
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.metrics import Frame, Sample, read_leases, take_picture
from virtcim.libhelper.states import DomainState, RunningReason
from virtcim.providers.interface import (
    CIMError,
    CIMValue,
    EmbeddedInstance,
    InstancePath,
    MethodResult,
    RequestContext,
    RevisedInstance,
    Status,
)
from virtcim.providers.methods import Parameters
from virtcim.providers.Virt_BaseMetricValue import measure_guest
from virtcim.providers.Virt_ComputerSystem import system_of
from virtcim.providers.Virt_Device.Virt_NetworkPort import NetworkPort
from virtcim.providers.Virt_HostSystem import guests_on
from virtcim.providers.Virt_VirtualSystemManagementService.targets import find_system

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.inventory.records import Domain
    from virtcim.providers.guest import Guest
    from virtcim.providers.Virt_VirtualSystemManagementService.Virt_VirtualSystemManagementService import (
        VirtualSystemManagementService,
    )

    _Getters = Mapping[str, Callable[[Guest], CIMValue]]

__all__ = ["LEASES_SECONDS", "ask_for_leases", "get_summary", "summaries"]

SCREEN_WIDTH = 160
"""Points across a picture, unless somebody wants another width."""
SCREEN_WIDTHS = range(16, 1025)
SCREEN_SECONDS = 2.0
"""Seconds for one picture; a guest that takes longer has none."""
SCREENS_SECONDS = 10.0
"""Seconds for all pictures of an answer."""
LEASES_SECONDS = 2.0
_LEASES = "leases of networks"
_CLASS = "Virt_GuestSummary"

_NANO = 1_000_000_000
_KIB = 1024
_TOTALS = ("ReadRate", "WriteRate", "ReceiveRate", "SendRate")
"""Metrics whose sum over the devices is shown under the same name."""
_ONCE = {
    "CPULoad": "ProcessorLoad",
    "MemoryCurrent": "MemoryUsage",
    "MemoryResident": "MemoryResident",
    "MemoryUsable": "MemoryUsable",
}
"""Metrics of which a guest has one, and the properties that show them."""
_SHOWN = frozenset((*_TOTALS, *_ONCE))
_INVENTORIED: _Getters = {
    "CreationClassName": lambda guest: system_of(guest).class_name,
    "Name": lambda guest: guest.name,
    "UUID": lambda guest: guest.domain.uuid,
    "EnabledState": lambda guest: int(guest.condition.enabled),
    "HealthState": lambda guest: int(guest.condition.health),
    "OperationalStatus": lambda guest: [int(guest.condition.operational)],
    "NumberOfProcessors": lambda guest: _processors(guest),
    "MemoryMaximum": lambda guest: _maximum_memory(guest),
}
"""Properties that the inventory knows, so that nobody is asked for them."""


def get_summary(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """Virt_VirtualSystemManagementService.GetSummary."""
    width = parameters.get("ScreenWidth")
    width = SCREEN_WIDTH if width is None else width
    if width not in SCREEN_WIDTHS:
        text = f"ScreenWidth {width}: expected {SCREEN_WIDTHS.start} to {SCREEN_WIDTHS.stop - 1}"
        raise CIMError(Status.INVALID_PARAMETER, text)
    guests = list(_guests(service, parameters.get("Systems")))
    with_history, with_screens = bool(parameters.get("IncludeHistory")), bool(parameters.get("IncludeScreens"))
    wanted = _wanted(parameters.get("Properties"))
    if wanted is not None and not (with_history or with_screens):
        getters = {name: get for name, get in _INVENTORIED.items() if name.lower() in wanted}
        if len(getters) == len(wanted):
            return MethodResult(0, {"Summaries": [_brief(guest, wanted, getters) for guest in guests]})
    for hypervisor in {guest.hypervisor.uri: guest.hypervisor for guest in guests}.values():
        hypervisor.metrics.look()
    found = summaries(guests, with_history, width if with_screens else None)
    return MethodResult(0, {"Summaries": found if wanted is None else [_only(each, wanted) for each in found]})


def _wanted(given: Sequence[str | None] | None) -> frozenset[str] | None:
    """The properties that are asked for, in lower case; None for all.  Names of none are passed over, as in every list
    of properties (DSP0200, 5.3.2.2)."""
    return None if given is None else frozenset(name.lower() for name in given if name is not None)


def _brief(guest: Guest, wanted: frozenset[str], getters: _Getters) -> EmbeddedInstance:
    """Make a summary of what the inventory knows of a guest, which stays as it is until its record changes.

    Parameters:
        wanted: the names of the properties, in lower case.
        getters: of each of them.
    """
    return RevisedInstance(
        _CLASS,
        (guest.site.namespace, guest.platform.prefix, guest.name, wanted),
        guest.domain.revision,
        lambda: _known(_values(guest, getters)),
    )


def _only(summary: EmbeddedInstance, wanted: frozenset[str]) -> EmbeddedInstance:
    """Leave out of a summary what is not asked for."""
    return EmbeddedInstance(
        _CLASS, {name: value for name, value in summary.properties.items() if name.lower() in wanted}
    )


def summaries(
    guests: Iterable[Guest], with_history: bool = False, picture_width: int | None = None
) -> list[EmbeddedInstance]:
    """Make a Virt_GuestSummary of each guest, from the newest figures that there are.

    Parameters:
        with_history: whether to tell the load of the last minutes.
        picture_width: of the picture of each screen, in points; None takes none.
    """
    guests = list(guests)
    hypervisors = {id(guest.hypervisor): guest.hypervisor for guest in guests}
    of_each: dict[int, list[Domain]] = {key: [] for key in hypervisors}
    for guest in guests:
        of_each[id(guest.hypervisor)].append(guest.domain)
    for key, hypervisor in hypervisors.items():
        # What agents tell is there the next time.
        hypervisor.agents.look(of_each[key])
    leases = ask_for_leases({key: each for key, each in hypervisors.items() if _has_networks(each)})
    if not with_history and picture_width is None:
        return [_revised(guest, leases.get(id(guest.hypervisor), {})) for guest in guests]
    frames = {key: hypervisor.metrics.history() if with_history else () for key, hypervisor in hypervisors.items()}
    deadline = time.monotonic() + (SCREENS_SECONDS if picture_width is not None else 0)
    found: list[EmbeddedInstance] = []
    for guest in guests:
        key = id(guest.hypervisor)
        values = {**_summary(guest, _addresses(guest, leases.get(key, {}))), **_history(guest, frames[key])}
        if picture_width is not None and time.monotonic() < deadline:
            values["ScreenImage"] = _screen(guest, picture_width)
        found.append(EmbeddedInstance(_CLASS, _known(values)))
    return found


def _revised(guest: Guest, leases: Mapping[str, list[str]]) -> EmbeddedInstance:
    """Make the summary of a guest, which stays as it is until its record, its figures or its addresses change."""
    addresses = _addresses(guest, leases)
    facts = guest.hypervisor.agents.facts(guest.domain)
    sample = guest.hypervisor.metrics.latest
    # Without figures the time since its start is that of now.
    moment = int(time.monotonic()) if sample is None else -sample.number
    return RevisedInstance(
        _CLASS,
        (guest.site.namespace, guest.platform.prefix, guest.name),
        (guest.domain.revision, moment, facts, *addresses),
        lambda: _known(_summary(guest, addresses)),
    )


def _values(guest: Guest, getters: _Getters) -> dict[str, CIMValue]:
    return {name: get(guest) for name, get in getters.items()}


def _known(values: Mapping[str, CIMValue]) -> dict[str, CIMValue]:
    return {name: value for name, value in values.items() if value is not None}


def _has_networks(hypervisor: Hypervisor) -> bool:
    """Whether libvirt may have leased addresses there."""
    return any(network.active for network in hypervisor.inventory.networks())


def _guests(service: VirtualSystemManagementService, systems: Sequence[InstancePath | None] | None) -> Iterator[Guest]:
    """The guests that are meant, in the order in which they are named; all of the host where none is.

    Raises:
        CIMError: NOT_FOUND for a guest that there is not.
    """
    if systems is None:
        yield from guests_on(service.site, service.host)
        return
    for path in systems:
        if path is None:
            raise CIMError(Status.INVALID_PARAMETER, "Systems: holds NULL; expected references to guests")
        yield find_system(service.site, service.platform, path)


def _summary(guest: Guest, addresses: Sequence[str]) -> dict[str, CIMValue]:
    """Give what a summary holds of a guest without pictures."""
    sample = guest.hypervisor.metrics.latest
    figures = None if sample is None else sample.guests.get(guest.domain.uuid)
    facts = guest.hypervisor.agents.facts(guest.domain)
    values: dict[str, CIMValue] = {
        **_values(guest, _INVENTORIED),
        "UpTime": _up_time(guest, sample),
        "Answers": None if figures is None else figures.answered,
        "TimeStamp": None if figures is None else figures.known.time,
        "Addresses": list(dict.fromkeys((*addresses, *_told_addresses(facts)))) or None,
        "HostName": None if facts is None else facts.host_name,
        "OperatingSystem": None if facts is None else facts.operating_system,
    }
    totals: dict[str, float] = {}
    for metric, measured in measure_guest(guest, _SHOWN):
        if metric.name in _ONCE:
            values[_ONCE[metric.name]] = measured.value
        else:
            totals[metric.name] = totals.get(metric.name, 0.0) + measured.value
    return values | {name: totals.get(name) for name in _TOTALS}


def _up_time(guest: Guest, sample: Sample | None) -> timedelta | None:
    """How long a guest has run since its start, at the time of its figures; None where that was not seen."""
    domain = guest.domain
    began = domain.state_changed
    booted = domain.state is DomainState.RUNNING and domain.reason is RunningReason.BOOTED
    if not booted or began is None:
        return None
    return max(timedelta(), (datetime.now(UTC) if sample is None else sample.time) - began)


def _addresses(guest: Guest, leases: Mapping[str, list[str]]) -> list[str]:
    ports = NetworkPort.made_from(guest) if leases and guest.domain.active else ()
    return [address for port in ports for address in leases.get((port.device.mac_address or "").lower(), ())]


def _told_addresses(facts: AgentFacts | None) -> Iterator[str]:
    """Give the addresses that an agent tells, without those for the inside of the guest only."""
    for interface in facts.interfaces if facts is not None else ():
        for each in interface.addresses:
            if not each.is_loopback:
                yield each.address


def ask_for_leases(hypervisors: Mapping[int, Hypervisor]) -> Mapping[int, Mapping[str, list[str]]]:
    """Ask all hypervisors at once for their leases: those that hang make nobody wait twice."""
    asked: dict[int, Future[dict[str, list[str]]]] = {}
    for key, hypervisor in hypervisors.items():
        with contextlib.suppress(LibvirtError):
            asked[key] = hypervisor.begin_ask(_LEASES, read_leases)
    until = time.monotonic() + LEASES_SECONDS
    found: dict[int, dict[str, list[str]]] = {key: {} for key in hypervisors}
    for key, future in asked.items():
        with contextlib.suppress(LibvirtError):
            found[key] = hypervisors[key].take(_LEASES, future, max(0.0, until - time.monotonic()))
    return found


def _history(guest: Guest, frames: Sequence[Frame]) -> dict[str, CIMValue]:
    """Give the load of a guest between each two samples that were kept, oldest first."""
    if not frames:
        return {}
    loads: list[float] = []
    times: list[datetime] = []
    count = _processors(guest) or 1
    for before, after in itertools.pairwise(frames):
        old, new = before.totals(guest.domain.uuid), after.totals(guest.domain.uuid)
        if old is None or new is None or old[0] is None or new[0] is None or new[0] < old[0]:
            continue
        loads.append(100 * (new[0] - old[0]) / _NANO / (after.clock - before.clock) / count)
        times.append(after.time)
    return {"ProcessorLoadHistory": loads, "HistoryTimes": times} if loads else {}


def _processors(guest: Guest) -> int | None:
    config = guest.state and guest.state.config
    return (config and (config.vcpu_current or config.vcpu)) or None


def _maximum_memory(guest: Guest) -> int | None:
    """Give the memory in bytes that a guest can have."""
    config = guest.state and guest.state.config
    return config.memory * _KIB if config and config.memory else None


def _screen(guest: Guest, width: int) -> str | None:
    """Take a picture of the screen of a guest that runs and answers, as base64 of a PNG."""
    sample = guest.hypervisor.metrics.latest
    figures = None if sample is None else sample.guests.get(guest.domain.uuid)
    if not guest.domain.active or figures is None or not figures.answered:
        return None
    question = partial(take_picture, uuid=guest.domain.uuid, width=width)
    try:
        picture = guest.hypervisor.ask("picture of a screen", question, SCREEN_SECONDS)
    except LibvirtError:
        return None
    return None if picture is None else base64.b64encode(picture).decode()

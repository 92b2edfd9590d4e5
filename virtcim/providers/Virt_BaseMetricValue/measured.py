"""What is measured, and where its figures are in a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from virtcim.libhelper.metrics import GuestSample, HostSample
from virtcim.providers.guest import Guest
from virtcim.providers.metrics import METRICS, Measured, Metric, Reading, read_metric
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_Device.Virt_LogicalDisk import LogicalDisk
from virtcim.providers.Virt_Device.Virt_Memory import Memory
from virtcim.providers.Virt_Device.Virt_NetworkPort import NetworkPort
from virtcim.providers.Virt_Device.Virt_Processor import Processor
from virtcim.providers.Virt_HostSystem import HostSystem

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = [
    "MEASURED_TYPES",
    "MeasuredElement",
    "element_name",
    "hypervisor_of",
    "is_measured",
    "measure",
    "measure_guest",
    "measured_elements",
]

MEASURED_TYPES = (ComputerSystem, Processor, Memory, LogicalDisk, NetworkPort, HostSystem)
"""The types of what is measured."""

Figures: TypeAlias = GuestSample | HostSample

MeasuredElement: TypeAlias = ComputerSystem | Processor | Memory | LogicalDisk | NetworkPort | HostSystem

_WHOLE: dict[type[MeasuredElement], str] = {ComputerSystem: "", Memory: "balloon."}
"""What the names of the figures of a guest and of its memory begin with."""
_DEVICES: dict[type[MeasuredElement], str] = {LogicalDisk: "block", NetworkPort: "net"}
"""Groups of the figures of a guest in which those of its devices are."""

_METRICS = {kind.base: [metric for metric in METRICS if metric.base == kind.base] for kind in MEASURED_TYPES}


def is_measured(element: MeasuredElement) -> bool:
    """Whether an element can have figures: a host, or what belongs to a guest that runs."""
    return isinstance(element, HostSystem) or element.guest.domain.active


def measured_elements(guest: Guest) -> Iterator[MeasuredElement]:
    """List a guest that runs and those of its devices that are measured; nothing of one that does not run."""
    if not guest.domain.active:
        return
    yield system_of(guest)
    for kind in (Processor, Memory, LogicalDisk, NetworkPort):
        yield from kind.made_from(guest)


def hypervisor_of(element: MeasuredElement) -> Hypervisor:
    """Find who samples the figures of an element."""
    return element.hypervisor if isinstance(element, HostSystem) else element.guest.hypervisor


def element_name(element: MeasuredElement) -> str:
    """Name an element for people."""
    if isinstance(element, HostSystem):
        return element.name
    return element.guest.name if isinstance(element, ComputerSystem) else element.device_id


@lru_cache(maxsize=64)
def _metrics_of(base: str, names: frozenset[str] | None) -> Sequence[Metric]:
    """List the metrics of a kind of element, those of some names or all."""
    return [metric for metric in _METRICS[base] if names is None or metric.name in names]


def measure(element: MeasuredElement, names: frozenset[str] | None = None) -> Iterator[tuple[Metric, Measured]]:
    """Give the newest values of metrics of an element that libvirt has figures for; asks nobody.

    libvirt has some of guests that do not run, too: those are of no use to anybody.

    Parameters:
        names: of the metrics that are wanted; None for all.
    """
    metrics = _metrics_of(element.base, names)
    if not metrics or not is_measured(element):
        return
    now: Figures | None
    before: Figures | None
    if isinstance(element, HostSystem):
        now, before = _host_figures(element)
    else:
        now, before = _guest_figures(element.guest)
    reading = None if now is None else _reading(element, now)
    if now is not None and reading is not None:
        earlier = None if before is None else _reading(element, before)
        yield from _values(metrics, now, reading, before, earlier)


def measure_guest(guest: Guest, names: frozenset[str]) -> Iterator[tuple[Metric, Measured]]:
    """Give the newest values of metrics of a guest that runs, its memory, its disks and its network ports, as `measure`
    gives those of each; none of these elements is made for it.

    Parameters:
        names: of the metrics that are wanted.
    """
    now, before = _guest_figures(guest) if guest.domain.active else (None, None)
    if now is None:
        return
    fields, older = now.fields, before.fields if before is not None else {}
    readings: list[tuple[type[MeasuredElement], Reading, Reading | None]]
    readings = [(kind, Reading(fields, part), Reading(older, part)) for kind, part in _WHOLE.items()]
    for kind, group in _DEVICES.items():
        for part, name in _parts(fields, group):
            # As a rule nothing was plugged meanwhile.
            old = part if older.get(f"{part}name") == name else _part(older, group, name)
            readings.append((kind, Reading(fields, part), None if old is None else Reading(older, old)))
    for kind, reading, earlier in readings:
        yield from _values(_metrics_of(kind.base, names), now, reading, before, earlier)


def _values(
    metrics: Iterable[Metric], now: Figures, reading: Reading, before: Figures | None, earlier: Reading | None
) -> Iterator[tuple[Metric, Measured]]:
    """Give the values of metrics for which there are figures.

    Parameters:
        now, before: the newest figures and those before them, None for none.
        reading, earlier: those of the measured element in these; None where there are none.
    """
    seconds = 0.0 if before is None else now.clock - before.clock
    duration = timedelta(seconds=seconds)
    for metric in metrics:
        value = read_metric(metric, reading, earlier, seconds)
        if value is not None:
            yield metric, Measured(value, now.time, duration if metric.is_interval else None)


def _host_figures(host: HostSystem) -> tuple[HostSample | None, HostSample | None]:
    """Find the newest figures of a host, and those before them."""
    sample = host.hypervisor.metrics.latest
    previous = None if sample is None else sample.previous
    return None if sample is None else sample.host, None if previous is None else previous.host


def _guest_figures(guest: Guest) -> tuple[GuestSample | None, GuestSample | None]:
    """Find the newest figures of a guest, and those before them; of one that does not answer, those of when it did."""
    sample = guest.hypervisor.metrics.latest
    previous = None if sample is None else sample.previous  # read once: the next sample takes it away
    now = None if sample is None else sample.guests.get(guest.domain.uuid)
    before = None if previous is None else previous.guests.get(guest.domain.uuid)
    if now is None:
        return None, None
    if not now.answered:
        return now.known, now.earlier
    if before is None or before.known.clock >= now.known.clock:
        return now.known, None
    return now.known, before.known


def _reading(element: MeasuredElement, figures: GuestSample | HostSample) -> Reading | None:
    """Find the figures of an element among those of its guest; None where there are none."""
    if isinstance(figures, HostSample):
        return Reading({**figures.cpu, **figures.memory}, "")
    match element:
        case Processor():
            part: str | None = f"vcpu.{element.number}."
        case Memory():
            part = "balloon."
        case LogicalDisk():
            part = _part(figures.fields, "block", getattr(element.device, "target_dev", None))
        case NetworkPort():
            part = _part(figures.fields, "net", element.device.target_dev)
        case _:
            part = ""
    return None if part is None else Reading(figures.fields, part)


def _part(fields: Mapping[str, Any], group: str, name: str | None) -> str | None:
    """Find the figures of the device that the host knows by a name."""
    return next((part for part, found in _parts(fields, group) if found == name), None) if name else None


def _parts(fields: Mapping[str, Any], group: str) -> Iterator[tuple[str, str]]:
    """List the devices of a kind that there are figures of: what the names of these begin with, and the name by which
    the host knows the device."""
    for number in range(fields.get(f"{group}.count", 0)):
        name = fields.get(f"{group}.{number}.name")
        if name is not None:
            yield f"{group}.{number}.", name

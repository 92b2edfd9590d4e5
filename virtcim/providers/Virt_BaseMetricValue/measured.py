"""What is measured, and where its figures are in a sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from virtcim.libhelper.metrics import GuestSample, HostSample, Sample
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
    "measured_elements",
]

MEASURED_TYPES = (ComputerSystem, Processor, Memory, LogicalDisk, NetworkPort, HostSystem)
"""The types of what is measured."""

MeasuredElement: TypeAlias = ComputerSystem | Processor | Memory | LogicalDisk | NetworkPort | HostSystem

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
    sample = hypervisor_of(element).metrics.latest
    now = None if sample is None else _figures(element, sample)
    if sample is None or now is None:
        return
    previous = sample.previous  # read once: the next sample takes it away
    before = None if previous is None else _figures(element, previous)
    reading = _reading(element, now)
    if reading is None:
        return
    earlier = None if before is None or before.clock >= now.clock else _reading(element, before)
    seconds = 0.0 if before is None else now.clock - before.clock
    duration = timedelta(seconds=seconds)
    for metric in metrics:
        value = read_metric(metric, reading, earlier, seconds)
        if value is not None:
            yield metric, Measured(value, now.time, duration if metric.is_interval else None)


def _figures(element: MeasuredElement, sample: Sample) -> GuestSample | HostSample | None:
    """Find the figures in which those of an element are."""
    if isinstance(element, HostSystem):
        return sample.host
    guest = sample.guests.get(element.guest.domain.uuid)
    return None if guest is None else guest.known


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
    for number in range(fields.get(f"{group}.count", 0)):
        if name is not None and fields.get(f"{group}.{number}.name") == name:
            return f"{group}.{number}."
    return None

"""Which figures there are: one line each, with what is measured, its unit, and where libvirt has it.

Counters and gauges are libvirt's own.  A rate is what a counter grew by between the two newest samples, over the time
between them.

Layer rule: imports `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from virtcim.immutable import immutable

__all__ = ["METRICS", "ChangeType", "Collection", "Measured", "Metric", "Reading", "read_metric"]

_KIB = 1024
_NANO = 1_000_000_000

Number = int | float


class ChangeType(enum.IntEnum):
    """CIM_BaseMetricDefinition.ChangeType."""

    COUNTER = 3
    GAUGE = 4


class Reading(NamedTuple):
    """Figures to compute a metric from.

    Attributes:
        fields: libvirt's typed parameters, or the figures of the host, by name.
        part: what the names of the measured element's own begin with: `block.0.`, "" for the whole guest.
    """

    fields: Mapping[str, Any]
    part: str

    def value(self, name: str) -> int | None:
        """Give a figure of the measured element; None where libvirt does not have it."""
        value: int | None = self.fields.get(self.part + name)
        return value


class Measured(NamedTuple):
    """A value of a metric.

    Attributes:
        value: the number.
        time: when it was measured, in UTC.
        duration: the time that it is about, up to then; None for a moment.
    """

    value: Number
    time: datetime
    duration: timedelta | None = None


Compute = Callable[[Reading, Reading, float], Number | None]
"""From a reading, the one before it and the seconds between them to a value."""


@immutable(eq=False)
class Metric:
    """One metric.

    Attributes:
        name: unique among all; what stands behind the prefix in the key.
        base: the class of what is measured, without its prefix.
        units: the unit (DSP0004, annex C).
        title: what it is, for people.
        change_type: whether it only grows.
        field: libvirt's name of it behind that of the part; "" for one that is computed.
        factor: of libvirt's number.
        compute: computes it, where it is about the time between two samples; None for what libvirt tells.
        summable: whether the sum over several elements means something.
    """

    name: str
    base: str
    units: str
    title: str
    change_type: ChangeType = ChangeType.COUNTER
    field: str = ""
    factor: int = 1
    compute: Compute | None = None
    summable: bool = True

    @property
    def is_interval(self) -> bool:
        """Whether it is about the time between two samples."""
        return self.compute is not None

    @property
    def source(self) -> str:
        """Where libvirt has it, for people."""
        return f"{_PARTS.get(self.base, '')}{self.field}" if self.field else "two samples of counters"


def read_metric(metric: Metric, now: Reading, before: Reading | None, seconds: float) -> Number | None:
    """Compute a value of a metric.

    Parameters:
        metric: which one.
        now: the newest figures.
        before: those of the sample before it; None for none.
        seconds: between the two.

    Returns:
        None where libvirt does not have what it is made from.
    """
    if metric.compute is None:
        value = now.value(metric.field)
        return None if value is None else value * metric.factor
    return None if before is None or seconds <= 0 else metric.compute(now, before, seconds)


class Collection:
    """Which metrics are collected of which elements: all that nobody switched off.

    An element is known by its class and its identity.
    """

    def __init__(self) -> None:
        self._off: set[tuple[str, Hashable]] = set()

    def switch(self, metric: Metric, element: Hashable, on: bool) -> None:
        """Have a metric of an element collected from now on, or no longer."""
        # A new set: who reads the old one does so to its end.
        pair = (metric.name, element)
        self._off = self._off - {pair} if on else self._off | {pair}

    def is_on(self, metric: Metric, element: Hashable) -> bool:
        """Whether a metric of an element is collected."""
        return (metric.name, element) not in self._off


_PARTS = {"Processor": "vcpu.N.", "LogicalDisk": "block.N.", "NetworkPort": "net.N.", "Memory": "balloon."}


def _grown(name: str, factor: float = 1) -> Compute:
    """Give what a counter grows by in a second; none when it was set back, as at a start."""

    def compute(now: Reading, before: Reading, seconds: float) -> float | None:
        new, old = now.value(name), before.value(name)
        return None if new is None or old is None or new < old else (new - old) * factor / seconds

    return compute


def _guest_load(now: Reading, before: Reading, seconds: float) -> float | None:
    share = _grown("cpu.time", 100 / _NANO)(now, before, seconds)
    count = now.value("vcpu.current")
    return None if share is None or not count else share / count


def _host_load(now: Reading, before: Reading, seconds: float) -> float | None:
    """Give the part of the time of all processors in which they were not idle."""
    spent = {name: now.fields[name] - before.fields.get(name, 0) for name in _BUSY + _IDLE if name in now.fields}
    total: int = sum(spent.values())
    if total <= 0 or any(each < 0 for each in spent.values()):
        return None
    busy: int = sum(spent.get(name, 0) for name in _BUSY)
    return 100 * busy / total


_BUSY, _IDLE = ("user", "kernel"), ("idle", "iowait")
_NANOSECOND, _BYTE, _COUNT, _PERCENT = "second * 10^-9", "byte", "count", "percent"
_BYTE_RATE, _COUNT_RATE = "byte / second", "count / second"
_GAUGE = ChangeType.GAUGE


def _rate(name: str, base: str, units: str, title: str, compute: Compute, summable: bool = True) -> Metric:
    return Metric(name, base, units, title, _GAUGE, compute=compute, summable=summable)


def _of_memory(name: str, title: str, field: str, change_type: ChangeType = _GAUGE) -> Metric:
    return Metric(name, "Memory", _BYTE, title, change_type, field, _KIB)


def _of_host_memory(name: str, title: str, field: str) -> Metric:
    return Metric(name, "HostSystem", _BYTE, title, _GAUGE, field, _KIB)


METRICS: tuple[Metric, ...] = (
    Metric("CPUTime", "ComputerSystem", _NANOSECOND, "Processor time that the guest has used", field="cpu.time"),
    Metric("CPUUserTime", "ComputerSystem", _NANOSECOND, "Of it, outside the host's kernel", field="cpu.user"),
    Metric("CPUSystemTime", "ComputerSystem", _NANOSECOND, "Of it, in the host's kernel", field="cpu.system"),
    _rate("CPULoad", "ComputerSystem", _PERCENT, "Load of the guest's processors together", _guest_load, False),
    Metric("ProcessorTime", "Processor", _NANOSECOND, "Time that the processor has run", field="time"),
    Metric("ProcessorWaitTime", "Processor", _NANOSECOND, "Time that it waited for input or output", field="wait"),
    Metric("ProcessorDelayTime", "Processor", _NANOSECOND, "Time that it waited for the host", field="delay"),
    _rate("ProcessorLoad", "Processor", _PERCENT, "Load of the processor", _grown("time", 100 / _NANO), summable=False),
    _of_memory("MemoryCurrent", "Memory that the guest has", "current"),
    _of_memory("MemoryMaximum", "Memory that the guest can have", "maximum"),
    _of_memory("MemoryResident", "Memory of the host that the guest's process has", "rss"),
    _of_memory("MemoryAvailable", "Memory that the guest sees", "available"),
    _of_memory("MemoryUnused", "Memory that the guest leaves empty", "unused"),
    _of_memory("MemoryUsable", "Memory that the guest can use without swapping", "usable"),
    _of_memory("MemoryDiskCaches", "Memory in which the guest keeps what it read from disks", "disk_caches"),
    _of_memory("SwapIn", "What the guest read from its swap space", "swap_in", ChangeType.COUNTER),
    _of_memory("SwapOut", "What the guest wrote to its swap space", "swap_out", ChangeType.COUNTER),
    Metric("MajorFaults", "Memory", _COUNT, "Page faults that needed a disk", field="major_fault"),
    Metric("MinorFaults", "Memory", _COUNT, "Page faults that needed none", field="minor_fault"),
    Metric("ReadBytes", "LogicalDisk", _BYTE, "What was read", field="rd.bytes"),
    Metric("ReadRequests", "LogicalDisk", _COUNT, "Requests to read", field="rd.reqs"),
    Metric("ReadTime", "LogicalDisk", _NANOSECOND, "Time that these took", field="rd.times"),
    Metric("WrittenBytes", "LogicalDisk", _BYTE, "What was written", field="wr.bytes"),
    Metric("WriteRequests", "LogicalDisk", _COUNT, "Requests to write", field="wr.reqs"),
    Metric("WriteTime", "LogicalDisk", _NANOSECOND, "Time that these took", field="wr.times"),
    Metric("FlushRequests", "LogicalDisk", _COUNT, "Requests to flush", field="fl.reqs"),
    Metric("FlushTime", "LogicalDisk", _NANOSECOND, "Time that these took", field="fl.times"),
    Metric("DiskCapacity", "LogicalDisk", _BYTE, "Size that the guest sees", _GAUGE, "capacity"),
    Metric("DiskAllocation", "LogicalDisk", _BYTE, "Space of the host that was written to", _GAUGE, "allocation"),
    Metric("DiskPhysical", "LogicalDisk", _BYTE, "Space of the host that the image takes", _GAUGE, "physical"),
    _rate("ReadRate", "LogicalDisk", _BYTE_RATE, "What is read in a second", _grown("rd.bytes")),
    _rate("WriteRate", "LogicalDisk", _BYTE_RATE, "What is written in a second", _grown("wr.bytes")),
    _rate("ReadRequestRate", "LogicalDisk", _COUNT_RATE, "Requests to read in a second", _grown("rd.reqs")),
    _rate("WriteRequestRate", "LogicalDisk", _COUNT_RATE, "Requests to write in a second", _grown("wr.reqs")),
    Metric("ReceivedBytes", "NetworkPort", _BYTE, "What the guest received", field="rx.bytes"),
    Metric("ReceivedPackets", "NetworkPort", _COUNT, "Packets that the guest received", field="rx.pkts"),
    Metric("ReceiveErrors", "NetworkPort", _COUNT, "Of them, those with errors", field="rx.errs"),
    Metric("ReceiveDrops", "NetworkPort", _COUNT, "Of them, those that were dropped", field="rx.drop"),
    Metric("SentBytes", "NetworkPort", _BYTE, "What the guest sent", field="tx.bytes"),
    Metric("SentPackets", "NetworkPort", _COUNT, "Packets that the guest sent", field="tx.pkts"),
    Metric("SendErrors", "NetworkPort", _COUNT, "Of them, those with errors", field="tx.errs"),
    Metric("SendDrops", "NetworkPort", _COUNT, "Of them, those that were dropped", field="tx.drop"),
    _rate("ReceiveRate", "NetworkPort", _BYTE_RATE, "What the guest receives in a second", _grown("rx.bytes")),
    _rate("SendRate", "NetworkPort", _BYTE_RATE, "What the guest sends in a second", _grown("tx.bytes")),
    Metric("HostUserTime", "HostSystem", _NANOSECOND, "Time of all processors outside the kernel", field="user"),
    Metric("HostKernelTime", "HostSystem", _NANOSECOND, "Time of all processors in the kernel", field="kernel"),
    Metric("HostIdleTime", "HostSystem", _NANOSECOND, "Time of all processors without work", field="idle"),
    Metric("HostWaitTime", "HostSystem", _NANOSECOND, "Time of all processors waiting for disks", field="iowait"),
    _rate("HostCPULoad", "HostSystem", _PERCENT, "Load of the host's processors together", _host_load, False),
    _of_host_memory("HostMemoryTotal", "Memory of the host", "total"),
    _of_host_memory("HostMemoryFree", "Memory that the host leaves empty", "free"),
    _of_host_memory("HostMemoryBuffers", "Memory of the host for buffers", "buffers"),
    _of_host_memory("HostMemoryCached", "Memory of the host for what it read from disks", "cached"),
)
"""All metrics, in the order of enumeration."""

"""What one sampling gives: figures of all guests of a hypervisor and of its host, at one moment.

The figures of a guest are libvirt's typed parameters, under libvirt's names (`cpu.time`, `block.0.rd.bytes`; see
virConnectGetAllDomainStats), also where a driver had to be asked guest by guest.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from virtcim.immutable import immutable

__all__ = ["NONE", "TOTALS", "Frame", "GuestSample", "HostSample", "Sample", "totals_of"]

NONE = -1
"""Stands in a frame for a figure that libvirt does not have; all figures are positive."""

TOTALS = ("cpu", "memory", "read", "written", "received", "sent")
"""What a frame keeps of a guest: nanoseconds of processor time; KiB of the host's memory; bytes of all disks and of
all network interfaces."""

_SUMS = (("block", "rd.bytes"), ("block", "wr.bytes"), ("net", "rx.bytes"), ("net", "tx.bytes"))


@immutable(eq=False)
class GuestSample:
    """The figures of one guest.

    Attributes:
        fields: libvirt's typed parameters by name.
        time: when it was asked, in UTC.
        clock: likewise, in seconds of the monotonic clock.
        answered: whether the guest could be asked; False for one that runs and is held by another operation, of which
            `fields` has only what libvirt knows without it.
        last: the figures of the last time when a guest that does not answer did; None for none.
        earlier: those of the time before that, for the rates of then; None for none.
    """

    fields: Mapping[str, Any]
    time: datetime
    clock: float
    answered: bool = True
    last: GuestSample | None = None
    earlier: GuestSample | None = None

    @property
    def known(self) -> GuestSample:
        """The newest figures that are whole."""
        return self if self.last is None else self.last


@immutable(eq=False)
class HostSample:
    """The figures of the host.

    Attributes:
        cpu: nanoseconds that all processors together have spent, by libvirt's name: `user`, `kernel`, `idle`,
            `iowait`; empty where the driver does not tell.
        memory: KiB by libvirt's name: `total`, `free`, `buffers`, `cached`; empty likewise.
        time, clock: as of a guest.
    """

    cpu: Mapping[str, int]
    memory: Mapping[str, int]
    time: datetime
    clock: float


@dataclass(slots=True, eq=False)
class Sample:
    """The figures of a hypervisor.

    Attributes:
        number: grows with each sample of a process.
        time: when libvirt was asked, in UTC.
        clock: likewise, in seconds of the monotonic clock.
        guests: by UUID.
        host: the host.
        previous: the sample before it, for rates; None for the first one, and once it is too old.
    """

    number: int
    time: datetime
    clock: float
    guests: Mapping[str, GuestSample]
    host: HostSample
    previous: Sample | None = None


@immutable(eq=False)
class Frame:
    """What is kept of a sample for the history.

    Attributes:
        time, clock: of the sample.
        places: the place of each guest, by UUID; one object for samples with the same guests.
        values: `TOTALS` of the guest at the first place, then of the next one, and so on.
    """

    time: datetime
    clock: float
    places: Mapping[str, int]
    values: array[int] = field(repr=False)

    def totals(self, uuid: str) -> tuple[int | None, ...] | None:
        """Give what is kept of a guest, in the order of `TOTALS`; None for one that was not there."""
        place = self.places.get(uuid)
        if place is None:
            return None
        start = place * len(TOTALS)
        return tuple(None if each == NONE else each for each in self.values[start : start + len(TOTALS)])


def totals_of(fields: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Add up the figures of a guest, in the order of `TOTALS`; None for what libvirt does not have."""
    return (
        fields.get("cpu.time"),
        fields.get("balloon.rss"),
        *(_sum(fields, group, name) for group, name in _SUMS),
    )


def _sum(fields: Mapping[str, Any], group: str, name: str) -> int | None:
    total: int | None = None
    for number in range(fields.get(f"{group}.count", 0)):
        value: int | None = fields.get(f"{group}.{number}.{name}")
        if value is not None:
            total = value if total is None else total + value
    return total

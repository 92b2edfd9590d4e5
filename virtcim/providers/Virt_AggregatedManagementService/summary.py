"""GetGroupSummary: what a console shows of a group of nodes, in one answer."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from virtcim.libhelper.metrics import Frame
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import CIMValue, EmbeddedInstance
from virtcim.providers.nodes.node import Node, NodeState

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.guest import Guest

__all__ = ["Summaries", "guests_of", "refresh_figures"]

_KIB = 1024
_NANO = 1_000_000_000


@dataclass(slots=True)
class _Sums:
    """What is added up over all guests; figures stay None while no guest has one.

    Attributes:
        Guests, RunningGuests: their numbers.
        Processors: of those that run.
        MemoryUsage: bytes that these have.
        ProcessorTime: seconds of processor time in a second.
        ReadRate, WriteRate, ReceiveRate, SendRate: bytes in a second.
    """

    Guests: int = 0
    RunningGuests: int = 0
    Processors: int = 0
    MemoryUsage: int = 0
    ProcessorTime: float | None = None
    ReadRate: float | None = None
    WriteRate: float | None = None
    ReceiveRate: float | None = None
    SendRate: float | None = None

    def add(self, name: str, value: float) -> None:
        setattr(self, name, (getattr(self, name) or 0) + value)

    def add_all(self, other: _Sums) -> None:
        for each in fields(other):
            if (value := getattr(other, each.name)) is not None:
                self.add(each.name, value)


_RATES = (
    (0, "ProcessorTime", _NANO),
    (2, "ReadRate", 1),
    (3, "WriteRate", 1),
    (4, "ReceiveRate", 1),
    (5, "SendRate", 1),
)
"""Places in `Frame.totals`, what is made of them, and the divisor."""


def refresh_figures(nodes: Iterable[Node]) -> None:
    """Have the figures of all guests sampled, where they are not fresh; who hangs makes nobody wait twice."""
    asked = [(each, each.metrics.ask()) for node in nodes for each in node.hypervisors]
    until = max((each.until for _, each in asked), default=0.0)
    for hypervisor, each in asked:
        hypervisor.metrics.take(each, until)


def guests_of(nodes: Iterable[Node]) -> Iterator[Guest]:
    """All guests of nodes, node by node."""
    for node in nodes:
        for platform in node.site.platforms:
            yield from all_guests(node.site, platform)


class Summaries:
    """Makes summaries of groups.  The sums over a hypervisor are kept until its guests or their figures change."""

    def __init__(self) -> None:
        self._sums: WeakKeyDictionary[Hypervisor, tuple[Hashable, _Sums]] = WeakKeyDictionary()

    def of(self, name: str, nodes: Sequence[Node]) -> EmbeddedInstance:
        """Add up what there is on nodes.

        Parameters:
            name: of their group.
            nodes: its members, as far as who asks may read them.
        """
        sums = _Sums()
        for node in nodes:
            for hypervisor in node.hypervisors:
                sums.add_all(self._of(hypervisor))
        return _summary(name, nodes, sums)

    def _of(self, hypervisor: Hypervisor) -> _Sums:
        """What the guests of a hypervisor have and do."""
        frames = hypervisor.metrics.history()[-2:]
        state = hypervisor.inventory.revision, *(frame.clock for frame in frames)
        known = self._sums.get(hypervisor)
        if known is not None and known[0] == state:
            return known[1]
        sums = _added_up(hypervisor, frames)
        self._sums[hypervisor] = state, sums
        return sums


def _summary(name: str, nodes: Sequence[Node], sums: _Sums) -> EmbeddedInstance:
    # The URIs of a node are those of one host, which counts once.
    hosts = [next((each for each in node.hypervisors if each.connected), None) for node in nodes]
    values: dict[str, CIMValue] = {
        "Name": name,
        "Nodes": len(nodes),
        "ConnectedNodes": sum(node.state in (NodeState.CONNECTED, NodeState.DEGRADED) for node in nodes),
        "HostProcessors": sum(each.node.cpus for each in hosts if each is not None),
        "HostMemory": sum(each.node.memory for each in hosts if each is not None) * _KIB,
        **{each.name: getattr(sums, each.name) for each in fields(sums)},
    }
    return EmbeddedInstance("Virt_GroupSummary", {key: value for key, value in values.items() if value is not None})


def _added_up(hypervisor: Hypervisor, frames: Sequence[Frame]) -> _Sums:
    """Add up what the guests of a hypervisor have and do.

    Parameters:
        frames: the two newest, for rates; fewer where there are no more.
    """
    sums = _Sums()
    before, after = frames if len(frames) == 2 else (None, None)
    for domain in hypervisor.inventory.domains():
        sums.Guests += 1
        if not domain.active or not domain.contact:
            continue
        sums.RunningGuests += 1
        config = domain.config
        if config is not None:
            sums.Processors += config.vcpu_current or config.vcpu or 0
            sums.MemoryUsage += (config.current_memory or config.memory or 0) * _KIB
        if before is not None and after is not None:
            _add_rates(sums, before, after, domain.uuid)
    return sums


def _add_rates(sums: _Sums, before: Frame, after: Frame, uuid: str) -> None:
    """Add what a guest did between two samples; nothing where a counter was set back, as by a new start."""
    old, new, seconds = before.totals(uuid), after.totals(uuid), after.clock - before.clock
    if old is None or new is None or seconds <= 0:
        return
    for place, name, divisor in _RATES:
        first, last = old[place], new[place]
        if first is not None and last is not None and last >= first:
            sums.add(name, (last - first) / divisor / seconds)

"""What the operations on one hypervisor work with: the one thing that they and the hypervisor share.

Layer rule: imports connections, eventhub, frozen, host, inventory, locks; no operation imports the hypervisor.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from virtcim.libhelper.connections import Connections
from virtcim.libhelper.eventhub import EventHub
from virtcim.libhelper.frozen import FrozenGuests
from virtcim.libhelper.host import HostFacts
from virtcim.libhelper.inventory.inventory import Inventory
from virtcim.libhelper.locks import Locks

__all__ = ["Context"]


@dataclass(slots=True, eq=False)
class Context:
    """The parts of a hypervisor that its operations need.

    Attributes:
        uri: the libvirt URI.
        connections: to it.
        inventory: what exists there.
        read_only: whether only read-only connections are opened, so that no operation is possible.
        events: what libvirt says.
        locks: of what is being changed, by UUID.
        facts: what the hypervisor said of itself when it was last connected.
        frozen: the guests that may be frozen.
    """

    uri: str
    connections: Connections
    inventory: Inventory
    read_only: bool
    events: EventHub = field(default_factory=EventHub)
    locks: Locks = field(default_factory=Locks)
    facts: HostFacts = field(default_factory=HostFacts)
    frozen: FrozenGuests = field(default_factory=FrozenGuests)

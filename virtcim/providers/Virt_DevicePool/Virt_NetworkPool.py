"""Virtual networks as pools of network interfaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.network import NetworkConfig
from virtcim.libhelper.inventory.records import Network, Pool
from virtcim.providers.base import trimmed
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.guest import Guest
from virtcim.providers.guests import all_guests
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_DevicePool.pool import COMMON, COUNT, DevicePool, Pools, PoolSource

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["NetworkPool"]

_ETHERNET_ADAPTER = 10


class NetworkPool(DevicePool):
    """A virtual network, or all of them (Virt_NetworkPool)."""

    __slots__ = ()

    base = "NetworkPool"
    source = PoolSource(Network)
    resource_type = _ETHERNET_ADAPTER
    surveyed_properties = ("CurrentlyConsumedResource", "Reserved")

    @classmethod
    def records(cls, hypervisor: Hypervisor) -> Sequence[Network | Pool]:
        return hypervisor.inventory.networks()

    @classmethod
    def place_of(cls, guest: Guest, entry: DeviceEntry, pools: Pools) -> DevicePool | None:
        """The network that an interface names, or whose bridge it names."""
        device = entry.device
        if device.source_network:
            return pools.named(guest.hypervisor, device.source_network)
        if device.type == "bridge" and device.source_bridge:
            bridges = pools.derived("bridges", _bridges)
            return bridges.get((guest.hypervisor, device.source_bridge))
        return None

    @property
    def consumed(self) -> int:
        """The network interfaces of active guests that are attached to the network, or to all of them."""
        counts = self.pools.derived("attached", _attached)
        if self.primordial:
            return sum(count for (hypervisor, _), count in counts.items() if hypervisor is self.hypervisor)
        return counts[self.hypervisor, self.instance_id]

    @property
    def config(self) -> NetworkConfig:
        """The XML of the network; empty for the primordial pool, and where it cannot be read."""
        config: NetworkConfig | None = None if self.record is None else self.record.config
        return config or NetworkConfig()


def _caption(pool: NetworkPool) -> str:
    if pool.primordial:
        return "All networks"
    bridge = pool.config.bridge_name
    return trimmed(f"Bridge: {bridge}" if bridge else f"Network: {pool.name}")


def _mode(pool: NetworkPool) -> str | None:
    """How traffic leaves the network; NULL for the primordial pool, and where the XML cannot be read."""
    known = pool.record is not None and pool.record.config is not None
    return pool.config.mode if known else None


def _capacity(pool: NetworkPool) -> int | None:
    """The devices of the host that the network gives to guests as a whole; NULL where it has no such limit."""
    return len(pool.config.forward_addresses) or None


def _bridges(pools: Pools) -> dict[tuple[Hypervisor, str], DevicePool]:
    """The pools of networks by their bridges; of several with one bridge, the first that is active, else the first."""
    found: dict[tuple[Hypervisor, str], DevicePool] = {}
    for pool in sorted(pools.by_id.values(), key=lambda pool: not pool.active):
        if isinstance(pool, NetworkPool) and pool.config.bridge_name:
            found.setdefault((pool.hypervisor, pool.config.bridge_name), pool)
    return found


def _attached(pools: Pools) -> Counter[tuple[Hypervisor, str]]:
    """The network interfaces of active guests, by hypervisor and InstanceID of the pool that they are attached to."""
    counts: Counter[tuple[Hypervisor, str]] = Counter()
    for guest in all_guests(pools.site, pools.platform):
        for entry in guest.state.entries.values() if guest.domain.active and guest.state is not None else ():
            pool = NetworkPool.place_of(guest, entry, pools) if entry.kind.pool is NetworkPool else None
            if pool is not None:
                counts[guest.hypervisor, pool.instance_id] += 1
    return counts


NetworkPool.table = PropertyTable(
    COMMON,
    Property("Caption", _caption, f"network XML {NetworkConfig.field_path('bridge_name')}"),
    Property(
        "Description",
        lambda pool: pool.config.description or pool.config.title,
        f"network XML {NetworkConfig.field_path('description')}, else {NetworkConfig.field_path('title')}",
    ),
    Property(
        "ResourceSubType",
        _mode,
        f"network XML {NetworkConfig.field_path('forward_mode')}; isolated where it has none",
    ),
    constant("AllocationUnits", COUNT),
    constant("ConsumedResourceUnits", COUNT),
    Property("Capacity", _capacity, f"number of network XML {NetworkConfig.field_path('forward_addresses')}"),
    Property(
        "Reserved",
        lambda pool: None if _capacity(pool) is None else pool.consumed,
        "network interfaces of the active guests, where there is a capacity",
    ),
    attribute(
        "CurrentlyConsumedResource", lambda pool: pool.consumed, source="network interfaces of the active guests"
    ),
    Property("MaxConsumableResource", _capacity, "as Capacity"),
)

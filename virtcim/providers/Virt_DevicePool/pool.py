"""What all pools have in common, and which pools there are."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from virtcim.libhelper.inventory.records import Network, Pool
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element
from virtcim.providers.deviceids import DeviceEntry, Kind
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.site import Guest, Site
from virtcim.providers.states import HealthState, OperatingStatus, OperationalStatus

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["COMMON", "COUNT", "DevicePool", "PoolRoster", "Usage", "pool_for", "pools_of", "roster_of"]

Made = TypeVar("Made")

COUNT = "count"
"""The unit of what is counted (DSP0004, annex C)."""

_ORDER = (Kind.PROCESSOR, Kind.MEMORY, Kind.NETWORK, Kind.DISK, Kind.GRAPHICS, Kind.INPUT, Kind.CONTROLLER)
"""libvirt-cim's order of all pools."""

PRIMORDIAL = "0"
"""In the place of a name: the pool of all resources of a kind."""


class DevicePool(Element):
    """A pool of resources.

    Attributes:
        kind: of the resources of guests that are taken from it.
        resource_type: the value of ResourceType.
        site, hypervisor: where it is.
        instance_id: the key.
        record: the network or storage pool that it is; None for a primordial pool.
    """

    __slots__ = ("_kept", "hypervisor", "instance_id", "record", "site")

    kind: ClassVar[Kind]
    resource_type: ClassVar[int]
    key_names = ("InstanceID",)
    types: ClassVar[dict[Kind, type[DevicePool]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.types[cls.kind] = cls

    def __init__(self, site: Site, platform: Platform, hypervisor: Hypervisor, instance_id: str, record: Any) -> None:
        self.site = site
        self.hypervisor = hypervisor
        self.instance_id = instance_id
        self.record = record
        self._kept: dict[str, tuple[Any, Any]] = {}
        super().__init__(platform, instance_id)

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterable[DevicePool]:
        return pools_of(site, platform, cls)

    @classmethod
    def records(cls, hypervisor: Hypervisor) -> Sequence[Network | Pool]:
        """What has a pool of its own beside the primordial one."""
        return ()

    @classmethod
    def place_of(cls, guest: Guest, entry: DeviceEntry, roster: PoolRoster) -> DevicePool | None:
        """The pool that a resource of a guest is taken from; None where it is taken from none."""
        return roster.primordial(cls, guest.hypervisor)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        record = None if self.record is None else self.record.revision
        return self.hypervisor.connected, self.hypervisor.facts, self.hypervisor.inventory.revision, record

    def kept(self, name: str, state: Any, make: Callable[[], Made]) -> Made:
        """What `make` gave for `name` when it was last asked for at this `state` of what it is made from."""
        known = self._kept.get(name)
        if known is None or known[0] != state:
            known = self._kept[name] = (state, make())
        return cast(Made, known[1])

    @property
    def primordial(self) -> bool:
        """Whether it stands for all resources of its kind."""
        return self.record is None

    @property
    def active(self) -> bool:
        """Whether resources can be taken from it now."""
        return self.record is None or bool(self.record.active)

    @property
    def contact(self) -> bool:
        """Whether what is known of it is known to be true."""
        return bool(self.hypervisor.connected and (self.record is None or self.record.contact))

    @property
    def usage(self) -> Usage:
        """What the active guests of its hypervisor have taken."""
        return roster_of(self.site, self.platform).usage(self.hypervisor)

    @property
    def name(self) -> str:
        """libvirt's name of the network or storage pool; the InstanceID of a primordial pool."""
        return self.instance_id if self.record is None else str(self.record.name)


@dataclass(slots=True)
class Usage:
    """What the active guests of a hypervisor have taken.

    Attributes:
        memory: KiB.
        counts: the number of resources by kind; of processors, those that are on.
        networks: InstanceID of a network pool to the number of network interfaces attached to it.
    """

    memory: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)
    networks: Counter[str] = field(default_factory=Counter)


class PoolRoster:
    """The pools of one platform, kept until an inventory changes."""

    def __init__(self, site: Site, platform: Platform) -> None:
        self._site = site
        self._platform = platform
        self._lock = threading.Lock()
        self._revisions: tuple[Any, ...] = ()
        self._pools: dict[str, DevicePool] = {}
        self._places: dict[tuple[Any, type[DevicePool], str | None], DevicePool] = {}
        self._bridges: dict[tuple[Any, str], DevicePool] = {}
        self._usage: dict[Any, tuple[int, Usage]] = {}

    @property
    def pools(self) -> Mapping[str, DevicePool]:
        """All pools by InstanceID, in libvirt-cim's order of kinds, the primordial one of a kind last."""
        self._update()
        return self._pools

    def primordial(self, pool_type: type[DevicePool], hypervisor: Hypervisor) -> DevicePool | None:
        """The pool of all resources of a kind."""
        self._update()
        return self._places.get((hypervisor, pool_type, None))

    def named(self, pool_type: type[DevicePool], hypervisor: Hypervisor, name: str) -> DevicePool | None:
        """The pool of a network or storage pool with this name."""
        self._update()
        return self._places.get((hypervisor, pool_type, name))

    def of_bridge(self, hypervisor: Hypervisor, bridge: str) -> DevicePool | None:
        """The pool of the network whose bridge has this name."""
        self._update()
        return self._bridges.get((hypervisor, bridge))

    def usage(self, hypervisor: Hypervisor) -> Usage:
        """What the active guests of a hypervisor have taken."""
        revision = hypervisor.inventory.revision
        known = self._usage.get(hypervisor)
        if known is not None and known[0] == revision:
            return known[1]
        usage = Usage()
        for guest in self._site.guests(self._platform):
            if guest.hypervisor is hypervisor and guest.domain.active:
                self._add(usage, guest)
        self._usage[hypervisor] = revision, usage
        return usage

    @staticmethod
    def _add(usage: Usage, guest: Guest) -> None:
        state = guest.state
        if state is None:
            return
        usage.memory += state.config.current_memory or 0
        for entry in state.entries.values():
            usage.counts[entry.kind] += (state.config.vcpu_current or 1) if entry.kind is Kind.PROCESSOR else 1
            if entry.kind is Kind.NETWORK:
                pool = pool_for(guest, entry)
                if pool is not None:
                    usage.networks[pool.instance_id] += 1

    def _update(self) -> None:
        hypervisors = self._site.hypervisors(self._platform)
        revisions = tuple((hypervisor.inventory.revision, hypervisor.fqdn) for hypervisor in hypervisors)
        if revisions == self._revisions:
            return
        with self._lock:
            self._rebuild([hypervisor for hypervisor in hypervisors if hypervisor.fqdn])
            self._revisions = revisions

    def _rebuild(self, hypervisors: Sequence[Hypervisor]) -> None:
        """Find the pools anew; one whose record is the same stays the same object."""
        places: dict[tuple[Any, type[DevicePool], str | None], DevicePool] = {}
        pools: dict[str, DevicePool] = {}
        bridges: dict[tuple[Any, str], DevicePool] = {}
        for pool_type in (DevicePool.types[kind] for kind in _ORDER):
            found: dict[str, DevicePool] = {}
            primordial = [self._place(places, found, pool_type, hypervisor, None) for hypervisor in hypervisors]
            children = [
                self._place(places, found, pool_type, hypervisor, record)
                for hypervisor in hypervisors
                for record in pool_type.records(hypervisor)
            ]
            pools.update((pool.instance_id, pool) for pool in (*children, *primordial))
            for pool in sorted(children, key=lambda pool: not pool.active):
                bridge = getattr(pool.record.config, "bridge_name", None)
                if bridge:
                    bridges.setdefault((pool.hypervisor, bridge), pool)
        self._places, self._bridges, self._pools = places, bridges, pools

    def _place(
        self,
        places: dict[tuple[Any, type[DevicePool], str | None], DevicePool],
        found: dict[str, DevicePool],
        pool_type: type[DevicePool],
        hypervisor: Hypervisor,
        record: Network | Pool | None,
    ) -> DevicePool:
        """A pool with an InstanceID of its own: `#2` and so on tell apart what would have the same one."""
        place = (hypervisor, pool_type, None if record is None else record.name)
        wanted = f"{pool_type.base}/{PRIMORDIAL if record is None else record.name}"
        instance_id, number = wanted, 1
        while instance_id in found:
            number += 1
            instance_id = f"{wanted}#{number}"
        pool = self._places.get(place)
        if pool is None or pool.record is not record or pool.instance_id != instance_id:
            pool = pool_type(self._site, self._platform, hypervisor, instance_id, record)
        found[instance_id] = places[place] = pool
        return pool


def roster_of(site: Site, platform: Platform) -> PoolRoster:
    """The pools of a platform."""
    return site.memo(("pools", platform.prefix), lambda _: PoolRoster(site, platform))


def pools_of(site: Site, platform: Platform, pool_type: type[Element] = DevicePool) -> Sequence[DevicePool]:
    """The pools of a platform, all or those of one type."""
    return [pool for pool in roster_of(site, platform).pools.values() if isinstance(pool, pool_type)]


def pool_for(guest: Guest, entry: DeviceEntry) -> DevicePool | None:
    """The pool that a resource of a guest is taken from; None where it is taken from none.

    The one place where membership is decided: of the device as of its settings.
    """
    pool_type = DevicePool.types.get(entry.kind)
    return None if pool_type is None else pool_type.place_of(guest, entry, roster_of(guest.site, guest.platform))


def _operational_status(pool: DevicePool) -> list[int]:
    if not pool.contact:
        return [int(OperationalStatus.NO_CONTACT)]
    return [int(OperationalStatus.OK if pool.active else OperationalStatus.STOPPED)]


def _operating_status(pool: DevicePool) -> int:
    if not pool.contact:
        return int(OperatingStatus.UNKNOWN)
    return int(OperatingStatus.IN_SERVICE if pool.active else OperatingStatus.STOPPED)


COMMON = PropertyTable[DevicePool](
    attribute(
        "InstanceID", lambda pool: pool.instance_id, source="kind of pool; libvirt's name, 0 for the primordial pool"
    ),
    attribute("PoolID", lambda pool: pool.instance_id, source="as InstanceID"),
    attribute("ElementName", lambda pool: pool.name, source="libvirt's name; the InstanceID of a primordial pool"),
    attribute("Name", lambda pool: pool.name, source="as ElementName"),
    attribute("ResourceType", lambda pool: pool.resource_type, source="kind of pool"),
    attribute("Primordial", lambda pool: pool.primordial, source="true for the pool of all resources of its kind"),
    Property(
        "HealthState",
        lambda pool: int(HealthState.OK if pool.contact else HealthState.UNKNOWN),
        "contact with the hypervisor",
    ),
    Property("OperationalStatus", _operational_status, "whether the network or storage pool is active"),
    Property("OperatingStatus", _operating_status, "whether the network or storage pool is active"),
)

"""What all pools have in common, and which pools there are."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from virtcim.libhelper.inventory.records import Domain, Network, Pool, Record
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.guest import Guest
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import AnyElement, Place, Source
from virtcim.providers.states import HealthState, OperatingStatus, OperationalStatus

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["COMMON", "COUNT", "DevicePool", "PoolSource", "Pools", "Usage", "counted"]

T = TypeVar("T")

COUNT = "count"
"""The unit of what is counted (DSP0004, annex C)."""

PRIMORDIAL = "0"
"""In the place of a name: the pool of all resources of a kind."""


class PoolSource(Source[Place]):
    """The networks and storage pools of hypervisors, and what hypervisors have without pools of libvirt's own.

    Parameters:
        records: the type of the records that are pools; none where there is the primordial pool only.
    """

    def __init__(self, *records: type[Record]) -> None:
        self.records = records

    def owners(self, site: Site, platform: Platform) -> Iterable[Place]:
        return (Place(site, platform),)

    def instances_of(
        self, site: Site, platform: Platform, record: Record, element: type[AnyElement]
    ) -> Iterable[AnyElement]:
        if issubclass(element, DevicePool) and isinstance(record, self.records):
            return (cast(AnyElement, element.pools_on(site, platform).shown(record)),)
        return ()


class DevicePool(Element):
    """A pool of resources.

    Attributes:
        resource_type: the value of ResourceType.
        is_shared: whether guests share what it has, rather than each having some for itself.
        pools: those of its type on its platform.
        hypervisor: where it is.
        instance_id: the key.
        record: the network or storage pool that it is; None for a primordial pool.
    """

    __slots__ = ("_cached", "hypervisor", "instance_id", "pools", "record")

    resource_type: ClassVar[int]
    is_shared: ClassVar[bool] = True
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "Missing InstanceID")
    source = PoolSource()
    surveyed = (Domain,)

    def __init__(self, pools: Pools, hypervisor: Hypervisor, instance_id: str, record: Any) -> None:
        self.pools = pools
        self.hypervisor = hypervisor
        self.instance_id = instance_id
        self.record = record
        self._cached: dict[str, tuple[object, object]] = {}
        super().__init__(pools.site, pools.platform, instance_id)

    @classmethod
    def made_from(cls, owner: Place) -> Sequence[Self]:
        return tuple(cls.pools_on(*owner).by_id.values())  # type: ignore[arg-type]

    @property
    def is_of_record(self) -> bool:
        return self.record is not None

    @classmethod
    def pools_on(cls, site: Site, platform: Platform) -> Pools:
        """The pools of this type on a platform."""
        return site.memo((cls, platform.prefix), lambda _: Pools(site, platform, cls))

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        kind, _, name = key.partition("/")
        if not site.hypervisors(platform):
            text = "No such instance"
        elif kind.casefold() != cls.base.casefold():
            text = f"No such instance ({key}) - resource pool type mismatch"
        else:
            text = f"No such instance ({name})"
        return CIMError(Status.NOT_FOUND, text)

    @classmethod
    def with_key(cls, site: Site, platform: Platform, key: str) -> Self | None:
        """The pool with this InstanceID: the kind in any case, libvirt's name in libvirt's spelling."""
        kind, _, name = key.partition("/")
        if kind.casefold() != cls.base.casefold():
            return None
        return cast("Self | None", cls.pools_on(site, platform).by_id.get(f"{cls.base}/{name}"))

    @classmethod
    def records(cls, hypervisor: Hypervisor) -> Sequence[Network | Pool]:
        """What has a pool of its own beside the primordial one."""
        return ()

    @classmethod
    def place_of(cls, guest: Guest, entry: DeviceEntry, pools: Pools) -> DevicePool | None:
        """The pool that a resource of a guest is taken from; None where it is taken from none."""
        return pools.primordial(guest.hypervisor)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        record = None if self.record is None else self.record.revision
        return self.contact, self.hypervisor.facts, record, self.consumed

    @property
    def consumed(self) -> int:
        """What the active guests of its hypervisor have taken."""
        return self.usage.counts[type(self)]

    def cached(self, name: str, state: object, make: Callable[[], T]) -> T:
        """What `make` gave for `name` when it was last asked for at this `state` of what it is made from."""
        known = self._cached.get(name)
        if known is None or known[0] != state:
            known = self._cached[name] = (state, make())
        return cast(T, known[1])

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
        """Whether what is known of it is known to be true; a record says so itself, whenever it is told of."""
        return self.hypervisor.connected if self.record is None else self.record.contact

    @property
    def usage(self) -> Usage:
        """What the active guests of its hypervisor have taken."""
        return usage_of(self.site, self.platform, self.hypervisor)

    @property
    def name(self) -> str:
        """libvirt's name of the network or storage pool; the InstanceID of a primordial pool."""
        return self.instance_id if self.record is None else str(self.record.name)


@dataclass(slots=True)
class Usage:
    """What the active guests of a hypervisor have taken.

    Attributes:
        memory: KiB.
        processors: those that are on.
        counts: the number of resources by the type of their pool.
    """

    memory: int = 0
    processors: int = 0
    counts: Counter[type[DevicePool]] = field(default_factory=Counter)

    def add(self, guest: Guest) -> None:
        """Count what one guest has taken."""
        state = guest.state
        if state is None:
            return
        self.memory += state.config.current_memory or 0
        self.processors += state.config.vcpu_current or 1
        self.counts.update(entry.kind.pool for entry in state.entries.values() if entry.kind.pool is not None)


class Pools:
    """The pools of one type on one platform, kept until an inventory changes.

    Attributes:
        site, platform: where they are.
    """

    def __init__(self, site: Site, platform: Platform, pool_type: type[DevicePool]) -> None:
        self.site = site
        self.platform = platform
        self._type = pool_type
        self._lock = threading.Lock()
        self._revisions: Sequence[tuple[int, str]] = ()
        self._pools: dict[str, DevicePool] = {}
        self._places: dict[_PoolPlace, DevicePool] = {}
        self._derived: dict[str, object] = {}

    @property
    def by_id(self) -> Mapping[str, DevicePool]:
        """The pools by InstanceID, the primordial ones last."""
        self._update()
        return self._pools

    def primordial(self, hypervisor: Hypervisor) -> DevicePool | None:
        """The pool of all resources of the kind."""
        return self.named(hypervisor, None)

    def named(self, hypervisor: Hypervisor, name: str | None) -> DevicePool | None:
        """The pool of a network or storage pool with this name."""
        self._update()
        return self._places.get((hypervisor, name))

    def derived(self, name: str, make: Callable[[Pools], T]) -> T:
        """What `make` gave for `name` when it was first asked for at the present state of the inventories."""
        self._update()
        derived = self._derived
        if name not in derived:
            derived[name] = make(self)
        return cast(T, derived[name])

    def shown(self, record: Record) -> DevicePool:
        """The pool that shows a record, be it the present record or an older one."""
        hypervisor = self.site.hypervisor_of(self.platform, record)
        known = self.named(hypervisor, record.name)
        if known is not None and known.record is record:
            return known
        instance_id = f"{self._type.base}/{record.name}" if known is None else known.instance_id
        return self._type(self, hypervisor, instance_id, record)

    def _update(self) -> None:
        hypervisors = self.site.hypervisors(self.platform)
        revisions = [(hypervisor.inventory.revision, hypervisor.fqdn) for hypervisor in hypervisors]
        if revisions == self._revisions:
            return
        with self._lock:
            self._rebuild([hypervisor for hypervisor in hypervisors if hypervisor.fqdn])
            self._revisions = revisions

    def _rebuild(self, hypervisors: Sequence[Hypervisor]) -> None:
        """Find the pools anew; one whose record is the same stays the same object."""
        places: dict[_PoolPlace, DevicePool] = {}
        found: set[str] = set()
        primordial = [self._pool_at(places, found, hypervisor, None) for hypervisor in hypervisors]
        children = [
            self._pool_at(places, found, hypervisor, record)
            for hypervisor in hypervisors
            for record in self._type.records(hypervisor)
        ]
        self._derived = {}
        self._places, self._pools = places, {pool.instance_id: pool for pool in (*children, *primordial)}

    def _pool_at(
        self,
        places: dict[_PoolPlace, DevicePool],
        found: set[str],
        hypervisor: Hypervisor,
        record: Network | Pool | None,
    ) -> DevicePool:
        """A pool with an InstanceID of its own: `#2` and so on tell apart what would have the same one."""
        place = (hypervisor, None if record is None else record.name)
        wanted = f"{self._type.base}/{PRIMORDIAL if record is None else record.name}"
        instance_id, number = wanted, 1
        while instance_id in found:
            number += 1
            instance_id = f"{wanted}#{number}"
        found.add(instance_id)
        pool = self._places.get(place)
        if pool is None or pool.record is not record or pool.instance_id != instance_id:
            pool = self._type(self, hypervisor, instance_id, record)
        places[place] = pool
        return pool


_PoolPlace = tuple["Hypervisor", str | None]
"""A hypervisor, and the name of a network or storage pool there; None for the primordial pool."""


def usage_of(site: Site, platform: Platform, hypervisor: Hypervisor) -> Usage:
    """What the active guests of a hypervisor have taken, kept until its inventory changes."""
    known: dict[Hypervisor, tuple[int, Usage]] = site.memo((Usage, platform.prefix), lambda _: {})
    revision = hypervisor.inventory.revision
    cached = known.get(hypervisor)
    if cached is None or cached[0] != revision:
        usage = Usage()
        for guest in all_guests(site, platform):
            if guest.hypervisor is hypervisor and guest.domain.active:
                usage.add(guest)
        cached = known[hypervisor] = (revision, usage)
    return cached[1]


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


def counted(caption: str, what: str) -> PropertyTable[DevicePool]:
    """The properties of a pool of what a hypervisor makes up for its guests, and so has no end of.

    Parameters:
        caption: of the pool.
        what: is counted.
    """
    return PropertyTable(
        COMMON,
        constant("Caption", caption),
        constant("AllocationUnits", COUNT),
        constant("ConsumedResourceUnits", COUNT),
        Property("CurrentlyConsumedResource", lambda pool: pool.consumed, f"{what} of the active guests"),
    )

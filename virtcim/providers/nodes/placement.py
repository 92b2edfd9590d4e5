"""Where a new guest is placed: which nodes cannot have it and why, and which of the others has the least to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Event, Lock
from typing import TYPE_CHECKING, NamedTuple

from virtcim.immutable import immutable
from virtcim.libhelper.documents.capabilities import HostCapabilities
from virtcim.libhelper.states import DomainState
from virtcim.platforms.base import Platform
from virtcim.providers.interface import EmbeddedInstance
from virtcim.providers.nodes.node import Node, NodeState
from virtcim.providers.units import size_in
from virtcim.schema.names import is_above_platforms, prefix_of

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["Candidate", "Load", "Promises", "Wish", "candidates", "with_defaults"]

_PROCESSOR, _MEMORY, _NETWORK, _DISKS = 3, 4, 10, (17, 19)
"""ResourceType."""

_KIBIBYTE = 1024


@immutable
class Wish:
    """What a new guest needs of its node.

    Attributes:
        prefix: of the platform's classes; "" where any will do.
        system_type: VirtualSystemType, such as `DMTF:KVM`; "" where any will do.
        arch: libvirt's name of the architecture; "" where that of the node will do.
        memory: KiB; 0 where it is left open.
        processors: their number.
        pool: the storage pool that its disks are in; "" where none is named.
        room: bytes that its new disks take there.
    """

    prefix: str = ""
    system_type: str = ""
    arch: str = ""
    memory: int = 0
    processors: int = 1
    pool: str = ""
    room: int = 0

    @classmethod
    def of(cls, system: EmbeddedInstance | None, resources: Sequence[EmbeddedInstance]) -> Wish:
        """Read it from the parameters of DefineSystem."""
        given = {} if system is None else system.properties
        prefix = "" if system is None or is_above_platforms(system.class_name) else prefix_of(system.class_name)
        pools = {pool for each in resources if _type(each) in _DISKS and (pool := _pool(each))}
        return cls(
            prefix,
            str(given.get("VirtualSystemType") or ""),
            str(given.get("Arch") or ""),
            sum(_bytes(each, _KIBIBYTE) for each in resources if _type(each) == _MEMORY) // _KIBIBYTE,
            sum(_quantity(each) for each in resources if _type(each) == _PROCESSOR) or 1,
            pools.pop() if len(pools) == 1 else "",
            sum(_bytes(each, 1) for each in resources if _type(each) in _DISKS),
        )


class Load(NamedTuple):
    """How much a node has to do; less comes first.

    Attributes:
        processors: those of running guests, for each one of the host.
        memory: of running guests, as a part of the host's.
        guests: that run.
    """

    processors: float = 0.0
    memory: float = 0.0
    guests: int = 0


@immutable
class Candidate:
    """A node that was looked at.

    Attributes:
        node: the node.
        platform, hypervisor: under which the guest would be defined; None where it cannot be.
        reasons: why it cannot have the guest; none where it can.
        load: what it has to do.
    """

    node: Node
    platform: Platform | None
    hypervisor: Hypervisor | None
    reasons: tuple[str, ...]
    load: Load

    @property
    def accepted(self) -> bool:
        """Whether it can have the guest."""
        return not self.reasons

    @property
    def text(self) -> str:
        """The reasons, or the load, for people."""
        if self.reasons:
            return "; ".join(self.reasons)
        load = self.load
        return (
            f"{load.processors:.2f} processors in use for each of its own, {load.memory:.0%} of its memory, "
            f"{load.guests} guests run"
        )


class Promises:
    """The guests that nodes were chosen for and that are still being made there, and run nowhere yet.

    Attributes:
        choosing: held while a node is chosen and the making of the guest begins, so that the next one knows of it.
    """

    def __init__(self) -> None:
        self.choosing = Lock()
        self._made: list[tuple[Hypervisor, Wish, Event]] = []
        self._lock = Lock()

    def add(self, hypervisor: Hypervisor, wish: Wish, over: Event) -> None:
        """Note a guest.

        Parameters:
            hypervisor: where it is made.
            wish: what it needs.
            over: set once it is made, or cannot be.
        """
        with self._lock:
            self._made = [each for each in self._made if not each[2].is_set()]
            self._made.append((hypervisor, wish, over))

    def of(self, hypervisor: Hypervisor) -> list[Wish]:
        """What the guests need that are being made on a hypervisor."""
        with self._lock:
            return [wish for where, wish, over in self._made if where is hypervisor and not over.is_set()]


def candidates(
    nodes: Iterable[Node],
    wish: Wish,
    may: Callable[[Node], bool] = lambda _: True,
    promises: Promises | None = None,
) -> list[Candidate]:
    """Look at nodes: those that can have the guest come first, and among them those with less to do.

    Parameters:
        may: tells whether who asks may define guests on a node.
        promises: what else counts as if it ran there.
    """
    promises = promises or Promises()
    found = [
        _candidate(node, wish, promises)
        if may(node)
        else Candidate(node, None, None, ("you may not define guests there",), Load())
        for node in nodes
    ]
    return sorted(found, key=lambda each: (not each.accepted, each.load, each.node.name))


def with_defaults(resources: Sequence[EmbeddedInstance], variables: Mapping[str, str]) -> list[EmbeddedInstance]:
    """Give what a client has left open the values of a group: `pool` for new disks, `bridge` for network ports."""
    return [_with_default(each, variables) for each in resources]


def _with_default(resource: EmbeddedInstance, variables: Mapping[str, str]) -> EmbeddedInstance:
    kind, given = _type(resource), resource.properties
    extra: dict[str, str] = {}
    if kind in _DISKS and (pool := variables.get("pool")):
        if not any(given.get(name) for name in ("PoolID", "Address", "HostResource")):
            extra["PoolID"] = f"DiskPool/{pool}"
    elif (
        kind == _NETWORK
        and (bridge := variables.get("bridge"))
        and not any(given.get(name) for name in ("PoolID", "NetworkType", "NetworkName", "Connection"))
    ):
        extra = {"NetworkType": "bridge", "NetworkName": bridge}
    return EmbeddedInstance(resource.class_name, {**given, **extra}) if extra else resource


def _candidate(node: Node, wish: Wish, promises: Promises) -> Candidate:
    if node.state not in (NodeState.CONNECTED, NodeState.DEGRADED):
        reason = f"it is down: {node.trouble or node.state.value}"
        return Candidate(node, None, None, (reason,), Load())
    reasons: list[str] = []
    for hypervisor in node.hypervisors:
        platform = node.platform_of(hypervisor)
        if platform is None or not hypervisor.connected:
            continue
        promised = promises.of(hypervisor)
        against = tuple(_against(platform, hypervisor, wish, promised))
        if not against:
            return Candidate(node, platform, hypervisor, (), _load(hypervisor, promised))
        reasons += [each for each in against if each not in reasons]
    return Candidate(node, None, None, tuple(reasons) or ("none of its connections stands",), Load())


def _against(platform: Platform, hypervisor: Hypervisor, wish: Wish, promised: Sequence[Wish]) -> Iterator[str]:
    """Say what stands against a guest on a hypervisor."""
    if wish.prefix and wish.prefix.lower() != platform.prefix.lower():
        yield f"it has no {wish.prefix}"
        return
    if hypervisor.read_only:
        yield "it is read-only"
    capabilities = hypervisor.host_capabilities()
    if wish.system_type and not _has_type(wish.system_type, platform):
        yield f"it has no guests of type {wish.system_type}"
    architectures = {guest.arch_name for guest in capabilities.guests if guest.arch_name}
    if wish.arch and wish.arch not in (architectures or {_arch(capabilities, hypervisor)}):
        yield f"it has no guests of architecture {wish.arch}; only {', '.join(sorted(architectures)) or 'its own'}"
    free = _free_memory(hypervisor, promised)
    if free is not None and wish.memory > free:
        yield f"{wish.memory // _KIBIBYTE} MiB of memory are needed, and {max(0, free) // _KIBIBYTE} MiB are free"
    if wish.pool:
        yield from _against_pool(hypervisor, wish)


def _against_pool(hypervisor: Hypervisor, wish: Wish) -> Iterator[str]:
    pool = next((each for each in hypervisor.inventory.pools() if each.name == wish.pool), None)
    if pool is None:
        yield f"it has no storage pool {wish.pool!r}"
    elif not pool.active:
        yield f"its storage pool {wish.pool!r} is not active"
    elif pool.config is not None and pool.config.available is not None and pool.config.available < wish.room:
        yield f"{wish.room} bytes are needed in its storage pool {wish.pool!r}, and {pool.config.available} are left"


def _has_type(system_type: str, platform: Platform) -> bool:
    """Whether a platform's guests are of a VirtualSystemType: `DMTF:KVM`, `DMTF:XEN:PV`, or libvirt's own word."""
    words = [word.lower() for word in system_type.split(":")]
    wanted = words[1] if words[0] == "dmtf" and len(words) > 1 else words[0]
    return wanted in {platform.prefix.lower(), *platform.domain_types, *map(str.lower, platform.drivers)}


def _arch(capabilities: HostCapabilities, hypervisor: Hypervisor) -> str:
    return capabilities.cpu_arch or hypervisor.node.model


def _free_memory(hypervisor: Hypervisor, promised: Sequence[Wish]) -> int | None:
    """KiB that no running guest has; None where the memory of the host is not known."""
    total = hypervisor.facts.memory
    return None if total is None else total - _use(hypervisor, promised)[1]


def _use(hypervisor: Hypervisor, promised: Sequence[Wish]) -> tuple[int, int, int]:
    """The processors and the KiB of the guests that run or are being made, and their number."""
    running = [each for each in hypervisor.inventory.domains() if each.active and each.state is not DomainState.SHUTOFF]
    configs = [each.config for each in running if each.config is not None]
    processors = sum(config.vcpu_current or config.vcpu or 1 for config in configs)
    processors += sum(wish.processors for wish in promised)
    memory = sum(config.current_memory or config.memory or 0 for config in configs)
    return processors, memory + sum(wish.memory for wish in promised), len(running) + len(promised)


def _load(hypervisor: Hypervisor, promised: Sequence[Wish]) -> Load:
    processors, memory, guests = _use(hypervisor, promised)
    total = hypervisor.facts.memory
    return Load(processors / max(1, hypervisor.node.cpus), memory / total if total else 0.0, guests)


def _type(resource: EmbeddedInstance) -> object:
    return resource.properties.get("ResourceType")


def _quantity(resource: EmbeddedInstance) -> int:
    value = resource.properties.get("VirtualQuantity")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _bytes(resource: EmbeddedInstance, default: int) -> int:
    units = resource.properties.get("AllocationUnits")
    size = size_in(units) if isinstance(units, str) and units else None
    return _quantity(resource) * (size or default)


def _pool(resource: EmbeddedInstance) -> str:
    value = resource.properties.get("PoolID")
    return value.partition("/")[2] if isinstance(value, str) else ""

"""Sites made of recorded domain XML, for what no driver on this machine can produce (Xen, lost connections, odd XML).

The records, their XML and everything above them are the real ones; only the connection to libvirt is not there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zlib import crc32

from virtcim.libhelper.agent import Agents
from virtcim.libhelper.documents.capabilities import HostCapabilities, parsed
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.documents.storage import PoolConfig, VolumeConfig
from virtcim.libhelper.host import HostFacts, NodeInfo
from virtcim.libhelper.inventory.inventory import Inventory
from virtcim.libhelper.inventory.journal import Journal
from virtcim.libhelper.inventory.memory_requests import MemoryRequests
from virtcim.libhelper.inventory.records import (
    VOLUMES,
    Change,
    Document,
    Domain,
    Interface,
    Network,
    NodeDevice,
    NWFilter,
    Pool,
    Volume,
)
from virtcim.libhelper.limits import GuestLimits
from virtcim.libhelper.metrics import Frame, Sample
from virtcim.libhelper.metrics.sampler import SampleRequest
from virtcim.libhelper.states import DomainState
from virtcim.platforms.base import Platform
from virtcim.platforms.registry import load_platforms
from virtcim.providers.interface import Catalog, Instance, InstanceProvider, RequestContext
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.kinds import KINDS
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog

DOMAINS = Path(__file__).parent.parent / "data" / "domains"
CONTEXT = RequestContext("root/virt")
PLATFORMS = load_platforms(())

PATIENT = JobSettings(grace=60.0)
"""Work of most tests is quick, and is to be the method's own answer however loaded the machine is."""
_revisions = itertools.count(1)


def next_revision() -> int:
    """A number for a record that no other has."""
    return next(_revisions)


@dataclass
class RecordedInventory:
    """What an inventory offers to the providers."""

    revision: int = 0
    memory_requests: MemoryRequests = field(default_factory=MemoryRequests)
    held: list[Domain] = field(default_factory=list)
    held_pools: list[Pool] = field(default_factory=list)
    held_networks: list[Network] = field(default_factory=list)
    held_node_devices: list[NodeDevice] = field(default_factory=list)
    held_filters: list[NWFilter] = field(default_factory=list)
    listeners: list[Callable[[Change], None]] = field(default_factory=list)
    journal: Journal = field(default_factory=Journal)

    def domains_changed_since(self, revision: int) -> set[str] | None:
        return self.journal.since(revision)

    def domain(self, name: str) -> Domain | None:
        return next((each for each in self.held if each.name == name), None)

    def domains(self) -> list[Domain]:
        return sorted(self.held, key=lambda domain: domain.name)

    def pools(self) -> list[Pool]:
        return list(self.held_pools)

    def networks(self) -> list[Network]:
        return list(self.held_networks)

    def volume_at(self, path: str) -> tuple[Pool, str] | None:
        return Inventory.volume_at(cast(Inventory, self), path)

    def node_devices(self) -> list[NodeDevice]:
        return list(self.held_node_devices)

    def nwfilters(self) -> list[NWFilter]:
        return list(self.held_filters)

    def interfaces(self) -> list[Interface]:
        return []

    def domain_by_uuid(self, uuid: str) -> Domain | None:
        return next((domain for domain in self.held if domain.uuid == uuid), None)

    def wait_for(self, predicate: Callable[[Any], bool], timeout: float) -> bool:
        return predicate(self)

    def refresh(self, uuid: str) -> Domain | None:
        return self.domain_by_uuid(uuid)


@dataclass
class RecordedMetrics:
    """What a sampler offers to the providers: the sample that a test puts there."""

    latest: Sample | None = None
    frames: list[Frame] = field(default_factory=list)

    def ask(self) -> SampleRequest:
        return SampleRequest(self.latest, True, 0.0)

    def take(self, asked: SampleRequest, until: float) -> Sample | None:
        return self.latest

    def look(self) -> Sample | None:
        return self.latest

    def glance(self) -> Sample | None:
        return self.latest

    def history(self) -> list[Frame]:
        return self.frames


class RecordedAgents(Agents):
    """The agents of guests, which tell what a test has them tell.

    Attributes:
        told: by UUID of the guest: what virDomainGetGuestInfo gives.
    """

    def __init__(self) -> None:
        super().__init__(self._answer, read_only=False)
        self.told: dict[str, Mapping[str, Any]] = {}

    def _answer(self, _what: str, question: Callable[[Any], Mapping[str, Any]]) -> Future[Mapping[str, Any]]:
        future: Future[Mapping[str, Any]] = Future()
        try:
            future.set_result(question(self))
        except KeyError as error:
            future.set_exception(error)
        return future

    def lookupByUUIDString(self, uuid: str) -> Any:
        return SimpleNamespace(guestInfo=lambda _types, _flags: self.told[uuid])


_FACTS = HostFacts(node=NodeInfo(model="x86_64", memory=8 << 20, cpus=4, mhz=2000, cores=4, threads=1))


@dataclass(eq=False)
class RecordedHypervisor:
    """What a hypervisor offers to the providers."""

    uri: str
    driver: str
    inventory: RecordedInventory = field(default_factory=RecordedInventory)
    metrics: RecordedMetrics = field(default_factory=RecordedMetrics)
    agents: RecordedAgents = field(default_factory=RecordedAgents)
    domains: Any = None
    read_only: bool = False
    connected: bool = True
    hostname: str = "node"
    fqdn: str = "node.example.org"
    hypervisor_version: tuple[int, int, int] = (7, 2, 0)
    facts: HostFacts = _FACTS

    @property
    def condition(self) -> object:
        return self.connected, self.fqdn, self.facts

    @property
    def node(self) -> NodeInfo:
        return self.facts.node

    def guest_limits(self, config: DomainConfig) -> GuestLimits:
        return GuestLimits(self.facts.memory, self.facts.max_vcpus or None)

    def host_capabilities(self) -> HostCapabilities:
        return parsed(HostCapabilities, self.facts.capabilities_xml)

    def put(self, xml: str, **changes: Any) -> Domain:
        """Take in a domain, in place of one of the same name; `changes` are attributes of the record."""
        config = DomainConfig.parse(xml)
        active = bool(changes.get("active", False))
        document = Document(xml, DomainConfig.parse)
        attributes: dict[str, Any] = {
            "uri": self.uri,
            "name": config.name or "",
            "uuid": config.uuid or "",
            "active": active,
            "persistent": True,
            "autostart": False,
            "contact": True,
            "id": 1 if active else None,
            "state": DomainState.RUNNING if active else DomainState.SHUTOFF,
            "reason": 0,
            "has_managed_save": False,
            "has_snapshots": False,
            "state_changed": None,
            "live_document": document if active else None,
            "defined_document": document,
            "revision": next(_revisions),
        }
        domain = Domain(**{**attributes, **changes})
        others = [other for other in self.inventory.held if other.name != domain.name]
        self.inventory.held = [*others, domain]
        self._note(domain.name, domain.revision)
        return domain

    def remove(self, name: str) -> None:
        """Have a domain be gone."""
        self.inventory.held = [other for other in self.inventory.held if other.name != name]
        self._note(name, next(_revisions))

    def _note(self, name: str, revision: int) -> None:
        self.inventory.journal.note(revision, name)
        self.inventory.revision = revision

    def put_pool(self, name: str, target: str, volumes: Iterable[tuple[str, int]] | None) -> None:
        """Take in a storage pool of type dir with volumes of a name and a capacity in bytes."""
        xml = f"<pool type='dir'><name>{name}</name><target><path>{target}</path></target></pool>"
        document = Document(xml, PoolConfig.parse)
        held = (
            None
            if volumes is None
            else tuple(
                Volume(
                    volume,
                    f"{target}/{volume}",
                    Document(
                        f"<volume><name>{volume}</name><capacity unit='bytes'>{capacity}</capacity>"
                        f"<target><path>{target}/{volume}</path></target></volume>",
                        VolumeConfig.parse,
                    ),
                )
                for volume, capacity in volumes
            )
        )
        pool = Pool(
            uri=self.uri,
            name=name,
            uuid=name,
            active=True,
            persistent=True,
            autostart=True,
            contact=True,
            revision=next(_revisions),
            live_document=document,
            defined_document=document,
            parts={} if held is None else {VOLUMES: held},
        )
        self.inventory.held_pools = [other for other in self.inventory.held_pools if other.name != name] + [pool]
        self.inventory.revision = pool.revision


class Served:
    """A site with its catalog, and short ways to ask it; where its settings say nothing of jobs, it is `PATIENT`."""

    def __init__(self, members: Iterable[tuple[Platform, Any]], settings: ProviderSettings | None = None) -> None:
        settings = settings or ProviderSettings()
        jobs = PATIENT if settings.jobs == JobSettings() else settings.jobs
        self.site = Site(members, PLATFORMS, KINDS, replace(settings, jobs=jobs))
        self.catalog: Catalog = build_catalog(self.site)
        self.providers: dict[str, InstanceProvider] = {
            name: provider for provider in self.catalog.namespaces["root/virt"] for name in provider.class_names
        }

    def instances(self, class_name: str) -> list[Instance]:
        return list(self.providers[class_name].instances(class_name, CONTEXT))

    def everything(self) -> list[Instance]:
        return [instance for class_name in self.providers for instance in self.instances(class_name)]

    def get(self, class_name: str, **keys: Any) -> Instance:
        return self.providers[class_name].get_instance(class_name, keys, CONTEXT)

    def guest(self, name: str, prefix: str = "KVM") -> dict[str, Any]:
        class_name = f"{prefix}_ComputerSystem"
        return dict(self.get(class_name, CreationClassName=class_name, Name=name).properties())

    def device(self, base: str, guest: str, identifier: str, prefix: str = "KVM") -> dict[str, Any]:
        class_name = f"{prefix}_{base}"
        keys = {
            "SystemCreationClassName": f"{prefix}_ComputerSystem",
            "SystemName": guest,
            "CreationClassName": class_name,
            "DeviceID": f"{guest}/{identifier}",
        }
        return dict(self.get(class_name, **keys).properties())

    def setting(self, base: str, guest: str, identifier: str, prefix: str = "KVM") -> dict[str, Any]:
        class_name = f"{prefix}_{base}ResourceAllocationSettingData"
        return dict(self.get(class_name, InstanceID=f"{guest}/{identifier}").properties())

    def vssd(self, guest: str, prefix: str = "KVM") -> dict[str, Any]:
        return dict(self.get(f"{prefix}_VirtualSystemSettingData", InstanceID=f"{prefix}:{guest}").properties())

    def identifiers(self, class_name: str) -> list[Any]:
        return [instance.identity for instance in self.instances(class_name)]


def platform(prefix: str) -> Platform:
    """The platform with this prefix."""
    found = PLATFORMS.by_prefix(prefix)
    assert found is not None
    return found


def hypervisor(prefix: str = "KVM", name: str = "system") -> RecordedHypervisor:
    """An empty hypervisor of a platform."""
    return RecordedHypervisor(f"{prefix.lower()}:///{name}", platform(prefix).drivers[0])


def domain_xml(name: str, devices: str = "", *, rest: str = "", kind: str = "kvm", uuid: str | None = None) -> str:
    """A small domain."""
    uuid = uuid or f"00000000-0000-4000-8000-{crc32(name.encode()):012d}"
    return (
        f"<domain type='{kind}'><name>{name}</name><uuid>{uuid}</uuid><memory unit='KiB'>65536</memory>"
        f"<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>{rest}"
        f"<devices>{devices}</devices></domain>"
    )


def served(prefix: str, *xmls: str, **changes: Any) -> Served:
    """A site with one hypervisor that holds these domains."""
    host = hypervisor(prefix)
    for xml in xmls:
        host.put(xml, **changes)
    return Served([(platform(prefix), host)])

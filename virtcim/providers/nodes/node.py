"""One node: its settings, its hypervisors, and the site that shows them."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from virtcim.immutable import immutable
from virtcim.libhelper.host import HostFacts, NodeInfo
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory.records import Change, Host
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.libhelper.threads import Threads
from virtcim.platforms.base import Platform
from virtcim.platforms.registry import Registry
from virtcim.providers.interface import Table
from virtcim.providers.nodes.settings import NodeSettings

if TYPE_CHECKING:
    from virtcim.providers.site import Site

__all__ = ["HostIdentity", "Node", "NodeState", "RememberedHost", "identity_of"]


_log = logging.getLogger(__name__)


class NodeState(enum.Enum):
    """What has become of a node."""

    DISABLED = "disabled"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEGRADED = "partly connected"
    NO_CONTACT = "no contact"
    REFUSED = "refused"


@immutable
class RememberedHost:
    """What a hypervisor said of itself when it was last connected, kept by the store.

    Attributes:
        prefix: of its platform.
        fqdn: of its host.
        facts: in part: what is long is read again anyway.
    """

    prefix: str
    fqdn: str
    driver: str
    hostname: str
    libvirt_version: tuple[int, ...] = ()
    hypervisor_version: tuple[int, ...] = ()
    host_uuid: str | None = None
    model: str = ""
    memory: int = 0
    cpus: int = 0

    @classmethod
    def of(cls, platform: Platform, hypervisor: Hypervisor) -> RememberedHost:
        """Take down what a connected hypervisor says."""
        facts = hypervisor.facts
        return cls(
            platform.prefix,
            hypervisor.fqdn,
            facts.driver,
            facts.hostname,
            facts.libvirt_version,
            facts.hypervisor_version,
            facts.host_uuid,
            facts.node.model,
            facts.node.memory,
            facts.node.cpus,
        )

    @property
    def facts(self) -> HostFacts:
        """The facts, as far as they were kept."""
        return HostFacts(
            driver=self.driver,
            hostname=self.hostname,
            libvirt_version=_version(self.libvirt_version),
            hypervisor_version=_version(self.hypervisor_version),
            host_uuid=self.host_uuid,
            node=NodeInfo(self.model, self.memory, self.cpus),
        )


@immutable
class HostIdentity:
    """What tells a driver of a host from all others: what is seen twice under it is one and the same.

    Attributes:
        host_uuid: of the host.
        driver: of libvirt there.
        instance: of the driver: its system or a user's session.
    """

    host_uuid: str
    driver: str
    instance: str


def identity_of(hypervisor: Hypervisor) -> HostIdentity | None:
    """Tell who a hypervisor is; None while that is not known, and where its driver never says it."""
    if not hypervisor.host_uuid:
        return None
    path = urlsplit(hypervisor.uri).path.strip("/") or "system"
    return HostIdentity(hypervisor.host_uuid.lower(), hypervisor.driver.lower(), path)


class Node:
    """A node.

    Parameters:
        name: of it.
        settings: of it.
        origin: where these came from: the path of a file, or "" for what was made at run time.
        site: that shows it.
        registry: knows the platforms.
        inventory: how to keep inventories.
        remembered: what was known of its hypervisors in earlier runs, by namespace and URI.
        changed: called when something is known of it that was not.
        threads: that connect to it, and read.

    Attributes:
        hypervisors: one for each URI, none where it is disabled.
        refusal: why it is not served though it should be; "" where it is.
        twin: the namespace that serves its host already; "" where none does.
        revision: grows whenever something is known of it that was not.
    """

    def __init__(
        self,
        name: str,
        settings: NodeSettings,
        origin: str,
        site: Site,
        registry: Registry,
        inventory: HypervisorSettings,
        remembered: Table[RememberedHost],
        changed: Callable[[Node], None],
        threads: Threads,
    ) -> None:
        self.name = name
        self.settings = settings
        self.origin = origin
        self.site = site
        self.refusal = ""
        self.twin = ""
        self._ended = False
        self.revision = 0
        self._registry = registry
        self._remembered = remembered
        self._changed = changed
        self._placed: dict[str, Platform] = {}
        self._known_trouble: tuple[NodeState, str] | None = None
        inventory = replace(inventory, read_only=inventory.read_only or settings.read_only)
        uris = settings.uris if settings.enabled else ()
        self.hypervisors = tuple(Hypervisor(uri, inventory, threads) for uri in uris)
        site.migrate_uri = settings.migrate_uri

    @property
    def namespace(self) -> str:
        """Where it is shown."""
        return self.site.namespace

    @property
    def state(self) -> NodeState:
        """What has become of it."""
        if not self.settings.enabled:
            return NodeState.DISABLED
        if self.refusal:
            return NodeState.REFUSED
        connected = [each.connected for each in self.hypervisors]
        if all(connected):
            return NodeState.CONNECTED
        if any(connected):
            return NodeState.DEGRADED
        attempted = all(each.attempted for each in self.hypervisors)
        return NodeState.NO_CONTACT if attempted else NodeState.CONNECTING

    @property
    def trouble(self) -> str:
        """What is wrong with it, for people; "" when nothing is."""
        if self.refusal:
            return self.refusal
        found = [f"{each.uri}: {each.trouble}" for each in self.hypervisors if not each.connected and each.trouble]
        return "; ".join(found)

    @property
    def platforms(self) -> tuple[str, ...]:
        """The class prefixes of its platforms, as it was last seen."""
        return tuple(dict.fromkeys(each.prefix for each in self._placed.values()))

    def platform_of(self, hypervisor: Hypervisor) -> Platform | None:
        """The platform under which a hypervisor of this node is shown; None as long as that is not known."""
        return self._placed.get(hypervisor.uri)

    def start(self) -> None:
        """Begin to connect; what is remembered is shown at once."""
        for hypervisor in self.hypervisors:
            known = self._remembered.get(self._key(hypervisor))
            if known is not None and (platform := self._registry.by_prefix(known.prefix)) is not None:
                hypervisor.remember(known.facts, known.fqdn)
                self._place(platform, hypervisor)
            hypervisor.inventory.listeners.append(partial(self._on_change, hypervisor))
            hypervisor.unreached = self._on_unreached
            hypervisor.start()

    def stop(self) -> None:
        """Begin to end all connections; returns at once."""
        self._ended = True
        for hypervisor in self.hypervisors:
            hypervisor.end()

    def refuse(self, reason: str, twin: str = "") -> None:
        """Serve it no more, as long as the reason holds; returns at once.

        Parameters:
            reason: for people.
            twin: the namespace that serves its host already, where that is the reason.
        """
        self.refusal, self.twin = reason, twin
        self.revision += 1
        _log.error("node %r is not served: %s", self.name, reason)
        for hypervisor in self.hypervisors:
            self.site.remove(hypervisor)
        self.stop()
        self._changed(self)

    def forget(self) -> None:
        """Take what was remembered of it out of the store."""
        for uri in self.settings.uris:
            self._remembered.remove(f"{self.namespace}\n{uri}")

    def _key(self, hypervisor: Hypervisor) -> str:
        return f"{self.namespace}\n{hypervisor.uri}"

    def _place(self, platform: Platform, hypervisor: Hypervisor) -> None:
        self._placed[hypervisor.uri] = platform
        self.site.add(platform, hypervisor)

    def _on_unreached(self) -> None:
        """Take notice that it could not be reached; most attempts find what the one before has found."""
        found = self.state, self.trouble
        if not self._ended and found != self._known_trouble:
            self._known_trouble = found
            self.revision += 1
            self._changed(self)

    def _on_change(self, hypervisor: Hypervisor, change: Change) -> None:
        """Take notice of a connection that was made or lost; called by the inventory."""
        if not isinstance(change.after, Host) or self._ended:
            return
        self.revision += 1
        self._changed(self)
        if not change.after.contact or self.refusal:
            return
        platform = self._registry.by_driver(hypervisor.driver)
        if platform is None:
            self.refuse(f"{hypervisor.uri}: no platform serves libvirt's driver {hypervisor.driver!r}")
            return
        known = self._placed.get(hypervisor.uri)
        if known is not None and known is not platform:
            self.site.remove(hypervisor)
        if known is not platform:
            self._place(platform, hypervisor)
        told = RememberedHost.of(platform, hypervisor)
        if self._remembered.get(self._key(hypervisor)) != told:
            self._remembered.put(self._key(hypervisor), told)


def _version(parts: tuple[int, ...]) -> tuple[int, int, int]:
    major, minor, release = (*parts, 0, 0, 0)[:3]
    return major, minor, release

"""All nodes: those of the administrator's files, and those that were made at run time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from virtcim.libhelper.inventory.records import Change, Host
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.libhelper.threads import Threads
from virtcim.platforms.registry import Registry
from virtcim.providers.askedmemory import MemoryRecords
from virtcim.providers.frozen import FrozenRecords
from virtcim.providers.interface import CIMError, Status, Store
from virtcim.providers.jobs import Jobs
from virtcim.providers.kinds import KINDS
from virtcim.providers.nodes.node import HostIdentity, Node, NodeState, RememberedHost, identity_of
from virtcim.providers.nodes.placement import Promises
from virtcim.providers.nodes.settings import (
    DEFAULT,
    MANAGED,
    ConfiguredNodes,
    GroupSettings,
    ManagedNode,
    NodeError,
    NodeSettings,
    NodesSettings,
    check_name,
)
from virtcim.providers.seeds import detach_seeds
from virtcim.providers.site import Site

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["NodeRegistry"]

_log = logging.getLogger(__name__)

REMEMBERED = "remembered host"

_AT_A_TIME = 16
"""Threads that work at a time at most."""

_MOST_URIS, _MOST_GROUPS, _LONGEST_COMMENT = 16, 64, 4096
"""URIs and groups of a node that was made at run time, and characters of its comment, at most."""

_STOP_TIMEOUT = 0.4
"""Seconds that connections get to close."""


class NodeRegistry:
    """All nodes but the local one, which is known so that none is served twice.

    Parameters:
        local: the local site.
        platforms: that there are.
        inventory: how to keep inventories.
        store: keeps the nodes that were made at run time, what was known of each, which guests are frozen, and how much
            memory they were asked to have.
        in_use: the namespaces that no node may have.

    Attributes:
        local: the local site.
        listeners: called after the sites that are served have changed, in the thread that changed them.
        watchers: called after anything about a node or a group has changed, likewise; they must return at once.
        groups: as the files have them, by name.
        settings: how nodes are kept.
        revision: grows whenever something is known of a node that was not.
        promises: the guests that are being made on nodes that were chosen for them.
    """

    def __init__(
        self,
        local: Site,
        platforms: Registry,
        inventory: HypervisorSettings,
        store: Store,
        jobs: Jobs,
        in_use: Iterable[str] = (),
    ) -> None:
        self.local = local
        self.listeners: list[Callable[[], None]] = []
        self.watchers: list[Callable[[], None]] = []
        self.groups: Mapping[str, GroupSettings] = {}
        self.settings = NodesSettings()
        self.revision = 0
        self.promises = Promises()
        self._platforms = platforms
        self._inventory = inventory
        self._jobs = jobs
        self._in_use = frozenset(name.strip("/").lower() for name in (*in_use, local.namespace))
        self._managed = store.table(MANAGED, ManagedNode)
        self._remembered = store.table(REMEMBERED, RememberedHost)
        self._frozen, self._memory = FrozenRecords(store), MemoryRecords(store)
        self._frozen.follow(local)
        self._memory.follow(local)
        # Held for a change of nodes from its beginning to its end, never by who only looks.
        self._changing = threading.RLock()
        self._nodes: dict[str, Node] = {}
        # The namespace and the URI under which each was seen first.
        self._identities: dict[HostIdentity, tuple[str, str]] = {}
        self._identifying = threading.Lock()
        self._threads = Threads(*_numbers(self.settings.threads))
        local.follow(self._follow_local)

    def nodes(self) -> list[Node]:
        """All nodes, sorted by name."""
        nodes = self._nodes
        return [nodes[name] for name in sorted(nodes)]

    def node(self, name: str) -> Node | None:
        """The node of a name, in any case."""
        return self._nodes.get(name.lower())

    def node_of(self, site: Site) -> Node | None:
        """The node that a site shows; None for the local one."""
        return next((node for node in self._nodes.values() if node.site is site), None)

    def all_groups(self) -> dict[str, GroupSettings]:
        """All groups by name: those of the files, and those that a node says it is in."""
        named = {group: GroupSettings() for node in self.nodes() for group in node.settings.groups}
        return {**named, **self.groups}

    def members(self, group: str) -> list[Node]:
        """The nodes of a group, sorted by name."""
        return [node for node in self.nodes() if group in node.settings.groups]

    def sites(self) -> tuple[Site, ...]:
        """What is served: the local site, and that of each node that is enabled."""
        return (self.local, *(node.site for node in self.nodes() if node.settings.enabled))

    def configure(self, found: ConfiguredNodes) -> None:
        """Serve what the administrator's files say, and what was made at run time.

        A node that is wrong is left out with a line in the log.  Nodes whose settings are as they were go on.
        """
        with self._changing:
            self.settings, self.groups = found.settings, dict(found.groups)
            self._threads.resize(*_numbers(self.settings.threads))
            wanted: dict[str, tuple[str, NodeSettings, str]] = {}
            for name, settings in found.nodes.items():
                if name.lower() != DEFAULT:
                    self._want(wanted, name, settings, found.origins.get(name, ""))
            for name, managed in self._managed.items():
                self._want(wanted, name, managed.settings, "")
            for key in list(self._nodes):
                # Whoever was refused because of one that ends is another node by now.
                node, kept = self._nodes[key], wanted.get(key)
                if kept is None:
                    self._drop(node)
                elif kept[:2] != (node.name, node.settings):
                    self._replace(node, *kept)
                elif kept[2] != node.origin:
                    node.origin = kept[2]
                    node.revision += 1
            for key, (name, settings, origin) in wanted.items():
                if key not in self._nodes:
                    self._begin(name, settings, origin)
            self._tell()

    def create(self, name: str, settings: NodeSettings, owner: str = "") -> Node:
        """Make a node at run time.

        It returns when the node was connected, or after the patience of the settings.

        Raises:
            NodeError: the settings permit it not.
            CIMError: ALREADY_EXISTS where there is a node or namespace of that name, or its host is served already;
                SERVER_LIMITS_EXCEEDED.
        """
        with self._changing:
            self._check(name, settings)
            if self.node(name) is not None:
                raise CIMError(Status.ALREADY_EXISTS, f"node {name!r}: exists already{self._from(name)}")
            if len(self._managed) >= self.settings.most:
                raise CIMError(
                    Status.SERVER_LIMITS_EXCEEDED, f"node {name!r}: is one too many; see nodes.most in the settings"
                )
            node = self._begin(name, settings, "")
            self._managed.put(name, ManagedNode(settings, owner))
            self._tell()
        self._wait(node)
        if node.twin:
            self.remove(name)
            raise CIMError(Status.ALREADY_EXISTS, node.refusal)
        return node

    def change(self, name: str, settings: NodeSettings) -> Node:
        """Give a node that was made at run time other settings.

        Raises:
            NodeError: the settings permit it not.
            CIMError: NOT_FOUND; NOT_SUPPORTED for a node of a file.
        """
        with self._changing:
            node = self._changeable(name)
            self._check(node.name, settings)
            if settings == node.settings:
                return node
            owner = self._managed.get(node.name)
            self._managed.put(node.name, ManagedNode(settings, owner.owner if owner is not None else ""))
            if _only_told(node.settings, settings):
                node.settings = settings
                node.site.migrate_uri = settings.migrate_uri
                self._note(node)
                return node
            made = self._replace(node, node.name, settings, "")
            self._tell()
        self._wait(made)
        return made

    def remove(self, name: str) -> None:
        """Serve a node that was made at run time no more.

        Raises:
            CIMError: NOT_FOUND; NOT_SUPPORTED for a node of a file.
        """
        with self._changing:
            node = self._changeable(name)
            self._managed.remove(node.name)
            node.forget()
            self._drop(node)
            self._tell()

    def stop(self) -> None:
        """End all connections, within a second."""
        for node in self.nodes():
            node.stop()
        deadline = time.monotonic() + _STOP_TIMEOUT
        for node in self.nodes():
            for hypervisor in node.hypervisors:
                hypervisor.join(max(0.0, deadline - time.monotonic()))
        self._threads.stop(max(0.0, deadline - time.monotonic()))

    def _want(
        self, wanted: dict[str, tuple[str, NodeSettings, str]], name: str, settings: NodeSettings, origin: str
    ) -> None:
        """Take in one node of several that are to be served."""
        try:
            check_name(name)
            self._check_namespace(name)
            if name.lower() in wanted:
                earlier = wanted[name.lower()][2] or "what was made at run time"
                raise NodeError(f"node {name!r}: exists already, from {earlier}")
        except (NodeError, CIMError) as error:
            _log.error("%s: %s; it is not served", origin or "made at run time", error)
        else:
            wanted[name.lower()] = name, settings, origin

    def _check(self, name: str, settings: NodeSettings) -> None:
        """Refuse what only the administrator's files may say."""
        check_name(name)
        self._check_namespace(name)
        for what, count, most in (
            ("URIs", len(settings.uris), _MOST_URIS),
            ("groups", len(settings.groups), _MOST_GROUPS),
            ("characters in its comment", len(settings.comment), _LONGEST_COMMENT),
        ):
            if count > most:
                raise NodeError(f"node {name!r}: has {count} {what}; expected {most} at most")
        rules = self.settings.rules
        try:
            for uri in settings.uris:
                rules.check(uri)
            if settings.migrate_uri:
                rules.check_migration(settings.migrate_uri)
        except ValueError as error:
            raise NodeError(f"node {name!r}: {error}") from None

    def _check_namespace(self, name: str) -> None:
        namespace = f"{self.local.namespace}/{name}"
        if name.lower() == DEFAULT or namespace.lower() in self._in_use:
            raise CIMError(Status.ALREADY_EXISTS, f"node {name!r}: its namespace {namespace} is in use")

    def _changeable(self, name: str) -> Node:
        node = self.node(name)
        if node is None:
            raise CIMError(Status.NOT_FOUND, f"node {name!r}: does not exist")
        if node.origin:
            raise CIMError(
                Status.NOT_SUPPORTED, f"node {node.name!r}: is from {node.origin}, which only the administrator changes"
            )
        return node

    def _from(self, name: str) -> str:
        node = self.node(name)
        return f", from {node.origin}" if node is not None and node.origin else ""

    def _begin(self, name: str, settings: NodeSettings, origin: str) -> Node:
        """Serve one more node."""
        node = self._make(name, settings, origin)
        self._show(node)
        node.start()
        return node

    def _replace(self, old: Node, name: str, settings: NodeSettings, origin: str) -> Node:
        """Serve a node in place of another of its name; who asks for it finds one of the two at every moment."""
        node = self._make(name, settings, origin)
        self._show(node)
        self._end(old)
        node.start()
        return node

    def _make(self, name: str, settings: NodeSettings, origin: str) -> Node:
        own = replace(self.local.settings, namespace=f"{self.local.namespace}/{name}")
        site = Site([], self._platforms, KINDS, own, self._jobs)
        site.library = self.local.library
        detach_seeds(site)
        self._frozen.follow(site)
        self._memory.follow(site)
        return Node(
            name, settings, origin, site, self._platforms, self._inventory, self._remembered, self._note, self._threads
        )

    def _show(self, node: Node) -> None:
        # Another mapping takes the place of the old one: who reads it does so without the lock.
        self._nodes = {**self._nodes, node.name.lower(): node}

    def _drop(self, node: Node) -> None:
        """Serve a node no more."""
        self._nodes = {key: each for key, each in self._nodes.items() if each is not node}
        self._end(node)

    def _end(self, node: Node) -> None:
        """End the connections of a node that is shown no more, and let others have its hosts."""
        node.stop()
        with self._identifying:
            self._identities = {key: place for key, place in self._identities.items() if place[0] != node.namespace}
        # Who was refused because of it has another chance.
        for each in self.nodes():
            if each.twin == node.namespace:
                self._replace(each, each.name, each.settings, each.origin)

    def _wait(self, node: Node) -> None:
        deadline = time.monotonic() + self.settings.patience
        while node.state is NodeState.CONNECTING and time.monotonic() < deadline:
            time.sleep(0.02)

    def _note(self, node: Node) -> None:
        """Take notice that something is known of a node that was not; called by inventories as well."""
        self.revision += 1
        if not node.refusal and self.node(node.name) is node:
            self._look_for_twins(node)
        self._tell_watchers()

    def _look_for_twins(self, node: Node) -> None:
        """Refuse a node whose host is served already."""
        for hypervisor in node.hypervisors:
            if hypervisor.connected or hypervisor.inventory.host.contact:
                namespace, uri = self._identify(hypervisor, node.namespace)
                if (namespace, uri) != (node.namespace, hypervisor.uri):
                    where = f"namespace {namespace}" if namespace != node.namespace else uri
                    twin = namespace if namespace != node.namespace else ""
                    node.refuse(f"{hypervisor.uri}: is the same host and driver as in {where}", twin)
                    return

    def _identify(self, hypervisor: Hypervisor, namespace: str) -> tuple[str, str]:
        """Tell the namespace and the URI that a hypervisor belongs to: those under which it was seen first."""
        place, identity = (namespace, hypervisor.uri), identity_of(hypervisor)
        if identity is None:
            return place
        with self._identifying:
            for known, owner in list(self._identities.items()):
                # It may say another UUID than before: then what it said is nobody's.
                if owner == place and known != identity:
                    del self._identities[known]
            return self._identities.setdefault(identity, place)

    def _follow_local(self, hypervisor: Hypervisor) -> None:
        def identify() -> None:
            namespace, _ = self._identify(hypervisor, self.local.namespace)
            if namespace != self.local.namespace:
                _log.warning("%s is served in %s as well, as a node", hypervisor.uri, namespace)

        def on_change(change: Change) -> None:
            if isinstance(change.after, Host) and change.after.contact:
                identify()

        hypervisor.inventory.listeners.append(on_change)
        if hypervisor.connected:
            identify()

    def _tell(self) -> None:
        self.revision += 1
        for listener in tuple(self.listeners):
            listener()
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()


def _numbers(threads: int) -> tuple[int, int, int]:
    """Tell how many of so many threads work at a time, how many there are at most, and from how many busy ones on each
    node gets one only.

    Few work at a time: what they do is computing for the most part, and each more makes all others wait.
    """
    at_a_time = max(1, min(threads // 2, _AT_A_TIME))
    return at_a_time, threads, max(1, at_a_time // 2)


def _only_told(before: NodeSettings, after: NodeSettings) -> bool:
    """Whether two settings differ in nothing that a connection depends on."""
    return replace(before, groups=after.groups, comment=after.comment, migrate_uri=after.migrate_uri) == after

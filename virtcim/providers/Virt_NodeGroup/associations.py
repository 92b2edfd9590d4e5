"""What groups and the central system lead to: members, and the management services of all nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from virtcim.providers.base import class_of
from virtcim.providers.interface import Association, End, Instance, RequestContext
from virtcim.providers.nodes.node import Node
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.Virt_HostSystem import HostSystem, hosts_of
from virtcim.providers.Virt_ManagedNode import MANAGED_NODE, ShownNode
from virtcim.providers.Virt_NodeGroup.provider import NODE_GROUP, NodeGroupProvider, ShownGroup
from virtcim.providers.Virt_VirtualSystemManagementService import VirtualSystemManagementService

__all__ = ["AggregatedServices", "GroupMembers"]


class GroupMembers(Association):
    """CIM_MemberOfCollection: a group, its nodes and their host systems.

    Parameters:
        nodes: all nodes.
        groups: the provider of groups.
        namespace: where groups and nodes are shown.
    """

    class_names = ("CIM_MemberOfCollection",)

    def __init__(self, nodes: NodeRegistry, groups: NodeGroupProvider, namespace: str) -> None:
        self._nodes = nodes
        self._groups = groups
        self._namespace = namespace
        hosts = {class_of(platform.prefix, HostSystem.base) for platform in nodes.local.platforms}
        self.left = End("Collection", frozenset({NODE_GROUP}))
        self.right = End("Member", frozenset({MANAGED_NODE, *hosts}))

    def to_right(self, left: Instance, context: RequestContext) -> Iterator[Instance]:
        if isinstance(left, ShownGroup):
            for node in self._nodes.members(left.name):
                yield ShownNode(node, self._namespace)
                yield from _hosts(node)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        node = self._node(right)
        return [each for each in self._groups.all() if node is not None and each.name in node.settings.groups]

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self._groups.all()

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]

    def _node(self, instance: Instance) -> Node | None:
        if isinstance(instance, ShownNode):
            return instance.node
        return self._nodes.node_of(instance.site) if isinstance(instance, HostSystem) else None


class AggregatedServices(Association):
    """CIM_AggregatedVirtualSystemManagementService: the central system, and the management services of all nodes.

    Parameters:
        nodes: all nodes.
        system: the central system: that of the server.
    """

    class_names = ("CIM_AggregatedVirtualSystemManagementService",)

    def __init__(self, nodes: NodeRegistry, system: Instance) -> None:
        self._nodes = nodes
        self._system = system
        base = VirtualSystemManagementService.base
        self.left = End("Antecedent", frozenset({system.class_name}))
        self.right = End("Dependent", frozenset(class_of(platform.prefix, base) for platform in nodes.local.platforms))

    def to_right(self, left: Instance, context: RequestContext) -> Iterator[Instance]:
        if left.keys() == self._system.keys():
            for site in self._nodes.sites():
                for platform in site.platforms:
                    yield from VirtualSystemManagementService.all_of(site, platform)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return (self._system,)

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return (self._system,)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]


def _hosts(node: Node) -> Iterator[Instance]:
    if node.settings.enabled:
        for platform in node.site.platforms:
            yield from hosts_of(node.site, platform)

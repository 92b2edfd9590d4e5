"""What the server's own system has to do with nodes: groups, and the service that places guests."""

from __future__ import annotations

from virtcim.cimom.access import Access
from virtcim.cimom.context import principal_of
from virtcim.cimom.discovery.model import ServerObjects
from virtcim.cimom.discovery.objects import FixedAssociation
from virtcim.providers.interface import Association, InstanceProvider, RequestContext, Role
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.Virt_AggregatedManagementService import AGGREGATED_SERVICE, AggregatedServiceProvider
from virtcim.providers.Virt_NodeGroup import AggregatedServices, GroupMembers, NodeGroupProvider

__all__ = ["node_objects"]


def node_objects(
    server: ServerObjects, nodes: NodeRegistry, access: Access
) -> tuple[list[InstanceProvider], list[Association]]:
    """Make the providers and associations for one name of the Interop namespace.

    Parameters:
        server: its own objects there.
        nodes: all nodes.
        access: decides who may do what in the namespaces of the nodes.
    """

    def may(context: RequestContext, namespace: str, role: Role) -> bool:
        return access.role(principal_of(context), namespace) >= role

    namespace = server.system.namespace
    service = server.hosted(
        AGGREGATED_SERVICE, f"{server.name}:nodes", {"ElementName": "Placement on nodes", "Started": True}
    )
    groups = NodeGroupProvider(nodes, namespace)
    return (
        [groups, AggregatedServiceProvider(nodes, service, may)],
        [
            GroupMembers(nodes, groups, namespace),
            AggregatedServices(nodes, server.system),
            FixedAssociation("CIM_HostedService", ("Antecedent", "Dependent"), [(server.system, service)]),
        ],
    )

"""Groups of nodes, as Virt_NodeGroup in the interop namespace, and their members."""

from virtcim.providers.Virt_NodeGroup.associations import AggregatedServices, GroupMembers
from virtcim.providers.Virt_NodeGroup.provider import NODE_GROUP, NodeGroupProvider, group_of

__all__ = ["NODE_GROUP", "AggregatedServices", "GroupMembers", "NodeGroupProvider", "group_of"]

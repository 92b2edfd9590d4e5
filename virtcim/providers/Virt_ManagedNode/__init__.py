"""The nodes of the server, as Virt_ManagedNode in the interop namespace."""

from virtcim.providers.Virt_ManagedNode.provider import ManagedNodeProvider, node_of
from virtcim.providers.Virt_ManagedNode.Virt_ManagedNode import MANAGED_NODE, ShownNode

__all__ = ["MANAGED_NODE", "ManagedNodeProvider", "ShownNode", "node_of"]

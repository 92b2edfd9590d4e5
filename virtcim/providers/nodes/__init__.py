"""The nodes that are served beside the local one, and the groups that they are in.

What is here needs no libvirt; `registry` does.
"""

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

__all__ = [
    "DEFAULT",
    "MANAGED",
    "ConfiguredNodes",
    "GroupSettings",
    "ManagedNode",
    "NodeError",
    "NodeSettings",
    "NodesSettings",
    "check_name",
]

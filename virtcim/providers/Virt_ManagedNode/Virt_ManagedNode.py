"""One node as Virt_ManagedNode."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from virtcim.providers.interface import CIMValue, Instance, Properties
from virtcim.providers.nodes.node import Node, NodeState
from virtcim.providers.Virt_RegisteredProfile import INTEROP

__all__ = ["MANAGED_NODE", "SETTABLE", "ShownNode"]

MANAGED_NODE = "Virt_ManagedNode"

STATES = {
    NodeState.DISABLED: 0,
    NodeState.CONNECTING: 1,
    NodeState.CONNECTED: 2,
    NodeState.DEGRADED: 3,
    NodeState.NO_CONTACT: 4,
    NodeState.REFUSED: 5,
}

SETTABLE: Mapping[str, str] = {
    "URIs": "uris",
    "Groups": "groups",
    "ReadOnly": "read_only",
    "Enabled": "enabled",
    "MigrateURI": "migrate_uri",
    "Comment": "comment",
}
"""The properties that a client sets, each with the setting of the node that it is."""

_SHOWN: Mapping[str, Callable[[Node], CIMValue]] = {
    "Name": lambda node: node.name,
    "ElementName": lambda node: node.name,
    "URIs": lambda node: node.settings.uris,
    "Groups": lambda node: node.settings.groups,
    "ReadOnly": lambda node: node.settings.read_only,
    "Enabled": lambda node: node.settings.enabled,
    "MigrateURI": lambda node: node.settings.migrate_uri,
    "Comment": lambda node: node.settings.comment,
    "Namespace": lambda node: node.namespace,
    "State": lambda node: STATES[node.state],
    "Trouble": lambda node: node.trouble,
    "Origin": lambda node: node.origin,
    "Platforms": lambda node: node.platforms,
}


class ShownNode(Instance):
    """A handle on a node.

    Parameters:
        node: that is shown.
        namespace: where.
    """

    __slots__ = ("identity", "namespace", "node")

    class_name = MANAGED_NODE

    def __init__(self, node: Node, namespace: str = INTEROP) -> None:
        self.node = node
        self.namespace = namespace
        self.identity: Hashable = node.name

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        """What is shown, which is little: the state changes of itself."""
        return tuple(value(self.node) for value in _SHOWN.values())

    def keys(self) -> dict[str, CIMValue]:
        return {"Name": self.node.name}

    def properties(self) -> Properties:
        return {name: value(self.node) for name, value in _SHOWN.items()}

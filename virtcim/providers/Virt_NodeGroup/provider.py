"""The provider of groups: those that the files name, and those that nodes say they are in."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from virtcim.providers.interface import (
    CIMError,
    CIMValue,
    Instance,
    InstancePath,
    InstanceProvider,
    Keys,
    Properties,
    RequestContext,
    Status,
)
from virtcim.providers.keys import instance_id
from virtcim.providers.nodes import GroupSettings
from virtcim.providers.nodes.registry import NodeRegistry

__all__ = ["NODE_GROUP", "NodeGroupProvider", "ShownGroup", "group_of"]

NODE_GROUP = "Virt_NodeGroup"

_ID = "virtcim:group:"
"""What the InstanceID of a group begins with, before its name."""


class ShownGroup(Instance):
    """A handle on a group.

    Parameters:
        name: of it.
        settings: of it.
        namespace: where it is shown.
    """

    __slots__ = ("identity", "name", "namespace", "revision", "settings")

    class_name = NODE_GROUP

    def __init__(self, name: str, settings: GroupSettings, namespace: str) -> None:
        self.name = name
        self.settings = settings
        self.namespace = namespace
        self.identity: Hashable = name
        self.revision: Hashable = (settings.title, tuple(settings.variables.items()))

    def keys(self) -> dict[str, CIMValue]:
        return {"InstanceID": f"{_ID}{self.name}"}

    def properties(self) -> Properties:
        variables = self.settings.variables
        return {
            **self.keys(),
            "Name": self.name,
            "ElementName": self.settings.title or self.name,
            "VariableNames": tuple(variables),
            "VariableValues": tuple(variables.values()),
        }


class NodeGroupProvider(InstanceProvider):
    """Serves Virt_NodeGroup.

    Parameters:
        nodes: all nodes.
        namespace: where the groups are shown.
    """

    class_names = (NODE_GROUP,)

    def __init__(self, nodes: NodeRegistry, namespace: str) -> None:
        self._nodes = nodes
        self._namespace = namespace

    def instances(self, class_name: str, context: RequestContext) -> Iterable[ShownGroup]:
        return self.all()

    def all(self) -> list[ShownGroup]:
        """All groups, sorted by name."""
        groups = self._nodes.all_groups()
        return [ShownGroup(name, groups[name], self._namespace) for name in sorted(groups)]

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> ShownGroup:
        name = _name_in(keys)
        settings = self._nodes.all_groups().get(name)
        if settings is None:
            raise CIMError(Status.NOT_FOUND, f"group {name[:64]!r}: does not exist")
        return ShownGroup(name, settings, self._namespace)


def group_of(nodes: NodeRegistry, path: object) -> str:
    """The name of the group that a reference names.

    Raises:
        CIMError: INVALID_PARAMETER where it is no reference to a group; NOT_FOUND.
    """
    if not isinstance(path, InstancePath) or path.class_name.lower() != NODE_GROUP.lower():
        raise CIMError(Status.INVALID_PARAMETER, f"Group: {path!s:.100} is no group; expected a {NODE_GROUP}")
    name = _name_in(path.keys)
    if name not in nodes.all_groups():
        raise CIMError(Status.NOT_FOUND, f"group {name[:64]!r}: does not exist")
    return name


def _name_in(keys: Keys) -> str:
    given = instance_id(NODE_GROUP, keys)
    if not given.startswith(_ID):
        raise CIMError(Status.NOT_FOUND, f"group {given[:64]!r}: does not exist")
    return given.removeprefix(_ID)

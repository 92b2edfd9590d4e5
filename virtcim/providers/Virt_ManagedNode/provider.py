"""The provider: reading nodes, and making, changing and removing those that are not of the administrator's files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from virtcim.providers.interface import (
    CIMError,
    InstancePath,
    InstanceProvider,
    Keys,
    Properties,
    RequestContext,
    Status,
)
from virtcim.providers.nodes import NodeError, NodeSettings
from virtcim.providers.nodes.node import Node
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.Virt_ManagedNode.Virt_ManagedNode import MANAGED_NODE, SETTABLE, ShownNode
from virtcim.providers.Virt_RegisteredProfile import INTEROP
from virtcim.schema.paths import key_of

__all__ = ["ManagedNodeProvider", "node_of"]

_DEFAULTS = {each.name: each.default for each in fields(NodeSettings)}


class ManagedNodeProvider(InstanceProvider):
    """Serves Virt_ManagedNode.

    Parameters:
        nodes: all of them; None where none is served, and only the class counts.
    """

    class_names = (MANAGED_NODE,)

    def __init__(self, nodes: NodeRegistry | None) -> None:
        self._served = nodes

    @property
    def _nodes(self) -> NodeRegistry:
        if self._served is None:
            raise CIMError(Status.NOT_SUPPORTED, "no nodes are served here")
        return self._served

    def instances(self, class_name: str, context: RequestContext) -> Iterable[ShownNode]:
        return [ShownNode(node) for node in self._nodes.nodes()]

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> ShownNode:
        return ShownNode(_find_node(self._nodes, keys))

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        name = _name(properties)
        with _raise_in_cim():
            settings = _changed(None, name, properties)
            node = self._nodes.create(name, settings, context.principal)
        return InstancePath(MANAGED_NODE, {"Name": node.name}, INTEROP)

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        shown = self.get_instance(class_name, keys, context)
        for name, value in properties.items():
            if name not in SETTABLE and _several(value) != _several(shown.properties().get(name)):
                raise CIMError(Status.NOT_SUPPORTED, f"node {shown.node.name!r}: {name} cannot be changed")
        with _raise_in_cim():
            settings = _changed(shown.node.settings, shown.node.name, properties)
            self._nodes.change(shown.node.name, settings)

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        self._nodes.remove(self.get_instance(class_name, keys, context).node.name)


def node_of(nodes: NodeRegistry, path: object) -> Node:
    """Find the node that a reference names.

    Raises:
        CIMError: INVALID_PARAMETER where it is no reference to a node; NOT_FOUND.
    """
    if not isinstance(path, InstancePath) or path.class_name.lower() != MANAGED_NODE.lower():
        raise CIMError(Status.INVALID_PARAMETER, f"Node: {path!s:.100} is no node; expected a {MANAGED_NODE}")
    return _find_node(nodes, path.keys)


def _find_node(nodes: NodeRegistry, keys: Keys) -> Node:
    name = _name(keys)
    node = nodes.node(name)
    if node is None:
        raise CIMError(Status.NOT_FOUND, f"node {name[:64]!r}: does not exist")
    return node


@contextmanager
def _raise_in_cim() -> Iterator[None]:
    """Raise what cannot be of a node as an error of CIM."""
    try:
        yield
    except NodeError as error:
        raise CIMError(Status.INVALID_PARAMETER, str(error)) from None


def _name(keys: Mapping[str, object]) -> str:
    """The name of the node that keys or properties are of.

    Raises:
        CIMError: INVALID_PARAMETER where there is none.
    """
    name = key_of(keys, "Name")
    if not isinstance(name, str) or not name:
        raise CIMError(Status.INVALID_PARAMETER, f"{MANAGED_NODE} needs the key Name")
    return name


def _changed(before: NodeSettings | None, name: str, properties: Properties) -> NodeSettings:
    """The settings that properties mean: those that are not given stay, and those that are NULL get their default.

    Raises:
        NodeError: they cannot be.
    """
    given: dict[str, Any] = {}
    for shown, setting in SETTABLE.items():
        if shown in properties:
            value = properties[shown]
            if value is None:
                given[setting] = _DEFAULTS[setting]
            elif isinstance(value, str | bool):
                given[setting] = value
            else:
                given[setting] = tuple(str(each) for each in _several(value) if each is not None)
    try:
        return NodeSettings(**given) if before is None else replace(before, **given)
    except ValueError as error:
        raise NodeError(f"node {name!r}: {error}") from None


def _several(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)

"""What an administrator says of nodes and groups of nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from virtcim.immutable import immutable
from virtcim.libhelper.uris import TRANSPORTS, URIRules

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

DEFAULT = "default"
"""The node whose namespace is that of the providers, `root/virt`."""

MANAGED = "managed node"
"""The table of the store with the nodes that were made at run time."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


class NodeError(ValueError):
    """A node or group that cannot be as it is said to be; the text names it and says why."""


def check_name(name: str, what: str = "node") -> None:
    """Refuse a name that cannot be the last part of a namespace.

    Raises:
        NodeError: it cannot.
    """
    if not _NAME.match(name):
        shown = name if len(name) <= 64 else f"{name[:64]}..."
        raise NodeError(f"{what} {shown!r}: is not a name; expected 1 to 64 letters, digits, '.', '_' or '-'")


@immutable
class NodeSettings:
    """One node: `[node.NAME]`, served as namespace `root/virt/NAME`.

    Attributes:
        uris: libvirt URIs of it, such as one of QEMU and one of LXC.
        groups: names of the groups that it is in.
        read_only: open read-only connections: nothing can be changed there.
        enabled: whether it is served.
        migrate_uri: where guests migrate to, when they migrate to this node; "" leaves that to libvirt.
        comment: for people.
    """

    uris: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    read_only: bool = False
    enabled: bool = True
    migrate_uri: str = ""
    comment: str = ""

    def __post_init__(self) -> None:
        if not self.uris or not all(self.uris):
            raise ValueError("uris: names no connection; expected one or more URIs of libvirt")
        if len(set(self.uris)) < len(self.uris):
            raise ValueError("uris: names a connection twice; expected each once")
        for group in self.groups:
            check_name(group, "group")


@immutable
class GroupSettings:
    """One group of nodes: `[group.NAME]`.

    Attributes:
        title: for people.
        variables: defaults for the guests that are placed in the group, by name: `pool`, `bridge`, ...
    """

    title: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@immutable
class NodesSettings:
    """How nodes are kept: `[nodes]`.

    Attributes:
        directory: further files with `[node.NAME]` and `[group.NAME]`, all that end in `.toml`; by default `nodes.d`
            beside the configuration file.
        transports: that nodes made at run time may use: `unix` for this machine, `ssh`, `libssh`, `libssh2`, `tls`,
            `tcp`.  None by default: then only files of the administrator name nodes.
        hosts: that such nodes may be on, as patterns: `*.example.com`, `10.0.0.*`.
        most: nodes that may be made at run time.
        patience: seconds that making a node waits for its first connection, to tell at once what is wrong with it.
        threads: that call libvirt for all nodes, at most.  Half of them, and no more than 16, work at a time; the
            others take the place of those that wait for an answer for more than a second.
    """

    directory: Path | None = None
    transports: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    most: int = 1000
    patience: float = 3.0
    threads: int = 128

    def __post_init__(self) -> None:
        for transport in self.transports:
            if transport not in TRANSPORTS:
                raise ValueError(
                    f"transports: {transport!r} cannot be; expected some of {', '.join(sorted(TRANSPORTS))}"
                )

    @property
    def rules(self) -> URIRules:
        """What the URIs of nodes made at run time may be."""
        return URIRules(frozenset(self.transports), self.hosts)


@immutable
class ConfiguredNodes:
    """What the administrator's files say.

    Attributes:
        nodes: the settings of each node, by name.
        groups: likewise of groups.
        origins: the file that each node is from, by its name.
        settings: how nodes are kept.
    """

    nodes: Mapping[str, NodeSettings] = field(default_factory=dict)
    groups: Mapping[str, GroupSettings] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    settings: NodesSettings = field(default_factory=NodesSettings)


@immutable
class ManagedNode:
    """A node that was made at run time, kept by the store.

    Attributes:
        settings: of it.
        owner: who made it.
    """

    settings: NodeSettings
    owner: str = ""

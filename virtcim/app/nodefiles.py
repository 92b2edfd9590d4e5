"""The nodes and groups of the administrator's files: the configuration, and those in `nodes.d`."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from virtcim.app.config import ConfigError, Settings, from_table
from virtcim.app.store import DATABASE, read_table
from virtcim.images.toml import read_text, read_toml
from virtcim.immutable import immutable
from virtcim.providers.nodes import (
    DEFAULT,
    MANAGED,
    ConfiguredNodes,
    GroupSettings,
    ManagedNode,
    NodeError,
    NodeSettings,
    check_name,
)

__all__ = ["configured_nodes", "served_nodes"]

_log = logging.getLogger("virtcim")


@immutable
class NodeFile:
    """What a file in `nodes.d` may hold."""

    node: Mapping[str, NodeSettings] = field(default_factory=dict)
    group: Mapping[str, GroupSettings] = field(default_factory=dict)


def configured_nodes(settings: Settings) -> ConfiguredNodes:
    """Read all files with nodes.

    A file that is broken is named in the log and left out, and so is a node or group that is in two files: the first
    one counts, the configuration before the others, which come in the order of their names.
    """
    nodes = dict(settings.node)
    groups = dict(settings.group)
    origin = str(settings.file or "the command line")
    origins = dict.fromkeys(nodes, origin)
    group_origins = dict.fromkeys(groups, origin)
    for path in _files(settings.nodes.directory):
        try:
            found = _read(path)
        except ConfigError as error:
            _log.error("%s; the file is left out", error)
            continue
        for what, new, known, known_origins in (
            ("node", found.node, nodes, origins),
            ("group", found.group, groups, group_origins),
        ):
            for name, each in new.items():
                same = next((other for other in known if other.lower() == name.lower()), None)
                if same is not None:
                    _log.error(
                        "%s: %s %r exists already, from %s; it is left out", path, what, name, known_origins[same]
                    )
                    continue
                known[name] = each  # type: ignore[assignment]
                known_origins[name] = str(path)
    for name in list(groups):
        try:
            check_name(name, "group")
        except NodeError as error:
            _log.error("%s: %s; it is left out", group_origins[name], error)
            del groups[name]
    return ConfiguredNodes(nodes, groups, origins, settings.nodes)


def served_nodes(settings: Settings) -> dict[str, NodeSettings]:
    """Find all nodes that a server with these settings serves beside the local one, by name, sorted.

    Those that were made at run time are read from the state directory, be it that the server runs.
    """
    found = {name.lower(): (name, each) for name, each in configured_nodes(settings).nodes.items() if each.enabled}
    for name, managed in read_table(settings.state_dir / DATABASE, MANAGED, ManagedNode):
        if managed.settings.enabled:
            found.setdefault(name.lower(), (name, managed.settings))
    found.pop(DEFAULT, None)
    return dict(sorted(found.values(), key=lambda each: each[0]))


def _files(directory: Path | None) -> list[Path]:
    try:
        return sorted(directory.glob("*.toml")) if directory is not None else []
    except OSError as error:
        _log.error("nodes.directory: %s: %s", directory, error.strerror or error)
        return []


def _read(path: Path) -> NodeFile:
    """Read one file.

    Raises:
        ConfigError: it cannot be read, or holds something else than nodes and groups; the text names it.
    """
    try:
        return from_table(NodeFile, read_toml(read_text(path)), "")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; expected a file that this user may read") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}; expected TOML in UTF-8") from error
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from error

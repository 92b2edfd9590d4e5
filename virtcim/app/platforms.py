"""Which platforms there are, and their classes: for the server, and for `virtcim platform list`."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtcim.app.commands.showing import table
from virtcim.app.config import Settings, load
from virtcim.platforms.calls import CallError, call_within

if TYPE_CHECKING:
    from virtcim.platforms.base import Platform
    from virtcim.platforms.registry import Registration, Registry
    from virtcim.schema.classes import ClassStore

__all__ = ["add_platform_commands", "find_platforms", "is_here", "load_classes"]

_log = logging.getLogger(__name__)

EXIT_FAILED = 1


def find_platforms(settings: Settings) -> Registry:
    """Load the platforms that the settings ask for; the registry knows of those that cannot be served, and why."""
    from virtcim.platforms.registry import load_platforms
    from virtcim.schema.classes import SchemaError

    registry = load_platforms(settings=settings.platforms)
    for platform in [each for each in registry if each.mof]:
        try:
            load_classes([platform], settings.state_dir if settings.state_dir.is_dir() else None)
        except SchemaError as error:
            registry.reject(platform, f"its MOF cannot be taken: {error}")
    return registry


def load_classes(platforms: Iterable[Platform], cache: Path | None) -> ClassStore:
    """Load the classes of some platforms, and those that all have in common.

    Parameters:
        cache: the directory of the class cache; None for none.

    Raises:
        SchemaError: the MOF of a platform is wrong.
    """
    from virtcim import mof, schema
    from virtcim.app.commands.mof import compile_apart
    from virtcim.app.pluginplaces import DIRECTORIES
    from virtcim.schema.mof import load_class_store

    platforms = tuple(platforms)
    extensions = {platform.prefix: platform.mof for platform in platforms if platform.mof}
    prefixes = [platform.prefix for platform in platforms]
    return load_class_store(
        [*schema.texts(), *mof.texts()],
        mof.templates(),
        prefixes,
        cache,
        extensions,
        compiled=[mof.COMPILED, *DIRECTORIES],
        compile_apart=None if cache is None else partial(compile_apart, cache),
    )


def is_here(platform: Platform, patience: float) -> bool:
    """Whether this host looks like having a platform; it does not where the platform cannot tell.

    Parameters:
        patience: seconds that it gets.
    """
    try:
        return bool(call_within(patience, platform.detect))
    except CallError as error:
        _log.error("platform %s cannot tell whether it is on this host: %s", platform.prefix, error)
        return False


def add_platform_commands(commands: Any) -> None:
    """Add `virtcim platform` to the subparsers of the command line."""
    parser = commands.add_parser(
        "platform",
        help="tell which platforms are served",
        description="Tell which virtualization platforms are served.",
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = verbs.add_parser(
        "list",
        help="list all that are installed",
        description="List the platforms that are installed, and why one is not served; the exit status is 1 when one "
        "of them fails.",
    )
    listing.add_argument("--config", type=Path, metavar="FILE", help="settings, in TOML")
    listing.add_argument("--json", action="store_true", help="print a line of JSON for each")
    listing.set_defaults(run=_list)


def _list(arguments: argparse.Namespace) -> int:
    """`virtcim platform list`."""
    logging.disable(logging.ERROR)  # what goes wrong here stands in the list
    settings = load(arguments.config, {})
    registrations = find_platforms(settings).registrations
    rows = [_row(each, settings.platforms.patience) for each in registrations]
    if arguments.json:
        for row in rows:
            print(json.dumps(row))
    else:
        head = ("NAME", "STATE", "PREFIX", "DRIVERS", "HERE", "FROM", "NOTE")
        print(table(head, [list(each.values()) for each in rows]))
    return EXIT_FAILED if any(each.failed for each in registrations) else 0


def _row(registration: Registration, patience: float) -> Mapping[str, str]:
    platform = registration.platform
    state = "failed" if registration.failed else "served" if platform is not None else "off"
    row = {"name": registration.name, "state": state, "prefix": "", "drivers": "", "here": ""}
    note = registration.reason
    if platform is not None:
        row |= {"prefix": platform.prefix, "drivers": ", ".join(platform.drivers)}
        row["here"] = "yes" if is_here(platform, patience) else "no"
        note = platform.title if platform.tried else f"{platform.title}; not tried on the real thing"
    return row | {"origin": registration.origin, "note": note}

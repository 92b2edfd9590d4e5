"""`virtcim platform`: which platforms are installed and served, and why one is not."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from virtcim.app.commands.grammar import Commands
from virtcim.app.commands.showing import table
from virtcim.app.config import load
from virtcim.app.platforms import find_platforms, is_here

if TYPE_CHECKING:
    from virtcim.platforms.registry import Registration

__all__ = ["add_platform_commands"]

EXIT_FAILED = 1


def add_platform_commands(commands: Commands) -> None:
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

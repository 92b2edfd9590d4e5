"""The command `virtcim`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from virtcim import __version__
from virtcim.config import DEFAULT_LISTEN, ConfigError, load

__all__ = ["main"]

EXIT_USAGE = 2  # what argparse ends with, so that every wrong setting ends alike


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit status."""
    arguments = make_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ConfigError as error:
        print(f"virtcim: {error}", file=sys.stderr)
        return EXIT_USAGE


def make_parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    parser = argparse.ArgumentParser(prog="virtcim", description="Serve libvirt's guests to CIM/WBEM clients.")
    parser.add_argument("--version", action="version", version=f"virtcim {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server", description="Run the server until SIGTERM or SIGINT.")
    serve.add_argument(
        "--uri",
        action="append",
        metavar="URI",
        help="a libvirt connection to serve; may be given again; default: every hypervisor that answers here",
    )
    serve.add_argument("--config", type=Path, metavar="FILE", help="settings, in TOML")
    serve.add_argument("--listen", metavar="HOST:PORT", help=f"default {DEFAULT_LISTEN}; port 0 picks a free one")
    serve.add_argument("--state-dir", type=Path, metavar="DIR", help="credentials, class cache, database")
    serve.add_argument(
        "--auth",
        metavar="none|htpasswd:FILE",
        help="who may ask: anybody (on loopback addresses only), or the users of FILE; "
        "default: one user, made on first start",
    )
    serve.add_argument(
        "--example", action="store_true", help="print a wbemcli line, with the password, that lists the guests"
    )
    serve.set_defaults(run=run_serve)
    return parser


def run_serve(arguments: argparse.Namespace) -> int:
    """`virtcim serve`."""
    settings = load(
        arguments.config,
        {"uris": arguments.uri, "listen": arguments.listen, "state_dir": arguments.state_dir, "auth": arguments.auth},
    )
    from virtcim.serve import serve  # here, so that `--help` and a wrong setting need no libvirt

    return serve(settings, arguments.example)


if __name__ == "__main__":
    sys.exit(main())

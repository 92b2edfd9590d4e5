"""`virtcim mof compile`: the classes in the form that the server reads, for packages and for its own first start."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from virtcim.app.commands.grammar import Commands
from virtcim.app.failures import words_of

__all__ = ["add_mof_commands"]

EXIT_FAILED = 1


def add_mof_commands(commands: Commands) -> None:
    """Add `virtcim mof` to the subparsers of the command line."""
    parser = commands.add_parser("mof", help="compile classes", description="Compile classes.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    compiling = verbs.add_parser(
        "compile",
        help="compile the classes when a package is built",
        description="Compile the classes that all platforms have or, with a file, those that a platform adds, so that "
        "the server need not do so on its first start. Packages of plugins put the file into /usr/lib/virtcim-plugins.",
    )
    compiling.add_argument("--into", type=Path, metavar="DIR", required=True, help="the directory to write to")
    compiling.add_argument("--prefix", metavar="NAME", help="of the classes of the platform")
    compiling.add_argument("file", nargs="?", metavar="FILE", help="the MOF of the platform; - for standard input")
    compiling.set_defaults(run=_compile)


def _compile(arguments: argparse.Namespace) -> int:
    """`virtcim mof compile`."""
    from virtcim import mof, schema
    from virtcim.schema.classes import SchemaError
    from virtcim.schema.mof import cache_name, load_class_store

    prefix = arguments.prefix or ""
    if bool(prefix) != bool(arguments.file):
        print("virtcim: mof compile: --prefix and FILE belong together; expected both or none", file=sys.stderr)
        return EXIT_FAILED
    logging.basicConfig(format="virtcim: %(message)s")
    try:
        text = sys.stdin.read() if arguments.file == "-" else Path(arguments.file or "/dev/null").read_text("utf-8")
        written = arguments.into / cache_name(prefix)
        written.unlink(missing_ok=True)
        load_class_store(
            [*schema.texts(), *mof.texts()],
            mof.templates(),
            [prefix or "KVM"],
            arguments.into,
            {prefix: text} if prefix else {},
            compiled=[mof.COMPILED],
        )
    except (OSError, ValueError, SchemaError) as error:
        print(f"virtcim: mof compile: {words_of(error)}", file=sys.stderr)
        return EXIT_FAILED
    if not written.exists():
        return EXIT_FAILED
    print(written)
    return 0

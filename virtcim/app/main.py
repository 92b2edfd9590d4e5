"""The command `virtcim`."""

from __future__ import annotations

import argparse
import errno
import gc
import io
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from virtcim import __version__
from virtcim.app.commands.grammar import Commands
from virtcim.app.config import DEFAULT_LISTEN, ConfigError, Settings, default_state_dir, load
from virtcim.app.failures import words_of
from virtcim.app.logs import configure_logging, log_what_python_tells
from virtcim.frontends.cmpi.settings import CmpiSettings

__all__ = ["COMMANDS", "main", "make_parser"]

log = logging.getLogger("virtcim")

COMMANDS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("status",), "virtcim.app.commands.status", "add_status"),
    (("guest",), "virtcim.app.commands.guest", "add_guest"),
    (("define", "export"), "virtcim.app.commands.native", "add_native_commands"),
    (("watch", "subscriptions"), "virtcim.app.commands.watching", "add_watching"),
    (("platform",), "virtcim.app.commands.platform", "add_platform_commands"),
    (("plugin",), "virtcim.app.commands.plugin", "add_plugin_commands"),
    (("mof",), "virtcim.app.commands.mof", "add_mof_commands"),
    (("node",), "virtcim.app.commands.node", "add_node_commands"),
    (("group",), "virtcim.app.commands.group", "add_group_commands"),
    (("template", "image"), "virtcim.app.commands.template", "add_template_commands"),
    (("appliance",), "virtcim.app.commands.appliance", "add_appliance_commands"),
    (("console",), "virtcim.app.commands.console", "add_console"),
    (("registration", "register", "unregister"), "virtcim.app.commands.registration", "add_commands"),
)
"""The commands that are not described here: their names, the module that describes them, and its function for it."""

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130  # what shells make of SIGINT
EXIT_USAGE = 2  # what argparse ends with, so that every wrong setting ends alike


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A terminal that is not in UTF-8 has no character for the names of some guests.
        sys.stdout.reconfigure(errors="backslashreplace")
    named = {"serve", "check", "certificate", *(name for names, _, _ in COMMANDS for name in names)}
    try:
        try:
            # What a server needs to start is loaded, and nothing of the other commands.
            arguments = make_parser(words[0] if words and words[0] in named else None).parse_args(words)
            return int(arguments.run(arguments))
        finally:
            # Here, where it can be said that this fails.
            print(end="", flush=True)
    except ConfigError as error:
        print(f"virtcim: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Who reads has seen enough, as `head` has.
        _print_no_more()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"virtcim: {words_of(error)}; expected space for what is printed or written", file=sys.stderr)
        _print_no_more()
        return EXIT_FAILED


def _print_no_more() -> None:
    """Throw away what is left to be printed, which the interpreter would try once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser that shows its own usage, and not that of the whole command line, for words that it does not know."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read all words, or end the process."""
        read, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return read, unknown


def make_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Make the command line's grammar.

    Parameters:
        only: the command that is to be read, for which nothing of the others is loaded; None for all of them.
    """
    parser: argparse.ArgumentParser = _Parser(prog="virtcim", description="Serve libvirt's guests to CIM/WBEM clients.")
    parser.add_argument("--version", action="version", version=f"virtcim {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = _common_options()
    _add_serve(commands, common)
    _add_check(commands, common)
    _add_certificate(commands)
    for names, module, function in COMMANDS:
        if only is None or only in names:
            getattr(import_module(module), function)(commands)
    return parser


def _common_options() -> _Parser:
    """The options of whatever reads the settings."""
    common = _Parser(add_help=False)
    common.add_argument(
        "--uri",
        action="append",
        metavar="URI",
        help="a libvirt connection to serve; may be given again; default: every hypervisor that answers here, now or "
        "later",
    )
    common.add_argument("--config", type=Path, metavar="FILE", help="settings, in TOML")
    common.add_argument("--listen", metavar="HOST:PORT", help=f"default {DEFAULT_LISTEN}; port 0 picks a free one")
    common.add_argument("--state-dir", type=Path, metavar="DIR", help="credentials, class cache, database")
    common.add_argument("--listen-https", metavar="HOST:PORT", help="serve HTTPS there too, usually with port 5989")
    common.add_argument("--listen-unix", metavar="PATH", help="serve on a Unix socket too")
    common.add_argument(
        "--cmpi-socket",
        type=Path,
        metavar="PATH",
        help="serve SFCB and OpenPegasus too, on this Unix socket; where libvirtcim.so looks unless it was built for "
        f"another: {CmpiSettings().socket}",
    )
    common.add_argument(
        "--tls",
        choices=["self-signed"],
        help="make a self-signed certificate in the state directory, when there is none yet",
    )
    common.add_argument(
        "--auth",
        metavar="HOW",
        help="who may ask: none (anybody, on loopback addresses only), htpasswd:FILE (the users of FILE), pam or "
        "pam:SERVICE (the users of the system), certificate (whoever shows one), several separated by commas; "
        "default: password (one user, made on first start)",
    )
    common.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR; default INFO")
    return common


def _add_serve(commands: Commands, common: _Parser) -> None:
    serve = commands.add_parser(
        "serve", parents=[common], help="run the server", description="Run the server until SIGTERM or SIGINT."
    )
    serve.add_argument(
        "--example", action="store_true", help="print wbemcli lines, with the password, that work on what is served"
    )
    serve.add_argument(
        "--test-driver",
        action="store_true",
        help="for trying out: serve libvirt's test driver where no --uri is given and no hypervisor answers in time",
    )
    serve.set_defaults(run=run_serve)


def _add_check(commands: Commands, common: _Parser) -> None:
    check = commands.add_parser(
        "check",
        parents=[common],
        help="tell what is wrong with this host's set-up",
        description="Look at permissions, addresses, certificates and libvirt, and ask the server over each of its "
        "listeners where it runs; the exit status is 1 when something keeps it from working.",
    )
    check.add_argument("--json", action="store_true", help="print the report in JSON")
    check.set_defaults(run=run_check)


def _add_certificate(commands: Commands) -> None:
    certificate = commands.add_parser(
        "certificate",
        help="make a self-signed certificate",
        description="Make a key and a certificate that signs itself, in place of older ones with --force only.",
    )
    certificate.add_argument("--directory", type=Path, metavar="DIR", help="where to; default: the state directory")
    certificate.add_argument(
        "--name", action="append", metavar="NAME", help="host name or address of this server; may be given again"
    )
    certificate.add_argument("--days", type=int, default=365, help="for how long it is valid; default 365")
    certificate.add_argument("--force", action="store_true", help="replace a key or certificate that is there")
    certificate.set_defaults(run=run_certificate)


def run_serve(arguments: argparse.Namespace) -> int:
    """`virtcim serve`."""
    settings = _settings(arguments)
    from virtcim.app.heap import share_arenas

    # The log has the first thread.
    share_arenas()
    configure_logging(settings.log_level, structured=settings.log_format == "json")
    log_what_python_tells()
    # At once: what follows is loaded for a second or more.
    log.info("virtcim %s starts, with its state in %s", __version__, settings.state_dir)
    # Until everything is loaded there is hardly any garbage, and each collection would go through all that is.
    gc.disable()
    from virtcim.app.serve import serve

    return serve(settings, arguments.example, arguments.test_driver, lambda: _settings(arguments))


def run_check(arguments: argparse.Namespace) -> int:
    """`virtcim check`."""
    settings = _settings(arguments)
    if not arguments.json:
        # At once: what follows is loaded for a second.
        named = "the default settings" if settings.file is None else f"the settings of {settings.file}"
        print(f"virtcim {__version__}: looking at this host with {named}", flush=True)
    from virtcim.app.commands.check import check_host

    return check_host(settings, arguments.json)


def run_certificate(arguments: argparse.Namespace) -> int:
    """`virtcim certificate`."""
    from virtcim.app.certificates import CERTIFICATE, KEY, default_names, make_pair

    directory = arguments.directory or default_state_dir()
    there = [directory / name for name in (KEY, CERTIFICATE) if (directory / name).exists()]
    if there and not arguments.force:
        files = " and ".join(map(str, there))
        print(f"virtcim: {files}: would be replaced; expected --force, or another --directory", file=sys.stderr)
        return 1
    try:
        made = make_pair(directory, arguments.name or default_names(), arguments.days)
    except (OSError, ValueError) as error:
        print(f"virtcim: {words_of(error)}", file=sys.stderr)
        return 1
    print(*made, sep="\n")
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    return load(
        arguments.config,
        {
            "uris": arguments.uri,
            "listen": arguments.listen,
            "listen_https": arguments.listen_https,
            "listen_unix": arguments.listen_unix,
            "state_dir": arguments.state_dir,
            "auth": arguments.auth,
            "log_level": arguments.log_level,
            "tls.self_signed": True if arguments.tls == "self-signed" else None,
            "cmpi.enabled": None if arguments.cmpi_socket is None else True,
            "cmpi.socket": arguments.cmpi_socket,
        },
    )


if __name__ == "__main__":
    sys.exit(main())

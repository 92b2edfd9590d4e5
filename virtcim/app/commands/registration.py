"""`virtcim register`, `unregister` and `registration status`: virtcim inside other CIM servers."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from virtcim import __version__
from virtcim.app.commands.grammar import Commands
from virtcim.app.config import Settings, load
from virtcim.app.nodefiles import served_nodes
from virtcim.providers.kinds import KINDS
from virtcim.providers.nodes import NodeSettings
from virtcim.registration.actions import CIM_SERVERS, choose, register, status, unregister, write
from virtcim.registration.cimservers import INTEROP_CLASSES, Plan, classes_sent
from virtcim.registration.tools import RegistrationError, Tools

__all__ = ["add_commands"]

EXIT_FAILED = 1


def add_commands(commands: Commands) -> None:
    """Add the three commands to the subparsers of the command line."""
    asked = commands.add_parser("registration", help="ask about the providers in other CIM servers")
    below = asked.add_subparsers(required=True, metavar="COMMAND")
    for to, name, text, run in (
        (commands, "register", "put the providers into SFCB or OpenPegasus", _register),
        (commands, "unregister", "take the providers out again, with all that register added", _unregister),
        (below, "status", "say in which CIM servers the providers are", _status),
    ):
        parser = to.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name != "status":
            which = parser.add_mutually_exclusive_group()
            which.add_argument("--cimom", choices=list(CIM_SERVERS), help="default: the one that is installed")
            if name == "register":
                text = "only write classes and registration into files there, for a CIM server of another kind"
                which.add_argument("--write", type=Path, metavar="DIR", help=text)
            parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do none of it")
        parser.add_argument("--config", type=Path, metavar="FILE", help="settings, in TOML")
        parser.add_argument("--state-dir", type=Path, metavar="DIR", help="where is remembered what was registered")
        parser.set_defaults(run=_run(run))


def _run(action: Callable[[argparse.Namespace, Settings], None]) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # what is half done is put in order
        settings = load(arguments.config, {"state_dir": arguments.state_dir})
        try:
            action(arguments, settings)
        except RegistrationError as error:
            print(f"virtcim: {error}", file=sys.stderr)
            return EXIT_FAILED
        return 0

    return run


def make_plan(settings: Settings) -> Plan:
    """What is to be registered: what every namespace has, and the classes of the platforms that the settings name.

    Other platforms show when there is a hypervisor, which is not looked for here.
    """
    # Imported here, so that `virtcim --help` and `virtcim registration status` need no libvirt.
    from virtcim.app.platforms import find_platforms, load_classes
    from virtcim.providers.site import Site
    from virtcim.providers.Virt_ManagedNode import ManagedNodeProvider
    from virtcim.registration.catalog import INTEROP, SiteCatalogs, indication_classes
    from virtcim.registration.table import make_table, server_entries

    registry = find_platforms(settings)
    classes = load_classes(registry, settings.state_dir if settings.state_dir.is_dir() else None)

    def site_of(namespace: str, uris: Iterable[str]) -> Site:
        """A site that shows the platforms of its URIs, without a hypervisor."""
        site = Site([], registry, KINDS, replace(settings.providers, namespace=namespace))
        for platform in filter(None, map(registry.by_uri, uris)):
            site.show(platform)
        return site

    site = site_of(settings.providers.namespace, settings.uris)
    others = [site_of(namespace, node.uris) for namespace, node in _nodes(settings).items()]
    # The local one may be of libvirt's test driver, which no URI names.
    if (test := registry.by_prefix("test")) is not None:
        site.show(test)
    catalog = SiteCatalogs([site, *others], [ManagedNodeProvider(None)]).catalog()
    indications = indication_classes(site, catalog, *others)
    table = make_table(
        catalog, classes, indications, server_entries(INTEROP, [each.namespace for each in (site, *others)])
    )
    further = {namespace: classes_sent(table, classes, namespace) for namespace in table.namespaces}
    return Plan(table, classes, __version__, {**further, INTEROP: [*INTEROP_CLASSES, *further[INTEROP]]})


def _register(arguments: argparse.Namespace, settings: Settings) -> None:
    tools = Tools(print, dry_run=arguments.dry_run)
    if arguments.write is not None:
        write(make_plan(settings), arguments.write, tools)
        return
    server = choose(arguments.cimom, tools)
    register(make_plan(settings), server, settings.state_dir)
    print(f"registered in {server.name}" if not arguments.dry_run else "nothing was changed")


def _unregister(arguments: argparse.Namespace, settings: Settings) -> None:
    server = choose(arguments.cimom, Tools(print, dry_run=arguments.dry_run))
    if not unregister(server, settings.state_dir):
        print(f"nothing is registered in {server.name}")
    else:
        print(f"no longer registered in {server.name}" if not arguments.dry_run else "nothing was changed")


def _status(arguments: argparse.Namespace, settings: Settings) -> None:
    tools = Tools(print)
    local, nodes = settings.providers.namespace.strip("/"), list(_nodes(settings))
    for line in status([make(tools) for make in CIM_SERVERS.values()], settings.state_dir, __version__, local, nodes):
        print(line)


def _nodes(settings: Settings) -> dict[str, NodeSettings]:
    """All nodes that are served, by namespace: those of the files, and those that were made at run time."""
    local = settings.providers.namespace.strip("/")
    return {f"{local}/{name}": node for name, node in served_nodes(settings).items()}

"""`virtcim node`: the nodes of a running server, by its own door."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from virtcim.app.commands.asking import add_server_options, run_connected
from virtcim.app.commands.draining import add_drain_options, drain
from virtcim.app.commands.grammar import Commands
from virtcim.app.commands.showing import plain, table

if TYPE_CHECKING:
    import pywbem

__all__ = ["add_node_commands"]

NODE = "Virt_ManagedNode"
STATES = ("disabled", "connecting", "connected", "partly connected", "no contact", "refused")
"""Virt_ManagedNode.State in words."""

EXIT_FAILED = 1


def add_node_commands(commands: Commands) -> None:
    """Add the command to the subparsers of the command line."""
    node = commands.add_parser(
        "node",
        help="list, add, change, remove and check the nodes that a server shows",
        description="Nodes of a running server. Those of the administrator's files are shown, and changed there only.",
    )
    actions = node.add_subparsers(required=True, metavar="ACTION")
    for name, text, action in (
        ("list", "list all nodes, with their state and where they are from", _list),
        ("add", "add a node; it is kept over a restart of the server", _add),
        ("edit", "change what is given of a node", _edit),
        ("remove", "show a node no more", _remove),
        ("drain", "move the guests of a node to other nodes", _drain),
        ("check", "say how nodes are; the exit status is 1 unless all are connected", _check),
    ):
        parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name in ("add", "edit"):
            parser.add_argument("name", help="of the node, and the last part of its namespace")
            _add_settings(parser, needed=name == "add")
        elif name == "remove":
            parser.add_argument("name", help="of the node")
        elif name == "drain":
            parser.add_argument("name", help="of the node")
            add_drain_options(parser)
        elif name == "check":
            parser.add_argument("names", nargs="*", metavar="name", help="of the nodes; default: all")
        else:
            parser.add_argument("--json", action="store_true", help="print each node as a line of JSON")
        add_server_options(parser)
        parser.set_defaults(run=partial(run_connected, action=action))


def _add_settings(parser: argparse.ArgumentParser, needed: bool) -> None:
    parser.add_argument("--uri", action="append", metavar="URI", required=needed, help="of libvirt; may be given again")
    parser.add_argument("--group", action="append", metavar="GROUP", help="that it is in; may be given again")
    parser.add_argument("--no-group", action="store_true", help="take it out of all groups")
    parser.add_argument("--read-only", action=argparse.BooleanOptionalAction, help="whether nothing can be changed")
    parser.add_argument("--enabled", action=argparse.BooleanOptionalAction, help="whether it is served")
    parser.add_argument("--migrate-uri", metavar="URI", help="where guests migrate to; empty: left to libvirt")
    parser.add_argument("--comment", metavar="TEXT", help="for people")


def _properties(arguments: argparse.Namespace) -> dict[str, Any]:
    """The properties that the command line gives."""
    given = {
        "URIs": arguments.uri,
        "Groups": [] if arguments.no_group else arguments.group,
        "ReadOnly": arguments.read_only,
        "Enabled": arguments.enabled,
        "MigrateURI": arguments.migrate_uri,
        "Comment": arguments.comment,
    }
    return {name: value for name, value in given.items() if value is not None}


def _instance(properties: dict[str, Any]) -> Any:
    import pywbem

    shown = [
        pywbem.CIMProperty(name, value, type="string", is_array=True)
        if isinstance(value, list)
        else pywbem.CIMProperty(name, value)
        for name, value in properties.items()
    ]
    return pywbem.CIMInstance(NODE, shown)


def _path(name: str) -> Any:
    import pywbem

    return pywbem.CIMInstanceName(NODE, {"Name": name}, namespace="root/interop")


def _nodes(connection: pywbem.WBEMConnection) -> list[Any]:
    return sorted(connection.EnumerateInstances(NODE), key=lambda each: str(each["Name"]).lower())


def _list(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> None:
    """Print all nodes."""
    nodes = _nodes(connection)
    if arguments.json:
        for each in nodes:
            print(json.dumps({name: plain(each[name]) for name in each}, ensure_ascii=False))
        return
    rows = [
        (
            each["Name"],
            STATES[each["State"]],
            ",".join(each["Platforms"] or ()) or "-",
            ",".join(each["Groups"] or ()) or "-",
            " ".join(each["URIs"]),
            each["Origin"] or "made at run time",
        )
        for each in nodes
    ]
    print(table(("NAME", "STATE", "PLATFORMS", "GROUPS", "URIS", "FROM"), rows))


def _drain(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Move the guests of a node away."""
    return drain(arguments, connection, Node=_path(arguments.name))


def _add(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Add a node, and say how it is."""
    connection.CreateInstance(_instance({"Name": arguments.name, **_properties(arguments)}), namespace="root/interop")
    _report(connection.GetInstance(_path(arguments.name)))
    return 0


def _edit(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Change what is given."""
    changes = _properties(arguments)
    if not changes:
        print("virtcim: nothing is given to be changed; expected an option such as --uri or --comment", file=sys.stderr)
        return EXIT_FAILED
    instance = _instance(changes)
    instance.path = _path(arguments.name)
    connection.ModifyInstance(instance, PropertyList=list(changes))
    _report(connection.GetInstance(instance.path))
    return 0


def _remove(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> None:
    """Remove a node."""
    connection.DeleteInstance(_path(arguments.name))
    print(f"{arguments.name}: removed")


def _check(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Say how nodes are."""
    wanted = [connection.GetInstance(_path(name)) for name in arguments.names] or _nodes(connection)
    for each in wanted:
        _report(each)
    return EXIT_FAILED if any(STATES[each["State"]] != "connected" for each in wanted) else 0


def _report(node: Any) -> None:
    trouble = f": {node['Trouble']}" if node["Trouble"] else ""
    print(f"{node['Name']}: {STATES[node['State']]} in {node['Namespace']}{trouble}")

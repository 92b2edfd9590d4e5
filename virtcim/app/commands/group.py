"""`virtcim group`: the groups of nodes of a running server, and all guests of a group at once."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from virtcim.app.commands.asking import add_server_options, run_connected
from virtcim.app.commands.draining import add_drain_options, drain, find_group, show_results
from virtcim.app.commands.grammar import Commands
from virtcim.app.commands.node import EXIT_FAILED, NODE, STATES
from virtcim.app.commands.showing import STATES as GUEST_STATES
from virtcim.app.commands.showing import table

if TYPE_CHECKING:
    import pywbem

__all__ = ["add_group_commands"]

GROUP, SERVICE = "Virt_NodeGroup", "Virt_AggregatedManagementService"
ENABLED, DISABLED, SHUT_DOWN = 2, 3, 4
"""RequestedState."""
WORDS = {0: "unknown", **GUEST_STATES}
"""EnabledState in words."""


def add_group_commands(commands: Commands) -> None:
    """Add the command to the subparsers of the command line."""
    group = commands.add_parser(
        "group",
        help="list groups of nodes, and start and stop all guests of one",
        description="Groups of nodes of a running server.",
    )
    actions = group.add_subparsers(required=True, metavar="ACTION")
    for name, text, action in (
        ("list", "list all groups, with their nodes", _list),
        ("status", "list the guests of a group, with their state", _status),
        ("start", "start all guests of a group", partial(_change, wanted=ENABLED)),
        ("stop", "shut all guests of a group down", _stop),
        ("drain", "move all guests of a group to other nodes", _drain),
    ):
        parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name != "list":
            parser.add_argument("name", help="of the group")
        if name == "drain":
            add_drain_options(parser)
        if name == "stop":
            parser.add_argument("--force", action="store_true", help="switch them off, whatever they do")
        add_server_options(parser)
        parser.set_defaults(run=partial(run_connected, action=action))


def _list(_arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> None:
    """Print all groups."""
    rows = []
    nodes = connection.EnumerateInstances(NODE)
    for each in sorted(connection.EnumerateInstances(GROUP), key=lambda group: str(group["Name"])):
        members = sorted(node["Name"] for node in nodes if each["Name"] in (node["Groups"] or ()))
        pairs = zip(each["VariableNames"] or (), each["VariableValues"] or (), strict=False)
        variables = ",".join(f"{name}={value}" for name, value in pairs)
        rows.append((each["Name"], each["ElementName"], ",".join(members) or "-", variables or "-"))
    print(table(("NAME", "TITLE", "NODES", "VARIABLES"), rows))


def _status(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Print the guests of a group."""
    path = find_group(connection, arguments.name)
    if path is None:
        return EXIT_FAILED
    rows = []
    nodes = connection.Associators(path, AssocClass="CIM_MemberOfCollection", ResultClass=NODE)
    for node in sorted(nodes, key=lambda each: str(each["Name"])):
        if not node["Enabled"]:
            rows.append((node["Name"], "-", STATES[node["State"]]))
            continue
        wanted = ["Name", "EnabledState"]
        guests = connection.EnumerateInstances("Virt_ComputerSystem", node["Namespace"], PropertyList=wanted)
        rows += [
            (node["Name"], guest["Name"], WORDS.get(guest["EnabledState"], str(guest["EnabledState"])))
            for guest in sorted(guests, key=lambda each: str(each["Name"]))
        ]
        if not guests:
            rows.append((node["Name"], "-", STATES[node["State"]]))
    print(table(("NODE", "GUEST", "STATE"), rows))
    return 0


def _stop(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    return _change(arguments, connection, DISABLED if arguments.force else SHUT_DOWN)


def _drain(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Move the guests of all nodes of a group away."""
    path = find_group(connection, arguments.name)
    return EXIT_FAILED if path is None else drain(arguments, connection, Group=path)


def _change(arguments: argparse.Namespace, connection: pywbem.WBEMConnection, wanted: int) -> int:
    """Ask all guests of a group for a state, and wait until they have it."""
    import pywbem

    path = find_group(connection, arguments.name)
    if path is None:
        return EXIT_FAILED
    (service,) = connection.EnumerateInstanceNames(SERVICE)
    value, out = connection.InvokeMethod(
        "RequestGroupStateChange", service, Group=path, RequestedState=pywbem.Uint16(wanted)
    )
    return show_results(connection, value, out)

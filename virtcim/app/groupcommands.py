"""`virtcim group`: the groups of nodes of a running server, and all guests of a group at once."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from virtcim.app.asking import add_server_options, run_connected
from virtcim.app.nodecommands import EXIT_FAILED, NODE, STATES
from virtcim.app.showing import FINAL, JOB_STARTED, table
from virtcim.app.showing import STATES as GUEST_STATES

if TYPE_CHECKING:
    import pywbem

__all__ = ["add_group_commands"]

GROUP, SERVICE = "Virt_NodeGroup", "Virt_AggregatedManagementService"
ENABLED, DISABLED, SHUT_DOWN = 2, 3, 4
"""RequestedState."""
WORDS = {0: "unknown", **GUEST_STATES}
"""EnabledState in words."""
PAUSE = 0.5
"""Seconds between two looks at a job."""


def add_group_commands(commands: Any) -> None:
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
    ):
        parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name != "list":
            parser.add_argument("name", help="of the group")
        if name == "stop":
            parser.add_argument("--force", action="store_true", help="switch them off, whatever they do")
        add_server_options(parser)
        parser.set_defaults(run=partial(run_connected, action=action))


def _group(connection: pywbem.WBEMConnection, name: str) -> Any:
    """The path of a group; None, with a line that says so, where there is none."""
    for path in connection.EnumerateInstanceNames(GROUP):
        if str(path["InstanceID"]).rpartition(":")[2] == name:
            return path
    print(f"virtcim: group {name!r}: does not exist", file=sys.stderr)
    return None


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
    path = _group(connection, arguments.name)
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


def _change(arguments: argparse.Namespace, connection: pywbem.WBEMConnection, wanted: int) -> int:
    """Ask all guests of a group for a state, and wait until they have it."""
    import pywbem

    path = _group(connection, arguments.name)
    if path is None:
        return EXIT_FAILED
    (service,) = connection.EnumerateInstanceNames(SERVICE)
    value, out = connection.InvokeMethod(
        "RequestGroupStateChange", service, Group=path, RequestedState=pywbem.Uint16(wanted)
    )
    if value == JOB_STARTED:
        job = out["Job"]
        while (shown := connection.GetInstance(job))["JobState"] not in FINAL:
            print(f"{shown['PercentComplete']} %", file=sys.stderr, flush=True)
            time.sleep(PAUSE)
        told = shown["JobOutParameters"]
        out = {} if told is None else told
        value = told["__ReturnValue"] if told is not None else shown["ErrorCode"] or EXIT_FAILED
    for line in out.get("Results") or ():
        print(line)
    return 0 if value == 0 else EXIT_FAILED

"""`virtcim guest`: list, show and control guests, as a WBEM client of the server on this host.

What is asked goes the way of every client: roles decide, and changes stand in the audit log.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from virtcim.app.commands.asking import AskError, Server, add_server_options, run_asking
from virtcim.app.commands.grammar import Commands
from virtcim.app.commands.jobs import follow_job, require_completed
from virtcim.app.commands.showing import JOB_STARTED, STATES, plain, table
from virtcim.schema.names import prefix_of

if TYPE_CHECKING:
    import pywbem

__all__ = ["add_guest", "find_guest"]

ACTIONS = {
    "start": (2, "start a guest, or have a paused one go on"),
    "stop": (4, "shut a guest down in order"),
    "kill": (3, "switch a guest off at once"),
    "pause": (9, "have a guest stand still"),
    "resume": (2, "have a paused guest go on"),
    "save": (6, "save a guest's memory to disk, and switch it off"),
    "reboot": (10, "shut a guest down in order, and start it again"),
    "reset": (11, "switch a guest off at once, and start it again"),
}
"""What RequestStateChange is asked for, by the word for it (CIM_EnabledLogicalElement.RequestedState)."""

FULL_COPY, OVERLAY = 2, 3
"""Virt_VirtualSystemSettingData.CloneMode."""

REASONS = {
    1: "it cannot do that",
    2: "it failed",
    3: "it took too long",
    4: "it failed",
    5: "a parameter is wrong",
    6: "it is in use",
    4097: "it cannot do that in its state",
    4098: "a time-out cannot be given for it",
    4099: "another change is under way",
}
"""What the return codes of RequestStateChange say (CIM Schema 2.49)."""


WRONG_STATE = 4097


def add_guest(commands: Commands) -> None:
    """Add `virtcim guest` to the subparsers of the command line."""
    guest = commands.add_parser(
        "guest",
        help="list, show and control guests",
        description="Ask the server on this host, as any other client does: roles and the audit log count here too.",
    )
    below = guest.add_subparsers(required=True, metavar="COMMAND")
    listed = below.add_parser("list", help="list guests", description="List the guests, with their states.")
    listed.add_argument("--state", choices=sorted(STATES.values()), help="only those in this state")
    listed.set_defaults(run=run_asking(_list))
    show = below.add_parser("show", help="show a guest", description="Show a guest, with its devices.")
    show.set_defaults(run=run_asking(_show))
    for parser in (listed, show):
        parser.add_argument("-o", "--output", choices=["table", "json"], default="table", help="default: table")
    actions = []
    for name, (_, text) in ACTIONS.items():
        action = below.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.add_argument("--no-wait", action="store_true", help="do not wait for the job that goes on with it")
        action.set_defaults(run=run_asking(_request), action=name)
        actions.append(action)
    clone = below.add_parser(
        "clone",
        help="make another guest with disks of its own",
        description="Make another guest of one, running or not: with another name, UUID and addresses, and disks of "
        "its own.  Inside it is the same until it is told otherwise: host name, keys, users.",
    )
    clone.add_argument("--overlay", action="store_true", help="let both go on in overlays over the disks as they are")
    clone.add_argument("--start", action="store_true", help="start the new guest")
    clone.set_defaults(run=run_asking(_clone))
    for parser in (show, *actions, clone):
        parser.add_argument("name", metavar="NAME", help="name or UUID of the guest")
    clone.add_argument("new", metavar="NEW", help="name of the new guest")
    for parser in (listed, show, *actions, clone):
        parser.add_argument("--namespace", default="root/virt", help="of the node; default: root/virt")
        add_server_options(parser)


def _list(arguments: argparse.Namespace, server: Server) -> None:
    with server.wbem(arguments.namespace) as connection:
        found = [_summary(each) for each in _guests(connection)]
    chosen = [each for each in found if arguments.state in (None, each["state"])]
    if arguments.output == "json":
        print(json.dumps(chosen, indent=2, ensure_ascii=False))
    else:
        print(table(("NAME", "STATE", "CLASS", "UUID"), [tuple(map(str, each.values())) for each in chosen]))


def _show(arguments: argparse.Namespace, server: Server) -> None:
    with server.wbem(arguments.namespace) as connection:
        path = find_guest(connection, arguments.name)
        guest = connection.GetInstance(path)
        devices = connection.Associators(path, AssocClass="CIM_SystemDevice", Role="GroupComponent")
    values = {name: plain(value) for name, value in guest.items() if value is not None}
    parts = [{"class": each.classname, **{name: plain(each[name]) for name in each if each[name] is not None}}
             for each in devices]  # fmt: skip
    if arguments.output == "json":
        print(json.dumps({**_summary(guest), "properties": values, "devices": parts}, indent=2, ensure_ascii=False))
        return
    print("\n".join(f"{name:8}{value}" for name, value in _summary(guest).items()))
    rows = [(str(each["class"]), str(each.get("DeviceID", "")), str(each.get("ElementName", ""))) for each in parts]
    print()
    print(table(("DEVICE", "ID", "NAME"), sorted(rows)))


def _request(arguments: argparse.Namespace, server: Server) -> None:
    import pywbem

    state, _ = ACTIONS[arguments.action]
    with server.wbem(arguments.namespace) as connection:
        path = find_guest(connection, arguments.name)
        code, out = connection.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(state))
        code = int(code)
        if code == JOB_STARTED and not arguments.no_wait:
            _await(connection, out["Job"], arguments.name)
        elif code == JOB_STARTED:
            print(f"job {out['Job'].keybindings['InstanceID']}")
            return
        elif code:
            reason = REASONS.get(code, "it was refused")
            hint = _possible(connection.GetInstance(path)) if code == WRONG_STATE else ""
            raise AskError(
                f"guest {arguments.name}: {arguments.action}: {reason} (RequestStateChange returned {code}){hint}"
            )
        now = _summary(connection.GetInstance(path, PropertyList=["Name", "EnabledState", "UUID"]))
    print(f"guest {arguments.name}: {now['state']}")


def _clone(arguments: argparse.Namespace, server: Server) -> None:
    import pywbem

    with server.wbem(arguments.namespace) as connection:
        path = find_guest(connection, arguments.name)
        (settings,) = connection.AssociatorNames(path, AssocClass="CIM_SettingsDefineState")
        prefix = prefix_of(path.classname)
        given = {
            "VirtualSystemIdentifier": arguments.new,
            "CloneMode": pywbem.Uint16(OVERLAY if arguments.overlay else FULL_COPY),
        }
        _, out = connection.InvokeMethod(
            "DefineSystem",
            f"{prefix}_VirtualSystemManagementService",
            SystemSettings=pywbem.CIMInstance(settings.classname, given),
            ReferenceConfiguration=settings,
        )
        _await(connection, out["Job"], arguments.new)
        if arguments.start:
            start, _ = ACTIONS["start"]
            new = find_guest(connection, arguments.new)
            code, out = connection.InvokeMethod("RequestStateChange", new, RequestedState=pywbem.Uint16(start))
            if code == JOB_STARTED:
                _await(connection, out["Job"], arguments.new)
            elif code:
                reason = REASONS.get(int(code), "it was refused")
                raise AskError(f"guest {arguments.new}: is made; start: {reason} (RequestStateChange returned {code})")
    print(f"guest {arguments.new}: made")


def _possible(guest: pywbem.CIMInstance) -> str:
    """Say in which state a guest is, and what can be asked for in it."""
    possible = {int(each) for each in guest.get("AvailableRequestedStates") or ()}
    words = [word for word, (state, _) in ACTIONS.items() if state in possible]
    return f", {_summary(guest)['state']}; expected one of {', '.join(words) or 'nothing'}"


def _await(connection: pywbem.WBEMConnection, job: pywbem.CIMInstanceName, name: str) -> None:
    """Wait until a job is over.

    Raises:
        AskError: it did not complete.
    """
    ended = follow_job(connection, job, properties=["JobState", "ErrorDescription"])
    require_completed(ended, f"guest {name}")


def _guests(connection: pywbem.WBEMConnection) -> list[pywbem.CIMInstance]:
    found: list[Any] = connection.EnumerateInstances(
        "Virt_ComputerSystem", PropertyList=["Name", "EnabledState", "UUID"]
    )
    return sorted(found, key=lambda each: str(each["Name"]))


def find_guest(connection: pywbem.WBEMConnection, name: str) -> pywbem.CIMInstanceName:
    """Find a guest by name or UUID.

    Raises:
        AskError: there is none, or there are several of one name.
    """
    guests = _guests(connection)
    found = [each for each in guests if name in (each["Name"], each["UUID"])]
    if len(found) == 1:
        return found[0].path
    if found:
        raise AskError(f"guest {name}: there are {len(found)} of this name; expected a UUID")
    names = ", ".join(str(each["Name"]) for each in guests[:10])
    raise AskError(f"guest {name}: there is none; expected one of {names}" if names else f"guest {name}: there is none")


def _summary(guest: pywbem.CIMInstance) -> dict[str, str]:
    state = guest["EnabledState"]
    return {
        "name": guest["Name"],
        "state": STATES.get(int(state), str(state)) if state is not None else "unknown",
        "class": guest.classname,
        "uuid": guest.get("UUID") or "",
    }

"""What `virtcim node` and `virtcim group` have in common: emptying nodes, and following the job of many guests."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from virtcim.app.commands.jobs import follow_job
from virtcim.app.commands.showing import JOB_STARTED

if TYPE_CHECKING:
    import pywbem

__all__ = ["add_drain_options", "drain", "find_group", "show_results"]

_GROUP, _SERVICE = "Virt_NodeGroup", "Virt_AggregatedManagementService"
_SETTING = "Virt_VirtualSystemMigrationSettingData"
_FAILED = 1
"""The exit status."""
_PAUSE = 0.5
"""Seconds between two looks at a job."""


def add_drain_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be said of a drain."""
    parser.add_argument("--to", metavar="GROUP", help="that the guests go to; default: see the documentation")
    parser.add_argument("--at-once", type=int, metavar="N", help="migrations that go on at a time; default: 2")
    parser.add_argument("--check", action="store_true", help="only say which guest can go where")
    parser.add_argument("--off", action="store_true", help="move guests that are off, too: their definitions")
    parser.add_argument("--copy-storage", action="store_true", help="copy disks that the nodes do not have in common")


def drain(arguments: argparse.Namespace, connection: pywbem.WBEMConnection, **what: Any) -> int:
    """Have nodes emptied, and say what became of each guest.

    Parameters:
        arguments: of the command line, those of `add_drain_options` among them.
        connection: to the server.
        what: the parameter Node or Group.

    Returns:
        the exit status: 0 where nothing stays.
    """
    import pywbem

    given = dict(what)
    if arguments.to is not None:
        given["TargetGroup"] = find_group(connection, arguments.to)
        if given["TargetGroup"] is None:
            return _FAILED
    if arguments.at_once is not None:
        given["AtOnce"] = pywbem.Uint16(arguments.at_once)
    if arguments.copy_storage:
        given["MigrationSettingData"] = pywbem.CIMInstance(_SETTING, {"CopyStorage": True})
    given |= {"CheckOnly": arguments.check, "IncludeInactive": arguments.off}
    (service,) = connection.EnumerateInstanceNames(_SERVICE)
    value, out = connection.InvokeMethod("DrainNodes", service, **given)
    return show_results(connection, value, out)


def find_group(connection: pywbem.WBEMConnection, name: str) -> Any:
    """Find the path of a group; None, with a line that says so, where there is none."""
    for path in connection.EnumerateInstanceNames(_GROUP):
        if str(path["InstanceID"]).rpartition(":")[2] == name:
            return path
    print(f"virtcim: group {name!r}: does not exist", file=sys.stderr)
    return None


def show_results(connection: pywbem.WBEMConnection, value: Any, out: Any) -> int:
    """Print what became of each guest, once that is known.

    Parameters:
        connection: to the server.
        value, out: what the method gave back; a job is followed to its end.

    Returns:
        the exit status.
    """
    if value == JOB_STARTED:
        shown = follow_job(connection, out["Job"], _tell_percent, _PAUSE)
        told = shown["JobOutParameters"]
        out = {} if told is None else told
        value = told["__ReturnValue"] if told is not None else shown["ErrorCode"] or _FAILED
    for line in out.get("Results") or ():
        print(line)
    return 0 if value == 0 else _FAILED


def _tell_percent(shown: Any) -> None:
    print(f"{shown['PercentComplete']} %", file=sys.stderr, flush=True)
